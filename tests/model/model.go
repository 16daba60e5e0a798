package model

import (
	"maps"
	"slices"

	"github.com/metalog/metalog/events"
)

// model is the state that a store should have: maps, and no log. Children hang on
// the pointer to their owner, so what is deleted takes them along by itself.
type model struct {
	topics map[string]*topic
	groups map[string]*group
	txns   map[string]*txn
	nextID int64 // producer id
}

type topic struct {
	partitions int32
	config     events.Config
	segments   map[string]span
	high       map[int32]int64
	start      map[int32]int64
}

type span struct {
	partition  int32
	start, end int64
}

type position struct {
	topic     *topic
	partition int32
}

type group struct {
	offsets map[position]int64
}

type pendingPosition struct {
	group *group
	position
}

type txn struct {
	producer int64
	epoch    int16
	state    events.TransactionState
	groups   map[*group]bool
	pending  map[pendingPosition]int64
}

func newModel() *model {
	return &model{topics: map[string]*topic{}, groups: map[string]*group{}, txns: map[string]*txn{}}
}

func (m *model) createTopic(name string, partitions int32) {
	m.topics[name] = &topic{
		partitions: partitions, config: events.Config{}, segments: map[string]span{}, high: map[int32]int64{}, start: map[int32]int64{},
	}
}

func (m *model) deleteTopic(name string) {
	gone := m.topics[name]
	delete(m.topics, name)
	for _, g := range m.groups {
		maps.DeleteFunc(g.offsets, func(p position, _ int64) bool { return p.topic == gone })
	}
	for _, t := range m.txns {
		maps.DeleteFunc(t.pending, func(p pendingPosition, _ int64) bool { return p.topic == gone })
	}
}

func (m *model) deleteGroup(id string) {
	gone := m.groups[id]
	delete(m.groups, id)
	for _, t := range m.txns {
		delete(t.groups, gone)
		maps.DeleteFunc(t.pending, func(p pendingPosition, _ int64) bool { return p.group == gone })
	}
}

// advance moves both marks of a partition, and drops the segments below.
func (t *topic) advance(p int32, to int64) {
	t.high[p], t.start[p] = to, to
	maps.DeleteFunc(t.segments, func(_ string, s span) bool { return s.partition == p && s.end < to })
}

// end ends a transaction; a commit makes its pending offsets the groups' own.
func (t *txn) end(state events.TransactionState) {
	if state == events.TransactionCompleteCommit {
		for p, offset := range t.pending {
			p.group.offsets[p.position] = offset
		}
	}
	t.state = state
	clear(t.groups)
	clear(t.pending)
}

func (m *model) topicName(t *topic) string {
	for name, other := range m.topics {
		if other == t {
			return name
		}
	}
	return ""
}

func sortedKeys[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }
