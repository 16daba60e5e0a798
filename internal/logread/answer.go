package logread

import (
	"context"
	"iter"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// Log is what requests are answered from. [eventlog.Log] is one.
type Log interface {
	First() uint64
	Head() events.Head
	Frames(ctx context.Context, from uint64) iter.Seq2[eventlog.Frame, error]
	Wait(ctx context.Context, seq uint64) error
}

// Check refuses a request that no log of this length can answer: it is
// ErrOutOfRange when the seq is gone, or further than one beyond the head.
func Check(log Log, r Request) error {
	if err := r.check(); err != nil {
		return err
	}
	first, head := log.First(), log.Head().Seq
	switch {
	case r.From < first:
		return events.Errorf(events.CodeOutOfRange, "%s: seq %d is not in the log any more, it starts at %d; begin with a snapshot", Op, r.From, first)
	case r.From > head+1:
		return events.Errorf(events.CodeOutOfRange, "%s: seq %d is beyond the log's head %d", Op, r.From, head)
	}
	return nil
}

// Waits tells whether the request has to wait, and may.
func Waits(log Log, r Request) bool {
	head := log.Head()
	forked := r.Prev != events.Hash{} && head.Seq+1 == r.From && head.Hash != r.Prev
	return head.Seq < r.From && r.Wait() > 0 && !forked
}

// Wait waits for the request's first seq, as long as it may: the end of that
// time, or of ctx, is no error.
func Wait(ctx context.Context, log Log, r Request) error {
	waiting, cancel := context.WithTimeout(ctx, r.Wait())
	defer cancel()
	if err := log.Wait(waiting, r.From); err != nil && waiting.Err() == nil {
		return err
	}
	return nil
}

// Frames returns the frames that are there, back to back. There are none when
// the request's seq is the next that will be written.
func Frames(ctx context.Context, log Log, r Request) (body []byte, err error) {
	limit := r.maxBytes()
	for frame, err := range log.Frames(ctx, r.From) {
		if err != nil {
			return nil, err
		}
		if len(body) > 0 && len(body)+len(frame.Bytes) > limit {
			break
		}
		if body = append(body, frame.Bytes...); len(body) >= limit {
			break
		}
	}
	return body, nil
}
