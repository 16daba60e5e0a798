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
	revision := []*events.EventView{f.assigned, f.logStart}
	high, err := b.newest(ctx, s, 1, events.TypeHighWatermarkAdvanced)
	if err != nil {
		return err
	}
	if len(high) > 0 {
		value := high[0].Payload.(*events.HighWatermarkAdvanced).HighWatermark
		if err := l.set("high_watermark", value, high[0]); err != nil {
			return err
		}
		revision = append(revision, &high[0])
	}
	var last *events.EventView
	for _, e := range revision {
		if e != nil && (last == nil || newer(*e, *last)) {
			last = e
		}
	}
	if last != nil {
		if err := l.set("revision", last.Seq, *last); err != nil {
			return err
		}
	}
	if l.deleted != nil || f.p.Leader == events.NoLeader {
		return nil
	}
	return b.completeLeader(ctx, f, l)
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

// completeTransaction takes groups out that were deleted: no event of the
// transaction says so.
func (b *blaming) completeTransaction(ctx context.Context, f *transactionFold, l *ledger) error {
	if f.txn == nil {
		return nil
	}
	for _, g := range append([]events.GroupRef(nil), f.groups...) {
		e, found, err := b.h.Index.Entity(g.Identity())
		if err != nil {
			return err
		}
		if !found || e.To == 0 || e.To > b.to {
			continue
		}
		s := &subject{entity: g.Entity().String(), kind: ofGroup, of: []history.Entity{e}}
		deleted, err := b.newest(ctx, s, 1, events.TypeGroupDeleted)
		if err != nil || len(deleted) == 0 {
			return err
		}
		f.removeGroup(g)
		if err := l.set("groups", f.txn.Groups, deleted[0]); err != nil {
			return err
		}
	}
	return nil
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
