package wire

import (
	"encoding/json"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// Query is a read operation with the types of its request and its answer.
// Commands are not listed here: their operations are those of metalog.Ops, their
// answer is a metalog.Result.
type Query[Request, Answer any] struct{ Op string }

// List is a Query whose answer is a list, with the type of its rows. Who answers writes
// the rows as they are read, who asked has them as they come.
type List[Request, Row any] struct{ Op string }

// What reads ask for.
type (
	// Nothing is the request of a read that needs no more than its name.
	Nothing struct{}
	// Name names a topic.
	Name struct {
		Name string `json:"name"`
	}
	// ID names a group or a transactional id.
	ID struct {
		ID string `json:"id"`
	}
	// BrokerID names a broker.
	BrokerID struct {
		ID int32 `json:"id"`
	}
	// Segment names a segment.
	Segment struct {
		Topic string `json:"topic"`
		ID    string `json:"id"`
	}
	// Partition names a partition.
	Partition struct {
		Topic     string `json:"topic"`
		Partition int32  `json:"partition"`
	}
	// Partitions names a partition of a topic, or all of them.
	Partitions struct {
		Topic     string `json:"topic"`
		Partition *int32 `json:"partition,omitempty"` // nil: all
	}
	// Position names an offset in a partition.
	Position struct {
		Partition
		Offset int64 `json:"offset"`
	}
	// GroupPartition names a group's place in a partition.
	GroupPartition struct {
		Group string `json:"group"`
		Partition
	}
	// Scope names what a config belongs to.
	Scope struct {
		Scope events.EntityRef `json:"scope"`
	}
	// Directory is one on the server's machine.
	Directory struct {
		Dir string `json:"dir"` // absolute
	}
	// Diff asks what differs between two points.
	Diff struct {
		From     metalog.Point `json:"from,omitzero"`
		To       metalog.Point `json:"to,omitzero"`
		Entities []string      `json:"entities,omitempty"`
		After    metalog.Place `json:"after,omitempty"` // Next of the page before
	}
	// Plan has a command of which only the events are wanted.
	Plan struct {
		Op      string          `json:"op"`
		Command json.RawMessage `json:"command"`
	}
)

// EventPage is a part of what an events query selects. It holds whole records.
type EventPage struct {
	Events []json.RawMessage `json:"events"`         // each an events.EventView
	Next   uint64            `json:"next,omitempty"` // From of the next page; 0: there is none
	To     uint64            `json:"to,omitempty"`   // To of the next page: the head at the first one
}

// TreePage is a part of what a query about the past selects.
type TreePage struct {
	Events []json.RawMessage `json:"events"`          // each a metalog.TreeEvent
	After  *events.Position  `json:"after,omitempty"` // After of the next page; nil: there is none
	To     uint64            `json:"to,omitempty"`    // To of the next page of a history: the head at the first one
}

// Blame asks for the blame of an entity.
type Blame struct {
	Entity string        `json:"entity"`
	At     metalog.Point `json:"at,omitzero"` // zero: now
}

// DiffPage is a part of what differs between two points.
type DiffPage struct {
	From        metalog.PointState `json:"from"`
	To          metalog.PointState `json:"to"`
	Differences []json.RawMessage  `json:"differences"`    // each a metalog.Difference
	Next        metalog.Place      `json:"next,omitempty"` // After of the next page, between the seqs of From and To; none: that was all
}

// The read operations.
var (
	GetTopic   = Query[Name, events.Topic]{"topic.get"}
	ListTopics = List[Nothing, events.Topic]{"topic.list"}

	GetSegment   = Query[Segment, events.Segment]{"segment.get"}
	ListSegments = List[Partitions, events.Segment]{"segment.list"}
	FindSegment  = Query[Position, events.Segment]{"segment.find"}

	GetBroker   = Query[BrokerID, events.Broker]{"broker.get"}
	ListBrokers = List[Nothing, events.Broker]{"broker.list"}

	GetPartition         = Query[Partition, events.Partition]{"partition.get"}
	ListPartitions       = List[Name, events.Partition]{"partition.list"}
	GetPartitionLeader   = Query[Partition, events.Broker]{"partition.get-leader"}
	GetPartitionReplicas = Query[Partition, events.BrokerIDs]{"partition.get-replicas"}

	GetGroup   = Query[ID, events.Group]{"group.get"}
	ListGroups = List[Nothing, events.Group]{"group.list"}

	GetOffset        = Query[GroupPartition, events.Offset]{"offset.get"}
	ListOffsets      = List[ID, events.Offset]{"offset.list"}
	ListTopicOffsets = List[Name, events.Offset]{"offset.list-topic"}

	GetConfig   = Query[Scope, events.ConfigEntry]{"config.get"}
	ListConfigs = List[Nothing, events.ConfigEntry]{"config.list"}

	GetTransaction   = Query[ID, events.Transaction]{"txn.get"}
	ListTransactions = List[Nothing, events.Transaction]{"txn.list"}

	Info       = Query[Nothing, metalog.Info]{"info"}
	ReadEvents = Query[metalog.EventQuery, EventPage]{"events.read"}
	PlanEvents = Query[Plan, []events.EventView]{"plan"}

	ReadHistory = Query[metalog.HistoryQuery, TreePage]{"history.read"}
	ReadCascade = Query[metalog.CascadeQuery, TreePage]{"history.cascade"}
	AskBlame    = Query[Blame, metalog.BlameReport]{"history.blame"}
	Verify      = Query[metalog.VerifyOptions, metalog.VerifyReport]{"verify"}
	ReadDiff    = Query[Diff, DiffPage]{"diff"}

	PlanUndo = Query[metalog.UndoOptions, metalog.UndoPlan]{"undo.plan"}
	Undo     = Query[metalog.UndoOptions, metalog.UndoReport]{"undo"}

	CreateSnapshot = Query[Nothing, metalog.Snapshot]{"snapshot.create"}
	ListSnapshots  = Query[Nothing, []metalog.Snapshot]{"snapshot.list"}
	Backup         = Query[Directory, metalog.BackupReport]{"backup"}
	Rebuild        = Query[metalog.RebuildOrder, metalog.RebuildReport]{"rebuild"}

	Archive      = Query[metalog.ArchiveOptions, metalog.ArchiveReport]{"archive"}
	ListArchive  = Query[Nothing, metalog.ArchiveStatus]{"archive.list"}
	PruneArchive = Query[metalog.PruneOptions, metalog.PruneReport]{"archive.prune"}
)
