package archive

import (
	"context"
	"errors"
	"io"
	"sync"
)

var errInjected = errors.New("injected")

// faulty is a place of which one step fails, and all after it, as when the process
// died there. A step is a write or a removal; done tells whether the failing one
// happened nevertheless.
type faulty struct {
	Place
	mu    sync.Mutex
	left  int // steps that succeed; negative: all
	done  bool
	steps int // so many were asked for
}

func (f *faulty) step(do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps++
	switch {
	case f.left > 0:
		f.left--
		return do()
	case f.left < 0:
		return do()
	}
	if f.done {
		f.done = false
		_ = do()
	}
	return errInjected
}

func (f *faulty) Put(ctx context.Context, name string, write func(io.Writer) error) error {
	return f.step(func() error { return f.Place.Put(ctx, name, write) })
}

// Remove is a step for each file.
func (f *faulty) Remove(ctx context.Context, names ...string) error {
	for _, name := range names {
		if err := f.step(func() error { return f.Place.Remove(ctx, name) }); err != nil {
			return err
		}
	}
	return nil
}
