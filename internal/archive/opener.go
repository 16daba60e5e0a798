package archive

import (
	"context"
	"sync/atomic"
	"time"
)

// Opener opens an archive when it is needed. It is safe for concurrent use.
type Opener struct {
	opened atomic.Pointer[Archive]
	open   func(context.Context) (*Archive, error) // nil: no archive is known
	now    func() time.Time

	trying chan struct{} // has one slot, which is taken during a try
	err    error         // of the last try; for who has the slot
	failed time.Time     // when that was; for who has the slot
}

// retryAfter is for how long an archive that can't be opened is not tried again: who
// reads should not wait each time.
const retryAfter = 2 * time.Second

// openTimeout bounds a try.
const openTimeout = 15 * time.Second

// NewOpener returns an opener that uses open; nil if no archive is known.
func NewOpener(open func(context.Context) (*Archive, error)) *Opener {
	return &Opener{open: open, now: time.Now, trying: make(chan struct{}, 1)}
}

// Known reports whether there is an archive, open or not. It does not wait for a try
// to open it.
func (o *Opener) Known() bool { return o.open != nil || o.opened.Load() != nil }

// Opened returns the archive if it is open, or nil.
func (o *Opener) Opened() *Archive { return o.opened.Load() }

// Use makes a the archive from now on.
func (o *Opener) Use(a *Archive) { o.opened.Store(a) }

// Archive returns the archive, and opens it first if need be.
func (o *Opener) Archive(ctx context.Context) (*Archive, error) {
	if a := o.opened.Load(); a != nil {
		return a, nil
	}
	select {
	case o.trying <- struct{}{}:
		defer func() { <-o.trying }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if a := o.opened.Load(); a != nil {
		return a, nil
	}
	if o.err != nil && o.now().Sub(o.failed) < retryAfter {
		return nil, o.err
	}
	bounded, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	a, err := o.open(bounded)
	if err != nil {
		if ctx.Err() == nil {
			o.err, o.failed = err, o.now()
		}
		return nil, err
	}
	o.opened.Store(a)
	return a, nil
}
