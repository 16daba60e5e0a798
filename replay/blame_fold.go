package replay

import (
	"maps"
	"slices"

	"github.com/metalog/metalog/events"
)

// fold is what an entity comes to by its own events, as projector.Apply has it with
// all others around.
type fold interface {
	// types are those of the events that change it.
	types() []events.Type
	apply(e events.EventView)
	// object is the entity, as describing it shows it; nil when it is not there.
	object() any
}

func newFold(s *subject) fold {
	switch s.kind {
	case ofTopic:
		return new(topicFold)
	case ofPartition:
		return &partitionFold{partition: *s.partition}
	case ofSegment:
		return &segmentFold{id: s.segment}
	case ofGroup:
		return new(groupFold)
	case ofBroker:
		return new(brokerFold)
	case ofConfig:
		return &configFold{scope: *s.scope}
	case ofTransaction:
		return new(transactionFold)
	}
	return new(offsetFold)
}

// configChange returns what a config is after an event.
func configChange(config events.Config, event events.Event) events.Config {
	next := events.Config{}
	maps.Copy(next, config)
	switch e := event.(type) {
	case *events.TopicCreated:
		next = maps.Clone(e.Config)
	case *events.TopicUpdated:
		next = maps.Clone(e.Config)
	case *events.ConfigSet:
		maps.Copy(next, e.Config)
	case *events.ConfigDeleted:
		for _, key := range e.Keys {
			delete(next, key)
		}
	}
	return next
}

type topicFold struct{ topic *events.Topic }

func (*topicFold) types() []events.Type {
	return []events.Type{
		events.TypeTopicCreated, events.TypeTopicUpdated, events.TypePartitionsAdded, events.TypeTopicDeleted,
		events.TypeConfigSet, events.TypeConfigDeleted,
	}
}

func (f *topicFold) apply(e events.EventView) {
	switch p := e.Payload.(type) {
	case *events.TopicCreated:
		f.topic = &events.Topic{
			Name: p.Name, ID: p.ID, Partitions: p.Partitions, ReplicationFactor: p.ReplicationFactor, Internal: p.Internal,
			CreatedAt: e.Time,
		}
	case *events.TopicDeleted:
		f.topic = nil
	}
	if f.topic == nil {
		return
	}
	switch p := e.Payload.(type) {
	case *events.TopicUpdated:
		f.topic.ReplicationFactor = p.ReplicationFactor
	case *events.PartitionsAdded:
		f.topic.Partitions = p.Partitions
	}
	f.topic.Config = configChange(f.topic.Config, e.Payload)
	f.topic.UpdatedAt, f.topic.Revision = e.Time, e.Seq
}

func (f *topicFold) object() any {
	if f.topic == nil {
		return nil
	}
	return *f.topic
}

// partitionFold leaves the high watermark out, which comes from the last event.
type partitionFold struct {
	partition   int32
	p           *events.Partition
	brokerEpoch uint64            // of the leader, when it was elected
	assigned    *events.EventView // the last change of the assignment; nil: nobody holds it
	unassigned  *events.EventView // what ended the assignment that was last changed by
	before      *events.EventView
	logStart    *events.EventView // of the log start offset
}

func (*partitionFold) types() []events.Type {
	return []events.Type{
		events.TypeTopicCreated, events.TypePartitionsAdded, events.TypeTopicDeleted,
		events.TypePartitionAssigned, events.TypePartitionReassigned, events.TypePartitionUnassigned,
		events.TypeLeaderChanged, events.TypeIsrChanged, events.TypeLogStartOffsetAdvanced,
	}
}

func (f *partitionFold) apply(e events.EventView) {
	switch p := e.Payload.(type) {
	case *events.TopicCreated:
		f.grow(p.TopicRef, p.Partitions)
	case *events.PartitionsAdded:
		f.grow(p.TopicRef, p.Partitions)
	case *events.TopicDeleted:
		f.p = nil
	}
	if f.p != nil {
		f.change(e)
	}
}

// grow has the partition begin when the topic has it.
func (f *partitionFold) grow(topic events.TopicRef, partitions int32) {
	if f.p == nil && f.partition < partitions {
		f.p = &events.Partition{
			PartitionRef: events.PartitionRef{Topic: topic.Name, TopicID: topic.ID, Partition: f.partition},
			Leader:       events.NoLeader,
		}
	}
}

func (f *partitionFold) change(e events.EventView) {
	switch p := e.Payload.(type) {
	case *events.PartitionAssigned:
		f.assign(p.Assignment, &e)
	case *events.PartitionReassigned:
		f.assign(p.Assignment, &e)
	case *events.PartitionUnassigned:
		f.unassigned, f.before = &e, f.assigned
		f.assign(events.Assignment{Leader: events.NoLeader}, nil)
	case *events.LeaderChanged:
		f.p.Leader, f.p.LeaderEpoch, f.p.PartitionEpoch = p.Leader, p.LeaderEpoch, p.PartitionEpoch
		f.brokerEpoch, f.assigned = p.LeaderBrokerEpoch, &e
	case *events.IsrChanged:
		f.p.ISR, f.p.PartitionEpoch, f.assigned = p.ISR, p.PartitionEpoch, &e
	case *events.LogStartOffsetAdvanced:
		f.p.LogStartOffset, f.logStart = p.LogStartOffset, &e
	}
}

func (f *partitionFold) assign(a events.Assignment, by *events.EventView) {
	f.p.Replicas, f.p.ISR, f.p.Leader = a.Replicas, a.ISR, a.Leader
	f.p.LeaderEpoch, f.p.PartitionEpoch = a.LeaderEpoch, a.PartitionEpoch
	f.brokerEpoch, f.assigned = a.LeaderBrokerEpoch, by
}

func (f *partitionFold) object() any {
	if f.p == nil {
		return nil
	}
	return *f.p
}

type segmentFold struct {
	id      string
	segment *events.Segment
}

func (*segmentFold) types() []events.Type {
	return []events.Type{
		events.TypeSegmentAdded, events.TypeSegmentsCompacted, events.TypeSegmentRemoved, events.TypeTopicDeleted,
	}
}

func (f *segmentFold) apply(e events.EventView) {
	switch p := e.Payload.(type) {
	case *events.SegmentAdded:
		f.add(p.PartitionRef, p.SegmentInfo, e)
	case *events.SegmentsCompacted:
		if slices.Contains(p.Removed, f.id) {
			f.segment = nil
		}
		for _, info := range p.Added {
			f.add(p.PartitionRef, info, e)
		}
	case *events.SegmentRemoved:
		if p.ID == f.id {
			f.segment = nil
		}
	case *events.TopicDeleted:
		f.segment = nil
	}
}

func (f *segmentFold) add(ref events.PartitionRef, info events.SegmentInfo, e events.EventView) {
	if info.ID == f.id {
		f.segment = &events.Segment{PartitionRef: ref, SegmentInfo: info, CreatedAt: e.Time, Revision: e.Seq}
	}
}

func (f *segmentFold) object() any {
	if f.segment == nil {
		return nil
	}
	return *f.segment
}

type groupFold struct{ group *events.Group }

func (*groupFold) types() []events.Type {
	return []events.Type{events.TypeGroupCreated, events.TypeGroupUpdated, events.TypeGroupDeleted}
}

func (f *groupFold) apply(e events.EventView) {
	switch p := e.Payload.(type) {
	case *events.GroupCreated:
		f.group = &events.Group{GroupRef: p.GroupRef, GroupInfo: p.GroupInfo, CreatedAt: e.Time}
	case *events.GroupUpdated:
		if f.group != nil {
			f.group.GroupInfo = p.GroupInfo
		}
	case *events.GroupDeleted:
		f.group = nil
	}
	if f.group != nil {
		f.group.UpdatedAt, f.group.Revision = e.Time, e.Seq
	}
}

func (f *groupFold) object() any {
	if f.group == nil {
		return nil
	}
	return *f.group
}

type brokerFold struct{ broker *events.Broker }

func (*brokerFold) types() []events.Type {
	return []events.Type{events.TypeBrokerRegistered, events.TypeBrokerStatusChanged, events.TypeBrokerRemoved}
}

func (f *brokerFold) apply(e events.EventView) {
	switch p := e.Payload.(type) {
	case *events.BrokerRegistered:
		if f.broker == nil {
			f.broker = &events.Broker{RegisteredAt: e.Time}
		}
		f.broker.BrokerInfo, f.broker.Status, f.broker.Epoch = p.BrokerInfo, events.BrokerOnline, e.Seq
	case *events.BrokerStatusChanged:
		if f.broker == nil {
			return
		}
		if f.broker.Status = p.Status; endsEpoch(p) {
			f.broker.Epoch = e.Seq
		}
	case *events.BrokerRemoved:
		f.broker = nil
		return
	}
	if f.broker != nil {
		f.broker.UpdatedAt, f.broker.Revision = e.Time, e.Seq
	}
}

// endsEpoch reports whether an event ends what a broker leads: it is from then on
// under another epoch, or not there.
func endsEpoch(event events.Event) bool {
	switch e := event.(type) {
	case *events.BrokerRegistered, *events.BrokerRemoved:
		return true
	case *events.BrokerStatusChanged:
		return e.Status == events.BrokerOffline
	}
	return false
}

func (f *brokerFold) object() any {
	if f.broker == nil {
		return nil
	}
	return *f.broker
}

// configFold is there as long as what the config belongs to.
type configFold struct {
	scope events.EntityRef
	entry *events.ConfigEntry
	gone  bool
}

func (*configFold) types() []events.Type {
	return []events.Type{
		events.TypeConfigSet, events.TypeConfigDeleted, events.TypeTopicCreated, events.TypeTopicUpdated,
		events.TypeTopicDeleted, events.TypeGroupDeleted, events.TypeBrokerRemoved, events.TypeBrokerRegistered,
	}
}

func (f *configFold) apply(e events.EventView) {
	switch e.Payload.(type) {
	case *events.TopicDeleted, *events.GroupDeleted, *events.BrokerRemoved:
		f.entry, f.gone = nil, true
		return
	case *events.BrokerRegistered:
		f.gone = false
		return
	}
	if f.gone {
		return
	}
	entry := events.ConfigEntry{Scope: e.Entity}
	if f.entry != nil {
		entry = *f.entry
	}
	config := configChange(entry.Config, e.Payload)
	switch _, set := e.Payload.(*events.ConfigSet); {
	case len(config) == 0:
		entry.Revision = 0
	case set || !maps.Equal(config, entry.Config) || e.Type == events.TypeConfigDeleted.String():
		entry.Revision = e.Seq
	}
	entry.Config, f.entry = config, &entry
}

func (f *configFold) object() any {
	if f.entry == nil {
		return nil
	}
	return *f.entry
}

// offsetFold is never there: an offset comes from its last event, see
// blaming.offset.
type offsetFold struct{}

func (*offsetFold) types() []events.Type   { return nil }
func (*offsetFold) apply(events.EventView) {}
func (*offsetFold) object() any            { return nil }
