package metalog

import (
	"github.com/metalog/metalog/events"
)

// ResetOffsets moves a group without members to other offsets in a topic. As in
// Kafka's tool, the new offset is kept within the partition's log start offset
// and high watermark, once the partition has any.
type ResetOffsets struct {
	Group      string  `json:"group" require:"true"`
	Topic      string  `json:"topic" require:"true"`
	Partitions []int32 `json:"partitions,omitempty"` // none: all of the topic
	// Exactly one of these:
	ToOffset   *int64 `json:"to_offset,omitempty"`
	ToEarliest bool   `json:"to_earliest,omitempty"`
	ToLatest   bool   `json:"to_latest,omitempty"`
	ShiftBy    *int64 `json:"shift_by,omitempty"` // from the committed offset; partitions without one stay without
}

func (ResetOffsets) Op() string { return "offset.reset" }

func (c ResetOffsets) validate() error {
	var v checks
	v.text("group", c.Group, MaxGroupIDBytes)
	v.topicName("topic", c.Topic)
	for _, p := range c.Partitions {
		v.atLeast("partitions", int64(p), 0)
	}
	ways := 0
	for _, given := range []bool{c.ToOffset != nil, c.ToEarliest, c.ToLatest, c.ShiftBy != nil} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		v.fail("to_offset", "give exactly one of to_offset, to_earliest, to_latest and shift_by, not %d", ways)
	}
	if c.ToOffset != nil {
		v.atLeast("to_offset", *c.ToOffset, 0)
	}
	return v.err
}

func (c ResetOffsets) decide(d *decision) error {
	group, topic, err := d.idleGroup(c.Group, c.Topic)
	if err != nil {
		return err
	}
	partitions, err := c.partitions(topic)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := c.reset(d, group, topic, p); err != nil {
			return err
		}
	}
	return nil
}

func (c ResetOffsets) partitions(topic events.Topic) ([]int32, error) {
	if len(c.Partitions) == 0 {
		all := make([]int32, topic.Partitions)
		for p := range all {
			all[p] = int32(p)
		}
		return all, nil
	}
	seen := make(map[int32]bool, len(c.Partitions))
	for _, p := range c.Partitions {
		if _, err := partitionOf(topic, p); err != nil {
			return nil, err
		}
		if seen[p] {
			return nil, fieldError("partitions", "partition %d is named twice", p)
		}
		seen[p] = true
	}
	return c.Partitions, nil
}

func (c ResetOffsets) reset(d *decision, group events.Group, topic events.Topic, partition int32) error {
	current, committed, err := d.currentOffset(group.ID, topic.Name, partition)
	if err != nil {
		return err
	}
	marks, err := d.view.Watermarks(topic.ID, partition)
	if err != nil {
		return err
	}
	var to int64
	switch {
	case c.ToOffset != nil:
		to = *c.ToOffset
	case c.ToEarliest:
		to = marks.LogStartOffset
	case c.ToLatest && marks.Revision == 0:
		return events.Errorf(events.CodeOutOfRange, "topic %q, partition %d: its high watermark is not known; 'metalog partition watermark' sets it, or reset to an offset", topic.Name, partition)
	case c.ToLatest:
		to = marks.HighWatermark
	case !committed:
		return nil
	default:
		to = shifted(current.Offset, *c.ShiftBy)
	}
	if marks.Revision != 0 {
		to = min(max(to, marks.LogStartOffset), marks.HighWatermark)
	}
	if committed && current.Offset == to {
		return nil
	}
	d.emit(&events.OffsetReset{
		OffsetRef:  offsetOf(group.GroupRef, refOf(topic), partition),
		OffsetInfo: events.OffsetInfo{Offset: to, LeaderEpoch: -1},
	})
	return nil
}

// shifted adds without going below 0 or over the largest offset.
func shifted(offset, by int64) int64 {
	sum := offset + by
	if by > 0 && sum < offset {
		return 1<<63 - 1
	}
	return max(sum, 0)
}
