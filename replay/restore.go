package replay

import (
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/internal/eventlog"
)

// RestoreOptions are how to restore a backup.
type RestoreOptions struct {
	DryRun   bool                    // only check the backup's files
	Progress func(done, total int64) // bytes; nil: nobody asks
}

// RestoreReport tells what was restored, or would be.
type RestoreReport struct {
	Backup      string      `json:"backup"`
	Dir         string      `json:"dir"`
	LogID       uuid.UUID   `json:"log_id"`
	Epoch       uint64      `json:"epoch"`
	Head        events.Head `json:"head"`
	SnapshotSeq uint64      `json:"snapshot_seq"`
	CreatedAt   events.Time `json:"created_at"` // of the backup
	SizeBytes   int64       `json:"size_bytes"`
	DryRun      bool        `json:"dry_run"`
	// FirstSeq is that of the log, and Archive where the records before are: the
	// restored store reads them there. Empty: there are none.
	FirstSeq uint64 `json:"first_seq"`
	Archive  string `json:"archive,omitempty"`
}

// Restore makes a data directory from a backup. The directory must be empty or
// not there. The log shows up in it only when all was copied, checked (sizes,
// checksums, each record and its place in the chain) and durable; the views come
// when it is opened. After an interruption the same call begins again.
//
// It is ErrNotFound when there is no backup, ErrCorrupt when it is damaged, and
// ErrConflict when the directory is not empty.
func Restore(ctx context.Context, backupDir, dataDir string, opts RestoreOptions) (_ RestoreReport, err error) {
	m, found, err := readBackup(backupDir)
	if err != nil {
		return RestoreReport{}, err
	}
	if !found {
		return RestoreReport{}, events.Errorf(events.CodeNotFound, "%s holds no backup: there is no %s; name the directory that 'metalog backup' wrote to", backupDir, backupManifest)
	}
	r := &restore{from: backupDir, m: m, opts: opts}
	if opts.DryRun {
		err = r.check(ctx)
	} else {
		err = r.into(ctx, dataDir)
	}
	if err != nil {
		return RestoreReport{}, events.Errorf(events.CodeOf(err), "restore of %s: %w", backupDir, err)
	}
	return RestoreReport{
		Backup: backupDir, Dir: dataDir, LogID: m.LogID, Epoch: m.Epoch, Head: m.Head,
		SnapshotSeq: m.Snapshot.Seq, CreatedAt: m.CreatedAt, SizeBytes: m.size(), DryRun: opts.DryRun,
		FirstSeq: m.Start.First, Archive: m.Start.Archive,
	}, nil
}

// restore is one run of Restore.
type restore struct {
	from string
	m    BackupManifest
	opts RestoreOptions
	done int64 // bytes
}

// check reads all files of the backup.
func (r *restore) check(ctx context.Context) error {
	for _, seg := range r.m.Segments {
		if err := copyChecked(ctx, r.counted(io.Discard), r.segment(seg), seg.contents()); err != nil {
			return err
		}
	}
	return copyChecked(ctx, r.counted(io.Discard), r.snapshots().path(r.m.Snapshot.Seq, copySuffix), r.m.Snapshot.contents())
}

func (r *restore) segment(seg Segment) string {
	return filepath.Join(r.from, backupSegments, filepath.Base(seg.File))
}

func (r *restore) snapshots() Snapshots { return Snapshots{Dir: filepath.Join(r.from, SnapshotsDir)} }

func (r *restore) into(ctx context.Context, dataDir string) (err error) {
	to, err := newStaging(dataDir, "a restore")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.close()) }()
	if err := r.copyLog(ctx, to.path(LogDir)); err != nil {
		return err
	}
	if err := r.copySnapshot(ctx, Snapshots{Dir: to.path(SnapshotsDir)}); err != nil {
		return err
	}
	if err := r.verify(ctx, to.path(LogDir)); err != nil {
		return err
	}
	return to.publish()
}

func (r *restore) copyLog(ctx context.Context, dir string) error {
	for _, seg := range r.m.Segments {
		err := durable.Replace(filepath.Join(dir, segmentFile(seg)), func(w io.Writer) error {
			return copyChecked(ctx, r.counted(w), r.segment(seg), seg.contents())
		})
		if err != nil {
			return err
		}
	}
	return eventlog.WriteStart(dir, r.m.Start)
}

func (r *restore) copySnapshot(ctx context.Context, to Snapshots) error {
	if err := durable.MkdirAll(to.Dir); err != nil {
		return err
	}
	snap := r.m.Snapshot
	err := durable.Replace(to.path(snap.Seq, copySuffix), func(w io.Writer) error {
		return r.snapshots().copyTo(ctx, r.counted(w), snap)
	})
	if err != nil {
		return err
	}
	return to.writeManifest(snap)
}

// verify reads the log as it was copied, record by record.
func (r *restore) verify(ctx context.Context, dir string) error {
	var head events.Head
	for at, err := range eventlog.Scan(ctx, dir, 0) {
		if err != nil {
			return err
		}
		head = events.Head{Seq: at.Seq, Hash: at.Hash}
		if snap := r.m.Snapshot; at.Seq == snap.Seq && at.Hash != snap.Hash {
			return events.Errorf(events.CodeCorrupt, "the snapshot's record %d has hash %s, the log's %s; use another backup", snap.Seq, snap.Hash, at.Hash)
		}
	}
	if head != r.m.Head {
		return events.Errorf(events.CodeCorrupt, "the log ends with seq %d (%s), and should with %d (%s); use another backup", head.Seq, head.Hash, r.m.Head.Seq, r.m.Head.Hash)
	}
	return nil
}

// counted tells the progress of what goes to w.
func (r *restore) counted(w io.Writer) io.Writer {
	if r.opts.Progress == nil {
		return w
	}
	return &counter{w, func(n int) {
		r.done += int64(n)
		r.opts.Progress(r.done, r.m.size())
	}}
}

type counter struct {
	w   io.Writer
	add func(n int)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.add(n)
	return n, err
}
