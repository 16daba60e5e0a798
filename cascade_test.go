package metalog_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func mustPlan(t *testing.T, s *storetest.Store, cmd metalog.Command) []events.EventView {
	t.Helper()
	before := s.Seq()
	plan, err := s.Plan(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if after := s.Seq(); after != before {
		t.Fatalf("a plan wrote: seq %d → %d", before, after)
	}
	return plan
}

// comparePlan compares what a plan listed with what then was emitted, in
// whichever records.
func comparePlan(t *testing.T, plan, emitted []events.EventView) {
	t.Helper()
	if len(plan) != len(emitted) {
		t.Fatalf("planned %d events %v, emitted %d %v", len(plan), types(plan), len(emitted), types(emitted))
	}
	for i := range plan {
		p, e := plan[i], emitted[i]
		if p.Type != e.Type || p.Derived != e.Derived || p.Entity != e.Entity || !reflect.DeepEqual(p.Cause, e.Cause) || !reflect.DeepEqual(p.Payload, e.Payload) {
			t.Errorf("event %d: planned %+v %+v\nemitted %+v %+v", i, p, p.Payload, e, e.Payload)
		}
	}
}

// catalogue fills a store with two topics that have everything that hangs on a
// topic, two groups and an open transaction.
func catalogue(t *testing.T, s *storetest.Store) {
	t.Helper()
	registerBrokers(s, 1, 2)
	for _, topic := range []string{"orders", "clicks"} {
		s.Must(metalog.CreateTopic{Name: topic, Partitions: 2, ReplicationFactor: 2, Config: events.Config{"a": "1"}})
		for i := range 3 {
			s.Must(segment(topic, int32(i%2), fmt.Sprintf("s%d", i), int64(i)*100, int64(i)*100+99))
		}
		s.Must(metalog.AssignPartition{Topic: topic, Partition: 0, Replicas: events.BrokerIDs{1, 2}})
		s.Must(metalog.AssignPartition{Topic: topic, Partition: 1, Replicas: events.BrokerIDs{2}})
		s.Must(metalog.AdvanceWatermarks{Topic: topic, Partition: 1, High: new(int64(5))})
	}
	for _, group := range []string{"g", "h"} {
		s.Must(metalog.CreateGroup{ID: group})
		for _, topic := range []string{"orders", "clicks"} {
			s.Must(commit(group, topic, 0, 5))
		}
	}
	s.Must(metalog.SetConfig{Scope: scope(t, "group/g"), Config: events.Config{"x": "1"}})
	p := beginTransaction(s, "txn")
	s.Must(metalog.AddTransactionPartitions{Producer: p, Partitions: []metalog.TransactionPartition{{Topic: "orders", Partition: 0}, {Topic: "clicks", Partition: 1}}})
	s.Must(metalog.AddTransactionOffsets{Producer: p, Group: "g"})
	s.Must(metalog.CommitTransactionOffsets{Producer: p, Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "orders", Offset: 9}, {Topic: "clicks", Offset: 9}}})
}

// Deleting a topic takes all below it along, in one record, and nothing else; its
// namesake starts empty.
func TestCascadeOfTopicDelete(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	old, err := s.GetTopic(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	plan := mustPlan(t, s, metalog.DeleteTopic{Name: "orders"})
	record := s.Record(s.Must(metalog.DeleteTopic{Name: "orders"}).Seq)
	comparePlan(t, plan, record)
	want := []string{
		"SegmentRemoved", "SegmentRemoved", "SegmentRemoved", "PartitionUnassigned", "PartitionUnassigned", "WatermarksDeleted",
		"OffsetDeleted", "OffsetDeleted", "TransactionOffsetDropped", "TransactionPartitionRemoved", "ConfigDeleted",
	}
	if got := checkCascade(t, record); !slices.Equal(got, want) {
		t.Errorf("derived %v, want %v", got, want)
	}
	for _, e := range record {
		if id := topicIDOf(e.Payload); id != old.ID.String() {
			t.Errorf("%s carries topic id %s, want %s", e.Type, id, old.ID)
		}
	}

	createTopic(s, "orders", 2)
	checkEmptyTopic(t, s, "orders")
	for _, group := range []string{"g", "h"} {
		if list, err := metalog.Collect(s.ListOffsets(t.Context(), group)); err != nil || len(list) != 1 || list[0].Topic != "clicks" {
			t.Errorf("%s: %+v, %v", group, list, err)
		}
	}
	txn, err := s.GetTransaction(t.Context(), "txn")
	if err != nil || len(txn.Partitions) != 1 || len(txn.Pending) != 1 || txn.Pending[0].Topic != "clicks" {
		t.Errorf("%+v, %v", txn, err)
	}
}

func topicIDOf(payload events.Event) string {
	switch e := payload.(type) {
	case *events.TransactionOffsetDropped:
		return e.Offset.TopicID.String()
	case *events.TransactionPartitionRemoved:
		return e.Partition.TopicID.String()
	case *events.TopicDeleted:
		return e.ID.String()
	}
	return reflect.ValueOf(payload).Elem().FieldByName("TopicID").Interface().(fmt.Stringer).String()
}

func checkEmptyTopic(t *testing.T, s metalog.Reader, name string) {
	t.Helper()
	topic, err := s.GetTopic(t.Context(), name)
	if err != nil || len(topic.Config) != 0 {
		t.Errorf("%+v, %v", topic, err)
	}
	if list, err := metalog.Collect(s.ListSegments(t.Context(), name, metalog.AllPartitions)); err != nil || len(list) != 0 {
		t.Errorf("segments %+v, %v", list, err)
	}
	if list, err := metalog.Collect(s.ListTopicOffsets(t.Context(), name)); err != nil || len(list) != 0 {
		t.Errorf("offsets %+v, %v", list, err)
	}
	list, err := metalog.Collect(s.ListPartitions(t.Context(), name))
	if err != nil {
		t.Error(err)
	}
	for _, p := range list {
		if len(p.Replicas) != 0 || p.Leader != events.NoLeader || p.HighWatermark != 0 || p.LogStartOffset != 0 || p.Revision != 0 {
			t.Errorf("partition %+v", p)
		}
	}
}

func TestCascadeOfGroupDelete(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	plan := mustPlan(t, s, metalog.DeleteGroup{ID: "g"})
	record := s.Record(s.Must(metalog.DeleteGroup{ID: "g"}).Seq)
	comparePlan(t, plan, record)
	want := []string{"OffsetDeleted", "OffsetDeleted", "TransactionOffsetDropped", "TransactionOffsetDropped", "ConfigDeleted"}
	if got := checkCascade(t, record); !slices.Equal(got, want) {
		t.Errorf("derived %v, want %v", got, want)
	}
	txn, err := s.GetTransaction(t.Context(), "txn")
	if err != nil || len(txn.Groups) != 0 || len(txn.Pending) != 0 || len(txn.Partitions) != 2 {
		t.Errorf("%+v, %v", txn, err)
	}
	if list, err := metalog.Collect(s.ListOffsets(t.Context(), "h")); err != nil || len(list) != 2 {
		t.Errorf("the other group: %+v, %v", list, err)
	}
}

// A broker that goes offline leaves the ISR, where the last one stays, and what
// it led gets another leader or none.
func TestCascadeOfBrokerOffline(t *testing.T) {
	t.Parallel()
	s := openAssigned(t) // 0: 1 2, 1: 2 3, 2: 3 1
	s.Must(metalog.ChangeISR{Topic: "orders", Partition: 2, ISR: events.BrokerIDs{3}})
	offline := func(id int32) []events.EventView {
		t.Helper()
		cmd := metalog.SetBrokerStatus{ID: id, Status: events.BrokerOffline}
		plan := mustPlan(t, s, cmd)
		record := s.Record(s.Must(cmd).Seq)
		comparePlan(t, plan, record)
		checkCascade(t, record)
		return record
	}
	offline(1)
	checkPartition(t, s, 0, events.BrokerIDs{1, 2}, events.BrokerIDs{2}, 2, 1)
	checkPartition(t, s, 1, events.BrokerIDs{2, 3}, events.BrokerIDs{2, 3}, 2, 0)
	checkPartition(t, s, 2, events.BrokerIDs{3, 1}, events.BrokerIDs{3}, 3, 0)
	offline(3)
	checkPartition(t, s, 2, events.BrokerIDs{3, 1}, events.BrokerIDs{3}, events.NoLeader, 1)

	online := metalog.SetBrokerStatus{ID: 3, Status: events.BrokerOnline}
	plan := mustPlan(t, s, online)
	record := s.Record(s.Must(online).Seq)
	comparePlan(t, plan, record)
	if got := checkCascade(t, record); !slices.Equal(got, []string{"LeaderChanged"}) {
		t.Errorf("derived %v", got)
	}
	checkPartition(t, s, 2, events.BrokerIDs{3, 1}, events.BrokerIDs{3}, 3, 2)
	checkPartition(t, s, 1, events.BrokerIDs{2, 3}, events.BrokerIDs{2}, 2, 0)
}

// A broker that comes back as another incarnation has lost its leaderships.
func TestCascadeOfBrokerRestart(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	again := broker(1)
	again.IncarnationID[0] = 9
	plan := mustPlan(t, s, again)
	record := s.Record(s.Must(again).Seq)
	comparePlan(t, plan, record)
	if got := checkCascade(t, record); !slices.Equal(got, []string{"LeaderChanged"}) {
		t.Errorf("derived %v", got)
	}
	checkPartition(t, s, 0, events.BrokerIDs{1, 2}, events.BrokerIDs{1, 2}, 1, 1)
}

func TestCascadeOfBrokerRemove(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	s.Must(metalog.AddPartitions{Name: "orders", Total: 4, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{1}}}})
	s.Refused(metalog.ErrConflict, metalog.RemoveBroker{ID: 1})
	force := metalog.RemoveBroker{ID: 1, Force: true}
	plan := mustPlan(t, s, force)
	record := s.Record(s.Must(force).Seq)
	comparePlan(t, plan, record)
	if got := checkCascade(t, record); !slices.Equal(got, []string{"PartitionReassigned", "PartitionReassigned", "PartitionUnassigned"}) {
		t.Errorf("derived %v", got)
	}
	checkPartition(t, s, 0, events.BrokerIDs{2}, events.BrokerIDs{2}, 2, 1)
	checkPartition(t, s, 2, events.BrokerIDs{3}, events.BrokerIDs{3}, 3, 0)
	checkPartition(t, s, 3, nil, nil, events.NoLeader, 0)
	if _, err := s.GetBroker(t.Context(), 1); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("after the removal: %v", err)
	}
}
