package metalog

import (
	"context"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// PruneOptions say what to prune.
type PruneOptions struct {
	// BeforeSnapshot is the seq of a snapshot: what the archive has of the records up
	// to it goes, as far as whole files have nothing else.
	BeforeSnapshot uint64 `json:"before_snapshot"`
	DryRun         bool   `json:"dry_run,omitempty"`
}

// PruneReport tells what was pruned, or would be.
type PruneReport struct {
	Location string            `json:"location"`
	DryRun   bool              `json:"dry_run"`
	Files    []ArchivedSegment `json:"files"`
	// FileBytes are those of the files that went; the archive has got the snapshot.
	FileBytes int64  `json:"file_bytes"`
	FirstSeq  uint64 `json:"first_seq"` // of the records that are left: events, history and verification begin there
	StateSeq  uint64 `json:"state_seq"` // the first seq whose state can be read
}

// PruneArchive takes away what the archive has of the records up to a snapshot, for
// good. The snapshot becomes the base of the archive first, so that what is left can
// be read without the store's snapshots. What can't be answered any more is
// ErrOutOfRange then, and says from which seq on it can.
//
// It is ErrNotFound when there is no archive, or no such snapshot.
func (s *Store) PruneArchive(ctx context.Context, opts PruneOptions) (PruneReport, error) {
	if !s.archiving.TryLock() {
		return PruneReport{}, events.Errorf(events.CodeUnavailable, "archive prune: an archive run is under way; try again when it has ended")
	}
	defer s.archiving.Unlock()
	if !s.archive.Known() {
		return PruneReport{}, events.Errorf(events.CodeNotFound, "archive prune: nothing was archived; there is nothing to prune")
	}
	a, err := s.archive.Archive(ctx)
	if err != nil {
		return PruneReport{}, err
	}
	snap, err := s.snapshotAt(ctx, opts.BeforeSnapshot)
	if err != nil {
		return PruneReport{}, err
	}
	plan, err := a.PlanPrune(ctx, snap.Seq)
	if err != nil {
		return PruneReport{}, err
	}
	report := pruneReport(a, plan, opts)
	if report.StateSeq, err = s.stateAfter(plan, snap); err != nil || opts.DryRun || len(plan.Files) == 0 {
		return report, err
	}
	return report, s.prune(ctx, a, plan, snap)
}

func pruneReport(a *archive.Archive, plan archive.Pruning, opts PruneOptions) PruneReport {
	r := PruneReport{Location: a.String(), DryRun: opts.DryRun, Files: []ArchivedSegment{}, FirstSeq: plan.First}
	for _, m := range plan.Files {
		r.Files = append(r.Files, ArchivedSegment{FirstSeq: m.FirstSeq, LastSeq: m.LastSeq, Bytes: m.SegmentBytes, FileBytes: m.FileBytes})
		r.FileBytes += m.FileBytes
	}
	return r
}

// snapshotAt returns the snapshot of a seq, which has to be one of this log.
func (s *Store) snapshotAt(ctx context.Context, seq uint64) (Snapshot, error) {
	list, err := s.snapshots.List()
	if err != nil {
		return Snapshot{}, err
	}
	i := slices.IndexFunc(list, func(snap Snapshot) bool {
		return snap.Seq == seq && snap.SchemaVersion == views.SchemaVersion
	})
	if i < 0 {
		return Snapshot{}, events.Errorf(events.CodeNotFound, "archive prune: there is no snapshot of seq %d that can be used; 'metalog snapshot list' shows which there are", seq)
	}
	for frame, err := range s.history.Frames(ctx, seq) {
		if err != nil {
			return Snapshot{}, err
		}
		if frame.Hash != list[i].Hash {
			return Snapshot{}, events.Errorf(events.CodeCorrupt, "archive prune: snapshot %d (hash %s) is not of this log; use another one", seq, list[i].Hash)
		}
		break
	}
	return list[i], nil
}

// stateAfter returns the first seq whose state can be read once a plan is done: 1
// when nothing goes, or that of the first snapshot that the records go on from.
func (s *Store) stateAfter(plan archive.Pruning, snap Snapshot) (uint64, error) {
	if plan.First == 1 {
		return 1, nil
	}
	return s.bases().Earliest(plan.First, snap.Seq)
}

// bases are the states that this store can begin with to make others.
func (s *Store) bases() replay.Bases {
	return replay.Bases{Snapshots: s.snapshots, Archive: s.archive}
}

func (s *Store) prune(ctx context.Context, a *archive.Archive, plan archive.Pruning, snap Snapshot) error {
	s.snapshotting.Lock() // the snapshot stays until it is copied
	defer s.snapshotting.Unlock()
	base, err := replay.NewArchiveBase(ctx, a, s.snapshots, snap)
	if err != nil {
		return err
	}
	if err := a.Prune(ctx, plan, base, s.epoch(ctx).Epoch); err != nil {
		return err
	}
	s.opts.Logger.Info("archive pruned", "first_seq", plan.First, "files", len(plan.Files), "base", snap.Seq)
	return a.Sweep(ctx, s.log.First())
}
