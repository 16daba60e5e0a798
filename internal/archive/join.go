package archive

import (
	"context"
	"errors"
	"iter"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// Joined reads a log and its archive as one. What both have is read from the log.
// Segments may move from the log to the archive at any time: a read that is under
// way goes on there.
type Joined struct {
	log    eventlog.Reader
	opener *Opener
}

var _ eventlog.Reader = (*Joined)(nil)

// Join joins a log with its archive, which is opened when it is first needed.
func Join(archive *Opener, log eventlog.Reader) *Joined { return &Joined{log, archive} }

// First implements [eventlog.Reader]. While the archive was not reached yet it is
// 1: reads from there on are then ErrUnavailable.
func (j *Joined) First() uint64 {
	first := j.log.First()
	if first == 1 || !j.opener.Known() {
		return first
	}
	if a := j.opener.Opened(); a != nil {
		return min(first, a.First())
	}
	return 1
}

// Head implements [eventlog.Reader].
func (j *Joined) Head() events.Head { return j.log.Head() }

// Segments implements [eventlog.Reader]. What an archive has that was not reached
// yet is told as one segment.
func (j *Joined) Segments() []eventlog.Segment {
	logged := j.log.Segments() // first: what is dropped meanwhile is in the archive
	first := j.log.Head().Seq + 1
	if len(logged) > 0 {
		first = logged[0].First
	}
	var list []eventlog.Segment
	if a := j.opener.Opened(); a != nil {
		for _, f := range a.have.Load().files {
			if f.first < first {
				list = append(list, eventlog.Segment{First: f.first, Last: min(f.last, first-1), Archived: true})
			}
		}
	} else if first > 1 && j.opener.Known() {
		list = append(list, eventlog.Segment{First: 1, Last: first - 1, Archived: true})
	}
	return append(list, logged...)
}

// Records implements [eventlog.Reader].
func (j *Joined) Records(ctx context.Context, from uint64) iter.Seq2[*events.Record, error] {
	return join(ctx, j, from, pieces[*events.Record]{
		ofLog: j.log.Records,
		ofArchive: func(ctx context.Context, a *Archive, from, to uint64) iter.Seq2[*events.Record, error] {
			return eventlog.Records(a.frames(ctx, from, to))
		},
		link: func(r *events.Record) (events.Head, events.Hash) {
			return events.Head{Seq: r.Seq, Hash: r.Hash}, r.Prev
		},
	})
}

// Frames implements [eventlog.Reader].
func (j *Joined) Frames(ctx context.Context, from uint64) iter.Seq2[eventlog.Frame, error] {
	located := j.Located(ctx, from)
	return func(yield func(eventlog.Frame, error) bool) {
		for at, err := range located {
			if !yield(at.Frame, err) {
				return
			}
		}
	}
}

// Located implements [eventlog.Reader].
func (j *Joined) Located(ctx context.Context, from uint64) iter.Seq2[eventlog.Located, error] {
	return join(ctx, j, from, pieces[eventlog.Located]{
		ofLog: j.log.Located,
		ofArchive: func(ctx context.Context, a *Archive, from, to uint64) iter.Seq2[eventlog.Located, error] {
			return a.frames(ctx, from, to)
		},
		link: func(at eventlog.Located) (events.Head, events.Hash) {
			return events.Head{Seq: at.Seq, Hash: at.Hash}, at.Prev
		},
	})
}

// pieces are how to read frames or records.
type pieces[T any] struct {
	ofLog     func(ctx context.Context, from uint64) iter.Seq2[T, error]
	ofArchive func(ctx context.Context, a *Archive, from, to uint64) iter.Seq2[T, error]
	link      func(T) (at events.Head, prev events.Hash) // its place in the chain
}

// join reads from the archive what the log does not have, and goes on with the log.
func join[T any](ctx context.Context, j *Joined, from uint64, read pieces[T]) iter.Seq2[T, error] {
	head := j.log.Head()
	return func(yield func(T, error) bool) {
		r := joinedRead[T]{Joined: j, pieces: read, at: events.Head{Seq: from - 1}, last: head.Seq, yield: yield}
		for more := true; more; {
			if j.moved(r.at.Seq + 1) {
				more = r.fromArchive(ctx)
			} else {
				more = r.fromLog(ctx)
			}
		}
	}
}

// joinedRead is one read on its way from the archive to the end of the log.
type joinedRead[T any] struct {
	*Joined
	pieces[T]
	at     events.Head // the record that was yielded last, or is before the first
	linked bool        // its hash is known
	last   uint64      // seq to end with
	yield  func(T, error) bool
}

// fail ends the read with an error.
func (r *joinedRead[T]) fail(err error) (more bool) {
	var none T
	r.yield(none, err)
	return false
}

// fromLog yields what the log has. It reports whether the archive has to go on:
// what comes next was moved there.
func (r *joinedRead[T]) fromLog(ctx context.Context) (more bool) {
	for item, err := range r.ofLog(ctx, r.at.Seq+1) {
		if errors.Is(err, events.ErrOutOfRange) && r.moved(r.at.Seq+1) {
			return true
		}
		if err != nil {
			return r.fail(err)
		}
		if !r.next(item) {
			return false
		}
	}
	return false
}

// fromArchive yields what only the archive has, and reports whether to go on with
// the log.
func (r *joinedRead[T]) fromArchive(ctx context.Context) (more bool) {
	to := min(r.log.First()-1, r.last) // first: the archive has all before that, then
	a, err := r.archived(ctx, r.at.Seq+1)
	if err != nil {
		return r.fail(err)
	}
	for item, err := range r.ofArchive(ctx, a, r.at.Seq+1, to) {
		if err != nil {
			return r.fail(err)
		}
		if !r.next(item) {
			return false
		}
	}
	return r.at.Seq < r.last
}

// next yields what has to follow the one before, and reports whether to go on.
func (r *joinedRead[T]) next(item T) bool {
	at, prev := r.link(item)
	switch {
	case at.Seq != r.at.Seq+1:
		return r.fail(events.Errorf(events.CodeCorrupt, "seq %d stands where seq %d should be; check with 'metalog verify'", at.Seq, r.at.Seq+1))
	case at.Seq > r.last:
		return false
	case r.linked && prev != r.at.Hash:
		return r.fail(events.Errorf(events.CodeCorrupt, "seq %d was made after another seq %d than the one that stands before it; check with 'metalog verify'", at.Seq, r.at.Seq))
	}
	r.at, r.linked = at, true
	return r.yield(item, nil) && at.Seq < r.last
}

// archived returns the archive for a seq that the log does not have.
func (j *Joined) archived(ctx context.Context, seq uint64) (*Archive, error) {
	a, err := j.opener.Archive(ctx)
	if err != nil {
		return nil, err
	}
	if seq < a.First() {
		return nil, eventlog.Gone(seq, a.First())
	}
	return a, nil
}

// moved reports whether a seq is to be read from the archive: the log does not have
// it any more.
func (j *Joined) moved(seq uint64) bool { return seq < j.log.First() && j.opener.Known() }

// FrameAt implements [eventlog.Reader].
func (j *Joined) FrameAt(ctx context.Context, seq uint64, offset int64) (eventlog.Frame, error) {
	frame, err := j.log.FrameAt(ctx, seq, offset)
	if !errors.Is(err, events.ErrOutOfRange) || !j.moved(seq) {
		return frame, err
	}
	a, err := j.archived(ctx, seq)
	if err != nil {
		return eventlog.Frame{}, err
	}
	return a.frameAt(ctx, seq, offset)
}

// SeqAt implements [eventlog.Reader].
func (j *Joined) SeqAt(ctx context.Context, t events.Time) (uint64, error) {
	for {
		first := j.log.First()
		seq, err := j.log.SeqAt(ctx, t)
		switch {
		case err != nil && j.log.First() != first:
			continue // segments moved
		case err != nil || seq >= first || first == 1 || !j.opener.Known():
			return seq, err
		}
		a, err := j.opener.Archive(ctx)
		if err != nil {
			return 0, err
		}
		seq, err = a.seqAt(ctx, t)
		return min(seq, first-1), err
	}
}
