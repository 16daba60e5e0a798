package views

import (
	"iter"

	"github.com/metalog/metalog/events"
)

// Cascade is a cascade that goes on in further records. Of what it is about,
// those fields are set that its kind needs: Topic for topic_delete, Group for
// group_delete, Broker for the broker ones, Partition and LogStart for
// log_start.
type Cascade struct {
	Kind      events.CascadeKind  `cbor:"1,keyasint"`
	Cause     events.Position     `cbor:"2,keyasint"` // the event that began it
	Topic     events.TopicRef     `cbor:"3,keyasint,omitzero"`
	Group     events.GroupRef     `cbor:"4,keyasint,omitzero"`
	Broker    int32               `cbor:"5,keyasint,omitempty"`
	Partition events.PartitionRef `cbor:"6,keyasint,omitzero"`
	LogStart  int64               `cbor:"7,keyasint,omitempty"`
}

func cascadeKey(cause events.Position) key {
	return bucketCascades.key().uint64(cause.Seq).int32(int32(cause.Index))
}

// Cascades yields the cascades that go on, the oldest first.
func (r *Reader) Cascades() iter.Seq2[Cascade, error] {
	return rowsOf[Cascade](r, bucketCascades.key())
}

// CascadeOf returns the cascade that the event at cause began.
func (r *Reader) CascadeOf(cause events.Position) (Cascade, error) {
	cascade, found, err := load[Cascade](r, cascadeKey(cause))
	if err == nil && !found {
		err = events.Errorf(events.CodeNotFound, "cascade of event %s: not found; it is complete or never went beyond its record", cause)
	}
	return cascade, err
}

// PutCascade notes a cascade that goes on.
func (tx *Tx) PutCascade(cascade Cascade) error { return tx.save(cascadeKey(cascade.Cause), cascade) }

// DeleteCascade removes a cascade that is complete.
func (tx *Tx) DeleteCascade(cause events.Position) error { return tx.remove(cascadeKey(cause)) }
