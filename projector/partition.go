package projector

import (
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

func (a application) leaderChanged(e *events.LeaderChanged) error {
	row, err := a.tx.Assignment(e.TopicID, e.Partition)
	if err != nil {
		return err
	}
	row.Leader, row.LeaderEpoch = e.Leader, e.LeaderEpoch
	row.PartitionEpoch, row.LeaderBrokerEpoch = e.PartitionEpoch, e.LeaderBrokerEpoch
	return a.tx.PutAssignment(e.PartitionRef, row.Assignment, a.seq())
}

func (a application) isrChanged(e *events.IsrChanged) error {
	row, err := a.tx.Assignment(e.TopicID, e.Partition)
	if err != nil {
		return err
	}
	row.ISR, row.PartitionEpoch = e.ISR, e.PartitionEpoch
	return a.tx.PutAssignment(e.PartitionRef, row.Assignment, a.seq())
}

func (a application) highWatermarkAdvanced(e *events.HighWatermarkAdvanced) error {
	return a.changeWatermarks(e.PartitionRef, func(w *views.Watermarks) {
		w.HighWatermark, w.LeaderEpoch = e.HighWatermark, e.LeaderEpoch
	})
}

func (a application) logStartOffsetAdvanced(e *events.LogStartOffsetAdvanced) error {
	err := a.changeWatermarks(e.PartitionRef, func(w *views.Watermarks) { w.LogStartOffset = e.LogStartOffset })
	if err != nil {
		return err
	}
	return a.cascadeContinues(e.Continues, views.Cascade{
		Kind: events.CascadeLogStart, Partition: e.PartitionRef, LogStart: e.LogStartOffset,
	})
}

func (a application) changeWatermarks(ref events.PartitionRef, change func(*views.Watermarks)) error {
	marks, err := a.tx.Watermarks(ref.TopicID, ref.Partition)
	if err != nil {
		return err
	}
	change(&marks)
	marks.Revision = a.seq()
	return a.tx.PutWatermarks(ref.TopicID, ref.Partition, marks)
}
