package replay

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/history"
)

// HistoryQuery asks for all that happened to an entity; of several conditions all
// have to hold.
type HistoryQuery struct {
	// Entity is what the history is of:
	//
	//	topic/NAME or topic/ID        a topic with its partitions, segments, watermarks and config
	//	topic/NAME/partition/N        what of that is about one partition
	//	topic/NAME/segment/ID         or about one segment
	//	group/ID or group/#NUMBER     a group with its offsets and config
	//	group/ID/offset/TOPIC/N       its offset in one partition
	//	broker/ID                     a broker with its config
	//	producer/ID                   a producer with its transactions
	//	transaction/TRANSACTIONAL-ID  the transactions of one transactional id
	//	config/SCOPE                  the config of cluster, topic/NAME, broker/ID or group/ID
	//	cluster                       what is about none of these
	//
	// A name is of all topics (groups) that have had it, one after the other; an id,
	// of one of them. What could be both is taken for a name that there has been.
	Entity string `json:"entity"`

	From    uint64   `json:"from,omitempty"`   // first seq; 0: where the history begins
	To      uint64   `json:"to,omitempty"`     // last seq; 0: the head
	Since   Point    `json:"since,omitzero"`   // first seq or time
	Until   Point    `json:"until,omitzero"`   // last seq or time
	Types   []string `json:"types,omitempty"`  // names of event types; none: all
	Actor   string   `json:"actor,omitempty"`  // empty: all
	Derived *bool    `json:"derived,omitzero"` // only derived events, or only others; nil: both
	Cause   EventRef `json:"cause,omitzero"`   // caused by this event, or by any of this record

	// NoHighRate leaves out what there may be very many of, and what takes long to
	// find: OffsetCommitted and HighWatermarkAdvanced.
	NoHighRate bool `json:"no_high_rate,omitempty"`
	// Cascade adds below each event what it caused, about other entities too, however
	// much that is. An event that stands below another one is not listed again.
	Cascade     bool `json:"cascade,omitempty"`
	NewestFirst bool `json:"newest_first,omitempty"`
	// After is the position of the last event of the page before.
	After *events.Position `json:"after,omitempty"`
	Limit int              `json:"limit,omitempty"` // 0: no limit

	// Reached, if not nil, is called now and then with the position up to which all
	// is looked through, when that took long and found nothing. False ends the query;
	// it goes on After that position.
	Reached func(events.Position) bool `json:"-"`
}

// TreeEvent is an event and where it stands in a tree of causes.
type TreeEvent struct {
	events.EventView
	Depth int  `json:"depth,omitempty"` // 0: a root
	Last  bool `json:"last,omitempty"`  // no other event has the same cause after it
}

// UnmarshalJSON reads what encoding/json wrote.
func (e *TreeEvent) UnmarshalJSON(data []byte) error {
	place := struct {
		Depth *int  `json:"depth"`
		Last  *bool `json:"last"`
	}{&e.Depth, &e.Last}
	return errors.Join(json.Unmarshal(data, &e.EventView), json.Unmarshal(data, &place))
}

// Historian answers questions about the past from a log and its index.
type Historian struct {
	Log   eventlog.Reader
	Index *history.Index
}

// History yields the events that a query selects, the oldest first unless it says
// otherwise, up to the head as it stands at the call. An error ends it: ErrNotFound
// for an entity that the log has never had, ErrInvalid for a query that means
// nothing, ErrOutOfRange when a part of the history is not in log and archive any
// more, and the log's own.
func (h Historian) History(ctx context.Context, q HistoryQuery) iter.Seq2[TreeEvent, error] {
	head := h.Log.Head().Seq
	return func(yield func(TreeEvent, error) bool) {
		q := q // which moves on; the next range begins again
		err := h.indexed(ctx, head, func() error {
			return h.history(ctx, &q, head, yield)
		})
		if err != nil {
			yield(TreeEvent{}, err)
		}
	}
}

// CatchUp brings the index up to a seq of the log, so that queries need not.
func (h Historian) CatchUp(ctx context.Context, to uint64) error {
	return h.indexed(ctx, to, func() error { return nil })
}

// indexed runs a query when the index is at head. Damage that it finds in the index
// is mended once, by making it anew; the query has to go on from where it was then.
func (h Historian) indexed(ctx context.Context, head uint64, query func() error) error {
	for again := false; ; again = true {
		generation := h.Index.Generation()
		err := h.Index.CatchUp(ctx, head)
		if err == nil {
			err = query()
		}
		switch {
		case !errors.Is(err, history.ErrDamaged):
			return err
		case again:
			return events.Errorf(events.CodeCorrupt, "%w, and it was just made anew; run 'metalog verify' on the data directory", err)
		}
		if err := h.Index.Remake(generation, err); err != nil {
			return err
		}
	}
}

// history is one go at a query. It moves q on with what it has yielded.
func (h Historian) history(ctx context.Context, q *HistoryQuery, head uint64, yield func(TreeEvent, error) bool) error {
	s, err := h.subject(q.Entity)
	if err != nil {
		return err
	}
	p, err := h.pass(ctx, q, s, head)
	if err != nil {
		return err
	}
	emit := func(e TreeEvent) bool {
		q.After = &events.Position{Seq: e.Seq, Index: e.Index}
		if !yield(e, nil) {
			return false
		}
		if q.Limit == 0 {
			return true
		}
		q.Limit--
		return q.Limit > 0
	}
	return p.run(ctx, emit)
}

// pass is a query on its way.
type pass struct {
	h       Historian
	q       *HistoryQuery
	subject *subject
	filter  filter
	in      history.Range
	records *records
	tree    tree
}

func (h Historian) pass(ctx context.Context, q *HistoryQuery, s *subject, head uint64) (*pass, error) {
	c := criteria{q.From, q.To, q.Since, q.Until, q.Types, q.Actor, q.Derived, q.Cause, q.Limit}
	f, err := c.prepare(ctx, h.Log, head)
	if err != nil {
		return nil, err
	}
	p := &pass{h: h, q: q, subject: s, filter: f, records: &records{log: h.Log}}
	p.tree = tree{index: h.Index, records: p.records, head: head}
	p.in = history.Range{Lo: events.Position{Seq: f.from}, Hi: events.Position{Seq: f.to, Index: math.MaxUint16}}
	return p, nil
}

// run yields what is left of the query.
func (p *pass) run(ctx context.Context, emit func(TreeEvent) bool) error {
	after := p.q.After
	if first := p.h.Log.First(); after != nil && history.After(*after).Seq < first {
		return eventlog.Gone(after.Seq, first)
	}
	if after != nil && p.q.Cascade {
		top, more, err := p.finishCascade(ctx, *after, emit)
		if err != nil || !more {
			return err
		}
		after = &top
	}
	switch {
	case after != nil && p.q.NewestFirst:
		p.in.Hi = earlier(p.in.Hi, history.Before(*after))
	case after != nil:
		p.in.Lo = later(p.in.Lo, history.After(*after))
	}
	begins := after == nil || p.q.NewestFirst // it wants the history's beginning
	if begins && !p.q.NewestFirst {
		if err := p.reachesBack(); err != nil {
			return err
		}
	}
	more, err := p.merge(ctx, emit)
	if err == nil && more && begins && p.q.NewestFirst {
		err = p.reachesBack()
	}
	return err
}

// reachesBack is ErrOutOfRange when the history begins before what can be read,
// and the query does not say where to begin. Namesakes that were gone by then are not
// missed, unless there is nobody else.
func (p *pass) reachesBack() error {
	first := max(p.h.Log.First(), p.h.Index.First())
	if p.filter.bounded || first <= 1 {
		return nil
	}
	missed := true
	for _, e := range p.subject.of {
		if e.To != 0 && e.To < first {
			continue
		}
		if missed = !e.Begun || e.From < first; missed {
			break
		}
	}
	if !missed {
		return nil
	}
	return events.Errorf(events.CodeOutOfRange, "%s: its history may begin before seq %d, where log and archive begin; ask for its events from seq %d on", p.subject.entity, first, first)
}

func earlier(a, b events.Position) events.Position {
	if history.Compare(a, b) < 0 {
		return a
	}
	return b
}

func later(a, b events.Position) events.Position {
	if history.Compare(a, b) > 0 {
		return a
	}
	return b
}
