package metalog

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// undoPlan is the plan of one undo while it is made: what it takes from the views
// before the record, the log after it, and the views now.
type undoPlan struct {
	UndoSummary
	opts    UndoOptions
	of      *undone
	targets []target // in the order of their events
	asked   map[target]events.Type
	was     map[target]row // the views before
	given   []UndoLoss     // what can't come back, whatever is done
	after   *aftermath
	done    map[target]bool // brought back by earlier undos
	parts   []undoPart
	seq     uint64      // of the first part, if nothing comes in between
	now     events.Time // of the plan
}

// undoPart is what one record of the undo brings back.
type undoPart struct {
	steps []undoStep
	facts []events.Fact
}

// planUndo makes a plan on the views as they are now, of which it tells how.
func (s *Store) planUndo(ctx context.Context, opts UndoOptions) (*undoPlan, error) {
	of, err := s.readUndone(ctx, opts.Seq)
	if err != nil {
		return nil, err
	}
	p := &undoPlan{opts: opts, of: of, asked: map[target]events.Type{}, was: map[target]row{}}
	p.Undoes = of.record()
	if err := p.readBefore(ctx, s); err != nil {
		return nil, err
	}
	p.after = newAftermath(of, p.lookedFor())
	head := s.history.Head().Seq
	if err := p.after.read(ctx, s.history, opts.Seq+1, head); err != nil {
		return nil, err
	}
	return p, p.readNow(ctx, s, head)
}

// readNow looks at the views as they are now: what stands in the way, and what the
// steps come to.
func (p *undoPlan) readNow(ctx context.Context, s *Store, head uint64) (err error) {
	if err := s.waitVisible(ctx, head); err != nil {
		return err
	}
	snapshot, err := s.db.Snapshot()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	if err := p.after.read(ctx, s.history, head+1, snapshot.Seq()); err != nil {
		return err
	}
	p.UndoneBy = p.after.parts
	if err := p.findConflicts(&snapshot.Reader); err != nil || p.blocked() {
		return err
	}
	if p.after.whole {
		return nil
	}
	p.seq, p.now = snapshot.Seq()+1, max(events.TimeOf(s.opts.Clock()), snapshot.Checkpoint().Time)
	d := decision{view: &snapshot.Reader, seq: p.seq, newID: s.opts.NewID, now: p.now, plan: true}
	steps, err := p.steps(&snapshot.Reader)
	if err != nil {
		return err
	}
	u := newUndoing(&d, p.opts.Force, p.after.made)
	if err := p.simulate(u, steps); err != nil || p.blocked() {
		return err
	}
	if err := p.addDerived(&snapshot.Reader); err != nil {
		return err
	}
	p.done = maps.Clone(p.after.done) // before this undo adds to it
	return p.compare(u.view, u.made)
}

func (p *undoPlan) blocked() bool {
	return slices.ContainsFunc(p.Conflicts, func(c UndoConflict) bool { return c.Blocks })
}

// steps makes the steps for what no earlier undo has brought back, in the order
// in which they are done.
func (p *undoPlan) steps(now *views.Reader) ([]undoStep, error) {
	var steps []undoStep
	configs := map[target]int{} // places in steps
	for _, t := range p.targets {
		if isDone(p.after.done, t) {
			continue
		}
		at := t
		if t.Kind == targetConfig {
			at = t.wholeConfig()
			if i, known := configs[at]; known {
				steps[i].Was = p.withKey(steps[i].Was.(configWas), t)
				continue
			}
			configs[at] = len(steps)
		}
		row, err := p.after.made.now(at).read(now)
		if err != nil {
			return nil, err
		}
		step := undoStep{Target: at, Was: p.was[t].value, Now: row.revision, Asked: p.asked[t]}
		if t.Kind == targetConfig {
			step.Was = p.withKey(configWas{Set: events.Config{}}, t)
		}
		steps = append(steps, step)
	}
	slices.SortStableFunc(steps, func(a, b undoStep) int { return cmp.Compare(undoOrder(a), undoOrder(b)) })
	return steps, nil
}

// withKey adds a key of a config.
func (p *undoPlan) withKey(was configWas, t target) configWas {
	config, _ := p.was[t].value.(events.Config)
	if value, isSet := config[t.Name]; isSet {
		was.Set[t.Name] = value
	} else {
		was.Unset = append(was.Unset, t.Name)
	}
	return was
}

// undoOrder says when a step is done: what others hang on before them, or after
// them when it goes. Assignments come after what is in their partitions: until an
// undo of several records is through, nobody leads, so nobody reads from or writes
// to a part of the topic.
func undoOrder(s undoStep) int {
	order := []targetKind{
		targetBroker, targetTopic, targetGroup, targetConfig, targetWatermarks, targetOffset, targetSegment, targetAssignment,
	}
	at := slices.Index(order, s.Target.Kind)
	if s.Was != nil {
		return at
	}
	switch s.Target.Kind {
	case targetBroker, targetGroup, targetTopic:
		return 2*len(order) - at
	case targetSegment: // those that replace it come first: no reader finds a gap
		return at + 1
	case targetAssignment:
		return at + 1
	}
	return at
}

// simulate does the steps on a scratch and cuts them into records.
func (p *undoPlan) simulate(u *undoing, steps []undoStep) error {
	const payload = events.MaxRecordPayload - 16<<10 // what is encoded then has other seqs and ids
	start := 0
	for i := range steps {
		from, before := len(u.facts), u.bytes
		if err := u.do(&steps[i]); err != nil {
			return p.takeRefusal(u, &steps[i], err)
		}
		if from > 0 && (len(u.facts) > events.MaxRecordEvents || u.bytes > payload) {
			p.parts = append(p.parts, undoPart{steps[start:i], u.nextRecord(from, before)})
			start = i
		}
	}
	if len(u.facts) > 0 {
		p.parts = append(p.parts, undoPart{steps[start:], u.facts})
	}
	for _, part := range p.parts {
		p.EventCount += len(part.facts)
		p.Steps = append(p.Steps, stepsOf(part.facts)...)
	}
	p.RecordCount = len(p.parts)
	return nil
}

// addDerived adds what the undo's own cascades change besides: as it is now is how
// it should stay.
func (p *undoPlan) addDerived(now *views.Reader) error {
	for _, part := range p.parts {
		for _, f := range part.facts {
			if !f.Derived {
				continue
			}
			for _, t := range changedBy(f.Event) {
				if err := p.add(p.after.made.before(t), f, now); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// takeRefusal makes a conflict of what a step was refused for, and finds whether
// force helps.
func (p *undoPlan) takeRefusal(u *undoing, step *undoStep, err error) error {
	if !errors.Is(err, ErrConflict) {
		return err
	}
	what := step.Target.String()
	c := UndoConflict{What: what, Why: strings.TrimPrefix(err.Error(), what+": "), Blocks: true}
	if !u.force {
		u.force = true // on the scratch only: the plan ends here
		c.NeedsForce = u.do(step) == nil
	}
	p.Conflicts = append(p.Conflicts, c)
	return nil
}

// nextRecord begins a new record with the events from an index on, and returns
// those before.
func (u *undoing) nextRecord(from, size int) []events.Fact {
	before := u.facts[:from:from]
	u.facts = slices.Clone(u.facts[from:])
	for i := range u.facts {
		if u.facts[i].Cause != events.NoCause {
			u.facts[i].Cause -= from
		}
	}
	u.applied, u.bytes = len(u.facts), u.bytes-size
	return before
}

// events are those of the plan, with the seqs that they would have now.
func (p *undoPlan) events(actor string) []events.EventView {
	list := make([]events.EventView, 0, p.EventCount)
	for i, part := range p.parts {
		rec := &events.Record{
			Seq: p.seq + uint64(i), Time: p.now, Facts: part.facts,
			Meta: events.Meta{Actor: actor, Cause: &events.Position{Seq: p.opts.Seq}},
		}
		for j := range rec.Facts {
			list = append(list, rec.View(j))
		}
	}
	return list
}
