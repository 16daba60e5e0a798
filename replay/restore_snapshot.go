package replay

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/views"
)

// Recover makes the views file at path, where there must be none, from the
// newest good snapshot that is a copy of this log's views. It passes over others
// and says so. made is false if there is no such snapshot: then the views have
// to be made from the whole log.
func (s Snapshots) Recover(ctx context.Context, log events.Reader, path string, logger *slog.Logger) (snap Snapshot, made bool, err error) {
	for seq := log.Head().Seq; ; seq = snap.Seq - 1 {
		var found bool
		snap, found, err = s.Nearest(seq)
		if err != nil || !found {
			return snap, false, err
		}
		err = fits(ctx, log, snap)
		if err == nil {
			err = s.Extract(ctx, snap, path)
		}
		if err == nil {
			return snap, true, nil
		}
		if !errors.Is(err, events.ErrCorrupt) {
			return snap, false, s.failed(err)
		}
		logger.Warn("snapshot is passed over", "seq", snap.Seq, "why", err)
	}
}

// fits checks that a snapshot is one of this log: that the log has its record,
// or goes on right after it.
func fits(ctx context.Context, log events.Reader, snap Snapshot) error {
	if snap.Seq+1 == log.First() {
		return nil // the next record's place in the chain is checked when it is read
	}
	for rec, err := range log.Records(ctx, snap.Seq) {
		if err != nil {
			return err
		}
		if rec.Hash == snap.Hash {
			return nil
		}
		break
	}
	return events.Errorf(events.CodeCorrupt, "snapshot %d (hash %s) is not of this log; use another one", snap.Seq, snap.Hash)
}

// SnapshotRestore is an order to replace the views of a data directory.
type SnapshotRestore struct {
	Seq      uint64 // of the snapshot; 0: the newest
	DryRun   bool   // check the snapshot, and tell what would be done
	Logger   *slog.Logger
	Progress func(RebuildProgress) // called now and then; nil: nobody asks
}

// RestoredSnapshot tells what a SnapshotRestore did, or would do.
type RestoredSnapshot struct {
	Snapshot Snapshot    `json:"snapshot"`
	Head     events.Head `json:"head"`    // of the log, and of the views then
	Records  uint64      `json:"records"` // between the two
	DryRun   bool        `json:"dry_run"`
}

// RestoreSnapshot replaces the views in a data directory that nobody has open by
// a snapshot, and brings them up to the end of the log. The log stays as it is,
// whatever the snapshot's seq: to go back, undo. The views that were there are
// kept beside the new ones, see [SetAside].
//
// It is ErrNotFound when there is no such snapshot, and ErrCorrupt when it is
// damaged or of another log, or when views or snapshots are ahead of the log.
func RestoreSnapshot(ctx context.Context, dir string, order SnapshotRestore) (_ RestoredSnapshot, err error) {
	if order.Logger == nil {
		order.Logger = slog.New(slog.DiscardHandler)
	}
	if _, err := os.Stat(filepath.Join(dir, LogDir)); err != nil {
		return RestoredSnapshot{}, events.Errorf(events.CodeNotFound, "%s: there is no store here; name the data directory of one", dir)
	}
	lock, err := eventlog.Lock(dir, "a restore of a snapshot")
	if err != nil {
		return RestoredSnapshot{}, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	log, err := openLog(dir, order.Logger)
	if err != nil {
		return RestoredSnapshot{}, err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	history, _ := WithArchive(log)
	return restoreSnapshot(ctx, dir, history, order)
}

// WithArchive joins a log with the archive that its start names, if there is one. The
// archive is opened when it is first needed.
func WithArchive(log *eventlog.File) (eventlog.Reader, *archive.Opener) {
	start := log.Start()
	if start.First <= 1 || start.Archive == "" {
		return log, archive.NewOpener(nil)
	}
	opener := archive.NewOpener(func(ctx context.Context) (*archive.Archive, error) {
		return archive.OpenFor(ctx, start.Archive, archive.Options{Upto: start.Before()})
	})
	return archive.Join(opener, log), opener
}

// openLog opens the log of a directory as a store would.
func openLog(dir string, logger *slog.Logger) (*eventlog.File, error) {
	witness, err := Snapshots{Dir: filepath.Join(dir, SnapshotsDir)}.Witness()
	if err != nil {
		return nil, err
	}
	if at, ok := viewsCheckpoint(dir); ok {
		witness = max(witness, at.Seq)
	}
	return eventlog.Open(filepath.Join(dir, LogDir), eventlog.Options{Logger: logger, Witness: witness})
}

// viewsCheckpoint returns where the views of a directory are, and changes
// nothing. ok is false when they are missing or can't be read.
func viewsCheckpoint(dir string) (at views.Checkpoint, ok bool) {
	db, err := views.Open(views.Options{Path: filepath.Join(dir, ViewsFile), ReadOnly: true})
	if err != nil {
		return at, false
	}
	at = db.Checkpoint()
	return at, db.Close() == nil
}

func restoreSnapshot(ctx context.Context, dir string, log events.Reader, order SnapshotRestore) (RestoredSnapshot, error) {
	snapshots := Snapshots{Dir: filepath.Join(dir, SnapshotsDir)}
	snap, err := snapshots.choose(order.Seq)
	if err != nil {
		return RestoredSnapshot{}, err
	}
	done := RestoredSnapshot{Snapshot: snap, Head: log.Head(), Records: log.Head().Seq - snap.Seq, DryRun: order.DryRun}
	if err := errors.Join(fits(ctx, log, snap), snapshots.Verify(ctx, snap)); err != nil || order.DryRun {
		return done, err
	}
	path := filepath.Join(dir, ViewsFile)
	if err := setAsideIfThere(path); err != nil {
		return done, err
	}
	if err := snapshots.Extract(ctx, snap, path); err != nil {
		return done, err
	}
	return done, catchUp(ctx, path, log, order.Progress)
}

// choose returns the snapshot of a seq, or the newest one for seq 0.
func (s Snapshots) choose(seq uint64) (Snapshot, error) {
	snap, found, err := s.Newest()
	if seq != 0 && err == nil {
		snap, found, err = s.Nearest(seq)
		found = found && snap.Seq == seq
	}
	switch {
	case err != nil:
		return snap, err
	case found:
		return snap, nil
	case seq == 0:
		return snap, events.Errorf(events.CodeNotFound, "%s has no snapshot that can be used; opening the store makes missing views anew from the log", s.Dir)
	}
	return snap, events.Errorf(events.CodeNotFound, "%s has no snapshot of seq %d that can be used; 'metalog snapshot list' shows which there are", s.Dir, seq)
}

func setAsideIfThere(path string) error {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return SetAside(path)
}

// catchUp brings the views in a file to the end of a log, and to disk.
func catchUp(ctx context.Context, path string, log events.Reader, progress func(RebuildProgress)) error {
	db, err := views.Open(views.Options{Path: path})
	if err != nil {
		return err
	}
	from, to := db.Checkpoint().Seq, log.Head().Seq
	err = projector.CatchUp(ctx, db, log, func(seq uint64) {
		if progress != nil {
			progress(RebuildProgress{From: from, Seq: seq, To: to})
		}
	})
	if err == nil {
		err = db.FlushAll(ctx)
	}
	return errors.Join(err, db.Close())
}
