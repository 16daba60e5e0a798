package replay

import (
	"context"
	"fmt"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/history"
)

// records reads single records of a log, and keeps some of the last: events of one
// entity often share one, and their causes do.
type records struct {
	log  eventlog.Reader
	kept [8]*events.Outline
	next int // of kept, to be replaced
}

func (r *records) find(seq uint64) *events.Outline {
	for _, o := range r.kept {
		if o != nil && o.Seq == seq {
			return o
		}
	}
	return nil
}

func (r *records) keep(encoded []byte) (*events.Outline, error) {
	o := new(events.Outline)
	if err := o.Read(encoded); err != nil {
		return nil, err
	}
	r.kept[r.next] = o
	r.next = (r.next + 1) % len(r.kept)
	return o, nil
}

// at reads the record of a seq.
func (r *records) at(ctx context.Context, seq uint64) (*events.Outline, error) {
	if o := r.find(seq); o != nil {
		return o, nil
	}
	for frame, err := range r.log.Frames(ctx, seq) {
		if err != nil {
			return nil, err
		}
		return r.keep(frame.Encoded())
	}
	return nil, events.Errorf(events.CodeNotFound, "seq %d: there is no such record; 'metalog info' shows the last one", seq)
}

// atOffset reads the record of a seq where the index says that it stands.
func (r *records) atOffset(ctx context.Context, seq uint64, offset int64) (*events.Outline, error) {
	if o := r.find(seq); o != nil {
		return o, nil
	}
	frame, err := r.log.FrameAt(ctx, seq, offset)
	if err == nil {
		return r.keep(frame.Encoded())
	}
	if events.CodeOf(err) != events.CodeCorrupt {
		return nil, err
	}
	// Either the log is damaged there, or the index is wrong about the place.
	if _, logErr := r.at(ctx, seq); logErr != nil {
		return nil, logErr
	}
	return nil, fmt.Errorf("%w: seq %d is not where it says", history.ErrDamaged, seq)
}

// checked reads the record of an event of which the index has told, and checks that
// it is one of the entity.
func (r *records) checked(ctx context.Context, id events.Identity, hit history.Hit) (*events.Outline, error) {
	o, err := r.atOffset(ctx, hit.Seq, hit.Offset)
	if err != nil {
		return nil, err
	}
	wrong := fmt.Errorf("%w: %s is no event of it", history.ErrDamaged, hit.Position)
	if hit.Index >= len(o.Facts) || o.Facts[hit.Index].Type != hit.Type || o.Facts[hit.Index].Derived != hit.Derived {
		return nil, wrong
	}
	event, err := o.Event(hit.Index)
	if err != nil {
		return nil, err
	}
	if of, ok := event.(events.Identified); ok && of.Identity() != id || event.Entity().Kind != id.Kind {
		return nil, wrong
	}
	return o, nil
}
