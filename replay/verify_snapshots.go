package replay

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// checkSnapshots checks the directory's snapshots, or with newest the newest one
// only: it is not removed while somebody writes in the directory.
func (v *verification) checkSnapshots(ctx context.Context, newest bool) error {
	s := Snapshots{Dir: filepath.Join(v.report.Path, SnapshotsDir)}
	seqs, err := s.seqs()
	if err != nil {
		return err
	}
	if newest && len(seqs) > 1 {
		seqs = seqs[len(seqs)-1:]
	}
	for _, seq := range seqs {
		err := v.checkSnapshot(ctx, s, seq)
		if errors.Is(err, events.ErrCorrupt) {
			v.report.find(FindingSnapshot, nil, "%v", err)
		} else if err != nil {
			return err
		}
		v.report.Snapshots++
	}
	return nil
}

// checkSnapshot checks a snapshot against its manifest, its rows against its
// digest, and has the log and a rebuild checked for what it says of its seq.
func (v *verification) checkSnapshot(ctx context.Context, s Snapshots, seq uint64) error {
	snap, ok := s.manifest(seq)
	if !ok {
		return events.Errorf(events.CodeCorrupt, "snapshot %d: its manifest can't be read; remove the snapshot", seq)
	}
	by := fmt.Sprintf("snapshot %d", seq)
	v.log.claim(claim{snap.Head(), by, FindingSnapshot})
	if err := s.Verify(ctx, snap); err != nil || snap.SchemaVersion != views.SchemaVersion {
		return err
	}
	v.points = append(v.points, point{by: by, seq: seq, digest: snap.Digest})
	db, err := openPages(ctx, s.path(seq, copySuffix))
	if err != nil {
		return err
	}
	return errors.Join(checkRows(ctx, db, snap), db.Close())
}

// checkRows compares the rows of a snapshot with its manifest.
func checkRows(ctx context.Context, db *views.DB, snap Snapshot) error {
	rows, err := db.Snapshot()
	if err != nil {
		return err
	}
	digest, _, err := rows.ComputeDigest(ctx)
	if at := rows.Checkpoint(); err == nil && (digest != snap.Digest || at.Head() != snap.Head()) {
		err = events.Errorf(events.CodeCorrupt, "snapshot %d: its rows at seq %d have digest %s, its manifest says %s; remove the snapshot", snap.Seq, at.Seq, digest, snap.Digest)
	}
	return errors.Join(err, rows.Close())
}
