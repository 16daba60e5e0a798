package client

import (
	"errors"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// errNoBatches is told when a server has refused a batch as a whole, as those do
// that do not know batches: nothing of it was done.
var errNoBatches = errors.New("the server takes no such batch")

// sendBatch sends orders in one message. done is told their outcomes, or an error
// that is of each of them.
func (c *Client) sendBatch(op string, b *batch, done func([]metalog.Outcome, error)) error {
	orders := make([]wire.Order, len(b.orders))
	for i, o := range b.orders {
		orders[i] = o.encoded
	}
	data, err := wire.EncodeBatch(orders)
	if err != nil {
		return err
	}
	msg := &nats.Msg{Subject: wire.Subject(c.opts.Cluster, op), Header: wire.BatchHeader(len(orders)), Data: data}
	b.forget, err = c.inbox.Send(msg, func(answer *nats.Msg, err error) {
		if err != nil {
			done(nil, c.commandError(op, err))
			return
		}
		done(c.outcomes(op, answer, len(orders)))
	})
	if err != nil {
		return c.commandError(op, err)
	}
	return nil
}

// maxBatchBytes bounds a batch to half of what the NATS server takes: each order
// needs a little more than its own bytes.
func (c *Client) maxBatchBytes() int { return min(maxBatchBytes, int(c.nc.MaxPayload()/2)) }

// outcomes reads the answer to a batch.
func (c *Client) outcomes(op string, answer *nats.Msg, of int) ([]metalog.Outcome, error) {
	c.noteBatches(answer.Header)
	if answer.Header.Get(micro.ErrorCodeHeader) != "" {
		return nil, errNoBatches
	}
	outcomes, err := wire.DecodeOutcomes(answer.Data, of)
	if err != nil {
		return nil, unreadableOutcome(op, errors.Join(errUnreadable, err))
	}
	return outcomes, nil
}

// noteBatches notes how many commands the server takes in a batch, as each answer
// to a command tells. One that does not tell takes none.
func (c *Client) noteBatches(h nats.Header) {
	n, err := strconv.ParseInt(h.Get(wire.HeaderBatch), 10, 32)
	if err != nil {
		n = 0
	}
	if c.maxBatch.Load() != n {
		c.maxBatch.Store(n)
	}
}

func unreadableOutcome(op string, err error) error {
	return events.Errorf(events.CodeOutcomeUnknown, "%s may or may not be done: %w", op, err)
}

// gathererOf returns the gatherer of an operation.
func (c *Client) gathererOf(op string) *gatherer {
	if g, ok := c.gatherers.Load(op); ok {
		return g.(*gatherer)
	}
	g, _ := c.gatherers.LoadOrStore(op, newGatherer(c, op))
	return g.(*gatherer)
}
