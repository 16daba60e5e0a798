package metalog

import (
	"context"
	"errors"
	"path/filepath"
	"time"

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
	state, err := s.asOf.At(ctx, seq)
	if err != nil {
		return nil, err
	}
	view, err := pin(state.DB(), func(r *views.Reader) (Info, error) { return s.infoAt(state, r) })
	if err != nil {
		return nil, errors.Join(err, state.Close())
	}
	view.file = state
	return view, nil
}

// infoAt tells what an earlier state held, and of the log what it is now.
func (s *Store) infoAt(state *replay.AsOfViews, r *views.Reader) (Info, error) {
	info, err := infoOfViews(state.DB(), r)
	if err != nil {
		return info, err
	}
	info.ViewsBytes = state.Bytes()
	return info, s.describeLog(&info)
}

// openAsOf opens the cache of earlier states.
func (s *Store) openAsOf() (err error) {
	s.asOf, err = replay.OpenAsOf(replay.AsOfOptions{
		Dir: filepath.Join(s.opts.Path, replay.AsOfDir), MaxBytes: s.opts.AsOfBytes,
		Log: s.history, Bases: s.bases(), Room: s.log.Room, Logger: s.opts.Logger,
	})
	return err
}
