package eventlog

import (
	"errors"
	"os"
	"sort"
	"testing"

	"github.com/metalog/metalog/events"
)

// located reads frames with their places.
func located(t testing.TB, f *File, from uint64) []Located {
	t.Helper()
	var all []Located
	for at, err := range f.Located(t.Context(), from) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, at)
	}
	return all
}

// wantSegments are the segments that a log's frames stand in.
func (fx fixture) wantSegments(from uint64) []Segment {
	var list []Segment
	segment := ""
	for _, at := range fx.frames[from-1:] {
		if at.Segment != segment {
			segment = at.Segment
			list = append(list, Segment{First: at.Seq})
		}
		list[len(list)-1].Last = at.Seq
	}
	return list
}

func checkSegments(t *testing.T, f *File, want []Segment) {
	t.Helper()
	got := f.Segments()
	if len(got) != len(want) {
		t.Fatalf("segments %v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("segment %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestSegments(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	f := mustOpen(t, fx.copyLog(t), options())
	checkSegments(t, f, fx.wantSegments(1))
	if err := f.DropBefore(segs[2], "m"); err != nil {
		t.Fatal(err)
	}
	checkSegments(t, f, fx.wantSegments(segs[2]))
	for _, seg := range f.Segments() {
		size, err := f.SegmentSize(seg.First)
		if want := fx.at(seg.Last).end(); err != nil || size != want {
			t.Errorf("segment %d has %d bytes, %v; want %d", seg.First, size, err, want)
		}
	}
	if _, err := f.SegmentSize(segs[0]); !errors.Is(err, events.ErrOutOfRange) {
		t.Errorf("size of a segment that was dropped: %v", err)
	}
}

// A segment without a record is not told.
func TestSegmentsOfEmptyLog(t *testing.T) {
	t.Parallel()
	empty := mustOpen(t, t.TempDir(), options())
	checkSegments(t, empty, nil)
	f := mustOpen(t, makeLog(t, 1, 3).dir, options()) // the last segment is new
	checkSegments(t, f, []Segment{{First: 1, Last: 1}, {First: 2, Last: 2}, {First: 3, Last: 3}})
}

// Places stay what they are while records are appended, and each frame can be read
// by its place.
func TestFrameAt(t *testing.T) {
	t.Parallel()
	fx, _ := manySegments(t)
	f := mustOpen(t, fx.copyLog(t), options())
	before := located(t, f, 1)
	mustAppend(t, f, 20)
	all := located(t, f, 1)
	for i, at := range all {
		if i < len(before) && (at.Offset != before[i].Offset || at.Segment != before[i].Segment) {
			t.Fatalf("seq %d was at %s %d, and is at %s %d", at.Seq, before[i].Segment, before[i].Offset, at.Segment, at.Offset)
		}
		got, err := f.FrameAt(t.Context(), at.Seq, at.Offset)
		if err != nil || got.Hash != at.Hash || got.Seq != at.Seq || got.Prev != at.Prev {
			t.Fatalf("seq %d: %+v, %v", at.Seq, got, err)
		}
	}
}

func TestFrameAtWrongPlace(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	dir := fx.copyLog(t)
	f := mustOpen(t, dir, options())
	at := fx.at(segs[1] + 1)
	for name, offset := range map[string]int64{
		"a byte off": at.Offset + 1, "the one before": 0, "the one behind": at.end(), "behind the end": 1 << 30,
	} {
		if _, err := f.FrameAt(t.Context(), at.Seq, offset); !errors.Is(err, events.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
	head := f.Head().Seq
	if _, err := f.FrameAt(t.Context(), head, fx.at(head).end()); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("at the end of the log: %v, want ErrCorrupt", err)
	}
	if _, err := f.FrameAt(t.Context(), head+2, 0); !errors.Is(err, events.ErrOutOfRange) {
		t.Errorf("beyond the head: %v, want ErrOutOfRange", err)
	}
	data := readFile(t, fx.segment(dir, at.Seq))
	data[at.Offset+40] ^= 1
	writeFile(t, fx.segment(dir, at.Seq), data)
	if _, err := f.FrameAt(t.Context(), at.Seq, at.Offset); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("a flipped bit: %v, want ErrCorrupt", err)
	}
	if _, err := f.FrameAt(t.Context(), segs[2], 0); err != nil {
		t.Errorf("another segment: %v", err)
	}
	if err := f.DropBefore(segs[2], "m"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.FrameAt(t.Context(), at.Seq, at.Offset); !errors.Is(err, events.ErrOutOfRange) {
		t.Errorf("dropped: %v, want ErrOutOfRange", err)
	}
	if err := os.Remove(segmentPath(dir, segs[2])); err != nil {
		t.Fatal(err)
	}
	if _, err := f.FrameAt(t.Context(), segs[2], 0); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("a segment that is lost: %v, want ErrCorrupt", err)
	}
}

// A time means the last record that is not later, also when several have it.
func TestSeqAt(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, t.TempDir(), options())
	if seq, err := f.SeqAt(t.Context(), 100); err != nil || seq != 0 {
		t.Errorf("of an empty log: %d, %v", seq, err)
	}
	times := []events.Time{0}
	for n := range events.Time(40) {
		g := NewGroup(f.Head())
		for range 5 {
			rec := testRecord(g.Head().Seq + 1)
			rec.Time = 10 * (n/3 + 1)
			times = append(times, rec.Time)
			if err := g.Add(rec); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Append(g); err != nil {
			t.Fatal(err)
		}
	}
	check := func(t *testing.T) {
		for at := events.Time(0); at < 160; at++ {
			want := uint64(sort.Search(len(times)-1, func(i int) bool { return times[i+1] > at }))
			want = max(want, f.First()-1)
			if seq, err := f.SeqAt(t.Context(), at); err != nil || seq != want {
				t.Fatalf("at %d: %d, %v; want %d", at, seq, err, want)
			}
		}
	}
	check(t)
	segs := f.Segments()
	if err := f.DropBefore(segs[len(segs)/2].First, "m"); err != nil {
		t.Fatal(err)
	}
	check(t)
	if err := os.Truncate(segmentPath(f.dir, segs[len(segs)-2].First), 10); err != nil {
		t.Fatal(err)
	}
	if _, err := f.SeqAt(t.Context(), 1000); err != nil && !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("with a damaged segment: %v", err)
	}
}
