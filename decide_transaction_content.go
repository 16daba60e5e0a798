package metalog

import (
	"slices"

	"github.com/metalog/metalog/events"
)

// AddTransactionPartitions notes partitions that the transaction writes to.
type AddTransactionPartitions struct {
	Producer
	Partitions []TransactionPartition `json:"partitions" require:"true"`
}

// TransactionPartition names a partition.
type TransactionPartition struct {
	Topic     string `json:"topic" require:"true"`
	Partition int32  `json:"partition" require:"true"`
}

// AddTransactionOffsets notes a group whose offsets the transaction may commit.
type AddTransactionOffsets struct {
	Producer
	Group string `json:"group" require:"true"`
}

// CommitTransactionOffsets makes offsets pending: they become the group's when
// the transaction commits, and are dropped when it aborts.
type CommitTransactionOffsets struct {
	Producer
	Group   string         `json:"group" require:"true"`
	Offsets []OffsetCommit `json:"offsets" require:"true"`
	// As in [CommitOffsets].
	Generation *int32 `json:"generation,omitempty"`
	MemberID   string `json:"member_id,omitempty"`
}

func (AddTransactionPartitions) Op() string { return "txn.add-partitions" }
func (AddTransactionOffsets) Op() string    { return "txn.add-offsets" }
func (CommitTransactionOffsets) Op() string { return "txn.commit-offsets" }

func (c AddTransactionPartitions) validate() error {
	var v checks
	v.producer(c.Producer)
	if len(c.Partitions) == 0 {
		v.fail("partitions", "is missing; give at least one")
	}
	for i, p := range c.Partitions {
		v.topicName(indexed("partitions", i, "topic"), p.Topic)
		v.atLeast(indexed("partitions", i, "partition"), int64(p.Partition), 0)
	}
	return v.err
}

func (c AddTransactionOffsets) validate() error {
	var v checks
	v.producer(c.Producer)
	v.text("group", c.Group, MaxGroupIDBytes)
	return v.err
}

func (c CommitTransactionOffsets) validate() error {
	var v checks
	v.producer(c.Producer)
	v.text("group", c.Group, MaxGroupIDBytes)
	v.optionalText("member_id", c.MemberID, MaxTextBytes)
	v.offsets(c.Offsets)
	return v.err
}

func (c AddTransactionPartitions) decide(d *decision) error {
	row, err := d.ongoing(c.Producer)
	if err != nil {
		return err
	}
	known := map[events.PartitionRef]bool{}
	for p, err := range d.view.TransactionPartitions(row.ProducerID) {
		if err != nil {
			return err
		}
		known[p] = true
	}
	event := &events.TransactionPartitionsAdded{TransactionRef: row.TransactionRef}
	for _, p := range c.Partitions {
		ref, err := d.partition(p.Topic, p.Partition)
		if err != nil {
			return err
		}
		if !known[ref] {
			known[ref] = true
			event.Partitions = append(event.Partitions, ref)
		}
	}
	if len(known) > maxTransactionOpen {
		return events.Errorf(events.CodeTooLarge, "%s: it would have %d partitions, the limit is %d; use more transactions", transactionLabel(c.TransactionalID), len(known), maxTransactionOpen)
	}
	if len(event.Partitions) > 0 {
		d.emit(event)
	}
	return nil
}

func (c AddTransactionOffsets) decide(d *decision) error {
	row, group, known, err := d.ongoingGroup(c.Producer, c.Group)
	if err != nil || known {
		return err
	}
	d.emit(&events.TransactionOffsetsAdded{TransactionRef: row.TransactionRef, Group: group.ID, GroupID: group.GroupID})
	return nil
}

func (c CommitTransactionOffsets) decide(d *decision) error {
	row, group, known, err := d.ongoingGroup(c.Producer, c.Group)
	if err != nil {
		return err
	}
	if !known {
		return events.Errorf(events.CodeConflict, "%s: group %q is not part of it; add its offsets first ('metalog txn add-offsets')", transactionLabel(c.TransactionalID), c.Group)
	}
	if err := mayCommit(group, c.Generation, c.MemberID); err != nil {
		return err
	}
	pending, err := d.resolve(group, c.Offsets)
	if err != nil {
		return err
	}
	event := &events.TransactionOffsetsCommitted{TransactionRef: row.TransactionRef, Offsets: pending}
	if err := mayBePending(row, event); err != nil {
		return err
	}
	d.emit(event)
	return nil
}

// ongoingGroup finds an ongoing transaction and a group, and reports whether the
// one may commit the other's offsets.
func (d *decision) ongoingGroup(p Producer, groupID string) (row events.Transaction, group events.Group, known bool, err error) {
	if row, err = d.ongoing(p); err != nil {
		return row, group, false, err
	}
	if group, err = d.view.Group(groupID); err != nil {
		return row, group, false, err
	}
	groups, err := Collect(d.view.TransactionGroups(row.ProducerID))
	return row, group, slices.Contains(groups, group.GroupRef), err
}

// mayBePending keeps a transaction small enough to end in one record.
func mayBePending(row events.Transaction, event *events.TransactionOffsetsCommitted) error {
	size, err := event.EndBytes()
	if err != nil {
		return err
	}
	count, size := row.PendingCount+int64(len(event.Offsets)), row.PendingBytes+size
	if count > maxTransactionOpen || size > maxTransactionBytes {
		return events.Errorf(events.CodeTooLarge, "%s: ending it would take %d events of %d bytes, the limits are %d and %d; commit fewer offsets in one transaction", transactionLabel(row.TransactionalID), count, size, maxTransactionOpen, maxTransactionBytes)
	}
	return nil
}
