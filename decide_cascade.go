package metalog

import (
	"iter"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// A derivation lists the derived events of a cascade, in a fixed order, from
// what the view holds. It lists what is still to be done: once its events are
// applied, it lists nothing. So the same one serves the first record of a
// cascade, those that continue it, and a plan.
type derivation = iter.Seq2[events.Event, error]

// remaining is the derivation of a cascade that goes on.
func remaining(view *views.Reader, c views.Cascade) derivation {
	switch c.Kind {
	case events.CascadeTopicDelete:
		return belowTopic(view, c.Topic)
	case events.CascadeGroupDelete:
		return belowGroup(view, c.Group)
	case events.CascadeBrokerOffline:
		return leaveISR(view, c.Broker)
	case events.CascadeBrokerOnline:
		return func(yield func(events.Event, error) bool) {
			self, err := view.Broker(c.Broker)
			if err != nil {
				yield(nil, err)
				return
			}
			electLeaders(view, self)(yield)
		}
	case events.CascadeBrokerRemove:
		return belowBroker(view, c.Broker)
	case events.CascadeLogStart:
		return segmentsBelow(view, c.Partition, c.LogStart)
	}
	return func(yield func(events.Event, error) bool) {
		yield(nil, events.Errorf(events.CodeCorrupt, "cascade of seq %d: kind %q is not known; a newer metalog wrote it", c.Cause.Seq, c.Kind))
	}
}

// completion is the last event of a cascade that took several records.
func completion(c views.Cascade) events.Event {
	if c.Kind == events.CascadeTopicDelete {
		return &events.TopicPurged{TopicRef: c.Topic}
	}
	return &events.CascadeCompleted{Kind: c.Kind, Of: aboutWhat(c)}
}

// aboutWhat names the entity whose change began a cascade.
func aboutWhat(c views.Cascade) events.EntityRef {
	switch c.Kind {
	case events.CascadeGroupDelete:
		return c.Group.Entity()
	case events.CascadeLogStart:
		return c.Partition.Entity()
	}
	return events.BrokerInfo{ID: c.Broker}.Entity()
}

// completed adds the last event of a cascade to a plan, which lists it whole.
func (d *decision) completed(cause int, more bool, kind events.CascadeKind, of events.EntityRef, err error) error {
	if d.plan && more {
		d.derive(cause, &events.CascadeCompleted{Kind: kind, Of: of})
	}
	return err
}

func isBrokerCascade(kind events.CascadeKind) bool {
	return kind == events.CascadeBrokerOffline || kind == events.CascadeBrokerOnline || kind == events.CascadeBrokerRemove
}

// concat lists one derivation after the other.
func concat(parts ...derivation) derivation {
	return func(yield func(events.Event, error) bool) {
		for _, part := range parts {
			for e, err := range part {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

// each lists the events that list yields for the rows of a scan.
func each[T any](rows iter.Seq2[T, error], list func(row T, yield func(events.Event, error) bool) bool) derivation {
	return func(yield func(events.Event, error) bool) {
		for row, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			if !list(row, yield) {
				return
			}
		}
	}
}

// derive lists the one event that each row gives.
func derive[T any](rows iter.Seq2[T, error], event func(T) events.Event) derivation {
	return each(rows, func(row T, yield func(events.Event, error) bool) bool {
		return yield(event(row), nil)
	})
}

// belowTopic lists all that goes with a topic.
func belowTopic(view *views.Reader, topic events.TopicRef) derivation {
	return concat(
		derive(view.AllSegments(topic.ID), func(s events.Segment) events.Event {
			return &events.SegmentRemoved{PartitionRef: s.PartitionRef, ID: s.ID}
		}),
		derive(view.AllAssignments(topic.ID), func(a views.AssignmentRow) events.Event {
			return &events.PartitionUnassigned{PartitionRef: a.PartitionRef}
		}),
		derive(view.AllWatermarks(topic.ID), func(w views.PartitionWatermarks) events.Event {
			return &events.WatermarksDeleted{PartitionRef: w.PartitionRef}
		}),
		derive(view.AllOffsetsOfTopic(topic.ID), offsetDeleted),
		derive(view.PendingOffsetsOfTopic(topic.ID), offsetDropped),
		derive(view.TransactionPartitionsOfTopic(topic.ID), func(p views.TransactionPartition) events.Event {
			return &events.TransactionPartitionRemoved{TransactionRef: p.Transaction, Partition: p.Partition}
		}),
		configOf(view, events.Scope{Of: topic.Entity(), TopicID: topic.ID}),
	)
}

// belowGroup lists all that goes with a group.
func belowGroup(view *views.Reader, group events.GroupRef) derivation {
	return concat(
		derive(view.AllOffsetsOfGroup(group.GroupID), offsetDeleted),
		derive(view.PendingOffsetsOfGroup(group.GroupID), offsetDropped),
		configOf(view, events.Scope{Of: group.Entity(), GroupID: group.GroupID}),
	)
}

// belowBroker lists all that goes with a broker that is removed.
func belowBroker(view *views.Reader, id int32) derivation {
	return concat(unassign(view, id), configOf(view, events.Scope{Of: events.BrokerInfo{ID: id}.Entity()}))
}

func offsetDeleted(o events.Offset) events.Event {
	return &events.OffsetDeleted{OffsetRef: o.OffsetRef}
}

func offsetDropped(p views.TransactionOffset) events.Event {
	return &events.TransactionOffsetDropped{TransactionRef: p.Transaction, Offset: p.Offset.OffsetRef}
}

// configOf lists the end of a scope's config, if it has one.
func configOf(view *views.Reader, scope events.Scope) derivation {
	return func(yield func(events.Event, error) bool) {
		entry, err := view.RawConfig(scope)
		if err != nil {
			yield(nil, err)
			return
		}
		keys := make([]string, 0, len(entry.Config))
		for key := range entry.Config {
			keys = append(keys, key)
		}
		if slices.Sort(keys); len(keys) > 0 {
			yield(&events.ConfigDeleted{Scope: scope, Keys: keys}, nil)
		}
	}
}

// segmentsBelow lists the removal of the segments wholly below a log start
// offset.
func segmentsBelow(view *views.Reader, ref events.PartitionRef, logStart int64) derivation {
	return derive(view.SegmentsBelow(ref.TopicID, ref.Partition, logStart), func(s events.Segment) events.Event {
		return &events.SegmentRemoved{PartitionRef: ref, ID: s.ID}
	})
}

// promoted lists a committed transaction's offsets as the groups' own.
func promoted(view *views.Reader, txn events.Transaction) derivation {
	return derive(view.PendingOffsets(txn.ProducerID), func(p events.PendingOffset) events.Event {
		return &events.OffsetCommitted{OffsetRef: p.OffsetRef, OffsetInfo: p.OffsetInfo}
	})
}

// dropped lists an aborted transaction's pending offsets.
func dropped(view *views.Reader, txn events.Transaction) derivation {
	return derive(view.PendingOffsets(txn.ProducerID), func(p events.PendingOffset) events.Event {
		return &events.TransactionOffsetDropped{TransactionRef: txn.TransactionRef, Offset: p.OffsetRef}
	})
}
