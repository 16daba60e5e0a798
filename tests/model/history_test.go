package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// historyStep asks for a random history in pages, and wants what looking through all
// events finds.
func (r *run) historyStep() {
	r.spoilIndex()
	log := r.readLog()
	for range 4 {
		q := r.historyQuery(log)
		want, err := log.history(q)
		got, gotErr := r.pages(q)
		if !errors.Is(gotErr, err) {
			r.Fatalf("history %+v: %v, want %v", q, gotErr, err)
		}
		if err != nil {
			continue
		}
		r.check(nil, got, want)
	}
	for range 4 {
		at := one(r, "event", log.all)
		r.cascadeOf(log, metalog.EventRef{Seq: at.Seq, Index: at.Index, One: r.chance("one event")})
	}
}

// spoilIndex does to the index's file, now and then, what must not matter.
func (r *run) spoilIndex() {
	what := r.pick("index", "whole", "whole", "whole", "whole", "missing", "cut", "garbage", "damaged")
	if what == "whole" {
		return
	}
	file := filepath.Join(r.Options.Path, "history.db")
	r.MustClose()
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case what == "missing":
		r.tb.ok(os.Remove(file))
	case what == "cut":
		r.tb.ok(os.Truncate(file, info.Size()/4096/2*4096))
	case what == "garbage":
		r.tb.ok(os.WriteFile(file, []byte(strings.Repeat("garbage ", 4096)), 0o600))
	case what == "damaged":
		data, err := os.ReadFile(file)
		r.tb.ok(err)
		for range 20 {
			data[2*4096+r.number("byte", 1023)*16] ^= byte(1 + r.number("bits", 254)) // behind the meta pages
		}
		r.tb.ok(os.WriteFile(file, data, 0o600))
	}
	r.Reopen()
}

// eventLog is all events, to be looked through.
type eventLog struct {
	all  []events.EventView
	json []map[string]any // their payloads
	at   map[events.Position]int
}

func (r *run) readLog() *eventLog {
	l := &eventLog{all: r.Select(metalog.EventQuery{}), at: map[events.Position]int{}}
	for i, e := range l.all {
		payload := map[string]any{}
		encoded, err := json.Marshal(e.Payload)
		r.tb.ok(errors.Join(err, json.Unmarshal(encoded, &payload)))
		l.json = append(l.json, payload)
		l.at[positionOf(e)] = i
	}
	return l
}

func positionOf(e events.EventView) events.Position {
	return events.Position{Seq: e.Seq, Index: e.Index}
}

// entity draws an entity that there may have been.
func (r *run) entity(l *eventLog) string {
	topic, group := r.topicName(), r.pick("group", "g", "h", "i")
	part := fmt.Sprint(r.number("partition", 3))
	of, n := one(r, "of", l.all), r.number("of", int64(len(l.all)-1))
	switch r.number("kind", 12) {
	case 0, 1:
		return "topic/" + topic
	case 2:
		if id, ok := l.json[n]["topic_id"]; ok {
			return fmt.Sprint("topic/", id)
		}
		return "topic/" + topic
	case 3:
		return "topic/" + topic + "/partition/" + part
	case 4:
		if id, ok := l.json[n]["id"].(string); ok && strings.HasPrefix(l.all[n].Type, "Segment") {
			return "topic/" + topic + "/segment/" + id
		}
		return "topic/" + topic + "/segment/s1"
	case 5:
		return "group/" + group
	case 6:
		if id, ok := l.json[n]["group_id"]; ok {
			return fmt.Sprintf("group/#%.0f", id)
		}
		return "group/" + group
	case 7:
		return "group/" + group + "/offset/" + topic + "/" + part
	case 8:
		return "broker/" + part
	case 9:
		return "transaction/" + r.pick("transaction", "t", "u", "x", "y")
	case 10:
		return "config/" + r.pick("scope", "cluster", "topic/"+topic, "group/"+group, "broker/"+part)
	case 11:
		return of.Entity.String()
	}
	return "cluster"
}

func (r *run) historyQuery(l *eventLog) metalog.HistoryQuery {
	q := metalog.HistoryQuery{
		Entity: r.entity(l), NewestFirst: r.chance("newest first"), NoHighRate: r.oneIn(4, "no high rate"), Cascade: r.oneIn(3, "cascade"),
	}
	some := func() events.EventView { return one(r, "some event", l.all) }
	if r.oneIn(4, "types") {
		q.Types = []string{some().Type, some().Type}
	}
	if r.oneIn(4, "actor") {
		q.Actor = some().Actor
	}
	if r.oneIn(4, "derived") {
		q.Derived = ptr(r.chance("derived"))
	}
	if cause := some().Cause; cause != nil && r.chance("cause") {
		q.Cause = metalog.EventRef{Seq: cause.Seq, Index: cause.Index, One: r.chance("one cause")}
	}
	switch r.number("range", 7) {
	case 0:
		q.From = some().Seq
	case 1:
		q.To = some().Seq
	case 2:
		q.Since = metalog.Point{Time: some().Time}
	case 3:
		q.Until = metalog.Point{Time: some().Time}
	case 4:
		q.Since, q.Until = metalog.Point{Seq: some().Seq}, metalog.Point{Seq: some().Seq}
	}
	return q
}

// pages reads what a query selects in pages of a random size.
func (r *run) pages(q metalog.HistoryQuery) ([]metalog.TreeEvent, error) {
	q.Limit = int(r.number("page", 20))
	list := []metalog.TreeEvent{}
	for {
		page, err := collect(r.History(r.tb.Context(), q))
		if list = append(list, page...); err != nil || q.Limit == 0 || len(page) == 0 {
			return list, err
		}
		if len(page) > q.Limit {
			r.Fatalf("a page of %d, not %d", len(page), q.Limit)
		}
		q.After = ptr(positionOf(page[len(page)-1].EventView))
	}
}

func collect[T any](list iter.Seq2[T, error]) (all []T, err error) {
	for e, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// history looks through all events.
func (l *eventLog) history(q metalog.HistoryQuery) ([]metalog.TreeEvent, error) {
	is, known := l.about(q.Entity)
	if !known {
		return nil, metalog.ErrNotFound
	}
	selected := []int{}
	for i, e := range l.all {
		if is(i) && l.selects(q, e) {
			selected = append(selected, i)
		}
	}
	if q.NewestFirst {
		slices.Reverse(selected)
	}
	list := []metalog.TreeEvent{}
	for _, i := range selected {
		switch {
		case !q.Cascade:
			list = append(list, metalog.TreeEvent{EventView: l.all[i]})
		case !l.below(i, selected):
			tree := l.tree(i, 0, false)
			list = append(list, tree...)
		}
	}
	return list, nil
}

// below reports whether an event has one of others above it.
func (l *eventLog) below(i int, others []int) bool {
	for above := l.parent(i); above >= 0; above = l.parent(above) {
		if slices.Contains(others, above) {
			return true
		}
	}
	return false
}

func (l *eventLog) selects(q metalog.HistoryQuery, e events.EventView) bool {
	highRate := e.Type == "OffsetCommitted" || e.Type == "HighWatermarkAdvanced"
	return !(highRate && q.NoHighRate) &&
		(q.Types == nil || slices.Contains(q.Types, e.Type)) &&
		(q.Actor == "" || q.Actor == e.Actor) &&
		(q.Derived == nil || *q.Derived == e.Derived) &&
		(q.Cause.Seq == 0 || e.Cause != nil && e.Cause.Seq == q.Cause.Seq && (!q.Cause.One || e.Cause.Index == q.Cause.Index)) &&
		(q.From == 0 || e.Seq >= q.From) && (q.To == 0 || e.Seq <= q.To) &&
		(q.Since.Seq == 0 || e.Seq >= q.Since.Seq) && (q.Until.Seq == 0 || e.Seq <= q.Until.Seq) &&
		(q.Since.Time == 0 || e.Time >= q.Since.Time) && (q.Until.Time == 0 || e.Time <= q.Until.Time)
}

// about returns what finds the events of an entity, by the fields of their payloads,
// and whether there has been such an entity.
func (l *eventLog) about(entity string) (is func(i int) bool, known bool) {
	parts := strings.Split(entity, "/")
	switch {
	case entity == "cluster":
		return func(i int) bool { return l.all[i].Entity.String() == "cluster" }, true
	case parts[0] == "transaction":
		is = func(i int) bool { return l.json[i]["transactional_id"] == parts[1] }
		return is, slices.ContainsFunc(l.indexes(), is)
	case parts[0] == "config":
		ofOwner, known := l.about(strings.Join(parts[1:], "/"))
		return func(i int) bool {
			t := l.all[i].Type
			return ofOwner(i) && (t == "ConfigSet" || t == "ConfigDeleted" || t == "TopicCreated" || t == "TopicUpdated")
		}, known
	}
	owner := strings.Join(parts[:2], "/")
	ofOwner := func(i int) bool {
		e := l.all[i]
		return e.Entity.String() == owner ||
			parts[0] == "topic" && e.Entity.Kind == events.KindTopic && (l.json[i]["topic_id"] == parts[1] || l.json[i]["id"] == parts[1]) ||
			parts[0] == "group" && e.Entity.Kind == events.KindGroup && fmt.Sprintf("#%v", l.json[i]["group_id"]) == parts[1]
	}
	known = slices.ContainsFunc(l.indexes(), ofOwner)
	if len(parts) == 2 {
		return ofOwner, known
	}
	var fine func(i int) bool
	switch parts[2] {
	case "partition":
		fine = func(i int) bool { return fmt.Sprint(l.json[i]["partition"]) == parts[3] }
	case "segment":
		fine = func(i int) bool { return strings.HasPrefix(l.all[i].Type, "Segment") && l.hasSegment(i, parts[3]) }
	default:
		_, topic := l.about("topic/" + parts[3])
		known = known && topic
		fine = func(i int) bool {
			return l.json[i]["topic"] == parts[3] && fmt.Sprint(l.json[i]["partition"]) == parts[4]
		}
	}
	return func(i int) bool { return ofOwner(i) && fine(i) }, known
}

func (l *eventLog) indexes() []int {
	all := make([]int, len(l.all))
	for i := range all {
		all[i] = i
	}
	return all
}

func (l *eventLog) hasSegment(i int, id string) bool {
	if compacted, ok := l.all[i].Payload.(*events.SegmentsCompacted); ok {
		return slices.Contains(compacted.Removed, id) || slices.ContainsFunc(compacted.Added, func(s events.SegmentInfo) bool { return s.ID == id })
	}
	return l.json[i]["id"] == id
}

// parent is the index of the event that caused another one, -1 if none did.
func (l *eventLog) parent(i int) int {
	e := l.all[i]
	if e.Cause == nil || e.Cause.Seq > e.Seq || e.Cause.Seq == e.Seq && e.Cause.Index >= e.Index {
		return -1
	}
	if above, ok := l.at[*e.Cause]; ok {
		return above
	}
	return -1
}

// tree is an event with all that it caused, each before what it caused itself.
func (l *eventLog) tree(i, depth int, last bool) []metalog.TreeEvent {
	list := []metalog.TreeEvent{{EventView: l.all[i], Depth: depth, Last: last}}
	var children []int
	for j := range l.all {
		if l.parent(j) == i {
			children = append(children, j)
		}
	}
	for n, j := range children {
		list = append(list, l.tree(j, depth+1, n == len(children)-1)...)
	}
	return list
}

// cascadeOf wants the tree that an event stands in, also when it goes on from within.
func (r *run) cascadeOf(l *eventLog, ref metalog.EventRef) {
	i := l.at[events.Position{Seq: ref.Seq, Index: ref.Index}]
	if !ref.One {
		i = l.at[events.Position{Seq: ref.Seq}]
	}
	root := i
	for above := l.parent(root); above >= 0; above = l.parent(root) {
		root = above
	}
	roots := []int{root}
	if !ref.One && l.all[root].Seq == ref.Seq {
		roots = nil
		for j, e := range l.all {
			if e.Seq == ref.Seq && l.parent(j) < 0 {
				roots = append(roots, j)
			}
		}
	}
	var want []metalog.TreeEvent
	for n, j := range roots {
		want = append(want, l.tree(j, 0, n == len(roots)-1)...)
	}
	got, err := collect(r.Cascade(r.tb.Context(), metalog.CascadeQuery{Of: ref}))
	r.check(err, got, want)
	n := r.number("after", int64(len(want)-1))
	got, err = collect(r.Cascade(r.tb.Context(), metalog.CascadeQuery{Of: ref, After: ptr(positionOf(want[n].EventView))}))
	r.check(err, append([]metalog.TreeEvent{}, got...), want[n+1:])
}
