package eventlog

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/tidwall/wal"

	"github.com/metalog/metalog/events"
)

// Defaults of [Options].
const (
	DefaultSegmentSize = 8 << 20
	DefaultReserve     = 64 << 20
)

// Options of [Open]. The zero value is useful.
type Options struct {
	// Logger gets what opening repaired and why appending stopped. Nil: none.
	Logger *slog.Logger
	// SegmentSize is how large a segment file gets before the next one begins,
	// in bytes; 0 is DefaultSegmentSize. It may change from one opening to the
	// next. wal holds one or two segments in memory.
	SegmentSize int
	// Witness is the highest seq known to be durable: applied in a checkpoint
	// or snapshot, published, acknowledged elsewhere. A log that does not reach
	// it has lost records, and Open says so instead of repairing. 0: none known.
	Witness uint64
	// MinFreeBytes is the disk space that is left to others, and to views and
	// snapshots: an append that would go below it is refused. 0 is
	// DefaultReserve, negative none.
	MinFreeBytes int64

	disk disk // nil: the real one
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SegmentSize <= 0 {
		o.SegmentSize = DefaultSegmentSize
	}
	if o.MinFreeBytes == 0 {
		o.MinFreeBytes = DefaultReserve
	}
	if o.disk == nil {
		o.disk = osDisk{}
	}
	return o
}

// File is the [Log] in a directory. Whoever opens it holds the directory's
// [Lock] until after Close.
type File struct {
	dir      string
	opts     Options
	recovery Recovery

	// state is replaced under mu and read without.
	state atomic.Pointer[state]

	dropMu sync.Mutex // held by DropBefore and Close, taken before mu

	mu    sync.Mutex // serialises what writes
	wal   appender   // guarded by mu
	batch wal.Batch  // guarded by mu; reused
	noted bool       // guarded by mu; the CLEAN file is there and tells the head
	ahead int64      // guarded by mu; up to where the last segment is filled with zeros
}

var _ Log = (*File)(nil)

// Recovery tells what Open did to the log.
func (f *File) Recovery() Recovery { return f.recovery }

// Append implements [Log].
func (f *File) Append(g *Group) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := f.state.Load()
	if err := f.admit(st, g); err != nil || g.Len() == 0 {
		return err
	}
	if err := f.forgetClean(); err != nil {
		return f.stop(events.Errorf(events.CodeUnavailable, "nothing was appended: %w", err))
	}
	next := st.after(g, int64(f.opts.SegmentSize))
	if err := f.write(g, st, next); err != nil {
		return f.stop(f.outcome(g, st, err))
	}
	f.publish(next)
	return nil
}

// admit refuses what must not be written. It touches nothing.
func (f *File) admit(st *state, g *Group) error {
	if st.err != nil {
		return st.err
	}
	if g.prev != st.head {
		return events.Errorf(events.CodeConflict, "a group that follows seq %d can't be appended to a log that ends at %d; make it anew from the log's head", g.prev.Seq, st.head.Seq)
	}
	return f.Room(int64(g.Bytes()))
}

// Room implements [Log].
func (f *File) Room(bytes int64) error {
	if f.opts.MinFreeBytes < 0 {
		return nil
	}
	free, err := f.opts.disk.free(f.dir)
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "nothing was appended: free space of %s is not known: %w", f.dir, err)
	}
	if need := uint64(f.opts.MinFreeBytes + bytes); free < need {
		return events.Errorf(events.CodeUnavailable, "nothing was appended: the disk of %s has %d bytes free and %d are kept in reserve; make room", f.dir, free, f.opts.MinFreeBytes)
	}
	return nil
}

// forgetClean removes the note of a clean close, durably, before the first
// write after it: found again, it would tell of another head.
func (f *File) forgetClean() error {
	if !f.noted {
		return nil
	}
	if err := f.opts.disk.remove(f.cleanPath()); err != nil {
		return err
	}
	f.noted = false
	return nil
}

// write makes g durable. wal syncs each segment that it wrote to, but never the
// directory: a new segment's name is not durable without that.
func (f *File) write(g *Group, st, next *state) error {
	if err := f.fillAhead(st, int64(g.Bytes())); err != nil {
		return err
	}
	f.batch.Clear()
	for i := range g.Len() {
		f.batch.Write(g.First()+uint64(i), g.frame(i))
	}
	if err := f.wal.WriteBatch(&f.batch); err != nil {
		return err
	}
	if len(next.segs) > len(st.segs) {
		f.ahead = 0
		if err := f.opts.disk.syncDir(f.dir); err != nil {
			return err
		}
	}
	return f.verifyTail(next)
}

// How far the last segment is filled ahead of what is written, in bytes: as much as
// was written, within these bounds. A group of more than maxFilled makes the file longer:
// to write its bytes twice would take longer than that.
const (
	minAhead  = 64 << 10
	maxAhead  = 256 << 10
	maxFilled = 32 << 10
)

// fillAhead sees to it that the next bytes overwrite zeros in place of making the file
// longer. A sync then has data to write and nothing about the file, which takes two
// thirds of the time. A segment is not filled beyond the size at which the next one
// begins, so that there are zeros behind the records of the last one only.
func (f *File) fillAhead(st *state, bytes int64) error {
	from := max(f.ahead, st.tail)
	to := min(st.tail+bytes+min(max(st.tail, minAhead), maxAhead), int64(f.opts.SegmentSize))
	if st.tail+bytes < f.ahead || to <= from || bytes > maxFilled {
		return nil
	}
	if err := f.opts.disk.fill(segmentPath(f.dir, st.lastSegment()), from, to); err != nil {
		return err
	}
	f.ahead = to
	return nil
}

// verifyTail checks that wal put things where st says.
func (f *File) verifyTail(st *state) error {
	path := segmentPath(f.dir, st.lastSegment())
	size, err := f.opts.disk.size(path)
	if err != nil {
		return err
	}
	if want := max(st.tail, f.ahead); size != want {
		return events.Errorf(events.CodeCorrupt, "%s has %d bytes and should have %d; does another program write to it?", path, size, want)
	}
	return nil
}

// outcome is the error for an append of g to st that failed with cause. All of
// it goes to the end of the last segment first: when there is nothing but zeros,
// nothing was written, and a full disk need not leave the caller in doubt.
func (f *File) outcome(g *Group, st *state, cause error) error {
	blank, err := blankFrom(segmentPath(f.dir, st.lastSegment()), st.tail)
	if err == nil && blank && st.tail <= int64(f.opts.SegmentSize) {
		return events.Errorf(events.CodeUnavailable, "nothing was appended: %w", cause)
	}
	return events.Errorf(events.CodeOutcomeUnknown, "records %d to %d may or may not have been appended: %w; open the log again to find out", g.First(), g.Head().Seq, cause)
}

// stop ends appending and gives err back: wal is not to be trusted after an
// error, since its memory is ahead of the disk then.
func (f *File) stop(err error) error {
	f.opts.Logger.Error("log stopped", "dir", f.dir, "err", err)
	next := f.state.Load().next()
	next.err = events.Errorf(events.CodeUnavailable, "the log in %s stopped after an error (%w); open it again to repair it", f.dir, err)
	f.publish(next)
	return err
}

// publish makes next what readers see, and wakes those who wait. The caller
// holds mu.
func (f *File) publish(next *state) {
	close(f.state.Swap(next).changed)
}

// Close implements [Log]. A second Close does nothing.
func (f *File) Close() error {
	f.dropMu.Lock()
	defer f.dropMu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.wal == nil {
		return nil
	}
	err := f.wal.Close()
	f.wal = nil
	st := f.state.Load()
	stopped := st.err != nil
	next := st.next()
	next.err = events.Errorf(events.CodeUnavailable, "the log in %s is closed", f.dir)
	next.closed = true
	f.publish(next)
	switch {
	case stopped:
		return nil // the next opening repairs, and wal's error is not news
	case err != nil:
		return err
	}
	if err := f.cutAhead(st); err != nil {
		return err
	}
	return f.noteClean(st.head)
}

// cutAhead takes the zeros away that the last segment was filled with.
func (f *File) cutAhead(st *state) error {
	if f.ahead <= st.tail {
		return nil
	}
	return f.opts.disk.truncate(segmentPath(f.dir, st.lastSegment()), st.tail)
}

func (f *File) noteClean(head events.Head) error {
	if f.noted {
		return nil
	}
	note, err := encodeNote(head)
	if err != nil {
		return err
	}
	err = f.opts.disk.replace(f.cleanPath(), writing(note))
	f.noted = err == nil
	return err
}
