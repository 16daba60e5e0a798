package model

import (
	"slices"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// group is a group with its offsets.
type group struct {
	events.Group
	offsets map[position]*events.Offset
}

func (r *run) groupName() string { return r.pick("group", "g", "h") }

func groupScope(id string) events.EntityRef { return events.EntityRef{Kind: events.KindGroup, ID: id} }

func (g *group) revision() uint64 {
	if g == nil {
		return 0
	}
	return g.Revision
}

// idle returns the error for a group that is not there, or has members.
func (g *group) idle() error {
	return firstOf(g == nil, metalog.ErrNotFound, g != nil && len(g.Members) > 0, metalog.ErrConflict)
}

func (g *group) has(member string) bool {
	return slices.ContainsFunc(g.Members, func(m events.Member) bool { return m.ID == member })
}

func (r *run) groupStep() {
	id := r.groupName()
	switch g := r.model.groups[id]; r.pick("how", "create", "update", "update", "update", "delete") {
	case "create":
		if r.doAt(metalog.CreateGroup{ID: id, ProtocolType: "consumer"}, nil, g.revision(), firstOf(g != nil, metalog.ErrAlreadyExists)) {
			r.model.createGroup(id)
		}
	case "update":
		cmd := r.groupUpdate(id)
		if g == nil {
			r.doAt(cmd, nil, 0, metalog.ErrNotFound)
			return
		}
		r.updateGroup(g, cmd)
	case "delete":
		if r.doAt(metalog.DeleteGroup{ID: id}, nil, g.revision(), g.idle()) {
			r.model.deleteGroup(g)
		}
	}
}

func (m *model) createGroup(id string) {
	m.groups[id] = &group{offsets: map[position]*events.Offset{}, Group: events.Group{
		GroupRef: events.GroupRef{ID: id, GroupID: m.at.Seq}, GroupInfo: events.GroupInfo{State: events.GroupEmpty, ProtocolType: "consumer"},
		CreatedAt: m.at.Time, UpdatedAt: m.at.Time, Revision: m.at.Seq,
	}}
}

// groupUpdate draws a change of a group, mostly one that makes sense.
func (r *run) groupUpdate(id string) metalog.UpdateGroup {
	cmd := metalog.UpdateGroup{ID: id}
	switch r.pick("update", "join", "join", "leave", "generation", "state", "leader") {
	case "join":
		members := []events.Member{{ID: "m1", Metadata: []byte{1}, Assignment: []byte{2, 3}}}
		if r.chance("two") {
			members = append(members, events.Member{ID: "m2", ClientID: "c"})
		}
		cmd.State, cmd.Generation, cmd.Members = ptr(events.GroupStable), ptr(int32(r.number("generation", 3))), &members
		cmd.Leader = ptr(r.pick("leader", "m1", "m1", "m2"))
	case "leave":
		cmd.State, cmd.Members = ptr(events.GroupEmpty), &[]events.Member{}
	case "generation":
		cmd.Generation = ptr(int32(r.number("generation", 3)))
	case "state":
		cmd.State = ptr(events.GroupState(r.pick("state", "Empty", "PreparingRebalance", "Stable", "Dead")))
	case "leader":
		cmd.Leader = ptr(r.pick("leader", "", "m1", "m2"))
	}
	return cmd
}

func (r *run) updateGroup(g *group, cmd metalog.UpdateGroup) {
	next := *g
	if cmd.State != nil {
		next.State = *cmd.State
	}
	if cmd.Generation != nil {
		next.Generation = *cmd.Generation
	}
	if cmd.Leader != nil {
		next.Leader = *cmd.Leader
	}
	if cmd.Members != nil {
		next.Members = *cmd.Members
		if len(next.Members) == 0 && cmd.Leader == nil {
			next.Leader = ""
		}
	}
	some := len(next.Members) > 0
	after := firstOf(next.Generation < g.Generation, metalog.ErrFenced,
		g.State == events.GroupDead && next.State != events.GroupDead, metalog.ErrConflict,
		some && (next.State == events.GroupEmpty || next.State == events.GroupDead), metalog.ErrInvalid,
		some && next.Leader != "" && !next.has(next.Leader), metalog.ErrInvalid,
		next.sameAs(g), errUnchanged)
	if r.doAt(cmd, nil, g.Revision, after) {
		g.GroupInfo, g.UpdatedAt, g.Revision = next.GroupInfo, r.model.at.Time, r.model.at.Seq
	}
}

// sameAs compares what an update may change; members differ by id only here.
func (g *group) sameAs(other *group) bool {
	sameMember := func(a, b events.Member) bool { return a.ID == b.ID }
	return g.State == other.State && g.Generation == other.Generation && g.Leader == other.Leader &&
		slices.EqualFunc(g.Members, other.Members, sameMember)
}

func (m *model) deleteGroup(gone *group) {
	delete(m.groups, gone.ID)
	delete(m.configs, groupScope(gone.ID))
	for _, t := range m.txns {
		t.forget(gone)
	}
}

func (r *run) compareGroups() {
	ctx := r.tb.Context()
	want := []events.Group{}
	for _, g := range sorted(r.model.groups) {
		want = append(want, g.Group)
		got, err := r.GetGroup(ctx, g.ID)
		r.check(err, got, g.Group)
		r.compareOffsets(g)
	}
	got, err := metalog.Collect(r.ListGroups(ctx))
	r.check(err, got, want)
}
