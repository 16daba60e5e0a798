package metalog

import (
	"errors"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// brokerTable reads brokers, with one of them as it is about to be.
type brokerTable struct {
	view *views.Reader
	self *events.Broker // nil: all as they are
}

func (t brokerTable) broker(id int32) (events.Broker, error) {
	if t.self != nil && t.self.ID == id {
		return *t.self, nil
	}
	broker, err := t.view.Broker(id)
	if errors.Is(err, ErrNotFound) {
		return broker, nil // not a member: its empty status is not online
	}
	return broker, err
}

// elect returns the first of replicas that is in sync and online, with its
// epoch, or NoLeader. Leaving is not considered.
func (t brokerTable) elect(replicas, isr events.BrokerIDs, leaving int32) (leader int32, epoch uint64, err error) {
	for _, id := range replicas {
		if id == leaving || !slices.Contains(isr, id) {
			continue
		}
		broker, err := t.broker(id)
		if err != nil {
			return events.NoLeader, 0, err
		}
		if broker.Status == events.BrokerOnline {
			return id, broker.Epoch, nil
		}
	}
	return events.NoLeader, 0, nil
}

// leads reports whether the partition has a leader: one that is not offline and
// has the epoch that it was elected under.
func (t brokerTable) leads(a events.Assignment) (bool, error) {
	if a.Leader == events.NoLeader {
		return false, nil
	}
	broker, err := t.broker(a.Leader)
	return err == nil && broker.Epoch == a.LeaderBrokerEpoch && broker.Status != "" && broker.Status != events.BrokerOffline, err
}

// electLeaders lists the elections that a broker that is now online makes
// possible: for partitions that it is a replica of and that have no leader.
func electLeaders(view *views.Reader, self events.Broker) derivation {
	brokers := brokerTable{view: view, self: &self}
	return each(view.PartitionsOf(self.ID), func(row views.AssignmentRow, yield func(events.Event, error) bool) bool {
		led, err := brokers.leads(row.Assignment)
		if err != nil || led {
			return err == nil || yield(nil, err)
		}
		leader, epoch, err := brokers.elect(row.Replicas, row.ISR, events.NoLeader)
		if err == nil && leader == events.NoLeader {
			return true
		}
		return yield(leaderChanged(row.PartitionRef, row.Assignment, leader, epoch), err)
	})
}

// leaveISR lists what happens to a broker's partitions when it goes offline: it
// leaves the ISR, where the last member stays, and what it led gets another
// leader from the ISR, or none.
func leaveISR(view *views.Reader, id int32) derivation {
	brokers := brokerTable{view: view}
	return each(view.PartitionsOf(id), func(row views.AssignmentRow, yield func(events.Event, error) bool) bool {
		a := row.Assignment
		if slices.Contains(a.ISR, id) && len(a.ISR) > 1 {
			a.ISR = without(a.ISR, id)
			a.PartitionEpoch++
			if !yield(&events.IsrChanged{PartitionRef: row.PartitionRef, ISR: a.ISR, PartitionEpoch: a.PartitionEpoch}, nil) {
				return false
			}
		}
		if a.Leader != id {
			return true
		}
		leader, epoch, err := brokers.elect(a.Replicas, a.ISR, id)
		return yield(leaderChanged(row.PartitionRef, a, leader, epoch), err)
	})
}

// unassign lists what happens to the partitions of a broker that is removed:
// they lose it, or nobody holds them any more.
func unassign(view *views.Reader, id int32) derivation {
	brokers := brokerTable{view: view}
	return each(view.PartitionsOf(id), func(row views.AssignmentRow, yield func(events.Event, error) bool) bool {
		return yield(withoutReplica(brokers, row, id))
	})
}

func withoutReplica(brokers brokerTable, row views.AssignmentRow, id int32) (events.Event, error) {
	if len(row.Replicas) == 1 {
		return &events.PartitionUnassigned{PartitionRef: row.PartitionRef}, nil
	}
	next := row.Assignment
	next.Replicas = without(next.Replicas, id)
	if next.ISR = without(next.ISR, id); len(next.ISR) == 0 {
		next.ISR = next.Replicas // forced: what is left is all there is
	}
	next.PartitionEpoch++
	led, err := brokers.leads(row.Assignment)
	if err != nil || led && next.Leader != id {
		return &events.PartitionReassigned{PartitionRef: row.PartitionRef, Assignment: next}, err
	}
	next.LeaderEpoch++
	next.Leader, next.LeaderBrokerEpoch, err = brokers.elect(next.Replicas, next.ISR, id)
	return &events.PartitionReassigned{PartitionRef: row.PartitionRef, Assignment: next}, err
}

func without(ids events.BrokerIDs, id int32) events.BrokerIDs {
	return slices.DeleteFunc(slices.Clone(ids), func(other int32) bool { return other == id })
}
