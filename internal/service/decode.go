package service

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// decodeQuery reads what a read asks for, and of which state.
func decodeQuery(r micro.Request, into any) (of state, err error) {
	if err := decodeStrict(r.Data(), into); err != nil {
		return of, err
	}
	n, err := headerNumber(r.Headers(), wire.HeaderMinSeq)
	if err != nil {
		return of, err
	}
	if n != nil {
		of.minSeq = *n
	}
	of.at, err = headerPoint(r.Headers(), wire.HeaderAt)
	return of, err
}

// refuseAt refuses a point for what is not answered from views: it would be
// ignored.
func refuseAt(h micro.Headers) error {
	if h.Get(wire.HeaderAt) == "" {
		return nil
	}
	return events.Errorf(events.CodeInvalid, "header %s: only reads of the views have earlier states; leave it out", wire.HeaderAt)
}

// headerPoint reads a header of a point that may be missing. Days and times in it
// without a zone are UTC.
func headerPoint(h micro.Headers, name string) (*metalog.Point, error) {
	text := h.Get(name)
	if text == "" {
		return nil, nil
	}
	at, err := metalog.ParsePoint(text, time.Now().UTC())
	if err != nil {
		return nil, events.Errorf(events.CodeOf(err), "header %s: %w", name, err)
	}
	return &at, nil
}

// decodeStrict decodes one JSON object. No body is an empty object.
func decodeStrict(body []byte, into any) error {
	if len(body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return events.Errorf(events.CodeInvalid, "the body is not an object of this request: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); err != io.EOF {
		return events.Errorf(events.CodeInvalid, "something follows the object in the body")
	}
	return nil
}

// parseCommand reads a command's body. No body is a command without fields.
func parseCommand(op string, body []byte) (metalog.Command, error) {
	if len(body) == 0 {
		body = []byte("{}")
	}
	return metalog.ParseCommand(op, body)
}

// commandOptions reads what any command may carry. The actor is what the request
// says: whoever may connect to the server is trusted with that.
func commandOptions(h micro.Headers) (opts metalog.CommandOptions, err error) {
	text := map[string]*string{wire.HeaderCommandID: &opts.ID, wire.HeaderActor: &opts.Actor, wire.HeaderReason: &opts.Reason}
	for name, field := range text {
		if *field, err = wire.UnescapeText(h.Get(name)); err != nil {
			return opts, headerError(name, h.Get(name), "percent-encoded text")
		}
	}
	if opts.IfRevision, err = headerNumber(h, wire.HeaderIfRevision); err != nil {
		return opts, err
	}
	opts.Cause, err = headerPosition(h, wire.HeaderCause)
	return opts, err
}

// headerNumber reads a header that may be missing.
func headerNumber(h micro.Headers, name string) (*uint64, error) {
	text := h.Get(name)
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, headerError(name, text, "a number")
	}
	return &n, nil
}

func headerPosition(h micro.Headers, name string) (*events.Position, error) {
	text := h.Get(name)
	if text == "" {
		return nil, nil
	}
	var p events.Position
	if _, err := fmt.Sscanf(text, "%d.%d", &p.Seq, &p.Index); err != nil || p.String() != text {
		return nil, headerError(name, text, "seq.index")
	}
	return &p, nil
}

func headerError(name, text, want string) error {
	return events.Errorf(events.CodeInvalid, "header %s: %q is not %s", name, text, want)
}

// named puts the operation before an error that does not name it.
func named(op string, err error) error {
	return events.Errorf(events.CodeOf(err), "%s: %w", op, err)
}
