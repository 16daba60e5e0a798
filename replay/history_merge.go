package replay

import (
	"context"
	"errors"
	"iter"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/history"
)

// found is an event that may be selected, or, without an outline, a position up to
// which there are no more of its source.
type found struct {
	at      events.Position
	outline func() (*events.Outline, error)
}

// source yields what it finds in the order of the query.
type source = iter.Seq2[found, error]

// merge yields the events of all sources in order, and reports whether that was all
// of them: false when the consumer wants no more.
func (p *pass) merge(ctx context.Context, emit func(TreeEvent) bool) (all bool, err error) {
	for f, err := range merged(p.sources(ctx), p.before) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return false, err
		}
		more, err := p.take(ctx, f, emit)
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// before is the order of the query.
func (p *pass) before(a, b events.Position) bool {
	if p.q.NewestFirst {
		a, b = b, a
	}
	return history.Compare(a, b) < 0
}

func (p *pass) sources(ctx context.Context) []source {
	var all []source
	for _, e := range p.subject.of {
		all = append(all, p.indexed(ctx, e.Identity))
	}
	if s := p.subject; s.high != 0 && !p.q.NoHighRate && p.filter.highRate(s.high) {
		all = append(all, p.scan(ctx))
	}
	return all
}

// merged yields what sources, each of them in order, have found, in order.
func merged(sources []source, before func(a, b events.Position) bool) source {
	return func(yield func(found, error) bool) {
		var heads []*head
		for _, s := range sources {
			next, stop := iter.Pull2(s)
			defer stop()
			if h := (&head{next: next}); h.advance() {
				heads = append(heads, h)
			}
		}
		for len(heads) > 0 {
			first := 0
			for i, h := range heads {
				if h.err != nil || heads[first].err == nil && before(h.at, heads[first].at) {
					first = i
				}
			}
			h := heads[first]
			if !yield(h.found, h.err) || h.err != nil {
				return
			}
			if !h.advance() {
				heads = append(heads[:first], heads[first+1:]...)
			}
		}
	}
}

// head is the next of a source.
type head struct {
	next func() (found, error, bool)
	found
	err error
}

func (h *head) advance() (ok bool) {
	h.found, h.err, ok = h.next()
	return ok
}

// take yields an event if it is selected, and what it caused if that is wanted. It
// reports whether to go on.
func (p *pass) take(ctx context.Context, f found, emit func(TreeEvent) bool) (more bool, err error) {
	if f.outline == nil {
		return p.q.Reached == nil || p.q.Reached(f.at), nil
	}
	o, err := f.outline()
	if err != nil {
		return false, err
	}
	e, err := o.View(f.at.Index)
	if err != nil || !p.subject.has(e.Payload) || !p.filter.wantsCause(e.Actor, e.Cause) {
		return err == nil, err
	}
	if !p.q.Cascade {
		return emit(TreeEvent{EventView: e}), nil
	}
	return p.takeCascade(ctx, f.at, e, emit)
}

// takeCascade yields an event and all that it caused, unless it stands below
// another event of the entity.
func (p *pass) takeCascade(ctx context.Context, at events.Position, e events.EventView, emit func(TreeEvent) bool) (more bool, err error) {
	path, err := p.tree.climb(ctx, at)
	if err != nil {
		return false, err
	}
	if top, _, err := p.top(ctx, path); err != nil || top != at {
		return err == nil, err
	}
	if !emit(TreeEvent{EventView: e}) {
		return false, nil
	}
	return p.tree.walk(ctx, path[len(path)-1:], emit)
}

// top returns the highest event, from an event up, that is selected and about the
// entity, and whether there is one.
func (p *pass) top(ctx context.Context, path []events.Position) (events.Position, bool, error) {
	for _, at := range path {
		selected, err := p.selects(ctx, at)
		if err != nil || selected {
			return at, selected, err
		}
	}
	return events.Position{}, false, nil
}

// selects reports whether the query selects the event at a position.
func (p *pass) selects(ctx context.Context, at events.Position) (bool, error) {
	o, err := p.records.at(ctx, at.Seq)
	if err != nil {
		return false, err
	}
	f := o.Facts[at.Index]
	if !p.filter.wantsType(f.Type, f.Derived) || at.Seq < p.filter.from || at.Seq > p.filter.to || p.q.NoHighRate && f.Type.HighRate() {
		return false, nil
	}
	e, err := o.View(at.Index)
	return err == nil && p.subject.owns(e.Payload) && p.subject.has(e.Payload) && p.filter.wantsCause(e.Actor, e.Cause), err
}

// finishCascade yields what is left, after an event, of the cascade that it stands
// in, and returns the event on top of that: where the query goes on.
func (p *pass) finishCascade(ctx context.Context, after events.Position, emit func(TreeEvent) bool) (top events.Position, more bool, err error) {
	path, err := p.tree.climb(ctx, after)
	if errors.Is(err, events.ErrNotFound) {
		return after, true, nil // a place that was reached, no event
	}
	if err != nil {
		return after, false, err
	}
	top, found, err := p.top(ctx, path)
	if err != nil || !found {
		return after, err == nil, err
	}
	for path[0] != top {
		path = path[1:]
	}
	more, err = p.tree.walk(ctx, path, emit)
	return top, more, err
}
