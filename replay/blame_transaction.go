package replay

import (
	"cmp"
	"slices"

	"github.com/metalog/metalog/events"
)

type transactionFold struct {
	txn    *events.Transaction
	groups []events.GroupRef // of txn.Groups
}

func (*transactionFold) types() []events.Type {
	return []events.Type{
		events.TypeTransactionBegun, events.TypeTransactionPartitionsAdded, events.TypeTransactionOffsetsAdded,
		events.TypeTransactionOffsetsCommitted, events.TypeTransactionPrepared, events.TypeTransactionCommitted,
		events.TypeTransactionAborted, events.TypeProducerFenced, events.TypeTransactionPartitionRemoved,
		events.TypeTransactionOffsetDropped,
	}
}

func (f *transactionFold) apply(e events.EventView) {
	if p, ok := e.Payload.(*events.TransactionBegun); ok {
		f.groups = nil
		f.txn = &events.Transaction{
			TransactionRef: p.TransactionRef, State: events.TransactionOngoing, TimeoutMs: p.TimeoutMs, StartedAt: e.Time,
			Partitions: []events.PartitionRef{}, Groups: []string{}, Pending: []events.PendingOffset{},
		}
	}
	if f.txn == nil {
		return
	}
	switch p := e.Payload.(type) {
	case *events.TransactionPartitionRemoved:
		f.removePartition(p.Partition)
		return // the transaction itself is not changed
	case *events.TransactionOffsetDropped:
		f.removePending(p.Offset)
		return
	default:
		f.change(e.Payload)
	}
	f.txn.UpdatedAt, f.txn.Revision = e.Time, e.Seq
}

func (f *transactionFold) change(event events.Event) {
	switch p := event.(type) {
	case *events.TransactionPartitionsAdded:
		f.addPartitions(p.Partitions)
	case *events.TransactionOffsetsAdded:
		f.addGroup(events.GroupRef{ID: p.Group, GroupID: p.GroupID})
	case *events.TransactionOffsetsCommitted:
		f.addPending(p.Offsets)
	case *events.TransactionPrepared:
		f.txn.State = events.TransactionPrepareAbort
		if p.Commit {
			f.txn.State = events.TransactionPrepareCommit
		}
	case *events.TransactionCommitted:
		f.end(events.TransactionCompleteCommit)
	case *events.TransactionAborted:
		f.end(events.TransactionCompleteAbort)
	case *events.ProducerFenced:
		f.txn.ProducerEpoch = p.ProducerEpoch
	}
}

func (f *transactionFold) end(state events.TransactionState) {
	f.txn.State, f.groups = state, nil
	f.txn.Partitions, f.txn.Groups, f.txn.Pending = []events.PartitionRef{}, []string{}, []events.PendingOffset{}
}

// The lists are in the order of the views' keys: ids, then partitions.

func (f *transactionFold) addPartitions(added []events.PartitionRef) {
	list := slices.Clone(f.txn.Partitions)
	for _, ref := range added {
		if !slices.Contains(list, ref) {
			list = append(list, ref)
		}
	}
	slices.SortFunc(list, func(a, b events.PartitionRef) int {
		return cmp.Or(slices.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition, b.Partition))
	})
	f.txn.Partitions = list
}

func (f *transactionFold) removePartition(ref events.PartitionRef) {
	f.txn.Partitions = slices.DeleteFunc(slices.Clone(f.txn.Partitions), func(p events.PartitionRef) bool {
		return p.TopicID == ref.TopicID && p.Partition == ref.Partition
	})
}

func (f *transactionFold) addGroup(ref events.GroupRef) {
	if slices.Contains(f.groups, ref) {
		return
	}
	f.groups = append(f.groups, ref)
	slices.SortFunc(f.groups, func(a, b events.GroupRef) int { return cmp.Compare(a.GroupID, b.GroupID) })
	f.listGroups()
}

func (f *transactionFold) removeGroup(ref events.GroupRef) {
	f.groups = slices.DeleteFunc(f.groups, func(g events.GroupRef) bool { return g == ref })
	f.listGroups()
}

func (f *transactionFold) listGroups() {
	f.txn.Groups = make([]string, len(f.groups))
	for i, g := range f.groups {
		f.txn.Groups[i] = g.ID
	}
}

func (f *transactionFold) addPending(added []events.PendingOffset) {
	list := slices.Clone(f.txn.Pending)
	for _, o := range added {
		list = append(slices.DeleteFunc(list, func(p events.PendingOffset) bool { return p.OffsetRef == o.OffsetRef }), o)
	}
	slices.SortFunc(list, func(a, b events.PendingOffset) int {
		return cmp.Or(cmp.Compare(a.GroupID, b.GroupID), slices.Compare(a.TopicID[:], b.TopicID[:]), cmp.Compare(a.Partition, b.Partition))
	})
	f.txn.Pending = list
}

func (f *transactionFold) removePending(ref events.OffsetRef) {
	f.txn.Pending = slices.DeleteFunc(slices.Clone(f.txn.Pending), func(p events.PendingOffset) bool { return p.OffsetRef == ref })
}

func (f *transactionFold) object() any {
	if f.txn == nil {
		return nil
	}
	return *f.txn
}
