package metalog

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/metalog/metalog/events"
)

// request is a command on its way: from its caller to the sequencer, with its
// group to the log writer, and back.
type request struct {
	cmd  Command
	opts CommandOptions
	hash []byte     // of the command, when it has an id
	with []*request // that came with it, and are decided right after it

	// taken is set by whoever comes first: the sequencer, which then will answer,
	// or the caller that gives up, which then knows that nothing was done.
	taken atomic.Bool

	// Set by the sequencer, read by the caller once done has told.
	result Result
	err    error
	wrote  bool // a record of it is in the group

	done chan struct{} // one slot: answered
}

// requests are those that are done with, to be used again.
var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

func (r *request) answer(result Result, err error) {
	r.result, r.err = result, err
	r.done <- struct{}{}
}

// outcome returns the answer once done has told. After that nobody else has the request.
func (r *request) outcome() (Result, error) {
	result, err := r.result, r.err
	*r = request{done: r.done}
	requests.Put(r)
	return result, err
}

const queueLength = 4096

// Execute implements [Executor].
func (s *Store) Execute(ctx context.Context, cmd Command, opts CommandOptions) (Result, error) {
	req, err := newRequest(cmd, opts)
	if err != nil {
		return Result{}, err
	}
	if err := s.throttle(ctx, cmd); err != nil {
		return Result{}, err
	}
	if err := s.enqueue(ctx, req); err != nil {
		return Result{}, err
	}
	return req.wait(ctx)
}

func newRequest(cmd Command, opts CommandOptions) (*request, error) {
	if err := Validate(cmd, opts); err != nil {
		return nil, err
	}
	req := requests.Get().(*request)
	req.cmd, req.opts = cmd, opts
	if opts.ID == "" {
		return req, nil
	}
	var err error
	req.hash, err = commandHash(cmd)
	return req, err
}

// enqueue waits for a place in the queue: that is what slows writers down when
// they are faster than the log.
func (s *Store) enqueue(ctx context.Context, req *request) error {
	s.sending.RLock()
	defer s.sending.RUnlock()
	if s.closed {
		return events.Errorf(events.CodeUnavailable, "the store is closed")
	}
	if err := s.failed(); err != nil {
		return err
	}
	select {
	case s.queue <- req: // as a rule there is room, and one channel is asked in less time than two
		return nil
	default:
	}
	select {
	case s.queue <- req:
		return nil
	case <-ctx.Done():
		return events.Errorf(events.CodeUnavailable, "%s was not done: %w", req.cmd.Op(), ctx.Err())
	}
}

func (r *request) wait(ctx context.Context) (Result, error) {
	select {
	case <-r.done:
		return r.outcome()
	case <-ctx.Done():
		return r.giveUp(ctx)
	}
}

// giveUp ends the wait for an answer. When the command is not decided yet it
// never will be; else its outcome is in doubt, and the error says so.
func (r *request) giveUp(ctx context.Context) (Result, error) {
	if r.taken.CompareAndSwap(false, true) {
		return Result{}, events.Errorf(events.CodeUnavailable, "%s was not done: %w", r.cmd.Op(), ctx.Err())
	}
	select {
	case <-r.done:
		return r.outcome()
	default:
		return Result{}, events.Errorf(events.CodeOutcomeUnknown, "%s may or may not be done: %w; read, or repeat it with the same command id", r.cmd.Op(), ctx.Err())
	}
}
