package metalog

import (
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// AdvanceWatermarks moves a partition's high watermark, its log start offset or
// both. The log start offset takes the segments below it along.
type AdvanceWatermarks struct {
	Topic     string `json:"topic" require:"true"`
	Partition int32  `json:"partition" require:"true"`
	// High goes back only under a leader epoch later than the one that set it.
	High *int64 `json:"high,omitempty"`
	// LogStart never goes back, nor beyond the high watermark.
	LogStart *int64 `json:"log_start,omitempty"`
	// LeaderEpoch is of who asks; one that is not the partition's is ErrFenced.
	LeaderEpoch *int32 `json:"leader_epoch,omitempty"`
}

func (AdvanceWatermarks) Op() string { return "partition.watermark" }

func (c AdvanceWatermarks) validate() error {
	var v checks
	v.topicName("topic", c.Topic)
	v.atLeast("partition", int64(c.Partition), 0)
	if c.High == nil && c.LogStart == nil {
		v.fail("high", "is missing, and so is log_start; give one or both")
	}
	if c.High != nil {
		v.atLeast("high", *c.High, 0)
	}
	if c.LogStart != nil {
		v.atLeast("log_start", *c.LogStart, 0)
	}
	return v.err
}

func (c AdvanceWatermarks) decide(d *decision) error {
	ref, err := d.partition(c.Topic, c.Partition)
	if err != nil {
		return err
	}
	revision, err := d.partitionRevision(ref)
	if err != nil {
		return err
	}
	if err := d.expect(partitionLabel(ref), revision); err != nil {
		return err
	}
	marks, err := d.view.Watermarks(ref.TopicID, ref.Partition)
	if err != nil {
		return err
	}
	epoch, err := d.leaderEpoch(ref, c.LeaderEpoch)
	if err != nil {
		return err
	}
	if c.High != nil {
		if err := d.advanceHigh(ref, &marks, *c.High, epoch); err != nil {
			return err
		}
	}
	if c.LogStart != nil {
		return d.advanceLogStart(ref, marks, *c.LogStart)
	}
	return nil
}

// leaderEpoch returns the partition's leader epoch, 0 while it is unassigned.
func (d *decision) leaderEpoch(ref events.PartitionRef, claimed *int32) (int32, error) {
	row, err := d.view.Assignment(ref.TopicID, ref.Partition)
	if events.CodeOf(err) == events.CodeNotFound {
		err = nil
	}
	if err == nil {
		err = checkLeaderEpoch(ref, row, claimed)
	}
	return row.LeaderEpoch, err
}

func (d *decision) advanceHigh(ref events.PartitionRef, marks *views.Watermarks, high int64, epoch int32) error {
	switch {
	case high == marks.HighWatermark && (epoch <= marks.LeaderEpoch || high == 0):
		return nil // under a new leader epoch it is noted: that one must not go back from it
	case high < marks.HighWatermark && epoch <= marks.LeaderEpoch:
		return events.Errorf(events.CodeOutOfRange, "%s: high watermark %d is below %d, and goes back only with a new leader epoch", partitionLabel(ref), high, marks.HighWatermark)
	case high < marks.LogStartOffset:
		return events.Errorf(events.CodeOutOfRange, "%s: high watermark %d is below the log start offset %d", partitionLabel(ref), high, marks.LogStartOffset)
	}
	marks.HighWatermark = high
	d.emit(&events.HighWatermarkAdvanced{PartitionRef: ref, HighWatermark: high, LeaderEpoch: epoch})
	return nil
}

func (d *decision) advanceLogStart(ref events.PartitionRef, marks views.Watermarks, logStart int64) error {
	switch {
	case logStart == marks.LogStartOffset:
		return nil
	case logStart < marks.LogStartOffset:
		return events.Errorf(events.CodeOutOfRange, "%s: log start offset %d is below %d, and never goes back", partitionLabel(ref), logStart, marks.LogStartOffset)
	case logStart > marks.HighWatermark:
		return events.Errorf(events.CodeOutOfRange, "%s: log start offset %d is beyond the high watermark %d", partitionLabel(ref), logStart, marks.HighWatermark)
	}
	advanced := &events.LogStartOffsetAdvanced{PartitionRef: ref, LogStartOffset: logStart}
	root := d.emit(advanced)
	more, err := d.cascade(root, segmentsBelow(d.view, ref, logStart))
	advanced.Continues = more
	return d.completed(root, more, events.CascadeLogStart, advanced.Entity(), err)
}
