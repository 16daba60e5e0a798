package replay

import (
	"context"
	"iter"

	"github.com/metalog/metalog/events"
)

// Query selects events. The zero value selects all.
type Query struct {
	From   uint64           `json:"from,omitempty"`  // first seq; 0: the log's first
	To     uint64           `json:"to,omitempty"`    // last seq; 0: the head
	Types  []string         `json:"types,omitempty"` // names of event types; none: all
	Entity events.EntityRef `json:"entity,omitzero"` // zero: all
	Limit  int              `json:"limit,omitempty"` // 0: no limit
}

// Events yields the events of a log that a query selects, in order, up to the
// head as it stands at the call. It takes constant memory. An error ends it:
// ErrInvalid for an unknown type, ErrOutOfRange for a From that is not in the
// log, and the log's own.
func Events(ctx context.Context, log events.Reader, query Query) iter.Seq2[events.EventView, error] {
	return func(yield func(events.EventView, error) bool) {
		s, err := newSelection(log, query)
		if err != nil {
			yield(events.EventView{}, err)
			return
		}
		for rec, err := range log.Records(ctx, s.from) {
			if err != nil {
				yield(events.EventView{}, err)
				return
			}
			if rec.Seq > s.to || !s.yield(rec, yield) {
				return
			}
		}
	}
}

// selection is a query made ready for one pass.
type selection struct {
	from, to uint64
	types    map[events.Type]bool // nil: all
	entity   events.EntityRef
	left     int // events still wanted; negative: no limit
}

func newSelection(log events.Reader, query Query) (*selection, error) {
	s := &selection{from: query.From, to: query.To, entity: query.Entity, left: query.Limit}
	if s.from == 0 {
		s.from = log.First()
	}
	if s.to == 0 {
		s.to = log.Head().Seq
	}
	if s.left == 0 {
		s.left = -1
	}
	for _, name := range query.Types {
		t, err := events.ParseType(name)
		if err != nil {
			return nil, err
		}
		if s.types == nil {
			s.types = map[events.Type]bool{}
		}
		s.types[t] = true
	}
	return s, nil
}

// yield yields what is selected of a record, and reports whether to go on.
func (s *selection) yield(rec *events.Record, yield func(events.EventView, error) bool) bool {
	for i := range rec.Facts {
		if !s.selects(rec.Facts[i].Event) {
			continue
		}
		if !yield(rec.View(i), nil) {
			return false
		}
		if s.left--; s.left == 0 {
			return false
		}
	}
	return true
}

func (s *selection) selects(e events.Event) bool {
	if s.types != nil && !s.types[e.Type()] {
		return false
	}
	return s.entity == (events.EntityRef{}) || s.entity == e.Entity()
}
