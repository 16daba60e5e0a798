package replay

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/history"
)

// BlameReport tells for each field of an entity which event gave it the value that
// it has.
type BlameReport struct {
	Entity string      `json:"entity"` // as it was asked for
	Seq    uint64      `json:"seq"`    // of the state
	Time   events.Time `json:"time"`   // of that record
	// Deleted is the event that deleted the entity, nil while it is there. The fields
	// are then as they were before.
	Deleted *Blamed      `json:"deleted"`
	Fields  []BlameField `json:"fields"`
}

// BlameField is a field, with the name that describing the entity gives it; keys of
// a map are fields of their own, config.KEY.
type BlameField struct {
	Field string          `json:"field"`
	Value json.RawMessage `json:"value"`
	Blamed
}

// Blamed is an event, and what it goes back to.
type Blamed struct {
	Seq     uint64           `json:"seq"`
	Index   int              `json:"index"`
	Type    string           `json:"type"`
	Time    events.Time      `json:"time"`
	Actor   string           `json:"actor"`
	Entity  events.EntityRef `json:"entity"`
	Derived bool             `json:"derived"`
	// Root is the event that caused it, directly or through others; nil when a command
	// asked for it.
	Root *Blamed `json:"root"`
}

// Blame tells for each field of an entity, as HistoryQuery.Entity names one, which
// event gave it its value: one that set the same value again does not count, but for
// offsets and high watermarks, where the last event does. at is when to look at the
// entity. Of namesakes it is the last one. A transaction's producer is asked for by
// transactional id, and a cluster has its config.
//
// It is ErrNotFound for what did not exist then, and ErrOutOfRange when its
// history is not whole in log and archive any more.
func (h Historian) Blame(ctx context.Context, entity string, at Point) (report BlameReport, err error) {
	head := h.Log.Head().Seq
	if !at.IsNow() {
		if head, err = Resolve(ctx, h.Log, at); err != nil {
			return report, err
		}
	}
	err = h.indexed(ctx, head, func() error {
		b := blaming{h: h, to: head, records: &records{log: h.Log}}
		b.tree = tree{index: h.Index, records: b.records, head: head}
		report, err = b.blame(ctx, entity)
		return err
	})
	return report, err
}

// blaming is one blame on its way.
type blaming struct {
	h       Historian
	to      uint64
	records *records
	tree    tree
}

func (b *blaming) blame(ctx context.Context, entity string) (BlameReport, error) {
	report := BlameReport{Entity: entity, Seq: b.to}
	s, err := b.subject(entity)
	if err != nil {
		return report, err
	}
	f := newFold(s)
	l := &ledger{fold: f}
	if err := b.fold(ctx, s, l); err != nil {
		return report, err
	}
	switch f := f.(type) {
	case *partitionFold:
		err = b.completePartition(ctx, s, f, l)
	case *transactionFold:
		err = b.dropGroups(ctx, f, l, b.to+1)
	case *offsetFold:
		err = b.offset(ctx, s, l)
	}
	if err == nil && !l.existed && s.kind == ofConfig {
		err = events.Errorf(events.CodeNotFound, "%s: nothing of it was ever set by seq %d; 'metalog config set' sets it", entity, b.to)
	}
	if err == nil && !l.existed {
		err = events.Errorf(events.CodeNotFound, "%s: it did not exist at seq %d; 'metalog history' shows what there is", entity, b.to)
	}
	if err != nil {
		return report, err
	}
	return report, b.fill(ctx, &report, l)
}

// subject finds what is blamed: of namesakes the last that has begun.
func (b *blaming) subject(entity string) (*subject, error) {
	if strings.HasPrefix(entity, string(ofProducer)+"/") {
		return nil, events.Errorf(events.CodeInvalid, "%s has no fields; blame transaction/TRANSACTIONAL-ID, of a transactional id that it has used", entity)
	}
	s, err := b.h.subject(entity)
	if err != nil {
		return nil, err
	}
	switch s.kind {
	case ofCluster:
		s.kind, s.scope = ofConfig, &events.EntityRef{Kind: events.KindCluster}
	case ofTransaction:
		return s, nil // of all producers that it has had
	}
	for len(s.of) > 1 && s.of[len(s.of)-1].From > b.to {
		s.of = s.of[:len(s.of)-1]
	}
	last, place := s.of[len(s.of)-1], s.place
	s.of = []history.Entity{last}
	s.place = func(at events.Place) bool {
		return place(at) && (last.Kind == events.KindTopic && at.TopicID == last.TopicID || last.Kind == events.KindGroup && int64(at.GroupID) == last.Number)
	}
	return s, nil
}

// fold has the ledger take all events of the subject but those of a high rate.
func (b *blaming) fold(ctx context.Context, s *subject, l *ledger) error {
	types := l.fold.types()
	if len(types) == 0 {
		return nil
	}
	wide := *s
	wide.also = map[events.Type]bool{}
	q := HistoryQuery{Entity: s.entity, NoHighRate: true}
	for _, t := range types {
		q.Types = append(q.Types, t.String())
		wide.also[t] = wholeEntity[t]
	}
	return b.each(ctx, &wide, q, func(e events.EventView) error {
		if f, ok := l.fold.(*transactionFold); ok {
			if err := b.dropGroups(ctx, f, l, e.Seq); err != nil {
				return err
			}
		}
		return l.take(e)
	})
}

// wholeEntity are types of events that change a part of an entity by changing all of
// it: they begin and end partitions, segments and configs.
var wholeEntity = map[events.Type]bool{
	events.TypeTopicCreated: true, events.TypePartitionsAdded: true, events.TypeTopicDeleted: true,
	events.TypeGroupDeleted: true, events.TypeBrokerRegistered: true, events.TypeBrokerRemoved: true,
}

// each calls take with the events that a query selects of a subject.
func (b *blaming) each(ctx context.Context, s *subject, q HistoryQuery, take func(events.EventView) error) error {
	q.To = b.to
	p, err := b.h.pass(ctx, &q, s, b.to)
	if err != nil {
		return err
	}
	left := q.Limit
	var failure error
	err = p.run(ctx, func(e TreeEvent) bool {
		failure = take(e.EventView)
		left--
		return failure == nil && left != 0
	})
	if failure != nil {
		return failure
	}
	return err
}

// newest returns the last events of a subject, at most n, of some types or all.
func (b *blaming) newest(ctx context.Context, s *subject, n int, types ...events.Type) (list []events.EventView, err error) {
	q := HistoryQuery{Entity: s.entity, NewestFirst: true, Limit: n}
	for _, t := range types {
		q.Types = append(q.Types, t.String())
	}
	err = b.each(ctx, s, q, func(e events.EventView) error {
		list = append(list, e)
		return nil
	})
	return list, err
}

// fill writes the report of what was found out.
func (b *blaming) fill(ctx context.Context, report *BlameReport, l *ledger) error {
	at, err := b.records.at(ctx, b.to)
	if err != nil {
		return err
	}
	report.Time = at.Time
	if l.deleted != nil {
		deleted, err := b.blamed(ctx, *l.deleted)
		if err != nil {
			return err
		}
		report.Deleted = &deleted
	}
	for _, f := range l.fields {
		field := BlameField{Field: f.name, Value: f.value}
		if field.Blamed, err = b.blamed(ctx, f.by); err != nil {
			return err
		}
		report.Fields = append(report.Fields, field)
	}
	return nil
}

// blamed describes an event, with what it goes back to.
func (b *blaming) blamed(ctx context.Context, e events.EventView) (Blamed, error) {
	blamed := blamedOf(e)
	if e.Cause == nil {
		return blamed, nil
	}
	root, err := b.tree.root(ctx, events.Position{Seq: e.Seq, Index: e.Index})
	if err == nil && (root.Seq != e.Seq || root.Index != e.Index) {
		r := blamedOf(root)
		blamed.Root = &r
	}
	return blamed, err
}

func blamedOf(e events.EventView) Blamed {
	return Blamed{Seq: e.Seq, Index: e.Index, Type: e.Type, Time: e.Time, Actor: e.Actor, Entity: e.Entity, Derived: e.Derived}
}

func newer(a, b events.EventView) bool {
	return a.Seq > b.Seq || a.Seq == b.Seq && a.Index > b.Index
}
