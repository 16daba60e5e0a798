package metalog

import (
	"context"
	"crypto/sha256"

	"github.com/metalog/metalog/events"
)

// Command asks for one change, which is one record when it is done. The types
// that implement it are those of the decide_*.go files, a file an entity.
type Command interface {
	// Op is the command's name: the noun and the verb of the command line.
	Op() string
	// validate checks what can be checked without knowing any state.
	validate() error
	// decide looks at the view and emits the events, or rejects. It is the only
	// place that rejects, and is pure: all that it may look at is in d.
	decide(d *decision) error
}

// Result tells what a command did.
type Result = events.Result

// CommandOptions are what any command may carry. The zero value asks for
// nothing special.
type CommandOptions struct {
	// ID is an idempotency key, scoped by Actor: within the command window (the
	// last 262,144 records) the same ID with the same command returns the first
	// result and writes nothing; with another command it is ErrConflict.
	ID string
	// IfRevision is the revision that the command's entity must have, 0 that it
	// must not exist. Anything else is ErrConflict naming the actual one.
	IfRevision *uint64
	// Actor is who asks, for the record.
	Actor string
	// Cause is the event because of which the command is given, for the record.
	Cause *events.Position
	// Reason is free text for the record.
	Reason string
}

// CommandOption sets one of [CommandOptions].
type CommandOption func(*CommandOptions)

// WithCommandID makes the command idempotent: see [CommandOptions.ID].
func WithCommandID(id string) CommandOption { return func(o *CommandOptions) { o.ID = id } }

// IfRevision makes the command conditional: see [CommandOptions.IfRevision].
func IfRevision(revision uint64) CommandOption {
	return func(o *CommandOptions) { o.IfRevision = &revision }
}

// WithActor names who asks.
func WithActor(actor string) CommandOption { return func(o *CommandOptions) { o.Actor = actor } }

// WithReason says why, for the record.
func WithReason(reason string) CommandOption { return func(o *CommandOptions) { o.Reason = reason } }

// WithCause names the event because of which the command is given.
func WithCause(cause events.Position) CommandOption {
	return func(o *CommandOptions) { o.Cause = &cause }
}

// NewCommandOptions applies opts to the zero CommandOptions.
func NewCommandOptions(opts ...CommandOption) CommandOptions {
	if len(opts) == 0 {
		return CommandOptions{}
	}
	var o CommandOptions
	for _, set := range opts {
		set(&o)
	}
	return o
}

func (o *CommandOptions) validate() error {
	var c checks
	c.optionalText("command_id", o.ID, events.MaxCommandIDBytes)
	c.optionalText("actor", o.Actor, events.MaxActorBytes)
	c.optionalText("reason", o.Reason, events.MaxReasonBytes)
	return c.err
}

// commandHash identifies a command's body, so that an ID used again with
// another body is found out.
func commandHash(cmd Command) ([]byte, error) {
	body, err := events.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	h.Write([]byte(cmd.Op()))
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum(nil), nil
}

// Executor does commands: a [Store] in process, or a client of one.
type Executor interface {
	Execute(ctx context.Context, cmd Command, opts CommandOptions) (Result, error)
}
