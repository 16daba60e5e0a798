package client

import (
	"context"
	"iter"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/wire"
)

// History implements [metalog.EventReader]. It asks for a page at a time; the head
// is that of the first one.
func (c *Client) History(ctx context.Context, query metalog.HistoryQuery) iter.Seq2[metalog.TreeEvent, error] {
	return pages(wire.ReadHistory.Op, func() (page wire.TreePage, more bool, err error) {
		if page, err = askLong(ctx, c, wire.ReadHistory, query); err != nil {
			return page, false, err
		}
		full := query.Limit != 0 && len(page.Events) >= query.Limit
		if query.Limit != 0 {
			query.Limit -= len(page.Events)
		}
		query.After, query.To = page.After, page.To
		return page, page.After != nil && !full, nil
	})
}

// Cascade implements [metalog.EventReader]. It asks for a page at a time.
func (c *Client) Cascade(ctx context.Context, query metalog.CascadeQuery) iter.Seq2[metalog.TreeEvent, error] {
	return pages(wire.ReadCascade.Op, func() (page wire.TreePage, more bool, err error) {
		page, err = askLong(ctx, c, wire.ReadCascade, query)
		query.After = page.After
		return page, page.After != nil, err
	})
}

// pages yields the events of pages until next says that there is no more.
func pages(op string, next func() (page wire.TreePage, more bool, err error)) iter.Seq2[metalog.TreeEvent, error] {
	return func(yield func(metalog.TreeEvent, error) bool) {
		for more := true; more; {
			var page wire.TreePage
			var err error
			if page, more, err = next(); err != nil {
				yield(metalog.TreeEvent{}, err)
				return
			}
			for _, encoded := range page.Events {
				var e metalog.TreeEvent
				if err := decode(nil, encoded, &e); err != nil {
					yield(e, unreadable(op, err))
					return
				}
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Blame implements [metalog.EventReader].
func (c *Client) Blame(ctx context.Context, entity string, at metalog.Point) (metalog.BlameReport, error) {
	return askLong(ctx, c, wire.AskBlame, wire.Blame{Entity: entity, At: at})
}
