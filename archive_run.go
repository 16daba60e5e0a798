package metalog

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/internal/eventlog"
)

// ArchiveOptions say what to archive, and where.
type ArchiveOptions struct {
	ArchivePolicy
	// To is where the archive is, see [Options.ArchiveTo]. Empty: where it was.
	To       string                `json:"to,omitempty"`
	DryRun   bool                  `json:"dry_run,omitempty"`
	Progress func(ArchiveProgress) `json:"-"` // after each segment; nil: nobody asks
}

// ArchiveProgress tells how far a run is.
type ArchiveProgress struct {
	Segments, AllSegments int
	Bytes, AllBytes       int64 // of the log
}

// ArchiveReport tells what was moved to the archive, or would be.
type ArchiveReport struct {
	Location       string            `json:"location"` // empty: none was named
	DryRun         bool              `json:"dry_run"`
	Segments       []ArchivedSegment `json:"segments"`
	Bytes          int64             `json:"bytes"`      // of the log
	FileBytes      int64             `json:"file_bytes"` // of the archive
	Ratio          float64           `json:"ratio"`      // of the two; 0: nothing was moved
	Seconds        float64           `json:"seconds"`
	BytesPerSecond float64           `json:"bytes_per_second"` // of the log
	FirstSeq       uint64            `json:"first_seq"`        // of the log now
	Kept           string            `json:"kept"`             // why no more was moved
}

// Archive moves the log's oldest segments to the archive, as far as nothing keeps
// them: see [ArchivePolicy]. Reads go on over both. Each segment is written
// compressed, read back from where it was written, and compared to the byte, before
// the log is shortened; an interruption at any point loses nothing, and the next run
// goes on.
//
// It is ErrUnavailable when the archive can't be reached, or when another run, a
// backup or a verification is under way, and ErrConflict when the place is another
// log's.
func (s *Store) Archive(ctx context.Context, opts ArchiveOptions) (ArchiveReport, error) {
	if err := opts.check(); err != nil {
		return ArchiveReport{}, err
	}
	if !opts.DryRun {
		if !s.archiving.TryLock() {
			return ArchiveReport{}, events.Errorf(events.CodeUnavailable, "archive: another run is under way; try again when it has ended")
		}
		defer s.archiving.Unlock()
	}
	if opts.To == "" {
		opts.To = s.archiveLocation()
	}
	plan, err := s.planArchive(ctx, opts.ArchivePolicy)
	if err != nil {
		return ArchiveReport{}, err
	}
	r := &archiveRun{Store: s, opts: opts, plan: plan, began: time.Now()}
	r.report = ArchiveReport{Location: opts.To, DryRun: opts.DryRun, Segments: []ArchivedSegment{}, Kept: plan.kept}
	if opts.DryRun {
		r.report.Segments = append(r.report.Segments, plan.segments...)
	} else {
		err = r.run(ctx)
	}
	r.finish()
	return r.report, err
}

// archiveRun is one run of Archive.
type archiveRun struct {
	*Store
	opts   ArchiveOptions
	plan   archivePlan
	report ArchiveReport
	began  time.Time
	epoch  uint64
}

const (
	// archiveWorkers segments are compressed at a time.
	archiveWorkers = 4
	// dropEvery so many segments the log is shortened.
	dropEvery = 16
)

func (r *archiveRun) run(ctx context.Context) error {
	if !r.front.TryRLock() {
		return errFrontHeld
	}
	r.front.RUnlock()
	a, err := r.begin(ctx)
	if err != nil {
		return err
	}
	r.report.Location = a.String()
	undropped := 0
	for todo := r.plan.segments; len(todo) > 0; {
		n := min(archiveWorkers, len(todo))
		if err := r.add(ctx, a, todo[:n]); err != nil {
			return err
		}
		todo, undropped = todo[n:], undropped+n
		if undropped >= dropEvery || len(todo) == 0 {
			if err := r.drop(a); err != nil {
				return err
			}
			undropped = 0
		}
	}
	return a.Sweep(ctx, r.log.First())
}

// begin opens the archive to write to it.
func (r *archiveRun) begin(ctx context.Context) (*archive.Archive, error) {
	place, err := archive.OpenPlace(r.opts.To)
	if err != nil {
		return nil, err
	}
	epoch := r.Store.epoch(ctx)
	r.epoch = epoch.Epoch
	a, err := archive.Create(ctx, place, epoch.Epoch, r.archiveOptions(ctx, r.file.Start()))
	if err != nil {
		return nil, err
	}
	if err := a.Agree(ctx, r.log, epoch.Epoch); err != nil {
		return nil, err
	}
	r.archive.Use(a)
	return a, r.file.SetArchive(a.String())
}

// add writes some segments, at the same time, and makes them part of the archive in
// their order.
func (r *archiveRun) add(ctx context.Context, a *archive.Archive, segments []ArchivedSegment) error {
	manifests, errs := make([]*archive.Manifest, len(segments)), make([]error, len(segments))
	var workers sync.WaitGroup
	for i, seg := range segments {
		workers.Go(func() {
			manifests[i], errs[i] = a.Add(ctx, r.log, eventlog.Segment{First: seg.FirstSeq, Last: seg.LastSeq}, r.epoch)
		})
	}
	workers.Wait()
	for i, m := range manifests {
		if errs[i] != nil {
			return errors.Join(errs...)
		}
		if err := a.Extend(m); err != nil {
			return err
		}
		segments[i].FileBytes = m.FileBytes
		r.report.Segments = append(r.report.Segments, segments[i])
		r.progress()
	}
	return nil
}

func (r *archiveRun) progress() {
	if r.opts.Progress == nil {
		return
	}
	p := ArchiveProgress{Segments: len(r.report.Segments), AllSegments: len(r.plan.segments)}
	for i, seg := range r.plan.segments {
		p.AllBytes += seg.Bytes
		if i < p.Segments {
			p.Bytes += seg.Bytes
		}
	}
	r.opts.Progress(p)
}

var errFrontHeld = events.Errorf(events.CodeUnavailable, "archive: a backup or a verification reads the log's files; try again when it has ended")

// drop shortens the log by what the archive has.
func (r *archiveRun) drop(a *archive.Archive) error {
	if !r.front.TryLock() {
		return errFrontHeld
	}
	defer r.front.Unlock()
	last := r.report.Segments[len(r.report.Segments)-1].LastSeq
	return r.file.DropBefore(last+1, a.String())
}

func (r *archiveRun) finish() {
	p := &r.report
	for _, seg := range p.Segments {
		p.Bytes += seg.Bytes
		p.FileBytes += seg.FileBytes
	}
	p.Seconds = time.Since(r.began).Seconds()
	p.FirstSeq = r.log.First()
	if !p.DryRun && p.FileBytes > 0 {
		p.Ratio = float64(p.Bytes) / float64(p.FileBytes)
		p.BytesPerSecond = float64(p.Bytes) / p.Seconds
	}
}

// keepArchiving follows the policy of the options.
func (s *Store) keepArchiving(ctx context.Context) {
	if s.opts.ArchivePolicy.isZero() {
		return
	}
	ticker := time.NewTicker(s.opts.ArchiveInterval)
	defer ticker.Stop()
	for {
		changed := s.SnapshotsChanged()
		if err := s.archiveByPolicy(ctx); err != nil && ctx.Err() == nil {
			s.logUnlessEnding("archive", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-changed:
		}
	}
}

func (s *Store) archiveByPolicy(ctx context.Context) error {
	opts := ArchiveOptions{ArchivePolicy: s.opts.ArchivePolicy, DryRun: true}
	planned, err := s.Archive(ctx, opts)
	if err != nil || len(planned.Segments) == 0 {
		return err
	}
	opts.DryRun = false
	done, err := s.Archive(ctx, opts)
	if n := len(done.Segments); n > 0 {
		s.opts.Logger.Info("archived", "segments", n, "last_seq", done.Segments[n-1].LastSeq, "bytes", done.Bytes, "file_bytes", done.FileBytes, "to", done.Location)
	}
	return err
}
