package service

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// pageTime is for how long one request looks for events that are rare: it answers
// with what it has found then, if only with how far it has come.
const pageTime = time.Second

// readHistory answers with the first page of what a query selects.
func readHistory(ctx context.Context, store *metalog.Store, _ micro.Headers, q metalog.HistoryQuery) (wire.TreePage, error) {
	if q.To == 0 {
		q.To = store.Log().Head().Seq
	}
	page := wire.TreePage{To: q.To}
	until := time.Now().Add(pageTime)
	q.Reached = func(at events.Position) bool {
		if time.Now().Before(until) {
			return true
		}
		page.After = &at
		return false
	}
	return page, fillTree(&page, store.History(ctx, q), until)
}

// readCascade answers with the first page of a tree.
func readCascade(ctx context.Context, store *metalog.Store, _ micro.Headers, q metalog.CascadeQuery) (page wire.TreePage, err error) {
	return page, fillTree(&page, store.Cascade(ctx, q), time.Now().Add(pageTime))
}

// fillTree takes events until the page is full or the time is over.
func fillTree(page *wire.TreePage, selected iter.Seq2[metalog.TreeEvent, error], until time.Time) error {
	size := 0
	page.Events = []json.RawMessage{}
	for e, err := range selected {
		if err != nil {
			return err
		}
		encoded, err := json.Marshal(e)
		if err != nil {
			return err
		}
		size += len(encoded)
		page.Events = append(page.Events, encoded)
		if size >= pageBytes || time.Now().After(until) {
			page.After = &events.Position{Seq: e.Seq, Index: e.Index}
			return nil
		}
	}
	return nil
}

func blame(ctx context.Context, store *metalog.Store, _ micro.Headers, q wire.Blame) (metalog.BlameReport, error) {
	return store.Blame(ctx, q.Entity, q.At)
}
