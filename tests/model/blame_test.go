package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// blameBook notes after each command which fields read differently: that command set
// them.
type blameBook map[string]*blamePage // by entity

type blamePage struct {
	fields  map[string]blameLine
	born    uint64 // seq that created it
	deleted uint64 // seq; 0: it is there
}

type blameLine struct {
	value string
	seq   uint64
}

// noteBlame reads all entities after the command of a seq.
func (r *run) noteBlame(seq uint64) {
	if r.blame == nil {
		return
	}
	ctx := r.tb.Context()
	for _, name := range []string{"a", "b", "c"} {
		topic, err := r.GetTopic(ctx, name)
		r.noteEntity("topic/"+name, topic, err, seq)
		for p := range int32(4) {
			partition, err := r.GetPartition(ctx, name, p)
			r.noteEntity(fmt.Sprintf("topic/%s/partition/%d", name, p), partition, err, seq)
		}
		for _, id := range []string{"1", "2", "3", "4"} {
			segment, err := r.GetSegment(ctx, name, id)
			r.noteEntity("topic/"+name+"/segment/"+id, segment, err, seq)
		}
	}
	for _, id := range []string{"g", "h"} {
		group, err := r.GetGroup(ctx, id)
		r.noteEntity("group/"+id, group, err, seq)
		for _, topic := range []string{"a", "b"} {
			offset, err := r.GetOffset(ctx, id, topic, 0)
			r.noteEntity("group/"+id+"/offset/"+topic+"/0", offset, err, seq)
		}
	}
	for id := range int32(4) {
		broker, err := r.GetBroker(ctx, id)
		r.noteEntity(fmt.Sprintf("broker/%d", id), broker, err, seq)
	}
	for _, id := range []string{"t", "u"} {
		transaction, err := r.GetTransaction(ctx, id)
		r.noteEntity("transaction/"+id, transaction, err, seq)
	}
	for _, scope := range []string{"cluster", "topic/a", "group/g"} {
		ref, err := events.ParseEntityRef(scope)
		r.tb.ok(err)
		entry, err := r.GetConfig(ctx, ref)
		if page := r.blame["config/"+scope]; err == nil && entry.Revision == 0 && scope != "topic/a" && (page == nil || page.deleted != 0) {
			continue // nothing was ever set
		}
		r.noteEntity("config/"+scope, entry, err, seq)
	}
}

func (r *run) noteEntity(entity string, object any, err error, seq uint64) {
	page := r.blame[entity]
	if err != nil {
		if page != nil && page.deleted == 0 {
			page.deleted = seq
		}
		return
	}
	fields := r.flatten(object)
	identity := fields["id"] + fields["topic_id"] + fields["group_id"]
	if page == nil || page.deleted != 0 || identity != page.fields["id"].value+page.fields["topic_id"].value+page.fields["group_id"].value {
		page = &blamePage{fields: map[string]blameLine{}, born: seq}
		r.blame[entity] = page
	}
	for name, value := range fields {
		if was, ok := page.fields[name]; !ok || was.value != value {
			page.fields[name] = blameLine{value, seq}
		}
	}
	for name := range page.fields {
		if _, ok := fields[name]; !ok {
			delete(page.fields, name)
		}
	}
}

// flatten gives the fields of what is described, the keys of maps as fields.
func (r *run) flatten(object any) map[string]string {
	encoded, err := json.Marshal(object)
	fields, flat := map[string]json.RawMessage{}, map[string]string{}
	r.tb.ok(errors.Join(err, json.Unmarshal(encoded, &fields)))
	for name, value := range fields {
		keys := map[string]json.RawMessage{}
		if name == "config" || name == "attributes" {
			r.tb.ok(json.Unmarshal(value, &keys))
			for key, value := range keys {
				flat[name+"."+key] = string(value)
			}
			continue
		}
		flat[name] = string(value)
	}
	return flat
}

// blameStep compares blames with what was noted.
func (r *run) blameStep() {
	log := r.readLog()
	for _, entity := range sortedKeys(r.blame) {
		if r.oneIn(3, "blame") {
			r.compareBlame(log, entity, r.blame[entity])
		}
	}
}

func (r *run) compareBlame(log *eventLog, entity string, page *blamePage) {
	report, err := r.Blame(r.tb.Context(), entity, metalog.Point{})
	if errors.Is(err, metalog.ErrNotFound) && page.deleted != 0 && r.ownerBorn(entity) >= page.deleted {
		return // the one that it was a part of is gone, too, and a namesake has come
	}
	if err != nil {
		r.Fatalf("blame %s: %v; noted %+v", entity, err, page)
	}
	if report.Deleted == nil != (page.deleted == 0) || report.Deleted != nil && report.Deleted.Seq != page.deleted {
		r.Fatalf("blame %s: deleted by %+v, want seq %d", entity, report.Deleted, page.deleted)
	}
	if len(report.Fields) != len(page.fields) {
		r.Fatalf("blame %s: %d fields, want %d: %+v", entity, len(report.Fields), len(page.fields), page)
	}
	for _, f := range report.Fields {
		want, ok := page.fields[f.Field]
		switch {
		case strings.Contains(entity, "/offset/"):
			want.seq = r.number64(page.fields["revision"].value) // the last commit sets all
		case strings.Contains(entity, "/partition/") && f.Field == "high_watermark":
			want.seq = log.lastHigh(page, want.seq)
		case strings.Contains(entity, "/partition/") && f.Field == "revision" && f.Seq == r.number64(want.value):
			want.seq = f.Seq
		case f.Field == "scope":
			want.seq = f.Seq
		}
		if !ok || string(f.Value) != want.value || f.Seq != want.seq {
			r.Fatalf("blame %s: %s is %s by seq %d (%s), want %s by seq %d", entity, f.Field, f.Value, f.Seq, f.Type, want.value, want.seq)
		}
		i, ok := log.at[events.Position{Seq: f.Seq, Index: f.Index}]
		if !ok || log.all[i].Type != f.Type || log.all[i].Actor != f.Actor || log.all[i].Time != f.Time {
			r.Fatalf("blame %s: %s is by %+v, which is no such event", entity, f.Field, f.Blamed)
		}
		r.compareRoot(log, i, f)
	}
}

// compareRoot wants the event on top of the causes of the one that is blamed.
func (r *run) compareRoot(log *eventLog, i int, f metalog.BlameField) {
	root := i
	for above := log.parent(root); above >= 0; above = log.parent(root) {
		root = above
	}
	switch e := log.all[root]; {
	case root == i && f.Root != nil:
		r.Fatalf("%s goes back to %+v, want nothing", f.Field, f.Root)
	case root != i && (f.Root == nil || f.Root.Seq != e.Seq || f.Root.Index != e.Index || f.Root.Actor != e.Actor):
		r.Fatalf("%s goes back to %+v, want %+v", f.Field, f.Root, e)
	}
}

// ownerBorn is the seq that created what an entity is a part of.
func (r *run) ownerBorn(entity string) uint64 {
	parts := strings.Split(strings.TrimPrefix(entity, "config/"), "/")
	if len(parts) < 2 || r.blame[parts[0]+"/"+parts[1]] == nil {
		return 0
	}
	return r.blame[parts[0]+"/"+parts[1]].born
}

// lastHigh is the seq of the last high watermark of a partition.
func (l *eventLog) lastHigh(of *blamePage, otherwise uint64) uint64 {
	for i, e := range l.all {
		if p, ok := e.Payload.(*events.HighWatermarkAdvanced); ok &&
			fmt.Sprintf("%q", p.TopicID) == of.fields["topic_id"].value && fmt.Sprint(p.Partition) == of.fields["partition"].value {
			otherwise = l.all[i].Seq
		}
	}
	return otherwise
}

func (r *run) number64(text string) (n uint64) {
	r.tb.ok(json.Unmarshal([]byte(text), &n))
	return n
}
