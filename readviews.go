package metalog

import (
	"context"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// ViewsOptions are how to read views that somebody else keeps up.
type ViewsOptions struct {
	// Wait returns nil once the views have a seq, or says why they never will.
	// nil: wait for the views until the context is done.
	Wait func(ctx context.Context, seq uint64) error
	// Describe completes an Info by what the views don't know. It is called from
	// many goroutines.
	Describe func(*Info) error
}

// Views are typed reads over views, as a store has them over its own: for a
// replica, which publisher.Follow keeps up. All methods are safe for concurrent
// use.
type Views struct {
	queries
	db   *views.DB
	opts ViewsOptions
}

var _ Reader = (*Views)(nil)

// ReadViews returns reads over db, which stays its owner's to close.
func ReadViews(db *views.DB, opts ViewsOptions) *Views {
	if opts.Wait == nil {
		opts.Wait = db.WaitPublished
	}
	if opts.Describe == nil {
		opts.Describe = func(*Info) error { return nil }
	}
	v := &Views{db: db, opts: opts}
	acquire := func(context.Context) (*views.Reader, func() error, error) { return snapshotOf(db) }
	v.queries = queries{acquire, v.infoOf}
	return v
}

// View pins the views as they are now, and at least at minSeq: it waits for
// that. The view is for one goroutine at a time; close it soon.
func (v *Views) View(ctx context.Context, minSeq uint64) (View, error) {
	if err := v.opts.Wait(ctx, minSeq); err != nil {
		if ctx.Err() != nil {
			err = events.Errorf(events.CodeUnavailable, "the views did not reach seq %d: %w", minSeq, err)
		}
		return nil, err
	}
	return asView(pin(v.db, v.infoOf))
}

func (v *Views) infoOf(r *views.Reader) (Info, error) {
	info, err := infoOfViews(v.db, r)
	if err == nil {
		err = v.opts.Describe(&info)
	}
	return info, err
}
