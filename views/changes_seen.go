package views

import (
	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// load reads the entity of a change in both views, where rows are what they have
// under its place. It leaves out what reads of neither show, and partitions of
// which neither knows anything.
func (c *comparison) load(change *Change, rows pair) (err error) {
	id := change.Place[1:]
	if change.Before, err = c.before.entity(change.Noun, id, rows.a); err != nil {
		return err
	}
	if change.After, err = c.after.entity(change.Noun, id, rows.b); err != nil {
		return err
	}
	if change.Noun == NounPartition && isBlank(change.Before) && isBlank(change.After) {
		change.Before, change.After = nil, nil
	}
	return nil
}

func isBlank(partition any) bool {
	p, ok := partition.(events.Partition)
	return !ok || p.Revision == 0
}

// seen reads entities of one view as its reads show them. Rows come in order of
// what they hang on, so the last owners are kept.
type seen struct {
	r       *Reader
	topic   *events.Topic
	group   *events.Group
	brokers map[int32]events.Broker
}

// entity returns the entity that a place, without its family, is of; nil if it is
// not to be seen. An entity that is made of one row is taken from that row; others
// are looked up.
func (s *seen) entity(noun Noun, id, row []byte) (any, error) {
	parts := keyParts{rest: id}
	switch noun {
	case NounCluster:
		return s.r.clusterEntity()
	case NounBroker:
		return s.brokerEntity(parts.int32())
	case NounTopic:
		topic, err := s.topicOf(parts.uuid())
		return orNil(topic, err)
	case NounSegment:
		topic, err := s.topicOf(parts.uuid())
		if err != nil || topic == nil || row == nil {
			return nil, err
		}
		return s.segment(row)
	case NounPartition:
		topic, err := s.topicOf(parts.uuid())
		if parts.take(1); err != nil || topic == nil {
			return nil, err
		}
		return s.partition(*topic, parts.int32())
	case NounGroup:
		return s.groupEntity(parts.uint64())
	case NounOffset:
		group, err := s.groupOf(parts.uint64())
		if parts.take(1); err != nil || group == nil {
			return nil, err
		}
		return s.offset(group.GroupRef, parts.uuid(), parts.int32(), row)
	default: // NounTransaction
		return s.transaction(row)
	}
}

// orNil makes an entity of what may be nil.
func orNil[T any](entity *T, err error) (any, error) {
	if err != nil || entity == nil {
		return nil, err
	}
	return *entity, nil
}

func (r *Reader) clusterEntity() (any, error) {
	epoch, err := r.Log()
	if err != nil {
		return nil, err
	}
	config, _, err := load[configRow](r, configKey(scopeCluster))
	if err != nil {
		return nil, err
	}
	c := ClusterEntity{Epoch: epoch.Epoch, Config: config.Config, Revision: config.Revision}
	if c.SystemInitialized, err = r.SystemInitialized(); err != nil {
		return nil, err
	}
	c.NextProducerID, err = r.NextProducerID()
	return c, err
}

func (s *seen) brokerEntity(id int32) (any, error) {
	broker, found, err := s.r.brokerRow(id)
	if err != nil || !found {
		return nil, err
	}
	config, _, err := load[configRow](s.r, configKey(scopeBroker).int32(id))
	broker.Revision = max(broker.Revision, config.Revision)
	return BrokerEntity{broker, config.Config}, err
}

// topicOf returns a topic with its config, nil if it is gone.
func (s *seen) topicOf(id uuid.UUID) (*events.Topic, error) {
	if s.topic != nil && s.topic.ID == id {
		return s.topic, nil
	}
	topic, found, err := load[events.Topic](s.r, topicKey(id))
	if err != nil || !found {
		return nil, err
	}
	topic, err = s.r.withConfig(topic)
	s.topic = &topic
	return s.topic, err
}

func (s *seen) partition(topic events.Topic, p int32) (any, error) {
	if p >= topic.Partitions {
		return nil, nil
	}
	return s.r.partition(topic, p, s.leaderOf)
}

// leaderOf is Reader.EffectiveLeader with brokers that are kept.
func (s *seen) leaderOf(a events.Assignment) (int32, error) {
	if s.brokers == nil {
		s.brokers = map[int32]events.Broker{}
		for b, err := range s.r.Brokers() {
			if err != nil {
				return events.NoLeader, err
			}
			s.brokers[b.ID] = b
		}
	}
	if leader, ok := s.brokers[a.Leader]; ok && leads(leader, a) {
		return a.Leader, nil
	}
	return events.NoLeader, nil
}

// segment decodes a segment's row.
func (s *seen) segment(row []byte) (any, error) {
	var segment events.Segment
	if err := decodeRow(bucketSegments, row, &segment); err != nil {
		return nil, err
	}
	if s.r.at.Counts[bucketCascades] == 0 {
		return segment, nil // nothing lies below the log start offset
	}
	marks, err := s.r.watermarksRow(segment.TopicID, segment.Partition)
	if err != nil || segment.EndOffset < marks.LogStartOffset {
		return nil, err
	}
	return segment, nil
}

// groupOf returns a group, nil if it is gone.
func (s *seen) groupOf(number uint64) (*events.Group, error) {
	if s.group != nil && s.group.GroupID == number {
		return s.group, nil
	}
	group, found, err := s.r.groupRow(number)
	if err != nil || !found {
		return nil, err
	}
	s.group = &group
	return s.group, nil
}

func (s *seen) groupEntity(number uint64) (any, error) {
	group, err := s.groupOf(number)
	if err != nil || group == nil {
		return nil, err
	}
	config, _, err := load[configRow](s.r, configKey(scopeGroup).uint64(number))
	g := GroupEntity{*group, config.Config}
	g.Revision = max(group.Revision, config.Revision)
	return g, err
}

// offset decodes an offset's row, nil if there is none.
func (s *seen) offset(group events.GroupRef, topicID uuid.UUID, p int32, row []byte) (any, error) {
	if row == nil {
		return nil, nil
	}
	topic, err := s.topicOf(topicID)
	if err != nil || topic == nil {
		return nil, err
	}
	return decodeOffset(events.OffsetRef{Group: group.ID, GroupID: group.GroupID, Topic: topic.Name, TopicID: topicID, Partition: p}, row)
}

// transaction decodes a transaction's row, nil if there is none, and reads what
// hangs on it.
func (s *seen) transaction(row []byte) (any, error) {
	if row == nil {
		return nil, nil
	}
	var txn events.Transaction
	if err := decodeRow(bucketTransactions, row, &txn); err != nil {
		return nil, err
	}
	if !txn.State.Open() { // nothing hangs on it any more
		txn.Partitions, txn.Groups, txn.Pending = []events.PartitionRef{}, []string{}, []events.PendingOffset{}
		return txn, nil
	}
	return s.r.withChildren(txn)
}
