package publisher

import (
	"context"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/segmentio/encoding/json"

	"github.com/metalog/metalog/events"
)

// The most that may wait for acks. The server refuses messages when 10,000 of
// them wait to be stored.
const (
	maxPending      = 2048
	maxPendingBytes = 16 << 20
)

// pipeline publishes messages without waiting for each one's ack. It belongs to
// one goroutine, and must be closed after its first error: acks that come later
// then have no receiver.
//
// It speaks the publishing protocol itself and not through PublishAsync of the
// jetstream package, which retries by itself and out of order.
type pipeline struct {
	conn    *nats.Conn
	stream  string
	timeout time.Duration // for one ack
	acked   func(next events.Position)

	inbox string // the reply subject of message n is inbox.n
	sub   *nats.Subscription
	acks  chan *nats.Msg // has room for all pending
	timer *time.Timer

	last    uint64 // stream sequence of the message published last
	pending []inFlight
	bytes   int // of payloads in pending
}

type inFlight struct {
	seq   uint64          // that the ack must have
	next  events.Position // to publish when it has
	bytes int
}

// newPipeline returns a pipeline whose first message follows the stream's
// message last.
func newPipeline(conn *nats.Conn, stream string, last uint64, timeout time.Duration, acked func(events.Position)) (*pipeline, error) {
	p := &pipeline{
		conn:    conn,
		stream:  stream,
		timeout: timeout,
		acked:   acked,
		inbox:   conn.NewInbox(),
		acks:    make(chan *nats.Msg, maxPending),
		last:    last,
	}
	var err error
	if p.sub, err = conn.ChanSubscribe(p.inbox+".*", p.acks); err != nil {
		return nil, retry("subscribe to acks: %w", err)
	}
	p.timer = time.NewTimer(timeout)
	return p, nil
}

func (p *pipeline) close() {
	p.timer.Stop()
	_ = p.sub.Unsubscribe() // fails only when the connection is gone, and the subscription with it
}

// publish sends m, after which next is the next event. It waits when too much is
// pending.
func (p *pipeline) publish(ctx context.Context, m *nats.Msg, next events.Position) error {
	for len(p.pending) >= maxPending || len(p.pending) > 0 && p.bytes+len(m.Data) > maxPendingBytes {
		if err := p.awaitOldest(ctx); err != nil {
			return err
		}
	}
	m.Header[jetstream.ExpectedStreamHeader] = []string{p.stream}
	m.Header[jetstream.ExpectedLastSeqHeader] = []string{strconv.FormatUint(p.last, 10)}
	m.Reply = p.reply(p.last + 1)
	if err := p.conn.PublishMsg(m); err != nil {
		return retry("publish: %w", err)
	}
	p.last++
	p.bytes += len(m.Data)
	p.pending = append(p.pending, inFlight{seq: p.last, next: next, bytes: len(m.Data)})
	return nil
}

func (p *pipeline) reply(seq uint64) string {
	return p.inbox + "." + strconv.FormatUint(seq, 10)
}

// drain waits for all acks.
func (p *pipeline) drain(ctx context.Context) error {
	for len(p.pending) > 0 {
		if err := p.awaitOldest(ctx); err != nil {
			return err
		}
	}
	return nil
}

// awaitOldest waits for the next ack, which has to be the oldest message's: the
// server answers in the order in which it stores.
func (p *pipeline) awaitOldest(ctx context.Context) error {
	oldest := p.pending[0]
	p.timer.Reset(p.timeout)
	select {
	case ack := <-p.acks:
		if err := p.check(ack, oldest.seq); err != nil {
			return err
		}
	case <-p.timer.C:
		return retry("message %d: no ack within %s", oldest.seq, p.timeout)
	case <-ctx.Done():
		return ctx.Err()
	}
	p.pending, p.bytes = p.pending[1:], p.bytes-oldest.bytes
	p.acked(oldest.next)
	return nil
}

// check reports whether the answer says that message seq was stored as such.
func (p *pipeline) check(answer *nats.Msg, seq uint64) error {
	if len(answer.Data) == 0 {
		return retry("message %d: %w", seq, jetstream.ErrNoStreamResponse)
	}
	var ack struct {
		jetstream.PubAck
		Error *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return retry("message %d: ack: %w", seq, err)
	}
	if ack.Error != nil {
		return retry("message %d: %w", seq, ack.Error)
	}
	if answer.Subject != p.reply(seq) || ack.Sequence != seq || ack.Duplicate {
		return retry("message %d was acknowledged as %d (duplicate: %t)", seq, ack.Sequence, ack.Duplicate)
	}
	return nil
}
