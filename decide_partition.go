package metalog

import (
	"errors"
	"fmt"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// AssignPartition gives a partition that nobody holds its replicas. Assigning the
// same again changes nothing. ISR and LeaderEpoch bring an assignment back that was
// elsewhere, or here before.
type AssignPartition struct {
	Topic       string           `json:"topic" require:"true"`
	Partition   int32            `json:"partition" require:"true"`
	Replicas    events.BrokerIDs `json:"replicas" require:"true"` // preferred leader first
	Leader      *int32           `json:"leader,omitempty"`        // nil: the first replica in sync that is online
	ISR         events.BrokerIDs `json:"isr,omitempty"`           // none: the replicas that are not offline
	LeaderEpoch *int32           `json:"leader_epoch,omitempty"`  // nil: the first that was never used; one that may have been is ErrFenced
}

// ReassignPartition gives a partition other replicas. Those in sync before that
// are kept stay in sync, and one of them leads.
type ReassignPartition struct {
	Topic     string           `json:"topic" require:"true"`
	Partition int32            `json:"partition" require:"true"`
	Replicas  events.BrokerIDs `json:"replicas" require:"true"`
	Leader    *int32           `json:"leader,omitempty"`  // nil: the present one if it can stay
	Unclean   bool             `json:"unclean,omitempty"` // take the new replicas for in sync though no old one is kept
}

// ElectLeader makes a replica that is online and in sync the leader, or, with
// events.NoLeader, none.
type ElectLeader struct {
	Topic       string `json:"topic" require:"true"`
	Partition   int32  `json:"partition" require:"true"`
	Leader      int32  `json:"leader" require:"true"`
	LeaderEpoch *int32 `json:"leader_epoch,omitempty"` // the epoch that this election follows; another one is ErrFenced
}

// ChangeISR sets which replicas are in sync.
type ChangeISR struct {
	Topic          string           `json:"topic" require:"true"`
	Partition      int32            `json:"partition" require:"true"`
	ISR            events.BrokerIDs `json:"isr" require:"true"`
	LeaderEpoch    *int32           `json:"leader_epoch,omitempty"`    // of who asks; another one is ErrFenced
	PartitionEpoch *int32           `json:"partition_epoch,omitempty"` // that this change follows; another one is ErrConflict
}

func (AssignPartition) Op() string   { return "partition.assign" }
func (ReassignPartition) Op() string { return "partition.reassign" }
func (ElectLeader) Op() string       { return "partition.leader" }
func (ChangeISR) Op() string         { return "partition.isr" }

func (c AssignPartition) validate() error {
	var v checks
	v.replicas(c.Topic, c.Partition, "replicas", c.Replicas)
	v.brokers("isr", c.ISR)
	for _, id := range c.ISR {
		if !slices.Contains(c.Replicas, id) {
			v.fail("isr", "broker %d is none of the replicas %v", id, c.Replicas)
		}
	}
	if c.LeaderEpoch != nil {
		v.within("leader_epoch", int64(*c.LeaderEpoch), 0, maxAssignedEpoch)
	}
	return v.err
}

// maxAssignedEpoch leaves room above for elections.
const maxAssignedEpoch = 1 << 30

func (c ReassignPartition) validate() error {
	var v checks
	v.replicas(c.Topic, c.Partition, "replicas", c.Replicas)
	return v.err
}

func (c ElectLeader) validate() error {
	var v checks
	v.topicName("topic", c.Topic)
	v.atLeast("partition", int64(c.Partition), 0)
	v.atLeast("leader", int64(c.Leader), int64(events.NoLeader))
	return v.err
}

func (c ChangeISR) validate() error {
	var v checks
	v.replicas(c.Topic, c.Partition, "isr", c.ISR)
	return v.err
}

func (c *checks) replicas(topic string, partition int32, field string, ids events.BrokerIDs) {
	c.topicName("topic", topic)
	c.atLeast("partition", int64(partition), 0)
	if len(ids) == 0 {
		c.fail(field, "is missing; name at least one broker")
	}
	c.brokers(field, ids)
}

func (c AssignPartition) decide(d *decision) error {
	ref, err := d.partition(c.Topic, c.Partition)
	if err != nil {
		return err
	}
	revision, err := d.partitionRevision(ref)
	if err != nil {
		return err
	}
	row, err := d.view.Assignment(ref.TopicID, ref.Partition)
	exists, err := d.exists(partitionLabel(ref), revision, err)
	if err != nil {
		return err
	}
	if exists {
		if c.isWhat(row.Assignment) {
			return nil
		}
		return events.Errorf(events.CodeAlreadyExists, "%s: already assigned to %v; 'metalog partition reassign' changes that", partitionLabel(ref), row.Replicas)
	}
	assignment, err := d.newAssignment(ref, c)
	if err != nil {
		return err
	}
	d.emit(&events.PartitionAssigned{PartitionRef: ref, Assignment: assignment})
	return nil
}

// isWhat reports whether an assignment is all that the command asks for.
func (c AssignPartition) isWhat(a events.Assignment) bool {
	return slices.Equal(a.Replicas, c.Replicas) &&
		(c.Leader == nil || *c.Leader == a.Leader) &&
		(len(c.ISR) == 0 || slices.Equal(a.ISR, c.ISR)) &&
		(c.LeaderEpoch == nil || *c.LeaderEpoch == a.LeaderEpoch)
}

// newAssignment is the assignment of a partition that nobody held.
func (d *decision) newAssignment(ref events.PartitionRef, c AssignPartition) (events.Assignment, error) {
	a := events.Assignment{Replicas: c.Replicas, Leader: events.NoLeader}
	alive, err := d.alive(ref, c.Replicas)
	switch {
	case err != nil:
		return a, err
	case len(c.ISR) > 0:
		a.ISR = c.ISR
	case len(alive) > 0:
		a.ISR = alive
	default:
		a.ISR = c.Replicas
	}
	marks, err := d.view.Watermarks(ref.TopicID, ref.Partition)
	if err != nil {
		return a, err
	}
	if marks.Revision != 0 { // it was assigned before: epochs go on from there
		a.LeaderEpoch = marks.LeaderEpoch + 1
	}
	if c.LeaderEpoch != nil {
		if *c.LeaderEpoch < a.LeaderEpoch {
			return a, events.Errorf(events.CodeFenced, "%s: leader epoch %d may have been used before; give %d or a later one", partitionLabel(ref), *c.LeaderEpoch, a.LeaderEpoch)
		}
		a.LeaderEpoch = *c.LeaderEpoch
	}
	return a, d.lead(ref, &a, c.Leader)
}

// alive returns the replicas that are not offline. All must be registered.
func (d *decision) alive(ref events.PartitionRef, replicas events.BrokerIDs) (events.BrokerIDs, error) {
	var alive events.BrokerIDs
	for _, id := range replicas {
		broker, err := d.view.Broker(id)
		if errors.Is(err, ErrNotFound) {
			return nil, events.Errorf(events.CodeNotFound, "%s: broker %d is not registered; 'metalog broker register' registers it", partitionLabel(ref), id)
		}
		if err != nil {
			return nil, err
		}
		if broker.Status != events.BrokerOffline {
			alive = append(alive, id)
		}
	}
	return alive, nil
}

// lead sets a's leader: the one wished for, or the first that can be.
func (d *decision) lead(ref events.PartitionRef, a *events.Assignment, wish *int32) (err error) {
	brokers := brokerTable{view: d.view}
	a.Leader, a.LeaderBrokerEpoch = events.NoLeader, 0
	switch {
	case wish == nil:
		a.Leader, a.LeaderBrokerEpoch, err = brokers.elect(a.Replicas, a.ISR, events.NoLeader)
		return err
	case *wish == events.NoLeader:
		return nil
	case !slices.Contains(a.ISR, *wish):
		return fieldError("leader", "broker %d is not in sync for %s; those in sync are %v", *wish, partitionLabel(ref), a.ISR)
	}
	a.Leader, a.LeaderBrokerEpoch, err = brokers.elect(events.BrokerIDs{*wish}, a.ISR, events.NoLeader)
	if err == nil && a.Leader == events.NoLeader {
		err = events.Errorf(events.CodeConflict, "%s: broker %d is not online, so it can't lead", partitionLabel(ref), *wish)
	}
	return err
}

func (c ReassignPartition) decide(d *decision) error {
	ref, row, err := d.assigned(c.Topic, c.Partition)
	if err != nil {
		return err
	}
	alive, err := d.alive(ref, c.Replicas)
	if err != nil {
		return err
	}
	next := row.Assignment
	next.Replicas = c.Replicas
	if next.ISR = intersect(c.Replicas, row.ISR); len(next.ISR) == 0 {
		if next.ISR = alive; !c.Unclean || len(alive) == 0 {
			return events.Errorf(events.CodeConflict, "%s: none of the new replicas is in sync; keep one of %v for now, or ask for an unclean reassignment to replicas that are online", partitionLabel(ref), row.ISR)
		}
	}
	effective, err := d.view.EffectiveLeader(row.Assignment)
	if err != nil {
		return err
	}
	stays := c.Leader == nil && effective != events.NoLeader && slices.Contains(next.ISR, effective)
	if !stays { // one that stays may be in maintenance, which none that is elected is
		if err := d.lead(ref, &next, c.Leader); err != nil {
			return err
		}
	}
	sameLeader := next.Leader == row.Leader && next.LeaderBrokerEpoch == row.LeaderBrokerEpoch
	if sameLeader && slices.Equal(next.Replicas, row.Replicas) && slices.Equal(next.ISR, row.ISR) {
		return nil
	}
	next.PartitionEpoch++
	if !sameLeader {
		next.LeaderEpoch++
	}
	d.emit(&events.PartitionReassigned{PartitionRef: ref, Assignment: next})
	return nil
}

func (c ElectLeader) decide(d *decision) error {
	ref, row, err := d.assigned(c.Topic, c.Partition)
	if err != nil {
		return err
	}
	if err := checkLeaderEpoch(ref, row, c.LeaderEpoch); err != nil {
		return err
	}
	next := row.Assignment
	if err := d.lead(ref, &next, &c.Leader); err != nil {
		return err
	}
	if next.Leader == row.Leader && next.LeaderBrokerEpoch == row.LeaderBrokerEpoch {
		return nil
	}
	d.emit(leaderChanged(ref, row.Assignment, next.Leader, next.LeaderBrokerEpoch))
	return nil
}

func (c ChangeISR) decide(d *decision) error {
	ref, row, err := d.assigned(c.Topic, c.Partition)
	if err != nil {
		return err
	}
	if err := checkLeaderEpoch(ref, row, c.LeaderEpoch); err != nil {
		return err
	}
	if c.PartitionEpoch != nil && *c.PartitionEpoch != row.PartitionEpoch {
		return events.Errorf(events.CodeConflict, "%s: partition epoch %d was expected, but it is %d; read it and decide again", partitionLabel(ref), *c.PartitionEpoch, row.PartitionEpoch)
	}
	if err := d.mayBeISR(ref, row, c.ISR); err != nil {
		return err
	}
	if !slices.Equal(row.ISR, c.ISR) {
		d.emit(&events.IsrChanged{PartitionRef: ref, ISR: c.ISR, PartitionEpoch: row.PartitionEpoch + 1})
	}
	return nil
}

func (d *decision) mayBeISR(ref events.PartitionRef, row views.AssignmentRow, isr events.BrokerIDs) error {
	if alien := slices.IndexFunc(isr, func(id int32) bool { return !slices.Contains(row.Replicas, id) }); alien >= 0 {
		return fieldError("isr", "broker %d is no replica of %s; the replicas are %v", isr[alien], partitionLabel(ref), row.Replicas)
	}
	leader, err := d.view.EffectiveLeader(row.Assignment)
	if err != nil {
		return err
	}
	if leader != events.NoLeader && !slices.Contains(isr, leader) {
		return fieldError("isr", "broker %d leads %s, so it is in sync", leader, partitionLabel(ref))
	}
	joining := slices.DeleteFunc(slices.Clone(isr), func(id int32) bool { return slices.Contains(row.ISR, id) })
	alive, err := d.alive(ref, joining)
	if err == nil && len(alive) < len(joining) {
		err = events.Errorf(events.CodeConflict, "%s: of the brokers %v that would join, only %v are not offline", partitionLabel(ref), joining, alive)
	}
	return err
}

// assigned finds the assignment that the command is about.
func (d *decision) assigned(topic string, partition int32) (events.PartitionRef, views.AssignmentRow, error) {
	ref, err := d.partition(topic, partition)
	if err != nil {
		return ref, views.AssignmentRow{}, err
	}
	revision, err := d.partitionRevision(ref)
	if err != nil {
		return ref, views.AssignmentRow{}, err
	}
	row, err := d.view.Assignment(ref.TopicID, ref.Partition)
	return ref, row, d.found(partitionLabel(ref), revision, err)
}

// partitionRevision is the revision that reads show of a partition: of its
// assignment or its watermarks, whichever changed last.
func (d *decision) partitionRevision(ref events.PartitionRef) (uint64, error) {
	row, err := d.view.Assignment(ref.TopicID, ref.Partition)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, err
	}
	marks, err := d.view.Watermarks(ref.TopicID, ref.Partition)
	return max(row.Revision, marks.Revision), err
}

func checkLeaderEpoch(ref events.PartitionRef, row views.AssignmentRow, epoch *int32) error {
	if epoch != nil && *epoch != row.LeaderEpoch {
		return events.Errorf(events.CodeFenced, "%s: leader epoch %d is not the present one, %d", partitionLabel(ref), *epoch, row.LeaderEpoch)
	}
	return nil
}

func leaderChanged(ref events.PartitionRef, a events.Assignment, leader int32, brokerEpoch uint64) *events.LeaderChanged {
	return &events.LeaderChanged{
		PartitionRef: ref, Leader: leader, LeaderBrokerEpoch: brokerEpoch,
		LeaderEpoch: a.LeaderEpoch + 1, PartitionEpoch: a.PartitionEpoch + 1,
	}
}

// intersect returns the ids of a that are in b too, in a's order.
func intersect(a, b events.BrokerIDs) events.BrokerIDs {
	return slices.DeleteFunc(slices.Clone(a), func(id int32) bool { return !slices.Contains(b, id) })
}

func partitionLabel(ref events.PartitionRef) string {
	return fmt.Sprintf("topic %q, partition %d", ref.Topic, ref.Partition)
}
