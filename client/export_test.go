package client

import (
	"context"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/wire"
)

// SetPatience sets for how long commands gather at most. It has to come first.
func (c *Client) SetPatience(d time.Duration) { c.patience = d }

// Gathered tells how many commands of an operation wait to be sent, and how many
// messages are under way.
func (c *Client) Gathered(op string) (waiting, underWay int) {
	g := c.gathererOf(op)
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.waiting), g.underWay
}

// ExecuteInBatch does a command in a batch of its own.
func (c *Client) ExecuteInBatch(ctx context.Context, cmd metalog.Command, opts metalog.CommandOptions) (metalog.Result, error) {
	encoded, err := wire.EncodeOrder(cmd, opts)
	if err != nil {
		return metalog.Result{}, err
	}
	var outcome metalog.Outcome
	told := make(chan error, 1)
	err = c.sendBatch(cmd.Op(), &batch{orders: []*order{{encoded: encoded}}}, func(outcomes []metalog.Outcome, err error) {
		if err == nil {
			outcome = outcomes[0]
		}
		told <- err
	})
	if err == nil {
		select {
		case err = <-told:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err == nil {
		err = outcome.Err
	}
	return outcome.Result, err
}
