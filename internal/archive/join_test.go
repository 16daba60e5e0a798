package archive

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// Log and archive give the frames that were written, to the byte, however much of
// the log went to the archive, and wherever a read begins.
func TestJoinedIsTheLog(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		l := newTestLog(t, seed, 1500, 200_000)
		a := l.created(t, directory{t.TempDir()})
		all := len(l.Segments())
		if all < 5 {
			t.Fatalf("%d segments only", all)
		}
		r := l.joined(a)
		for _, n := range []int{0, 1, all / 2, all - all/2 - 2} {
			if n > 0 {
				mustMove(t, l, a, n)
			}
			l.checkAll(t, r, 1)
			rng := rand.New(rand.NewPCG(seed, 1))
			for range 10 {
				l.checkAll(t, r, 1+rng.Uint64N(1500))
			}
			checkPlaces(t, l, r)
		}
		if l.First() == 1 || r.First() != 1 {
			t.Errorf("the log begins with %d, log and archive with %d", l.First(), r.First())
		}
		again, err := Open(t.Context(), a.place, l.options())
		if err != nil {
			t.Fatal(err)
		}
		l.checkAll(t, l.joined(again), 1)
		l.checkAll(t, l.joined(again), l.First()-1)
	}
}

func checkPlaces(t *testing.T, l *testLog, r *Joined) {
	t.Helper()
	next := uint64(1)
	for _, seg := range r.Segments() {
		if seg.First != next || seg.Archived != (seg.First < l.First()) {
			t.Errorf("segment %+v after seq %d; the log begins with %d", seg, next-1, l.First())
		}
		next = seg.Last + 1
	}
	if next != l.Head().Seq+1 {
		t.Errorf("segments end with seq %d, want %d", next-1, l.Head().Seq)
	}
	for i := 0; i < len(l.frames); i += 23 {
		want := l.frames[i]
		f, err := r.FrameAt(t.Context(), want.Seq, want.Offset)
		if err != nil || f.Hash != want.Hash {
			t.Fatalf("frame at %d: %v", want.Seq, err)
		}
		if _, err := r.FrameAt(t.Context(), want.Seq, want.Offset+1); !errors.Is(err, events.ErrCorrupt) {
			t.Fatalf("frame at %d, a byte off: %v", want.Seq, err)
		}
		checkSeqAt(t, l, r, want.Time)
		checkSeqAt(t, l, r, want.Time-1)
		checkSeqAt(t, l, r, want.Time+1)
	}
}

func checkSeqAt(t *testing.T, l *testLog, r *Joined, at events.Time) {
	t.Helper()
	want := uint64(sort.Search(len(l.frames), func(i int) bool { return l.frames[i].Time > at }))
	if got, err := r.SeqAt(t.Context(), at); err != nil || got != want {
		t.Fatalf("seq at %d: %d, %v; want %d", at, got, err, want)
	}
}

// Readers that are under way go on while segments move, by every way of reading.
func TestMoveWhileReading(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 7, 600, 40_000)
	a := l.created(t, directory{t.TempDir()})
	r := l.joined(a)
	moved := make(chan struct{})
	var readers sync.WaitGroup
	reading := func(read func()) {
		readers.Go(func() {
			for {
				select {
				case <-moved:
					read()
					return
				default:
					read()
				}
			}
		})
	}
	reading(func() { l.checkAll(t, r, 1) })
	reading(func() {
		next := uint64(1)
		for rec, err := range r.Records(t.Context(), 1) {
			if err != nil || rec.Seq != next || rec.Hash != l.frames[next-1].Hash {
				t.Errorf("record %d: %v", next, err)
				return
			}
			next++
		}
		if next != l.Head().Seq+1 {
			t.Errorf("records end with seq %d", next-1)
		}
	})
	reading(func() {
		for i := 0; i < len(l.frames); i += 31 {
			want := l.frames[i]
			if f, err := r.FrameAt(t.Context(), want.Seq, want.Offset); err != nil || f.Hash != want.Hash {
				t.Errorf("frame at %d: %v", want.Seq, err)
				return
			}
		}
	})
	reading(func() {
		for i := 0; i < len(l.frames); i += 101 {
			if _, err := r.SeqAt(t.Context(), l.frames[i].Time); err != nil {
				t.Errorf("seq at: %v", err)
				return
			}
		}
	})
	reading(func() {
		next := uint64(1)
		for _, seg := range r.Segments() {
			if seg.First != next {
				t.Errorf("segment %+v after seq %d", seg, next-1)
				return
			}
			next = seg.Last + 1
		}
	})
	for len(l.Segments()) > 1 {
		if err := l.move(t.Context(), a, 1); err != nil {
			t.Error(err)
			break
		}
	}
	close(moved)
	readers.Wait()
}

// A reader that stopped in the midst of a segment goes on in the archive, when the
// segment went there meanwhile.
func TestMoveUnderAReader(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 8, 1000, 20_000)
	a := l.created(t, directory{t.TempDir()})
	r := l.joined(a)
	next := uint64(1)
	for got, err := range r.Located(t.Context(), 1) {
		if err != nil {
			t.Fatalf("seq %d: %v", next, err)
		}
		l.same(t, got, next)
		if next == 5 {
			mustMove(t, l, a, len(l.Segments())-1)
		}
		next++
	}
	if next != 1001 {
		t.Errorf("it ends with seq %d", next-1)
	}
}

// Who wants no more ends the goroutine that reads ahead: the test's end sees to it.
func TestReadEndsEarly(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 9, 1500, 500_000)
	a := l.created(t, directory{t.TempDir()})
	mustMove(t, l, a, len(l.Segments())-1)
	r := l.joined(a)
	for n := 1; n < 1200; n += 97 {
		i := 0
		for _, err := range r.Frames(t.Context(), 1) {
			if err != nil {
				t.Fatal(err)
			}
			if i++; i == n {
				break
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for f, err := range r.Frames(ctx, 1) {
		if last = err; err != nil {
			break
		}
		if f.Seq == 2 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a read that was cancelled ended with %v", last)
	}
}

// Outside of what is there, the error says so.
func TestOutOfRange(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 10, 200, 20_000)
	a := l.created(t, memory{})
	mustMove(t, l, a, 3)
	r := l.joined(a)
	read := func(from uint64) error {
		for _, err := range r.Frames(t.Context(), from) {
			return err
		}
		return nil
	}
	if err := read(201); err != nil {
		t.Errorf("right behind the head: %v", err)
	}
	for _, from := range []uint64{0, 202} {
		if err := read(from); !errors.Is(err, events.ErrOutOfRange) {
			t.Errorf("from %d: %v", from, err)
		}
	}
	if err := prune(t, a, l.frames, 2); err != nil {
		t.Fatal(err)
	}
	first := r.First()
	if err := read(first - 1); !errors.Is(err, events.ErrOutOfRange) || !strings.Contains(err.Error(), fmt.Sprintf("begins with seq %d", first)) {
		t.Errorf("before the first: %v", err)
	}
	if _, err := r.FrameAt(t.Context(), first-1, 0); !errors.Is(err, events.ErrOutOfRange) {
		t.Errorf("frame before the first: %v", err)
	}
	if seq, err := r.SeqAt(t.Context(), 1); err != nil || seq != first-1 {
		t.Errorf("seq at a time before all: %d, %v; want %d", seq, err, first-1)
	}
	if segs := r.Segments(); segs[0].First != first {
		t.Errorf("segments begin with %d, want %d", segs[0].First, first)
	}
	l.checkAll(t, r, first)
}

// While the archive can't be reached, the log can be read, and what needs the archive
// says unavailable; once it is back, all can be read.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 11, 200, 20_000)
	place := memory{}
	mustMove(t, l, l.created(t, place), 3)
	var away atomic.Bool
	away.Store(true)
	tries := 0
	o := NewOpener(func(ctx context.Context) (*Archive, error) {
		tries++
		if away.Load() {
			return nil, events.Errorf(events.CodeUnavailable, "archive /memory: not there")
		}
		return Open(ctx, place, l.options())
	})
	clock := time.Now()
	o.now = func() time.Time { return clock }
	r := Join(o, l)
	l.checkAll(t, r, l.First())
	if r.First() != 1 {
		t.Errorf("first %d: what may be there is not out of range", r.First())
	}
	if segs := r.Segments(); segs[0].First != 1 || segs[0].Last != l.First()-1 || !segs[0].Archived {
		t.Errorf("segments %+v", segs)
	}
	for range 3 {
		for _, err := range r.Records(t.Context(), 1) {
			if !errors.Is(err, events.ErrUnavailable) || !strings.Contains(err.Error(), "/memory") {
				t.Errorf("read: %v", err)
			}
		}
	}
	if _, err := r.FrameAt(t.Context(), 1, 0); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("frame at: %v", err)
	}
	if _, err := r.SeqAt(t.Context(), l.frames[0].Time); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("seq at: %v", err)
	}
	if tries != 1 {
		t.Errorf("it was tried %d times at once", tries)
	}
	away.Store(false)
	clock = clock.Add(retryAfter)
	l.checkAll(t, r, 1)
}

// moving is a log of which something happens when it is asked for its first seq.
type moving struct {
	*eventlog.File
	asked int
	when  int
	what  func()
}

func (m *moving) First() uint64 {
	if m.asked++; m.asked == m.when {
		m.what()
	}
	return m.File.First()
}

// Another run opens the archive anew: a read that has the old one goes on in the new.
func TestMoveByAnotherRun(t *testing.T) {
	t.Parallel()
	for when := 1; ; when++ {
		l := newTestLog(t, 12, 100, 8_000)
		place := memory{}
		o := NewOpener(nil)
		old := l.created(t, place)
		o.Use(old)
		mustMove(t, l, old, 2)
		m := &moving{File: l.File, when: when, what: func() {
			again := l.created(t, place)
			o.Use(again)
			mustMove(t, l, again, len(l.Segments())-1)
		}}
		l.checkAll(t, Join(o, m), 1)
		if m.asked < when {
			if when < 4 {
				t.Errorf("the log was asked %d times for its first seq", m.asked)
			}
			return
		}
	}
}

// A reader of what is pruned is told that it is gone, not that it is damaged.
func TestPruneUnderAReader(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 13, 600, 30_000)
	a := l.created(t, directory{t.TempDir()})
	mustMove(t, l, a, len(l.Segments())-1)
	files := len(a.have.Load().files)
	next := uint64(1)
	for got, err := range l.joined(a).Located(t.Context(), 1) {
		if err != nil {
			if !errors.Is(err, events.ErrOutOfRange) {
				t.Errorf("seq %d: %v", next, err)
			}
			return
		}
		l.same(t, got, next)
		if next == 2 {
			if err := prune(t, a, l.frames, files-1); err != nil {
				t.Fatal(err)
			}
		}
		next++
	}
	t.Errorf("it went on to seq %d", next-1)
}
