package metalog

import "github.com/metalog/metalog/events"

// changedBy lists what an event changes, as far as an undo can bring it back. What
// a transaction holds is left out: it can't.
func changedBy(e events.Event) []target {
	switch e := e.(type) {
	case *events.TopicCreated:
		return []target{ofTopic(targetTopic, e.TopicRef)}
	case *events.TopicUpdated:
		return []target{ofTopic(targetTopic, e.TopicRef), ofConfig(configOfTopic(e.TopicRef), "")}
	case *events.PartitionsAdded:
		return []target{ofTopic(targetTopic, e.TopicRef)}
	case *events.TopicDeleted:
		return []target{ofTopic(targetTopic, e.TopicRef)}
	case *events.SegmentAdded:
		return []target{ofSegment(e.PartitionRef, e.ID)}
	case *events.SegmentsCompacted:
		return compacted(e)
	case *events.SegmentRemoved:
		return []target{ofSegment(e.PartitionRef, e.ID)}
	case *events.BrokerRegistered:
		return []target{ofBroker(targetBroker, e.ID)}
	case *events.BrokerStatusChanged:
		return []target{ofBroker(targetBroker, e.ID)}
	case *events.BrokerRemoved:
		return []target{ofBroker(targetBroker, e.ID)}
	case *events.GroupCreated:
		return []target{ofGroup(targetGroup, e.GroupRef)}
	case *events.GroupUpdated:
		return []target{ofGroup(targetGroup, e.GroupRef)}
	case *events.GroupDeleted:
		return []target{ofGroup(targetGroup, e.GroupRef)}
	}
	return changedChild(e)
}

// changedChild is the second half of changedBy: what hangs on topics, groups and
// brokers.
func changedChild(e events.Event) []target {
	switch e := e.(type) {
	case *events.PartitionAssigned:
		return []target{ofPartition(targetAssignment, e.PartitionRef)}
	case *events.PartitionReassigned:
		return []target{ofPartition(targetAssignment, e.PartitionRef)}
	case *events.PartitionUnassigned:
		return []target{ofPartition(targetAssignment, e.PartitionRef)}
	case *events.LeaderChanged:
		return []target{ofPartition(targetAssignment, e.PartitionRef)}
	case *events.IsrChanged:
		return []target{ofPartition(targetAssignment, e.PartitionRef)}
	case *events.HighWatermarkAdvanced:
		return []target{ofPartition(targetWatermarks, e.PartitionRef)}
	case *events.LogStartOffsetAdvanced:
		return []target{ofPartition(targetWatermarks, e.PartitionRef)}
	case *events.WatermarksDeleted:
		return []target{ofPartition(targetWatermarks, e.PartitionRef)}
	case *events.OffsetCommitted:
		return []target{ofOffset(e.OffsetRef)}
	case *events.OffsetReset:
		return []target{ofOffset(e.OffsetRef)}
	case *events.OffsetDeleted:
		return []target{ofOffset(e.OffsetRef)}
	case *events.OffsetExpired:
		return []target{ofOffset(e.OffsetRef)}
	case *events.ConfigSet:
		return ofConfigKeys(e.Scope, e.Config)
	case *events.ConfigDeleted:
		targets := make([]target, len(e.Keys))
		for i, key := range e.Keys {
			targets[i] = ofConfig(e.Scope, key)
		}
		return targets
	}
	return nil
}

func configOfTopic(ref events.TopicRef) events.Scope {
	return events.Scope{Of: ref.Entity(), TopicID: ref.ID}
}

func compacted(e *events.SegmentsCompacted) []target {
	var targets []target
	for _, id := range e.Removed {
		targets = append(targets, ofSegment(e.PartitionRef, id))
	}
	for _, s := range e.Added {
		targets = append(targets, ofSegment(e.PartitionRef, s.ID))
	}
	return targets
}

// touchedBy lists what an event changes together with all that it belongs to: an
// undo that takes a topic away is in the way of whoever put something into it.
func touchedBy(e events.Event) []target {
	targets := changedBy(e)
	for _, t := range targets {
		targets = append(targets, t.owners()...)
	}
	switch e := e.(type) {
	case *events.TopicCreated:
		targets = append(targets, ofTopic(targetTopicName, events.TopicRef{Name: e.Name}))
	case *events.GroupCreated:
		targets = append(targets, ofGroup(targetGroupName, events.GroupRef{ID: e.ID}))
	case *events.SegmentAdded:
		targets = append(targets, ofPartition(targetInPartition, e.PartitionRef))
	case *events.TransactionPartitionsAdded:
		for _, ref := range e.Partitions {
			targets = append(targets, ofTopic(targetInTopic, topicOf(ref)))
		}
	case *events.TransactionOffsetsAdded:
		targets = append(targets, ofGroup(targetInGroup, events.GroupRef{ID: e.Group, GroupID: e.GroupID}))
	case *events.TransactionOffsetsCommitted:
		for _, o := range e.Offsets {
			targets = append(targets, ofOffset(o.OffsetRef).owners()...)
		}
	}
	return targets
}

// owners are the marks of what a target belongs to.
func (t target) owners() []target {
	var marks []target
	if t.Topic.Name != "" {
		marks = append(marks, ofTopic(targetInTopic, t.Topic))
	}
	if t.Group.ID != "" {
		marks = append(marks, ofGroup(targetInGroup, t.Group))
	}
	switch {
	case t.Kind == targetBroker, t.Kind == targetConfig && t.Scope == events.KindBroker:
		marks = append(marks, ofBroker(targetInBroker, t.Number))
	case t.Kind == targetWatermarks, t.Kind == targetAssignment:
		marks = append(marks, ofPartition(targetInPartition, t.partition()))
	}
	return marks
}

// irreversible says why what a command asked for can't be undone; empty: it can.
func irreversible(e events.Event) string {
	switch e.(type) {
	case *events.PartitionsAdded:
		return "partitions can't be taken away; create a topic that has fewer"
	case *events.HighWatermarkAdvanced:
		return "a high watermark goes back only with a new leader epoch; elect a leader, and set it again"
	case *events.LogStartOffsetAdvanced:
		return "a log start offset never goes back: what is below it is gone for good"
	case *events.ProducerIDsAllocated:
		return "producer ids may have been handed out; leave it, those that are left do no harm"
	case *events.TransactionBegun, *events.TransactionPartitionsAdded, *events.TransactionOffsetsAdded,
		*events.TransactionOffsetsCommitted, *events.TransactionPrepared:
		return "a transaction is not taken back, it is aborted ('metalog txn abort')"
	case *events.TransactionCommitted, *events.TransactionAborted, *events.ProducerFenced:
		return "a transaction that is over stays over, and a producer that is fenced stays fenced; begin a new transaction"
	case *events.EpochStarted, *events.DigestRecorded, *events.ImportStarted, *events.ImportCompleted:
		return "it only marks a place in the log; 'metalog events list' shows which records changed something"
	case *events.SystemInitialized:
		return "the internal topics stay: brokers rely on them"
	}
	return ""
}
