package service

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// archive may take long, and one of the places for requests as long.
func archive(ctx context.Context, store *metalog.Store, _ micro.Headers, opts metalog.ArchiveOptions) (metalog.ArchiveReport, error) {
	if opts.To != "" && !strings.Contains(opts.To, "://") && !filepath.IsAbs(opts.To) {
		return metalog.ArchiveReport{}, events.Errorf(events.CodeInvalid, "archive: to: %q is not absolute; name a directory on the server's machine from its root, or a bucket", opts.To)
	}
	return store.Archive(ctx, opts)
}

func listArchive(ctx context.Context, store *metalog.Store, _ micro.Headers, _ wire.Nothing) (metalog.ArchiveStatus, error) {
	return store.ListArchive(ctx)
}

func pruneArchive(ctx context.Context, store *metalog.Store, _ micro.Headers, opts metalog.PruneOptions) (metalog.PruneReport, error) {
	return store.PruneArchive(ctx, opts)
}
