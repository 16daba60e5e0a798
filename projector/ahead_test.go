package projector

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/metalog/metalog/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLog has records of one event each up to its last, and then fails, if it has an
// error.
type fakeLog struct {
	last uint64
	err  error
	read atomic.Uint64 // the seq it has come to
}

func (l *fakeLog) First() uint64     { return 1 }
func (l *fakeLog) Head() events.Head { return events.Head{Seq: l.last} }

func (l *fakeLog) Records(_ context.Context, from uint64) iter.Seq2[*events.Record, error] {
	return func(yield func(*events.Record, error) bool) {
		for seq := from; seq <= l.last; seq++ {
			l.read.Store(seq)
			if !yield(&events.Record{Seq: seq, Facts: make([]events.Fact, 1)}, nil) {
				return
			}
		}
		if l.err != nil {
			yield(nil, l.err)
		}
	}
}

func TestReadAheadYieldsAll(t *testing.T) {
	for _, last := range []uint64{0, 1, aheadRecords - 1, aheadRecords, aheadRecords + 1, 10 * aheadRecords} {
		for _, to := range []uint64{1, aheadRecords, last, last + 1} {
			want := uint64(1)
			for rec, err := range readAhead(t.Context(), &fakeLog{last: last}, 1, to) {
				if err != nil {
					t.Fatal(err)
				}
				if rec.Seq != want {
					t.Fatalf("seq %d, want %d", rec.Seq, want)
				}
				want++
			}
			if got := want - 1; got != min(last, max(to, 1)) {
				t.Errorf("log to %d, asked to %d: %d records", last, to, got)
			}
		}
	}
}

func TestReadAheadErrorComesInItsPlace(t *testing.T) {
	damage := errors.New("damage")
	for _, last := range []uint64{0, 5, aheadRecords, 3*aheadRecords + 7} {
		var seen uint64
		var failed error
		for rec, err := range readAhead(t.Context(), &fakeLog{last: last, err: damage}, 1, last+10) {
			if failed = err; err == nil {
				seen = rec.Seq
			}
		}
		if seen != last || !errors.Is(failed, damage) {
			t.Errorf("log to %d: %d records, then %v", last, seen, failed)
		}
	}
}

// Who stops early is not read for any more: goleak finds the goroutine otherwise.
func TestReadAheadStops(t *testing.T) {
	log := &fakeLog{last: 1 << 40}
	for range readAhead(t.Context(), log, 1, log.last) {
		break
	}
	if read := log.read.Load(); read > (aheadBatches+3)*aheadRecords {
		t.Errorf("read on to %d", read)
	}
}

func TestReadAheadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := &fakeLog{last: 1 << 40}
	var failed error
	for rec, err := range readAhead(ctx, log, 1, log.last) {
		if failed = err; err == nil && rec.Seq == 5*aheadRecords {
			cancel()
		}
	}
	if !errors.Is(failed, context.Canceled) {
		t.Errorf("ended with %v", failed)
	}
}
