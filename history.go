package metalog

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"sync"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/history"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// historyIndex is the index of history, once somebody has asked for it: a command
// that doesn't must not pay for it.
type historyIndex struct {
	mu     sync.Mutex
	index  *history.Index // guarded by mu; nil: not opened
	closed bool           // guarded by mu
}

// open returns the index, and opens it at the first call.
func (x *historyIndex) open(ctx context.Context, opts func() (history.Options, error)) (*history.Index, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, events.Errorf(events.CodeUnavailable, "the store is closed")
	}
	if x.index != nil {
		return x.index, nil
	}
	o, err := opts()
	if err == nil {
		x.index, err = history.Open(ctx, o)
	}
	return x.index, err
}

func (x *historyIndex) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	if x.index == nil {
		return nil
	}
	return x.index.Close()
}

// ParseEventRef reads SEQ or SEQ.INDEX.
func ParseEventRef(s string) (EventRef, error) { return replay.ParseEventRef(s) }

// historian answers questions about the past.
func (s *Store) historian(ctx context.Context) (replay.Historian, error) {
	index, err := s.index.open(ctx, func() (history.Options, error) {
		epoch, err := ask(ctx, s.queries, (*views.Reader).Log)
		return history.Options{
			Path: filepath.Join(s.opts.Path, replay.HistoryFile), Log: s.history, LogID: epoch.LogID, Logger: s.opts.Logger,
		}, err
	})
	return replay.Historian{Log: s.history, Index: index}, err
}

// History implements [EventReader].
func (s *Store) History(ctx context.Context, query HistoryQuery) iter.Seq2[TreeEvent, error] {
	return s.tree(ctx, func(h replay.Historian) iter.Seq2[TreeEvent, error] { return h.History(ctx, query) })
}

// Cascade implements [EventReader].
func (s *Store) Cascade(ctx context.Context, query CascadeQuery) iter.Seq2[TreeEvent, error] {
	return s.tree(ctx, func(h replay.Historian) iter.Seq2[TreeEvent, error] { return h.Cascade(ctx, query) })
}

func (s *Store) tree(ctx context.Context, query func(replay.Historian) iter.Seq2[TreeEvent, error]) iter.Seq2[TreeEvent, error] {
	h, err := s.historian(ctx)
	if err != nil {
		return func(yield func(TreeEvent, error) bool) { yield(TreeEvent{}, err) }
	}
	return query(h)
}

// Blame implements [EventReader].
func (s *Store) Blame(ctx context.Context, entity string, at Point) (BlameReport, error) {
	h, err := s.historian(ctx)
	if err != nil {
		return BlameReport{}, err
	}
	return h.Blame(ctx, entity, at)
}

// How the index follows the log in the background: it lets records gather, and then
// indexes some at a time, for one part in five of the time at most.
const (
	indexInterval = 5 * time.Second
	indexRecords  = 1 << 16
	indexPause    = 4 // times as long as it took
)

// indexRetry is how long indexing rests after something was unavailable: the archive,
// or room on the disk.
const indexRetry = time.Minute

// followHistory keeps the index of history current, until it finds damage.
func (s *Store) followHistory(ctx context.Context) {
	for {
		err := s.indexHistory(ctx)
		if ctx.Err() != nil {
			return
		}
		s.logUnlessEnding("index of history", err)
		if !errors.Is(err, ErrUnavailable) || s.failed() != nil || sleep(ctx, indexRetry) != nil {
			return
		}
	}
}

// indexHistory indexes what comes until there is an error.
func (s *Store) indexHistory(ctx context.Context) error {
	if err := s.waitVisible(ctx, 1); err != nil { // which says what log it is
		return err
	}
	h, err := s.historian(ctx)
	for err == nil {
		err = s.history.Wait(ctx, h.Index.Seq()+1)
		pause := indexInterval
		for err == nil && h.Index.Seq() < s.history.Head().Seq {
			if err = sleep(ctx, pause); err != nil {
				break
			}
			began := time.Now()
			err = h.CatchUp(ctx, min(h.Index.Seq()+indexRecords, s.history.Head().Seq))
			pause = indexPause * time.Since(began)
		}
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
