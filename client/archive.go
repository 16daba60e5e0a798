package client

import (
	"context"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/wire"
)

// Archive has the server move old segments of its log to the archive, as
// metalog.Store.Archive does. Options.Timeout does not bound it. Progress is not told.
func (c *Client) Archive(ctx context.Context, opts metalog.ArchiveOptions) (metalog.ArchiveReport, error) {
	return askLong(ctx, c, wire.Archive, opts)
}

// ListArchive tells what the server's archive has, as metalog.Store.ListArchive does.
func (c *Client) ListArchive(ctx context.Context) (metalog.ArchiveStatus, error) {
	return askLong(ctx, c, wire.ListArchive, wire.Nothing{})
}

// PruneArchive has the server prune its archive, as metalog.Store.PruneArchive does.
func (c *Client) PruneArchive(ctx context.Context, opts metalog.PruneOptions) (metalog.PruneReport, error) {
	return askLong(ctx, c, wire.PruneArchive, opts)
}
