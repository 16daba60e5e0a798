package wire

import (
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// HeaderBatch makes a request a batch of so many commands, and is in each answer to
// a command from a server that takes batches: how many commands it takes in one.
const HeaderBatch = "Metalog-Batch"

// MaxBatch is the most commands that a server takes in one request.
const MaxBatch = 512

// Order is a command in a batch.
type Order struct {
	Options []byte // encoded orderOptions; empty: none of them
	Command []byte // by metalog.EncodeCommand
}

// Bytes is how many bytes it has.
func (o Order) Bytes() int { return len(o.Options) + len(o.Command) }

// orderOptions is what a request has in its headers.
type orderOptions struct {
	ID         string           `cbor:"1,keyasint,omitempty"`
	Actor      string           `cbor:"2,keyasint,omitempty"`
	Reason     string           `cbor:"3,keyasint,omitempty"`
	IfRevision *uint64          `cbor:"4,keyasint,omitempty"`
	Cause      *events.Position `cbor:"5,keyasint,omitempty"`
}

// EncodeOrder encodes a command as it stands in a batch.
func EncodeOrder(cmd metalog.Command, opts metalog.CommandOptions) (o Order, err error) {
	if opts != (metalog.CommandOptions{}) {
		o.Options, err = events.Marshal(orderOptions{ID: opts.ID, Actor: opts.Actor, Reason: opts.Reason, IfRevision: opts.IfRevision, Cause: opts.Cause})
		if err != nil {
			return o, err
		}
	}
	o.Command, err = metalog.EncodeCommand(cmd)
	return o, err
}

// Decode reads what EncodeOrder wrote for an operation.
func (o Order) Decode(op string) (order metalog.Order, err error) {
	if len(o.Options) > 0 {
		var opts orderOptions
		if err := events.Unmarshal(o.Options, &opts); err != nil {
			return order, events.Errorf(events.CodeInvalid, "%s: not the options of a command: %w; client and server may differ in version", op, err)
		}
		order.Options = metalog.CommandOptions{ID: opts.ID, IfRevision: opts.IfRevision, Actor: opts.Actor, Cause: opts.Cause, Reason: opts.Reason}
	}
	order.Command, err = metalog.DecodeCommand(op, o.Command)
	return order, err
}

// EncodeBatch puts orders together. What one has wrong is no matter of the others:
// each is read by itself.
func EncodeBatch(orders []Order) ([]byte, error) {
	parts := make([][]byte, 0, 2*len(orders))
	for _, o := range orders {
		parts = append(parts, o.Options, o.Command)
	}
	return events.Marshal(parts)
}

// DecodeBatch takes a batch of so many orders apart.
func DecodeBatch(body []byte, of int) ([]Order, error) {
	var parts [][]byte
	if err := events.Unmarshal(body, &parts); err != nil {
		return nil, events.Errorf(events.CodeInvalid, "the body is not a batch of commands: %w", err)
	}
	if len(parts) != 2*of {
		return nil, events.Errorf(events.CodeInvalid, "header %s: the batch has %d commands, not %d", HeaderBatch, len(parts)/2, of)
	}
	orders := make([]Order, of)
	for i := range orders {
		orders[i] = Order{Options: parts[2*i], Command: parts[2*i+1]}
	}
	return orders, nil
}

// Outcome is what a command of a batch is answered.
type Outcome struct {
	Result *metalog.Result `cbor:"1,keyasint,omitempty"`
	Error  *Error          `cbor:"2,keyasint,omitempty"`
}

// EncodeOutcomes encodes the answer to a batch.
func EncodeOutcomes(outcomes []metalog.Outcome) ([]byte, error) {
	told := make([]Outcome, len(outcomes))
	for i := range outcomes {
		if err := outcomes[i].Err; err != nil {
			e := ErrorOf(err)
			e.Message = strings.ToValidUTF8(e.Message, "\ufffd") // as JSON does
			told[i].Error = &e
		} else {
			told[i].Result = &outcomes[i].Result
		}
	}
	return events.Marshal(told)
}

// DecodeOutcomes reads the answer to a batch of so many commands.
func DecodeOutcomes(body []byte, of int) ([]metalog.Outcome, error) {
	var told []Outcome
	if err := events.Unmarshal(body, &told); err != nil {
		return nil, err
	}
	if len(told) != of {
		return nil, events.Errorf(events.CodeUnavailable, "%d outcomes for %d commands", len(told), of)
	}
	outcomes := make([]metalog.Outcome, of)
	for i, o := range told {
		switch {
		case o.Error != nil:
			outcomes[i].Err = o.Error.Err()
		case o.Result != nil:
			outcomes[i].Result = *o.Result
		default:
			return nil, events.Errorf(events.CodeUnavailable, "outcome %d is empty", i)
		}
	}
	return outcomes, nil
}

// BatchHeader is the header of a batch of so many commands, or of an answer of a
// server that takes so many.
func BatchHeader(n int) nats.Header { return nats.Header{HeaderBatch: {strconv.Itoa(n)}} }
