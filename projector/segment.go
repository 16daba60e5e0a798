package projector

import "github.com/metalog/metalog/events"

func (a application) addSegment(ref events.PartitionRef, info events.SegmentInfo) error {
	return a.tx.PutSegment(events.Segment{PartitionRef: ref, SegmentInfo: info, CreatedAt: a.time(), Revision: a.seq()})
}

func (a application) segmentsCompacted(e *events.SegmentsCompacted) error {
	for _, id := range e.Removed {
		if err := a.tx.DeleteSegment(e.TopicID, id); err != nil {
			return err
		}
	}
	for _, info := range e.Added {
		if err := a.addSegment(e.PartitionRef, info); err != nil {
			return err
		}
	}
	return nil
}
