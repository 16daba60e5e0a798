package metalog

import (
	"fmt"
	"slices"

	"github.com/metalog/metalog/events"
)

// CreateGroup creates an empty consumer group.
type CreateGroup struct {
	ID           string `json:"id" require:"true"`
	ProtocolType string `json:"protocol_type,omitempty"`
	Protocol     string `json:"protocol,omitempty"`
}

// UpdateGroup replaces the parts of a group's coordinator state that are given.
type UpdateGroup struct {
	ID           string             `json:"id" require:"true"`
	State        *events.GroupState `json:"state,omitempty"`
	ProtocolType *string            `json:"protocol_type,omitempty"`
	Protocol     *string            `json:"protocol,omitempty"`
	Generation   *int32             `json:"generation,omitempty"` // never goes back: ErrFenced
	Leader       *string            `json:"leader,omitempty"`     // a member's id
	Members      *[]events.Member   `json:"members,omitempty"`    // all of them
}

// DeleteGroup deletes a group that has no members, with its offsets, pending
// ones too, and its config.
type DeleteGroup struct {
	ID string `json:"id" require:"true"`
}

func (CreateGroup) Op() string { return "group.create" }
func (UpdateGroup) Op() string { return "group.update" }
func (DeleteGroup) Op() string { return "group.delete" }

func (c CreateGroup) validate() error {
	var v checks
	v.text("id", c.ID, MaxGroupIDBytes)
	v.optionalText("protocol_type", c.ProtocolType, MaxTextBytes)
	v.optionalText("protocol", c.Protocol, MaxTextBytes)
	return v.err
}

func (c UpdateGroup) validate() error {
	var v checks
	v.text("id", c.ID, MaxGroupIDBytes)
	if c.State != nil {
		v.groupState(*c.State)
	}
	for field, text := range map[string]*string{"protocol_type": c.ProtocolType, "protocol": c.Protocol, "leader": c.Leader} {
		if text != nil {
			v.optionalText(field, *text, MaxTextBytes)
		}
	}
	if c.Generation != nil {
		v.atLeast("generation", int64(*c.Generation), 0)
	}
	if c.Members != nil {
		v.members(*c.Members)
	}
	return v.err
}

func (c DeleteGroup) validate() error {
	var v checks
	v.text("id", c.ID, MaxGroupIDBytes)
	return v.err
}

func (c *checks) groupState(state events.GroupState) {
	switch state {
	case events.GroupEmpty, events.GroupPreparingRebalance, events.GroupCompletingRebalance, events.GroupStable, events.GroupDead:
	default:
		c.fail("state", "%q is not known; it is Empty, PreparingRebalance, CompletingRebalance, Stable or Dead", state)
	}
}

func (c *checks) members(members []events.Member) {
	seen := make(map[string]bool, len(members))
	for i, m := range members {
		field := indexed("members", i, "id")
		c.text(field, m.ID, MaxTextBytes)
		c.optionalText(indexed("members", i, "group_instance_id"), m.GroupInstanceID, MaxTextBytes)
		c.optionalText(indexed("members", i, "client_id"), m.ClientID, MaxTextBytes)
		c.optionalText(indexed("members", i, "client_host"), m.ClientHost, MaxTextBytes)
		if seen[m.ID] {
			c.fail(field, "member %q is named twice", m.ID)
		}
		seen[m.ID] = true
	}
}

func (c CreateGroup) decide(d *decision) error {
	existing, err := d.view.Group(c.ID)
	if exists, err := d.exists(groupLabel(c.ID), existing.Revision, err); err != nil {
		return err
	} else if exists {
		return events.Errorf(events.CodeAlreadyExists, "group %q: already exists; 'metalog group describe' shows it", c.ID)
	}
	d.emit(&events.GroupCreated{
		GroupRef:  events.GroupRef{ID: c.ID, GroupID: d.seq},
		GroupInfo: events.GroupInfo{State: events.GroupEmpty, ProtocolType: c.ProtocolType, Protocol: c.Protocol},
	})
	return nil
}

func (c UpdateGroup) decide(d *decision) error {
	group, err := d.group(c.ID)
	if err != nil {
		return err
	}
	next := c.apply(group.GroupInfo)
	if err := consistent(c.ID, group.GroupInfo, next); err != nil {
		return err
	}
	unchanged, err := same(next, group.GroupInfo)
	if err == nil && !unchanged {
		d.emit(&events.GroupUpdated{GroupRef: group.GroupRef, GroupInfo: next})
	}
	return err
}

// apply replaces the parts that the command gives.
func (c UpdateGroup) apply(info events.GroupInfo) events.GroupInfo {
	set(&info.State, c.State)
	set(&info.ProtocolType, c.ProtocolType)
	set(&info.Protocol, c.Protocol)
	set(&info.Generation, c.Generation)
	set(&info.Leader, c.Leader)
	if c.Members != nil {
		info.Members = *c.Members
		if len(info.Members) == 0 && c.Leader == nil {
			info.Leader = "" // it went with the last member
		}
	}
	return info
}

func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// consistent rejects a group state that contradicts itself or goes back.
func consistent(id string, before, next events.GroupInfo) error {
	isLeader := func(m events.Member) bool { return m.ID == next.Leader }
	switch {
	case next.Generation < before.Generation:
		return events.Errorf(events.CodeFenced, "group %q: generation %d is over, the present one is %d", id, next.Generation, before.Generation)
	case before.State == events.GroupDead && next.State != events.GroupDead:
		return events.Errorf(events.CodeConflict, "group %q: it is Dead; delete it and create it again", id)
	case len(next.Members) > 0 && (next.State == events.GroupEmpty || next.State == events.GroupDead):
		return fieldError("state", "group %q can't be %s with %d members; give members [] too", id, next.State, len(next.Members))
	case next.Leader != "" && len(next.Members) > 0 && !slices.ContainsFunc(next.Members, isLeader):
		return fieldError("leader", "%q is no member of group %q", next.Leader, id)
	}
	return nil
}

func (c DeleteGroup) decide(d *decision) error {
	group, err := d.group(c.ID)
	if err != nil {
		return err
	}
	if n := len(group.Members); n > 0 {
		return events.Errorf(events.CodeConflict, "group %q: it has %d members; a group is deleted only when it has none", c.ID, n)
	}
	deleted := &events.GroupDeleted{GroupRef: group.GroupRef}
	root := d.emit(deleted)
	deleted.Continues, err = d.cascade(root, belowGroup(d.view, group.GroupRef))
	return d.completed(root, deleted.Continues, events.CascadeGroupDelete, group.Entity(), err)
}

// group finds the group that the command is about.
func (d *decision) group(id string) (events.Group, error) {
	group, err := d.view.Group(id)
	return group, d.found(groupLabel(id), group.Revision, err)
}

func groupLabel(id string) string { return fmt.Sprintf("group %q", id) }
