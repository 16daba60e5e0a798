package publisher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.etcd.io/bbolt"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/logread"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/projector"
)

// ended waits until a replica has ended for good, and returns why.
func ended(t *testing.T, r *Replica) error {
	t.Helper()
	select {
	case <-r.Done():
		return r.Err()
	case <-t.Context().Done():
		t.Fatal("the replica goes on")
		return nil
	}
}

// TestReplicaIsKilled copies a replica's directory while it works, as a SIGKILL
// would leave it, and goes on with the copy.
func TestReplicaIsKilled(t *testing.T) {
	o := newOrigin(t)
	dir := t.TempDir()
	r := follow(t, dir, o.nats.connect())
	for round := range 4 {
		o.write(30)
		o.mustMatch(r)
		killed := t.TempDir()
		// bbolt writes its pages in place, so the copy is made between two flushes.
		r.db.FlushAll(t.Context())
		copyFile(t, filepath.Join(killed, viewsFile), r.Path())
		o.write(10 * round)
		again := follow(t, killed, o.nats.connect())
		if at := again.Views().Flushed().Seq; at == 0 {
			t.Error("the copy began anew")
		}
		o.mustMatch(again)
		mustClose(t, again)
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// source is a log-read server that answers from frames that a test made.
type source struct {
	state  logread.State
	frames []eventlog.Frame
}

// rechained gives the store's records as change makes them, in a chain of their
// own.
func rechained(t *testing.T, store *storetest.Store, change func(*events.Record)) (frames []eventlog.Frame) {
	t.Helper()
	log, err := eventlog.Open(t.TempDir(), eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	group := eventlog.NewGroup(events.Head{})
	for rec, err := range store.Log().Records(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		change(rec)
		if err := group.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Append(group); err != nil {
		t.Fatal(err)
	}
	for frame, err := range log.Frames(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
	return frames
}

// answerFrom answers log reads with the store's log as if it began at first.
func answerFrom(t *testing.T, store *storetest.Store, js jetstream.JetStream, first uint64) {
	t.Helper()
	info := store.MustInfo()
	s := source{state: logread.State{LogID: info.LogID, Epoch: info.Epoch, First: first, Head: info.Head}}
	for frame, err := range store.Log().Frames(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		s.frames = append(s.frames, frame)
	}
	s.listen(t, js)
}

// answerWith answers log reads with frames, as if they were the store's log.
func answerWith(t *testing.T, store *storetest.Store, js jetstream.JetStream, frames []eventlog.Frame) {
	t.Helper()
	info, last := store.MustInfo(), frames[len(frames)-1]
	head := events.Head{Seq: last.Seq, Hash: last.Hash}
	s := source{logread.State{LogID: info.LogID, Epoch: info.Epoch, First: 1, Head: head}, frames}
	s.listen(t, js)
}

func (s *source) listen(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	sub, err := js.Conn().Subscribe(logread.Subject(testCluster), func(msg *nats.Msg) {
		var request logread.Request
		if err := json.Unmarshal(msg.Data, &request); err != nil {
			t.Error(err)
		}
		answer := nats.NewMsg(msg.Reply)
		answer.Header = s.state.Header()
		if request.From < s.state.First {
			answer.Header.Set("Nats-Service-Error-Code", string(events.CodeOutOfRange))
			answer.Data = []byte(`{"code":"out_of_range","message":"gone"}`)
			msg.RespondMsg(answer)
			return
		}
		for _, f := range s.frames[min(int(request.From)-1, len(s.frames)):] {
			answer.Data = append(answer.Data, f.Bytes...)
		}
		if len(answer.Data) == 0 {
			time.Sleep(min(request.Wait(), 10*time.Millisecond)) // as a server that waits would
		}
		if err := msg.RespondMsg(answer); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := js.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sub.Unsubscribe() })
}

// TestReplicaFindsOtherDigest follows a log in which a record was altered, its
// chain made good: the next noted digest tells.
func TestReplicaFindsOtherDigest(t *testing.T) {
	o := newOrigin(t)
	o.write(70)
	o.quit()
	var noted uint64
	frames := rechained(t, o.store, func(rec *events.Record) {
		switch e := rec.Facts[0].Event.(type) {
		case *events.TopicCreated:
			e.Partitions++
		case *events.DigestRecorded:
			if noted == 0 {
				noted = rec.Seq
			}
		}
	})
	answerWith(t, o.store, o.nats.connect(), frames)
	dir := t.TempDir()
	for range 2 { // again when it is started again
		r := follow(t, dir, o.nats.connect())
		failure, ok := errors.AsType[*projector.DigestError](ended(t, r))
		if !ok || failure.Seq != noted || !errors.Is(failure, events.ErrCorrupt) {
			t.Fatalf("error %v, want a digest that differs at seq %d", r.Err(), noted)
		}
		if err := r.Wait(t.Context(), noted); !errors.Is(err, events.ErrCorrupt) {
			t.Errorf("wait: %v, want why it ended", err)
		}
		if at := r.Views().Checkpoint().Seq; at >= noted {
			t.Errorf("the views went on to seq %d", at)
		}
		mustClose(t, r)
	}
}

// TestReplicaRefusesDamagedFrames follows servers that send what was never
// written.
func TestReplicaRefusesDamagedFrames(t *testing.T) {
	o := newOrigin(t)
	o.write(20)
	o.quit()
	others := rechained(t, o.store, func(rec *events.Record) { rec.Meta.Actor += "x" })
	for name, damage := range map[string]func([]eventlog.Frame) []eventlog.Frame{
		"a flipped bit": func(f []eventlog.Frame) []eventlog.Frame {
			f[9].Bytes[len(f[9].Bytes)-3] ^= 1
			return f
		},
		"a record left out": func(f []eventlog.Frame) []eventlog.Frame { return append(f[:9:9], f[10:]...) },
		"a record twice":    func(f []eventlog.Frame) []eventlog.Frame { return append(f[:9:9], f[8:]...) },
		"another's record": func(f []eventlog.Frame) []eventlog.Frame {
			f[9] = others[9]
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			frames := rechained(t, o.store, func(*events.Record) {})
			answerWith(t, o.store, o.nats.connect(), damage(frames))
			r := follow(t, t.TempDir(), o.nats.connect())
			if err := ended(t, r); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("error %v, want corrupt", err)
			}
			if at := r.Views().Checkpoint().Seq; at != 0 {
				t.Errorf("of an answer with damage records up to %d were applied", at)
			}
		})
	}
}

// forked makes a store that shares the first records of the origin's, and goes on
// otherwise.
func (o *origin) forked(records int) *storetest.Store {
	o.t.Helper()
	dir := o.t.TempDir()
	o.store.MustClose()
	if err := os.CopyFS(dir, os.DirFS(o.store.Options.Path)); err != nil {
		o.t.Fatal(err)
	}
	o.store.Reopen()
	other := storetest.Open(o.t, func(m *metalog.Options) { m.Path, m.SnapshotEvery, m.DigestEvery = dir, -1, 50 })
	for i := range records {
		other.Must(metalog.CreateGroup{ID: "forked" + strconv.Itoa(i)})
	}
	return other
}

// TestReplicaFindsFork follows a server whose log went another way, once shorter
// and once longer than where the replica is.
func TestReplicaFindsFork(t *testing.T) {
	for name, records := range map[string]int{"shorter": 2, "as long": 10, "longer": 30} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.write(20)
			o.quit()
			other := o.forked(records)
			o.serve()
			o.write(10)
			dir := t.TempDir()
			r := follow(t, dir, o.nats.connect())
			o.mustMatch(r)
			at := o.store.MustInfo()

			o.quit()
			o.store = other // the same server, restored from an old backup
			o.serve()
			fork, ok := errors.AsType[*ForkError](ended(t, r))
			if !ok || fork.Seen != at.Head || !errors.Is(fork, events.ErrCorrupt) {
				t.Fatalf("error %v, want a fork at %v", r.Err(), at.Head)
			}
			if short := o.store.Seq() < at.Seq; short != strings.Contains(fork.Error(), "it ends at seq") {
				t.Errorf("fork %q", fork)
			}
			mustClose(t, r)
			if _, err := Follow(t.Context(), dir, o.nats.connect(), followOptions()); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("started again: %v, want the same fork", err)
			}
			if err := os.RemoveAll(dir); err != nil { // the way out that the error names
				t.Fatal(err)
			}
			o.mustMatch(follow(t, dir, o.nats.connect()))
		})
	}
}

func TestReplicaRefusesOtherLog(t *testing.T) {
	o := newOrigin(t)
	o.write(5)
	dir := t.TempDir()
	r := follow(t, dir, o.nats.connect())
	o.mustMatch(r)
	mustClose(t, r)
	other := newOrigin(t, func(m *metalog.Options) { m.NewID = uuid.New })
	other.write(20)
	if _, err := Follow(t.Context(), dir, other.nats.connect(), followOptions()); !errors.Is(err, events.ErrConflict) {
		t.Errorf("error %v, want conflict", err)
	}
	options := followOptions()
	options.LogID = o.store.MustInfo().LogID
	if _, err := Follow(t.Context(), t.TempDir(), other.nats.connect(), options); !errors.Is(err, events.ErrConflict) {
		t.Errorf("without views: error %v, want conflict", err)
	}
}

// TestReplicaMakesBadViewsAnew starts on a file that is none of metalog's.
func TestReplicaMakesBadViewsAnew(t *testing.T) {
	o := newOrigin(t)
	o.write(30)
	o.offerSnapshot()
	dir := t.TempDir()
	for _, content := range []string{"", "no views at all"} {
		if err := os.WriteFile(filepath.Join(dir, viewsFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r := follow(t, dir, o.nats.connect())
		o.mustMatch(r)
		mustClose(t, r)
	}
	if _, err := os.Stat(filepath.Join(dir, viewsFile+".unusable")); err != nil {
		t.Errorf("the views that can't be used were not kept: %v", err)
	}
}

// TestReplicaStopsWithItsContext ends a start that can't come to an end.
func TestReplicaStopsWithItsContext(t *testing.T) {
	o := newOrigin(t)
	o.quit()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Follow(ctx, t.TempDir(), o.nats.connect(), followOptions()); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("error %v, want unavailable", err)
	}
}

// TestReplicaBehindTheLogsStart has a replica, new or with views, that needs
// records which are in the log no more: it begins with a snapshot, or says so.
func TestReplicaBehindTheLogsStart(t *testing.T) {
	o := newOrigin(t)
	o.write(10)
	dir := t.TempDir()
	r := follow(t, dir, o.nats.connect())
	o.mustMatch(r)
	mustClose(t, r)
	o.write(30)
	o.quit()

	for name, dir := range map[string]string{"new": t.TempDir(), "behind": dir} {
		t.Run(name, func(t *testing.T) {
			answerFrom(t, o.store, o.nats.connect(), o.store.Seq())
			if _, err := Follow(t.Context(), dir, o.nats.connect(), followOptions()); !errors.Is(err, events.ErrOutOfRange) {
				t.Fatalf("without a snapshot: %v, want out_of_range", err)
			}
		})
	}
	snap := o.offerSnapshot()
	o.write(10)
	for name, first := range map[string]uint64{"right after it": snap.Seq + 1, "with its record": snap.Seq} {
		t.Run(name, func(t *testing.T) {
			answerFrom(t, o.store, o.nats.connect(), first)
			for _, in := range []string{t.TempDir(), dir} {
				r := follow(t, in, o.nats.connect())
				if at := r.Views().Flushed().Seq; at < snap.Seq {
					t.Errorf("it began at seq %d, want %d", at, snap.Seq)
				}
				o.mustMatch(r)
				mustClose(t, r)
			}
		})
	}
	t.Run("after a snapshot is too late", func(t *testing.T) {
		answerFrom(t, o.store, o.nats.connect(), snap.Seq+2)
		if _, err := Follow(t.Context(), t.TempDir(), o.nats.connect(), followOptions()); !errors.Is(err, events.ErrOutOfRange) {
			t.Errorf("error %v, want out_of_range", err)
		}
	})
}

// TestReplicaFindsAlteredRow alters a row in the file while nobody has it open.
// When a record changes that row, the digest goes another way.
func TestReplicaFindsAlteredRow(t *testing.T) {
	o := newOrigin(t)
	o.write(20)
	o.store.Must(metalog.CreateGroup{ID: "altered"})
	dir := t.TempDir()
	r := follow(t, dir, o.nats.connect())
	o.mustMatch(r)
	mustClose(t, r)
	alterGroup(t, r.Path(), "altered")
	o.store.Must(metalog.DeleteGroup{ID: "altered"})
	o.write(60)
	failure, ok := errors.AsType[*projector.DigestError](ended(t, follow(t, dir, o.nats.connect())))
	if !ok || failure.At <= r.Views().Flushed().Seq {
		t.Errorf("%v, want a digest that differs after seq %d", failure, r.Views().Flushed().Seq)
	}
}

// alterGroup changes a byte in the row of a group that is not its name.
func alterGroup(t *testing.T, path, id string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("groups"))
		c := b.Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if bytes.Contains(k, []byte(id)) || bytes.Contains(v, []byte(id)) {
				altered := bytes.Replace(v, []byte("Empty"), []byte("empty"), 1)
				if bytes.Equal(altered, v) {
					altered = append(v[:len(v)-1:len(v)-1], v[len(v)-1]^1)
				}
				return b.Put(bytes.Clone(k), altered)
			}
		}
		return errors.New("no such row")
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
