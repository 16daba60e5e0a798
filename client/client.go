package client

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/inbox"
	"github.com/metalog/metalog/internal/natsdial"
	"github.com/metalog/metalog/internal/wire"
)

// DefaultCluster is the cluster of a server that was given no other name.
const DefaultCluster = wire.DefaultCluster

// Options configure a client. The zero value is ready to use.
type Options struct {
	Cluster string // default DefaultCluster
	Actor   string // of commands that name none
	// Timeout bounds a request whose context has no deadline; default 30 seconds.
	Timeout time.Duration
	NATS    []nats.Option // of the connection, such as credentials
}

func (o Options) withDefaults() Options {
	if o.Cluster == "" {
		o.Cluster = DefaultCluster
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return o
}

// Client is a [metalog.MetadataStore] over NATS. All methods are safe for
// concurrent use.
type Client struct {
	metalog.Commands
	reads

	nc    *nats.Conn
	inbox *inbox.Inbox // of answers
	url   string       // as messages show it: without a password
	opts  Options

	maxBatch  atomic.Int64 // how many commands the server takes in one request
	gatherers sync.Map     // operation: *gatherer
	patience  time.Duration
}

var _ metalog.MetadataStore = (*Client)(nil)

// Connect connects to a server, within the connection's own timeout of a few
// seconds; address may be several URLs with commas between them. A server that
// does not take the credentials is ErrForbidden, one that can't be reached
// ErrUnavailable. A connection that breaks later is restored in the background;
// until then requests are ErrUnavailable.
func Connect(ctx context.Context, address string, opts Options) (*Client, error) {
	opts = opts.withDefaults()
	c := &Client{url: natsdial.Redacted(address), opts: opts, patience: patience}
	c.Commands = metalog.Commands{Executor: c}
	c.reads = reads{c: c}
	connect := append([]nats.Option{
		nats.Name("metalog client"),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // what can't be sent now is not sent behind the caller's back later
	}, opts.NATS...)
	if err := ctx.Err(); err != nil {
		return nil, c.unanswered("connect", err)
	}
	var err error
	c.nc, err = nats.Connect(address, connect...)
	switch {
	case err == nil:
		if c.inbox, err = inbox.Open(c.nc); err == nil {
			return c, nil
		}
		c.nc.Close()
	case natsdial.Refused(err):
		return nil, natsdial.Refusal(address, err)
	}
	return nil, c.unanswered("connect", err)
}

// Conn returns the connection, for subscribing to what the server publishes. It
// is the client's, and closed with it.
func (c *Client) Conn() *nats.Conn { return c.nc }

// Close closes the connection.
func (c *Client) Close() error {
	c.nc.Close()
	return nil
}

// unanswered is the error of a request that reached no server.
func (c *Client) unanswered(what string, cause error) error {
	return events.Errorf(events.CodeUnavailable, "%s: no metalog server of cluster %q answers at %s: %w; start one with 'metalog serve', or check URL and cluster", what, c.opts.Cluster, c.url, cause)
}
