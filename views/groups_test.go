package views

import (
	"errors"
	"testing"

	"github.com/metalog/metalog/events"
)

func putGroup(t testing.TB, tx *Tx, number uint64, id string) events.Group {
	t.Helper()
	group := events.Group{GroupRef: events.GroupRef{ID: id, GroupID: number}, GroupInfo: events.GroupInfo{State: events.GroupEmpty}, Revision: number}
	must(t, tx.PutGroup(group))
	return group
}

func offsetRef(group events.Group, topic events.Topic, p int32) events.OffsetRef {
	return events.OffsetRef{Group: group.ID, GroupID: group.GroupID, Topic: topic.Name, TopicID: topic.ID, Partition: p}
}

func TestGroups(t *testing.T) {
	_, tx := mustOpen(t)
	putGroup(t, tx, 1, "z/with slash")
	commit(t, tx)
	putGroup(t, tx, 2, "a")
	groups := all(t, tx.Groups())
	if len(groups) != 2 || groups[0].ID != "a" || groups[1].GroupID != 1 {
		t.Errorf("groups %+v", groups)
	}
	if g, err := tx.Group("z/with slash"); err != nil || g.GroupID != 1 {
		t.Errorf("by id: %+v, %v", g, err)
	}
	if g, err := tx.GroupByNumber(2); err != nil || g.ID != "a" {
		t.Errorf("by number: %+v, %v", g, err)
	}
	must(t, tx.DeleteGroup(1))
	if _, err := tx.Group("z/with slash"); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("deleted group: %v", err)
	}
	if err := tx.DeleteGroup(1); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("delete of what is not there: %v", err)
	}
	putGroup(t, tx, 9, "z/with slash")
	if g, err := tx.Group("z/with slash"); err != nil || g.GroupID != 9 {
		t.Errorf("namesake: %+v, %v", g, err)
	}
	commit(t, tx)
}

func TestOffsets(t *testing.T) {
	_, tx := mustOpen(t)
	topic, other := putTopic(t, tx, 1, "orders"), putTopic(t, tx, 2, "alerts")
	group, second := putGroup(t, tx, 5, "billing"), putGroup(t, tx, 6, "audit")
	put := func(g events.Group, topic events.Topic, p int32, info events.OffsetInfo) {
		t.Helper()
		must(t, tx.PutOffset(offsetRef(g, topic, p), info, 123, 9))
	}
	put(group, topic, 1, events.OffsetInfo{Offset: 1})
	commit(t, tx)
	put(group, topic, 1, events.OffsetInfo{Offset: 1 << 40, LeaderEpoch: -1, Metadata: "m"})
	put(group, topic, 0, events.OffsetInfo{Offset: 2})
	put(group, other, 0, events.OffsetInfo{Offset: 3})
	put(second, topic, 2, events.OffsetInfo{Offset: 4})

	got, err := tx.Offset("billing", "orders", 1)
	want := events.Offset{OffsetRef: offsetRef(group, topic, 1), OffsetInfo: events.OffsetInfo{Offset: 1 << 40, LeaderEpoch: -1, Metadata: "m"}, CommittedAt: 123, Revision: 9}
	if err != nil || got != want {
		t.Errorf("offset %+v, %v; want %+v", got, err, want)
	}
	if o := all(t, tx.Offsets(group)); len(o) != 3 || o[0].Partition != 0 || o[1] != want || o[2].Topic != "alerts" {
		t.Errorf("of the group: %+v", o)
	}
	if o := all(t, tx.OffsetsOfTopic(topic)); len(o) != 3 || o[2].Group != "audit" || o[2].Offset != 4 {
		t.Errorf("of the topic: %+v", o)
	}
	for _, missing := range [][2]string{{"none", "orders"}, {"billing", "none"}, {"audit", "alerts"}} {
		if _, err := tx.Offset(missing[0], missing[1], 0); !errors.Is(err, events.ErrNotFound) {
			t.Errorf("offset of %v: %v", missing, err)
		}
	}
	must(t, tx.DeleteOffset(5, topic.ID, 1))
	if err := tx.DeleteOffset(5, topic.ID, 1); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("delete of what is not there: %v", err)
	}
	if o := all(t, tx.OffsetsOfTopic(topic)); len(o) != 2 {
		t.Errorf("after the delete: %+v", o)
	}
	commit(t, tx)
}
