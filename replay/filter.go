package replay

import (
	"context"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// criteria are what events can be selected by, as queries have it.
type criteria struct {
	From, To     uint64
	Since, Until Point
	Types        []string
	Actor        string
	Derived      *bool
	Cause        EventRef
	Limit        int
}

// filter is criteria made ready for one pass.
type filter struct {
	from, to uint64               // seqs, both of them included
	bounded  bool                 // from was asked for
	types    map[events.Type]bool // nil: all
	actor    string               // empty: all
	derived  *bool                // nil: both
	cause    EventRef             // zero: any, and none
}

// prepare reads criteria for a pass up to head. It is ErrOutOfRange when they reach
// back before the first record that is left: an answer from there on would pass for
// a whole one.
func (c criteria) prepare(ctx context.Context, log eventlog.Reader, head uint64) (f filter, err error) {
	if c.Limit < 0 {
		return f, events.Errorf(events.CodeInvalid, "limit %d: want a number of events, or 0 for all", c.Limit)
	}
	if err := c.areThere(log); err != nil {
		return f, err
	}
	f = filter{from: c.From, to: c.To, actor: c.Actor, derived: c.Derived, cause: c.Cause}
	f.bounded = c.From != 0 || !c.Since.IsNow()
	if f.from == 0 {
		f.from = log.First()
	}
	if f.to == 0 || f.to > head {
		f.to = head
	}
	if err := f.narrow(ctx, log, c.Since, c.Until); err != nil {
		return f, err
	}
	for _, name := range c.Types {
		t, err := events.ParseType(name)
		if err != nil {
			return f, err
		}
		if f.types == nil {
			f.types = map[events.Type]bool{}
		}
		f.types[t] = true
	}
	return f, nil
}

// areThere checks the seqs that were asked for.
func (c criteria) areThere(log eventlog.Reader) error {
	first := min(log.First(), log.Head().Seq) // nothing is gone from a log without records
	for _, seq := range []uint64{c.From, c.To, c.Since.Seq, c.Until.Seq} {
		if seq != 0 && seq < first {
			return eventlog.Gone(seq, first)
		}
	}
	if cause := c.Cause.Seq; cause != 0 && cause < first && c.From == 0 && c.Since.IsNow() {
		return events.Errorf(events.CodeOutOfRange, "cause %s: what it caused may be gone: %w", c.Cause, eventlog.Gone(cause, first))
	}
	return nil
}

// narrow takes the points between which events are wanted. Points beyond the head
// are no error: nothing has happened there yet.
func (f *filter) narrow(ctx context.Context, log eventlog.Reader, since, until Point) error {
	if !since.IsNow() {
		from, err := firstSince(ctx, log, since)
		if err != nil {
			return err
		}
		f.from = max(f.from, from)
	}
	if !until.IsNow() {
		to := until.Seq
		if to == 0 {
			var err error
			if to, err = lastBy(ctx, log, until, until.Time); err != nil {
				return err
			}
		}
		f.to = min(f.to, to)
	}
	return nil
}

// firstSince returns the first seq at or after a point.
func firstSince(ctx context.Context, log eventlog.Reader, since Point) (uint64, error) {
	if since.Seq != 0 {
		return since.Seq, nil
	}
	before, err := lastBy(ctx, log, since, since.Time-1)
	return before + 1, err
}

// lastBy returns the last seq of a time or before; point is what was asked for.
func lastBy(ctx context.Context, log eventlog.Reader, point Point, t events.Time) (uint64, error) {
	seq, err := log.SeqAt(ctx, t)
	if err == nil && seq < log.First() && log.First() > 1 {
		err = events.Errorf(events.CodeOutOfRange, "%s is before the first record that is left, %s; give a later time, or that seq", point, firstOf(ctx, log))
	}
	return seq, err
}

// wantsType is what can be told before an event is decoded.
func (f *filter) wantsType(t events.Type, derived bool) bool {
	return (f.types == nil || f.types[t]) && (f.derived == nil || *f.derived == derived)
}

// wantsCause is for where an event came from.
func (f *filter) wantsCause(actor string, cause *events.Position) bool {
	return (f.actor == "" || f.actor == actor) && (f.cause == EventRef{} || f.cause.names(cause))
}

// highRate reports whether events of a type are wanted that is of a high rate.
func (f *filter) highRate(t events.Type) bool {
	return t != 0 && f.wantsType(t, false) || f.wantsType(t, true)
}
