package views

import (
	"errors"
	"testing"

	"github.com/metalog/metalog/events"
)

func transaction(name string, producer int64) events.Transaction {
	return events.Transaction{TransactionRef: events.TransactionRef{TransactionalID: name, ProducerID: producer}, State: events.TransactionOngoing}
}

func TestTransactions(t *testing.T) {
	_, tx := mustOpen(t)
	topic, group := putTopic(t, tx, 1, "orders"), putGroup(t, tx, 5, "billing")
	must(t, tx.PutTransaction(transaction("t2", 2)))
	must(t, tx.PutTransaction(transaction("t1", 1)))
	for _, p := range []int32{2, 0, 2} {
		must(t, tx.AddTransactionPartition(1, events.PartitionRef{Topic: topic.Name, TopicID: topic.ID, Partition: p}))
	}
	must(t, tx.AddTransactionGroup(1, group.GroupRef))
	pending := events.PendingOffset{OffsetRef: offsetRef(group, topic, 0), OffsetInfo: events.OffsetInfo{Offset: 9}}
	must(t, tx.PutPendingOffset(1, pending))
	commit(t, tx)

	txns := all(t, tx.Transactions())
	if len(txns) != 2 || txns[1].TransactionalID != "t2" || len(txns[1].Partitions) != 0 {
		t.Fatalf("transactions %+v", txns)
	}
	got := txns[0]
	if len(got.Partitions) != 2 || got.Partitions[1].Partition != 2 || len(got.Groups) != 1 || got.Groups[0] != "billing" || len(got.Pending) != 1 || got.Pending[0] != pending {
		t.Errorf("transaction %+v", got)
	}
	if byProducer, err := tx.TransactionByProducer(2); err != nil || byProducer.TransactionalID != "t2" {
		t.Errorf("by producer: %+v, %v", byProducer, err)
	}
	must(t, tx.ClearTransaction(1))
	got, err := tx.Transaction("t1")
	if err != nil || len(got.Partitions)+len(got.Groups)+len(got.Pending) != 0 {
		t.Errorf("after clearing: %+v, %v", got, err)
	}
	for _, b := range []bucket{bucketTxnPartitions, bucketTxnGroups, bucketTxnOffsets, bucketTxnPartitionsByTopic, bucketTxnGroupsByGroup, bucketTxnOffsetsByGroup, bucketTxnOffsetsByTopic} {
		if n := len(all(t, tx.scan(b.key()))); n != 0 {
			t.Errorf("%d rows left in %s", n, b)
		}
	}
	commit(t, tx)
}

func TestProducerChanges(t *testing.T) {
	_, tx := mustOpen(t)
	must(t, tx.PutTransaction(transaction("t", 1)))
	must(t, tx.PutTransaction(transaction("t", 2)))
	if _, err := tx.TransactionByProducer(1); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("by the earlier producer id: %v", err)
	}
	if got, err := tx.TransactionByProducer(2); err != nil || got.TransactionalID != "t" {
		t.Errorf("by the producer id: %+v, %v", got, err)
	}
	if _, err := tx.Transaction("none"); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	commit(t, tx)
}
