package metalog

import (
	"errors"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// restoreAssignment gives a partition back to who held it, as far as they are
// still members. Who else held it meanwhile may have written to it: so a replica
// that comes back is not in sync, unless nobody held it.
func (u *undoing) restoreAssignment(t target, step *undoStep) error {
	was := was[views.AssignmentRow](step)
	if exists, err := u.view.HasTopic(t.Topic.ID); err != nil || !exists {
		return err
	}
	now, err := t.read(u.view)
	if err != nil {
		return err
	}
	if was == nil {
		if now.value != nil {
			u.emit(&events.PartitionUnassigned{PartitionRef: t.partition()})
		}
		return nil
	}
	replicas, err := u.members(was.Replicas)
	switch {
	case err != nil || len(replicas) == 0:
		return err
	case now.value == nil:
		return u.assignAgain(t, *was, replicas)
	}
	return u.revertAssignment(t.partition(), *was, now.value.(views.AssignmentRow).Assignment, replicas, step.Asked)
}

// members returns those of the brokers that are registered.
func (u *undoing) members(ids events.BrokerIDs) (events.BrokerIDs, error) {
	var members events.BrokerIDs
	for _, id := range ids {
		_, err := u.view.Broker(id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if err == nil {
			members = append(members, id)
		}
	}
	return members, nil
}

// assignAgain assigns a partition that nobody holds. Who was in sync still is, but
// for those that are offline, of which the last ones stay. Its leader epoch goes
// up, unless all is as it was in a topic that was created again.
func (u *undoing) assignAgain(t target, was views.AssignmentRow, replicas events.BrokerIDs) error {
	next := events.Assignment{Replicas: replicas, ISR: intersect(was.ISR, replicas), LeaderEpoch: was.LeaderEpoch, PartitionEpoch: was.PartitionEpoch}
	if len(next.ISR) == 0 {
		next.ISR = replicas
	}
	alive, err := u.alive(t.partition(), next.ISR)
	if err != nil {
		return err
	}
	if len(alive) > 0 {
		next.ISR = alive
	}
	if err := u.leadAgain(&next, was.Leader, events.NoLeader); err != nil {
		return err
	}
	unchanged, err := same(next, events.Assignment{
		Replicas: was.Replicas, ISR: was.ISR, Leader: was.Leader, LeaderBrokerEpoch: was.LeaderBrokerEpoch,
		LeaderEpoch: was.LeaderEpoch, PartitionEpoch: was.PartitionEpoch,
	})
	if err != nil {
		return err
	}
	if !unchanged || t.Topic.ID == was.TopicID {
		marks, err := u.view.Watermarks(t.Topic.ID, t.Number)
		if err != nil {
			return err
		}
		next.LeaderEpoch = max(was.LeaderEpoch, marks.LeaderEpoch) + 1
		next.PartitionEpoch++
	}
	u.emit(&events.PartitionAssigned{PartitionRef: t.partition(), Assignment: next})
	return nil
}

// leadAgain sets the leader: the one that was, if it can lead, or the present one,
// if it can stay, or the first that can.
func (u *undoing) leadAgain(next *events.Assignment, was, present int32) (err error) {
	brokers := brokerTable{view: u.view}
	wished := events.BrokerIDs{was}
	if next.Leader, next.LeaderBrokerEpoch, err = brokers.elect(wished, next.ISR, events.NoLeader); err != nil || next.Leader != events.NoLeader {
		return err
	}
	if slices.Contains(next.ISR, present) { // it may be in maintenance
		broker, err := u.view.Broker(present)
		next.Leader, next.LeaderBrokerEpoch = present, broker.Epoch
		return err
	}
	next.Leader, next.LeaderBrokerEpoch, err = brokers.elect(next.Replicas, next.ISR, events.NoLeader)
	return err
}

// revertAssignment gives a partition that somebody holds to others.
func (u *undoing) revertAssignment(ref events.PartitionRef, was views.AssignmentRow, now events.Assignment, replicas events.BrokerIDs, asked events.Type) error {
	next := now
	next.Replicas = replicas
	next.ISR = intersect(now.ISR, replicas)
	if asked == events.TypeIsrChanged {
		next.ISR = intersect(was.ISR, replicas)
	}
	if err := u.syncAgain(ref, &next, now.ISR); err != nil {
		return err
	}
	present, err := u.view.EffectiveLeader(now)
	if err != nil {
		return err
	}
	if err := u.leadAgain(&next, was.Leader, present); err != nil {
		return err
	}
	if asked == events.TypeLeaderChanged && was.Leader == events.NoLeader {
		next.Leader, next.LeaderBrokerEpoch = events.NoLeader, 0
	}
	u.emitAssignment(ref, now, next)
	return nil
}

// syncAgain takes those out of the ISR that would join it but are offline, and
// leaves it to replicas that may lack data only by force.
func (u *undoing) syncAgain(ref events.PartitionRef, next *events.Assignment, now events.BrokerIDs) error {
	alive, err := u.alive(ref, next.Replicas)
	if err != nil {
		return err
	}
	next.ISR = slices.DeleteFunc(next.ISR, func(id int32) bool {
		return !slices.Contains(now, id) && !slices.Contains(alive, id)
	})
	if len(next.ISR) > 0 {
		return nil
	}
	switch next.ISR = alive; {
	case len(alive) == 0:
		return events.Errorf(events.CodeConflict, "%s: none of the replicas %v is in sync or online; bring one of them up first", partitionLabel(ref), next.Replicas)
	case !u.force:
		return events.Errorf(events.CodeConflict, "%s: none of the replicas %v is in sync, so going back to them may lose data", partitionLabel(ref), next.Replicas)
	}
	return nil
}

// emitAssignment emits what makes of one assignment another.
func (u *undoing) emitAssignment(ref events.PartitionRef, now, next events.Assignment) {
	sameLeader := next.Leader == now.Leader && next.LeaderBrokerEpoch == now.LeaderBrokerEpoch
	if !slices.Equal(next.Replicas, now.Replicas) {
		if next.PartitionEpoch++; !sameLeader {
			next.LeaderEpoch++
		}
		u.emit(&events.PartitionReassigned{PartitionRef: ref, Assignment: next})
		return
	}
	if !slices.Equal(next.ISR, now.ISR) {
		now.PartitionEpoch++
		u.emit(&events.IsrChanged{PartitionRef: ref, ISR: next.ISR, PartitionEpoch: now.PartitionEpoch})
	}
	if !sameLeader {
		u.emit(leaderChanged(ref, now, next.Leader, next.LeaderBrokerEpoch))
	}
}
