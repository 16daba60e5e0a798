package client

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// PlanUndo has the server plan an undo, as metalog.Store.PlanUndo does. It may have
// to read much of the log: Options.Timeout does not bound it.
func (c *Client) PlanUndo(ctx context.Context, opts metalog.UndoOptions, cmdOpts ...metalog.CommandOption) (metalog.UndoPlan, error) {
	return askLongWith(ctx, c, wire.PlanUndo, opts, c.header(cmdOpts))
}

// Undo has the server undo a record, as metalog.Store.Undo does. Options.Timeout
// does not bound it. Once it is sent, no answer means ErrOutcomeUnknown: the same
// undo again goes on with what is missing, if anything is.
func (c *Client) Undo(ctx context.Context, opts metalog.UndoOptions, cmdOpts ...metalog.CommandOption) (metalog.UndoReport, error) {
	report, err := askLongWith(ctx, c, wire.Undo, opts, c.header(cmdOpts))
	if err != nil && mayBeDone(err) {
		err = events.Errorf(events.CodeOutcomeUnknown, "undo of seq %d may or may not be done: %w; ask for the same again", opts.Seq, err)
	}
	return report, err
}

// header sets what a command may carry.
func (c *Client) header(opts []metalog.CommandOption) func(nats.Header) {
	return func(h nats.Header) { c.setOptions(h, metalog.NewCommandOptions(opts...)) }
}

// mayBeDone reports whether an error of a request leaves open if the server did
// what it asked for: it was sent, and nothing that tells came back.
func mayBeDone(err error) bool {
	for _, unsent := range []error{nats.ErrNoResponders, nats.ErrConnectionClosed, nats.ErrReconnectBufExceeded} {
		if errors.Is(err, unsent) {
			return false
		}
	}
	// What a server says has no cause here.
	return events.CodeOf(err) == events.CodeUnavailable && errors.Unwrap(err) != nil
}
