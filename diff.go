package metalog

import (
	"context"
	"errors"
	"iter"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// Difference is an entity that is not the same at two points.
type Difference = replay.Difference

// What became of an entity: see [Difference.Kind].
const (
	DiffAdded   = replay.Added
	DiffRemoved = replay.Removed
	DiffChanged = replay.Changed
)

// DiffNouns are the kinds of entity that differ, in their order.
var DiffNouns = views.Nouns

// DiffOptions select differences.
type DiffOptions = replay.DiffOptions

// Place is where a difference stands in the order of all.
type Place = views.Place

// Diff is what differs between two points.
type Diff struct {
	From, To PointState
	// Differences yields the entities that differ: the cluster, brokers by id,
	// topics in the order in which they were created, each with its partitions and
	// segments, then groups with their offsets, and transactions. It takes constant
	// memory. An error ends it. Range over it soon and once: meanwhile it holds the
	// views of both points.
	Differences iter.Seq2[Difference, error]
}

// PointState is the state that a point means.
type PointState struct {
	Seq  uint64      `json:"seq"`
	Time events.Time `json:"time"` // of the record
}

// Diff compares the views at two points, in either order.
func (s *Store) Diff(ctx context.Context, from, to Point, opts DiffOptions) (*Diff, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	a, err := s.stateAt(ctx, from)
	if err != nil {
		return nil, err
	}
	b, err := s.stateAt(ctx, to)
	if err != nil {
		return nil, err
	}
	return &Diff{From: a, To: b, Differences: func(yield func(Difference, error) bool) {
		more := true
		err := s.diff(ctx, a.Seq, b.Seq, opts, func(d Difference) bool {
			more = yield(d, nil)
			return more
		})
		if err != nil && more {
			yield(Difference{}, err)
		}
	}}, nil
}

// stateAt finds what a point means.
func (s *Store) stateAt(ctx context.Context, at Point) (PointState, error) {
	seq, err := replay.Resolve(ctx, s.history, at)
	if err != nil {
		return PointState{}, err
	}
	for frame, err := range s.history.Frames(ctx, seq) {
		if errors.Is(err, events.ErrOutOfRange) {
			return s.stateOfBase(ctx, seq)
		}
		return PointState{Seq: seq, Time: frame.Time}, err
	}
	return PointState{}, events.Errorf(events.CodeOutOfRange, "seq %d: the log does not have it", seq)
}

// stateOfBase finds what a seq means whose record is gone: a state can be there without it.
func (s *Store) stateOfBase(ctx context.Context, seq uint64) (PointState, error) {
	base, _, err := s.bases().Nearest(ctx, s.history, seq)
	return PointState{Seq: seq, Time: base.Time}, err
}

// diff yields the differences, and returns the error that ends them. Of the two
// views one at most is of the store's own file: a goroutine must not hold two.
func (s *Store) diff(ctx context.Context, from, to uint64, opts DiffOptions, yield func(Difference) bool) (err error) {
	if from == to {
		return nil
	}
	earlier, err := s.pinAt(ctx, min(from, to))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, earlier.Close()) }()
	later, err := s.At(ctx, Point{Seq: max(from, to)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, later.Close()) }()
	before, after := earlier, later.(*pinned)
	if from > to {
		before, after = after, before
	}
	for d, err := range replay.Diff(ctx, &before.snapshot.Reader, &after.snapshot.Reader, opts) {
		if err != nil {
			return err
		}
		if !yield(d) {
			return nil
		}
	}
	return nil
}
