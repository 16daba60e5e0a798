package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/events"
)

func TestDropBefore(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	third := segs[2]
	for name, seq := range map[string]uint64{"at a border": third, "inside a segment": third + 1} {
		t.Run(name, func(t *testing.T) {
			dir := fx.copyLog(t)
			f := mustOpen(t, dir, options())
			if err := f.DropBefore(seq, "manifest-7"); err != nil {
				t.Fatal(err)
			}
			if f.First() != third {
				t.Errorf("first %d, want %d", f.First(), third)
			}
			checkFrames(t, f, fx.frames[third-1:])
			if _, err := collect(t.Context(), f, third-1); !errors.Is(err, events.ErrOutOfRange) {
				t.Errorf("read of what was dropped: %v, want ErrOutOfRange", err)
			}
			start, err := ReadStart(dir)
			if want := (Start{First: third, Prev: fx.at(third - 1).Hash, Archive: "manifest-7"}); err != nil || start != want {
				t.Errorf("start %+v, %v; want %+v", start, err, want)
			}
			if got := scanAll(t, dir); len(got) != len(fx.frames)-int(third)+1 {
				t.Errorf("scan finds %d records", len(got))
			}
			mustAppend(t, f, 3)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			again := mustOpen(t, dir, options())
			if again.First() != third || again.Head() != f.Head() {
				t.Errorf("opened again: first %d, head %v", again.First(), again.Head())
			}
			checkUsable(t, again)
		})
	}
}

func TestDropNothing(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	f := mustOpen(t, fx.dir, options())
	for _, seq := range []uint64{0, 1, segs[1] - 1} {
		if err := f.DropBefore(seq, "m"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.DropBefore(f.Head().Seq+2, "m"); !errors.Is(err, events.ErrOutOfRange) {
		t.Errorf("beyond the head: %v, want ErrOutOfRange", err)
	}
	checkFrames(t, f, fx.frames)
}

// All records go when the last segment has none: the head stays known.
func TestDropAll(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, 1, 3, 2)
	f := mustOpen(t, fx.dir, options())
	head := f.Head()
	if err := f.DropBefore(head.Seq+1, "m"); err != nil {
		t.Fatal(err)
	}
	if f.First() != head.Seq+1 || f.Head() != head {
		t.Errorf("first %d, head %v", f.First(), f.Head())
	}
	checkFrames(t, f, nil)
	abandon(t, f)
	f = mustOpen(t, fx.dir, options())
	if f.First() != head.Seq+1 || f.Head() != head {
		t.Errorf("opened again: first %d, head %v", f.First(), f.Head())
	}
	checkUsable(t, f)
}

// A removal that did not happen, or did not stay, is done again at the next
// opening: with the start durable, the segments before it are no part of the log.
func TestSegmentsReappear(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	dir := fx.copyLog(t)
	d := &faults{fail: map[string]error{"remove": errInjected}}
	o := options()
	o.disk = d
	f := mustOpen(t, dir, o)
	if err := f.DropBefore(segs[3], "m"); !errors.Is(err, errInjected) {
		t.Fatalf("drop: %v", err)
	}
	checkFrames(t, f, fx.frames[segs[3]-1:])
	abandon(t, f)
	if err := os.Remove(segmentPath(dir, segs[1])); err != nil { // not in order, too
		t.Fatal(err)
	}
	if got := scanAll(t, dir); got[0].Seq != segs[3] {
		t.Errorf("scan begins with seq %d, want %d", got[0].Seq, segs[3])
	}
	f = mustOpen(t, dir, options())
	checkFrames(t, f, fx.frames[segs[3]-1:])
	if n := len(f.Recovery().Reappeared); n != 2 {
		t.Errorf("%d segments were removed, want 2", n)
	}
	files, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	if files.segs[0] != segs[3] {
		t.Errorf("segments %v, want them from %d on", files.segs, segs[3])
	}
	checkUsable(t, f)
}

// Without its start file, or with another, the log does not open.
func TestStartFileMatters(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	base := fx.copyLog(t)
	f := mustOpen(t, base, options())
	if err := f.DropBefore(segs[2], "m"); err != nil {
		t.Fatal(err)
	}
	abandon(t, f)
	good, err := ReadStart(base)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(s *Start){
		"earlier":         func(s *Start) { s.First = segs[1] },
		"between borders": func(s *Start) { s.First++ },
		"other hash":      func(s *Start) { s.Prev[3] ^= 1 },
		"seq 1":           func(s *Start) { s.First = 1 },
		"beyond the head": func(s *Start) { s.First = fx.last().Seq + 9 },
	}
	path := filepath.Join(base, startFile)
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			start := good
			change(&start)
			note, err := encodeNote(start)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, path, note)
			if _, err := Open(base, options()); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("open: %v, want ErrCorrupt", err)
			}
		})
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = Open(base, options())
	wantDamage(t, err, segmentName(1), 1, 0)
}

// A read that is under way when its segments go ends with an error, never with
// a gap.
func TestDropDuringRead(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	f := mustOpen(t, fx.dir, options())
	var last uint64
	for frame, err := range f.Frames(t.Context(), 1) {
		if err != nil {
			if !errors.Is(err, events.ErrOutOfRange) {
				t.Errorf("got %v, want ErrOutOfRange", err)
			}
			break
		}
		if frame.Seq != last+1 {
			t.Fatalf("seq %d after %d", frame.Seq, last)
		}
		last = frame.Seq
		if last == 1 {
			if err := f.DropBefore(segs[3], "m"); err != nil {
				t.Fatal(err)
			}
		}
	}
	if last != segs[1]-1 {
		t.Errorf("the read came to seq %d; the segment it had open ends with %d", last, segs[1]-1)
	}
}

// The place of the archive can be noted anew; nothing else of the start changes.
func TestSetArchive(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	dir := fx.copyLog(t)
	d := &faults{}
	o := options()
	o.disk = d
	f := mustOpen(t, dir, o)
	if err := f.SetArchive("nowhere"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, startFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a log that has all of its records has a start: %v", err)
	}
	if err := f.DropBefore(segs[2], "here"); err != nil {
		t.Fatal(err)
	}
	want := f.Start()
	d.fail = map[string]error{"replace": errInjected}
	if err := f.SetArchive("there"); !errors.Is(err, errInjected) || f.Start() != want {
		t.Errorf("with a failing disk: %v, start %+v", err, f.Start())
	}
	d.fail = nil
	if err := f.SetArchive("there"); err != nil {
		t.Fatal(err)
	}
	want.Archive = "there"
	noted, err := ReadStart(dir)
	if err != nil || noted != want || f.Start() != want {
		t.Errorf("noted %+v, %v; the log says %+v, want %+v", noted, err, f.Start(), want)
	}
	checkFrames(t, f, fx.frames[segs[2]-1:])
	checkUsable(t, f)
}
