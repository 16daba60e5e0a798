package events

import "github.com/google/uuid"

// Topic is a named, partitioned stream. Its children hang on ID, never on Name:
// a topic deleted and created again under its old name is another topic.
type Topic struct {
	Name              string    `cbor:"1,keyasint" json:"name"`
	ID                uuid.UUID `cbor:"2,keyasint" json:"id"`
	Partitions        int32     `cbor:"3,keyasint" json:"partitions"`
	ReplicationFactor int16     `cbor:"4,keyasint" json:"replication_factor"`
	Config            Config    `cbor:"-" json:"config"` // kept in the configs view, joined on read
	Internal          bool      `cbor:"6,keyasint,omitempty" json:"internal"`
	CreatedAt         Time      `cbor:"7,keyasint" json:"created_at"`
	UpdatedAt         Time      `cbor:"8,keyasint" json:"updated_at"`
	Revision          uint64    `cbor:"9,keyasint" json:"revision"`
}

// TopicRef is the part of a topic's own events that names it.
type TopicRef struct {
	Name string    `cbor:"1,keyasint" json:"name"`
	ID   uuid.UUID `cbor:"2,keyasint" json:"id"`
}

// Entity names the topic.
func (r TopicRef) Entity() EntityRef { return EntityRef{KindTopic, r.Name} }

// PartitionRef is the part of a partition's, segment's or watermark's event
// that names the partition.
type PartitionRef struct {
	Topic     string    `cbor:"1,keyasint" json:"topic"`
	TopicID   uuid.UUID `cbor:"2,keyasint" json:"topic_id"`
	Partition int32     `cbor:"3,keyasint" json:"partition"`
}

// Entity names the topic.
func (r PartitionRef) Entity() EntityRef { return EntityRef{KindTopic, r.Topic} }

// TopicCreated: a topic exists from here on, with no children.
type TopicCreated struct {
	TopicRef
	Partitions        int32  `cbor:"3,keyasint" json:"partitions"`
	ReplicationFactor int16  `cbor:"4,keyasint" json:"replication_factor"`
	Config            Config `cbor:"5,keyasint,omitempty" json:"config"`
	Internal          bool   `cbor:"6,keyasint,omitempty" json:"internal"`
}

// TopicUpdated: the topic's config was replaced as a whole, and its replication
// factor is now ReplicationFactor.
type TopicUpdated struct {
	TopicRef
	ReplicationFactor int16  `cbor:"3,keyasint" json:"replication_factor"`
	Config            Config `cbor:"4,keyasint,omitempty" json:"config"`
}

// PartitionsAdded: the topic now has Partitions partitions, more than before.
type PartitionsAdded struct {
	TopicRef
	Partitions int32 `cbor:"3,keyasint" json:"partitions"` // the new total
}

// TopicDeleted: the topic and all below it are unreachable from here on.
type TopicDeleted struct {
	TopicRef
	// Purging: what hung on it did not fit in this record; further records carry
	// the rest, and TopicPurged says that it is complete.
	Purging bool `cbor:"3,keyasint,omitempty" json:"purging"`
}

// TopicPurged: nothing of the deleted topic is left.
type TopicPurged struct {
	TopicRef
}

func (*TopicCreated) Type() Type    { return TypeTopicCreated }
func (*TopicUpdated) Type() Type    { return TypeTopicUpdated }
func (*PartitionsAdded) Type() Type { return TypePartitionsAdded }
func (*TopicDeleted) Type() Type    { return TypeTopicDeleted }
func (*TopicPurged) Type() Type     { return TypeTopicPurged }
