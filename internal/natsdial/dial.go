package natsdial

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog/events"
)

// The pauses between attempts to connect.
const (
	minPause = 50 * time.Millisecond
	maxPause = 10 * time.Second
)

// pause is how long to wait after the attempt-th attempt, from 1 on.
func pause(attempt int) time.Duration {
	const doublings = 8 // beyond maxPause
	return min(minPause<<min(max(attempt, 1)-1, doublings), maxPause)
}

// Dialer connects a server of metalog to NATS for as long as it runs.
type Dialer struct {
	Address string        // as Addresses gave it
	Options []nats.Option // such as credentials
	Logger  *slog.Logger
	Once    bool // don't wait for a server that can't be reached
	// Waiting, if not nil, is told once that no server can be reached and that
	// Dial waits.
	Waiting func()
}

// Dial connects. While no server can be reached it tries again, with a warning in
// the log and pauses that grow to ten seconds, until ctx is done: that is
// ErrUnavailable. A server that refuses is ErrForbidden at once.
//
// A connection that breaks later is restored in the same way, and without end:
// also after a server has refused what it took before.
func (d Dialer) Dial(ctx context.Context, name string) (*nats.Conn, error) {
	opts := append([]nats.Option{nats.Name("metalog " + name)}, d.Options...)
	opts = append(opts, restoring(d.Logger.With("connection", name))...)
	for attempt := 1; ; attempt++ {
		nc, err := nats.Connect(d.Address, opts...)
		switch {
		case err == nil:
			return nc, nil
		case Refused(err):
			return nil, Refusal(d.Address, err)
		case d.Once || ctx.Err() != nil:
			return nil, events.Errorf(events.CodeUnavailable, "no NATS server answers at %s: %w; start one, or check --nats", Redacted(d.Address), err)
		}
		if attempt == 1 && d.Waiting != nil {
			d.Waiting()
		}
		d.Logger.Warn("no NATS server can be reached; trying again", "connection", name, "url", Redacted(d.Address), "err", err, "retry_in", pause(attempt))
		select {
		case <-time.After(pause(attempt)):
		case <-ctx.Done():
			return nil, events.Errorf(events.CodeUnavailable, "stopped while no NATS server answered at %s: %w; start one, or check --nats", Redacted(d.Address), err)
		}
	}
}

// restoring are the options of a connection that is kept up.
func restoring(log *slog.Logger) []nats.Option {
	return []nats.Option{
		nats.MaxReconnects(-1),
		nats.IgnoreAuthErrorAbort(), // who may connect may be mended on the server
		nats.ReconnectBufSize(-1),   // what can't be sent now must not be sent unexpectedly later
		nats.CustomReconnectDelay(func(attempt int) time.Duration {
			log.Warn("no NATS server can be reached; trying again", "attempt", attempt, "retry_in", pause(attempt))
			return pause(attempt)
		}),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				log.Warn("the connection to NATS was lost; commands in process go on", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Warn("connected to NATS again", "url", Redacted(nc.ConnectedUrl()))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Error("NATS", "err", err)
		}),
	}
}

// Refusal is the error of a connection that was Refused.
func Refusal(address string, cause error) error {
	return events.Errorf(events.CodeForbidden, "NATS at %s refuses the connection, or can't be trusted: %w; check user or keys (--nats-creds, --nats-nkey, or --nats-user and METALOG_NATS_PASSWORD) and certificates (--nats-cert and --nats-key, --nats-ca)", Redacted(address), cause)
}
