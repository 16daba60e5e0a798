package replay

import (
	"context"
	"iter"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/history"
)

// indexed yields the events of an entity that the index has, where what it says of
// them is what is looked for. Each is checked when it is read: a wrong row must not
// show another event.
func (p *pass) indexed(ctx context.Context, id events.Identity) source {
	return func(yield func(found, error) bool) {
		c := p.h.Index.Events(id, p.in, p.q.NewestFirst)
		for {
			hit, ok, err := c.Next()
			if err != nil {
				yield(found{}, err)
				return
			}
			if !ok {
				return
			}
			if !p.filter.wantsType(hit.Type, hit.Derived) || !p.subject.may(&hit) {
				continue
			}
			read := func() (*events.Outline, error) { return p.records.checked(ctx, id, hit) }
			if !yield(found{hit.Position, read}, nil) {
				return
			}
		}
	}
}

// scan yields the events of a high rate, by reading the segments that may have some.
func (p *pass) scan(ctx context.Context) source {
	return func(yield func(found, error) bool) {
		segs := p.h.Log.Segments()
		if p.q.NewestFirst {
			slices.Reverse(segs)
		}
		for _, seg := range segs {
			if seg.Last < p.in.Lo.Seq || seg.First > p.in.Hi.Seq {
				continue
			}
			may, err := p.h.Index.May(seg, p.in.Hi.Seq, p.subject.keys)
			if err != nil {
				yield(found{}, err)
				return
			}
			if !may {
				continue
			}
			if !p.scanSegment(ctx, seg, yield) || !yield(found{at: p.endOf(seg)}, nil) {
				return
			}
		}
	}
}

// endOf is the position up to which a scan of the segment has come. No event stands
// there.
func (p *pass) endOf(seg eventlog.Segment) events.Position {
	if p.q.NewestFirst {
		return history.Before(events.Position{Seq: max(seg.First, p.in.Lo.Seq)})
	}
	return history.Before(events.Position{Seq: min(seg.Last, p.in.Hi.Seq) + 1})
}

// scanSegment yields what one segment has, and reports whether to go on.
func (p *pass) scanSegment(ctx context.Context, seg eventlog.Segment, yield func(found, error) bool) bool {
	from, to := max(seg.First, p.in.Lo.Seq), min(seg.Last, p.in.Hi.Seq)
	if !p.q.NewestFirst {
		for m, err := range p.matches(ctx, from, to) {
			if err != nil {
				yield(found{}, err)
				return false
			}
			if !p.yieldMatches(m, yield) {
				return false
			}
		}
		return true
	}
	// Backwards: the frames of the segment that match are kept, about 8 MB at most.
	var kept []matching
	for m, err := range p.matches(ctx, from, to) {
		if err != nil {
			yield(found{}, err)
			return false
		}
		m.outline = nil // it is read again
		kept = append(kept, m)
	}
	for _, m := range slices.Backward(kept) {
		slices.Reverse(m.indexes)
		if !p.yieldMatches(m, yield) {
			return false
		}
	}
	return true
}

// matching is a record with events that a scan looks for.
type matching struct {
	seq     uint64
	encoded []byte
	outline *events.Outline // of encoded, until the next record is looked for; or nil
	indexes []int
}

func (m *matching) read() (*events.Outline, error) {
	if m.outline != nil {
		return m.outline, nil
	}
	m.outline = new(events.Outline)
	return m.outline, m.outline.Read(m.encoded)
}

func (p *pass) yieldMatches(m matching, yield func(found, error) bool) bool {
	for _, i := range m.indexes {
		at := events.Position{Seq: m.seq, Index: i}
		if history.Compare(at, p.in.Lo) < 0 || history.Compare(at, p.in.Hi) > 0 {
			continue
		}
		if !yield(found{at, m.read}, nil) {
			return false
		}
	}
	return true
}

// matches yields the records from one seq to another that have matching events.
func (p *pass) matches(ctx context.Context, from, to uint64) iter.Seq2[matching, error] {
	return func(yield func(matching, error) bool) {
		var o events.Outline
		for frame, err := range p.h.Log.Frames(ctx, from) {
			if err != nil {
				yield(matching{}, err)
				return
			}
			if frame.Seq > to {
				return
			}
			m := matching{seq: frame.Seq, encoded: frame.Encoded(), outline: &o}
			if err = o.Read(m.encoded); err == nil {
				m.indexes, err = p.match(&o)
			}
			if err != nil {
				yield(matching{}, err)
				return
			}
			if len(m.indexes) > 0 && !yield(m, nil) {
				return
			}
		}
	}
}

// match returns the events of a record that a scan looks for.
func (p *pass) match(o *events.Outline) (indexes []int, err error) {
	for i := range o.Facts {
		f := o.Facts[i]
		if f.Type != p.subject.high || !p.filter.wantsType(f.Type, f.Derived) {
			continue
		}
		place, err := o.Place(i)
		if err != nil {
			return nil, err
		}
		if p.subject.place(place) {
			indexes = append(indexes, i)
		}
	}
	return indexes, nil
}
