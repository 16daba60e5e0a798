package views

import (
	"iter"
	"slices"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// AssignmentRow is who holds a partition, as it is stored. Its Leader may have
// gone offline since: see [Reader.EffectiveLeader].
type AssignmentRow struct {
	events.PartitionRef
	events.Assignment
	Revision uint64 `cbor:"10,keyasint" json:"revision"`
}

func assignmentKey(topic uuid.UUID, p int32) key {
	return bucketAssignments.key().partition(topic, p)
}

func partitionOfBrokerKey(broker int32, topic uuid.UUID, p int32) key {
	return bucketPartitionsByBroker.key().int32(broker).partition(topic, p)
}

// Assignment returns who holds a partition.
func (r *Reader) Assignment(topic uuid.UUID, p int32) (AssignmentRow, error) {
	owner, err := r.topicRow(topic)
	if err != nil {
		return AssignmentRow{}, err
	}
	row, found, err := r.assignmentRow(topic, p)
	if err == nil && !found {
		err = events.Errorf(events.CodeNotFound, "partition %d of topic %q: not assigned; 'metalog partition assign %s %d --replicas …' assigns it", p, owner.Name, owner.Name, p)
	}
	return row, err
}

func (r *Reader) assignmentRow(topic uuid.UUID, p int32) (AssignmentRow, bool, error) {
	return load[AssignmentRow](r, assignmentKey(topic, p))
}

// Assignments yields who holds the partitions of a topic, in their order.
func (r *Reader) Assignments(topic uuid.UUID) iter.Seq2[AssignmentRow, error] {
	return ifReachable(r, topic, r.AllAssignments(topic))
}

// AllAssignments is Assignments, of a topic that is being purged too.
func (r *Reader) AllAssignments(topic uuid.UUID) iter.Seq2[AssignmentRow, error] {
	return rowsOf[AssignmentRow](r, bucketAssignments.key().uuid(topic))
}

// PartitionsOf yields the partitions that have the broker as replica, in order
// of topic id and partition.
func (r *Reader) PartitionsOf(broker int32) iter.Seq2[AssignmentRow, error] {
	return collect(r.scan(bucketPartitionsByBroker.key().int32(broker)), func(e entry) (row AssignmentRow, ok bool, err error) {
		parts := keyParts{rest: e.key}
		parts.int32()
		topic, p := parts.uuid(), parts.int32()
		if err := parts.end(bucketPartitionsByBroker); err != nil {
			return row, false, err
		}
		if ok, err = r.reachable(topic); err != nil || !ok {
			return row, false, err
		}
		row, ok, err = r.assignmentRow(topic, p)
		if err == nil && !ok {
			err = errBrokenIndex(bucketPartitionsByBroker)
		}
		return row, ok, err
	})
}

// EffectiveLeader returns the leader of a partition as it holds now:
// events.NoLeader when the broker is gone or offline, or has another epoch than
// when it was elected, even if no event has moved the leadership yet.
func (r *Reader) EffectiveLeader(a events.Assignment) (int32, error) {
	if a.Leader == events.NoLeader {
		return events.NoLeader, nil
	}
	broker, found, err := r.brokerRow(a.Leader)
	if err != nil || !found || !leads(broker, a) {
		return events.NoLeader, err
	}
	return a.Leader, nil
}

// leads reports whether the leader that is stored still leads.
func leads(leader events.Broker, a events.Assignment) bool {
	return leader.Status != events.BrokerOffline && leader.Epoch == a.LeaderBrokerEpoch
}

// Partition returns a partition of a topic. One without assignment has no
// replicas and no leader.
func (r *Reader) Partition(topic events.Topic, p int32) (events.Partition, error) {
	if p < 0 || p >= topic.Partitions {
		return events.Partition{}, events.Errorf(events.CodeOutOfRange, "partition %d of topic %q: it has partitions 0 to %d", p, topic.Name, topic.Partitions-1)
	}
	if _, err := r.topicRow(topic.ID); err != nil {
		return events.Partition{}, err
	}
	return r.partition(topic, p, r.EffectiveLeader)
}

// partition is Partition of a topic that is there and has it.
func (r *Reader) partition(topic events.Topic, p int32, leaderOf func(events.Assignment) (int32, error)) (events.Partition, error) {
	row, found, err := r.assignmentRow(topic.ID, p)
	if err != nil {
		return events.Partition{}, err
	}
	if !found {
		row.Assignment = events.Assignment{Leader: events.NoLeader}
	}
	w, err := r.watermarksRow(topic.ID, p)
	if err != nil {
		return events.Partition{}, err
	}
	leader, err := leaderOf(row.Assignment)
	return events.Partition{
		PartitionRef:   events.PartitionRef{Topic: topic.Name, TopicID: topic.ID, Partition: p},
		Replicas:       row.Replicas,
		ISR:            row.ISR,
		Leader:         leader,
		LeaderEpoch:    row.LeaderEpoch,
		PartitionEpoch: row.PartitionEpoch,
		HighWatermark:  w.HighWatermark,
		LogStartOffset: w.LogStartOffset,
		Revision:       max(row.Revision, w.Revision),
	}, err
}

// Partitions yields all partitions of a topic in order, those without assignment
// too.
func (r *Reader) Partitions(topic events.Topic) iter.Seq2[events.Partition, error] {
	return func(yield func(events.Partition, error) bool) {
		for p := range topic.Partitions {
			partition, err := r.Partition(topic, p)
			if !yield(partition, err) || err != nil {
				return
			}
		}
	}
}

// PutAssignment sets who holds a partition.
func (tx *Tx) PutAssignment(ref events.PartitionRef, a events.Assignment, revision uint64) error {
	old, _, err := tx.assignmentRow(ref.TopicID, ref.Partition)
	if err != nil {
		return err
	}
	if err := tx.indexReplicas(ref, old.Replicas, a.Replicas); err != nil {
		return err
	}
	return tx.save(assignmentKey(ref.TopicID, ref.Partition), AssignmentRow{ref, a, revision})
}

// DeleteAssignment leaves a partition to nobody.
func (tx *Tx) DeleteAssignment(topic uuid.UUID, p int32) error {
	old, _, err := tx.assignmentRow(topic, p)
	if err != nil {
		return err
	}
	if err := tx.indexReplicas(old.PartitionRef, old.Replicas, nil); err != nil {
		return err
	}
	return tx.remove(assignmentKey(topic, p))
}

// indexReplicas brings the index by broker from old replicas to new ones.
func (tx *Tx) indexReplicas(ref events.PartitionRef, old, replicas events.BrokerIDs) error {
	for _, broker := range old {
		if slices.Contains(replicas, broker) {
			continue
		}
		if err := tx.remove(partitionOfBrokerKey(broker, ref.TopicID, ref.Partition)); err != nil {
			return err
		}
	}
	for _, broker := range replicas {
		if slices.Contains(old, broker) {
			continue
		}
		if err := tx.put(partitionOfBrokerKey(broker, ref.TopicID, ref.Partition), nil); err != nil {
			return err
		}
	}
	return nil
}
