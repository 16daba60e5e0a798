package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog/internal/inbox"
	"github.com/metalog/metalog/internal/wire"
)

// list asks for a list, and yields its rows as they come. The server has read all of
// them from one state by the time that it has sent the last one, so it does not matter
// to it how long the loop takes; what has come waits here.
func list[Req, Row any](ctx context.Context, r reads, q wire.List[Req, Row], req Req) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		var none Row
		answer, err := r.stream(ctx, q.Op, req)
		if err != nil {
			yield(none, err)
			return
		}
		defer answer.parts.Close()
		dec := json.NewDecoder(answer)
		_, err = dec.Token() // [
		for err == nil && dec.More() {
			var row Row
			if err = dec.Decode(&row); err == nil && !yield(row, nil) {
				return
			}
		}
		if err == nil {
			_, err = dec.Token() // ]
		}
		if err = answer.failure(err); err != nil {
			yield(none, err)
		}
	}
}

// stream sends the request of a list.
func (r reads) stream(ctx context.Context, op string, req any) (*listAnswer, error) {
	msg, err := r.query(op, req)
	if err != nil {
		return nil, err
	}
	parts, err := r.c.inbox.Stream(msg)
	if err != nil {
		return nil, r.c.readError(op, err)
	}
	return &listAnswer{ctx: ctx, reads: r, op: op, parts: parts}, nil
}

// listAnswer reads the text of a list, as its parts come.
type listAnswer struct {
	reads
	ctx   context.Context // of the loop
	op    string
	parts *inbox.Parts
	text  []byte // of the part that is being read
	err   error  // why there is no more, other than that the answer has ended
}

// Read implements io.Reader.
func (a *listAnswer) Read(p []byte) (int, error) {
	for len(a.text) == 0 {
		part, err := a.next()
		if err != nil {
			a.err = err
			return 0, err
		}
		if part == nil {
			return 0, io.EOF
		}
		a.text = part.Data
	}
	n := copy(p, a.text)
	a.text = a.text[n:]
	return n, nil
}

// next returns the next part, or the error that it tells.
func (a *listAnswer) next() (*nats.Msg, error) {
	ctx, cancel := a.c.bounded(a.ctx)
	defer cancel()
	part, err := a.parts.Next(ctx)
	if err != nil {
		return nil, a.c.readError(a.op, err)
	}
	if part == nil {
		return nil, nil
	}
	if part.Header.Get(micro.ErrorCodeHeader) != "" {
		return nil, unreadable(a.op, decode(part.Header, part.Data, nil))
	}
	return part, a.note(a.op, part.Header)
}

// failure is the error that reading the text ended with: what was told in its place, or
// that the text makes no sense.
func (a *listAnswer) failure(err error) error {
	if err == nil || a.err != nil {
		return a.err
	}
	return unreadable(a.op, errors.Join(errUnreadable, err))
}
