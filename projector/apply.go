package projector

import (
	"fmt"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// Apply changes the views by all events of the next record, notes its command
// id and moves the checkpoint to it.
func Apply(tx *views.Tx, rec *events.Record) error {
	for i := range rec.Facts {
		if err := ApplyEvent(tx, rec, i); err != nil {
			return err
		}
	}
	if err := remember(tx, rec); err != nil {
		return fmt.Errorf("seq %d: command id: %w", rec.Seq, err)
	}
	return tx.Advance(rec)
}

// ApplyEvent changes the views by one event of a record, and nothing else: for who
// looks at what a record comes to while it is still being made.
func ApplyEvent(tx *views.Tx, rec *events.Record, index int) error {
	a := application{tx, rec, index}
	if err := a.apply(rec.Facts[index].Event); err != nil {
		return fmt.Errorf("seq %d, event %d, %s: %w", rec.Seq, index, rec.Facts[index].Event.Type(), err)
	}
	return nil
}

// remember notes the record's command id, and forgets those that the window has
// moved past.
func remember(tx *views.Tx, rec *events.Record) error {
	if rec.Meta.CommandID != "" {
		row := views.CommandRow{Hash: rec.Meta.CommandHash, Seq: rec.Seq, Result: events.ResultOf(rec)}
		if err := tx.PutCommand(rec.Meta.Actor, rec.Meta.CommandID, row); err != nil {
			return err
		}
	}
	window := tx.CommandWindow()
	if rec.Seq <= window {
		return nil
	}
	return tx.EvictCommands(rec.Seq - window)
}

// application is one event of a record on its way into the views.
type application struct {
	tx    *views.Tx
	rec   *events.Record
	index int
}

func (a application) seq() uint64           { return a.rec.Seq }
func (a application) time() events.Time     { return a.rec.Time }
func (a application) here() events.Position { return events.Position{Seq: a.rec.Seq, Index: a.index} }

func (a application) apply(event events.Event) error {
	switch e := event.(type) {
	case *events.EpochStarted:
		return a.epochStarted(e)
	case *events.SystemInitialized:
		return a.tx.SetSystemInitialized(a.seq())
	case *events.DigestRecorded, *events.ImportStarted, *events.ImportCompleted:
		return nil // facts about the log; no view shows them
	case *events.CascadeCompleted:
		return a.cascadeCompleted()
	case *events.TopicCreated:
		return a.topicCreated(e)
	case *events.TopicUpdated:
		return a.topicUpdated(e)
	case *events.PartitionsAdded:
		return a.partitionsAdded(e)
	case *events.TopicDeleted:
		return a.topicDeleted(e)
	case *events.TopicPurged:
		return a.cascadeCompleted()
	case *events.SegmentAdded:
		return a.addSegment(e.PartitionRef, e.SegmentInfo)
	case *events.SegmentsCompacted:
		return a.segmentsCompacted(e)
	case *events.SegmentRemoved:
		return a.tx.DeleteSegment(e.TopicID, e.ID)
	case *events.BrokerRegistered:
		return a.brokerRegistered(e)
	case *events.BrokerStatusChanged:
		return a.brokerStatusChanged(e)
	case *events.BrokerRemoved:
		return a.brokerRemoved(e)
	default:
		return a.applyToChild(event)
	}
}

// applyToChild is the second half of apply: what hangs on topics and groups, and
// transactions.
func (a application) applyToChild(event events.Event) error {
	switch e := event.(type) {
	case *events.PartitionAssigned:
		return a.tx.PutAssignment(e.PartitionRef, e.Assignment, a.seq())
	case *events.PartitionReassigned:
		return a.tx.PutAssignment(e.PartitionRef, e.Assignment, a.seq())
	case *events.LeaderChanged:
		return a.leaderChanged(e)
	case *events.IsrChanged:
		return a.isrChanged(e)
	case *events.PartitionUnassigned:
		return a.tx.DeleteAssignment(e.TopicID, e.Partition)
	case *events.HighWatermarkAdvanced:
		return a.highWatermarkAdvanced(e)
	case *events.LogStartOffsetAdvanced:
		return a.logStartOffsetAdvanced(e)
	case *events.WatermarksDeleted:
		return a.tx.DeleteWatermarks(e.TopicID, e.Partition)
	case *events.GroupCreated:
		return a.groupCreated(e)
	case *events.GroupUpdated:
		return a.groupUpdated(e)
	case *events.GroupDeleted:
		return a.groupDeleted(e)
	case *events.OffsetCommitted:
		return a.putOffset(e.OffsetRef, e.OffsetInfo)
	case *events.OffsetReset:
		return a.putOffset(e.OffsetRef, e.OffsetInfo)
	case *events.OffsetDeleted:
		return a.deleteOffset(e.OffsetRef)
	case *events.OffsetExpired:
		return a.deleteOffset(e.OffsetRef)
	case *events.ConfigSet:
		return a.configSet(e)
	case *events.ConfigDeleted:
		return a.configDeleted(e)
	default:
		return a.applyToTransaction(event)
	}
}

// applyToTransaction is the last part of apply. An event that no part knows is
// an error: replay never skips.
func (a application) applyToTransaction(event events.Event) error {
	switch e := event.(type) {
	case *events.ProducerIDsAllocated:
		return a.tx.SetNextProducerID(e.FirstID + e.Count)
	case *events.TransactionBegun:
		return a.transactionBegun(e)
	case *events.TransactionPartitionsAdded:
		return a.transactionPartitionsAdded(e)
	case *events.TransactionOffsetsAdded:
		return a.transactionOffsetsAdded(e)
	case *events.TransactionOffsetsCommitted:
		return a.transactionOffsetsCommitted(e)
	case *events.TransactionPrepared:
		return a.transactionPrepared(e)
	case *events.TransactionCommitted:
		return a.transactionEnded(e.TransactionRef, events.TransactionCompleteCommit)
	case *events.TransactionAborted:
		return a.transactionEnded(e.TransactionRef, events.TransactionCompleteAbort)
	case *events.ProducerFenced:
		return a.producerFenced(e)
	case *events.TransactionPartitionRemoved:
		return a.tx.DeleteTransactionPartition(e.ProducerID, e.Partition.TopicID, e.Partition.Partition)
	case *events.TransactionOffsetDropped:
		return a.transactionOffsetDropped(e)
	}
	return events.Errorf(events.CodeCorrupt, "no view knows the event; a newer metalog wrote it")
}
