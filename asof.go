package metalog

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// Point is a place in the log: a seq, a time or, the zero Point, now.
type Point = replay.Point

// At returns the views as they were at a point. Close it soon. It is
// ErrOutOfRange for a point beyond the head, or before the log's first record.
func (s *Store) At(ctx context.Context, at Point) (View, error) {
	if at.IsNow() {
		return s.View(ctx, 0)
	}
	seq, err := replay.Resolve(ctx, s.history, at)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.opts.Path, "asof-")
	if err != nil {
		return nil, events.Errorf(events.CodeUnavailable, "views at seq %d: %w", seq, err)
	}
	path := filepath.Join(dir, viewsFile)
	snap, found, err := s.snapshots.Nearest(seq)
	if err == nil && found {
		err = s.snapshots.Extract(ctx, snap, path)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	db, err := views.Open(views.Options{Path: path})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := projector.CatchUpTo(ctx, db, s.history, seq, nil); err != nil {
		return nil, errors.Join(err, db.Close(), os.RemoveAll(dir))
	}
	view, err := pin(db, func(r *views.Reader) (Info, error) { return infoOfViews(db, r) })
	if err != nil {
		return nil, errors.Join(err, db.Close(), os.RemoveAll(dir))
	}
	return &asOf{view, db, dir}, nil
}

// asOf is a view whose files go with it.
type asOf struct {
	View
	db  *views.DB
	dir string
}

func (a *asOf) Close() error {
	return errors.Join(a.View.Close(), a.db.Close(), os.RemoveAll(a.dir))
}

// reader gives the rows under the view.
func (a *asOf) reader() *views.Reader { return a.View.(*pinned).reader() }
