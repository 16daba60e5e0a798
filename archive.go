package metalog

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/views"
)

// joined is log and archive as one, and waits for the log.
type joined struct {
	*archive.Joined
	log eventlog.Log
}

func (j joined) Wait(ctx context.Context, seq uint64) error { return j.log.Wait(ctx, seq) }

// archiveWait bounds how long opening a store waits for its archive. The store
// works without; reads that need the archive try again.
const archiveWait = 5 * time.Second

// joinArchive makes history of the log and the archive that its start names.
func (s *Store) joinArchive(ctx context.Context) {
	s.archive = archive.NewOpener(nil)
	if start := s.file.Start(); start.First > 1 && s.archiveLocation() != "" {
		s.archive = archive.NewOpener(func(ctx context.Context) (*archive.Archive, error) {
			return archive.OpenFor(ctx, s.archiveLocation(), s.archiveOptions(ctx, start))
		})
		ctx, cancel := context.WithTimeout(ctx, archiveWait)
		defer cancel()
		if _, err := s.archive.Archive(ctx); err != nil {
			s.opts.Logger.Info("records before the log's first can't be read", "first_seq", start.First, "err", err)
		}
	}
	s.history = joined{archive.Join(s.archive, s.log), s.log}
}

// archiveLocation is where the archive is; empty: there is none.
func (s *Store) archiveLocation() string {
	if a := s.archive.Opened(); a != nil {
		return a.String()
	}
	if s.opts.ArchiveTo != "" {
		return s.opts.ArchiveTo
	}
	return s.file.Start().Archive
}

func (s *Store) archiveOptions(ctx context.Context, start eventlog.Start) archive.Options {
	return archive.Options{LogID: s.epoch(ctx).LogID, Upto: start.Before(), Clock: s.opts.Clock}
}

// epoch is what the views know of the log; zero if they don't.
func (s *Store) epoch(ctx context.Context) events.EpochStarted {
	if s.db == nil {
		return events.EpochStarted{}
	}
	epoch, err := ask(ctx, s.queries, (*views.Reader).Log)
	if err != nil {
		return events.EpochStarted{}
	}
	return epoch
}

// checkArchive checks, once the views are there, that the archive is of this log and
// has nothing that the log lost. One that can't be reached is left for later.
func (s *Store) checkArchive(ctx context.Context) error {
	if err := s.opts.ArchivePolicy.check(); err != nil {
		return err
	}
	if !s.opts.ArchivePolicy.isZero() && s.archiveLocation() == "" {
		return events.Errorf(events.CodeInvalid, "a policy for the archive was given, and no place for it; say where it is (--archive-to)")
	}
	epoch := s.epoch(ctx)
	ctx, cancel := context.WithTimeout(ctx, archiveWait)
	defer cancel()
	a := s.archive.Opened()
	if a == nil && s.opts.ArchiveTo != "" && !s.archive.Known() && epoch.LogID != uuid.Nil {
		place, err := archive.OpenPlace(s.opts.ArchiveTo)
		if err != nil {
			return err
		}
		a, err = archive.Open(ctx, place, s.archiveOptions(ctx, s.file.Start()))
		if errors.Is(err, events.ErrConflict) {
			return err // it is another log's
		}
		if err != nil {
			return nil // there is none yet, or it can't be read: writing to it tells
		}
	}
	if a == nil {
		return nil
	}
	if id := a.State().LogID; id != epoch.LogID {
		return events.Errorf(events.CodeConflict, "archive %s: it is of log %s, and this is log %s; name the place of this log's archive", a, id, epoch.LogID)
	}
	err := a.Agree(ctx, s.log, epoch.Epoch)
	if errors.Is(err, events.ErrUnavailable) {
		s.opts.Logger.Warn("archive", "err", err)
		return nil
	}
	return err
}
