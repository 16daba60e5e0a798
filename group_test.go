package metalog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// withMembers puts a group at a generation with members.
func withMembers(group string, generation int32, ids ...string) metalog.UpdateGroup {
	members := make([]events.Member, len(ids))
	for i, id := range ids {
		members[i] = events.Member{ID: id, ClientID: "c", ClientHost: "h", Metadata: []byte{1, 2}, Assignment: []byte{3}}
	}
	state := events.GroupStable
	if len(ids) == 0 {
		state = events.GroupEmpty
	}
	return metalog.UpdateGroup{ID: group, State: &state, Generation: &generation, Members: &members}
}

func TestGroupCreateGetUpdateDelete(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	created := s.Must(metalog.CreateGroup{ID: "g/1 ä", ProtocolType: "consumer", Protocol: "range"})
	s.Must(metalog.CreateGroup{ID: "a"})
	got, err := s.GetGroup(t.Context(), "g/1 ä")
	if err != nil || got.State != events.GroupEmpty || got.ProtocolType != "consumer" || got.Protocol != "range" || got.GroupID != created.Seq || got.Revision != created.Seq {
		t.Errorf("got %+v, %v", got, err)
	}
	update := withMembers("g/1 ä", 1, "m1", "m2")
	update.Leader = new("m2")
	updated := s.Must(update)
	got, err = s.GetGroup(t.Context(), "g/1 ä")
	if err != nil || got.State != events.GroupStable || got.Generation != 1 || len(got.Members) != 2 || got.Leader != "m2" ||
		got.Protocol != "range" || !slices.Equal(got.Members[0].Metadata, []byte{1, 2}) || got.Revision != updated.Seq || got.CreatedAt != created.Time {
		t.Errorf("got %+v, %v", got, err)
	}
	s.Unchanged(update)
	s.Refused(metalog.ErrConflict, metalog.DeleteGroup{ID: "g/1 ä"})
	empty := withMembers("g/1 ä", 2)
	empty.Leader = new("")
	s.Must(empty)
	s.Unchanged(empty) // no members are no members, listed or not
	list, err := metalog.Collect(s.ListGroups(t.Context()))
	if err != nil || len(list) != 2 || list[0].ID != "a" {
		t.Errorf("list %+v, %v", list, err)
	}
	s.Must(metalog.DeleteGroup{ID: "g/1 ä"})
	if _, err := s.GetGroup(t.Context(), "g/1 ä"); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("after the delete: %v", err)
	}
}

// A group created again under its old id is another one and starts empty.
func TestGroupRecreated(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	createTopic(s, "orders", 1)
	s.Must(metalog.CreateGroup{ID: "g"})
	s.Must(commit("g", "orders", 0, 5))
	s.Must(metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindGroup, ID: "g"}, Config: events.Config{"a": "1"}})
	s.Must(metalog.DeleteGroup{ID: "g"})
	again := s.Must(metalog.CreateGroup{ID: "g"})
	got, err := s.GetGroup(t.Context(), "g")
	if err != nil || got.GroupID != again.Seq {
		t.Errorf("%+v, %v", got, err)
	}
	if offsets, err := metalog.Collect(s.ListOffsets(t.Context(), "g")); err != nil || len(offsets) != 0 {
		t.Errorf("offsets %+v, %v", offsets, err)
	}
	if config, err := s.GetConfig(t.Context(), got.Entity()); err != nil || len(config.Config) != 0 {
		t.Errorf("config %+v, %v", config, err)
	}
}

func TestGroupRejections(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	s.Must(metalog.CreateGroup{ID: "g"})
	s.Must(withMembers("g", 5, "m"))
	s.Must(metalog.CreateGroup{ID: "dead"})
	s.Must(metalog.UpdateGroup{ID: "dead", State: new(events.GroupDead)})
	long := strings.Repeat("x", 5000)
	checkRejections(t, s, map[string]rejection{
		"exists":            {cmd: metalog.CreateGroup{ID: "g"}, want: metalog.ErrAlreadyExists},
		"no id":             {cmd: metalog.CreateGroup{}, want: metalog.ErrInvalid},
		"long id":           {cmd: metalog.CreateGroup{ID: long}, want: metalog.ErrInvalid},
		"id not UTF-8":      {cmd: metalog.CreateGroup{ID: "\xff"}, want: metalog.ErrInvalid},
		"long protocol":     {cmd: metalog.CreateGroup{ID: "x", Protocol: long}, want: metalog.ErrInvalid},
		"update unknown":    {cmd: metalog.UpdateGroup{ID: "x"}, want: metalog.ErrNotFound},
		"unknown state":     {cmd: metalog.UpdateGroup{ID: "g", State: new(events.GroupState("Lost"))}, want: metalog.ErrInvalid},
		"generation back":   {cmd: metalog.UpdateGroup{ID: "g", Generation: new(int32(4))}, want: metalog.ErrFenced},
		"generation < 0":    {cmd: metalog.UpdateGroup{ID: "g", Generation: new(int32(-1))}, want: metalog.ErrInvalid},
		"empty with member": {cmd: metalog.UpdateGroup{ID: "g", State: new(events.GroupEmpty)}, want: metalog.ErrInvalid},
		"dead with member":  {cmd: metalog.UpdateGroup{ID: "g", State: new(events.GroupDead)}, want: metalog.ErrInvalid},
		"alien leader":      {cmd: metalog.UpdateGroup{ID: "g", Leader: new("x")}, want: metalog.ErrInvalid},
		"long leader":       {cmd: metalog.UpdateGroup{ID: "g", Leader: &long}, want: metalog.ErrInvalid},
		"member twice":      {cmd: withMembers("g", 6, "m", "m"), want: metalog.ErrInvalid},
		"member without id": {cmd: withMembers("g", 6, ""), want: metalog.ErrInvalid},
		"back from dead":    {cmd: metalog.UpdateGroup{ID: "dead", State: new(events.GroupEmpty)}, want: metalog.ErrConflict},
		"delete unknown":    {cmd: metalog.DeleteGroup{ID: "x"}, want: metalog.ErrNotFound},
		"delete no id":      {cmd: metalog.DeleteGroup{}, want: metalog.ErrInvalid},
		"delete not empty":  {cmd: metalog.DeleteGroup{ID: "g"}, want: metalog.ErrConflict},
	})
}
