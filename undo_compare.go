package metalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// findConflicts finds what later records changed of the targets, and what is in
// the way.
func (p *undoPlan) findConflicts(now *views.Reader) error {
	if by := p.after.undone; by != 0 {
		p.Conflicts = append(p.Conflicts, UndoConflict{
			What: fmt.Sprintf("it was undone by seq %d", p.UndoneBy[0]), Seq: by, LastSeq: by, Changes: 1, Blocks: true,
			Why: fmt.Sprintf("and that by seq %d; undo that one", by),
		})
		return nil
	}
	for c, err := range now.Cascades() {
		if err != nil {
			return err
		}
		if p.of.seqs[c.Cause.Seq] || p.after.own[c.Cause.Seq] {
			p.Conflicts = append(p.Conflicts, UndoConflict{
				What: aboutWhat(c).String(), Seq: c.Cause.Seq, LastSeq: c.Cause.Seq, Changes: 1, Blocks: true,
				Why: fmt.Sprintf("the cascade of seq %d still goes on; try again in a moment", c.Cause.Seq),
			})
		}
	}
	if p.after.whole {
		return nil
	}
	for _, t := range p.targets {
		if isDone(p.after.done, t) {
			continue
		}
		if err := p.findConflict(t, now); err != nil {
			return err
		}
	}
	return p.findMembers(now)
}

func (p *undoPlan) findConflict(t target, now *views.Reader) error {
	if p.was[t].value != nil || p.marks(t) == nil || t.Kind == targetConfig {
		p.noteTouch(t, t)
	}
	for _, mark := range p.marks(t) {
		if mark.Kind != targetTopicName && mark.Kind != targetGroupName {
			p.noteTouch(mark, t)
			continue
		}
		taken, err := p.nameTaken(t, now)
		if err != nil {
			return err
		}
		if by := p.after.touched[mark]; taken {
			c := UndoConflict{What: t.String(), Why: "there is another one of this name", Blocks: true}
			if by != nil {
				c.Seq, c.LastSeq, c.Changes = by.last, by.last, 1
				c.Why += fmt.Sprintf(", since seq %d", by.last)
			}
			c.Why += "; delete that one first"
			p.Conflicts = append(p.Conflicts, c)
		}
	}
	return nil
}

func (p *undoPlan) noteTouch(mark, t target) {
	if by := p.after.touched[mark]; by != nil {
		p.Conflicts = append(p.Conflicts, conflictOf(t, by))
	}
}

// nameTaken reports whether a topic or group has the name of one that is to come
// back.
func (p *undoPlan) nameTaken(t target, now *views.Reader) (bool, error) {
	t = p.after.made.now(t)
	if t.Kind == targetTopic {
		topic, err := now.TopicRow(t.Topic.Name)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return topic.ID != t.Topic.ID, err
	}
	group, err := now.Group(t.Group.ID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return group.GroupID != t.Group.GroupID, err
}

// findMembers finds groups that have members now who would commit over an offset
// that an operator brings back.
func (p *undoPlan) findMembers(now *views.Reader) error {
	seen := map[uint64]bool{}
	for _, t := range p.targets {
		if t.Kind != targetOffset || p.asked[t] == 0 || seen[t.Group.GroupID] || isDone(p.after.done, t) {
			continue
		}
		seen[t.Group.GroupID] = true
		group, err := now.GroupByNumber(t.Group.GroupID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if n := len(group.Members); n > 0 {
			p.Conflicts = append(p.Conflicts, UndoConflict{What: groupLabel(group.ID), Why: fmt.Sprintf("it has %d members, who commit over it; stop them first", n)})
		}
	}
	return nil
}

// compare finds how the targets differ, in a view after the undo, from what they
// were before the undone record.
func (p *undoPlan) compare(view *views.Reader, made remade) error {
	p.Differs, p.Lost = nil, slices.Clone(p.given)
	c := comparison{plan: p, view: view, made: made, drawn: p.drawn(made), seen: map[string]int{}, fields: map[reflect.Type][]jsonField{}}
	for _, t := range p.targets {
		if isDone(p.done, t) {
			continue
		}
		if err := c.target(t); err != nil {
			return err
		}
	}
	if p.EventCount == 0 && len(p.Lost) == len(p.given) {
		p.Conflicts, p.Differs = nil, nil // all is as it was
	}
	if c.segments > 0 && p.EventCount > 0 {
		p.Lost = append(p.Lost, UndoLoss{
			Kind: "segment file", Count: c.segments, First: c.segment,
			Why: "the log has what is known of segments, not their files: check that they are still there",
		})
	}
	return nil
}

// drawn are the ids of topics that only the plan has: the undo draws others.
func (p *undoPlan) drawn(made remade) map[uuid.UUID]bool {
	ids := map[uuid.UUID]bool{}
	for old, ref := range made.Topics {
		if p.after.made.Topics[old] != ref {
			ids[ref.ID] = true
		}
	}
	return ids
}

// comparison gathers differences by kind and field.
type comparison struct {
	plan   *undoPlan
	view   *views.Reader
	made   remade
	drawn  map[uuid.UUID]bool
	seen   map[string]int // places in plan.Differs
	fields map[reflect.Type][]jsonField

	segments int // that came back
	segment  string
}

type jsonField struct {
	name  string
	index []int
}

func (c *comparison) target(t target) error {
	now, err := c.made.now(t).read(c.view)
	if err != nil {
		return err
	}
	was := c.plan.was[t]
	switch {
	case t.Kind == targetConfig:
		c.config(t, was.value, now.value)
	case was.value == nil && now.value != nil:
		c.differ(t, "exists", "false", "true")
	case was.value != nil && now.value == nil:
		c.plan.lose(string(t.Kind), t.String(), c.whyLost(t))
	case was.value != nil:
		if t.Kind == targetSegment {
			c.segments, c.segment = c.segments+1, cmp.Or(c.segment, t.String())
		}
		c.rows(t, was.value, now.value)
	}
	return nil
}

// whyLost says why a target did not come back.
func (c *comparison) whyLost(t target) string {
	t = c.made.now(t)
	if t.Group.ID != "" {
		if exists, err := c.view.HasGroup(t.Group.GroupID); err == nil && !exists {
			return "its group is gone"
		}
	}
	if t.Topic.Name != "" {
		if exists, err := c.view.HasTopic(t.Topic.ID); err == nil && !exists {
			return "its topic is gone"
		}
	}
	switch t.Kind {
	case targetAssignment:
		return "none of the brokers that held it is registered"
	case targetSegment:
		return "it lies below the log start offset"
	}
	return "what it belongs to is gone"
}

func (c *comparison) rows(t target, was, now any) {
	a, b := reflect.ValueOf(was), reflect.ValueOf(now)
	for _, f := range c.fieldsOf(a.Type()) {
		x, y := a.FieldByIndex(f.index).Interface(), b.FieldByIndex(f.index).Interface()
		if !reflect.DeepEqual(x, y) {
			c.differ(t, f.name, plainText(x), c.afterText(y))
		}
	}
}

func (c *comparison) afterText(v any) string {
	if id, ok := v.(uuid.UUID); ok && c.drawn[id] {
		return "new"
	}
	return plainText(v)
}

// plainText is a value in a line; lists are as JSON has them.
func plainText(v any) string {
	if encoded, err := json.Marshal(v); err == nil && (encoded[0] == '[' || encoded[0] == '{') {
		return string(encoded)
	}
	return fmt.Sprint(v)
}

// fieldsOf lists the fields that JSON shows, those of embedded structs too.
func (c *comparison) fieldsOf(t reflect.Type) []jsonField {
	list, known := c.fields[t]
	if known {
		return list
	}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			list = append(list, jsonField{name, f.Index})
		}
	}
	c.fields[t] = list
	return list
}

func (c *comparison) config(t target, was, now any) {
	before, _ := was.(events.Config)
	after, _ := now.(events.Config)
	a, wasSet := before[t.Name]
	b, isSet := after[t.Name]
	switch {
	case wasSet && !isSet:
		c.plan.lose(string(t.Kind), t.String(), "its owner is gone")
	case a != b || wasSet != isSet:
		c.differ(t, t.Name, a, b)
	}
}

func (c *comparison) differ(t target, field, before, after string) {
	key := string(t.Kind) + "\x00" + field
	if i, known := c.seen[key]; known {
		c.plan.Differs[i].Count++
		return
	}
	c.seen[key] = len(c.plan.Differs)
	why, known := whyDiffers[field]
	if !known {
		why = "it can't be brought back"
	}
	c.plan.Differs = append(c.plan.Differs, UndoDifference{
		Kind: string(t.Kind), Field: field, Count: 1, First: t.String(), Before: before, After: after, Why: why,
	})
}

// whyDiffers says of fields why they may not be as they were.
var whyDiffers = map[string]string{
	"id":                  "an id is not used again",
	"topic_id":            "an id is not used again",
	"group_id":            "an id is not used again",
	"revision":            "it is that of the undo",
	"created_at":          "it is the time of the undo",
	"updated_at":          "it is the time of the undo",
	"registered_at":       "it is the time of the undo",
	"committed_at":        "it is the time of the undo",
	"leader_epoch":        "epochs only go up",
	"partition_epoch":     "epochs only go up",
	"epoch":               "epochs only go up",
	"leader_broker_epoch": "a broker that was registered again has a new epoch",
	"generation":          "members of earlier generations stay fenced",
	"leader":              "the broker that led can't lead now",
	"isr":                 "a replica that comes back has to catch up first, and one that is offline is not in sync",
	"replicas":            "brokers that are not registered are left out",
	"partitions":          "partitions can't be taken away",
}
