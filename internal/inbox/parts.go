package inbox

import (
	"context"
	"sync"

	"github.com/nats-io/nats.go"
)

// Parts is an answer that is taken part by part, as the parts come. Those that nobody
// has taken yet wait in memory. It is for one goroutine at a time.
type Parts struct {
	forget func() bool

	mu    sync.Mutex
	come  []*nats.Msg
	whole bool          // nothing follows what has come
	err   error         // nothing follows it because of this
	news  chan struct{} // has an element if any of these changed
}

// Stream sends a request. Close lets go of the answer; what comes of it later is
// dropped.
func (in *Inbox) Stream(msg *nats.Msg) (*Parts, error) {
	p := &Parts{news: make(chan struct{}, 1)}
	var err error
	p.forget, err = in.send(msg, p.add)
	return p, err
}

func (p *Parts) add(part *nats.Msg, more bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.whole, p.err = !more, err; err == nil {
		p.come = append(p.come, part)
	}
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// Next returns the next part, or nil after the last one.
func (p *Parts) Next(ctx context.Context) (*nats.Msg, error) {
	for {
		part, ended, err := p.take()
		if part != nil || ended {
			return part, err
		}
		select {
		case <-p.news:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *Parts) take() (part *nats.Msg, ended bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.come) == 0 {
		return nil, p.whole, p.err
	}
	part, p.come[0] = p.come[0], nil
	p.come = p.come[1:]
	return part, false, nil
}

// Close ends the wait for more.
func (p *Parts) Close() { p.forget() }
