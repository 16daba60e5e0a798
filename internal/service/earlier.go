package service

import (
	"context"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// earlier gives views of which only so many of earlier states are waited for at a
// time: making one takes long, and reads of the present must find places meanwhile.
type earlier struct {
	timeViewer
	slots chan struct{} // one is taken by each read that waits
}

func (e earlier) At(ctx context.Context, at metalog.Point) (metalog.View, error) {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	default:
		return nil, events.Errorf(events.CodeUnavailable, "at %s: %d reads of earlier states are under way; try again when some have ended", at, cap(e.slots))
	}
	ctx, cancel := context.WithTimeout(ctx, atTimeout)
	defer cancel()
	return e.timeViewer.At(ctx, at)
}
