package views

import (
	"errors"
	"fmt"
	"testing"

	"github.com/metalog/metalog/events"
)

// What the writer keeps decoded is what it would read: changed, deleted and made anew.
func TestKept(t *testing.T) {
	_, tx := mustOpen(t)
	for revision := range byte(3) {
		topic, group := putTopic(t, tx, 1, "orders"), putGroup(t, tx, 1, "billing")
		topic.Revision, group.Revision = uint64(revision)+10, uint64(revision)+20
		must(t, tx.PutTopic(topic))
		must(t, tx.PutGroup(group))
		for range 2 {
			if got, err := tx.TopicRow("orders"); err != nil || got.Revision != topic.Revision {
				t.Errorf("topic %+v, %v, want revision %d", got, err, topic.Revision)
			}
			if got, err := tx.Group("billing"); err != nil || got.Revision != group.Revision {
				t.Errorf("group %+v, %v, want revision %d", got, err, group.Revision)
			}
			commit(t, tx)
		}
		must(t, tx.DeleteTopic(topic.ID))
		must(t, tx.DeleteGroup(group.GroupID))
		if got, err := tx.TopicRow("orders"); !errors.Is(err, events.ErrNotFound) {
			t.Errorf("deleted topic: %+v, %v", got, err)
		}
		if got, err := tx.Group("billing"); !errors.Is(err, events.ErrNotFound) {
			t.Errorf("deleted group: %+v, %v", got, err)
		}
	}
}

// What a scratch changes, the writer under it does not see.
func TestKeptBesideScratch(t *testing.T) {
	_, tx := mustOpen(t)
	group := putGroup(t, tx, 1, "billing")
	scratch := tx.Scratch()
	changed := group
	changed.Revision = 99
	must(t, scratch.PutGroup(changed))
	for want, r := range map[uint64]*Reader{99: &scratch.Reader, 1: &tx.Reader} {
		if got, err := r.Group("billing"); err != nil || got.Revision != want {
			t.Errorf("%+v, %v, want revision %d", got, err, want)
		}
	}
}

// However many are named, no more than some are kept.
func TestKeptIsBounded(t *testing.T) {
	var rows keptRows[int]
	for n := range 3 * maxKept {
		if got, err := rows.get(fmt.Sprint(n), func(string) (int, error) { return n, nil }); err != nil || got != n {
			t.Fatalf("%d, %v, want %d", got, err, n)
		}
		if len(rows.byName) > maxKept {
			t.Fatalf("%d are kept", len(rows.byName))
		}
	}
	failed := errors.New("failed")
	for range 2 {
		if _, err := rows.get("other", func(string) (int, error) { return 0, failed }); !errors.Is(err, failed) {
			t.Errorf("a failure was kept: %v", err)
		}
	}
}
