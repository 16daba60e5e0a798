package eventlog

import (
	"path/filepath"

	"github.com/metalog/metalog/events"
)

// DropBefore removes leading segments that hold only records before seq, which
// the archive with that manifest has. It keeps whole segments, so that records
// before seq may stay; First tells. Reads of what was dropped end with
// ErrOutOfRange.
//
// The new start is durable before the first segment goes. A crash in between
// leaves segments that the next opening removes, and so does an error: it
// means that room was not made, never that the log is damaged.
func (f *File) DropBefore(seq uint64, archive string) error {
	f.dropMu.Lock()
	defer f.dropMu.Unlock()
	st := f.state.Load()
	if st.err != nil {
		return st.err
	}
	if seq > st.head.Seq+1 {
		return events.Errorf(events.CodeOutOfRange, "can't drop the log before seq %d: its head is %d", seq, st.head.Seq)
	}
	keep := segmentOf(st.segs, seq)
	if keep == 0 {
		return nil
	}
	start, err := f.startAt(st, keep, archive)
	if err != nil {
		return err
	}
	note, err := encodeNote(start)
	if err != nil {
		return err
	}
	if err := f.opts.disk.replace(filepath.Join(f.dir, startFile), writing(note)); err != nil {
		return err
	}
	dropped := f.moveStart(start)
	return f.opts.disk.remove(segmentPaths(f.dir, dropped)...)
}

// SetArchive notes, durably, where the archive is now that has what was before the
// log's start. It does nothing for a log that has all of its records.
func (f *File) SetArchive(archive string) error {
	f.dropMu.Lock()
	defer f.dropMu.Unlock()
	st := f.state.Load()
	start := st.start
	if st.err != nil || start.First == 1 || start.Archive == archive {
		return st.err
	}
	start.Archive = archive
	note, err := encodeNote(start)
	if err != nil {
		return err
	}
	if err := f.opts.disk.replace(filepath.Join(f.dir, startFile), writing(note)); err != nil {
		return err
	}
	f.moveStart(start)
	return nil
}

// startAt makes the start of a log whose first segment is segs[i].
func (f *File) startAt(st *state, i int, archive string) (Start, error) {
	first := st.segs[i]
	if first > st.head.Seq { // the segment has no record yet
		return Start{First: first, Prev: st.head.Hash, Archive: archive}, nil
	}
	frame, ok, err := firstFrame(f.dir, first)
	if err != nil {
		return Start{}, err
	}
	if !ok {
		damage := Damage{Segment: segmentName(first), Seq: first, Reason: "the segment does not begin with a whole frame of that seq"}
		return Start{}, damage.corrupt()
	}
	return Start{First: first, Prev: frame.Prev, Archive: archive}, nil
}

// moveStart publishes the start and gives the segments before it.
func (f *File) moveStart(start Start) (dropped []uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := f.state.Load().next()
	i := segmentOf(next.segs, start.First)
	dropped, next.segs = next.segs[:i], next.segs[i:]
	next.start = start
	f.publish(next)
	return dropped
}

func segmentPaths(dir string, segs []uint64) []string {
	paths := make([]string, len(segs))
	for i, first := range segs {
		paths[i] = segmentPath(dir, first)
	}
	return paths
}
