package publisher

import (
	"context"
	"errors"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/logread"
	"github.com/metalog/metalog/projector"
)

// follow applies the server's records until ctx is done, whose cause it then
// returns, or until something fails for good.
func (r *Replica) follow(ctx context.Context) error {
	f := follower{Replica: r, frozen: time.Now()}
	backoff := minBackoff
	for {
		before := r.db.Checkpoint().Seq
		err := whileConnected(ctx, r.js.Conn(), f.session)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.lost()
		at := r.db.Checkpoint().Seq
		if _, transient := errors.AsType[*retryError](err); !transient {
			r.log.Error("following stopped for good; reads stay as they are", "seq", at, "error", err)
			return err
		}
		if at != before {
			backoff = minBackoff
		}
		r.log.Warn("following interrupted; continuing where it was", "seq", at, "error", err, "retry_in", backoff)
		if !sleep(ctx, backoff) {
			return context.Cause(ctx)
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// ask sends a request and waits for the answer as long as that may take. at is
// where the one who asks is: an answer, or a refusal, of a log that does not have
// that record is the error that says so.
func (r *Replica) ask(ctx context.Context, at events.Head, request logread.Request) (logread.Answer, error) {
	waiting, cancel := context.WithTimeout(ctx, request.Wait()+requestTimeout)
	defer cancel()
	answer, err := logread.Ask(waiting, r.js.Conn(), r.options.Cluster, request)
	server := answer.State
	if refusal, ok := errors.AsType[*logread.Refusal](err); ok {
		server = refusal.State
	}
	if server.Epoch != 0 {
		if err := r.check(at, server); err != nil {
			return answer, err
		}
	}
	return answer, asked(err)
}

// asked tells errors that may pass from those that won't: what the server
// refuses stays refused, unless it just can't.
func asked(err error) error {
	if err == nil {
		return nil
	}
	if refusal, ok := errors.AsType[*logread.Refusal](err); ok && !errors.Is(err, events.ErrUnavailable) {
		return refusal.Err
	}
	return retry("%w", err)
}

// framesOf gives an answer's frames, all of them checked.
func (r *Replica) framesOf(at events.Head, answer logread.Answer) ([]eventlog.Frame, error) {
	var frames []eventlog.Frame
	for frame, err := range answer.Frames() {
		if err != nil {
			return nil, err
		}
		frames = append(frames, frame)
	}
	return frames, r.checkFrames(at, answer.State, frames)
}

// follower is the goroutine that applies records. It alone uses the views'
// writer.
type follower struct {
	*Replica
	frozen time.Time // when rows were last handed over to be flushed
}

// pause is how long a request waits that was answered with nothing, and at once,
// although it may wait: the server has no room for more who do.
const pause = 200 * time.Millisecond

// session asks and applies until something fails.
func (f *follower) session(ctx context.Context) error {
	for first := true; ; first = false {
		at := f.db.Checkpoint().Head()
		request := logread.Request{From: at.Seq + 1, Prev: at.Hash}
		if !first { // the first one tells at once where the server is
			request.WaitMs = f.options.PollWait.Milliseconds()
		}
		began := time.Now()
		answer, err := f.ask(ctx, at, request)
		if err != nil {
			return err
		}
		if err := f.apply(ctx, at, answer); err != nil {
			return err
		}
		if answer.Empty() && !first && time.Since(began) < min(pause, request.Wait()) && !sleep(ctx, pause) {
			return ctx.Err()
		}
	}
}

// apply applies an answer's records and shows them.
func (f *follower) apply(ctx context.Context, at events.Head, answer logread.Answer) error {
	frames, err := f.framesOf(at, answer)
	if err != nil {
		return err
	}
	f.heard(answer.State, len(frames) == 0)
	if len(frames) == 0 {
		return nil
	}
	if err := f.applyFrames(frames); err != nil {
		return errors.Join(err, f.db.Writer().Release())
	}
	last := frames[len(frames)-1].Seq
	f.heard(answer.State, last >= answer.Head.Seq)
	f.options.Progress(Progress{Seq: last, Head: answer.Head.Seq})
	if f.db.Writer().Stalled() {
		return f.db.WaitFlushed(ctx)
	}
	return nil
}

// applyFrames applies one group. The writer holds a transaction meanwhile, so
// nothing in here may wait for a flush.
func (f *follower) applyFrames(frames []eventlog.Frame) error {
	tx := f.db.Writer()
	if err := tx.Begin(); err != nil {
		return err
	}
	for _, frame := range frames {
		rec, err := frame.Record()
		if err != nil {
			return err
		}
		if err := projector.CheckDigest(tx, rec); err != nil {
			return err
		}
		if err := projector.Apply(tx, rec); err != nil {
			return err
		}
	}
	state, err := tx.Seal(tx.FreezeDue() || time.Since(f.frozen) >= f.options.FlushInterval)
	if err != nil {
		return err
	}
	if tx.PendingBytes() == 0 {
		f.frozen = time.Now()
	}
	f.db.Publish(state)
	if state.Frozen() {
		select {
		case f.flush <- struct{}{}:
		default: // it is told already
		}
	}
	return nil
}

// flushRows writes rows that were handed over to the file, and those that were
// not when no record has come for a while. A failure ends following: nothing can
// be flushed after it.
func (r *Replica) flushRows(ctx context.Context) {
	idle := time.NewTicker(r.options.FlushInterval)
	defer idle.Stop()
	var seen uint64
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-r.flush:
			err = r.db.Flush(ctx)
		case <-idle.C:
			at := r.db.Checkpoint().Seq
			if at == seen && r.db.Flushed().Seq < at {
				err = r.db.FlushAll(ctx)
			}
			seen = at
		}
		if err != nil && ctx.Err() == nil {
			r.log.Error("following stopped for good; reads stay as they are", "error", err)
			r.stop(err)
			return
		}
	}
}
