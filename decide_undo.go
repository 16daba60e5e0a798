package metalog

import (
	"maps"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/views"
)

// undo is the command that brings targets back to what they were. [Store.Undo]
// gives it: as often as it takes to bring all of them back.
type undo struct {
	Undoes events.Position
	Part   int      // 1, 2, …
	Prior  []uint64 // the records of the parts before
	Force  bool     // also what may lose data
	Made   remade   // by the parts before
	Steps  []undoStep
	// Events is how many events the plan has for the steps; 0: not known, as their
	// cascade goes on in further records.
	Events int
}

// undoStep brings one target, or some keys of one config, back.
type undoStep struct {
	Target target
	Was    any    // its row before what is undone, nil if it was not there; of a config, a configWas
	Now    uint64 // its revision when the undo was planned; 0: it was not there
	// Asked is the type of the undone event when a command asked for the change of
	// just this target; 0: something else brought it about.
	Asked events.Type
}

// configWas is what keys of a config were before.
type configWas struct {
	Set   events.Config
	Unset []string
}

func (undo) Op() string { return "undo" }

func (undo) validate() error { return nil }

func (c undo) decide(d *decision) error {
	for i := range c.Steps {
		if err := c.asPlanned(d.view, &c.Steps[i]); err != nil {
			return err
		}
	}
	u := newUndoing(d, c.Force, c.Made)
	for i := range c.Steps {
		if err := u.do(&c.Steps[i]); err != nil {
			return err
		}
	}
	if c.Events != 0 && len(d.facts) != c.Events {
		return events.Errorf(events.CodeConflict, "undo of seq %d: what it depends on has changed since it was planned; plan it again", c.Undoes.Seq)
	}
	return nil
}

// asPlanned rejects when somebody else has changed a step's target since the undo
// was planned.
func (c undo) asPlanned(view *views.Reader, step *undoStep) error {
	now, err := c.Made.now(step.Target).read(view)
	if err != nil || now.revision == step.Now {
		return err
	}
	for _, seq := range c.Prior {
		if now.revision == seq {
			return nil
		}
	}
	return events.Errorf(events.CodeConflict, "undo of seq %d: %s has changed since it was planned; plan it again", c.Undoes.Seq, step.Target)
}

// undoing is an undo that is being decided: each step on what the steps before it
// come to. What is applied for that goes no further than the decision.
type undoing struct {
	*decision
	scratch *views.Tx
	applied int // of the events so far, to scratch
	force   bool
	made    remade
}

// newUndoing has d look at a scratch over its view from here on.
func newUndoing(d *decision, force bool, made remade) *undoing {
	u := &undoing{decision: d, scratch: d.view.Scratch(), force: force}
	u.made = remade{Topics: maps.Clone(made.Topics), Groups: maps.Clone(made.Groups)}
	d.view = &u.scratch.Reader
	return u
}

// do emits what brings a step's target back: nothing if it is as it was already,
// or if what it hangs on is gone.
func (u *undoing) do(step *undoStep) error {
	from, size := len(u.facts), u.bytes
	if err := u.restore(step); err != nil {
		return err
	}
	for _, f := range u.facts[from:] {
		n, err := payloadSize(f.Event)
		if err != nil {
			return err
		}
		size += n
	}
	u.bytes = size
	return u.apply()
}

func (u *undoing) restore(step *undoStep) error {
	t := u.made.now(step.Target)
	switch t.Kind {
	case targetTopic:
		return u.restoreTopic(t, step)
	case targetSegment:
		return u.restoreSegment(t, step)
	case targetAssignment:
		return u.restoreAssignment(t, step)
	case targetWatermarks:
		return u.restoreWatermarks(t, step)
	case targetGroup:
		return u.restoreGroup(t, step)
	case targetOffset:
		return u.restoreOffset(t, step)
	case targetConfig:
		return u.restoreConfig(t, step)
	}
	return u.restoreBroker(t, step)
}

// apply applies the events that it has not applied yet to the scratch. The end of
// a cascade stands among them only in a plan, and has nothing to end there.
func (u *undoing) apply() error {
	rec := &events.Record{Seq: u.seq, Time: u.now, Facts: u.facts}
	for ; u.applied < len(u.facts); u.applied++ {
		if isCompletion(u.facts[u.applied].Event) {
			continue
		}
		if err := projector.ApplyEvent(u.scratch, rec, u.applied); err != nil {
			return err
		}
	}
	return nil
}

// was returns a step's row as it was, nil if there was none.
func was[T any](step *undoStep) *T {
	if step.Was == nil {
		return nil
	}
	value := step.Was.(T)
	return &value
}
