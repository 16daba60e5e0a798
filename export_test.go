package metalog

import (
	"context"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// WrapLog puts a log between the store and its own.
func (o *Options) WrapLog(wrap func(eventlog.Log) eventlog.Log) { o.wrap = wrap }

// Pending is a command in the queue or beyond.
type Pending struct{ req *request }

// Submit puts a command into the queue. Commands are decided in the order in
// which they are submitted.
func (s *Store) Submit(ctx context.Context, cmd Command, opts ...CommandOption) (*Pending, error) {
	req, err := newRequest(cmd, NewCommandOptions(opts...))
	if err != nil {
		return nil, err
	}
	return &Pending{req}, s.enqueue(ctx, req)
}

// Answered reports whether the caller has been told.
func (p *Pending) Answered() bool {
	select {
	case <-p.req.done:
		return true
	default:
		return false
	}
}

// Wait waits for the answer.
func (p *Pending) Wait() (Result, error) {
	<-p.req.done
	return p.req.result, p.req.err
}

// GiveUp is what a caller gets whose context has ended.
func (p *Pending) GiveUp(ctx context.Context) (Result, error) { return p.req.giveUp(ctx) }

// Misapplied is a command whose event can't be applied, as no decide would emit
// it.
type Misapplied struct{}

func (Misapplied) Op() string      { return "test.misapplied" }
func (Misapplied) validate() error { return nil }

func (Misapplied) decide(d *decision) error {
	d.emit(&events.SegmentRemoved{ID: "never was"})
	return nil
}
