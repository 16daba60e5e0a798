package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/internal/eventlog"
)

// What a backup holds. No name is that of something in a data directory which
// the other kind of directory must not lose.
const (
	backupManifest = "BACKUP.json"
	backupSegments = "segments"
	lockName       = "LOCK"
)

// BackupManifest tells what a backup is of and which files belong to it. It is
// written last and replaced at once: files that it does not name don't count.
type BackupManifest struct {
	LogID     uuid.UUID      `json:"log_id"`
	Epoch     uint64         `json:"epoch"`
	Head      events.Head    `json:"head"` // up to which the log was copied
	CreatedAt events.Time    `json:"created_at"`
	Start     eventlog.Start `json:"start"` // where the log starts
	Segments  []Segment      `json:"segments"`
	Snapshot  Snapshot       `json:"snapshot"`
}

// size is that of all files of the backup but the manifest.
func (m BackupManifest) size() int64 {
	size := m.Snapshot.SizeBytes
	for _, s := range m.Segments {
		size += s.SizeBytes
	}
	return size
}

// BackupOptions are how to make a backup. Clock alone may be left out.
type BackupOptions struct {
	LogID uuid.UUID
	Epoch uint64
	Head  events.Head      // up to which to copy; it must be durable
	Clock func() time.Time // nil: time.Now
}

// BackupReport tells what is in a backup now.
type BackupReport struct {
	Dir         string      `json:"dir"`
	LogID       uuid.UUID   `json:"log_id"`
	Epoch       uint64      `json:"epoch"`
	Head        events.Head `json:"head"`
	SnapshotSeq uint64      `json:"snapshot_seq"`
	SizeBytes   int64       `json:"size_bytes"`
	Segments    int         `json:"segments"`
	Copied      int         `json:"copied"`       // segments; the rest was there
	CopiedBytes int64       `json:"copied_bytes"` // of segments
	// FirstSeq is that of the log, and Archive where the records before are, which are
	// not part of the backup. Empty: there are none.
	FirstSeq uint64 `json:"first_seq"`
	Archive  string `json:"archive,omitempty"`
}

// Backup copies the log in a data directory, up to a head, and the newest
// snapshot to dir, which is empty or holds an earlier backup of the same log.
// The store may be open and go on writing.
//
// All records that are copied are checked. Segments that an earlier backup has
// whole are not copied again; they are read there, and what follows them must be
// chained to them. The earlier backup can be restored until the new one is
// complete and durable, wherever it is interrupted.
//
// It is ErrCorrupt when the log is damaged or does not reach what the earlier
// backup has, and ErrConflict when dir holds something else.
func Backup(ctx context.Context, dataDir, dir string, opts BackupOptions) (_ BackupReport, err error) {
	if err := outside(dataDir, dir); err != nil {
		return BackupReport{}, err
	}
	if err := onlyEntries(dir, lockName, backupManifest, backupManifest+durable.TempSuffix, backupSegments, SnapshotsDir); err != nil {
		return BackupReport{}, err
	}
	lock, err := eventlog.Lock(dir, "another backup into it")
	if err != nil {
		return BackupReport{}, err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	b := &backup{
		dataDir: dataDir, dir: dir, opts: opts,
		from: Snapshots{Dir: filepath.Join(dataDir, SnapshotsDir)},
		to:   Snapshots{Dir: filepath.Join(dir, SnapshotsDir), Clock: opts.Clock},
	}
	if err := b.run(ctx); err != nil {
		return BackupReport{}, events.Errorf(events.CodeOf(err), "backup to %s: %w", dir, err)
	}
	return b.report(), nil
}

// onlyEntries checks that a directory, if it is there, has no other entries.
func onlyEntries(dir string, allowed ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return events.Errorf(events.CodeUnavailable, "%s: %w", dir, err)
	}
	for _, e := range entries {
		if !slices.Contains(allowed, e.Name()) {
			return events.Errorf(events.CodeConflict, "%s holds something else (%s); name a directory that is empty or not there", dir, e.Name())
		}
	}
	return nil
}

// backup is one run of Backup.
type backup struct {
	dataDir, dir string
	opts         BackupOptions
	from, to     Snapshots

	made   BackupManifest
	reused int // segments at the front of made that were there
}

func (b *backup) run(ctx context.Context) error {
	previous, _, err := readBackup(b.dir)
	if err != nil {
		return err
	}
	if err := b.begin(previous); err != nil {
		return err
	}
	if err := b.copySnapshot(ctx); err != nil {
		return err
	}
	if err := b.reuse(ctx, previous.Segments); err != nil {
		return err
	}
	if err := b.copyLog(ctx); err != nil {
		return err
	}
	if err := writeBackup(b.dir, b.made); err != nil {
		return err
	}
	return b.sweep()
}

// readBackup reads a backup's manifest. found is false if there is none.
func readBackup(dir string) (m BackupManifest, found bool, err error) {
	path := filepath.Join(dir, backupManifest)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return m, false, nil
	}
	if err != nil {
		return m, false, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, false, events.Errorf(events.CodeCorrupt, "%s is damaged: %w; use another backup", path, err)
	}
	return m, true, nil
}

func writeBackup(dir string, m BackupManifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, backupManifest), append(data, '\n'))
}

// begin fills in what is known before copying, and checks that the earlier
// backup, if any, is of the same log.
func (b *backup) begin(previous BackupManifest) error {
	start, err := eventlog.ReadStart(filepath.Join(b.dataDir, LogDir))
	if err != nil {
		return err
	}
	snap, found, err := b.from.Nearest(b.opts.Head.Seq)
	if err != nil {
		return err
	}
	if !found {
		return events.Errorf(events.CodeNotFound, "%s has no snapshot to go with the log; create one first", b.dataDir)
	}
	b.made = BackupManifest{
		LogID: b.opts.LogID, Epoch: b.opts.Epoch, Head: b.opts.Head, CreatedAt: b.to.now(),
		Start: start, Snapshot: snap,
	}
	switch {
	case previous.Epoch == 0:
		return nil
	case previous.LogID != b.opts.LogID || previous.Epoch != b.opts.Epoch:
		return events.Errorf(events.CodeConflict, "it holds a backup of log %s, epoch %d, and this is log %s, epoch %d; name another directory", previous.LogID, previous.Epoch, b.opts.LogID, b.opts.Epoch)
	case previous.Head.Seq > b.opts.Head.Seq:
		return events.Errorf(events.CodeCorrupt, "it reaches seq %d, but the log ends at %d: records were lost; restore that backup", previous.Head.Seq, b.opts.Head.Seq)
	}
	return nil
}

// copySnapshot copies the snapshot unless it is there already.
func (b *backup) copySnapshot(ctx context.Context) error {
	snap := b.made.Snapshot
	if b.to.Verify(ctx, snap) == nil {
		return nil
	}
	if err := durable.MkdirAll(b.to.Dir); err != nil {
		return err
	}
	return b.from.Extract(ctx, snap, b.to.path(snap.Seq, copySuffix))
}

// reuse takes over the segments of the earlier backup that are good and have not
// grown since, up to the first one that is not.
func (b *backup) reuse(ctx context.Context, previous []Segment) error {
	next := b.made.Start.First
	for _, seg := range previous {
		if seg.FirstSeq < next {
			continue // archived meanwhile
		}
		if seg.FirstSeq != next || !b.inLog(seg.FirstSeq) || b.grown(seg) {
			break
		}
		err := copyChecked(ctx, io.Discard, b.segmentPath(seg.File), seg.contents())
		if errors.Is(err, events.ErrCorrupt) {
			break
		}
		if err != nil {
			return err
		}
		b.made.Segments = append(b.made.Segments, seg)
		next = seg.LastSeq + 1
	}
	b.reused = len(b.made.Segments)
	return nil
}

// grown reports whether a segment has more records now. Its size would not tell: the last
// one is filled with zeros ahead.
func (b *backup) grown(seg Segment) bool {
	return seg.LastSeq < b.opts.Head.Seq && !b.inLog(seg.LastSeq+1)
}

// inLog reports whether the log has a segment that begins with a seq.
func (b *backup) inLog(first uint64) bool {
	_, err := os.Stat(filepath.Join(b.dataDir, LogDir, segmentFile(Segment{FirstSeq: first})))
	return err == nil
}

// segmentFile is a segment's name in the log.
func segmentFile(s Segment) string { return fmt.Sprintf("%020d", s.FirstSeq) }

// backupFile is a segment's name in a backup. A segment that has grown is another
// file, so that the earlier backup keeps its own.
func backupFile(s Segment) string { return fmt.Sprintf("%020d-%020d", s.FirstSeq, s.LastSeq) }

func (b *backup) segmentPath(file string) string {
	return filepath.Join(b.dir, backupSegments, file)
}

// copyLog copies what was not reused.
func (b *backup) copyLog(ctx context.Context) error {
	before := b.made.Start.Before()
	if b.reused > 0 {
		last := b.made.Segments[b.reused-1]
		before = events.Head{Seq: last.LastSeq, Hash: last.LastHash}
	}
	dir := filepath.Join(b.dir, backupSegments)
	if err := durable.MkdirAll(dir); err != nil {
		return err
	}
	c := logCopy{dir: dir, name: backupFile, after: before}
	if err := c.copy(ctx, filepath.Join(b.dataDir, LogDir), b.opts.Head); err != nil {
		return err
	}
	b.made.Segments = append(b.made.Segments, c.made...)
	return nil
}

// sweep removes the files that only the earlier backup, or one that was never
// finished, needed.
func (b *backup) sweep() error {
	keep := map[string]bool{b.to.path(b.made.Snapshot.Seq, copySuffix): true}
	for _, seg := range b.made.Segments {
		keep[b.segmentPath(seg.File)] = true
	}
	var waste []string
	for _, dir := range []string{b.to.Dir, filepath.Join(b.dir, backupSegments)} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if path := filepath.Join(dir, e.Name()); !keep[path] {
				waste = append(waste, path)
			}
		}
	}
	if len(waste) == 0 {
		return nil
	}
	return durable.Remove(waste...)
}

func (b *backup) report() BackupReport {
	r := BackupReport{
		Dir: b.dir, LogID: b.made.LogID, Epoch: b.made.Epoch, Head: b.made.Head,
		SnapshotSeq: b.made.Snapshot.Seq, SizeBytes: b.made.size(), Segments: len(b.made.Segments),
		FirstSeq: b.made.Start.First, Archive: b.made.Start.Archive,
	}
	for _, seg := range b.made.Segments[b.reused:] {
		r.Copied++
		r.CopiedBytes += seg.SizeBytes
	}
	return r
}
