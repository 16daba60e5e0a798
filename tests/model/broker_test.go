package model

import (
	"slices"

	"github.com/google/uuid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func (r *run) brokerID() int32 { return int32(r.number("broker", 3)) }

// brokerIDs draws one to three brokers.
func (r *run) brokerIDs(what string) events.BrokerIDs {
	first, n := r.brokerID(), 1+r.number(what, 2)
	var ids events.BrokerIDs
	for i := range int32(n) {
		ids = append(ids, (first+i)%4)
	}
	return ids
}

func (m *model) registered(ids events.BrokerIDs) bool {
	return !slices.ContainsFunc(ids, func(id int32) bool { return m.brokers[id] == nil })
}

func (m *model) online(id int32) bool {
	return m.brokers[id] != nil && m.brokers[id].Status == events.BrokerOnline
}

// offline reports whether a broker can't be counted on: it is down or no member.
func (m *model) offline(id int32) bool {
	return m.brokers[id] == nil || m.brokers[id].Status == events.BrokerOffline
}

// replicatedOn returns the partitions that a broker is a replica of.
func (m *model) replicatedOn(id int32) (list []*partition) {
	for _, t := range m.topics {
		for _, p := range t.partitions {
			if slices.Contains(p.Replicas, id) {
				list = append(list, p)
			}
		}
	}
	return list
}

func (r *run) brokerStep() {
	id := r.brokerID()
	b, revision := r.model.brokers[id], uint64(0)
	if b != nil {
		revision = b.Revision
	}
	missing := firstOf(b == nil, metalog.ErrNotFound)
	switch r.pick("how", "register", "register", "register", "status", "status", "status", "remove") {
	case "register":
		r.registerBroker(id, b, revision)
	case "status":
		status := events.BrokerStatus(r.pick("status", "online", "offline", "offline", "maintenance"))
		if r.doAt(metalog.SetBrokerStatus{ID: id, Status: status}, nil, revision, firstOf(b == nil, missing, b != nil && b.Status == status, errUnchanged)) {
			r.model.setStatus(b, status)
		}
	case "remove":
		force := r.chance("force")
		after := firstOf(b == nil, missing, !force && len(r.model.replicatedOn(id)) > 0, metalog.ErrConflict)
		if r.doAt(metalog.RemoveBroker{ID: id, Force: force}, nil, revision, after) {
			r.model.removeBroker(id)
		}
	}
}

func (r *run) registerBroker(id int32, b *events.Broker, revision uint64) {
	info := events.BrokerInfo{ID: id, Host: r.pick("host", "h1", "h2"), Port: 9092, IncarnationID: uuid.UUID{15: byte(1 + r.number("incarnation", 1))}}
	cmd := metalog.RegisterBroker{ID: id, Host: info.Host, Port: info.Port, IncarnationID: info.IncarnationID}
	same := b != nil && b.Status != events.BrokerOffline && b.Host == info.Host && b.IncarnationID == info.IncarnationID
	if !r.doAt(cmd, nil, revision, firstOf(same, errUnchanged)) {
		return
	}
	if b == nil {
		b = &events.Broker{RegisteredAt: r.model.at.Time}
		r.model.brokers[id] = b
	}
	b.BrokerInfo, b.Epoch = info, r.model.at.Seq
	r.model.setStatus(b, events.BrokerOnline)
}

// setStatus changes a broker's status, and moves leaderships with it.
func (m *model) setStatus(b *events.Broker, status events.BrokerStatus) {
	b.Status, b.UpdatedAt, b.Revision = status, m.at.Time, m.at.Seq
	if status == events.BrokerOffline {
		b.Epoch = m.at.Seq
	}
	for _, p := range m.replicatedOn(b.ID) {
		switch {
		case status == events.BrokerOffline:
			m.leave(p, b.ID)
		case status == events.BrokerOnline && m.leader(p) == events.NoLeader:
			if next := m.elect(p.Replicas, p.ISR); next != events.NoLeader {
				m.lead(p, next)
			}
		}
	}
}

// leave takes a broker that is offline now out of the ISR, unless it is the last
// one there, and out of the lead.
func (m *model) leave(p *partition, id int32) {
	if slices.Contains(p.ISR, id) && len(p.ISR) > 1 {
		p.ISR = without(p.ISR, id)
		p.PartitionEpoch++
		p.assigned = m.at.Seq
	}
	if p.Leader == id {
		m.lead(p, m.elect(p.Replicas, p.ISR))
	}
}

// removeBroker takes a broker away, with its config and from the partitions that
// still have it.
func (m *model) removeBroker(id int32) {
	delete(m.brokers, id)
	delete(m.configs, events.BrokerInfo{ID: id}.Entity())
	for _, p := range m.replicatedOn(id) {
		if len(p.Replicas) == 1 {
			p.unassign()
			continue
		}
		p.Replicas, p.ISR = without(p.Replicas, id), without(p.ISR, id)
		if len(p.ISR) == 0 {
			p.ISR = p.Replicas
		}
		if m.leader(p) == events.NoLeader {
			m.lead(p, m.elect(p.Replicas, p.ISR))
			continue
		}
		p.PartitionEpoch++
		p.assigned = m.at.Seq
	}
}

func without(ids events.BrokerIDs, id int32) events.BrokerIDs {
	return slices.DeleteFunc(slices.Clone(ids), func(other int32) bool { return other == id })
}

func (r *run) compareBrokers() {
	ctx := r.tb.Context()
	want := []*events.Broker{}
	for id := range int32(4) {
		got, err := r.GetBroker(ctx, id)
		b := r.model.brokers[id]
		if b == nil {
			r.refused(err, metalog.ErrNotFound)
			continue
		}
		r.check(err, got, b)
		want = append(want, b)
	}
	got, err := metalog.Collect(r.ListBrokers(ctx))
	r.check(err, got, want)
}
