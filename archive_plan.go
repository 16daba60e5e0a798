package metalog

import (
	"context"
	"fmt"
	"time"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/replay"
)

// ArchivePolicy says which segments stay in the log. A segment is moved to the
// archive when nothing that is set keeps it; the last one always stays, and so does
// what recovery or a publisher needs.
type ArchivePolicy struct {
	OlderThan   time.Duration `json:"older_than,omitempty"`   // records that are younger stay; nanoseconds in JSON
	KeepBytes   int64         `json:"keep_bytes,omitempty"`   // so much of the log stays, at least
	KeepRecords uint64        `json:"keep_records,omitempty"` // so many of the newest records stay
}

func (p ArchivePolicy) isZero() bool { return p == ArchivePolicy{} }

// check refuses what means nothing.
func (p ArchivePolicy) check() error {
	if p.OlderThan < 0 || p.KeepBytes < 0 {
		return events.Errorf(events.CodeInvalid, "archive: an age or a size below zero keeps nothing; leave it out")
	}
	return nil
}

// ArchivedSegment is a segment of the log that was moved to the archive, or would be.
type ArchivedSegment struct {
	FirstSeq  uint64 `json:"first_seq"`
	LastSeq   uint64 `json:"last_seq"`
	Bytes     int64  `json:"bytes"`                // in the log
	FileBytes int64  `json:"file_bytes,omitempty"` // in the archive; 0: not there yet
}

// Ratio is how much larger the segment is in the log; 0: it is not in the archive.
func (s ArchivedSegment) Ratio() float64 {
	if s.FileBytes == 0 {
		return 0
	}
	return float64(s.Bytes) / float64(s.FileBytes)
}

// limit is why records stay in the log.
type limit struct {
	last uint64 // the last seq that may go
	why  string
}

// archivePlan is which segments go, and why the next one does not.
type archivePlan struct {
	segments []ArchivedSegment
	kept     string
}

// planArchive decides which segments of the log go to the archive.
func (s *Store) planArchive(ctx context.Context, policy ArchivePolicy) (p archivePlan, err error) {
	limits, err := s.archiveLimits(ctx, policy)
	if err != nil {
		return p, err
	}
	segs := s.file.Segments()
	sizes := make([]int64, len(segs))
	var left int64
	for i, seg := range segs {
		if sizes[i], err = s.file.SegmentSize(seg.First); err != nil {
			return p, err
		}
		left += sizes[i]
	}
	p.kept = "it is the last one"
	for i, seg := range segs[:max(len(segs)-1, 0)] {
		left -= sizes[i]
		why, err := s.keeps(ctx, limits, policy, seg, left)
		if err != nil {
			return p, err
		}
		if why != "" {
			p.kept = why
			break
		}
		p.segments = append(p.segments, ArchivedSegment{FirstSeq: seg.First, LastSeq: seg.Last, Bytes: sizes[i]})
	}
	if n := len(p.segments); n < len(segs) {
		p.kept = fmt.Sprintf("the segment of seqs %d to %d stays: %s", segs[n].First, segs[n].Last, p.kept)
	}
	return p, nil
}

// keeps says why a segment stays, or nothing. left is what of the log is left without
// it, in bytes.
func (s *Store) keeps(ctx context.Context, limits []limit, policy ArchivePolicy, seg eventlog.Segment, left int64) (why string, err error) {
	for _, l := range limits {
		if seg.Last > l.last {
			return l.why, nil
		}
	}
	if left < policy.KeepBytes {
		return fmt.Sprintf("%d bytes of the log are to be kept", policy.KeepBytes), nil
	}
	if policy.OlderThan == 0 {
		return "", nil
	}
	// The next record is not older than the last one of the segment.
	for next, err := range s.log.Frames(ctx, seg.Last+1) {
		if err != nil {
			return "", err
		}
		if next.Time > events.TimeOf(s.opts.Clock().Add(-policy.OlderThan)) {
			return fmt.Sprintf("it is not older than %s", policy.OlderThan), nil
		}
		break
	}
	return "", nil
}

// archiveLimits lists what keeps records in the log. A snapshot, or the views on
// disk, keep their own record too: that they are of this log is seen by it.
func (s *Store) archiveLimits(ctx context.Context, policy ArchivePolicy) ([]limit, error) {
	head := s.log.Head().Seq
	var limits []limit
	if policy.KeepRecords > 0 {
		limits = append(limits, limit{head - min(policy.KeepRecords, head), fmt.Sprintf("the newest %d records are to be kept", policy.KeepRecords)})
	}
	if s.opts.Needed != nil {
		next := s.opts.Needed()
		limits = append(limits, limit{max(next, 1) - 1, fmt.Sprintf("what is from seq %d on was not published yet", next)})
	}
	snapshots, err := s.snapshots.List()
	if err != nil {
		return nil, err
	}
	return append(limits, snapshotLimit(snapshots), s.flushedLimit()), ctx.Err()
}

// flushedLimit keeps what opening has to apply to the views on disk.
func (s *Store) flushedLimit() limit {
	seq := s.db.Flushed().Seq
	return limit{max(seq, 1) - 1, fmt.Sprintf("the views on disk are at seq %d", seq)}
}

// snapshotLimit keeps what follows the snapshots that recovery begins with.
func snapshotLimit(snapshots []Snapshot) limit {
	needed := replay.ForRecovery(snapshots)
	if len(needed) == 0 {
		return limit{0, "there is no snapshot to recover with; 'metalog snapshot create' makes one"}
	}
	return limit{needed[0].Seq - 1, fmt.Sprintf("snapshot %d is kept for recovery, with the records from its own on", needed[0].Seq)}
}
