package eventlog

import (
	"context"
	"iter"
	"path/filepath"
	"sort"

	"github.com/metalog/metalog/events"
)

// Reader reads durable records, decoded or as they stand, from the log alone or
// from log and archive as one. All methods are safe for concurrent use; reads
// don't wait for appends, nor for each other.
type Reader interface {
	events.Reader

	// Frames is Records without decoding: the exact bytes, checked like those
	// of Records (checksum, seq, chain). Their Bytes are the caller's to keep;
	// they share memory with their neighbours, so clone what is kept for long.
	Frames(ctx context.Context, from uint64) iter.Seq2[Frame, error]

	// Located is Frames with the places where they stand.
	Located(ctx context.Context, from uint64) iter.Seq2[Located, error]

	// Segments lists the segments that hold records, the oldest first. The last
	// record of the last one is the head.
	Segments() []Segment

	// FrameAt reads the frame of a seq, of which Located told the offset before;
	// it stays the same when the segment goes to the archive. The frame's
	// checksum and seq are checked, its place in the chain is not. It is
	// ErrCorrupt when another frame, or none, stands there.
	FrameAt(ctx context.Context, seq uint64, offset int64) (Frame, error)

	// SeqAt returns the last seq whose time is t or before; First()-1 when all
	// records are later.
	SeqAt(ctx context.Context, t events.Time) (uint64, error)
}

// Segment tells which records a segment holds.
type Segment struct {
	First, Last uint64 // seqs
	Archived    bool   // it is in the archive; else in the log
}

// Segments implements [Reader].
func (f *File) Segments() []Segment {
	st := f.state.Load()
	list := make([]Segment, 0, len(st.segs))
	for i, first := range st.segs {
		last := st.head.Seq
		if i+1 < len(st.segs) {
			last = st.segs[i+1] - 1
		}
		if first <= last {
			list = append(list, Segment{First: first, Last: last})
		}
	}
	return list
}

// Located implements [Reader].
func (f *File) Located(ctx context.Context, from uint64) iter.Seq2[Located, error] {
	return f.located(ctx, from, scanToKeep)
}

// FrameAt implements [Reader].
func (f *File) FrameAt(_ context.Context, seq uint64, offset int64) (Frame, error) {
	st := f.state.Load()
	if err := st.inRange(seq); err != nil {
		return Frame{}, err
	}
	i := segmentOf(st.segs, seq)
	s := scanner{dir: f.dir, segs: st.segs[i : i+1], tail: wholeFile, block: firstBlock}
	if i == len(st.segs)-1 {
		s.tail = st.tail
	}
	s.chain, s.off = chain{Head: events.Head{Seq: seq - 1}}, offset
	defer s.close()
	at, err := s.next()
	if isEOF(err) {
		err = s.damage(torn("the segment ends here"))
	}
	if err != nil {
		return Frame{}, f.readError(err, seq)
	}
	return at.Frame, nil
}

// SeqAt implements [Reader].
func (f *File) SeqAt(ctx context.Context, t events.Time) (uint64, error) {
	segs := f.Segments()
	var failure error
	after := sort.Search(len(segs), func(i int) bool {
		first, ok, err := firstFrame(f.dir, segs[i].First)
		if err == nil && !ok {
			err = events.Errorf(events.CodeCorrupt, "segment %s: it does not begin with a whole frame", filepath.Join(f.dir, segmentName(segs[i].First)))
		}
		if err != nil && failure == nil {
			failure = f.readError(err, segs[i].First)
		}
		return failure != nil || first.Time > t
	})
	if failure != nil {
		return 0, failure
	}
	if after == 0 {
		return f.First() - 1, nil
	}
	in := segs[after-1]
	return LastBy(f.Frames(ctx, in.First), in, t)
}

// LastBy returns the seq of the last frame of a segment whose time is t or before,
// or the one before the segment.
func LastBy(frames iter.Seq2[Frame, error], in Segment, t events.Time) (uint64, error) {
	seq := in.First - 1
	for frame, err := range frames {
		if err != nil {
			return 0, err
		}
		if frame.Time > t || frame.Seq > in.Last {
			break
		}
		seq = frame.Seq
	}
	return seq, nil
}

// Gone is the error for a record before the first that is left of log and archive.
func Gone(seq, first uint64) error {
	return events.Errorf(events.CodeOutOfRange, "seq %d is not there any more: what is left of the log begins with seq %d; ask from there on", seq, first)
}

// SegmentSize returns the bytes that a segment's file has, which is named by its
// first seq.
func (f *File) SegmentSize(first uint64) (int64, error) {
	size, err := f.opts.disk.size(segmentPath(f.dir, first))
	if err != nil {
		return 0, f.readError(err, first)
	}
	return size, nil
}
