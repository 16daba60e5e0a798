package metalog

import (
	"context"
	"iter"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
)

// MetadataStore is what brokers and controllers need of the store; what looks after its
// files and its past (diff, undo, snapshots, backups, archive, verification) are methods
// that [Store] and client.Client have besides. [Store] implements it in process,
// client.Client over NATS: a broker that starts with one moves to the other by
// changing one line. All methods are safe for concurrent use.
type MetadataStore interface {
	Reader
	Writer
	EventReader

	// View pins the views as they are now, and at least at minSeq: it waits for
	// that. Close it soon.
	View(ctx context.Context, minSeq uint64) (View, error)
	// At returns the views as they were at a point: View.Seq tells the record that
	// it came to. Now, and the head, give what View gives. It is ErrOutOfRange for
	// a point beyond the head, and for one whose records are gone. Close it soon.
	At(ctx context.Context, at Point) (View, error)
	// Plan returns the events that a command would append now, the whole
	// cascade included, and appends nothing.
	Plan(ctx context.Context, cmd Command, opts ...CommandOption) ([]events.EventView, error)
	// Close ends the use of the store. A Store's commands that were taken before
	// are done first.
	Close() error
}

// Reader is the read half: what views at any point can answer. Every answer is
// taken from one consistent, durable state. What is not there is ErrNotFound.
//
// Lists are in the order of their names, ids or partitions, and are read as the loop
// over them goes, so they take little memory; an error ends one. In process the loop
// holds the state that it reads, as a [View] does: be done soon, and do not wait in it
// for a write, which may have to wait for the loop. [Collect] copies a list out.
type Reader interface {
	GetTopic(ctx context.Context, name string) (events.Topic, error)
	ListTopics(ctx context.Context) iter.Seq2[events.Topic, error]

	GetSegment(ctx context.Context, topic, id string) (events.Segment, error)
	// ListSegments lists a partition's segments, or a whole topic's with
	// AllPartitions.
	ListSegments(ctx context.Context, topic string, partition int32) iter.Seq2[events.Segment, error]
	// FindSegment returns the log segment that holds an offset.
	FindSegment(ctx context.Context, topic string, partition int32, offset int64) (events.Segment, error)

	GetBroker(ctx context.Context, id int32) (events.Broker, error)
	ListBrokers(ctx context.Context) iter.Seq2[events.Broker, error]

	GetPartition(ctx context.Context, topic string, partition int32) (events.Partition, error)
	// ListPartitions lists all of a topic's partitions, unassigned ones too.
	ListPartitions(ctx context.Context, topic string) iter.Seq2[events.Partition, error]
	// GetPartitionLeader returns the broker that leads; ErrNotFound if none does.
	GetPartitionLeader(ctx context.Context, topic string, partition int32) (events.Broker, error)
	GetPartitionReplicas(ctx context.Context, topic string, partition int32) (events.BrokerIDs, error)

	GetGroup(ctx context.Context, id string) (events.Group, error)
	ListGroups(ctx context.Context) iter.Seq2[events.Group, error]

	GetOffset(ctx context.Context, group, topic string, partition int32) (events.Offset, error)
	ListOffsets(ctx context.Context, group string) iter.Seq2[events.Offset, error]
	// ListTopicOffsets lists what all groups have committed for a topic.
	ListTopicOffsets(ctx context.Context, topic string) iter.Seq2[events.Offset, error]

	// GetConfig returns a scope's config, empty if nothing is set.
	GetConfig(ctx context.Context, scope events.EntityRef) (events.ConfigEntry, error)
	ListConfigs(ctx context.Context) iter.Seq2[events.ConfigEntry, error]

	GetTransaction(ctx context.Context, transactionalID string) (events.Transaction, error)
	ListTransactions(ctx context.Context) iter.Seq2[events.Transaction, error]

	// Info tells where the state stands in the log and what it holds.
	Info(ctx context.Context) (Info, error)
}

// AllPartitions asks ListSegments for the segments of every partition.
const AllPartitions int32 = -1

// View is reads that all see the same state.
type View interface {
	Reader
	// Seq is the last record that the state reflects.
	Seq() uint64
	Close() error
}

// Writer is the write half. Each method appends one record, or none: when the
// command is rejected, when it changes nothing (Result.Unchanged), or when its
// id was seen before (Result.Repeated). A Result is returned only once the
// record is synced to disk and visible to reads.
//
// ErrOutcomeUnknown means that the command may or may not have been done, as
// when ctx ended while it was on its way to disk: read, or repeat it with the
// same command id. ErrUnavailable means that it was not done.
type Writer interface {
	// Execute does any command.
	Execute(ctx context.Context, cmd Command, opts CommandOptions) (Result, error)

	InitSystem(ctx context.Context, opts ...CommandOption) (Result, error)

	CreateTopic(ctx context.Context, cmd CreateTopic, opts ...CommandOption) (Result, error)
	UpdateTopic(ctx context.Context, cmd UpdateTopic, opts ...CommandOption) (Result, error)
	AddPartitions(ctx context.Context, cmd AddPartitions, opts ...CommandOption) (Result, error)
	DeleteTopic(ctx context.Context, cmd DeleteTopic, opts ...CommandOption) (Result, error)

	AddSegment(ctx context.Context, cmd AddSegment, opts ...CommandOption) (Result, error)
	CompactSegments(ctx context.Context, cmd CompactSegments, opts ...CommandOption) (Result, error)
	DeleteSegment(ctx context.Context, cmd DeleteSegment, opts ...CommandOption) (Result, error)

	RegisterBroker(ctx context.Context, cmd RegisterBroker, opts ...CommandOption) (Result, error)
	SetBrokerStatus(ctx context.Context, cmd SetBrokerStatus, opts ...CommandOption) (Result, error)
	RemoveBroker(ctx context.Context, cmd RemoveBroker, opts ...CommandOption) (Result, error)

	AssignPartition(ctx context.Context, cmd AssignPartition, opts ...CommandOption) (Result, error)
	ReassignPartition(ctx context.Context, cmd ReassignPartition, opts ...CommandOption) (Result, error)
	ElectLeader(ctx context.Context, cmd ElectLeader, opts ...CommandOption) (Result, error)
	ChangeISR(ctx context.Context, cmd ChangeISR, opts ...CommandOption) (Result, error)
	AdvanceWatermarks(ctx context.Context, cmd AdvanceWatermarks, opts ...CommandOption) (Result, error)

	CreateGroup(ctx context.Context, cmd CreateGroup, opts ...CommandOption) (Result, error)
	UpdateGroup(ctx context.Context, cmd UpdateGroup, opts ...CommandOption) (Result, error)
	DeleteGroup(ctx context.Context, cmd DeleteGroup, opts ...CommandOption) (Result, error)

	CommitOffsets(ctx context.Context, cmd CommitOffsets, opts ...CommandOption) (Result, error)
	ResetOffsets(ctx context.Context, cmd ResetOffsets, opts ...CommandOption) (Result, error)
	DeleteOffsets(ctx context.Context, cmd DeleteOffsets, opts ...CommandOption) (Result, error)
	ExpireOffsets(ctx context.Context, cmd ExpireOffsets, opts ...CommandOption) (Result, error)

	SetConfig(ctx context.Context, cmd SetConfig, opts ...CommandOption) (Result, error)
	DeleteConfig(ctx context.Context, cmd DeleteConfig, opts ...CommandOption) (Result, error)

	AllocateProducerIDs(ctx context.Context, cmd AllocateProducerIDs, opts ...CommandOption) (Result, error)
	BeginTransaction(ctx context.Context, cmd BeginTransaction, opts ...CommandOption) (Result, error)
	AddTransactionPartitions(ctx context.Context, cmd AddTransactionPartitions, opts ...CommandOption) (Result, error)
	AddTransactionOffsets(ctx context.Context, cmd AddTransactionOffsets, opts ...CommandOption) (Result, error)
	CommitTransactionOffsets(ctx context.Context, cmd CommitTransactionOffsets, opts ...CommandOption) (Result, error)
	PrepareTransaction(ctx context.Context, cmd PrepareTransaction, opts ...CommandOption) (Result, error)
	CommitTransaction(ctx context.Context, cmd CommitTransaction, opts ...CommandOption) (Result, error)
	AbortTransaction(ctx context.Context, cmd AbortTransaction, opts ...CommandOption) (Result, error)
	FenceProducer(ctx context.Context, cmd FenceProducer, opts ...CommandOption) (Result, error)

	StartImport(ctx context.Context, cmd StartImport, opts ...CommandOption) (Result, error)
	CompleteImport(ctx context.Context, cmd CompleteImport, opts ...CommandOption) (Result, error)
}

// EventReader reads the log.
type EventReader interface {
	// Events yields the events that the query asks for, in log order, up to the
	// head as it stands at the call. An error ends it.
	Events(ctx context.Context, query EventQuery) iter.Seq2[events.EventView, error]
	// History yields what happened to an entity, that is gone too, up to the head as
	// it stands at the call. An error ends it: ErrNotFound for one that has never
	// been, ErrOutOfRange when a part of its history is not there any more.
	History(ctx context.Context, query HistoryQuery) iter.Seq2[TreeEvent, error]
	// Cascade yields the tree of causes that an event or record stands in: each event
	// before those that it caused. An error ends it, as ErrNotFound for an event that
	// is not there.
	Cascade(ctx context.Context, query CascadeQuery) iter.Seq2[TreeEvent, error]
	// Blame tells for each field of an entity, named as in a HistoryQuery, which event
	// gave it the value that it had at a point; of one that was deleted, before that.
	Blame(ctx context.Context, entity string, at Point) (BlameReport, error)
}

// EventQuery selects events.
type EventQuery = replay.Query

// What questions about the past are asked and answered with.
type (
	HistoryQuery = replay.HistoryQuery
	CascadeQuery = replay.CascadeQuery
	EventRef     = replay.EventRef
	TreeEvent    = replay.TreeEvent
	BlameReport  = replay.BlameReport
	BlameField   = replay.BlameField
	Blamed       = replay.Blamed
)

// Info tells where a state stands in the log and what it holds. Of an earlier state
// too, what is about the log, and about publishing, is as it is now.
type Info struct {
	LogID      uuid.UUID         `json:"log_id"`
	Epoch      uint64            `json:"epoch"`
	Fork       *events.Head      `json:"fork,omitempty"` // the last record of earlier epochs; nil in the first
	Seq        uint64            `json:"seq"`            // of the state
	Head       events.Head       `json:"head"`           // the same seq with its hash, to note for a later check
	Time       events.Time       `json:"time"`           // of the record
	FirstSeq   uint64            `json:"first_seq"`      // of the log; 0: a replica, which has none
	Checkpoint uint64            `json:"checkpoint"`     // the seq up to which the views are on disk
	Digest     events.Hash       `json:"digest"`         // of the views
	Records    uint64            `json:"records"`
	Events     uint64            `json:"events"`
	Entities   map[string]uint64 `json:"entities"`
	// NextProducerID is the first producer id that was never handed out.
	NextProducerID int64        `json:"next_producer_id"`
	LogBytes       int64        `json:"log_bytes"`   // all of it
	ViewsBytes     int64        `json:"views_bytes"` // of the file that has the state
	Writable       bool         `json:"writable"`    // false: the store stopped after an error, and says why in its log; or this is a replica, or an earlier state
	Replica        *ReplicaInfo `json:"replica,omitempty"`
	// Archive has what is before the log's first record; nil if nothing was moved.
	Archive *ArchiveInfo `json:"archive,omitempty"`
	// Publisher is how far a server's publishing is; nil from a store in process,
	// which does not publish.
	Publisher *PublisherInfo `json:"publisher,omitempty"`
}

// ReplicaInfo tells, in the [Info] of a replica, how far it follows.
type ReplicaInfo struct {
	Of      string `json:"of"`       // the server that it follows
	HeadSeq uint64 `json:"head_seq"` // of that server's log, as it was last heard of
	Error   string `json:"error"`    // why it stopped following for good; empty: it goes on
}

// PublisherInfo tells how far the events are published, and how far that is
// behind the log.
type PublisherInfo struct {
	Next       events.Position `json:"next"`            // the first event not known to be published; seq 0: not known yet
	LagRecords uint64          `json:"lag_records"`     // not wholly published
	LagSeconds float64         `json:"lag_seconds"`     // age of the oldest of them
	Connected  bool            `json:"connected"`       // to NATS
	Running    bool            `json:"running"`         // false: publishing ended for good
	Error      string          `json:"error,omitempty"` // why it ended
}
