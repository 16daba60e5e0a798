package replay

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/views"
)

// point is what views were at a seq, as a checkpoint or a snapshot says.
type point struct {
	by     string // who says so
	seq    uint64
	digest events.Hash
	rows   *views.Reader // all of it; nil: not to be had any more
}

// rebuild makes views from the log, and compares them with the points that they
// pass, and with each digest in the log, up to the head.
func (v *verification) rebuild(ctx context.Context) error {
	slices.SortFunc(v.points, func(a, b point) int { return cmp.Compare(a.seq, b.seq) })
	return v.withRebuild(func(db *views.DB, log *scannedLog) error {
		for _, p := range v.points {
			if p.seq > log.head.Seq {
				break // the report has it as lost
			}
			if ok, err := v.catchUp(ctx, db, log.until(p.seq)); !ok {
				return err
			}
			if err := v.compare(ctx, p, db); err != nil {
				return err
			}
		}
		_, err := v.catchUp(ctx, db, log)
		return err
	})
}

// withRebuild calls compare with empty views and the log that was checked, if
// views can be made from it.
func (v *verification) withRebuild(compare func(*views.DB, *scannedLog) error) error {
	r := &v.report
	switch {
	case !v.log.ended, !v.log.sound:
		r.notChecked("a rebuild: the log is damaged")
		return nil
	case r.FirstSeq > 1:
		return events.Errorf(events.CodeOutOfRange, "verify %s: views can't be made from the log, which starts at seq %d; verify without --deep, or where the archive is", r.Path, r.FirstSeq)
	}
	dir, err := os.MkdirTemp("", "metalog-verify-")
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "verify: %w", err)
	}
	db, err := views.Open(views.Options{Path: filepath.Join(dir, ViewsFile)})
	if err == nil {
		r.Deep = true
		log := &scannedLog{dir: filepath.Join(r.Path, LogDir), head: r.Head}
		err = errors.Join(compare(db, log), db.Close())
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// catchUp applies the log, and reports whether all of it could be.
func (v *verification) catchUp(ctx context.Context, db *views.DB, log *scannedLog) (ok bool, err error) {
	if db.Checkpoint().Seq == log.head.Seq {
		return true, nil
	}
	err = projector.CatchUp(ctx, db, log, func(seq uint64) {
		v.progress(VerifyProgress{Step: "rebuild", Done: int64(seq), Total: int64(v.report.Head.Seq), Records: seq})
	})
	if !errors.Is(err, events.ErrCorrupt) {
		return err == nil, err
	}
	kind := FindingViews
	if differs := (*projector.DigestError)(nil); errors.As(err, &differs) {
		kind = FindingDigest
	}
	v.report.find(kind, log.place(ctx, db.Writer().Seq()+1), "rebuild: %v", err)
	return false, nil
}

// compare compares a point with views made from the log up to its seq.
func (v *verification) compare(ctx context.Context, p point, rebuilt *views.DB) error {
	if want := rebuilt.Checkpoint().Digest; p.digest != want {
		v.report.find(FindingViews, nil, "%s at seq %d: the digest is %s, a rebuild from the log has %s", p.by, p.seq, p.digest, want)
	}
	if p.rows == nil {
		return nil
	}
	want, err := rebuilt.Snapshot()
	if err != nil {
		return err
	}
	d, err := views.FirstDifference(ctx, p.rows, &want.Reader)
	switch {
	case d != nil:
		v.report.find(FindingViews, nil, "%s at seq %d are not those of a rebuild from the log: %v; remove the file %s to have it made from the log", p.by, p.seq, d, ViewsFile)
	case errors.Is(err, events.ErrCorrupt):
		v.report.find(FindingViews, nil, "%v", err)
		err = nil
	}
	return errors.Join(err, want.Close())
}

// scannedLog reads the log in a directory up to a head that it is known to have,
// as an [events.Reader].
type scannedLog struct {
	dir  string
	head events.Head
}

// until is the log up to an earlier seq.
func (l *scannedLog) until(seq uint64) *scannedLog {
	return &scannedLog{dir: l.dir, head: events.Head{Seq: seq}}
}

func (l *scannedLog) First() uint64     { return 1 }
func (l *scannedLog) Head() events.Head { return l.head }

func (l *scannedLog) Records(ctx context.Context, from uint64) iter.Seq2[*events.Record, error] {
	return eventlog.Records(l.located(ctx, from))
}

func (l *scannedLog) located(ctx context.Context, from uint64) iter.Seq2[eventlog.Located, error] {
	return func(yield func(eventlog.Located, error) bool) {
		if from > l.head.Seq {
			return
		}
		for at, err := range eventlog.Scan(ctx, l.dir, from) {
			if !yield(at, err) || err != nil || at.Seq == l.head.Seq {
				return
			}
		}
	}
}

// place returns where a record stands; nil if it can't be read.
func (l *scannedLog) place(ctx context.Context, seq uint64) *Place {
	for at, err := range l.located(ctx, seq) {
		if err != nil {
			break
		}
		return place(at)
	}
	return nil
}
