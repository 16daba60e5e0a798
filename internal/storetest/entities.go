package storetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// Entity is one entity as the lists of a [metalog.Reader] have it.
type Entity struct {
	Noun     string
	TopicID  string // of the topic that it is or belongs to; empty: none
	GroupID  string
	Revision uint64
	Fields   map[string]string // JSON by name; those in objects and lists one by one
}

// Entities lists all that a reader shows, by the names that differences have. It
// goes through the reader's lists and their JSON alone.
func Entities(tb testing.TB, r metalog.Reader) map[string]Entity {
	tb.Helper()
	l := lister{TB: tb, entities: map[string]Entity{}}
	l.cluster(r)
	brokers, err := metalog.Collect(r.ListBrokers(tb.Context()))
	l.ok(err)
	for _, b := range brokers {
		l.add("broker", fmt.Sprintf("broker/%d", b.ID), b, "id")
	}
	topics, err := metalog.Collect(r.ListTopics(tb.Context()))
	l.ok(err)
	for _, t := range topics {
		l.topic(r, t)
	}
	groups, err := metalog.Collect(r.ListGroups(tb.Context()))
	l.ok(err)
	for _, g := range groups {
		l.group(r, g)
	}
	l.configs(r)
	transactions, err := metalog.Collect(r.ListTransactions(tb.Context()))
	l.ok(err)
	for _, t := range transactions {
		l.add("transaction", "transaction/"+t.TransactionalID, t, "transactional_id")
	}
	return l.entities
}

type lister struct {
	testing.TB
	entities map[string]Entity
}

func (l lister) ok(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l lister) cluster(r metalog.Reader) {
	info, err := r.Info(l.Context())
	l.ok(err)
	l.entities["cluster"] = Entity{Noun: "cluster", Fields: map[string]string{
		"epoch":              fmt.Sprint(info.Epoch),
		"next_producer_id":   fmt.Sprint(info.NextProducerID),
		"system_initialized": "false",
	}}
}

func (l lister) topic(r metalog.Reader, t events.Topic) {
	name := "topic/" + t.Name
	l.add("topic", name, t, "name", "id")
	l.own(name, t.ID.String(), "")
	if t.Internal {
		l.entities["cluster"].Fields["system_initialized"] = "true"
	}
	partitions, err := metalog.Collect(r.ListPartitions(l.Context(), t.Name))
	l.ok(err)
	for _, p := range partitions {
		below := fmt.Sprintf("%s/partition/%d", name, p.Partition)
		l.add("partition", below, p, "topic", "topic_id", "partition")
		l.own(below, t.ID.String(), "")
	}
	segments, err := metalog.Collect(r.ListSegments(l.Context(), t.Name, metalog.AllPartitions))
	l.ok(err)
	for _, s := range segments {
		below := name + "/segment/" + s.ID
		l.add("segment", below, s, "topic", "topic_id", "id")
		l.own(below, t.ID.String(), "")
	}
}

func (l lister) group(r metalog.Reader, g events.Group) {
	name := "group/" + g.ID
	l.add("group", name, g, "id", "group_id")
	l.own(name, "", fmt.Sprint(g.GroupID))
	offsets, err := metalog.Collect(r.ListOffsets(l.Context(), g.ID))
	l.ok(err)
	for _, o := range offsets {
		below := fmt.Sprintf("%s/offset/%s/%d", name, o.Topic, o.Partition)
		l.add("offset", below, o, "group", "group_id", "topic", "topic_id", "partition")
		l.own(below, o.TopicID.String(), fmt.Sprint(o.GroupID))
	}
}

// configs adds those that no entity has in it already.
func (l lister) configs(r metalog.Reader) {
	configs, err := metalog.Collect(r.ListConfigs(l.Context()))
	l.ok(err)
	for _, c := range configs {
		e := l.entities[c.Scope.String()]
		for key, value := range c.Config {
			e.Fields["config."+key] = l.json(value)
		}
		e.Revision = max(e.Revision, c.Revision)
		l.entities[c.Scope.String()] = e
	}
}

func (l lister) own(name, topicID, groupID string) {
	e := l.entities[name]
	e.TopicID, e.GroupID = topicID, groupID
	l.entities[name] = e
}

// add adds an entity whose name has the fields that are left out.
func (l lister) add(noun, name string, v any, leftOut ...string) {
	var object map[string]json.RawMessage
	l.ok(json.Unmarshal([]byte(l.json(v)), &object))
	e := Entity{Noun: noun, Fields: map[string]string{}}
	l.ok(json.Unmarshal(object["revision"], &e.Revision))
	leftOut = append(leftOut, "revision", "updated_at")
	for field, value := range object {
		if !slices.Contains(leftOut, field) {
			l.flatten(e.Fields, field, value)
		}
	}
	l.entities[name] = e
}

func (l lister) flatten(fields map[string]string, name string, value json.RawMessage) {
	switch name {
	case "config", "attributes":
		var object map[string]json.RawMessage
		l.ok(json.Unmarshal(value, &object))
		for key, value := range object {
			fields[name+"."+key] = string(value)
		}
	case "members", "endpoints", "pending_offsets":
		l.flattenList(fields, name, value)
	case "partitions":
		if value[0] == '[' {
			l.flattenList(fields, name, value)
			return
		}
		fallthrough // how many a topic has
	default:
		fields[name] = string(value)
	}
}

func (l lister) flattenList(fields map[string]string, name string, value json.RawMessage) {
	var list []json.RawMessage
	l.ok(json.Unmarshal(value, &list))
	for _, element := range list {
		var of struct {
			ID, Name, Group, Topic string
			Partition              int32
		}
		l.ok(json.Unmarshal(element, &of))
		switch name {
		case "members":
			name += "." + of.ID
		case "endpoints":
			name += "." + of.Name
		case "partitions":
			name += fmt.Sprintf(".%s/%d", of.Topic, of.Partition)
		case "pending_offsets":
			name += fmt.Sprintf(".%s/%s/%d", of.Group, of.Topic, of.Partition)
		}
		fields[name] = string(element)
		name, _, _ = strings.Cut(name, ".")
	}
}

func (l lister) json(v any) string {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	l.ok(enc.Encode(v))
	return strings.TrimSpace(line.String())
}

// Differences compares two lists of entities, and describes each difference in a
// line, sorted: what [DescribeDifference] makes of the store's own.
func Differences(before, after map[string]Entity) []string {
	var lines []string
	for name, b := range before {
		a, both := after[name]
		if both = both && a.TopicID == b.TopicID && a.GroupID == b.GroupID; !both {
			lines = append(lines, describe("removed", name, b, b.Fields, nil)...)
		} else if fields := changedFields(b.Fields, a.Fields); len(fields) > 0 {
			lines = append(lines, fmt.Sprintf("changed %s %s %s%s: %s", b.Noun, name, b.TopicID, b.GroupID, strings.Join(fields, " ")))
		}
	}
	for name, a := range after {
		if b, both := before[name]; !both || a.TopicID != b.TopicID || a.GroupID != b.GroupID {
			lines = append(lines, describe("added", name, a, nil, a.Fields)...)
		}
	}
	slices.Sort(lines)
	return lines
}

// describe leaves out partitions of which nothing is known.
func describe(kind, name string, e Entity, before, after map[string]string) []string {
	if e.Noun == "partition" && e.Revision == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s %s %s %s%s: %s", kind, e.Noun, name, e.TopicID, e.GroupID, strings.Join(changedFields(before, after), " "))}
}

func changedFields(before, after map[string]string) []string {
	var changed []string
	all := maps.Clone(after)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, before)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if before[name] != after[name] {
			changed = append(changed, name+"="+before[name]+">"+after[name])
		}
	}
	return changed
}

// DescribeDifference describes a difference as [Differences] does.
func DescribeDifference(d metalog.Difference) string {
	var fields []string
	for _, f := range d.Fields {
		fields = append(fields, f.Name+"="+string(f.Before)+">"+string(f.After))
	}
	slices.Sort(fields)
	ids := ""
	if d.TopicID != [16]byte{} {
		ids = d.TopicID.String()
	}
	if d.GroupID != 0 {
		ids += fmt.Sprint(d.GroupID)
	}
	return fmt.Sprintf("%s %s %s %s: %s", d.Kind, d.Noun, d.Entity, ids, strings.Join(fields, " "))
}
