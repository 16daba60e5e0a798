package publisher

import (
	"context"
	"time"

	"github.com/metalog/metalog/events"
)

// Position returns the first event that is not known to be in the stream; zero
// until the stream has been read.
func (p *Publisher) Position() events.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

func (p *Publisher) setPosition(next events.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
	if p.waiters.any() && p.lagRecords() <= p.waiters.limit {
		p.waiters.wake()
	}
}

// Lag tells how far the stream is behind the log.
type Lag struct {
	Records uint64        // not wholly published
	Age     time.Duration // of the oldest of them; 0 when there is none
}

// Lag measures the lag. It reads one record when there is any.
func (p *Publisher) Lag(ctx context.Context) (Lag, error) {
	from := max(p.Position().Seq, p.source.First())
	head := p.source.Head()
	if from > head.Seq {
		return Lag{}, nil
	}
	lag := Lag{Records: head.Seq - from + 1}
	for rec, err := range p.source.Records(ctx, from) {
		if err != nil {
			return lag, err
		}
		lag.Age = max(0, time.Since(rec.Time.Time()))
		break
	}
	return lag, nil
}

// lagRecords is how many records are not wholly published. The caller holds mu.
func (p *Publisher) lagRecords() uint64 {
	from := max(p.next.Seq, p.source.First())
	end := p.source.Head().Seq + 1
	return end - min(from, end)
}

// WaitLag returns nil when at most limit records are not wholly published, at
// once or when the stream has caught up so far: that is how writers of much are
// kept from running away from it. When ctx is done before that it is
// ErrUnavailable.
func (p *Publisher) WaitLag(ctx context.Context, limit uint64) error {
	for {
		p.mu.Lock()
		lag := p.lagRecords()
		if lag <= limit {
			p.mu.Unlock()
			return nil
		}
		caughtUp := p.waiters.wait(limit)
		p.mu.Unlock()
		select {
		case <-caughtUp:
		case <-ctx.Done():
			return events.Errorf(events.CodeUnavailable, "publishing is %d records behind the log, and at most %d are allowed: %w; try again when it has caught up, see to NATS, or raise the limit", lag, limit, context.Cause(ctx))
		}
	}
}

// lagWaiters are those who wait for a smaller lag. They are woken together, when
// one of them may have what it waits for: not at each ack, of which there are
// tens of thousands a second.
type lagWaiters struct {
	limit uint64        // the largest that one of them waits for
	woken chan struct{} // closed to wake them; nil: nobody waits
}

func (w *lagWaiters) any() bool { return w.woken != nil }

// wait returns what is closed once the lag has been at most limit.
func (w *lagWaiters) wait(limit uint64) <-chan struct{} {
	if w.woken == nil {
		w.woken, w.limit = make(chan struct{}), limit
	}
	w.limit = max(w.limit, limit)
	return w.woken
}

func (w *lagWaiters) wake() {
	close(w.woken)
	w.woken = nil
}
