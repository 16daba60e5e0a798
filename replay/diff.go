package replay

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// DifferenceKind tells what became of an entity between two points.
type DifferenceKind string

// The kinds of difference.
const (
	Added   DifferenceKind = "added"
	Removed DifferenceKind = "removed"
	Changed DifferenceKind = "changed"
)

// Difference is an entity that is not the same at two points. One whose fields are
// the same is none, whatever happened to it in between.
type Difference struct {
	Kind DifferenceKind `json:"kind"`
	Noun views.Noun     `json:"noun"` // of the entity
	// Entity is the entity's name: cluster, broker/ID, topic/NAME,
	// topic/NAME/partition/N, topic/NAME/segment/ID, group/ID,
	// group/ID/offset/TOPIC/N or transaction/ID.
	Entity string `json:"entity"`
	// TopicID and GroupID tell namesakes apart: they are of the topic and group that
	// the entity is or belongs to.
	TopicID uuid.UUID `json:"topic_id,omitzero"`
	GroupID uint64    `json:"group_id,omitempty"`
	// Recreated: at the other point its topic or group has the same name and
	// another id: it was deleted and created again, or the reverse.
	Recreated bool           `json:"recreated,omitempty"`
	Revision  RevisionChange `json:"revision"`
	// Fields are those that differ, or all of an entity that is at one point only.
	// Their names are those of the entity's JSON; what is in an object or a list of
	// objects has a name below it: config.retention.ms, members.consumer-1.
	Fields []FieldDifference `json:"fields"`

	Place views.Place `json:"-"` // in the order of differences
}

// RevisionChange has the revisions of an entity, 0 where it is not there.
type RevisionChange struct {
	Before uint64 `json:"before,omitempty"`
	After  uint64 `json:"after,omitempty"`
}

// FieldDifference is a field that differs. A value is nil where there is none.
type FieldDifference struct {
	Name   string          `json:"name"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
}

// DiffOptions select differences. The zero value selects all.
type DiffOptions struct {
	// Entities are what to compare, each with all below it, by name as in
	// [Difference.Entity] or by noun (topic, partition, segment, …). None: all.
	Entities []string
	After    views.Place // go on after the difference at this place
}

// Validate checks what can be checked without any state.
func (o DiffOptions) Validate() error {
	_, err := newDiffFilter(o.Entities)
	return err
}

// Diff compares the views at two points and yields the entities that differ, in
// the order of [views.Changes]. It takes constant memory. An error ends it:
// ErrInvalid for an entity that can't be, ErrNotFound for one that is at neither point.
func Diff(ctx context.Context, before, after *views.Reader, opts DiffOptions) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		filter, err := newDiffFilter(opts.Entities)
		if err == nil {
			err = filter.areThere(before, after)
		}
		if err != nil {
			yield(Difference{}, err)
			return
		}
		namesakes := namesakes{before: before, after: after}
		for change, err := range views.Changes(ctx, before, after, views.ChangesOptions{Wants: filter.wants, After: opts.After}) {
			if err != nil {
				yield(Difference{}, err)
				return
			}
			id := identify(change)
			if !filter.matches(change.Noun, id) {
				continue
			}
			d, differs := id.difference(change)
			if !differs {
				continue
			}
			if d.Recreated, err = namesakes.recreated(d.Kind, id); err != nil {
				yield(Difference{}, err)
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// difference tells what differs, and whether anything does.
func (id identity) difference(c views.Change) (Difference, bool) {
	d := Difference{
		Kind: Changed, Noun: c.Noun, Entity: id.name, TopicID: id.topic.ID, GroupID: id.group.GroupID,
		Revision: RevisionChange{revisionOf(c.Before), revisionOf(c.After)},
		Fields:   differingFields(c.Noun, c.Before, c.After),
		Place:    c.Place,
	}
	switch {
	case c.Before == nil:
		d.Kind = Added
	case c.After == nil:
		d.Kind = Removed
	}
	return d, d.Kind != Changed || len(d.Fields) > 0
}

// namesakes finds entities that were deleted and created again. Changes come in
// order of what they hang on, so the last answers are kept.
type namesakes struct {
	before, after *views.Reader
	topic, group  namesake
}

// namesake is the answer about one topic or group at one point.
type namesake struct {
	kind  DifferenceKind
	name  string
	of    any // its id
	found bool
}

func (n *namesakes) recreated(kind DifferenceKind, id identity) (bool, error) {
	if kind == Changed {
		return false, nil
	}
	other := n.before
	if kind == Removed {
		other = n.after
	}
	topic, err := n.topic.find(kind, id.topic.Name, id.topic.ID, func() (any, error) {
		t, err := other.TopicRow(id.topic.Name)
		return t.ID, err
	})
	if err != nil || topic {
		return topic, err
	}
	return n.group.find(kind, id.group.ID, id.group.GroupID, func() (any, error) {
		g, err := other.Group(id.group.ID)
		return g.GroupID, err
	})
}

// find reports whether what look finds under a name has another id.
func (n *namesake) find(kind DifferenceKind, name string, of any, look func() (any, error)) (bool, error) {
	if name == "" {
		return false, nil
	}
	if n.kind == kind && n.name == name && n.of == of {
		return n.found, nil
	}
	other, err := look()
	if err != nil && events.CodeOf(err) != events.CodeNotFound {
		return false, err
	}
	*n = namesake{kind, name, of, err == nil && other != of}
	return n.found, nil
}
