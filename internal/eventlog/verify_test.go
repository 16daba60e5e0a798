package eventlog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/events"
)

func TestScanTellsPlaces(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	for from := range fx.last().Seq {
		i := from
		for at, err := range Scan(t.Context(), fx.dir, from+1) {
			if err != nil {
				t.Fatal(err)
			}
			if at.Seq != i+1 || at.Segment != segmentName(segs[segmentOf(segs, at.Seq)]) {
				t.Fatalf("from %d: seq %d in segment %s", from+1, at.Seq, at.Segment)
			}
			data := readFile(t, filepath.Join(fx.dir, at.Segment))
			frame, _, d := splitEntry(data[at.Offset:])
			if d != nil || string(frame) != string(at.Bytes) {
				t.Fatalf("seq %d is not at byte %d", at.Seq, at.Offset)
			}
			i++
		}
		if i != fx.last().Seq {
			t.Fatalf("from %d: ended with seq %d", from+1, i)
		}
	}
}

// A scan that meets a write under way, or what a crash left of one, ends with
// damage that says so; other damage does not.
func TestScanUnfinished(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 3, 3, 12)
	last := fx.last()
	tests := map[string]struct {
		damage func(dir string) error
		want   bool
	}{
		"torn": {func(dir string) error {
			return os.Truncate(fx.segment(dir, last.Seq), last.end()-3)
		}, true},
		"zeros, and more": {func(dir string) error {
			return appendTo(fx.segment(dir, last.Seq), append(make([]byte, 50), 1))
		}, true},
		"segment of the last group lost": {func(dir string) error {
			return os.Remove(fx.segment(dir, last.Seq-4))
		}, true},
		"zeros at the end of an earlier segment": {func(dir string) error {
			end := fx.at(lastOfFirstSegment(fx))
			return overwrite(fx.segment(dir, 1), end.Offset, make([]byte, end.end()-end.Offset)...)
		}, true}, // the last group begins there
		"before the last group": {func(dir string) error {
			return overwrite(fx.segment(dir, 5), fx.at(5).Offset+40, 0xff)
		}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := fx.copyLog(t)
			if err := test.damage(dir); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, dir)
			d, ok := damageOf(lastError(t, dir))
			if !ok || d.Unfinished != test.want {
				t.Errorf("damage %+v, want unfinished %v", d, test.want)
			}
			if len(snapshot(t, dir)) != len(before) {
				t.Error("the scan changed the directory")
			}
		})
	}
}

func lastOfFirstSegment(fx fixture) (seq uint64) {
	for _, at := range fx.frames {
		if at.Segment == fx.frames[0].Segment {
			seq = at.Seq
		}
	}
	return seq
}

// A scan beside a writer sees whole frames, or an unfinished end.
func TestScanBesideWriter(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), quickOptions())
	mustAppend(t, f, 3)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 200 {
			mustAppend(t, f, 5)
		}
	}()
	for writing := true; writing; {
		select {
		case <-done:
			writing = false
		default:
		}
		head := f.Head().Seq
		var last uint64
		for at, err := range Scan(t.Context(), f.dir, 0) {
			if d, damaged := damageOf(err); damaged && d.Unfinished {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			last = at.Seq
		}
		if last < head {
			t.Fatalf("the scan ended at %d, %d were durable when it began", last, head)
		}
	}
}

func TestScanEnds(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 3, 12)
	for range Scan(t.Context(), fx.dir, 0) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range Scan(ctx, fx.dir, 0) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	for range Scan(t.Context(), fx.dir, fx.last().Seq+1) {
		t.Error("something beyond the head")
	}
	for range Scan(t.Context(), t.TempDir(), 0) {
		t.Error("something in an empty directory")
	}
}

func TestParseFrame(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 3, 2)
	at := fx.last()
	f, err := ParseFrame(at.Bytes)
	if err != nil || f.Seq != 5 || f.Group != 4 || f.Time != 5 || f.Prev != fx.at(4).Hash || f.Hash != at.Hash {
		t.Fatalf("got %+v, %v", f, err)
	}
	rec, err := f.Record()
	if err != nil || rec.Seq != 5 || rec.Prev != f.Prev {
		t.Fatalf("record %+v, %v", rec, err)
	}
	for size := range len(at.Bytes) {
		if _, err := ParseFrame(at.Bytes[:size]); !errors.Is(err, events.ErrCorrupt) {
			t.Fatalf("%d bytes of it: %v, want ErrCorrupt", size, err)
		}
	}
	if _, err := ParseFrame(append(at.Bytes[:len(at.Bytes):len(at.Bytes)], 0)); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("a byte too many: %v", err)
	}
}
