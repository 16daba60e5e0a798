package publisher

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// retryError is a failure that may pass: NATS can't be reached, or another
// publisher was faster.
type retryError struct{ err error }

func (e *retryError) Error() string { return e.err.Error() }
func (e *retryError) Unwrap() error { return e.err }

func retry(format string, args ...any) error {
	return &retryError{fmt.Errorf(format, args...)}
}

const (
	minBackoff = 20 * time.Millisecond
	maxBackoff = 2 * time.Second
)

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

var errConnectionLost = errors.New("the connection to NATS was lost")

// undated is a context that ends when its parent does and does not tell when
// that will be at the latest. The jetstream package bounds a request by its own
// timeout only if the context has no deadline, however far away; and when a server
// of a cluster goes, an answer can get lost.
type undated struct{ context.Context }

func (undated) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// whileConnected calls f with a context that also ends when the connection goes:
// requests and messages that were under way then are not waited for.
func whileConnected(ctx context.Context, conn *nats.Conn, f func(context.Context) error) error {
	status := conn.StatusChanged(nats.RECONNECTING, nats.CLOSED)
	defer conn.RemoveStatusListener(status)
	if !conn.IsConnected() {
		return retry("not connected to NATS")
	}
	connected, cancel := context.WithCancelCause(undated{ctx})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-status:
			cancel(errConnectionLost)
		case <-connected.Done():
		}
	}()
	err := f(connected)
	lost := errors.Is(context.Cause(connected), errConnectionLost)
	cancel(nil)
	<-watched
	if err != nil && lost {
		return retry("%w", errConnectionLost)
	}
	return err
}
