package logread

import (
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog/events"
)

// Op is the name of the operation.
const Op = "log.read"

// Subject returns the subject of the request, of the same scheme as that of all
// operations.
func Subject(cluster string) string { return "metalog." + cluster + ".api." + Op }

// The bounds of an answer.
const (
	// MaxBytes is the most that a request is answered with, and what one that
	// asks for nothing else gets. A single frame comes whole, whatever the bound.
	MaxBytes = 4 << 20
	// MaxWait is the longest that a request may wait.
	MaxWait = 30 * time.Second
)

// Request asks for frames.
type Request struct {
	From     uint64 `json:"from"`                // the first seq that is wanted, 1 or more
	MaxBytes int    `json:"max_bytes,omitempty"` // of frames; 0 or more than MaxBytes: MaxBytes
	WaitMs   int64  `json:"wait_ms,omitempty"`   // for the first seq to be there; more than MaxWait: MaxWait
	// Prev is the hash of the record before From as the one who asks knows it: a
	// server whose log ends with another record there does not wait.
	Prev events.Hash `json:"prev,omitzero"`
}

// Wait is for how long the server may wait.
func (r Request) Wait() time.Duration {
	return min(time.Duration(min(max(r.WaitMs, 0), MaxWait.Milliseconds()))*time.Millisecond, MaxWait)
}

func (r Request) maxBytes() int {
	if r.MaxBytes <= 0 {
		return MaxBytes
	}
	return min(r.MaxBytes, MaxBytes)
}

func (r Request) check() error {
	if r.From == 0 {
		return events.Errorf(events.CodeInvalid, "%s: from: is missing; the first seq is 1", Op)
	}
	return nil
}

// State is where the log stands that an answer was read from.
type State struct {
	LogID uuid.UUID
	Epoch uint64
	First uint64      // the first seq that is still there
	Head  events.Head // not before the last frame of the answer
}

// The headers of an answer. That of errors is the same for all operations;
// what they hold of a state is decimal, but for id and hash.
const (
	headerLogID    = "Metalog-Log-Id"
	headerEpoch    = "Metalog-Epoch"
	headerFirst    = "Metalog-First-Seq"
	headerHeadSeq  = "Metalog-Head-Seq"
	headerHeadHash = "Metalog-Head-Hash"

	headerError = "Nats-Service-Error-Code"
)

// Header tells a state.
func (s State) Header() nats.Header {
	return nats.Header{
		headerLogID:    {s.LogID.String()},
		headerEpoch:    {strconv.FormatUint(s.Epoch, 10)},
		headerFirst:    {strconv.FormatUint(s.First, 10)},
		headerHeadSeq:  {strconv.FormatUint(s.Head.Seq, 10)},
		headerHeadHash: {s.Head.Hash.String()},
	}
}

// parseState reads what State.Header wrote.
func parseState(h nats.Header) (s State, err error) {
	if s.LogID, err = uuid.Parse(h.Get(headerLogID)); err != nil {
		return s, err
	}
	numbers := map[string]*uint64{headerEpoch: &s.Epoch, headerFirst: &s.First, headerHeadSeq: &s.Head.Seq}
	for name, field := range numbers {
		if *field, err = strconv.ParseUint(h.Get(name), 10, 64); err != nil {
			return s, err
		}
	}
	return s, s.Head.Hash.UnmarshalText([]byte(h.Get(headerHeadHash)))
}
