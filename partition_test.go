package metalog_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// openAssigned opens a store with brokers 1 to 3 and a topic of 3 partitions
// with two replicas each.
func openAssigned(t *testing.T) *storetest.Store {
	t.Helper()
	s := storetest.Open(t)
	registerBrokers(s, 1, 2, 3)
	createTopic(s, "orders", 3)
	for p := range int32(3) {
		s.Must(metalog.AssignPartition{Topic: "orders", Partition: p, Replicas: events.BrokerIDs{p + 1, (p+1)%3 + 1}})
	}
	return s
}

func getPartition(t *testing.T, s metalog.Reader, p int32) events.Partition {
	t.Helper()
	got, err := s.GetPartition(t.Context(), "orders", p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// checkPartition compares who holds and leads a partition.
func checkPartition(t *testing.T, s metalog.Reader, p int32, replicas, isr events.BrokerIDs, leader, leaderEpoch int32) {
	t.Helper()
	got := getPartition(t, s, p)
	if !slices.Equal(got.Replicas, replicas) || !slices.Equal(got.ISR, isr) || got.Leader != leader || got.LeaderEpoch != leaderEpoch {
		t.Errorf("partition %d: replicas %v, ISR %v, leader %d in epoch %d; want %v, %v, %d, %d",
			p, got.Replicas, got.ISR, got.Leader, got.LeaderEpoch, replicas, isr, leader, leaderEpoch)
	}
}

func TestPartitionAssign(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	list, err := metalog.Collect(s.ListPartitions(t.Context(), "orders"))
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	for p := range int32(3) {
		replicas := events.BrokerIDs{p + 1, (p+1)%3 + 1}
		checkPartition(t, s, p, replicas, replicas, p+1, 0)
		leader, err := s.GetPartitionLeader(t.Context(), "orders", p)
		if err != nil || leader.ID != p+1 || leader.Host == "" {
			t.Errorf("leader %+v, %v", leader, err)
		}
		if got, err := s.GetPartitionReplicas(t.Context(), "orders", p); err != nil || !slices.Equal(got, replicas) {
			t.Errorf("replicas %v, %v", got, err)
		}
	}
	s.Unchanged(metalog.AssignPartition{Topic: "orders", Partition: 0, Replicas: events.BrokerIDs{1, 2}})
	s.Refused(metalog.ErrAlreadyExists, metalog.AssignPartition{Topic: "orders", Partition: 0, Replicas: events.BrokerIDs{2, 1}})
}

func TestPartitionAssignToOffline(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1, 2)
	createTopic(s, "orders", 2)
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline})
	s.Must(metalog.AssignPartition{Topic: "orders", Partition: 0, Replicas: events.BrokerIDs{1, 2}})
	s.Must(metalog.AssignPartition{Topic: "orders", Partition: 1, Replicas: events.BrokerIDs{1}})
	checkPartition(t, s, 0, events.BrokerIDs{1, 2}, events.BrokerIDs{2}, 2, 0)
	checkPartition(t, s, 1, events.BrokerIDs{1}, events.BrokerIDs{1}, events.NoLeader, 0)
	if _, err := s.GetPartitionLeader(t.Context(), "orders", 1); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("no leader: %v", err)
	}
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOnline})
	checkPartition(t, s, 1, events.BrokerIDs{1}, events.BrokerIDs{1}, 1, 1)
}

// An assignment that was elsewhere comes as it was: replicas that are offline in
// sync, others not, and its leader epoch.
func TestPartitionAssignAsItWas(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1, 2, 3)
	createTopic(s, "orders", 2)
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline})
	all := events.BrokerIDs{1, 2, 3}
	lost := metalog.AssignPartition{Topic: "orders", Partition: 0, Replicas: all, ISR: events.BrokerIDs{1}, LeaderEpoch: new(int32(7))}
	s.Must(lost)
	checkPartition(t, s, 0, all, events.BrokerIDs{1}, events.NoLeader, 7)
	s.Unchanged(lost)
	for _, isr := range []events.BrokerIDs{{1, 2}, {2}} {
		lost.ISR = isr
		s.Refused(metalog.ErrAlreadyExists, lost)
	}
	s.Must(metalog.AdvanceWatermarks{Topic: "orders", Partition: 1, High: new(int64(5))})
	again := metalog.AssignPartition{Topic: "orders", Partition: 1, Replicas: all, ISR: events.BrokerIDs{3, 1}, LeaderEpoch: new(int32(0))}
	s.Refused(metalog.ErrFenced, again)
	again.LeaderEpoch = new(int32(1))
	again.Leader = new(int32(1))
	s.Refused(metalog.ErrConflict, again)
	again.Leader = nil
	s.Must(again)
	checkPartition(t, s, 1, all, events.BrokerIDs{3, 1}, 3, 1)
}

func TestPartitionReassign(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	reassign := func(replicas ...int32) metalog.ReassignPartition {
		return metalog.ReassignPartition{Topic: "orders", Replicas: replicas}
	}
	s.Must(reassign(3, 1)) // the leader stays, the new replica is not in sync
	checkPartition(t, s, 0, events.BrokerIDs{3, 1}, events.BrokerIDs{1}, 1, 0)
	s.Unchanged(reassign(3, 1))
	s.Refused(metalog.ErrConflict, reassign(2, 3))
	s.Must(metalog.ChangeISR{Topic: "orders", ISR: events.BrokerIDs{3, 1}})
	s.Must(reassign(3, 2)) // the leader goes
	checkPartition(t, s, 0, events.BrokerIDs{3, 2}, events.BrokerIDs{3}, 3, 1)
	unclean := reassign(2)
	unclean.Unclean = true
	s.Must(unclean)
	checkPartition(t, s, 0, events.BrokerIDs{2}, events.BrokerIDs{2}, 2, 2)
}

// A leader in maintenance keeps what it has, also when a replica is added.
func TestPartitionReassignKeepsLeaderInMaintenance(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerMaintenance})
	s.Must(metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{1, 2, 3}})
	checkPartition(t, s, 0, events.BrokerIDs{1, 2, 3}, events.BrokerIDs{1, 2}, 1, 0)
	s.Must(metalog.ReassignPartition{Topic: "orders", Replicas: events.BrokerIDs{1, 2}, Leader: new(int32(2))})
	checkPartition(t, s, 0, events.BrokerIDs{1, 2}, events.BrokerIDs{1, 2}, 2, 1)
}

func TestPartitionElectLeader(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	elect := func(leader int32) metalog.ElectLeader { return metalog.ElectLeader{Topic: "orders", Leader: leader} }
	s.Unchanged(elect(1))
	s.Must(elect(2))
	checkPartition(t, s, 0, events.BrokerIDs{1, 2}, events.BrokerIDs{1, 2}, 2, 1)
	stale := elect(1)
	stale.LeaderEpoch = new(int32(0))
	s.Refused(metalog.ErrFenced, stale)
	stale.LeaderEpoch = new(int32(1))
	s.Must(stale)
	s.Must(elect(events.NoLeader))
	checkPartition(t, s, 0, events.BrokerIDs{1, 2}, events.BrokerIDs{1, 2}, events.NoLeader, 3)
	s.Must(metalog.SetBrokerStatus{ID: 2, Status: events.BrokerMaintenance})
	s.Refused(metalog.ErrConflict, elect(2))
}

func TestPartitionChangeISR(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	change := func(isr ...int32) metalog.ChangeISR { return metalog.ChangeISR{Topic: "orders", ISR: isr} }
	s.Unchanged(change(1, 2))
	before := getPartition(t, s, 0).PartitionEpoch
	s.Must(change(1))
	if got := getPartition(t, s, 0); got.PartitionEpoch != before+1 || got.LeaderEpoch != 0 {
		t.Errorf("%+v", got)
	}
	fenced, late := change(1, 2), change(1, 2)
	fenced.LeaderEpoch, late.PartitionEpoch = new(int32(7)), new(before)
	s.Refused(metalog.ErrFenced, fenced)
	s.Refused(metalog.ErrConflict, late)
	s.Must(metalog.SetBrokerStatus{ID: 2, Status: events.BrokerOffline})
	s.Refused(metalog.ErrConflict, change(1, 2))
}

// A partition's revision is what reads show, whichever part of it changed last.
func TestPartitionRevision(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	s.Must(metalog.AdvanceWatermarks{Topic: "orders", High: new(int64(5))}, metalog.IfRevision(getPartition(t, s, 0).Revision))
	s.Must(metalog.ElectLeader{Topic: "orders", Leader: 2}, metalog.IfRevision(getPartition(t, s, 0).Revision))
	stale := getPartition(t, s, 0).Revision - 1
	s.Refused(metalog.ErrConflict, metalog.AdvanceWatermarks{Topic: "orders", High: new(int64(6))}, metalog.IfRevision(stale))
	s.Must(metalog.AdvanceWatermarks{Topic: "orders", High: new(int64(6))}, metalog.IfRevision(stale+1))
	s.Refused(metalog.ErrConflict, metalog.ElectLeader{Topic: "orders", Leader: 1}, metalog.IfRevision(0))
}

func TestPartitionRejections(t *testing.T) {
	t.Parallel()
	s := openAssigned(t)
	s.Must(metalog.AddPartitions{Name: "orders", Total: 4})
	assign := func(p int32, leader *int32, replicas ...int32) metalog.Command {
		return metalog.AssignPartition{Topic: "orders", Partition: p, Replicas: replicas, Leader: leader}
	}
	reassign := func(leader *int32, replicas ...int32) metalog.Command {
		return metalog.ReassignPartition{Topic: "orders", Replicas: replicas, Leader: leader}
	}
	isr := func(ids ...int32) metalog.Command { return metalog.ChangeISR{Topic: "orders", ISR: ids} }
	checkRejections(t, s, map[string]rejection{
		"assign unknown topic":       {cmd: metalog.AssignPartition{Topic: "nothing", Replicas: events.BrokerIDs{1}}, want: metalog.ErrNotFound},
		"assign beyond":              {cmd: assign(4, nil, 1), want: metalog.ErrOutOfRange},
		"assign negative":            {cmd: assign(-1, nil, 1), want: metalog.ErrInvalid},
		"assign to nobody":           {cmd: assign(3, nil), want: metalog.ErrInvalid},
		"assign twice the same":      {cmd: assign(3, nil, 1, 1), want: metalog.ErrInvalid},
		"assign to unknown":          {cmd: assign(3, nil, 9), want: metalog.ErrNotFound},
		"assign to negative":         {cmd: assign(3, nil, -2), want: metalog.ErrInvalid},
		"assign alien leader":        {cmd: assign(3, new(int32(3)), 1, 2), want: metalog.ErrInvalid},
		"assign alien isr":           {cmd: metalog.AssignPartition{Topic: "orders", Partition: 3, Replicas: events.BrokerIDs{1, 2}, ISR: events.BrokerIDs{3}}, want: metalog.ErrInvalid},
		"assign isr twice":           {cmd: metalog.AssignPartition{Topic: "orders", Partition: 3, Replicas: events.BrokerIDs{1, 2}, ISR: events.BrokerIDs{1, 1}}, want: metalog.ErrInvalid},
		"assign leader not in isr":   {cmd: metalog.AssignPartition{Topic: "orders", Partition: 3, Replicas: events.BrokerIDs{1, 2}, ISR: events.BrokerIDs{1}, Leader: new(int32(2))}, want: metalog.ErrInvalid},
		"assign negative epoch":      {cmd: metalog.AssignPartition{Topic: "orders", Partition: 3, Replicas: events.BrokerIDs{1}, LeaderEpoch: new(int32(-1))}, want: metalog.ErrInvalid},
		"assign epoch without room":  {cmd: metalog.AssignPartition{Topic: "orders", Partition: 3, Replicas: events.BrokerIDs{1}, LeaderEpoch: new(int32(1<<30 + 1))}, want: metalog.ErrInvalid},
		"reassign unassigned":        {cmd: metalog.ReassignPartition{Topic: "orders", Partition: 3, Replicas: events.BrokerIDs{1}}, want: metalog.ErrNotFound},
		"reassign to nobody":         {cmd: reassign(nil), want: metalog.ErrInvalid},
		"reassign to unknown":        {cmd: reassign(nil, 1, 9), want: metalog.ErrNotFound},
		"reassign leader not synced": {cmd: reassign(new(int32(3)), 1, 3), want: metalog.ErrInvalid},
		"reassign none synced":       {cmd: reassign(nil, 3), want: metalog.ErrConflict},
		"elect unassigned":           {cmd: metalog.ElectLeader{Topic: "orders", Partition: 3, Leader: 1}, want: metalog.ErrNotFound},
		"elect alien":                {cmd: metalog.ElectLeader{Topic: "orders", Leader: 3}, want: metalog.ErrInvalid},
		"elect below none":           {cmd: metalog.ElectLeader{Topic: "orders", Leader: -2}, want: metalog.ErrInvalid},
		"isr empty":                  {cmd: isr(), want: metalog.ErrInvalid},
		"isr without leader":         {cmd: isr(2), want: metalog.ErrInvalid},
		"isr with alien":             {cmd: isr(1, 3), want: metalog.ErrInvalid},
		"isr twice":                  {cmd: isr(1, 1), want: metalog.ErrInvalid},
		"isr unassigned":             {cmd: metalog.ChangeISR{Topic: "orders", Partition: 3, ISR: events.BrokerIDs{1}}, want: metalog.ErrNotFound},
		"isr beyond":                 {cmd: metalog.ChangeISR{Topic: "orders", Partition: 4, ISR: events.BrokerIDs{1}}, want: metalog.ErrOutOfRange},
	})
}
