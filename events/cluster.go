package events

import "github.com/google/uuid"

// EpochStarted is the first event of a log, and the first after a repair that
// cut damaged records off.
type EpochStarted struct {
	LogID uuid.UUID `cbor:"1,keyasint" json:"log_id"` // of the log, the same in each of its epochs
	Epoch uint64    `cbor:"2,keyasint" json:"epoch"`  // 1, then one more for each repair
	// CommandWindow is for how many records a command id is remembered. It
	// stands in the log so that every projection of it forgets at the same seq.
	CommandWindow uint64 `cbor:"3,keyasint" json:"command_window"`
	Fork          *Head  `cbor:"4,keyasint,omitempty" json:"fork,omitempty"` // the last record kept by the repair
}

// SystemInitialized: the internal topics exist (derived TopicCreated events say
// which were missing).
type SystemInitialized struct{}

// DigestRecorded notes the digest of the views as they were before this record.
// Views of the same schema version that differ from it are wrong.
type DigestRecorded struct {
	Digest        Hash   `cbor:"1,keyasint" json:"digest"`
	At            uint64 `cbor:"2,keyasint" json:"at"` // seq of the record before this one
	SchemaVersion uint64 `cbor:"3,keyasint" json:"schema_version"`
}

// ImportStarted: what follows until ImportCompleted was brought over from
// another store.
type ImportStarted struct {
	Source string `cbor:"1,keyasint" json:"source"`
}

// ImportCompleted ends an import.
type ImportCompleted struct {
	Source   string            `cbor:"1,keyasint" json:"source"`
	Imported map[string]uint64 `cbor:"2,keyasint,omitempty" json:"imported"` // entities by noun
}

// CascadeKind tells what goes on below the event that began a cascade.
type CascadeKind string

// The cascades that can be too large for one record.
const (
	CascadeTopicDelete   CascadeKind = "topic_delete"
	CascadeGroupDelete   CascadeKind = "group_delete"
	CascadeBrokerOffline CascadeKind = "broker_offline"
	CascadeBrokerOnline  CascadeKind = "broker_online"
	CascadeBrokerRemove  CascadeKind = "broker_remove"
	CascadeLogStart      CascadeKind = "log_start"
)

// CascadeCompleted: the cascade that the record's cause began has emitted its
// last event. For a topic's, TopicPurged says so.
type CascadeCompleted struct {
	Kind CascadeKind `cbor:"1,keyasint" json:"kind"`
	Of   EntityRef   `cbor:"2,keyasint" json:"of"`
}

var clusterRef = EntityRef{Kind: KindCluster}

func (*EpochStarted) Entity() EntityRef       { return clusterRef }
func (*SystemInitialized) Entity() EntityRef  { return clusterRef }
func (*DigestRecorded) Entity() EntityRef     { return clusterRef }
func (*ImportStarted) Entity() EntityRef      { return clusterRef }
func (*ImportCompleted) Entity() EntityRef    { return clusterRef }
func (e *CascadeCompleted) Entity() EntityRef { return e.Of }

func (*EpochStarted) Type() Type      { return TypeEpochStarted }
func (*SystemInitialized) Type() Type { return TypeSystemInitialized }
func (*DigestRecorded) Type() Type    { return TypeDigestRecorded }
func (*ImportStarted) Type() Type     { return TypeImportStarted }
func (*ImportCompleted) Type() Type   { return TypeImportCompleted }
func (*CascadeCompleted) Type() Type  { return TypeCascadeCompleted }
