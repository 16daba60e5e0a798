package replay

import (
	"context"
	"strconv"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/history"
)

// completePartition adds what a partition's own events don't tell: its high
// watermark, and that its leader may have gone since.
func (b *blaming) completePartition(ctx context.Context, s *subject, f *partitionFold, l *ledger) error {
	if !l.existed {
		return nil
	}
	high, err := b.newest(ctx, s, 1, events.TypeHighWatermarkAdvanced)
	if err != nil {
		return err
	}
	marks := f.logStart
	if len(high) > 0 {
		marks = last(marks, &high[0])
		value := high[0].Payload.(*events.HighWatermarkAdvanced).HighWatermark
		if err := l.set("high_watermark", value, high[0]); err != nil {
			return err
		}
	}
	if err := f.setRevision(marks, l); err != nil {
		return err
	}
	if l.deleted != nil || f.p.Leader == events.NoLeader {
		return nil
	}
	return b.completeLeader(ctx, f, l)
}

// setRevision sets the revision: of the assignment or the watermarks, whichever
// changed last. When an assignment ends it may go back to that of the watermarks.
func (f *partitionFold) setRevision(marks *events.EventView, l *ledger) error {
	newest := last(f.assigned, marks)
	by, seq := newest, uint64(0)
	if newest != nil {
		seq = newest.Seq
	}
	if f.assigned == nil && f.unassigned != nil && last(f.before, marks) == f.before && last(f.unassigned, marks) == f.unassigned {
		by = f.unassigned
	}
	if by == nil {
		return nil // as it was created
	}
	return l.set("revision", seq, *by)
}

// last returns the later of two events; nil is none.
func last(a, b *events.EventView) *events.EventView {
	if a == nil || b != nil && newer(*b, *a) {
		return b
	}
	return a
}

// completeLeader finds out whether the leader's broker has gone, or come back as
// another, after it was elected: it leads nothing then, even before an event says so
// of the partition.
func (b *blaming) completeLeader(ctx context.Context, f *partitionFold, l *ledger) error {
	elected := l.by("leader")
	broker := events.EntityRef{Kind: events.KindBroker, ID: strconv.Itoa(int(f.p.Leader))}
	s, err := b.h.subject(broker.String())
	if events.CodeOf(err) == events.CodeNotFound && err != nil {
		return l.set("leader", events.NoLeader, elected)
	}
	if err != nil {
		return err
	}
	var ended *events.EventView
	q := HistoryQuery{Entity: s.entity, From: max(f.brokerEpoch+1, elected.Seq), Types: []string{
		events.TypeBrokerRegistered.String(), events.TypeBrokerStatusChanged.String(), events.TypeBrokerRemoved.String(),
	}}
	if q.From > b.to {
		return nil
	}
	err = b.each(ctx, s, q, func(e events.EventView) error {
		if ended == nil && endsEpoch(e.Payload) {
			ended = &e
		}
		return nil
	})
	if err != nil || ended == nil {
		return err
	}
	if newer(elected, *ended) {
		ended = &elected
	}
	return l.set("leader", events.NoLeader, *ended)
}

// dropGroups takes groups out of a transaction that were deleted before a seq: no
// event of the transaction says so.
func (b *blaming) dropGroups(ctx context.Context, f *transactionFold, l *ledger, before uint64) error {
	for {
		first, err := b.firstDeleted(f.groups, before)
		if err != nil || first == nil {
			return err
		}
		s := &subject{entity: first.Entity().String(), kind: ofGroup, of: []history.Entity{first.at}}
		deleted, err := b.newest(ctx, s, 1, events.TypeGroupDeleted)
		if err != nil || len(deleted) == 0 {
			return err
		}
		f.removeGroup(first.GroupRef)
		if err := l.update(f.object(), deleted[0]); err != nil {
			return err
		}
	}
}

// deletedGroup is a group of a transaction, and what the index says of it.
type deletedGroup struct {
	events.GroupRef
	at history.Entity
}

// firstDeleted returns the group of some that was deleted first, before a seq; nil if
// none was.
func (b *blaming) firstDeleted(groups []events.GroupRef, before uint64) (first *deletedGroup, err error) {
	for _, g := range groups {
		e, found, err := b.h.Index.Entity(g.Identity())
		if err != nil {
			return nil, err
		}
		if found && e.To != 0 && e.To < before && (first == nil || e.To < first.at.To) {
			first = &deletedGroup{g, e}
		}
	}
	return first, nil
}

// offset blames the last commit or reset, which sets all of an offset.
func (b *blaming) offset(ctx context.Context, s *subject, l *ledger) error {
	last, err := b.newest(ctx, s, 2)
	if err != nil {
		return err
	}
	for i, e := range last {
		o, ok := offsetOf(e)
		if ok {
			l.existed = true
			return l.update(o, e)
		}
		if i == 0 {
			l.deleted = &last[0]
		}
	}
	return nil
}

// offsetOf returns the offset that an event sets.
func offsetOf(e events.EventView) (events.Offset, bool) {
	o := events.Offset{CommittedAt: e.Time, Revision: e.Seq}
	switch p := e.Payload.(type) {
	case *events.OffsetCommitted:
		o.OffsetRef, o.OffsetInfo = p.OffsetRef, p.OffsetInfo
	case *events.OffsetReset:
		o.OffsetRef, o.OffsetInfo = p.OffsetRef, p.OffsetInfo
	default:
		return o, false
	}
	return o, true
}
