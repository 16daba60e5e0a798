package replay

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/history"
)

// subject is what a history is of, namesakes found.
type subject struct {
	entity string // as it was asked for
	kind   subjectKind
	of     []history.Entity // whose events are looked through

	partition *int32
	segment   string
	offset    *offsetSubject
	txn       string // a transactional id
	scope     *events.EntityRef
	// also are types of which all events of the entities are wanted, though they are
	// not about the part of it that is asked for.
	also map[events.Type]bool

	// Events of a high rate, which are scanned for.
	high  events.Type // 0: none
	keys  []history.Key
	place func(events.Place) bool
}

type offsetSubject struct {
	topics    map[uuid.UUID]bool
	partition int32
}

type subjectKind string

const (
	ofTopic       subjectKind = "topic"
	ofPartition   subjectKind = "partition"
	ofSegment     subjectKind = "segment"
	ofGroup       subjectKind = "group"
	ofOffset      subjectKind = "offset"
	ofBroker      subjectKind = "broker"
	ofProducer    subjectKind = "producer"
	ofTransaction subjectKind = "transaction"
	ofConfig      subjectKind = "config"
	ofCluster     subjectKind = "cluster"
)

// subject finds what an entity's text means.
func (h Historian) subject(entity string) (*subject, error) {
	n, err := historyForms.parse(entity)
	if err != nil {
		return nil, err
	}
	s, err := h.find(n)
	if err != nil {
		return nil, err
	}
	s.entity = entity
	return s, nil
}

func (h Historian) find(n entityName) (*subject, error) {
	switch n.kind {
	case ofTopic, ofPartition, ofSegment:
		return h.topicSubject(n)
	case ofGroup:
		return h.groupSubject(n.id)
	case ofBroker, ofProducer:
		return h.numberSubject(n)
	case ofTransaction:
		of, err := h.Index.ProducersOf(n.id)
		if err == nil && len(of) == 0 {
			err = h.unknown("transaction", n.id)
		}
		return &subject{kind: ofTransaction, of: of, txn: n.id}, err
	case ofConfig:
		return h.configSubject(n.scope)
	default:
		return h.clusterSubject()
	}
}

// unknown is what is said of an entity that no event is about.
func (h Historian) unknown(kind, id string) error {
	if first := max(h.Log.First(), h.Index.First()); first > 1 {
		return events.Errorf(events.CodeNotFound, "%s %q: no event from seq %d on, where log and archive begin, is about it", kind, id, first)
	}
	return events.Errorf(events.CodeNotFound, "%s %q: there has never been one; check the name, or 'metalog events list' for what there is", kind, id)
}

// topics finds topics by name, or else one by id.
func (h Historian) topics(name string) ([]history.Entity, error) {
	of, err := h.Index.Named(events.KindTopic, name)
	if err != nil || len(of) > 0 {
		return of, err
	}
	if id, err := uuid.Parse(name); err == nil {
		e, found, err := h.Index.Entity(events.Identity{Kind: events.KindTopic, TopicID: id})
		if err != nil || found {
			return []history.Entity{e}, err
		}
	}
	return nil, h.unknown("topic", name)
}

// topicSubject is of a topic, or of a partition or segment of one.
func (h Historian) topicSubject(n entityName) (*subject, error) {
	s := &subject{kind: n.kind, segment: n.segment, high: events.TypeHighWatermarkAdvanced}
	switch n.kind {
	case ofPartition:
		s.partition = &n.partition
	case ofSegment:
		s.high = 0
	}
	var err error
	if s.of, err = h.topics(n.id); err != nil {
		return nil, err
	}
	topics := idsOf(s.of)
	s.place = func(at events.Place) bool {
		return topics[at.TopicID] && (s.partition == nil || at.Partition == *s.partition)
	}
	for id := range topics {
		if s.partition != nil {
			s.keys = append(s.keys, history.PartitionKey(id, *s.partition))
		} else {
			s.keys = append(s.keys, history.TopicKey(id))
		}
	}
	return s, nil
}

func idsOf(topics []history.Entity) map[uuid.UUID]bool {
	ids := map[uuid.UUID]bool{}
	for _, e := range topics {
		ids[e.TopicID] = true
	}
	return ids
}

// groups finds groups by id, or else one by its number.
func (h Historian) groups(id string) ([]history.Entity, error) {
	of, err := h.Index.Named(events.KindGroup, id)
	if err != nil || len(of) > 0 {
		return of, err
	}
	if number, ok := strings.CutPrefix(id, "#"); ok {
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			e, found, err := h.Index.Entity(events.Identity{Kind: events.KindGroup, Number: n})
			if err != nil || found {
				return []history.Entity{e}, err
			}
		}
	}
	return nil, h.unknown("group", id)
}

// groupSubject reads ID, #NUMBER or ID/offset/TOPIC/N.
func (h Historian) groupSubject(rest string) (*subject, error) {
	of, err := h.groups(rest)
	if err == nil {
		s := &subject{kind: ofGroup, of: of, high: events.TypeOffsetCommitted}
		numbers := numbersOf(of)
		s.place = func(at events.Place) bool { return numbers[at.GroupID] }
		for n := range numbers {
			s.keys = append(s.keys, history.GroupKey(n))
		}
		return s, nil
	}
	group, topic, partition, ok := splitOffset(rest)
	if !ok || events.CodeOf(err) != events.CodeNotFound {
		return nil, err
	}
	if of, err = h.groups(group); err != nil {
		return nil, err
	}
	topics, err := h.topics(topic)
	if err != nil {
		return nil, err
	}
	return offsetsSubject(of, topics, partition), nil
}

func offsetsSubject(groups, topics []history.Entity, partition int32) *subject {
	o := &offsetSubject{topics: idsOf(topics), partition: partition}
	s := &subject{kind: ofOffset, of: groups, high: events.TypeOffsetCommitted, offset: o}
	numbers := numbersOf(groups)
	s.place = func(at events.Place) bool {
		return numbers[at.GroupID] && o.topics[at.TopicID] && at.Partition == partition
	}
	for n := range numbers {
		for id := range o.topics {
			s.keys = append(s.keys, history.OffsetKey(n, id, partition))
		}
	}
	return s
}

func numbersOf(groups []history.Entity) map[uint64]bool {
	numbers := map[uint64]bool{}
	for _, e := range groups {
		numbers[uint64(e.Number)] = true
	}
	return numbers
}

// numberSubject is of a broker or producer.
func (h Historian) numberSubject(n entityName) (*subject, error) {
	e, found, err := h.Index.Entity(events.Identity{Kind: events.EntityKind(n.kind), Number: n.number})
	if err == nil && !found {
		err = h.unknown(string(n.kind), n.id)
	}
	return &subject{kind: n.kind, of: []history.Entity{e}}, err
}

func (h Historian) clusterSubject() (*subject, error) {
	e, _, err := h.Index.Entity(events.Identity{Kind: events.KindCluster})
	e.Kind = events.KindCluster
	return &subject{kind: ofCluster, of: []history.Entity{e}}, err
}

// configSubject is of the config of cluster, topic/NAME, broker/ID or group/ID.
func (h Historian) configSubject(scope events.EntityRef) (s *subject, err error) {
	if scope.Kind == events.KindGroup {
		s = new(subject)
		s.of, err = h.groups(scope.ID)
	} else {
		s, err = h.subject(scope.String())
	}
	if err != nil {
		return nil, err
	}
	return &subject{kind: ofConfig, of: s.of, scope: &scope}, nil
}

// setsConfig are the types of events that a config comes from.
var setsConfig = map[events.Type]bool{
	events.TypeConfigSet: true, events.TypeConfigDeleted: true,
	events.TypeTopicCreated: true, events.TypeTopicUpdated: true,
}

// may reports whether an event of the entity, as far as the index tells, is of the
// subject.
func (s *subject) may(hit *history.Hit) bool {
	if s.also[hit.Type] {
		return true
	}
	switch s.kind {
	case ofPartition:
		return hit.Partition == *s.partition
	case ofSegment:
		return hit.Segment == history.SegmentHint(s.segment) || hit.Segment == history.AnySegment
	case ofOffset:
		return !configTypes[hit.Type]
	case ofConfig:
		return setsConfig[hit.Type]
	}
	return true
}

var configTypes = map[events.Type]bool{events.TypeConfigSet: true, events.TypeConfigDeleted: true}

// has reports whether an event of the entity is of the subject.
func (s *subject) has(event events.Event) bool {
	if s.also[event.Type()] {
		return true
	}
	switch s.kind {
	case ofPartition:
		e, ok := event.(interface{ Ref() events.PartitionRef })
		return ok && e.Ref().Partition == *s.partition
	case ofSegment:
		return concernsSegment(event, s.segment)
	case ofOffset:
		e, ok := event.(interface{ Ref() events.OffsetRef })
		return ok && e.Ref().Partition == s.offset.partition && s.offset.topics[e.Ref().TopicID]
	case ofTransaction:
		e, ok := event.(interface{ Ref() events.TransactionRef })
		return ok && e.Ref().TransactionalID == s.txn
	case ofConfig:
		return setsConfig[event.Type()]
	}
	return true
}

// owns reports whether an event is of one of the subject's entities.
func (s *subject) owns(event events.Event) bool {
	identified, ok := event.(events.Identified)
	if !ok {
		return false
	}
	return slices.ContainsFunc(s.of, func(e history.Entity) bool { return e.Identity == identified.Identity() })
}

func concernsSegment(event events.Event, id string) bool {
	switch e := event.(type) {
	case *events.SegmentAdded:
		return e.ID == id
	case *events.SegmentRemoved:
		return e.ID == id
	case *events.SegmentsCompacted:
		return slices.Contains(e.Removed, id) || slices.ContainsFunc(e.Added, func(s events.SegmentInfo) bool { return s.ID == id })
	}
	return false
}
