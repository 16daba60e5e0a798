package publisher

import (
	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// Checkpoint is how far a subscriber has come. A subscriber stores it together
// with what it made of the events, in one transaction, and gives it to Subscribe
// the next time: it then misses and repeats nothing, and is told when the log's
// history is not the one that it has seen. The zero value is the beginning.
type Checkpoint struct {
	LogID uuid.UUID       `json:"log_id"`
	Epoch uint64          `json:"epoch"` // of the log, when the stream was read
	Last  events.Head     `json:"last"`  // the last record seen
	Next  events.Position `json:"next"`  // the first event not seen
}

// IsZero reports whether c is the beginning.
func (c Checkpoint) IsZero() bool { return c == Checkpoint{} }

// Checkpoint returns the checkpoint of a subscriber that is done with the
// message, of which it asked for all events.
func (m *Message) Checkpoint() Checkpoint {
	return Checkpoint{LogID: m.LogID, Epoch: m.streamEpoch, Last: events.Head{Seq: m.Seq, Hash: m.Hash}, Next: m.Next()}
}
