package metalog

import (
	"fmt"
	"maps"

	"github.com/metalog/metalog/events"
)

// CreateTopic creates a topic, with replicas for its partitions if Assignments
// has any. A topic of that name is ErrAlreadyExists, whatever it looks like.
type CreateTopic struct {
	Name              string        `json:"name" require:"true"`
	Partitions        int32         `json:"partitions" require:"true"`
	ReplicationFactor int32         `json:"replication_factor" require:"true"`
	Config            events.Config `json:"config,omitempty"`
	// Assignments has the replicas of partitions 0, 1, …: none, or one for each.
	Assignments []TopicAssignment `json:"assignments,omitempty"`
}

// TopicAssignment says who holds one partition of a new topic.
type TopicAssignment struct {
	Replicas events.BrokerIDs `json:"replicas" require:"true"`
	Leader   *int32           `json:"leader,omitempty"` // nil: the first replica that is online
}

// UpdateTopic replaces the parts that are given.
type UpdateTopic struct {
	Name              string         `json:"name" require:"true"`
	ReplicationFactor *int32         `json:"replication_factor,omitempty"`
	Config            *events.Config `json:"config,omitempty"` // the whole config
}

// AddPartitions raises the number of a topic's partitions to Total.
type AddPartitions struct {
	Name        string            `json:"name" require:"true"`
	Total       int32             `json:"total" require:"true"`
	Assignments []TopicAssignment `json:"assignments,omitempty"` // none, or one for each new partition
}

// DeleteTopic deletes a topic with all below it: segments, assignments,
// watermarks, configs, committed and pending offsets in every group, and its
// partitions in open transactions.
type DeleteTopic struct {
	Name string `json:"name" require:"true"`
}

func (CreateTopic) Op() string   { return "topic.create" }
func (UpdateTopic) Op() string   { return "topic.update" }
func (AddPartitions) Op() string { return "topic.add-partitions" }
func (DeleteTopic) Op() string   { return "topic.delete" }

func (c CreateTopic) validate() error {
	var v checks
	v.topicName("name", c.Name)
	v.within("partitions", int64(c.Partitions), 1, MaxPartitions)
	v.within("replication_factor", int64(c.ReplicationFactor), 1, MaxReplicationFactor)
	v.config("config", c.Config)
	v.assignments(c.Assignments, c.Partitions)
	if isInternal(c.Name) {
		v.fail("name", "%q is an internal topic; 'metalog init' creates it", c.Name)
	}
	return v.err
}

func (c UpdateTopic) validate() error {
	var v checks
	v.topicName("name", c.Name)
	if c.ReplicationFactor != nil {
		v.within("replication_factor", int64(*c.ReplicationFactor), 1, MaxReplicationFactor)
	}
	if c.Config != nil {
		v.config("config", *c.Config)
	}
	return v.err
}

func (c AddPartitions) validate() error {
	var v checks
	v.topicName("name", c.Name)
	v.within("total", int64(c.Total), 1, MaxPartitions)
	v.assignments(c.Assignments, int32(len(c.Assignments)))
	return v.err
}

func (c DeleteTopic) validate() error {
	var v checks
	v.topicName("name", c.Name)
	return v.err
}

func (c *checks) assignments(assignments []TopicAssignment, partitions int32) {
	if n := len(assignments); n != 0 && n != int(partitions) {
		c.fail("assignments", "there are %d for %d partitions; give one for each, or none", n, partitions)
	}
	for i, a := range assignments {
		if len(a.Replicas) == 0 {
			c.fail(indexed("assignments", i, "replicas"), "is missing")
		}
		c.brokers(indexed("assignments", i, "replicas"), a.Replicas)
	}
}

func (c CreateTopic) decide(d *decision) error {
	existing, err := d.view.Topic(c.Name)
	if exists, err := d.exists(topicLabel(c.Name), existing.Revision, err); err != nil {
		return err
	} else if exists {
		return events.Errorf(events.CodeAlreadyExists, "topic %q: already exists (id %s); 'metalog topic describe' shows it", c.Name, existing.ID)
	}
	topic := events.TopicRef{Name: c.Name, ID: d.newID()}
	root := d.emit(&events.TopicCreated{
		TopicRef: topic, Partitions: c.Partitions, ReplicationFactor: int16(c.ReplicationFactor), Config: c.Config,
	})
	return d.assignAll(root, topic, 0, c.Assignments)
}

// assignAll derives the assignments of new partitions, first and up.
func (d *decision) assignAll(cause int, topic events.TopicRef, first int32, assignments []TopicAssignment) error {
	for i, a := range assignments {
		ref := events.PartitionRef{Topic: topic.Name, TopicID: topic.ID, Partition: first + int32(i)}
		assignment, err := d.newAssignment(ref, AssignPartition{Replicas: a.Replicas, Leader: a.Leader})
		if err != nil {
			return err
		}
		d.derive(cause, &events.PartitionAssigned{PartitionRef: ref, Assignment: assignment})
	}
	return nil
}

func (c UpdateTopic) decide(d *decision) error {
	topic, err := d.topic(c.Name)
	if err != nil {
		return err
	}
	event := &events.TopicUpdated{
		TopicRef: refOf(topic), ReplicationFactor: topic.ReplicationFactor, Config: topic.Config,
	}
	if c.ReplicationFactor != nil {
		event.ReplicationFactor = int16(*c.ReplicationFactor)
	}
	if c.Config != nil {
		event.Config = *c.Config
	}
	if event.ReplicationFactor != topic.ReplicationFactor || !maps.Equal(event.Config, topic.Config) {
		d.emit(event)
	}
	return nil
}

func (c AddPartitions) decide(d *decision) error {
	topic, err := d.topic(c.Name)
	if err != nil {
		return err
	}
	switch added := int(c.Total - topic.Partitions); {
	case added == 0:
		return nil
	case added < 0:
		return fieldError("total", "topic %q has %d partitions already; partitions can't be taken away", c.Name, topic.Partitions)
	case len(c.Assignments) != 0 && len(c.Assignments) != added:
		return fieldError("assignments", "there are %d for %d new partitions; give one for each, or none", len(c.Assignments), added)
	}
	root := d.emit(&events.PartitionsAdded{TopicRef: refOf(topic), Partitions: c.Total})
	return d.assignAll(root, refOf(topic), topic.Partitions, c.Assignments)
}

func (c DeleteTopic) decide(d *decision) error {
	topic, err := d.topic(c.Name)
	if err != nil {
		return err
	}
	if topic.Internal {
		return events.Errorf(events.CodeForbidden, "topic %q: internal topics can't be deleted", c.Name)
	}
	deleted := &events.TopicDeleted{TopicRef: refOf(topic)}
	root := d.emit(deleted)
	if !d.plan {
		// What takes several records anyway begins with a short one, so that the topic is
		// unreachable at once, and nobody else waits long.
		deleted.Purging, err = d.view.MoreBelowTopic(topic.ID, events.MaxRecordEvents-1)
		if err != nil || deleted.Purging {
			return err
		}
	}
	deleted.Purging, err = d.cascade(root, belowTopic(d.view, refOf(topic)))
	if d.plan && deleted.Purging {
		d.derive(root, &events.TopicPurged{TopicRef: refOf(topic)})
	}
	return err
}

// topic finds the topic that the command is about.
func (d *decision) topic(name string) (events.Topic, error) {
	topic, err := d.view.Topic(name)
	return topic, d.found(topicLabel(name), topic.Revision, err)
}

func topicLabel(name string) string { return fmt.Sprintf("topic %q", name) }

func refOf(t events.Topic) events.TopicRef { return events.TopicRef{Name: t.Name, ID: t.ID} }

// partition finds a partition of a topic that the command is not itself about.
func (d *decision) partition(topic string, partition int32) (events.PartitionRef, error) {
	t, err := d.view.TopicRow(topic)
	if err != nil {
		return events.PartitionRef{}, err
	}
	return partitionOf(t, partition)
}

func partitionOf(t events.Topic, partition int32) (events.PartitionRef, error) {
	ref := events.PartitionRef{Topic: t.Name, TopicID: t.ID, Partition: partition}
	if partition < 0 || partition >= t.Partitions {
		return ref, events.Errorf(events.CodeOutOfRange, "topic %q: partition %d is out of range, its partitions are 0 to %d", t.Name, partition, t.Partitions-1)
	}
	return ref, nil
}
