package metalog

import (
	"fmt"

	"github.com/metalog/metalog/events"
)

// AddSegment adds a segment to a partition. The ranges of segments may overlap,
// as they do after a change of leader.
type AddSegment struct {
	Topic     string `json:"topic" require:"true"`
	Partition int32  `json:"partition" require:"true"`
	SegmentInfo
}

// SegmentInfo is what a command says of a segment.
type SegmentInfo struct {
	ID           string             `json:"id" require:"true"` // unique in its topic
	Kind         events.SegmentKind `json:"kind,omitempty"`    // empty: log
	StartOffset  int64              `json:"start_offset" require:"true"`
	EndOffset    int64              `json:"end_offset" require:"true"` // the last offset in it
	SizeBytes    int64              `json:"size_bytes,omitempty"`
	RecordCount  int64              `json:"record_count,omitempty"`
	Path         string             `json:"path,omitempty"`
	Checksum     string             `json:"checksum,omitempty"`
	MinTimestamp events.Time        `json:"min_timestamp,omitempty"`
	MaxTimestamp events.Time        `json:"max_timestamp,omitempty"`
	Attributes   events.Config      `json:"attributes,omitempty"`
}

// CompactSegments replaces segments of a partition by others, at once.
type CompactSegments struct {
	Topic     string        `json:"topic" require:"true"`
	Partition int32         `json:"partition" require:"true"`
	Removed   []string      `json:"removed" require:"true"` // segment ids
	Added     []SegmentInfo `json:"added"`
}

// DeleteSegment removes a segment.
type DeleteSegment struct {
	Topic string `json:"topic" require:"true"`
	ID    string `json:"id" require:"true"`
}

func (AddSegment) Op() string      { return "segment.add" }
func (CompactSegments) Op() string { return "segment.compact" }
func (DeleteSegment) Op() string   { return "segment.delete" }

func (c AddSegment) validate() error {
	var v checks
	v.topicName("topic", c.Topic)
	v.atLeast("partition", int64(c.Partition), 0)
	v.segment("", c.SegmentInfo)
	return v.err
}

func (c CompactSegments) validate() error {
	var v checks
	v.topicName("topic", c.Topic)
	v.atLeast("partition", int64(c.Partition), 0)
	if len(c.Removed) == 0 {
		v.fail("removed", "is empty; name the segments that are replaced")
	}
	v.distinct("removed", c.Removed)
	added := make([]string, len(c.Added))
	for i, s := range c.Added {
		v.segment(fmt.Sprintf("added[%d].", i), s)
		added[i] = s.ID
	}
	v.distinct("added", added)
	return v.err
}

func (c DeleteSegment) validate() error {
	var v checks
	v.topicName("topic", c.Topic)
	v.text("id", c.ID, MaxSegmentIDBytes)
	return v.err
}

func (c *checks) segment(prefix string, s SegmentInfo) {
	c.text(prefix+"id", s.ID, MaxSegmentIDBytes)
	switch s.Kind {
	case "", events.SegmentLog, events.SegmentIndex, events.SegmentColumnar:
	default:
		c.fail(prefix+"kind", "%q is not known; it is log, index or columnar", s.Kind)
	}
	c.atLeast(prefix+"start_offset", s.StartOffset, 0)
	c.atLeast(prefix+"end_offset", s.EndOffset, s.StartOffset)
	c.atLeast(prefix+"size_bytes", s.SizeBytes, 0)
	c.atLeast(prefix+"record_count", s.RecordCount, 0)
	c.optionalText(prefix+"path", s.Path, MaxTextBytes)
	c.optionalText(prefix+"checksum", s.Checksum, MaxTextBytes)
	c.config(prefix+"attributes", s.Attributes)
}

func (c *checks) distinct(field string, ids []string) {
	seen := make(map[string]bool, len(ids))
	for _, id := range ids {
		c.text(field, id, MaxSegmentIDBytes)
		if seen[id] {
			c.fail(field, "segment %q is named twice", id)
		}
		seen[id] = true
	}
}

// event is the segment as an event has it.
func (s SegmentInfo) event() events.SegmentInfo {
	info := events.SegmentInfo(s)
	if info.Kind == "" {
		info.Kind = events.SegmentLog
	}
	return info
}

func (c AddSegment) decide(d *decision) error {
	ref, err := d.partition(c.Topic, c.Partition)
	if err != nil {
		return err
	}
	if err := d.newSegment(ref, c.SegmentInfo, nil); err != nil {
		return err
	}
	d.emit(&events.SegmentAdded{PartitionRef: ref, SegmentInfo: c.SegmentInfo.event()})
	return nil
}

// newSegment rejects a segment that is there already and not replaced, or lies
// wholly where the partition's data is gone.
func (d *decision) newSegment(ref events.PartitionRef, s SegmentInfo, replaced map[string]bool) error {
	existing, err := d.view.Segment(ref.TopicID, s.ID)
	label := segmentLabel(ref.Topic, s.ID)
	if exists, err := d.exists(label, existing.Revision, err); err != nil {
		return err
	} else if exists && !replaced[s.ID] {
		return events.Errorf(events.CodeAlreadyExists, "%s: already exists in partition %d; 'metalog segment describe' shows it", label, existing.Partition)
	}
	marks, err := d.view.Watermarks(ref.TopicID, ref.Partition)
	if err != nil {
		return err
	}
	if s.EndOffset < marks.LogStartOffset {
		return events.Errorf(events.CodeOutOfRange, "%s: it ends at %d, below the partition's log start offset %d", label, s.EndOffset, marks.LogStartOffset)
	}
	return nil
}

func (c CompactSegments) decide(d *decision) error {
	ref, err := d.partition(c.Topic, c.Partition)
	if err != nil {
		return err
	}
	removed := make(map[string]bool, len(c.Removed))
	for _, id := range c.Removed {
		s, err := d.view.Segment(ref.TopicID, id)
		if err != nil {
			return err
		}
		if s.Partition != ref.Partition {
			return fieldError("removed", "%s is in partition %d, not %d", segmentLabel(c.Topic, id), s.Partition, ref.Partition)
		}
		removed[id] = true
	}
	event := &events.SegmentsCompacted{PartitionRef: ref, Removed: c.Removed}
	for _, s := range c.Added {
		if err := d.newSegment(ref, s, removed); err != nil {
			return err
		}
		event.Added = append(event.Added, s.event())
	}
	d.emit(event)
	return nil
}

func (c DeleteSegment) decide(d *decision) error {
	topic, err := d.view.Topic(c.Topic)
	if err != nil {
		return err
	}
	segment, err := d.view.Segment(topic.ID, c.ID)
	if err := d.found(segmentLabel(c.Topic, c.ID), segment.Revision, err); err != nil {
		return err
	}
	d.emit(&events.SegmentRemoved{PartitionRef: segment.PartitionRef, ID: c.ID})
	return nil
}

func segmentLabel(topic, id string) string {
	return fmt.Sprintf("segment %q of topic %q", id, topic)
}
