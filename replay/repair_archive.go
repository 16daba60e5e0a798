package replay

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/internal/eventlog"
)

// RepairAhead is what an archive has that the good part of a log of the same epoch does
// not: the log was restored from a backup that is older than the archive, or is damaged.
type RepairAhead struct {
	// FirstSeq and LastSeq are of the records that go on from the log. A repair takes
	// them, and they count as kept. 0: there are none.
	FirstSeq uint64 `json:"first_seq"`
	LastSeq  uint64 `json:"last_seq"`
	// Unfit is the last seq of those that don't: the log went on otherwise, or they are
	// damaged, or some between are missing. A repair leaves them out. 0: there are none.
	Unfit uint64 `json:"unfit"`
}

// findAhead looks for what the archive has and the log does not. An archive that the
// options don't name, and that can't be asked, is done without.
func (r *repair) findAhead(ctx context.Context) error {
	r.fromLog = r.report.Kept
	location := cmp.Or(r.opts.Archive, r.start.Archive)
	if location == "" {
		return nil
	}
	err := r.askArchive(ctx, location)
	if err != nil && r.opts.Archive == "" && ctx.Err() == nil {
		r.report.ArchiveError = err.Error()
		return nil
	}
	return err
}

func (r *repair) askArchive(ctx context.Context, location string) (err error) {
	opts := archive.Options{LogID: r.report.LogID, Upto: r.start.Before()}
	if r.archive, err = archive.OpenFor(ctx, location, opts); err != nil {
		return err
	}
	files, err := r.archive.Later(ctx, r.report.Epoch)
	if err != nil {
		return err
	}
	for _, m := range files {
		if err := r.addAhead(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// addAhead notes a file of the archive, if the log lacks its records.
func (r *repair) addAhead(ctx context.Context, m *archive.Manifest) error {
	fits, err := r.follows(ctx, m)
	if fits && m.LastSeq <= r.report.Kept.Seq {
		return nil
	}
	if fits {
		err = r.check(ctx, m)
	}
	if errors.Is(err, events.ErrCorrupt) {
		fits, err = false, nil
	}
	if err != nil {
		return err
	}
	if r.report.Ahead == nil {
		r.report.Ahead = &RepairAhead{}
	}
	ahead := r.report.Ahead
	if !fits {
		ahead.Unfit = max(ahead.Unfit, m.LastSeq)
		return nil
	}
	if len(r.archived) == 0 {
		ahead.FirstSeq, r.fromLog = r.report.Kept.Seq+1, events.Head{Seq: m.FirstSeq - 1, Hash: m.Prev}
	}
	ahead.LastSeq = m.LastSeq
	r.archived = append(r.archived, m)
	r.report.Kept, r.report.KeptAt = m.Head(), m.LastTime
	return nil
}

// follows reports whether a file has the records that the log has, and those that come
// next.
func (r *repair) follows(ctx context.Context, m *archive.Manifest) (bool, error) {
	kept := r.report.Kept
	switch {
	case m.FirstSeq == kept.Seq+1:
		return m.Prev == kept.Hash, nil
	case m.FirstSeq > kept.Seq || m.FirstSeq < r.start.First || len(r.archived) > 0:
		return false, nil
	case m.LastSeq <= kept.Seq:
		return hasHead(eventlog.Scan(ctx, r.logDir(), m.LastSeq), m.Head())
	}
	return hasHead(r.archive.Checked(ctx, m), kept)
}

// check reads a file through.
func (r *repair) check(ctx context.Context, m *archive.Manifest) error {
	for _, err := range r.archive.Checked(ctx, m) {
		if err != nil {
			return err
		}
	}
	return nil
}

// hasHead reports whether frames have one with that seq and hash.
func hasHead(frames iter.Seq2[eventlog.Located, error], head events.Head) (bool, error) {
	for at, err := range frames {
		if err != nil {
			return false, err
		}
		if at.Seq == head.Seq {
			return at.Hash == head.Hash, nil
		}
	}
	return false, nil
}

// copyArchived copies what the archive has ahead of the log, behind what c has. Each
// file is checked as a whole, and each record follows the one before it.
func (r *repair) copyArchived(ctx context.Context, c *logCopy) error {
	for _, m := range r.archived {
		for at, err := range r.archive.Checked(ctx, m) {
			if err == nil {
				err = c.add(at)
			}
			if err != nil {
				return errors.Join(err, c.abandon())
			}
		}
	}
	return c.finish()
}
