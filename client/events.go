package client

import (
	"context"
	"iter"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// Events implements [metalog.EventReader]. It asks for a page at a time, so it
// takes little memory however much is selected; the head is that of the first
// page.
func (c *Client) Events(ctx context.Context, query metalog.EventQuery) iter.Seq2[events.EventView, error] {
	return func(yield func(events.EventView, error) bool) {
		for q := query; ; {
			page, err := ask(ctx, c.reads, wire.ReadEvents, q)
			if err != nil {
				yield(events.EventView{}, err)
				return
			}
			if !yieldPage(wire.ReadEvents.Op, page.Events, yield) {
				return
			}
			full := q.Limit != 0 && len(page.Events) >= q.Limit
			if page.Next == 0 || full {
				return
			}
			if q.Limit != 0 {
				q.Limit -= len(page.Events)
			}
			q.From, q.To = page.Next, page.To
		}
	}
}

// Plan implements [metalog.MetadataStore].
func (c *Client) Plan(ctx context.Context, cmd metalog.Command, opts ...metalog.CommandOption) ([]events.EventView, error) {
	body, err := encodeCommand(cmd)
	if err != nil {
		return nil, err
	}
	return askWith(ctx, c.reads, wire.PlanEvents, wire.Plan{Op: cmd.Op(), Command: body}, func(h nats.Header) {
		c.setOptions(h, metalog.NewCommandOptions(opts...))
	})
}
