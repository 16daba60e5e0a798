package logread

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/inbox"
)

// Answer is what a server says.
type Answer struct {
	State
	body []byte
}

// Empty reports whether the answer has no frames.
func (a Answer) Empty() bool { return len(a.body) == 0 }

// Frames yields the frames, each checked by itself; how they follow each other
// is the caller's to check. A damaged one is ErrCorrupt and ends it.
func (a Answer) Frames() iter.Seq2[eventlog.Frame, error] {
	return func(yield func(eventlog.Frame, error) bool) {
		for body := a.body; len(body) > 0; {
			frame, rest, err := eventlog.CutFrame(body)
			if !yield(frame, err) || err != nil {
				return
			}
			body = rest
		}
	}
}

// Refusal is an error that the server answered with, and where its log stands.
// errors.Is finds the code.
type Refusal struct {
	State
	Err error
}

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// ErrNoServer is returned when nobody listens on the subject.
var ErrNoServer = errors.New("no metalog server of the cluster answers")

// Ask asks, and waits for the whole answer until ctx is done. An error that is
// a *[Refusal] is the server's; any other tells that no good answer came.
func Ask(ctx context.Context, nc *nats.Conn, cluster string, r Request) (Answer, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Answer{}, err
	}
	in, err := inbox.Open(nc)
	if err != nil {
		return Answer{}, err
	}
	defer in.Close() //nolint:errcheck // it fails only with the connection, which ends it too
	msg, err := in.Ask(ctx, &nats.Msg{Subject: Subject(cluster), Data: body})
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return Answer{}, ErrNoServer
	case err != nil:
		return Answer{}, fmt.Errorf("answer: %w", err)
	case msg.Header.Get(headerError) != "":
		return Answer{}, refusal(msg)
	}
	state, err := parseState(msg.Header)
	return Answer{state, msg.Data}, unreadable(err)
}

func refusal(msg *nats.Msg) error {
	var told struct {
		Code    events.Code `json:"code"`
		Message string      `json:"message"`
	}
	if err := json.Unmarshal(msg.Data, &told); err != nil {
		return unreadable(err)
	}
	r := &Refusal{Err: &events.Error{Code: told.Code, Message: told.Message}}
	if msg.Header.Get(headerLogID) == "" {
		return r // refused before the log was looked at
	}
	var err error
	if r.State, err = parseState(msg.Header); err != nil {
		return unreadable(err)
	}
	return r
}

func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the answer can't be read: %w; the server may be of another version", err)
}
