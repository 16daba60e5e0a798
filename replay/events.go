package replay

import (
	"context"
	"iter"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// Query selects events. The zero value selects all; of several conditions all have
// to hold.
type Query struct {
	From    uint64           `json:"from,omitempty"`   // first seq; 0: the log's first
	To      uint64           `json:"to,omitempty"`     // last seq; 0: the head
	Since   Point            `json:"since,omitzero"`   // first seq or time; zero: the log's first
	Until   Point            `json:"until,omitzero"`   // last seq or time; zero: the head
	Types   []string         `json:"types,omitempty"`  // names of event types; none: all
	Entity  events.EntityRef `json:"entity,omitzero"`  // zero: all
	Actor   string           `json:"actor,omitempty"`  // empty: all
	Derived *bool            `json:"derived,omitzero"` // only derived events, or only others; nil: both
	Cause   EventRef         `json:"cause,omitzero"`   // caused by this event, or by any of this record; zero: all
	Limit   int              `json:"limit,omitempty"`  // 0: no limit
}

// Events yields the events of a log that a query selects, in order, up to the
// head as it stands at the call. It takes constant memory. An error ends it:
// ErrInvalid for an unknown type or a negative limit, ErrOutOfRange for seqs and times that the log does
// not have any more, or for a From that it does not have yet, and the log's own.
func Events(ctx context.Context, log eventlog.Reader, query Query) iter.Seq2[events.EventView, error] {
	return func(yield func(events.EventView, error) bool) {
		s, err := newSelection(ctx, log, query)
		if err == nil {
			err = s.run(ctx, log, yield)
		}
		if err != nil {
			yield(events.EventView{}, err)
		}
	}
}

// selection is a query made ready for one pass.
type selection struct {
	filter
	entity events.EntityRef // zero: all
	left   int              // events still wanted; negative: no limit
}

// Resolve returns the query with seqs for its points, as the log has it now.
func (q Query) Resolve(ctx context.Context, log eventlog.Reader) (Query, error) {
	f, err := q.criteria().prepare(ctx, log, log.Head().Seq)
	q.From, q.To, q.Since, q.Until = f.from, f.to, Point{}, Point{}
	return q, err
}

func (q Query) criteria() criteria {
	return criteria{q.From, q.To, q.Since, q.Until, q.Types, q.Actor, q.Derived, q.Cause, q.Limit}
}

func newSelection(ctx context.Context, log eventlog.Reader, q Query) (*selection, error) {
	f, err := q.criteria().prepare(ctx, log, log.Head().Seq)
	if err != nil {
		return nil, err
	}
	s := &selection{filter: f, entity: q.Entity, left: q.Limit}
	if s.left == 0 {
		s.left = -1
	}
	return s, nil
}

// run yields what is selected, decoding no more than that and what is almost that.
func (s *selection) run(ctx context.Context, log eventlog.Reader, yield func(events.EventView, error) bool) error {
	if s.from > s.to && s.from <= log.Head().Seq+1 {
		return nil
	}
	var o events.Outline
	for frame, err := range log.Frames(ctx, s.from) {
		if err != nil {
			return err
		}
		if frame.Seq > s.to {
			return nil
		}
		if err := o.Read(frame.Encoded()); err != nil {
			return err
		}
		if more, err := s.yield(&o, yield); err != nil || !more {
			return err
		}
	}
	return nil
}

// yield yields what is selected of a record, and reports whether to go on.
func (s *selection) yield(o *events.Outline, yield func(events.EventView, error) bool) (more bool, err error) {
	for i := range o.Facts {
		if !s.wantsType(o.Facts[i].Type, o.Facts[i].Derived) {
			continue
		}
		e, err := o.View(i)
		if err != nil {
			return false, err
		}
		if !s.wantsCause(e.Actor, e.Cause) || s.entity != (events.EntityRef{}) && s.entity != e.Entity {
			continue
		}
		if !yield(e, nil) {
			return false, nil
		}
		if s.left--; s.left == 0 {
			return false, nil
		}
	}
	return true, nil
}
