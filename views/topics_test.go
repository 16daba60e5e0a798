package views

import (
	"errors"
	"testing"

	"github.com/metalog/metalog/events"
)

func putTopic(t testing.TB, tx *Tx, n byte, name string) events.Topic {
	t.Helper()
	topic := events.Topic{Name: name, ID: id(n), Partitions: 3, ReplicationFactor: 1, CreatedAt: 1, UpdatedAt: 2, Revision: uint64(n)}
	must(t, tx.PutTopic(topic))
	return topic
}

func topicScope(topic events.Topic) events.Scope {
	return events.Scope{Of: events.EntityRef{Kind: events.KindTopic, ID: topic.Name}, TopicID: topic.ID}
}

func TestTopics(t *testing.T) {
	db, tx := mustOpen(t)
	putTopic(t, tx, 1, "orders")
	commit(t, tx)
	putTopic(t, tx, 2, "alerts")
	orders := putTopic(t, tx, 1, "orders")
	orders.Config = events.Config{"retention.ms": "1"}
	must(t, tx.PutConfig(topicScope(orders), orders.Config, 7))

	got, err := tx.Topic("orders")
	must(t, err)
	if got.ID != orders.ID || got.Config["retention.ms"] != "1" || got.Partitions != 3 || got.CreatedAt != 1 || got.Revision != 1 {
		t.Errorf("by name: %+v", got)
	}
	if byID, err := tx.TopicByID(id(1)); err != nil || byID.Name != "orders" || byID.Config == nil {
		t.Errorf("by id: %+v, %v", byID, err)
	}
	topics := all(t, tx.Topics())
	if len(topics) != 2 || topics[0].Name != "alerts" || topics[1].Config["retention.ms"] != "1" {
		t.Errorf("list: %+v", topics)
	}
	if n := tx.Counts()["topics"]; n != 2 {
		t.Errorf("%d topics, want 2", n)
	}

	must(t, tx.DeleteTopic(id(1)))
	commit(t, tx)
	snapshot, err := db.Snapshot()
	must(t, err)
	defer snapshot.Close()
	if _, err := snapshot.Topic("orders"); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("deleted topic by name: %v", err)
	}
	if _, err := snapshot.TopicByID(id(1)); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("deleted topic by id: %v", err)
	}
	if err := tx.DeleteTopic(id(1)); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("delete of what is not there: %v", err)
	}
}

// TestPurging deletes a topic and a group and leaves what hangs on them, as a
// large cascade does: reads don't show it, cascades do, with its names.
func TestPurging(t *testing.T) {
	_, tx := mustOpen(t)
	topic, kept := putTopic(t, tx, 1, "orders"), putTopic(t, tx, 2, "kept")
	group, keptGroup := putGroup(t, tx, 5, "billing"), putGroup(t, tx, 6, "stays")
	ref := events.PartitionRef{Topic: topic.Name, TopicID: topic.ID, Partition: 1}
	must(t, tx.PutSegment(segment(topic, 1, "a", events.SegmentLog, 0, 9)))
	must(t, tx.PutAssignment(ref, events.Assignment{Replicas: events.BrokerIDs{1}}, 1))
	must(t, tx.PutWatermarks(topic.ID, 1, Watermarks{HighWatermark: 9}))
	must(t, tx.PutConfig(topicScope(topic), events.Config{"k": "v"}, 1))
	must(t, tx.PutOffset(offsetRef(keptGroup, topic, 1), events.OffsetInfo{Offset: 1}, 1, 1))
	must(t, tx.PutOffset(offsetRef(group, kept, 1), events.OffsetInfo{Offset: 2}, 1, 1))
	must(t, tx.PutTransaction(transaction("t", 9)))
	must(t, tx.AddTransactionPartition(9, ref))
	must(t, tx.AddTransactionGroup(9, group.GroupRef))
	must(t, tx.PutPendingOffset(9, events.PendingOffset{OffsetRef: offsetRef(keptGroup, topic, 1)}))
	must(t, tx.PutPendingOffset(9, events.PendingOffset{OffsetRef: offsetRef(group, kept, 1)}))
	must(t, tx.DeleteTopic(topic.ID))
	must(t, tx.DeleteGroup(group.GroupID))
	must(t, tx.PutCascade(Cascade{Kind: events.CascadeTopicDelete, Cause: events.Position{Seq: 3}, Topic: events.TopicRef{Name: topic.Name, ID: topic.ID}}))
	must(t, tx.PutCascade(Cascade{Kind: events.CascadeGroupDelete, Cause: events.Position{Seq: 4}, Group: group.GroupRef}))
	commit(t, tx)

	shown := map[string]int{
		"segments":      len(all(t, tx.Segments(topic.ID, AllPartitions))),
		"below":         len(all(t, tx.SegmentsBelow(topic.ID, 1, 100))),
		"assignments":   len(all(t, tx.Assignments(topic.ID))),
		"of broker":     len(all(t, tx.PartitionsOf(1))),
		"configs":       len(all(t, tx.Configs())),
		"of group":      len(all(t, tx.Offsets(keptGroup))),
		"of dead group": len(all(t, tx.Offsets(group))),
		"of topic":      len(all(t, tx.OffsetsOfTopic(topic))),
		"in kept topic": len(all(t, tx.OffsetsOfTopic(kept))),
		"txn parts":     len(all(t, tx.TransactionPartitions(9))),
		"txn groups":    len(all(t, tx.TransactionGroups(9))),
		"pending":       len(all(t, tx.PendingOffsets(9))),
	}
	for what, n := range shown {
		if n != 0 {
			t.Errorf("%s: a read shows %d rows that wait to be purged", what, n)
		}
	}
	if w, err := tx.Watermarks(topic.ID, 1); err != nil || w != (Watermarks{}) {
		t.Errorf("watermarks: %+v, %v", w, err)
	}
	if c, err := tx.Config(topicScope(topic)); err != nil || c.Revision != 0 {
		t.Errorf("config: %+v, %v", c, err)
	}
	for what, get := range map[string]func() error{
		"segment":    func() error { _, err := tx.Segment(topic.ID, "a"); return err },
		"find":       func() error { _, err := tx.FindSegment(topic.ID, 1, events.SegmentLog, 5); return err },
		"assignment": func() error { _, err := tx.Assignment(topic.ID, 1); return err },
		"partition":  func() error { _, err := tx.Partition(topic, 1); return err },
		"offset":     func() error { _, err := tx.Offset("stays", "orders", 1); return err },
	} {
		if err := get(); !errors.Is(err, events.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}

	if o := all(t, tx.AllOffsetsOfTopic(topic.ID)); len(o) != 1 || o[0].Topic != "orders" || o[0].Group != "stays" {
		t.Errorf("offsets to purge with the topic: %+v", o)
	}
	if o := all(t, tx.AllOffsetsOfGroup(group.GroupID)); len(o) != 1 || o[0].Group != "billing" || o[0].Topic != "kept" {
		t.Errorf("offsets to purge with the group: %+v", o)
	}
	if w := all(t, tx.AllWatermarks(topic.ID)); len(w) != 1 || w[0].Topic != "orders" || w[0].HighWatermark != 9 {
		t.Errorf("watermarks to purge: %+v", w)
	}
	if len(all(t, tx.AllSegments(topic.ID))) != 1 || len(all(t, tx.AllAssignments(topic.ID))) != 1 {
		t.Error("segments or assignments to purge are missing")
	}
	if c, err := tx.RawConfig(topicScope(topic)); err != nil || c.Config["k"] != "v" {
		t.Errorf("config to purge: %+v, %v", c, err)
	}
	if p := all(t, tx.TransactionPartitionsOfTopic(topic.ID)); len(p) != 1 || p[0].Transaction.TransactionalID != "t" || p[0].Partition != ref {
		t.Errorf("transaction partitions to purge: %+v", p)
	}
	if g := all(t, tx.TransactionGroupsOf(group.GroupID)); len(g) != 1 || g[0].Group != group.GroupRef {
		t.Errorf("transaction groups to purge: %+v", g)
	}
	if o := all(t, tx.PendingOffsetsOfTopic(topic.ID)); len(o) != 1 || o[0].Offset.Group != "stays" {
		t.Errorf("pending offsets to purge with the topic: %+v", o)
	}
	if o := all(t, tx.PendingOffsetsOfGroup(group.GroupID)); len(o) != 1 || o[0].Offset.Topic != "kept" {
		t.Errorf("pending offsets to purge with the group: %+v", o)
	}
	txn, err := tx.Transaction("t")
	if err != nil || len(txn.Partitions)+len(txn.Groups)+len(txn.Pending) != 0 {
		t.Errorf("transaction shows what waits to be purged: %+v, %v", txn, err)
	}
	must(t, tx.ClearTransaction(9))
	if n := len(all(t, tx.AllPendingOffsets(9))); n != 0 || tx.Counts()["transaction_groups"] != 0 {
		t.Errorf("%d pending offsets left", n)
	}
	commit(t, tx)
}
