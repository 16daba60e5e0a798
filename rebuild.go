package metalog

import (
	"context"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
)

// RebuildReport tells what a rebuild made.
type RebuildReport = replay.RebuildReport

// RebuildProgress tells how far a rebuild is.
type RebuildProgress = replay.RebuildProgress

// RebuildOrder says what [Store.Rebuild] makes.
type RebuildOrder struct {
	To    Point  `json:"to,omitzero"` // the zero Point is the head as it is then
	Out   string `json:"out"`         // the file, outside the data directory
	Force bool   `json:"force,omitempty"`

	Progress func(RebuildProgress) `json:"-"` // nil: nobody asks
}

// Rebuild makes a file of the views as they were at a point, from the nearest snapshot
// and the records after it; see [replay.Rebuild]. Writers go on meanwhile. One at a
// time: it is ErrUnavailable while another one is under way.
func (s *Store) Rebuild(ctx context.Context, order RebuildOrder) (RebuildReport, error) {
	if !s.rebuilding.TryLock() {
		return RebuildReport{}, events.Errorf(events.CodeUnavailable, "rebuild %s: another rebuild is under way; wait until it is done", order.Out)
	}
	defer s.rebuilding.Unlock()
	return replay.Rebuild(ctx, s.history, replay.RebuildOptions{
		To: order.To, Out: order.Out, Force: order.Force, Progress: order.Progress,
		DataDir: s.opts.Path, Bases: s.bases(), Logger: s.opts.Logger,
	})
}
