package metalog

import (
	"context"
	"errors"

	"github.com/metalog/metalog/events"
)

// PlanUndo returns what [Store.Undo] would do now, and what stands in its way, and
// appends nothing. The ids in its events are not those that an undo would give.
func (s *Store) PlanUndo(ctx context.Context, opts UndoOptions, cmdOpts ...CommandOption) (UndoPlan, error) {
	o, err := undoCommandOptions(cmdOpts)
	if err != nil {
		return UndoPlan{}, err
	}
	p, err := s.planUndo(ctx, opts)
	if err != nil {
		return UndoPlan{}, err
	}
	return UndoPlan{p.summary(), p.events(o.Actor)}, nil
}

// Undo brings what a record changed back to what it was before: as one record whose
// cause is the undone one, or, where that is too small, as several, each whole.
// When it is interrupted in between, the same undo again goes on with what is
// missing; once all is back, it changes nothing.
//
// It is ErrConflict naming the records when later ones changed the same things,
// unless forced, and ErrInvalid for a record that can't be undone. An undo can be
// undone. It takes no command id: its seq serves as one.
func (s *Store) Undo(ctx context.Context, opts UndoOptions, cmdOpts ...CommandOption) (UndoReport, error) {
	o, err := undoCommandOptions(cmdOpts)
	if err != nil {
		return UndoReport{}, err
	}
	s.undoing.Lock() // the parts of two undos of one record must not mix
	defer s.undoing.Unlock()
	p, err := s.planUndo(ctx, opts)
	if err != nil {
		return UndoReport{}, err
	}
	report := UndoReport{UndoSummary: p.summary(), Results: []Result{}}
	if err := report.Refusal(opts.Force); err != nil || len(p.parts) == 0 {
		return report, err
	}
	o.Cause = &events.Position{Seq: opts.Seq}
	for i := range p.parts {
		result, err := s.undoPart(ctx, p, i, o)
		if err != nil {
			return report, err
		}
		report.Results = append(report.Results, result)
	}
	err = s.compareUndone(p)
	report.UndoSummary = p.summary()
	return report, err
}

// compareUndone replaces what the plan expected to differ by what does.
func (s *Store) compareUndone(p *undoPlan) (err error) {
	snapshot, err := s.db.Snapshot()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	return p.compare(&snapshot.Reader, p.after.made)
}

// undoPart appends one record of an undo.
func (s *Store) undoPart(ctx context.Context, p *undoPlan, i int, opts CommandOptions) (Result, error) {
	part, number := p.parts[i], len(p.after.parts)+1
	cmd := undo{
		Undoes: *opts.Cause, Part: number, Prior: p.after.parts, Force: p.opts.Force,
		Made: p.after.made, Steps: part.steps, Events: len(part.facts),
	}
	for _, f := range part.facts {
		if isCompletion(f.Event) {
			cmd.Events = 0
		}
	}
	opts.ID = undoID(p.opts.Seq, number, i == len(p.parts)-1)
	result, err := s.Execute(ctx, cmd, opts)
	if err != nil {
		return result, err
	}
	return result, p.after.read(ctx, s.log, result.Seq, result.Seq) // what it made anew
}

func undoCommandOptions(opts []CommandOption) (CommandOptions, error) {
	o := NewCommandOptions(opts...)
	if o.ID != "" || o.IfRevision != nil || o.Cause != nil {
		return o, events.Errorf(events.CodeInvalid, "it takes no command id, no expected revision and no cause; leave them out, the seq stands for all of them")
	}
	return o, o.validate()
}

// summary is the plan as others see it: lists without entries are empty.
func (p *undoPlan) summary() UndoSummary {
	s := p.UndoSummary
	s.Steps, s.Differs, s.Lost = notNil(s.Steps), notNil(s.Differs), notNil(s.Lost)
	s.Conflicts, s.UndoneBy = notNil(s.Conflicts), notNil(s.UndoneBy)
	return s
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
