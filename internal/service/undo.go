package service

import (
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
)

func planUndo(ctx context.Context, store *metalog.Store, h micro.Headers, q metalog.UndoOptions) (metalog.UndoPlan, error) {
	opts, err := commandOptions(h)
	if err != nil {
		return metalog.UndoPlan{}, err
	}
	return store.PlanUndo(ctx, q, func(o *metalog.CommandOptions) { *o = opts })
}

// undo undoes a record. It may take as long as reading much of the log, and takes
// one of the places for requests as long.
func undo(ctx context.Context, store *metalog.Store, h micro.Headers, q metalog.UndoOptions) (metalog.UndoReport, error) {
	opts, err := commandOptions(h)
	if err != nil {
		return metalog.UndoReport{}, err
	}
	return store.Undo(ctx, q, func(o *metalog.CommandOptions) { *o = opts })
}
