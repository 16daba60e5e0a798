package examples

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/publisher"
)

const (
	thisLog  = "01890a5d-ac96-774b-bcce-b302099a8057"
	otherLog = "01890a5d-ac96-774b-bcce-b302099a8058"
)

// madeStream is a stream as a publisher would leave it: records first to last of
// one event each, all but missing.
type madeStream struct {
	logID, start, fork string // metadata; empty: that of thisLog, absent, absent
	epoch              int
	first, last        int
	missing            int
	content            string // type; empty: JSON
}

func hashOf(seq int) string { return fmt.Sprintf("%064x", seq) }

func (m madeStream) make(t *testing.T, js jetstream.JetStream, cluster string) {
	t.Helper()
	metadata := map[string]string{"metalog_log_id": thisLog, "metalog_epoch": strconv.Itoa(m.epoch)}
	for key, value := range map[string]string{"metalog_log_id": m.logID, "metalog_start": m.start, "metalog_fork_seq": m.fork} {
		if value != "" {
			metadata[key] = value
		}
	}
	_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: publisher.StreamName(cluster), Subjects: []string{"metalog." + cluster + ".events.>"}, Metadata: metadata, AllowDirect: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	m.fill(t, js, cluster)
}

// fill publishes the records into the stream.
func (m madeStream) fill(t *testing.T, js jetstream.JetStream, cluster string) {
	t.Helper()
	logID := cmp.Or(m.logID, thisLog)
	for seq := m.first; seq <= m.last; seq++ {
		if seq == m.missing {
			continue
		}
		msg := nats.NewMsg("metalog." + cluster + ".events.cluster._.SystemInitialized")
		msg.Data = fmt.Appendf(nil, `[{"seq":%d,"index":0,"type":"SystemInitialized","entity":"cluster"}]`, seq)
		for name, value := range map[string]string{
			publisher.HeaderLogID: logID, publisher.HeaderEpoch: strconv.Itoa(m.epoch), publisher.HeaderHash: hashOf(seq),
			publisher.HeaderSeq: strconv.Itoa(seq), publisher.HeaderIndex: "0", publisher.HeaderCount: "1", publisher.HeaderEvents: "1",
			publisher.HeaderContentType: "application/json",
		} {
			msg.Header.Set(name, value)
		}
		if m.content != "" {
			msg.Header.Set(publisher.HeaderContentType, m.content)
		}
		if _, err := js.PublishMsg(t.Context(), msg); err != nil {
			t.Fatal(err)
		}
	}
}

// keptUntil is the state of an example that has counted records 1 to seq.
func keptUntil(epoch uint64, seq int, hash string) *tally {
	kept := &tally{Events: seq, Types: map[string]int{"SystemInitialized": seq}}
	kept.Checkpoint.LogID, kept.Checkpoint.Epoch = thisLog, epoch
	kept.Checkpoint.Next = events.Position{Seq: uint64(seq) + 1}
	kept.Checkpoint.Last.Seq, kept.Checkpoint.Last.Hash = uint64(seq), hash
	return kept
}

// TestProgramsRefuse holds each example against streams that it must not go on
// with, and some that look like them and are sound.
func TestProgramsRefuse(t *testing.T) {
	tests := []struct {
		name   string
		stream madeStream
		kept   *tally // nil: nothing
		want   string // what the program says; empty: it counts to the end
	}{
		{"another log", madeStream{logID: otherLog, epoch: 1, first: 1, last: 9}, keptUntil(1, 5, hashOf(5)), "is of log " + otherLog},
		{"an epoch before", madeStream{epoch: 1, first: 1, last: 9}, keptUntil(2, 5, hashOf(5)), "of epoch 1, what was counted is of epoch 2"},
		{"a fork before the place", madeStream{epoch: 2, fork: "4", first: 1, last: 9}, keptUntil(1, 5, hashOf(5)), "records 5 to 5 are not in it any more"},
		{"a fork at the place", madeStream{epoch: 2, fork: "5", first: 1, last: 9}, keptUntil(1, 5, hashOf(5)), ""},
		{"another record under the last seq", madeStream{epoch: 1, first: 1, last: 9}, keptUntil(1, 5, hashOf(6)), "record 5 is another one"},
		{"another record at the end", madeStream{epoch: 1, first: 1, last: 5}, keptUntil(1, 5, hashOf(6)), "record 5 is another one"},
		{"trimmed beyond the place", madeStream{epoch: 1, start: "7", first: 1, last: 9}, keptUntil(1, 5, hashOf(5)), "event 6.0 is not in the stream any more, which begins at 7.0"},
		{"trimmed to the place", madeStream{epoch: 1, start: "6", first: 6, last: 9}, keptUntil(1, 5, hashOf(5)), ""},
		{"trimmed, nothing kept", madeStream{epoch: 1, start: "6", first: 6, last: 9}, nil, "event 1.0 is not in the stream any more"},
		{"a hole", madeStream{epoch: 1, first: 1, last: 9, missing: 7}, keptUntil(1, 5, hashOf(5)), "events 7.0 to 8.0 are missing"},
		{"not JSON", madeStream{epoch: 1, first: 1, last: 9, content: "application/cbor"}, nil, "--payload json"},
		{"not yet where it was", madeStream{epoch: 1, first: 1, last: 3}, keptUntil(1, 2, hashOf(2)), ""},
	}
	for language, prepare := range programs {
		t.Run(language, func(t *testing.T) {
			p, server := prepare(t), newServer(t)
			js := server.connect()
			for i, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					cluster, state := fmt.Sprint("made-", i), filepath.Join(t.TempDir(), "state.json")
					test.stream.make(t, js, cluster)
					if test.kept != nil {
						if err := os.WriteFile(state, []byte(asJSON(t, test.kept)), 0o600); err != nil {
							t.Fatal(err)
						}
					}
					if test.want != "" {
						p.refuses(t, test.want, flags(server, cluster, state, "")...)
						return
					}
					run := p.start(t, flags(server, cluster, state, "")...)
					run.awaitSeq(uint64(test.stream.last))
					run.interrupt()
					if got := readTally(t, state); got.Events != test.stream.last || got.Checkpoint.Epoch != uint64(test.stream.epoch) {
						t.Errorf("kept %s", asJSON(t, got))
					}
				})
			}
		})
	}
}

// TestProgramsWaitForARefill purges a stream without a word: an example waits until
// it is filled again.
func TestProgramsWaitForARefill(t *testing.T) {
	for language, prepare := range programs {
		t.Run(language, func(t *testing.T) {
			p, server, state := prepare(t), newServer(t), filepath.Join(t.TempDir(), "state.json")
			js, purged := server.connect(), madeStream{epoch: 1, first: 7, last: 9}
			purged.make(t, js, cluster)
			if err := os.WriteFile(state, []byte(asJSON(t, keptUntil(1, 5, hashOf(5)))), 0o600); err != nil {
				t.Fatal(err)
			}
			run := p.start(t, flags(server, cluster, state, "")...)
			run.awaitComplaint("event 6.0 is not in the stream any more, which begins at 7.0")
			if err := js.DeleteStream(t.Context(), publisher.StreamName(cluster)); err != nil {
				t.Fatal(err)
			}
			madeStream{epoch: 1, first: 1, last: 9}.make(t, js, cluster)
			run.awaitSeq(9)
			run.interrupt()
			if got := readTally(t, state); got.Events != 9 {
				t.Errorf("kept %s", asJSON(t, got))
			}
		})
	}
}

// TestProgramsSkipWhatARefillRepeats empties the stream under an example that reads
// it, and fills it again from the first record on.
func TestProgramsSkipWhatARefillRepeats(t *testing.T) {
	for language, prepare := range programs {
		t.Run(language, func(t *testing.T) {
			p, server, state := prepare(t), newServer(t), filepath.Join(t.TempDir(), "state.json")
			js := server.connect()
			madeStream{epoch: 1, first: 1, last: 9}.make(t, js, cluster)
			run := p.start(t, flags(server, cluster, state, "")...)
			run.awaitSeq(9)
			stream, err := js.Stream(t.Context(), publisher.StreamName(cluster))
			if err != nil {
				t.Fatal(err)
			}
			if err := stream.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			madeStream{epoch: 1, first: 1, last: 12}.fill(t, js, cluster)
			run.awaitSeq(12)
			run.interrupt()
			if got := readTally(t, state); got.Events != 12 {
				t.Errorf("kept %s", asJSON(t, got))
			}
		})
	}
}

// TestProgramsSeeThatMatchesWereTrimmed trims the stream ahead of an example with a
// filter, which no message that it then gets shows.
func TestProgramsSeeThatMatchesWereTrimmed(t *testing.T) {
	for language, prepare := range programs {
		t.Run(language, func(t *testing.T) {
			p := prepare(t)
			w, state := newWorld(t, publisher.JSON), filepath.Join(t.TempDir(), "state.json")
			run := p.start(t, flags(w.server, cluster, state, "group.*.OffsetCommitted")...)
			w.send(2)
			run.awaitSeq(w.store.Seq())
			run.signal(syscall.SIGSTOP)
			before := readTally(t, state)
			w.send(20)
			w.awaitPublished()
			w.stop() // or it would fill the stream again
			w.trim(w.store.Seq())
			run.signal(syscall.SIGCONT)
			if err := run.end(); err == nil || !strings.Contains(run.stderr.String(), "out of range") {
				t.Errorf("ended with %v, want out of range:\n%s", err, run.stderr.String())
			}
			if after := readTally(t, state); asJSON(t, after) != asJSON(t, before) {
				t.Errorf("counted on, from\n%s\nto\n%s", asJSON(t, before), asJSON(t, after))
			}
		})
	}
}

// trim removes what is before record seq from the stream, as a publisher does.
func (w *world) trim(seq uint64) {
	w.t.Helper()
	stream := w.openStream()
	config := stream.CachedInfo().Config
	config.Metadata["metalog_start"] = strconv.FormatUint(seq, 10)
	if _, err := w.js.UpdateStream(w.t.Context(), config); err != nil {
		w.t.Fatal(err)
	}
	if err := stream.Purge(w.t.Context(), jetstream.WithPurgeKeep(1)); err != nil {
		w.t.Fatal(err)
	}
}

// awaitPublished returns when the stream has all of the log. It asks until there is
// a stream.
func (w *world) awaitPublished() {
	w.t.Helper()
	seq := w.store.Seq()
	options := publisher.SubscribeOptions{Cluster: cluster, Logger: quiet}
	for {
		for m, err := range publisher.Subscribe(w.t.Context(), w.js, options) {
			if errors.Is(err, events.ErrNotFound) {
				break
			}
			if err != nil {
				w.t.Fatal(err)
			}
			if m.Next().Seq > seq {
				return
			}
		}
	}
}
