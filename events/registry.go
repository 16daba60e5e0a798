package events

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fxamacker/cbor/v2"
)

// Event is one fact, in the past tense. Every implementation is a pointer to a
// struct of this package, and the registry knows all of them.
type Event interface {
	Type() Type
	// Entity names the aggregate that the event is about.
	Entity() EntityRef
}

// Type is the number of an event type in records. A number is never used again
// for another type.
type Type uint16

// The event types, grouped by entity with room to grow.
const (
	TypeEpochStarted      Type = 1
	TypeSystemInitialized Type = 2
	TypeDigestRecorded    Type = 3
	TypeImportStarted     Type = 4
	TypeImportCompleted   Type = 5
	TypeCascadeCompleted  Type = 6

	TypeTopicCreated    Type = 20
	TypeTopicUpdated    Type = 21
	TypePartitionsAdded Type = 22
	TypeTopicDeleted    Type = 23
	TypeTopicPurged     Type = 24

	TypeSegmentAdded      Type = 40
	TypeSegmentsCompacted Type = 41
	TypeSegmentRemoved    Type = 42

	TypeBrokerRegistered    Type = 60
	TypeBrokerStatusChanged Type = 61
	TypeBrokerRemoved       Type = 62

	TypePartitionAssigned      Type = 80
	TypeLeaderChanged          Type = 81
	TypeIsrChanged             Type = 82
	TypePartitionReassigned    Type = 83
	TypePartitionUnassigned    Type = 84
	TypeHighWatermarkAdvanced  Type = 85
	TypeLogStartOffsetAdvanced Type = 86
	TypeWatermarksDeleted      Type = 87

	TypeGroupCreated Type = 100
	TypeGroupUpdated Type = 101
	TypeGroupDeleted Type = 102

	TypeOffsetCommitted Type = 120
	TypeOffsetReset     Type = 121
	TypeOffsetDeleted   Type = 122
	TypeOffsetExpired   Type = 123

	TypeConfigSet     Type = 140
	TypeConfigDeleted Type = 141

	TypeProducerIDsAllocated        Type = 160
	TypeTransactionBegun            Type = 161
	TypeTransactionPartitionsAdded  Type = 162
	TypeTransactionOffsetsAdded     Type = 163
	TypeTransactionOffsetsCommitted Type = 164
	TypeTransactionPrepared         Type = 165
	TypeTransactionCommitted        Type = 166
	TypeTransactionAborted          Type = 167
	TypeProducerFenced              Type = 168
	TypeTransactionPartitionRemoved Type = 169
	TypeTransactionOffsetDropped    Type = 170
)

// schema is what the registry knows of an event type. versions[v-1] decodes
// payloads of schema version v; the last one is written, all are read.
type schema struct {
	name     string
	fresh    func() Event // an empty event of today's version
	versions []decoder
}

type decoder func(payload []byte) (Event, error)

// current decodes the version that T itself describes. A field that T does not
// have is an error: a new field is a new schema version.
func current[T any, P eventPointer[T]](payload []byte) (Event, error) {
	event := P(new(T))
	return event, decodeStrict(payload, event)
}

type eventPointer[T any] interface {
	*T
	Event
}

// describe makes the schema of T, whose older versions old decodes.
func describe[T any, P eventPointer[T]](name string, old ...decoder) schema {
	return schema{
		name:     name,
		fresh:    func() Event { return P(new(T)) },
		versions: append(old, current[T, P]),
	}
}

// upcast decodes an old version, described by Old, and brings it up to date.
// It is how a version stays readable after its successor was added:
//
//	TypeTopicUpdated: describe[TopicUpdated]("TopicUpdated",
//		upcast(func(old topicUpdatedV1) Event { return &TopicUpdated{…} })),
func upcast[Old any](convert func(Old) Event) decoder {
	return func(payload []byte) (Event, error) {
		var old Old
		if err := decodeStrict(payload, &old); err != nil {
			return nil, err
		}
		return convert(old), nil
	}
}

var registry = map[Type]schema{
	TypeEpochStarted:      describe[EpochStarted]("EpochStarted"),
	TypeSystemInitialized: describe[SystemInitialized]("SystemInitialized"),
	TypeDigestRecorded:    describe[DigestRecorded]("DigestRecorded"),
	TypeImportStarted:     describe[ImportStarted]("ImportStarted"),
	TypeImportCompleted:   describe[ImportCompleted]("ImportCompleted"),
	TypeCascadeCompleted:  describe[CascadeCompleted]("CascadeCompleted"),

	TypeTopicCreated:    describe[TopicCreated]("TopicCreated"),
	TypeTopicUpdated:    describe[TopicUpdated]("TopicUpdated"),
	TypePartitionsAdded: describe[PartitionsAdded]("PartitionsAdded"),
	TypeTopicDeleted:    describe[TopicDeleted]("TopicDeleted"),
	TypeTopicPurged:     describe[TopicPurged]("TopicPurged"),

	TypeSegmentAdded:      describe[SegmentAdded]("SegmentAdded"),
	TypeSegmentsCompacted: describe[SegmentsCompacted]("SegmentsCompacted"),
	TypeSegmentRemoved:    describe[SegmentRemoved]("SegmentRemoved"),

	TypeBrokerRegistered:    describe[BrokerRegistered]("BrokerRegistered"),
	TypeBrokerStatusChanged: describe[BrokerStatusChanged]("BrokerStatusChanged"),
	TypeBrokerRemoved:       describe[BrokerRemoved]("BrokerRemoved"),

	TypePartitionAssigned:      describe[PartitionAssigned]("PartitionAssigned"),
	TypeLeaderChanged:          describe[LeaderChanged]("LeaderChanged"),
	TypeIsrChanged:             describe[IsrChanged]("IsrChanged"),
	TypePartitionReassigned:    describe[PartitionReassigned]("PartitionReassigned"),
	TypePartitionUnassigned:    describe[PartitionUnassigned]("PartitionUnassigned"),
	TypeHighWatermarkAdvanced:  describe[HighWatermarkAdvanced]("HighWatermarkAdvanced"),
	TypeLogStartOffsetAdvanced: describe[LogStartOffsetAdvanced]("LogStartOffsetAdvanced"),
	TypeWatermarksDeleted:      describe[WatermarksDeleted]("WatermarksDeleted"),

	TypeGroupCreated: describe[GroupCreated]("GroupCreated"),
	TypeGroupUpdated: describe[GroupUpdated]("GroupUpdated"),
	TypeGroupDeleted: describe[GroupDeleted]("GroupDeleted"),

	TypeOffsetCommitted: describe[OffsetCommitted]("OffsetCommitted"),
	TypeOffsetReset:     describe[OffsetReset]("OffsetReset"),
	TypeOffsetDeleted:   describe[OffsetDeleted]("OffsetDeleted"),
	TypeOffsetExpired:   describe[OffsetExpired]("OffsetExpired"),

	TypeConfigSet:     describe[ConfigSet]("ConfigSet"),
	TypeConfigDeleted: describe[ConfigDeleted]("ConfigDeleted"),

	TypeProducerIDsAllocated:        describe[ProducerIDsAllocated]("ProducerIdsAllocated"),
	TypeTransactionBegun:            describe[TransactionBegun]("TransactionBegun"),
	TypeTransactionPartitionsAdded:  describe[TransactionPartitionsAdded]("TransactionPartitionsAdded"),
	TypeTransactionOffsetsAdded:     describe[TransactionOffsetsAdded]("TransactionOffsetsAdded"),
	TypeTransactionOffsetsCommitted: describe[TransactionOffsetsCommitted]("TransactionOffsetsCommitted"),
	TypeTransactionPrepared:         describe[TransactionPrepared]("TransactionPrepared"),
	TypeTransactionCommitted:        describe[TransactionCommitted]("TransactionCommitted"),
	TypeTransactionAborted:          describe[TransactionAborted]("TransactionAborted"),
	TypeProducerFenced:              describe[ProducerFenced]("ProducerFenced"),
	TypeTransactionPartitionRemoved: describe[TransactionPartitionRemoved]("TransactionPartitionRemoved"),
	TypeTransactionOffsetDropped:    describe[TransactionOffsetDropped]("TransactionOffsetDropped"),
}

// String returns the type's name, as in subjects and on the command line.
func (t Type) String() string {
	if s, ok := registry[t]; ok {
		return s.name
	}
	return fmt.Sprintf("Type(%d)", uint16(t))
}

// typesByName is registry the other way round.
var typesByName = func() map[string]Type {
	types := make(map[string]Type, len(registry))
	for t, s := range registry {
		types[s.name] = t
	}
	return types
}()

// Types returns every registered type, in order of their numbers.
func Types() []Type { return slices.Sorted(maps.Keys(registry)) }

// ParseType returns the type of that name.
func ParseType(name string) (Type, error) {
	t, ok := typesByName[name]
	if !ok {
		return 0, Errorf(CodeInvalid, "event type %q is not known; docs/record-format.md lists the types", name)
	}
	return t, nil
}

// New returns an empty event of type t, to be decoded into. The type must be one
// that [ParseType] knows.
func New(t Type) Event { return registry[t].fresh() }

// schemaVersion returns the version that is written for t.
func schemaVersion(t Type) uint16 { return uint16(len(registry[t].versions)) }

// decodeEvent decodes a payload, of whatever version, to today's event. An
// unknown type or version is an error: replay never skips.
func decodeEvent(t Type, version uint16, payload cbor.RawMessage) (Event, error) {
	s, ok := registry[t]
	if !ok {
		return nil, Errorf(CodeCorrupt, "event type %d is not known; a newer metalog wrote it", t)
	}
	if version == 0 || int(version) > len(s.versions) {
		return nil, Errorf(CodeCorrupt, "%s: schema version %d is not known (newest: %d); a newer metalog wrote it", s.name, version, len(s.versions))
	}
	event, err := s.versions[version-1](payload)
	if err != nil {
		return nil, Errorf(CodeCorrupt, "%s: payload: %w", s.name, err)
	}
	return event, nil
}
