package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// Execute implements [metalog.Writer]. Once the command is sent, no answer means
// ErrOutcomeUnknown. Commands of one operation that are given from many goroutines
// at once share messages.
func (c *Client) Execute(ctx context.Context, cmd metalog.Command, opts metalog.CommandOptions) (metalog.Result, error) {
	if opts.Actor == "" {
		opts.Actor = c.opts.Actor
	}
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return metalog.Result{}, unsent(cmd.Op(), err)
	}
	if c.maxBatch.Load() > 1 {
		return c.gathererOf(cmd.Op()).execute(ctx, cmd, opts)
	}
	return c.executeAlone(ctx, cmd, opts)
}

// executeAlone does a command by a request of its own.
func (c *Client) executeAlone(ctx context.Context, cmd metalog.Command, opts metalog.CommandOptions) (metalog.Result, error) {
	var result metalog.Result
	body, err := encodeCommand(cmd)
	if err != nil {
		return result, err
	}
	msg := nats.NewMsg(wire.Subject(c.opts.Cluster, cmd.Op()))
	msg.Data = body
	c.setOptions(msg.Header, opts)
	answer, err := c.inbox.Ask(ctx, msg)
	if err != nil {
		return result, c.commandError(cmd.Op(), err)
	}
	c.noteBatches(answer.Header)
	err = decode(answer.Header, answer.Data, &result)
	if errors.Is(err, errUnreadable) {
		err = unreadableOutcome(cmd.Op(), err)
	}
	return result, err
}

// encodeCommand encodes a command's fields. What is not UTF-8 is refused as the
// store would: encoding/json replaces it, and another command would be done.
func encodeCommand(cmd metalog.Command) ([]byte, error) {
	body, err := wire.Encode(cmd)
	if err != nil {
		return nil, err
	}
	// A replacement that was in the text stands in it as itself, not as an escape.
	withoutBackslashes := bytes.ReplaceAll(body, []byte(`\\`), nil)
	if bytes.Contains(withoutBackslashes, []byte(`\ufffd`)) {
		return nil, events.Errorf(events.CodeInvalid, "%s: text that is not valid UTF-8", cmd.Op())
	}
	return body, nil
}

func (c *Client) setOptions(h nats.Header, opts metalog.CommandOptions) {
	if opts.Actor == "" {
		opts.Actor = c.opts.Actor
	}
	text := map[string]string{wire.HeaderCommandID: opts.ID, wire.HeaderActor: opts.Actor, wire.HeaderReason: opts.Reason}
	for name, value := range text {
		if value != "" {
			h.Set(name, wire.EscapeText(value))
		}
	}
	if opts.IfRevision != nil {
		h.Set(wire.HeaderIfRevision, strconv.FormatUint(*opts.IfRevision, 10))
	}
	if opts.Cause != nil {
		h.Set(wire.HeaderCause, opts.Cause.String())
	}
}

// commandError tells a command that was not sent from one that may have been
// done.
func (c *Client) commandError(op string, err error) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrReconnectBufExceeded):
		return c.unanswered(op, err)
	case errors.Is(err, nats.ErrMaxPayload):
		return c.tooLarge(op)
	}
	return events.Errorf(events.CodeOutcomeUnknown, "%s may or may not be done: no answer from %s: %w; read, or repeat it with the same command id", op, c.url, err)
}

func (c *Client) tooLarge(op string) error {
	return events.Errorf(events.CodeTooLarge, "%s: the request is larger than the NATS server at %s takes (%d bytes); split it, or raise max_payload", op, c.url, c.nc.MaxPayload())
}

// bounded gives a context without a deadline the client's timeout.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.opts.Timeout)
}

// errUnreadable is an answer that no server of this version gives.
var errUnreadable = errors.New("the answer can't be read; client and server differ in version")

// decode reads an answer: the error in it, or what was asked for.
func decode(h nats.Header, body []byte, into any) error {
	if h.Get(micro.ErrorCodeHeader) == "" {
		if err := json.Unmarshal(body, into); err != nil {
			return fmt.Errorf("%w (%w)", errUnreadable, err)
		}
		return nil
	}
	var e wire.Error
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("%w (%w)", errUnreadable, err)
	}
	return e.Err()
}
