package client

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/inbox"
	"github.com/metalog/metalog/internal/wire"
)

// reads implements [metalog.Reader]: the client's own, those of a view, of which
// none is older than the one before, and those of a view of one seq.
type reads struct {
	c       *Client
	at      string         // a point that all are of; empty: the present
	reached *atomic.Uint64 // the highest seq seen, and the least to see; nil: any
}

// ask asks one question.
func ask[Req, Ans any](ctx context.Context, r reads, q wire.Query[Req, Ans], req Req) (Ans, error) {
	return askWith(ctx, r, q, req, func(nats.Header) {})
}

// askWith asks one question with more headers.
func askWith[Req, Ans any](ctx context.Context, r reads, q wire.Query[Req, Ans], req Req, set func(nats.Header)) (Ans, error) {
	var answer Ans
	msg, err := r.query(q.Op, req)
	if err != nil {
		return answer, err
	}
	set(msg.Header)
	whole, err := r.c.request(ctx, q.Op, msg)
	if err != nil {
		return answer, err
	}
	if err := decode(whole.Header, whole.Data, &answer); err != nil {
		return answer, unreadable(q.Op, err)
	}
	return answer, r.note(q.Op, whole.Header)
}

// query makes the message that asks a question, of the state that is read.
func (r reads) query(op string, req any) (*nats.Msg, error) {
	body, err := wire.Encode(req)
	if err != nil {
		return nil, err
	}
	msg := nats.NewMsg(wire.Subject(r.c.opts.Cluster, op))
	msg.Data = body
	switch {
	case r.at != "":
		msg.Header.Set(wire.HeaderAt, r.at)
	case r.reached != nil:
		msg.Header.Set(wire.HeaderMinSeq, strconv.FormatUint(r.reached.Load(), 10))
	}
	return msg, nil
}

// unreadable gives an answer to a read that can't be read a code; other errors
// have theirs.
func unreadable(op string, err error) error {
	if errors.Is(err, errUnreadable) {
		return events.Errorf(events.CodeUnavailable, "%s: %w", op, err)
	}
	return err
}

// note raises the least seq to that of an answer.
func (r reads) note(op string, h nats.Header) error {
	if r.reached == nil {
		return nil
	}
	seq, err := strconv.ParseUint(h.Get(wire.HeaderSeq), 10, 64)
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "%s: the answer does not tell its seq: %w", op, err)
	}
	for {
		reached := r.reached.Load()
		if seq <= reached || r.reached.CompareAndSwap(reached, seq) {
			return nil
		}
	}
}

// request sends a read and returns the whole answer, with the headers of its
// last part.
func (c *Client) request(ctx context.Context, op string, msg *nats.Msg) (*nats.Msg, error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	answer, err := c.inbox.Ask(ctx, msg)
	if err != nil {
		return nil, c.readError(op, err)
	}
	return answer, nil
}

// readError is the error of a read that was not sent, or got no answer, or not all of it.
func (c *Client) readError(op string, err error) error {
	switch {
	case inbox.LostPart(err):
		return events.Errorf(events.CodeUnavailable, "%s: %w; ask again", op, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return c.tooLarge(op)
	}
	return c.unanswered(op, err)
}

// View implements [metalog.MetadataStore]. Over the wire each read has a
// snapshot of its own: none is older than minSeq, nor than the view, nor than
// the read before, but two of them may see different states. Seq is that of the
// newest one.
func (c *Client) View(ctx context.Context, minSeq uint64) (metalog.View, error) {
	v := view{reads{c: c, reached: new(atomic.Uint64)}}
	v.reached.Store(minSeq)
	if _, err := v.Info(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// At implements [metalog.MetadataStore]. The server finds the seq of the point
// once, and all reads of the view are of that seq, also if it was the head then.
// Now gives what View gives.
func (c *Client) At(ctx context.Context, at metalog.Point) (metalog.View, error) {
	if at.IsNow() {
		return c.View(ctx, 0)
	}
	v := view{reads{c: c, at: at.String(), reached: new(atomic.Uint64)}}
	info, err := v.Info(ctx)
	if err != nil {
		return nil, err
	}
	if at.Seq != 0 && info.Seq != at.Seq || at.Seq == 0 && info.Time > at.Time {
		return nil, events.Errorf(events.CodeUnavailable, "the server at %s answers of seq %d when it is asked for %s: it does not know earlier states; bring it to the client's version", c.url, info.Seq, at)
	}
	v.at = strconv.FormatUint(info.Seq, 10)
	return v, nil
}

type view struct{ reads }

func (v view) Seq() uint64  { return v.reached.Load() }
func (v view) Close() error { return nil }
