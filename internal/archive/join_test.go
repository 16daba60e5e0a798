package archive

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/metalog/metalog/events"
)

// Log and archive give the frames that were written, to the byte, however much of
// the log went to the archive, and wherever a read begins.
func TestJoinedIsTheLog(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		l := newTestLog(t, seed, 3000, 200_000)
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
			for range 20 {
				l.checkAll(t, r, 1+rng.Uint64N(3000))
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
	for i := 0; i < len(l.frames); i += 7 {
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
	var want uint64
	for _, f := range l.frames {
		if f.Time <= at {
			want = f.Seq
		}
	}
	if got, err := r.SeqAt(t.Context(), at); err != nil || got != want {
		t.Fatalf("seq at %d: %d, %v; want %d", at, got, err, want)
	}
}
