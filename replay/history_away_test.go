package replay_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/history"
	"github.com/metalog/metalog/replay"
)

// awayLog has its first records in an archive, which was not reached yet.
type awayLog struct {
	eventlog.Reader
	first   uint64 // what the archive begins with
	last    uint64 // what it ends with
	away    bool   // it can't be reached
	reached bool
}

func (a *awayLog) First() uint64 {
	if a.reached {
		return a.first
	}
	return 1
}

// reach reads a seq of the archive.
func (a *awayLog) reach(ctx context.Context, seq uint64) error {
	switch {
	case seq > a.last:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case a.away:
		return events.Errorf(events.CodeUnavailable, "the archive is away")
	}
	if a.reached = true; seq < a.first {
		return eventlog.Gone(seq, a.first)
	}
	return nil
}

func (a *awayLog) Frames(ctx context.Context, from uint64) iter.Seq2[eventlog.Frame, error] {
	if err := a.reach(ctx, from); err != nil {
		return func(yield func(eventlog.Frame, error) bool) { yield(eventlog.Frame{}, err) }
	}
	return a.Reader.Frames(ctx, from)
}

func (a *awayLog) FrameAt(ctx context.Context, seq uint64, offset int64) (eventlog.Frame, error) {
	if err := a.reach(ctx, seq); err != nil {
		return eventlog.Frame{}, err
	}
	return a.Reader.FrameAt(ctx, seq, offset)
}

// TestIndexThatCantBeCompared: while nobody can tell whether an index is of the log, it
// stays as it is.
func TestIndexThatCantBeCompared(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 2)
	path := filepath.Join(t.TempDir(), "history.db")
	h := openHistorian(t, s.Log(), path)
	if err := h.CatchUp(t.Context(), 9); err != nil {
		t.Fatal(err)
	}
	h.close()
	log := &awayLog{Reader: s.Log(), first: 1, last: 9, away: true}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		want error
	}{{t.Context(), events.ErrUnavailable}, {cancelled, context.Canceled}} {
		if _, err := history.Open(c.ctx, history.Options{Path: path, Log: log}); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
	log.away = false
	h.opts.Log = log
	h.wantKept(1, 9)
}

// TestIndexOfAPrunedArchive: an index that begins where the archive does fits also
// while it can't be seen where that is.
func TestIndexOfAPrunedArchive(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 2)
	segs := s.Log().Segments()
	first, last := segs[2].First, segs[4].Last
	h := openHistorian(t, &prunedLog{Reader: s.Log(), first: first}, filepath.Join(t.TempDir(), "history.db"))
	if err := h.CatchUp(t.Context(), s.Seq()); err != nil {
		t.Fatal(err)
	}
	for _, away := range []bool{true, false} {
		h.close()
		h.opts.Log = &awayLog{Reader: s.Log(), first: first, last: last, away: away}
		h.wantKept(first, s.Seq())
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	h.close()
	h.opts.Log = &awayLog{Reader: s.Log(), first: first, last: last}
	if _, err := history.Open(cancelled, h.opts); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that it was cancelled", err)
	}
	h.opts.Log = &awayLog{Reader: s.Log(), first: 1, last: last}
	h.open()
	if h.Index.First() == first {
		t.Error("an index is kept that lacks records of the archive")
	}
}

// wantKept opens an index that has the records from a seq to another.
func (h *historian) wantKept(first, last uint64) {
	h.t.Helper()
	h.open()
	if h.Index.First() != first || h.Index.Seq() != last {
		h.t.Errorf("the index has seq %d to %d, want %d to %d", h.Index.First(), h.Index.Seq(), first, last)
	}
	if _, err := os.Stat(h.opts.Path + history.Unusable); !errors.Is(err, os.ErrNotExist) {
		h.t.Errorf("a file was set aside: %v", err)
	}
}

// cancellingLog cancels a query when it reads a record for it.
type cancellingLog struct {
	eventlog.Reader
	cancel func()
}

func (c *cancellingLog) FrameAt(ctx context.Context, seq uint64, offset int64) (eventlog.Frame, error) {
	if c.cancel(); ctx.Err() != nil {
		return eventlog.Frame{}, ctx.Err()
	}
	return c.Reader.FrameAt(ctx, seq, offset)
}

// TestReadingIsCancelled: who waits for a record of a history can end that.
func TestReadingIsCancelled(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	h := openHistorian(t, &cancellingLog{s.Log(), cancel}, filepath.Join(t.TempDir(), "history.db"))
	got, err := collectUntil(h.History(ctx, replay.HistoryQuery{Entity: "topic/orders", NoHighRate: true}))
	if !errors.Is(err, context.Canceled) || len(got) > 0 {
		t.Errorf("%d events, %v", len(got), err)
	}
}
