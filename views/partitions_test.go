package views

import (
	"errors"
	"slices"
	"testing"

	"github.com/metalog/metalog/events"
)

func TestBrokers(t *testing.T) {
	_, tx := mustOpen(t)
	for _, n := range []int32{300, 2, 1} {
		must(t, tx.PutBroker(events.Broker{BrokerInfo: events.BrokerInfo{ID: n, Host: "h", Port: 9092}, Epoch: uint64(n), Status: events.BrokerOnline}))
	}
	commit(t, tx)
	brokers := all(t, tx.Brokers())
	if len(brokers) != 3 || brokers[0].ID != 1 || brokers[2].ID != 300 || brokers[2].Epoch != 300 {
		t.Errorf("brokers %+v", brokers)
	}
	must(t, tx.DeleteBroker(2))
	if _, err := tx.Broker(2); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("removed broker: %v", err)
	}
	if err := tx.DeleteBroker(2); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("delete of what is not there: %v", err)
	}
	commit(t, tx)
}

func TestEffectiveLeader(t *testing.T) {
	_, tx := mustOpen(t)
	broker := func(id int32, status events.BrokerStatus) {
		must(t, tx.PutBroker(events.Broker{BrokerInfo: events.BrokerInfo{ID: id}, Epoch: 7, Status: status}))
	}
	broker(1, events.BrokerOnline)
	broker(2, events.BrokerOffline)
	broker(3, events.BrokerMaintenance)
	tests := []struct {
		name   string
		leader int32
		epoch  uint64
		want   int32
	}{
		{"online", 1, 7, 1},
		{"elected under an earlier epoch", 1, 6, events.NoLeader},
		{"offline", 2, 7, events.NoLeader},
		{"maintenance keeps it", 3, 7, 3},
		{"no such broker", 4, 7, events.NoLeader},
		{"none elected", events.NoLeader, 0, events.NoLeader},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := tx.EffectiveLeader(events.Assignment{Leader: test.leader, LeaderBrokerEpoch: test.epoch})
			if err != nil || got != test.want {
				t.Errorf("leader %d, %v; want %d", got, err, test.want)
			}
		})
	}
	commit(t, tx)
}

func TestPartitions(t *testing.T) {
	_, tx := mustOpen(t)
	topic := putTopic(t, tx, 1, "orders")
	must(t, tx.PutBroker(events.Broker{BrokerInfo: events.BrokerInfo{ID: 2}, Epoch: 7, Status: events.BrokerOnline}))
	ref := events.PartitionRef{Topic: topic.Name, TopicID: topic.ID, Partition: 1}
	must(t, tx.PutAssignment(ref, events.Assignment{Replicas: events.BrokerIDs{1, 2}, ISR: events.BrokerIDs{2}, Leader: 2, LeaderEpoch: 4, PartitionEpoch: 5, LeaderBrokerEpoch: 7}, 10))
	must(t, tx.PutWatermarks(topic.ID, 1, Watermarks{HighWatermark: 50, LeaderEpoch: 4, LogStartOffset: 20, Revision: 11}))
	commit(t, tx)

	got := all(t, tx.Partitions(topic))
	if len(got) != 3 || got[0].Leader != events.NoLeader || len(got[0].Replicas) != 0 || got[2].Revision != 0 {
		t.Fatalf("partitions %+v", got)
	}
	p := got[1]
	if p.PartitionRef != ref || p.Leader != 2 || p.LeaderEpoch != 4 || p.PartitionEpoch != 5 || p.HighWatermark != 50 || p.LogStartOffset != 20 || p.Revision != 11 || !slices.Equal(p.ISR, events.BrokerIDs{2}) {
		t.Errorf("partition %+v", p)
	}
	for _, n := range []int32{-1, 3} {
		if _, err := tx.Partition(topic, n); !errors.Is(err, events.ErrOutOfRange) {
			t.Errorf("partition %d: %v", n, err)
		}
	}
	if _, err := tx.Assignment(topic.ID, 0); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("assignment of an unassigned partition: %v", err)
	}

	must(t, tx.PutAssignment(ref, events.Assignment{Replicas: events.BrokerIDs{2, 3}}, 12))
	for broker, want := range map[int32]int{1: 0, 2: 1, 3: 1} {
		if got := all(t, tx.PartitionsOf(broker)); len(got) != want || want == 1 && (got[0].PartitionRef != ref || got[0].Revision != 12) {
			t.Errorf("partitions of broker %d: %+v", broker, got)
		}
	}
	must(t, tx.DeleteAssignment(topic.ID, 1))
	must(t, tx.DeleteWatermarks(topic.ID, 1))
	if n := len(all(t, tx.PartitionsOf(2))); n != 0 {
		t.Errorf("broker 2 still has %d partitions", n)
	}
	if err := tx.DeleteAssignment(topic.ID, 1); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("delete of what is not there: %v", err)
	}
	commit(t, tx)
}
