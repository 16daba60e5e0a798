package replay

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/history"
)

// CascadeQuery asks for the tree of causes that an event or record stands in.
type CascadeQuery struct {
	Of EventRef `json:"of"`
	// After is the position of the last event of the page before.
	After *events.Position `json:"after,omitempty"`
}

// Cascade yields the tree that an event stands in: from the event that caused all
// of it, for which a command asked, down to every event that was caused by another
// one, in further records of a large cascade and in commands that were given because
// of an event too. Each event comes before those that it caused. Events of a record
// that nothing caused are roots beside each other.
//
// An error ends it: ErrNotFound for an event that is not there, ErrOutOfRange for one
// that is not there any more.
func (h Historian) Cascade(ctx context.Context, q CascadeQuery) iter.Seq2[TreeEvent, error] {
	head := h.Log.Head().Seq
	return func(yield func(TreeEvent, error) bool) {
		q := q // which moves on; the next range begins again
		err := h.indexed(ctx, head, func() error {
			return h.cascade(ctx, &q, head, func(e TreeEvent) bool {
				q.After = &events.Position{Seq: e.Seq, Index: e.Index}
				return yield(e, nil)
			})
		})
		if err != nil {
			yield(TreeEvent{}, err)
		}
	}
}

func (h Historian) cascade(ctx context.Context, q *CascadeQuery, head uint64, emit func(TreeEvent) bool) error {
	if q.Of.Seq > head {
		return events.Errorf(events.CodeNotFound, "seq %d: there is no such record; the last one is %d", q.Of.Seq, head)
	}
	t := tree{index: h.Index, records: &records{log: h.Log}, head: head}
	if q.After == nil {
		return t.begin(ctx, q.Of, emit)
	}
	path, err := t.climb(ctx, *q.After)
	if err == nil {
		t.besides(q.Of, path)
		_, err = t.walk(ctx, path, emit)
	}
	return err
}

// besides says whether what stands beside the root is asked for: the events of a
// record that nothing caused.
func (t *tree) besides(of EventRef, path []events.Position) {
	t.siblings = !of.One && path[0].Seq == of.Seq
}

// tree walks through events by their causes. A walk is where it stands and nothing
// else, so it can go on from any event.
type tree struct {
	index    *history.Index
	records  *records
	head     uint64
	siblings bool // roots of the same record are a part of it
}

// begin yields a whole tree.
func (t *tree) begin(ctx context.Context, of EventRef, emit func(TreeEvent) bool) error {
	o, err := t.records.at(ctx, of.Seq)
	if err != nil {
		return err
	}
	first := events.Position{Seq: of.Seq, Index: of.Index}
	if !of.One {
		first.Index = slices.IndexFunc(o.Facts, func(f events.RawFact) bool { return f.Cause == events.NoCause })
	}
	path, err := t.climb(ctx, first)
	if err != nil {
		return err
	}
	t.besides(of, path)
	n, err := t.node(ctx, path[0], nil)
	if err == nil {
		var more bool
		if more, err = t.emit(ctx, n, 0, emit); err == nil && more {
			_, err = t.walk(ctx, path[:1], emit)
		}
	}
	return err
}

// climb returns the events above an event, the root first, and itself as the last.
// It ends below what is not in log and archive any more, and below a cause that a
// command gave and that is no event before it. It is ErrNotFound when no event
// stands at the position.
func (t *tree) climb(ctx context.Context, at events.Position) ([]events.Position, error) {
	o, err := t.records.at(ctx, at.Seq)
	if err != nil {
		return nil, err
	}
	if at.Index < 0 || at.Index >= len(o.Facts) {
		return nil, events.Errorf(events.CodeNotFound, "event %s: the record has events 0 to %d", at, len(o.Facts)-1)
	}
	path := []events.Position{at}
	for {
		above, err := t.causeOf(ctx, o, path[len(path)-1])
		if err != nil {
			return nil, err
		}
		if above == nil {
			slices.Reverse(path)
			return path, nil
		}
		path = append(path, *above)
		if o, err = t.records.at(ctx, above.Seq); err != nil {
			return nil, err
		}
	}
}

// causeOf returns the event that caused an event of a record, or nil.
func (t *tree) causeOf(ctx context.Context, o *events.Outline, at events.Position) (*events.Position, error) {
	cause := o.CauseOf(at.Index)
	if cause == nil || cause.Seq == at.Seq && o.Facts[at.Index].Cause != events.NoCause {
		return cause, nil
	}
	if cause.Seq >= at.Seq || cause.Index < 0 || cause.Seq < t.records.log.First() {
		return nil, nil
	}
	above, err := t.records.at(ctx, cause.Seq)
	if err != nil || cause.Index >= len(above.Facts) {
		return nil, err
	}
	return cause, nil
}

// node is an event on the way of a walk.
type node struct {
	at   events.Position
	next *events.Position // the next one with the same cause, or nil
}

// walk yields all that comes after the last event of a path, which begins at the
// root or below it: what that event caused, and then what stands beside it and
// beside those above, but for the first. It reports whether the consumer wants more.
func (t *tree) walk(ctx context.Context, path []events.Position, emit func(TreeEvent) bool) (more bool, err error) {
	nodes := make([]node, len(path))
	for i := range path {
		var parent *events.Position
		if i > 0 {
			parent = &path[i-1]
		}
		if nodes[i], err = t.node(ctx, path[i], parent); err != nil {
			return false, err
		}
	}
	for len(nodes) > 0 {
		if nodes, err = t.step(ctx, nodes); err != nil || len(nodes) == 0 {
			return err == nil, err
		}
		more, err := t.emit(ctx, nodes[len(nodes)-1], len(nodes)-1, emit)
		if err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// step goes to the next event: down, else beside, else up and beside.
func (t *tree) step(ctx context.Context, nodes []node) ([]node, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	last := nodes[len(nodes)-1].at
	child, err := t.firstBelow(ctx, last)
	if err != nil {
		return nil, err
	}
	if child != nil {
		n, err := t.node(ctx, *child, &last)
		return append(nodes, n), err
	}
	for len(nodes) > 0 {
		i := len(nodes) - 1
		if next := nodes[i].next; next != nil {
			var parent *events.Position
			if i > 0 {
				parent = &nodes[i-1].at
			}
			nodes[i], err = t.node(ctx, *next, parent)
			return nodes, err
		}
		nodes = nodes[:i]
	}
	return nil, nil
}

// node finds what comes after an event with the same cause. Without a parent it is
// a root.
func (t *tree) node(ctx context.Context, at events.Position, parent *events.Position) (node, error) {
	n := node{at: at}
	o, err := t.records.at(ctx, at.Seq)
	if err != nil || parent == nil && !t.siblings {
		return n, err
	}
	cause := o.Facts[at.Index].Cause
	for i := at.Index + 1; i < len(o.Facts); i++ {
		if o.Facts[i].Cause == cause {
			n.next = &events.Position{Seq: at.Seq, Index: i}
			return n, nil
		}
	}
	if parent != nil {
		n.next, err = t.firstIn(ctx, *parent, at.Seq)
	}
	return n, err
}

// firstBelow returns the first event that an event caused, or nil.
func (t *tree) firstBelow(ctx context.Context, at events.Position) (*events.Position, error) {
	o, err := t.records.at(ctx, at.Seq)
	if err != nil {
		return nil, err
	}
	for i := at.Index + 1; i < len(o.Facts); i++ {
		if o.Facts[i].Cause == at.Index {
			return &events.Position{Seq: at.Seq, Index: i}, nil
		}
	}
	return t.firstIn(ctx, at, at.Seq)
}

// firstIn returns the first event of the first record after a seq that an event
// caused, or nil.
func (t *tree) firstIn(ctx context.Context, cause events.Position, after uint64) (*events.Position, error) {
	c, found, err := t.index.CausedBy(cause, after)
	if err != nil || !found || c.Seq > t.head {
		return nil, err
	}
	o, err := t.records.atOffset(ctx, c.Seq, c.Offset)
	if err != nil {
		return nil, err
	}
	first := slices.IndexFunc(o.Facts, func(f events.RawFact) bool { return f.Cause == events.NoCause })
	if o.Cause == nil || *o.Cause != cause || first < 0 {
		return nil, fmt.Errorf("%w: seq %d was not caused by %s", history.ErrDamaged, c.Seq, cause)
	}
	return &events.Position{Seq: c.Seq, Index: first}, nil
}

// emit yields one event.
func (t *tree) emit(ctx context.Context, n node, depth int, emit func(TreeEvent) bool) (bool, error) {
	o, err := t.records.at(ctx, n.at.Seq)
	if err != nil {
		return false, err
	}
	e, err := o.View(n.at.Index)
	if err != nil {
		return false, err
	}
	return emit(TreeEvent{EventView: e, Depth: depth, Last: n.next == nil}), nil
}

// root returns the event that an event goes back to, which may be itself.
func (t *tree) root(ctx context.Context, at events.Position) (events.EventView, error) {
	path, err := t.climb(ctx, at)
	if err != nil {
		return events.EventView{}, err
	}
	o, err := t.records.at(ctx, path[0].Seq)
	if err != nil {
		return events.EventView{}, err
	}
	return o.View(path[0].Index)
}
