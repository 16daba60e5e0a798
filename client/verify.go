package client

import (
	"context"
	"errors"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/wire"
)

var errDisconnected = errors.New("the connection was lost")

// Verify has the server check its store while it works, as metalog.Store.Verify
// does. It takes as long as reading the whole log takes: Options.Timeout does not
// bound it, but it ends when the connection breaks. Progress is not told.
func (c *Client) Verify(ctx context.Context, opts metalog.VerifyOptions) (metalog.VerifyReport, error) {
	return askLong(ctx, c, wire.Verify, opts)
}

// whileConnected makes a context that ends when the connection breaks. Its stop
// waits for the goroutine that watches it.
func (c *Client) whileConnected(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	broken := c.nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CLOSED)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-broken:
			cancel(errDisconnected)
		case <-ctx.Done():
		}
	})
	return ctx, func() {
		cancel(nil)
		watch.Wait()
		c.nc.RemoveStatusListener(broken)
	}
}
