package client

import (
	"context"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/wire"
)

// Diff has the server compare its views at two points, as metalog.Store.Diff does.
// It asks for a page at a time, so it takes little memory however much differs.
// Options.Timeout does not bound it: the server may have to make the views first.
func (c *Client) Diff(ctx context.Context, from, to metalog.Point, opts metalog.DiffOptions) (*metalog.Diff, error) {
	query := wire.Diff{From: from, To: to, Entities: opts.Entities, After: opts.After}
	first, err := askLong(ctx, c, wire.ReadDiff, query)
	if err != nil {
		return nil, err
	}
	query.From, query.To = metalog.Point{Seq: first.From.Seq}, metalog.Point{Seq: first.To.Seq}
	return &metalog.Diff{From: first.From, To: first.To, Differences: func(yield func(metalog.Difference, error) bool) {
		for page := first; yieldPage(wire.ReadDiff.Op, page.Differences, yield) && len(page.Next) > 0; {
			query.After = page.Next
			var err error
			if page, err = askLong(ctx, c, wire.ReadDiff, query); err != nil {
				yield(metalog.Difference{}, err)
				return
			}
		}
	}}, nil
}
