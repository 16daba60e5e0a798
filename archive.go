package metalog

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"

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
			return s.openArchive(ctx, start)
		})
		ctx, cancel := context.WithTimeout(ctx, archiveWait)
		defer cancel()
		if _, err := s.archive.Archive(ctx); err != nil {
			s.opts.Logger.Warn("records before the log's first can't be read", "first_seq", start.First, "err", err)
		}
	}
	s.history = joined{archive.Join(s.archive, s.log), s.log}
}

// archiveLocation is where the archive is; empty: there is none.
func (s *Store) archiveLocation() string { return cmp.Or(s.opts.ArchiveTo, s.file.Start().Archive) }

// openArchive opens the archive that has what the log does not have any more.
func (s *Store) openArchive(ctx context.Context, start eventlog.Start) (*archive.Archive, error) {
	place, err := archive.OpenPlace(s.archiveLocation())
	if err != nil {
		return nil, err
	}
	return archive.Open(ctx, place, archive.Options{LogID: s.knownLogID(ctx), Upto: start.Before(), Clock: s.opts.Clock})
}

// knownLogID is the log's id if the views know it, or zero.
func (s *Store) knownLogID(ctx context.Context) uuid.UUID {
	if s.db == nil {
		return uuid.Nil
	}
	epoch, err := ask(ctx, s.queries, (*views.Reader).Log)
	if err != nil {
		return uuid.Nil
	}
	return epoch.LogID
}
