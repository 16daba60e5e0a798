package service

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/wire"
)

// diffPageBytes bounds a page of differences, encoded; it may go over by one.
const diffPageBytes = 1 << 20

// diff answers with the first page of what differs between two points.
func diff(ctx context.Context, store *metalog.Store, _ micro.Headers, q wire.Diff) (wire.DiffPage, error) {
	page := wire.DiffPage{Differences: []json.RawMessage{}}
	d, err := store.Diff(ctx, q.From, q.To, metalog.DiffOptions{Entities: q.Entities, After: q.After})
	if err != nil {
		return page, err
	}
	page.From, page.To = d.From, d.To
	size := 0
	for difference, err := range d.Differences {
		if err != nil {
			return page, err
		}
		if size >= diffPageBytes {
			return page, nil
		}
		encoded, err := wire.Encode(difference)
		if err != nil {
			return page, err
		}
		size += len(encoded)
		page.Differences = append(page.Differences, encoded)
		if size >= diffPageBytes {
			page.Next = difference.Place
		}
	}
	page.Next = nil
	return page, nil
}
