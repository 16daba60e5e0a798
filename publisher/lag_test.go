package publisher

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/metalog/metalog/events"
)

// WaitLag lets through at once up to the limit, and beyond that once publishing
// has caught up so far.
func TestWaitLag(t *testing.T) {
	js, log := newServer(t).connect(), filled(40, 30)
	p := newPublisher(t, log, js, testOptions())
	if err := p.WaitLag(t.Context(), 30); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	waited := make(chan error)
	for _, limit := range []uint64{0, 29, 7} {
		go func() { waited <- p.WaitLag(t.Context(), limit) }()
	}
	p.awaitWaiter(29)
	start(t, p)
	for range 3 {
		if err := <-waited; err != nil {
			t.Error(err)
		}
	}
	if lag, err := p.Lag(t.Context()); err != nil || lag != (Lag{}) {
		t.Errorf("lag %+v, %v after the wait for none", lag, err)
	}
}

// awaitWaiter returns when somebody waits for a limit.
func (p *Publisher) awaitWaiter(limit uint64) {
	for {
		p.mu.Lock()
		waits := p.waiters.any() && p.waiters.limit >= limit
		p.mu.Unlock()
		if waits {
			return
		}
		runtime.Gosched()
	}
}

// Acks wake waiters only when one of them may go on.
func TestAcksWakeWaitersWhenTheLagAllowsIt(t *testing.T) {
	log := filled(41, 10)
	p := newPublisher(t, log, newServer(t).connect(), testOptions())
	woken := p.waiters.wait(3)
	for seq := uint64(1); seq <= 10; seq++ {
		p.setPosition(events.Position{Seq: seq})
		lag := 10 - seq + 1
		select {
		case <-woken:
			if lag > 3 {
				t.Fatalf("woken at a lag of %d", lag)
			}
		default:
			if lag <= 3 {
				t.Fatalf("not woken at a lag of %d", lag)
			}
		}
	}
}

func TestWaitLagEndsWithItsContext(t *testing.T) {
	p := newPublisher(t, filled(42, 12), newServer(t).connect(), testOptions())
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the server stops")
	cancel(cause)
	err := p.WaitLag(ctx, 5)
	if !errors.Is(err, events.ErrUnavailable) || !errors.Is(err, cause) || !strings.Contains(err.Error(), "12 records") || !strings.Contains(err.Error(), "5 are allowed") {
		t.Errorf("%v: want unavailable with lag, limit and cause", err)
	}
}
