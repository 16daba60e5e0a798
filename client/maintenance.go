package client

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// CreateSnapshot has the server make a snapshot, as metalog.Store.CreateSnapshot
// does. Options.Timeout does not bound it.
func (c *Client) CreateSnapshot(ctx context.Context) (metalog.Snapshot, error) {
	return askLong(ctx, c, wire.CreateSnapshot, wire.Nothing{})
}

// ListSnapshots lists the server's snapshots, the oldest first.
func (c *Client) ListSnapshots(ctx context.Context) ([]metalog.Snapshot, error) {
	return ask(ctx, c.reads, wire.ListSnapshots, wire.Nothing{})
}

// Backup has the server back up to a directory of its own machine, an absolute
// path, as metalog.Store.Backup does. Options.Timeout does not bound it.
func (c *Client) Backup(ctx context.Context, dir string) (metalog.BackupReport, error) {
	return askLong(ctx, c, wire.Backup, wire.Directory{Dir: dir})
}

// Rebuild has the server make a file of views on its own machine, named by an
// absolute path, as metalog.Store.Rebuild does. Nobody is told of its progress.
// Options.Timeout does not bound it.
func (c *Client) Rebuild(ctx context.Context, order metalog.RebuildOrder) (metalog.RebuildReport, error) {
	return askLong(ctx, c, wire.Rebuild, order)
}

// maxLong bounds long work whose context has no deadline.
const maxLong = 24 * time.Hour

// askLong asks for work of any length. It ends when the connection breaks: the
// answer would not come any more.
func askLong[Req, Ans any](ctx context.Context, c *Client, q wire.Query[Req, Ans], req Req) (Ans, error) {
	return askLongWith(ctx, c, q, req, func(nats.Header) {})
}

// askLongWith is askLong with more headers.
func askLongWith[Req, Ans any](ctx context.Context, c *Client, q wire.Query[Req, Ans], req Req, set func(nats.Header)) (Ans, error) {
	ctx, cancel := context.WithTimeout(ctx, maxLong)
	defer cancel()
	ctx, stop := c.whileConnected(ctx)
	defer stop()
	answer, err := askWith(ctx, c.reads, q, req, set)
	if err != nil && errors.Is(context.Cause(ctx), errDisconnected) {
		err = events.Errorf(events.CodeUnavailable, "%s: %w before %s answered; ask again", q.Op, errDisconnected, c.url)
	}
	return answer, err
}
