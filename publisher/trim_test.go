package publisher

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// trimming returns a publisher of the store's log that retains so many records.
func (o *origin) trimming(t *testing.T, retain uint64) *Publisher {
	t.Helper()
	info := o.store.MustInfo()
	p, err := New(o.store.Log(), o.nats.connect(), Options{
		Cluster: testCluster, LogID: info.LogID, Epoch: info.Epoch, Logger: quiet,
		RetainRecords: retain, CheckEvery: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// awaitTrim waits for the stream to begin with a record other than before, and
// returns that.
func (o *origin) awaitTrim(t *testing.T, before uint64) uint64 {
	t.Helper()
	for {
		first, start := o.beginning(t)
		if first.Seq > before {
			// It says so first, and may be about to be trimmed again.
			if start < first.Seq || first.Index != 0 {
				t.Errorf("the stream begins at %s, and says %d", first, start)
			}
			return first.Seq
		}
	}
}

// beginning returns the first event of the stream, and the seq that it says that it begins
// with. It looks again when the first message is trimmed before it is read.
func (o *origin) beginning(t *testing.T) (first events.Position, start uint64) {
	t.Helper()
	js := o.nats.connect()
	for {
		l := locatorOf(t, streamOf(t, js))
		first, err := l.first(t.Context())
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return first, l.origin.start
	}
}

// A stream is trimmed to what is to be retained, but not further than the oldest
// snapshot on offer, and not without one.
func TestTrim(t *testing.T) {
	o := newOrigin(t)
	o.write(200)
	p := o.trimming(t, 20)
	stop := start(t, p)
	o.awaitPublished(t, p)
	for range 3 { // looks, each of which could trim
		if err := p.look(t.Context(), o.lastMessage(t)); err != nil {
			t.Fatal(err)
		}
	}
	if first, says := o.beginning(t); first.Seq != 1 || says != 1 {
		t.Fatalf("without a snapshot the stream begins at %s, and says %d, want 1", first, says)
	}

	snap := o.offerSnapshot()
	o.write(10)
	o.awaitPublished(t, p)
	if start := o.awaitTrim(t, 1); start > min(p.Position().Seq-20, snap.Seq+1) {
		t.Errorf("trimmed to %d, though 20 records are retained, and what follows the snapshot of %d", start, snap.Seq)
	}
	stop()

	// The next publisher takes it for whole, and goes on.
	again := o.trimming(t, 20)
	start(t, again)
	o.write(5)
	o.awaitPublished(t, again)
	if first, _ := o.beginning(t); first.Seq == 1 {
		t.Errorf("the stream begins at %s: it was filled again", first)
	}
}

func (o *origin) lastMessage(t *testing.T) uint64 {
	return streamOf(t, o.nats.connect()).CachedInfo().State.LastSeq
}

// awaitPublished waits until all of the store's log is in the stream.
func (o *origin) awaitPublished(t *testing.T, p *Publisher) {
	t.Helper()
	if err := p.WaitLag(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
}

// A subscriber begins with a snapshot and reads what follows it.
func TestSubscribeFromSnapshot(t *testing.T) {
	o := newOrigin(t)
	o.write(50)
	p := o.trimming(t, 0)
	start(t, p)
	read := func(options SubscribeOptions) (err error) {
		options.Cluster, options.Logger = testCluster, quiet
		for m, err := range Subscribe(t.Context(), o.nats.connect(), options) {
			if err != nil {
				return err
			}
			if m.Next().Seq > o.store.Seq() {
				break
			}
		}
		return nil
	}
	o.awaitPublished(t, p)
	never := func(context.Context, replay.Snapshot, *views.Reader) error {
		t.Error("a snapshot was read")
		return nil
	}
	if err := read(SubscribeOptions{Snapshot: never}); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("without a snapshot: %v, want not found", err)
	}
	snap := o.offerSnapshot()
	o.write(20)
	var topics int
	var at replay.Snapshot
	options := SubscribeOptions{Cluster: testCluster, Logger: quiet, Snapshot: func(_ context.Context, of replay.Snapshot, r *views.Reader) error {
		at = of
		for _, err := range r.Topics() {
			if err != nil {
				return err
			}
			topics++
		}
		if r.Digest() != of.Digest {
			t.Errorf("digest %s, want %s", r.Digest(), of.Digest)
		}
		return nil
	}}
	first := true
	for m, err := range Subscribe(t.Context(), o.nats.connect(), options) {
		if err != nil {
			t.Fatal(err)
		}
		if first && m.First() != (events.Position{Seq: snap.Seq + 1}) {
			t.Errorf("begins at %s, after the snapshot of %d", m.First(), snap.Seq)
		}
		if first = false; m.Next().Seq > o.store.Seq() {
			break
		}
	}
	if at.Head() != snap.Head() || topics == 0 {
		t.Errorf("read snapshot %v with %d topics, want %v", at.Head(), topics, snap.Head())
	}
	failed := errors.New("the database is full")
	if err := read(SubscribeOptions{Snapshot: func(context.Context, replay.Snapshot, *views.Reader) error { return failed }}); !errors.Is(err, failed) {
		t.Errorf("a reader that fails: %v, want its error", err)
	}
}
