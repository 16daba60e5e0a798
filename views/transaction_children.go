package views

import (
	"iter"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// What hangs on a transaction hangs on its producer's id.

// TransactionPartition is a partition that a transaction writes to.
type TransactionPartition struct {
	Transaction events.TransactionRef
	Partition   events.PartitionRef
}

// TransactionGroup is a group whose offsets a transaction may commit.
type TransactionGroup struct {
	Transaction events.TransactionRef
	Group       events.GroupRef
}

// TransactionOffset is a pending offset of a transaction.
type TransactionOffset struct {
	Transaction events.TransactionRef
	Offset      events.PendingOffset
}

func txnPartitionKey(producer int64, topic uuid.UUID, p int32) key {
	return bucketTxnPartitions.key().int64(producer).partition(topic, p)
}

func txnPartitionOfTopicKey(topic uuid.UUID, producer int64, p int32) key {
	return bucketTxnPartitionsByTopic.key().uuid(topic).int64(producer).int32(p)
}

func txnGroupKey(producer int64, group uint64) key {
	return bucketTxnGroups.key().int64(producer).uint64(group)
}

func txnGroupOfGroupKey(group uint64, producer int64) key {
	return bucketTxnGroupsByGroup.key().uint64(group).int64(producer)
}

func pendingKey(producer int64, ref events.OffsetRef) key {
	return bucketTxnOffsets.key().int64(producer).uint64(ref.GroupID).partition(ref.TopicID, ref.Partition)
}

func pendingOfTopicKey(producer int64, ref events.OffsetRef) key {
	return bucketTxnOffsetsByTopic.key().uuid(ref.TopicID).int64(producer).uint64(ref.GroupID).int32(ref.Partition)
}

func pendingOfGroupKey(producer int64, ref events.OffsetRef) key {
	return bucketTxnOffsetsByGroup.key().uint64(ref.GroupID).int64(producer).partition(ref.TopicID, ref.Partition)
}

func parseTxnPartition(e entry) (events.PartitionRef, error) {
	parts := keyParts{rest: e.key}
	parts.int64()
	ref := events.PartitionRef{Topic: string(e.value), TopicID: parts.uuid(), Partition: parts.int32()}
	return ref, parts.end(bucketTxnPartitions)
}

func parseTxnGroup(e entry) (events.GroupRef, error) {
	parts := keyParts{rest: e.key}
	parts.int64()
	ref := events.GroupRef{ID: string(e.value), GroupID: parts.uint64()}
	return ref, parts.end(bucketTxnGroups)
}

// TransactionPartitions yields the partitions that a producer's transaction
// writes to, in order of topic id and partition; those of topics that are gone
// are left out.
func (r *Reader) TransactionPartitions(producer int64) iter.Seq2[events.PartitionRef, error] {
	return collect(r.scan(bucketTxnPartitions.key().int64(producer)), func(e entry) (events.PartitionRef, bool, error) {
		ref, err := parseTxnPartition(e)
		if err != nil {
			return ref, false, err
		}
		ok, err := r.reachable(ref.TopicID)
		return ref, ok, err
	})
}

// TransactionGroups yields the groups whose offsets a producer's transaction may
// commit, in order of group number; those that are gone are left out.
func (r *Reader) TransactionGroups(producer int64) iter.Seq2[events.GroupRef, error] {
	return collect(r.scan(bucketTxnGroups.key().int64(producer)), func(e entry) (events.GroupRef, bool, error) {
		ref, err := parseTxnGroup(e)
		if err != nil {
			return ref, false, err
		}
		ok, err := r.has(groupKey(ref.GroupID))
		return ref, ok, err
	})
}

// PendingOffsets yields the pending offsets of a producer's transaction, in order
// of group number, topic id and partition; those of topics and groups that are
// gone are left out.
func (r *Reader) PendingOffsets(producer int64) iter.Seq2[events.PendingOffset, error] {
	return collect(r.AllPendingOffsets(producer), func(o events.PendingOffset) (events.PendingOffset, bool, error) {
		ok, err := r.has(groupKey(o.GroupID))
		if err == nil && ok {
			ok, err = r.reachable(o.TopicID)
		}
		return o, ok, err
	})
}

// AllPendingOffsets is PendingOffsets, of topics and groups that are being purged
// too.
func (r *Reader) AllPendingOffsets(producer int64) iter.Seq2[events.PendingOffset, error] {
	return rowsOf[events.PendingOffset](r, bucketTxnOffsets.key().int64(producer))
}

// TransactionPartitionsOfTopic yields the partitions of a topic that
// transactions write to, with each one's transaction, of a topic that is being
// purged too.
func (r *Reader) TransactionPartitionsOfTopic(topic uuid.UUID) iter.Seq2[TransactionPartition, error] {
	return collect(r.scan(bucketTxnPartitionsByTopic.key().uuid(topic)), func(e entry) (t TransactionPartition, ok bool, err error) {
		parts := keyParts{rest: e.key}
		parts.uuid()
		producer, p := parts.int64(), parts.int32()
		if err := parts.end(bucketTxnPartitionsByTopic); err != nil {
			return t, false, err
		}
		name, found, err := r.get(txnPartitionKey(producer, topic, p))
		if err != nil {
			return t, false, err
		}
		if !found {
			return t, false, errBrokenIndex(bucketTxnPartitionsByTopic)
		}
		t.Partition = events.PartitionRef{Topic: string(name), TopicID: topic, Partition: p}
		t.Transaction, err = r.ownerOf(producer)
		return t, true, err
	})
}

// TransactionGroupsOf yields the transactions that may commit offsets of a group,
// of one that is being purged too.
func (r *Reader) TransactionGroupsOf(number uint64) iter.Seq2[TransactionGroup, error] {
	return collect(r.scan(bucketTxnGroupsByGroup.key().uint64(number)), func(e entry) (t TransactionGroup, ok bool, err error) {
		parts := keyParts{rest: e.key}
		parts.uint64()
		producer := parts.int64()
		if err := parts.end(bucketTxnGroupsByGroup); err != nil {
			return t, false, err
		}
		id, found, err := r.get(txnGroupKey(producer, number))
		if err != nil {
			return t, false, err
		}
		if !found {
			return t, false, errBrokenIndex(bucketTxnGroupsByGroup)
		}
		t.Group = events.GroupRef{ID: string(id), GroupID: number}
		t.Transaction, err = r.ownerOf(producer)
		return t, true, err
	})
}

// PendingOffsetsOfTopic yields the pending offsets in a topic with each one's
// transaction, of a topic that is being purged too.
func (r *Reader) PendingOffsetsOfTopic(topic uuid.UUID) iter.Seq2[TransactionOffset, error] {
	return collect(r.scan(bucketTxnOffsetsByTopic.key().uuid(topic)), func(e entry) (TransactionOffset, bool, error) {
		parts := keyParts{rest: e.key}
		ref := events.OffsetRef{TopicID: parts.uuid()}
		producer := parts.int64()
		ref.GroupID, ref.Partition = parts.uint64(), parts.int32()
		return r.indexedPending(producer, ref, parts.end(bucketTxnOffsetsByTopic))
	})
}

// PendingOffsetsOfGroup yields the pending offsets of a group with each one's
// transaction, of a group that is being purged too.
func (r *Reader) PendingOffsetsOfGroup(number uint64) iter.Seq2[TransactionOffset, error] {
	return collect(r.scan(bucketTxnOffsetsByGroup.key().uint64(number)), func(e entry) (TransactionOffset, bool, error) {
		parts := keyParts{rest: e.key}
		ref := events.OffsetRef{GroupID: parts.uint64()}
		producer := parts.int64()
		ref.TopicID, ref.Partition = parts.uuid(), parts.int32()
		return r.indexedPending(producer, ref, parts.end(bucketTxnOffsetsByGroup))
	})
}

// indexedPending returns the pending offset of an index row, whose key was read
// with keyErr.
func (r *Reader) indexedPending(producer int64, ref events.OffsetRef, keyErr error) (t TransactionOffset, ok bool, err error) {
	if keyErr != nil {
		return t, false, keyErr
	}
	offset, found, err := load[events.PendingOffset](r, pendingKey(producer, ref))
	if err != nil {
		return t, false, err
	}
	if !found {
		return t, false, errBrokenIndex(bucketTxnOffsets)
	}
	t.Offset = offset
	t.Transaction, err = r.ownerOf(producer)
	return t, true, err
}

// ownerOf returns the transaction that a producer's rows hang on.
func (r *Reader) ownerOf(producer int64) (events.TransactionRef, error) {
	txn, err := r.TransactionByProducer(producer)
	return txn.TransactionRef, err
}

// PutPendingOffset sets a pending offset of a producer's transaction.
func (tx *Tx) PutPendingOffset(producer int64, offset events.PendingOffset) error {
	if err := tx.put(pendingOfTopicKey(producer, offset.OffsetRef), nil); err != nil {
		return err
	}
	if err := tx.put(pendingOfGroupKey(producer, offset.OffsetRef), nil); err != nil {
		return err
	}
	return tx.save(pendingKey(producer, offset.OffsetRef), offset)
}

// DeletePendingOffset removes a pending offset, found by the ids in ref.
func (tx *Tx) DeletePendingOffset(producer int64, ref events.OffsetRef) error {
	if err := tx.remove(pendingOfTopicKey(producer, ref)); err != nil {
		return err
	}
	if err := tx.remove(pendingOfGroupKey(producer, ref)); err != nil {
		return err
	}
	return tx.remove(pendingKey(producer, ref))
}

// AddTransactionPartition notes that a producer's transaction writes to a
// partition; again is the same.
func (tx *Tx) AddTransactionPartition(producer int64, ref events.PartitionRef) error {
	if err := tx.put(txnPartitionOfTopicKey(ref.TopicID, producer, ref.Partition), nil); err != nil {
		return err
	}
	return tx.put(txnPartitionKey(producer, ref.TopicID, ref.Partition), []byte(ref.Topic))
}

// DeleteTransactionPartition removes a partition of a producer's transaction.
func (tx *Tx) DeleteTransactionPartition(producer int64, topic uuid.UUID, p int32) error {
	if err := tx.remove(txnPartitionOfTopicKey(topic, producer, p)); err != nil {
		return err
	}
	return tx.remove(txnPartitionKey(producer, topic, p))
}

// AddTransactionGroup notes that a producer's transaction may commit offsets of
// a group; again is the same.
func (tx *Tx) AddTransactionGroup(producer int64, ref events.GroupRef) error {
	if err := tx.put(txnGroupOfGroupKey(ref.GroupID, producer), nil); err != nil {
		return err
	}
	return tx.put(txnGroupKey(producer, ref.GroupID), []byte(ref.ID))
}

// DeleteTransactionGroup removes a group of a producer's transaction.
func (tx *Tx) DeleteTransactionGroup(producer int64, group uint64) error {
	if err := tx.remove(txnGroupOfGroupKey(group, producer)); err != nil {
		return err
	}
	return tx.remove(txnGroupKey(producer, group))
}
