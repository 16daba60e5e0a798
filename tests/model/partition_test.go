package model

import (
	"slices"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// partition is a partition as reads show it, but for two things: its Leader may
// have lost the lead since it was elected, and its Revision is in two parts.
type partition struct {
	events.Partition
	brokerEpoch uint64 // of Leader when it was elected
	highEpoch   int32  // the leader epoch that set the high watermark

	assigned, marked uint64 // the last change of the assignment and of the watermarks; 0: there is none
}

// partitionNumber draws one that there may not be, and mostly the same one.
func (r *run) partitionNumber() int32 { return []int32{0, 0, 0, 1, 2}[r.number("partition", 4)] }

func (p *partition) revision() uint64 {
	if p == nil {
		return 0
	}
	return max(p.assigned, p.marked)
}

// at returns a partition, or nil if there is none.
func (t *topic) at(p int32) *partition {
	if t.has(p) != nil {
		return nil
	}
	return t.partitions[p]
}

// leader returns who leads now: who was elected, unless it went offline or was
// registered again since.
func (m *model) leader(p *partition) int32 {
	if b := m.brokers[p.Leader]; b == nil || b.Status == events.BrokerOffline || b.Epoch != p.brokerEpoch {
		return events.NoLeader
	}
	return p.Leader
}

// elect returns the first replica that is in sync and online.
func (m *model) elect(replicas, isr events.BrokerIDs) int32 {
	for _, id := range replicas {
		if slices.Contains(isr, id) && m.online(id) {
			return id
		}
	}
	return events.NoLeader
}

// lead gives a partition another leader, or none.
func (m *model) lead(p *partition, id int32) {
	m.setLeader(p, id)
	p.LeaderEpoch++
	p.PartitionEpoch++
	p.assigned = m.at.Seq
}

func (m *model) setLeader(p *partition, id int32) {
	p.Leader, p.brokerEpoch = id, 0
	if id != events.NoLeader {
		p.brokerEpoch = m.brokers[id].Epoch
	}
}

func (m *model) alive(replicas events.BrokerIDs) events.BrokerIDs {
	return slices.DeleteFunc(slices.Clone(replicas), m.offline)
}

// inSync is the ISR of replicas that get a partition that nobody held.
func (m *model) inSync(replicas events.BrokerIDs) events.BrokerIDs {
	if alive := m.alive(replicas); len(alive) > 0 {
		return alive
	}
	return replicas
}

func (m *model) assign(p *partition, cmd metalog.AssignPartition) {
	p.Replicas, p.ISR, p.assigned = cmd.Replicas, m.inSyncAs(cmd), m.at.Seq
	p.LeaderEpoch = p.nextEpoch()
	if cmd.LeaderEpoch != nil {
		p.LeaderEpoch = *cmd.LeaderEpoch
	}
	leader := cmd.Leader
	if leader == nil {
		leader = ptr(m.elect(cmd.Replicas, p.ISR))
	}
	m.setLeader(p, *leader)
}

// inSyncAs is the ISR that an assignment asks for, or else what it gets.
func (m *model) inSyncAs(cmd metalog.AssignPartition) events.BrokerIDs {
	if len(cmd.ISR) > 0 {
		return cmd.ISR
	}
	return m.inSync(cmd.Replicas)
}

// nextEpoch is the first leader epoch of a partition that nobody holds.
func (p *partition) nextEpoch() int32 {
	if p.marked != 0 {
		return p.highEpoch + 1
	}
	return 0
}

func (p *partition) unassign() {
	p.Replicas, p.ISR, p.Leader = nil, nil, events.NoLeader
	p.LeaderEpoch, p.PartitionEpoch, p.brokerEpoch, p.assigned = 0, 0, 0, 0
}

// mayLead returns the error for a leader that is wished for.
func (m *model) mayLead(leader *int32, isr events.BrokerIDs) error {
	if leader == nil || *leader == events.NoLeader {
		return nil
	}
	return firstOf(!slices.Contains(isr, *leader), metalog.ErrInvalid, !m.online(*leader), metalog.ErrConflict)
}

// wish draws a leader to wish for, or nil.
func (r *run) wish() *int32 {
	switch r.pick("wish", "", "", "none", "broker") {
	case "none":
		return ptr(events.NoLeader)
	case "broker":
		return ptr(r.brokerID())
	}
	return nil
}

// claim draws what a command says of an epoch, and returns the error for a wrong
// one.
func (r *run) claim(what string, epoch int32, wrong error) (*int32, error) {
	switch r.pick(what, "", "", "right", "wrong") {
	case "right":
		return &epoch, nil
	case "wrong":
		return ptr(epoch + 1), wrong
	}
	return nil, nil
}

func (r *run) partitionStep() {
	name, n := r.topicName(), r.partitionNumber()
	t := r.model.topics[name]
	p, before := t.at(n), t.has(n)
	held := p != nil && p.assigned != 0
	how := r.pick("how", "assign", "reassign", "leader", "isr")
	if p != nil && !held && !r.oneIn(4, "though nobody holds it") {
		how = "assign"
	}
	switch how {
	case "assign":
		cmd := metalog.AssignPartition{Topic: name, Partition: n, Replicas: r.brokerIDs("replicas"), Leader: r.wish()}
		if r.oneIn(3, "give isr") {
			cmd.ISR = cmd.Replicas[r.number("first in sync", int64(len(cmd.Replicas)-1)):]
		}
		if r.oneIn(3, "give leader epoch") {
			cmd.LeaderEpoch = ptr(int32(r.number("leader epoch", 4)))
		}
		r.assignPartition(cmd, p, before)
	case "reassign":
		cmd := metalog.ReassignPartition{Topic: name, Partition: n, Replicas: r.brokerIDs("replicas"), Leader: r.wish(), Unclean: r.chance("unclean")}
		if held {
			r.reassignPartition(cmd, p)
			return
		}
		r.doAt(cmd, before, p.revision(), metalog.ErrNotFound)
	case "leader":
		cmd := metalog.ElectLeader{Topic: name, Partition: n, Leader: r.brokerID() - 1}
		if held {
			r.electLeader(cmd, p)
			return
		}
		r.doAt(cmd, before, p.revision(), metalog.ErrNotFound)
	case "isr":
		cmd := metalog.ChangeISR{Topic: name, Partition: n, ISR: r.brokerIDs("isr")}
		if held {
			r.changeISR(cmd, p)
			return
		}
		r.doAt(cmd, before, p.revision(), metalog.ErrNotFound)
	}
}

func (r *run) assignPartition(cmd metalog.AssignPartition, p *partition, before error) {
	var after error
	switch {
	case p == nil:
	case p.assigned == 0:
		after = firstOf(!r.model.registered(cmd.Replicas), metalog.ErrNotFound)
		if after == nil {
			after = firstOf(cmd.LeaderEpoch != nil && *cmd.LeaderEpoch < p.nextEpoch(), metalog.ErrFenced)
		}
		if after == nil {
			after = r.model.mayLead(cmd.Leader, r.model.inSyncAs(cmd))
		}
	case slices.Equal(p.Replicas, cmd.Replicas) && (cmd.Leader == nil || *cmd.Leader == p.Leader) &&
		(len(cmd.ISR) == 0 || slices.Equal(p.ISR, cmd.ISR)) && (cmd.LeaderEpoch == nil || *cmd.LeaderEpoch == p.LeaderEpoch):
		after = errUnchanged
	default:
		after = metalog.ErrAlreadyExists
	}
	if r.doAt(cmd, before, p.revision(), after) {
		r.model.assign(p, cmd)
	}
}

func (r *run) reassignPartition(cmd metalog.ReassignPartition, p *partition) {
	m := r.model
	isr := slices.DeleteFunc(slices.Clone(cmd.Replicas), func(id int32) bool { return !slices.Contains(p.ISR, id) })
	unsafe := len(isr) == 0
	if unsafe {
		isr = m.alive(cmd.Replicas)
	}
	after := firstOf(!m.registered(cmd.Replicas), metalog.ErrNotFound, unsafe && (!cmd.Unclean || len(isr) == 0), metalog.ErrConflict)
	next := *p
	next.Replicas, next.ISR = cmd.Replicas, isr
	if leader := m.leader(p); after == nil && (cmd.Leader != nil || leader == events.NoLeader || !slices.Contains(isr, leader)) {
		if after = m.mayLead(cmd.Leader, isr); after == nil {
			m.setLeader(&next, *either(cmd.Leader, ptr(m.elect(cmd.Replicas, isr))))
		}
	}
	moved := next.Leader != p.Leader || next.brokerEpoch != p.brokerEpoch
	if after == nil && !moved && slices.Equal(next.Replicas, p.Replicas) && slices.Equal(isr, p.ISR) {
		after = errUnchanged
	}
	if !r.doAt(cmd, nil, p.revision(), after) {
		return
	}
	if next.PartitionEpoch++; moved {
		next.LeaderEpoch++
	}
	next.assigned = m.at.Seq
	*p = next
}

// either returns the leader that is wished for, or else the one elected.
func either(wished, elected *int32) *int32 {
	if wished != nil {
		return wished
	}
	return elected
}

func (r *run) electLeader(cmd metalog.ElectLeader, p *partition) {
	m := r.model
	epoch, after := r.claim("leader epoch", p.LeaderEpoch, metalog.ErrFenced)
	if cmd.LeaderEpoch = epoch; after == nil {
		after = m.mayLead(&cmd.Leader, p.ISR)
	}
	next := *p
	if after == nil {
		m.setLeader(&next, cmd.Leader)
		after = firstOf(next.Leader == p.Leader && next.brokerEpoch == p.brokerEpoch, errUnchanged)
	}
	if r.doAt(cmd, nil, p.revision(), after) {
		m.lead(p, cmd.Leader)
	}
}

func (r *run) changeISR(cmd metalog.ChangeISR, p *partition) {
	var fenced, stale error
	cmd.LeaderEpoch, fenced = r.claim("leader epoch", p.LeaderEpoch, metalog.ErrFenced)
	cmd.PartitionEpoch, stale = r.claim("partition epoch", p.PartitionEpoch, metalog.ErrConflict)
	leader := r.model.leader(p)
	after := firstOf(fenced != nil, fenced, stale != nil, stale,
		slices.ContainsFunc(cmd.ISR, func(id int32) bool { return !slices.Contains(p.Replicas, id) }), metalog.ErrInvalid,
		leader != events.NoLeader && !slices.Contains(cmd.ISR, leader), metalog.ErrInvalid,
		slices.ContainsFunc(cmd.ISR, func(id int32) bool { return !slices.Contains(p.ISR, id) && r.model.offline(id) }), metalog.ErrConflict,
		slices.Equal(cmd.ISR, p.ISR), errUnchanged)
	if r.doAt(cmd, nil, p.revision(), after) {
		p.ISR, p.assigned = cmd.ISR, r.model.at.Seq
		p.PartitionEpoch++
	}
}

func (r *run) comparePartitions(t *topic) {
	ctx := r.tb.Context()
	want := []events.Partition{}
	for n, p := range t.partitions {
		row := p.Partition
		row.Leader, row.Revision = r.model.leader(p), p.revision()
		want = append(want, row)
		got, err := r.GetPartition(ctx, t.Name, int32(n))
		r.check(err, got, row)
		replicas, err := r.GetPartitionReplicas(ctx, t.Name, int32(n))
		r.check(err, replicas, row.Replicas)
		leader, err := r.GetPartitionLeader(ctx, t.Name, int32(n))
		if row.Leader == events.NoLeader {
			r.refused(err, metalog.ErrNotFound)
			continue
		}
		r.check(err, leader, r.model.brokers[row.Leader])
	}
	got, err := metalog.Collect(r.ListPartitions(ctx, t.Name))
	r.check(err, got, want)
}
