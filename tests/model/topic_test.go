package model

import (
	"bytes"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// topic is a topic with all below it. Its config is with the others.
type topic struct {
	events.Topic
	partitions []*partition
	segments   map[string]*events.Segment
}

func (r *run) topicName() string { return r.pick("topic", "a", "a", "a", "a", "b", "b", "b", "c") }

func topicScope(name string) events.EntityRef {
	return events.EntityRef{Kind: events.KindTopic, ID: name}
}

// exists returns the error for a topic that is not there.
func (t *topic) exists() error {
	if t == nil {
		return metalog.ErrNotFound
	}
	return nil
}

func (t *topic) revision() uint64 {
	if t == nil {
		return 0
	}
	return t.Revision
}

// has returns the error for a partition that is not there.
func (t *topic) has(p int32) error {
	return firstOf(t == nil, metalog.ErrNotFound, t != nil && int(p) >= len(t.partitions), metalog.ErrOutOfRange)
}

func (t *topic) grow(to int32) {
	for p := int32(len(t.partitions)); p < to; p++ {
		t.partitions = append(t.partitions, &partition{Partition: events.Partition{
			PartitionRef: events.PartitionRef{Topic: t.Name, TopicID: t.ID, Partition: p}, Leader: events.NoLeader,
		}})
	}
	t.Partitions = to
}

func (m *model) touch(t *topic) { t.UpdatedAt, t.Revision = m.at.Time, m.at.Seq }

// compareIDs orders topics by id.
func compareIDs(a, b *topic) int { return bytes.Compare(a.ID[:], b.ID[:]) }

func (r *run) topicStep() {
	name := r.topicName()
	switch t := r.model.topics[name]; r.pick("how", "create", "create", "create", "create", "create", "update", "grow", "delete") {
	case "create":
		r.createTopic(name, t)
	case "update":
		r.updateTopic(name, t)
	case "grow":
		r.addPartitions(name, t)
	case "delete":
		if r.doAt(metalog.DeleteTopic{Name: name}, nil, t.revision(), t.exists()) {
			r.model.deleteTopic(t)
		}
	}
}

func (r *run) createTopic(name string, existing *topic) {
	cmd := metalog.CreateTopic{Name: name, Partitions: int32(r.number("partitions", 1)) + 2, ReplicationFactor: 1, Config: r.someConfig()}
	var unknown error
	if r.chance("assigned") {
		for range cmd.Partitions {
			replicas := r.brokerIDs("replicas")
			cmd.Assignments = append(cmd.Assignments, metalog.TopicAssignment{Replicas: replicas})
			unknown = firstOf(unknown != nil, unknown, !r.model.registered(replicas), metalog.ErrNotFound)
		}
	}
	after := firstOf(existing != nil, metalog.ErrAlreadyExists, unknown != nil, unknown)
	if !r.doAt(cmd, nil, existing.revision(), after) {
		return
	}
	r.model.createTopic(cmd)
	if slices.Contains(r.model.gone, r.model.topics[name].ID) {
		r.Fatalf("topic %s has the id of one that is gone", name)
	}
}

func (m *model) createTopic(cmd metalog.CreateTopic) {
	t := &topic{Topic: events.Topic{Name: cmd.Name, ID: m.at.TopicID, ReplicationFactor: int16(cmd.ReplicationFactor), CreatedAt: m.at.Time}, segments: map[string]*events.Segment{}}
	m.topics[cmd.Name] = t
	t.grow(cmd.Partitions)
	m.touch(t)
	m.setConfig(topicScope(cmd.Name), cmd.Config)
	for p, a := range cmd.Assignments {
		m.assign(t.partitions[p], metalog.AssignPartition{Replicas: a.Replicas})
	}
}

func (r *run) updateTopic(name string, t *topic) {
	cmd := metalog.UpdateTopic{Name: name}
	before := r.model.configs[topicScope(name)].Config
	after, factor := before, int32(0)
	if t != nil {
		factor = int32(t.ReplicationFactor)
	}
	same := factor
	if r.chance("factor") {
		factor = int32(r.number("replication factor", 2)) + 1
		cmd.ReplicationFactor = &factor
	}
	if r.chance("replace config") {
		after = r.someConfig()
		cmd.Config = &after
	}
	still := factor == same && maps.Equal(before, after)
	if !r.doAt(cmd, nil, t.revision(), firstOf(t == nil, metalog.ErrNotFound, still, errUnchanged)) {
		return
	}
	t.ReplicationFactor = int16(factor)
	r.model.touch(t)
	if !maps.Equal(before, after) {
		r.model.setConfig(topicScope(name), after)
	}
}

func (r *run) addPartitions(name string, t *topic) {
	n := int32(r.number("partitions", 3)) + 1
	after := t.exists()
	if t != nil {
		after = firstOf(n < t.Partitions, metalog.ErrInvalid, n == t.Partitions, errUnchanged)
	}
	if r.doAt(metalog.AddPartitions{Name: name, Total: n}, nil, t.revision(), after) {
		t.grow(n)
		r.model.touch(t)
	}
}

func (m *model) deleteTopic(gone *topic) {
	delete(m.topics, gone.Name)
	delete(m.configs, topicScope(gone.Name))
	m.gone = append(m.gone, gone.ID)
	for _, g := range m.groups {
		maps.DeleteFunc(g.offsets, func(p position, _ *events.Offset) bool { return p.topic == gone })
	}
	for _, t := range m.txns {
		maps.DeleteFunc(t.partitions, func(p position, _ bool) bool { return p.topic == gone })
		maps.DeleteFunc(t.pending, func(p pendingPosition, _ events.OffsetInfo) bool { return p.topic == gone })
	}
}

func (r *run) compareTopics() {
	ctx := r.tb.Context()
	want := []events.Topic{}
	for _, t := range sorted(r.model.topics) {
		row := t.Topic
		row.Config = r.model.configs[topicScope(t.Name)].Config
		want = append(want, row)
		got, err := r.GetTopic(ctx, t.Name)
		r.check(err, got, row)
		r.comparePartitions(t)
		r.compareSegments(t)
		r.compareTopicOffsets(t)
	}
	got, err := metalog.Collect(r.ListTopics(ctx))
	r.check(err, got, want)
	_, err = r.GetTopic(ctx, "none")
	r.refused(err, metalog.ErrNotFound)
}

// topicID returns what a commit may say of a topic's id, and whether that is
// right.
func (r *run) topicID(t *topic) (id uuid.UUID, right bool) {
	switch {
	case len(r.model.gone) > 0 && r.oneIn(8, "id of a topic that is gone"):
		return r.model.gone[len(r.model.gone)-1], false
	case t != nil && r.chance("id of the topic"):
		return t.ID, true
	}
	return uuid.Nil, true
}
