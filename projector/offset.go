package projector

import "github.com/metalog/metalog/events"

func (a application) putOffset(ref events.OffsetRef, info events.OffsetInfo) error {
	return a.tx.PutOffset(ref, info, a.time(), a.seq())
}

func (a application) deleteOffset(ref events.OffsetRef) error {
	return a.tx.DeleteOffset(ref.GroupID, ref.TopicID, ref.Partition)
}
