package views

import (
	"encoding/binary"
	"iter"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// offsetFixed is the size of an offset's row without its metadata.
const offsetFixed = 28

func offsetKey(group uint64, topic uuid.UUID, p int32) key {
	return bucketOffsets.key().uint64(group).partition(topic, p)
}

func offsetOfTopicKey(topic uuid.UUID, group uint64, p int32) key {
	return bucketOffsetsByTopic.key().uuid(topic).uint64(group).int32(p)
}

func encodeOffset(info events.OffsetInfo, committed events.Time, revision uint64) []byte {
	value := binary.BigEndian.AppendUint64(make([]byte, 0, offsetFixed+len(info.Metadata)), uint64(info.Offset))
	value = binary.BigEndian.AppendUint32(value, uint32(info.LeaderEpoch))
	value = binary.BigEndian.AppendUint64(value, uint64(committed))
	value = binary.BigEndian.AppendUint64(value, revision)
	return append(value, info.Metadata...)
}

func decodeOffset(ref events.OffsetRef, value []byte) (events.Offset, error) {
	if len(value) < offsetFixed {
		return events.Offset{}, errBadRow(bucketOffsets)
	}
	return events.Offset{
		OffsetRef: ref,
		OffsetInfo: events.OffsetInfo{
			Offset:      int64(binary.BigEndian.Uint64(value)),
			LeaderEpoch: int32(binary.BigEndian.Uint32(value[8:])),
			Metadata:    string(value[offsetFixed:]),
		},
		CommittedAt: events.Time(binary.BigEndian.Uint64(value[12:])),
		Revision:    binary.BigEndian.Uint64(value[20:]),
	}, nil
}

// Offset returns the committed position of a group in a partition.
func (r *Reader) Offset(group, topic string, p int32) (events.Offset, error) {
	if offset, found, err := r.committed(group, topic, p); found || err != nil {
		return offset, err
	}
	if _, err := r.Group(group); err != nil {
		return events.Offset{}, err
	}
	if _, err := r.TopicRow(topic); err != nil {
		return events.Offset{}, err
	}
	return events.Offset{}, events.Errorf(events.CodeNotFound, "offset of group %q in topic %q, partition %d: none committed; 'metalog offset list %s' shows its offsets", group, topic, p, group)
}

// committed returns the committed position of a group in a partition, and whether
// there is one. It finds their ids by their names, and decodes neither.
func (r *Reader) committed(group, topic string, p int32) (events.Offset, bool, error) {
	number, found, err := r.get(groupNameKey(group))
	if err != nil || !found {
		return events.Offset{}, false, err
	}
	if len(number) != 8 {
		return events.Offset{}, false, errBadRow(bucketGroupsByName)
	}
	id, found, err := r.TopicID(topic)
	if err != nil || !found {
		return events.Offset{}, false, err
	}
	ref := events.OffsetRef{Group: group, GroupID: binary.BigEndian.Uint64(number), Topic: topic, TopicID: id, Partition: p}
	value, found, err := r.get(offsetKey(ref.GroupID, ref.TopicID, p))
	if err != nil || !found {
		return events.Offset{}, false, err
	}
	offset, err := decodeOffset(ref, value)
	return offset, true, err
}

// OffsetOf returns the committed position that ref names by its ids, and whether
// there is one: a group or topic that is gone has none.
func (r *Reader) OffsetOf(ref events.OffsetRef) (events.Offset, bool, error) {
	if ok, err := r.HasGroup(ref.GroupID); err != nil || !ok {
		return events.Offset{}, false, err
	}
	if ok, err := r.HasTopic(ref.TopicID); err != nil || !ok {
		return events.Offset{}, false, err
	}
	value, found, err := r.get(offsetKey(ref.GroupID, ref.TopicID, ref.Partition))
	if err != nil || !found {
		return events.Offset{}, false, err
	}
	offset, err := decodeOffset(ref, value)
	return offset, true, err
}

// Offsets yields the committed positions of a group in order of topic id and
// partition.
func (r *Reader) Offsets(group events.Group) iter.Seq2[events.Offset, error] {
	return r.offsetsOf(group.GroupID, onlyReachable)
}

// AllOffsetsOfGroup is Offsets, of a group that is being purged too, and those
// in topics that are being purged.
func (r *Reader) AllOffsetsOfGroup(number uint64) iter.Seq2[events.Offset, error] {
	return r.offsetsOf(number, withPurged)
}

// OffsetsOfTopic yields the committed positions of all groups in a topic, in
// order of group number and partition.
func (r *Reader) OffsetsOfTopic(topic events.Topic) iter.Seq2[events.Offset, error] {
	return r.offsetsIn(topic.ID, onlyReachable)
}

// AllOffsetsOfTopic is OffsetsOfTopic, of a topic that is being purged too, and
// those of groups that are being purged.
func (r *Reader) AllOffsetsOfTopic(id uuid.UUID) iter.Seq2[events.Offset, error] {
	return r.offsetsIn(id, withPurged)
}

// reach tells whether a scan shows rows that wait to be purged.
type reach bool

const (
	onlyReachable reach = false
	withPurged    reach = true
)

func (r *Reader) offsetsOf(group uint64, reach reach) iter.Seq2[events.Offset, error] {
	n := names{r: r}
	return collect(r.scan(bucketOffsets.key().uint64(group)), func(e entry) (events.Offset, bool, error) {
		parts := keyParts{rest: e.key}
		ref := events.OffsetRef{GroupID: parts.uint64(), TopicID: parts.uuid(), Partition: parts.int32()}
		if err := parts.end(bucketOffsets); err != nil {
			return events.Offset{}, false, err
		}
		ok, err := n.offsetRef(&ref, reach)
		if err != nil || !ok {
			return events.Offset{}, false, err
		}
		offset, err := decodeOffset(ref, e.value)
		return offset, true, err
	})
}

func (r *Reader) offsetsIn(topic uuid.UUID, reach reach) iter.Seq2[events.Offset, error] {
	n := names{r: r}
	return collect(r.scan(bucketOffsetsByTopic.key().uuid(topic)), func(e entry) (events.Offset, bool, error) {
		parts := keyParts{rest: e.key}
		ref := events.OffsetRef{TopicID: parts.uuid(), GroupID: parts.uint64(), Partition: parts.int32()}
		if err := parts.end(bucketOffsetsByTopic); err != nil {
			return events.Offset{}, false, err
		}
		ok, err := n.offsetRef(&ref, reach)
		if err != nil || !ok {
			return events.Offset{}, false, err
		}
		value, found, err := r.get(offsetKey(ref.GroupID, ref.TopicID, ref.Partition))
		if err == nil && !found {
			err = errBrokenIndex(bucketOffsetsByTopic)
		}
		if err != nil {
			return events.Offset{}, false, err
		}
		offset, err := decodeOffset(ref, value)
		return offset, true, err
	})
}

// offsetRef sets the names in ref and reports whether the scan shows it.
func (n *names) offsetRef(ref *events.OffsetRef, reach reach) (bool, error) {
	var groupThere, topicThere bool
	var err error
	if ref.Group, groupThere, err = n.groupName(ref.GroupID); err != nil {
		return false, err
	}
	if ref.Topic, topicThere, err = n.topicName(ref.TopicID); err != nil {
		return false, err
	}
	return reach == withPurged || groupThere && topicThere, nil
}

// PutOffset sets a group's position in a partition.
func (tx *Tx) PutOffset(ref events.OffsetRef, info events.OffsetInfo, committed events.Time, revision uint64) error {
	existed, err := tx.replace(offsetKey(ref.GroupID, ref.TopicID, ref.Partition), encodeOffset(info, committed, revision))
	if err != nil || existed {
		return err
	}
	return tx.put(offsetOfTopicKey(ref.TopicID, ref.GroupID, ref.Partition), nil)
}

// DeleteOffset removes a group's position in a partition.
func (tx *Tx) DeleteOffset(group uint64, topic uuid.UUID, p int32) error {
	if err := tx.remove(offsetOfTopicKey(topic, group, p)); err != nil {
		return err
	}
	return tx.remove(offsetKey(group, topic, p))
}
