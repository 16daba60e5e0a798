package service

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// The bounds of a page of events, so that neither a large log nor a rare match
// makes one request long or large. A page may go over pageBytes by one record.
const (
	pageBytes   = 256 << 10 // encoded
	pageRecords = 50_000    // looked through
)

// readEvents answers with the first page of what a query selects.
func readEvents(ctx context.Context, store *metalog.Store, _ micro.Headers, q metalog.EventQuery) (wire.EventPage, error) {
	page := wire.EventPage{Events: []json.RawMessage{}}
	q, err := q.Resolve(ctx, store.Log())
	if err != nil {
		return page, err
	}
	if page.To = q.To; q.From <= q.To && q.To-q.From >= pageRecords {
		q.To = q.From + pageRecords - 1
		page.Next = q.To + 1
	}
	err = fill(&page, store.Events(ctx, q))
	return page, err
}

// fill takes events until the page is full, and then the rest of the record.
func fill(page *wire.EventPage, selected iter.Seq2[events.EventView, error]) error {
	size, last := 0, uint64(0)
	for e, err := range selected {
		if err != nil {
			return err
		}
		if size >= pageBytes && e.Seq != last {
			page.Next = e.Seq
			return nil
		}
		encoded, err := json.Marshal(e)
		if err != nil {
			return err
		}
		size, last = size+len(encoded), e.Seq
		page.Events = append(page.Events, encoded)
	}
	return nil
}

// plan answers with the events that a command would append.
func plan(ctx context.Context, store *metalog.Store, h micro.Headers, p wire.Plan) ([]events.EventView, error) {
	o, err := commandOptions(h)
	if err != nil {
		return nil, named(wire.PlanEvents.Op, err)
	}
	cmd, err := parseCommand(p.Op, p.Command)
	if err != nil {
		return nil, err
	}
	return store.Plan(ctx, cmd, func(opts *metalog.CommandOptions) { *opts = o })
}
