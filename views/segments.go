package views

import (
	"encoding/binary"
	"iter"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

func segmentKey(topic uuid.UUID, id string) key {
	return bucketSegments.key().uuid(topic).string(id)
}

// segmentOffsetKey is that of the index by offset. Its value is the segment's
// end offset, 8 bytes.
func segmentOffsetKey(s events.Segment) key {
	return segmentKindKey(s.TopicID, s.Partition, s.Kind).int64(s.StartOffset).string(s.ID)
}

func segmentKindKey(topic uuid.UUID, p int32, kind events.SegmentKind) key {
	return bucketSegmentsByOffset.key().partition(topic, p).byte(segmentKindOrder(kind))
}

// segmentKindOrder is how the kinds of a partition's segments are sorted.
func segmentKindOrder(kind events.SegmentKind) byte {
	switch kind {
	case events.SegmentLog:
		return 1
	case events.SegmentIndex:
		return 2
	case events.SegmentColumnar:
		return 3
	default:
		return 255
	}
}

// offsetEntry is a decoded row of the index by offset.
type offsetEntry struct {
	topic      uuid.UUID
	partition  int32
	start, end int64
	id         string
}

func parseOffsetEntry(e entry) (o offsetEntry, err error) {
	parts := keyParts{rest: e.key}
	o.topic, o.partition = parts.uuid(), parts.int32()
	parts.take(1)
	o.start, o.id = parts.int64(), parts.string()
	if parts.bad || len(e.value) != 8 {
		return o, events.Errorf(events.CodeCorrupt, "views: a row of %s can't be read; rebuild the views", bucketSegmentsByOffset)
	}
	o.end = int64(binary.BigEndian.Uint64(e.value))
	return o, nil
}

// Segment returns a segment of a topic.
func (r *Reader) Segment(topic uuid.UUID, id string) (events.Segment, error) {
	owner, err := r.topicRow(topic)
	if err != nil {
		return events.Segment{}, err
	}
	segment, found, err := r.segmentRow(topic, id)
	if err == nil && !found {
		err = events.Errorf(events.CodeNotFound, "segment %q of topic %q: not found; 'metalog segment list %s' shows its segments", id, owner.Name, owner.Name)
	}
	return segment, err
}

func (r *Reader) segmentRow(topic uuid.UUID, id string) (events.Segment, bool, error) {
	return load[events.Segment](r, segmentKey(topic, id))
}

// AllPartitions asks [Reader.Segments] for the segments of all partitions.
const AllPartitions int32 = -1

// Segments yields the segments of a topic's partition, or of all its partitions
// with [AllPartitions], in order of partition, kind (log first) and start
// offset. Segments that lie wholly below the log start offset are left out.
func (r *Reader) Segments(topic uuid.UUID, partition int32) iter.Seq2[events.Segment, error] {
	logStart := r.logStarts(topic)
	return collect(r.offsetEntries(topic, partition), func(o offsetEntry) (segment events.Segment, ok bool, err error) {
		low, err := logStart(o.partition)
		if err != nil || o.end < low {
			return segment, false, err
		}
		segment, err = r.indexedSegment(o)
		return segment, true, err
	})
}

// logStarts returns a function that tells a partition's log start offset, and
// reads each only once when they are asked for in order of partition.
func (r *Reader) logStarts(topic uuid.UUID) func(int32) (int64, error) {
	last, offset := AllPartitions, int64(0)
	return func(p int32) (int64, error) {
		if p == last {
			return offset, nil
		}
		w, err := r.watermarksRow(topic, p)
		last, offset = p, w.LogStartOffset
		return offset, err
	}
}

// offsetEntries yields the index of a reachable topic.
func (r *Reader) offsetEntries(topic uuid.UUID, partition int32) iter.Seq2[offsetEntry, error] {
	prefix := bucketSegmentsByOffset.key().uuid(topic)
	if partition != AllPartitions {
		prefix = prefix.int32(partition)
	}
	return ifReachable(r, topic, collect(r.scan(prefix), func(e entry) (offsetEntry, bool, error) {
		o, err := parseOffsetEntry(e)
		return o, true, err
	}))
}

// indexedSegment returns the segment of an index row, which must be there.
func (r *Reader) indexedSegment(o offsetEntry) (events.Segment, error) {
	segment, found, err := r.segmentRow(o.topic, o.id)
	if err == nil && !found {
		err = errBrokenIndex(bucketSegmentsByOffset)
	}
	return segment, err
}

// FindSegment returns the segment of that kind that holds an offset: of several
// the one with the greatest start offset. An offset below the log start offset
// is events.ErrOutOfRange. It is one seek, unless ranges overlap or none holds
// the offset: then the partition's index is walked back from there.
func (r *Reader) FindSegment(topic uuid.UUID, partition int32, kind events.SegmentKind, offset int64) (events.Segment, error) {
	there, err := r.reachable(topic)
	if err == nil && !there {
		err = errNoTopicID(topic)
	}
	if err != nil {
		return events.Segment{}, err
	}
	segment, found, err := r.segmentAt(topic, partition, kind, offset)
	if found || err != nil {
		return segment, err
	}
	owner, err := r.topicRow(topic)
	if err != nil {
		return events.Segment{}, err
	}
	w, err := r.watermarksRow(topic, partition)
	if err != nil {
		return events.Segment{}, err
	}
	if offset < w.LogStartOffset {
		return events.Segment{}, events.Errorf(events.CodeOutOfRange, "offset %d of topic %q, partition %d: below the log start offset %d; read from there", offset, owner.Name, partition, w.LogStartOffset)
	}
	return events.Segment{}, events.Errorf(events.CodeNotFound, "offset %d of topic %q, partition %d: no %s segment holds it; 'metalog segment list %s --partition %d' shows what is there", offset, owner.Name, partition, kind, owner.Name, partition)
}

// segmentAt returns the segment that FindSegment does, and whether there is one. The
// topic must be reachable.
func (r *Reader) segmentAt(topic uuid.UUID, partition int32, kind events.SegmentKind, offset int64) (segment events.Segment, found bool, err error) {
	w, err := r.watermarksRow(topic, partition)
	if err != nil || offset < w.LogStartOffset {
		return segment, false, err
	}
	prefix := segmentKindKey(topic, partition, kind)
	beyond := segmentKindKey(topic, partition, kind).uint64(uint64(offset) + 1)
	for e, err := range r.scanBack(prefix, beyond) {
		if err != nil {
			return segment, false, err
		}
		o, err := parseOffsetEntry(e)
		if err != nil {
			return segment, false, err
		}
		if o.end >= offset {
			segment, err = r.indexedSegment(o)
			return segment, err == nil, err
		}
	}
	return segment, false, nil
}

// SegmentsBelow yields the segments of a partition that lie wholly below
// logStart, of all kinds.
func (r *Reader) SegmentsBelow(topic uuid.UUID, partition int32, logStart int64) iter.Seq2[events.Segment, error] {
	return collect(r.offsetEntries(topic, partition), func(o offsetEntry) (segment events.Segment, ok bool, err error) {
		if o.end >= logStart {
			return segment, false, nil
		}
		segment, err = r.indexedSegment(o)
		return segment, true, err
	})
}

// AllSegments yields every segment row of a topic in order of id, those of a
// topic that is being purged too.
func (r *Reader) AllSegments(topic uuid.UUID) iter.Seq2[events.Segment, error] {
	return rowsOf[events.Segment](r, bucketSegments.key().uuid(topic))
}

// PutSegment sets a segment.
func (tx *Tx) PutSegment(segment events.Segment) error {
	old, found, err := tx.segmentRow(segment.TopicID, segment.ID)
	if err != nil {
		return err
	}
	if found {
		if err := tx.unindexSegment(old); err != nil {
			return err
		}
	}
	if err := tx.indexSegment(segment); err != nil {
		return err
	}
	return tx.save(segmentKey(segment.TopicID, segment.ID), segment)
}

// DeleteSegment removes a segment.
func (tx *Tx) DeleteSegment(topic uuid.UUID, id string) error {
	old, found, err := tx.segmentRow(topic, id)
	if err != nil {
		return err
	}
	if found {
		if err := tx.unindexSegment(old); err != nil {
			return err
		}
	}
	return tx.remove(segmentKey(topic, id))
}

func (tx *Tx) indexSegment(s events.Segment) error {
	return tx.put(segmentOffsetKey(s), binary.BigEndian.AppendUint64(nil, uint64(s.EndOffset)))
}

func (tx *Tx) unindexSegment(s events.Segment) error { return tx.remove(segmentOffsetKey(s)) }
