package metalog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// Point is a place in the log: a seq, a time or, the zero Point, now.
type Point = replay.Point

// ParsePoint reads a point as people write it; see [replay.ParsePoint].
func ParsePoint(s string, now time.Time) (Point, error) { return replay.ParsePoint(s, now) }

// At implements [MetadataStore]. The view is for one goroutine at a time.
func (s *Store) At(ctx context.Context, at Point) (View, error) {
	if at.IsNow() {
		return s.View(ctx, 0)
	}
	seq, err := replay.Resolve(ctx, s.history, at)
	if err != nil {
		return nil, err
	}
	if seq == s.history.Head().Seq {
		view, err := s.View(ctx, seq)
		if err != nil || view.Seq() == seq {
			return view, err
		}
		if err := view.Close(); err != nil { // the store has gone on meanwhile
			return nil, err
		}
	}
	return asView(s.pinAt(ctx, seq))
}

// pinAt makes a view of an earlier state.
func (s *Store) pinAt(ctx context.Context, seq uint64) (*pinned, error) {
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
	view.file = &asOf{db, dir}
	return view, nil
}

// asOf is a view whose files go with it.
type asOf struct {
	db  *views.DB
	dir string
}

func (a *asOf) Close() error {
	return errors.Join(a.db.Close(), os.RemoveAll(a.dir))
}
