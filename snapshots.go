package metalog

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// Snapshot tells what a durable copy of the views holds.
type Snapshot = replay.Snapshot

// BackupReport tells what is in a backup.
type BackupReport = replay.BackupReport

// openViews opens the views' file and reads all of its pages. It leaves db nil
// when the file is missing, empty or of no use: recoverViews makes it anew then, once
// the log is open. It returns the highest seq that views or snapshots are at,
// which the log must have.
func (s *Store) openViews(ctx context.Context) (witness uint64, err error) {
	if witness, err = s.snapshots.Witness(); err != nil {
		return 0, err
	}
	if info, err := os.Stat(s.viewsOptions().Path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return witness, nil
	}
	db, err := views.Open(s.viewsOptions())
	if err != nil {
		return witness, s.unusable(err)
	}
	witness = max(witness, db.Checkpoint().Seq)
	if err := db.CheckPages(ctx); err != nil {
		return witness, s.unusable(errors.Join(err, db.Close()))
	}
	s.db = db
	return witness, nil
}

func (s *Store) viewsOptions() views.Options {
	return views.Options{
		Path: filepath.Join(s.opts.Path, viewsFile), MaxPendingBytes: s.opts.MaxPendingBytes, Logger: s.opts.Logger,
	}
}

// unusable returns nil if err means that the views have to be made anew: the log
// is the truth, and the views can only be behind it.
func (s *Store) unusable(err error) error {
	if errors.Is(err, views.ErrSchema) || errors.Is(err, ErrCorrupt) {
		s.opts.Logger.Warn("views can't be used", "why", err)
		return nil
	}
	return err
}

// recoverViews makes the views anew: from the newest good snapshot, or empty.
// Catching up does the rest.
func (s *Store) recoverViews(ctx context.Context) (err error) {
	opts := s.viewsOptions()
	if _, err := os.Stat(opts.Path); err == nil {
		if err := replay.SetAside(opts.Path); err != nil {
			return err
		}
	}
	snap, found, err := s.snapshots.Recover(ctx, s.history, opts.Path, s.opts.Logger)
	if err != nil {
		return err
	}
	if !found && s.history.First() > 1 {
		if snap, found, err = s.recoverFromArchive(ctx); err != nil {
			return err
		}
	}
	if head := s.log.Head().Seq; head > 0 {
		s.opts.Logger.Warn("views are made anew", "from_snapshot", found, "snapshot_seq", snap.Seq, "records_to_apply", head-snap.Seq)
	}
	s.db, err = views.Open(opts)
	return err
}

// recoverFromArchive begins with the copy of the views that a pruned archive keeps.
func (s *Store) recoverFromArchive(ctx context.Context) (snap Snapshot, found bool, err error) {
	base, found, err := replay.Bases{Archive: s.archive}.Nearest(ctx, s.history, s.log.Head().Seq)
	if err == nil && found {
		err = base.Extract(ctx, s.viewsOptions().Path)
	}
	return base.Snapshot, found, err
}

// CreateSnapshot makes a durable copy of the views as they are now, and removes
// snapshots that need not be kept any more. Writers go on meanwhile.
func (s *Store) CreateSnapshot(ctx context.Context) (Snapshot, error) {
	s.snapshotting.Lock()
	defer s.snapshotting.Unlock()
	snap, err := s.snapshots.Create(ctx, s.db)
	if err != nil {
		return snap, err
	}
	s.opts.Logger.Info("snapshot", "seq", snap.Seq, "bytes", snap.SizeBytes)
	defer s.tellSnapshotsChanged()
	removed, err := s.snapshots.Prune(replay.Retention{
		Every: uint64(max(s.opts.SnapshotEvery, 0)), EveryEvents: uint64(s.opts.SnapshotEvents), MaxBytes: s.opts.SnapshotBytes,
	})
	for _, old := range removed {
		s.opts.Logger.Info("snapshot removed", "seq", old.Seq, "bytes", old.SizeBytes)
	}
	return snap, err
}

// ListSnapshots lists the snapshots, the oldest first.
func (s *Store) ListSnapshots(context.Context) ([]Snapshot, error) { return s.snapshots.List() }

// CopySnapshot writes a snapshot's file to w. It is ErrCorrupt when the file is not
// what the snapshot says; w has got some of it by then.
func (s *Store) CopySnapshot(ctx context.Context, snap Snapshot, w io.Writer) error {
	return s.snapshots.CopyTo(ctx, w, snap)
}

// SnapshotsChanged returns a channel that is closed when a snapshot is next
// taken or removed.
func (s *Store) SnapshotsChanged() <-chan struct{} { return *s.snapshotsChanged.Load() }

func (s *Store) tellSnapshotsChanged() {
	next := make(chan struct{})
	close(*s.snapshotsChanged.Swap(&next))
}

// snapshotRest is how long no snapshot is taken after one, in times of what that one
// took: writers get by far the most of the disk, however fast they are.
const snapshotRest = 9

// takeSnapshots makes a snapshot whenever there is enough in the log after the last
// one.
func (s *Store) takeSnapshots(ctx context.Context) {
	if s.opts.SnapshotEvery < 0 {
		return
	}
	last, err := s.lastSnapshot()
	if err != nil {
		s.opts.Logger.Error("no snapshots are taken", "err", err)
		return
	}
	for s.awaitSnapshotDue(ctx, last) == nil {
		began := time.Now()
		last, err = s.CreateSnapshot(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.opts.Logger.Error("snapshot", "err", err)
			at := s.db.Checkpoint()
			last = Snapshot{Seq: at.Seq, Events: at.Events}
		}
		select {
		case <-time.After(snapshotRest * time.Since(began)):
		case <-ctx.Done():
			return
		}
	}
}

// lastSnapshot returns where the newest snapshot stands, whatever its state.
func (s *Store) lastSnapshot() (last Snapshot, err error) {
	if last.Seq, err = s.snapshots.Witness(); err != nil || last.Seq == 0 {
		return last, err
	}
	snap, found, err := s.snapshots.Nearest(last.Seq)
	if found && snap.Seq == last.Seq {
		last.Events = snap.Events
	}
	return last, err
}

// awaitSnapshotDue returns when there is enough in the log after a snapshot. It is an
// error when the log is closed or has stopped: no more records come then.
func (s *Store) awaitSnapshotDue(ctx context.Context, last Snapshot) error {
	records, most := last.Seq+uint64(s.opts.SnapshotEvery), last.Events+uint64(s.opts.SnapshotEvents)
	for {
		at := s.db.Checkpoint()
		if at.Seq >= records || at.Events >= most {
			return nil
		}
		// The fewest records after which there may be enough.
		next := min(records, at.Seq+max(1, (most-at.Events)/events.MaxRecordEvents))
		if err := s.log.Wait(ctx, next); err != nil {
			return err
		}
		if err := s.db.WaitPublished(ctx, next); err != nil {
			return err
		}
	}
}

// Backup copies the log up to its head and the newest snapshot to dir, which
// holds nothing else or an earlier backup of this log. See [replay.Backup].
// Writers go on meanwhile.
func (s *Store) Backup(ctx context.Context, dir string) (BackupReport, error) {
	_, found, err := s.snapshots.Newest()
	if err == nil && !found {
		_, err = s.CreateSnapshot(ctx)
	}
	if err != nil {
		return BackupReport{}, err
	}
	epoch, err := ask(ctx, s.queries, (*views.Reader).Log)
	if err != nil {
		return BackupReport{}, err
	}
	s.front.RLock()
	defer s.front.RUnlock()
	return replay.Backup(ctx, s.opts.Path, dir, replay.BackupOptions{
		LogID: epoch.LogID, Epoch: epoch.Epoch, Head: s.log.Head(), Clock: s.opts.Clock,
	})
}
