package history

import (
	"github.com/metalog/metalog/events"
)

// subject is what an event is about, as the index notes it.
type subject struct {
	events.Identity
	name         string // of a topic, group or transaction; else empty
	partition    int32
	segment      uint32
	begins, ends bool // the entity
}

// subjectOf tells what an event of the batch's record is about.
func (b *batch) subjectOf(event events.Event) (s subject, err error) {
	identified, ok := event.(events.Identified)
	switch {
	case ok:
		s.Identity = identified.Identity()
	case event.Type() == events.TypeCascadeCompleted:
		return b.subjectOfCascade(event.Entity())
	default:
		return s, events.Errorf(events.CodeCorrupt, "seq %d, %s: %w", b.outline.Seq, event.Type(), errNoSubject)
	}
	s.partition = NoPartition
	if of := event.Entity(); s.Kind == events.KindTopic || s.Kind == events.KindGroup {
		s.name = of.ID
	}
	switch e := event.(type) {
	case interface{ Ref() events.PartitionRef }:
		s.partition = e.Ref().Partition
	case interface{ Ref() events.TransactionRef }:
		s.name = e.Ref().TransactionalID
	}
	s.note(event)
	return s, nil
}

// note takes what single types tell.
func (s *subject) note(event events.Event) {
	switch e := event.(type) {
	case *events.TopicCreated, *events.GroupCreated:
		s.begins = true
	case *events.TopicDeleted, *events.GroupDeleted:
		s.ends = true
	case *events.SegmentAdded:
		s.segment = SegmentHint(e.ID)
	case *events.SegmentRemoved:
		s.segment = SegmentHint(e.ID)
	case *events.SegmentsCompacted:
		s.segment = AnySegment
	}
}

// subjectOfCascade tells what a completed cascade was of: its event has a name, and
// the record's cause says when that was.
func (b *batch) subjectOfCascade(of events.EntityRef) (s subject, err error) {
	s = subject{Identity: events.Identity{Kind: of.Kind}, partition: NoPartition}
	if of.Kind == events.KindBroker {
		s.Number, err = of.Number()
		return s, err
	}
	if b.outline.Cause == nil {
		return s, events.Errorf(events.CodeCorrupt, "seq %d: a cascade is completed, but the record names none as its cause", b.outline.Seq)
	}
	s.name = of.ID
	named, err := b.x.named(b.tx, &b.at.Rows, kindByte(of.Kind), of.ID, b.entities)
	if err != nil {
		return s, err
	}
	for _, e := range named {
		if e.From <= b.outline.Cause.Seq && (e.To == 0 || e.To >= b.outline.Cause.Seq) {
			s.Identity = e.Identity
		}
	}
	return s, nil // of a zero id when it was before the index begins
}
