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
	return func(yield func(metalog.TreeEvent, error) bool) {
		for q := query; ; {
			page, err := askLong(ctx, c, wire.ReadHistory, q)
			if err != nil {
				yield(metalog.TreeEvent{}, err)
				return
			}
			if !yieldPage(wire.ReadHistory.Op, page.Events, yield) {
				return
			}
			full := q.Limit != 0 && len(page.Events) >= q.Limit
			if page.After == nil || full {
				return
			}
			if q.Limit != 0 {
				q.Limit -= len(page.Events)
			}
			q.After, q.To = page.After, page.To
		}
	}
}

// Cascade implements [metalog.EventReader]. It asks for a page at a time.
func (c *Client) Cascade(ctx context.Context, query metalog.CascadeQuery) iter.Seq2[metalog.TreeEvent, error] {
	return func(yield func(metalog.TreeEvent, error) bool) {
		for q := query; ; {
			page, err := askLong(ctx, c, wire.ReadCascade, q)
			if err != nil {
				yield(metalog.TreeEvent{}, err)
				return
			}
			if !yieldPage(wire.ReadCascade.Op, page.Events, yield) || page.After == nil {
				return
			}
			q.After = page.After
		}
	}
}

// Blame implements [metalog.EventReader].
func (c *Client) Blame(ctx context.Context, entity string, at metalog.Point) (metalog.BlameReport, error) {
	return askLong(ctx, c, wire.AskBlame, wire.Blame{Entity: entity, At: at})
}
