package events

import "github.com/google/uuid"

// OffsetRef names a group's position in a partition.
type OffsetRef struct {
	Group     string    `cbor:"1,keyasint" json:"group"`
	GroupID   uint64    `cbor:"2,keyasint" json:"group_id"`
	Topic     string    `cbor:"3,keyasint" json:"topic"`
	TopicID   uuid.UUID `cbor:"4,keyasint" json:"topic_id"`
	Partition int32     `cbor:"5,keyasint" json:"partition"`
}

// Entity names the group.
func (r OffsetRef) Entity() EntityRef { return EntityRef{KindGroup, r.Group} }

// OffsetInfo is what a group commits for a partition.
type OffsetInfo struct {
	Offset      int64  `cbor:"6,keyasint" json:"offset"`       // of the next record to read
	LeaderEpoch int32  `cbor:"7,keyasint" json:"leader_epoch"` // of the last record read; -1: not known
	Metadata    string `cbor:"8,keyasint,omitempty" json:"metadata"`
}

// Offset is a group's committed position in a partition.
type Offset struct {
	OffsetRef
	OffsetInfo
	CommittedAt Time   `json:"committed_at"`
	Revision    uint64 `json:"revision"`
}

// OffsetCommitted: the group has read up to Offset.
type OffsetCommitted struct {
	OffsetRef
	OffsetInfo
}

// OffsetReset: an operator moved the group to Offset.
type OffsetReset struct {
	OffsetRef
	OffsetInfo
}

// OffsetDeleted: the group has no position in the partition any more.
type OffsetDeleted struct {
	OffsetRef
}

// OffsetExpired: as OffsetDeleted, because it had not been committed for longer
// than the retention.
type OffsetExpired struct {
	OffsetRef
}

func (*OffsetCommitted) Type() Type { return TypeOffsetCommitted }
func (*OffsetReset) Type() Type     { return TypeOffsetReset }
func (*OffsetDeleted) Type() Type   { return TypeOffsetDeleted }
func (*OffsetExpired) Type() Type   { return TypeOffsetExpired }
