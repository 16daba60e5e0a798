package metalog

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// target is one thing that an undo brings back to what it was. It can be compared,
// so it has names and ids as events have them, and no more of either than its
// kind needs.
type target struct {
	Kind   targetKind
	Topic  events.TopicRef
	Group  events.GroupRef
	Number int32  // a partition, or a broker's id
	Name   string // a segment's id, or a key of a config; no key: the config as a whole
	Scope  events.EntityKind
}

type targetKind string

// The kinds of target, as plans name them.
const (
	targetTopic      targetKind = "topic"
	targetSegment    targetKind = "segment"
	targetAssignment targetKind = "assignment"
	targetWatermarks targetKind = "watermarks"
	targetGroup      targetKind = "group"
	targetOffset     targetKind = "offset"
	targetConfig     targetKind = "config"
	targetBroker     targetKind = "broker"

	// These are only looked for in later records: something of the topic, group,
	// broker or partition was changed, or its name was given to another one.
	targetInTopic     targetKind = "in topic"
	targetInGroup     targetKind = "in group"
	targetInBroker    targetKind = "in broker"
	targetInPartition targetKind = "in partition"
	targetTopicName   targetKind = "topic name"
	targetGroupName   targetKind = "group name"
)

func ofTopic(kind targetKind, ref events.TopicRef) target { return target{Kind: kind, Topic: ref} }
func ofGroup(kind targetKind, ref events.GroupRef) target { return target{Kind: kind, Group: ref} }
func ofBroker(kind targetKind, id int32) target           { return target{Kind: kind, Number: id} }

func ofPartition(kind targetKind, ref events.PartitionRef) target {
	return target{Kind: kind, Topic: topicOf(ref), Number: ref.Partition}
}

func topicOf(ref events.PartitionRef) events.TopicRef {
	return events.TopicRef{Name: ref.Topic, ID: ref.TopicID}
}

func ofSegment(ref events.PartitionRef, id string) target {
	return target{Kind: targetSegment, Topic: topicOf(ref), Name: id}
}

func ofOffset(ref events.OffsetRef) target {
	return target{
		Kind: targetOffset, Number: ref.Partition,
		Topic: events.TopicRef{Name: ref.Topic, ID: ref.TopicID},
		Group: events.GroupRef{ID: ref.Group, GroupID: ref.GroupID},
	}
}

// ofConfig is a key of a scope's config; no key is the config as a whole.
func ofConfig(scope events.Scope, key string) target {
	t := target{Kind: targetConfig, Name: key, Scope: scope.Of.Kind}
	switch scope.Of.Kind {
	case events.KindTopic:
		t.Topic = events.TopicRef{Name: scope.Of.ID, ID: scope.TopicID}
	case events.KindGroup:
		t.Group = events.GroupRef{ID: scope.Of.ID, GroupID: scope.GroupID}
	case events.KindBroker:
		t.Number, _ = brokerID(scope.Of.ID) // a config of anything else was never set
	}
	return t
}

func ofConfigKeys[V any](scope events.Scope, config map[string]V) []target {
	targets := make([]target, 0, len(config))
	for key := range config {
		targets = append(targets, ofConfig(scope, key))
	}
	return targets
}

func (t target) partition() events.PartitionRef {
	return events.PartitionRef{Topic: t.Topic.Name, TopicID: t.Topic.ID, Partition: t.Number}
}

func (t target) offset() events.OffsetRef { return offsetOf(t.Group, t.Topic, t.Number) }

func (t target) scope() events.Scope {
	scope := events.Scope{Of: events.EntityRef{Kind: t.Scope}, TopicID: t.Topic.ID, GroupID: t.Group.GroupID}
	switch t.Scope {
	case events.KindTopic:
		scope.Of.ID = t.Topic.Name
	case events.KindGroup:
		scope.Of.ID = t.Group.ID
	case events.KindBroker:
		scope.Of.ID = strconv.Itoa(int(t.Number))
	}
	return scope
}

// wholeConfig is the target of all keys of a key's config.
func (t target) wholeConfig() target {
	t.Name = ""
	return t
}

func (t target) String() string {
	switch t.Kind {
	case targetTopic, targetInTopic, targetTopicName:
		return topicLabel(t.Topic.Name)
	case targetSegment:
		return segmentLabel(t.Topic.Name, t.Name)
	case targetAssignment, targetInPartition:
		return partitionLabel(t.partition())
	case targetWatermarks:
		return "watermarks of " + partitionLabel(t.partition())
	case targetGroup, targetInGroup, targetGroupName:
		return groupLabel(t.Group.ID)
	case targetOffset:
		return offsetLabel(t.Group.ID, t.Topic.Name, t.Number)
	case targetConfig:
		if t.Name == "" {
			return fmt.Sprintf("config of %s", t.scope().Of)
		}
		return fmt.Sprintf("config of %s, key %s", t.scope().Of, t.Name)
	}
	return brokerLabel(t.Number)
}

// row is what a view holds of a target.
type row struct {
	value    any    // nil: it is not there
	revision uint64 // 0: it is not there
}

// read reads a target as a view shows it.
func (t target) read(r *views.Reader) (row, error) {
	switch t.Kind {
	case targetTopic:
		topic, err := r.TopicByID(t.Topic.ID)
		topic.Config = nil // it is a target of its own
		return rowOf(topic, topic.Revision, err)
	case targetSegment:
		segment, err := r.Segment(t.Topic.ID, t.Name)
		return rowOf(segment, segment.Revision, err)
	case targetAssignment:
		assignment, err := r.Assignment(t.Topic.ID, t.Number)
		return rowOf(assignment, assignment.Revision, err)
	case targetWatermarks:
		marks, err := r.Watermarks(t.Topic.ID, t.Number)
		if err != nil || marks.Revision == 0 {
			return row{}, err
		}
		return row{watermarksRow(marks), marks.Revision}, nil
	case targetGroup:
		group, err := r.GroupByNumber(t.Group.GroupID)
		return rowOf(group, group.Revision, err)
	case targetOffset:
		offset, found, err := r.OffsetOf(t.offset())
		if err != nil || !found {
			return row{}, err
		}
		return row{offset, offset.Revision}, nil
	case targetConfig:
		entry, err := r.Config(t.scope())
		return rowOf(entry.Config, entry.Revision, err)
	}
	broker, err := r.Broker(t.Number)
	return rowOf(broker, broker.Revision, err)
}

func rowOf(value any, revision uint64, err error) (row, error) {
	if errors.Is(err, ErrNotFound) {
		return row{}, nil
	}
	if err != nil || revision == 0 {
		return row{}, err
	}
	return row{value, revision}, nil
}

// watermarksRow is [views.Watermarks] with names for its fields.
type watermarksRow struct {
	HighWatermark  int64  `json:"high_watermark"`
	LeaderEpoch    int32  `json:"leader_epoch"`
	LogStartOffset int64  `json:"log_start_offset"`
	Revision       uint64 `json:"revision"`
}
