package service

import (
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
)

// verify checks the store while it works. It may take minutes, and takes one of
// the places for requests as long.
func verify(ctx context.Context, store *metalog.Store, _ micro.Headers, opts metalog.VerifyOptions) (metalog.VerifyReport, error) {
	return store.Verify(ctx, opts)
}
