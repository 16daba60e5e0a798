package archive

import (
	"context"

	"github.com/metalog/metalog/events"
)

// Pruning is what a prune takes away, and what is left.
type Pruning struct {
	First uint64      // the first record that is left
	Prev  events.Hash // of the frame before it
	Files []*Manifest // that go, the oldest first
}

// PlanPrune tells which files have nothing behind a seq.
func (a *Archive) PlanPrune(ctx context.Context, seq uint64) (Pruning, error) {
	have := a.have.Load()
	p := Pruning{First: have.state.First, Prev: have.state.Prev}
	for _, f := range have.files {
		if f.last > seq {
			break
		}
		m, err := a.manifestOf(ctx, f)
		if err != nil {
			return p, err
		}
		p.Files = append(p.Files, m)
		p.First, p.Prev = m.LastSeq+1, m.LastHash
	}
	return p, nil
}

// Prune moves the archive's first record. The state that tells so, with the base for
// what is left, is durable before the first file goes: a crash in between leaves
// files that don't count, and the next Sweep removes them. It is ErrConflict when a
// later epoch of the log than the given one has written to the archive.
func (a *Archive) Prune(ctx context.Context, p Pruning, base *Base, epoch uint64) error {
	if err := a.moveFirst(ctx, p, base, epoch); err != nil {
		return err
	}
	var names []string
	for _, m := range p.Files {
		names = append(names, m.name().manifest(), m.name().data())
	}
	return a.place.Remove(ctx, names...)
}

func (a *Archive) moveFirst(ctx context.Context, p Pruning, base *Base, epoch uint64) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	now, err := readState(ctx, a.place) // another store may have written since this was opened
	if err != nil {
		return err
	}
	if now.Epoch > epoch {
		return a.givenUp(now.Epoch, epoch)
	}
	have := *a.have.Load()
	have.state.Epoch = now.Epoch
	have.state.First, have.state.Prev, have.state.Base = p.First, p.Prev, base
	if err := putState(ctx, a.place, have.state); err != nil {
		return err
	}
	have.files = have.files[len(p.Files):]
	a.have.Store(&have)
	return nil
}
