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
	"github.com/metalog/metalog/internal/archive"
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
	return v.withRebuild(ctx, func(db *views.DB, log *scannedLog) error {
		from := db.Checkpoint().Seq
		for _, p := range v.points {
			if p.seq < from {
				v.report.notChecked("%s at seq %d against a rebuild, which begins with the archive's views of seq %d", p.by, p.seq, from)
				continue
			}
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

// withRebuild calls compare with views to begin with, empty or, when the archive was
// pruned, those that it keeps, and the log that was checked, if views can be made from
// it.
func (v *verification) withRebuild(ctx context.Context, compare func(*views.DB, *scannedLog) error) error {
	r := &v.report
	if !v.log.ended || !v.log.sound {
		r.notChecked("a rebuild: the log is damaged")
		return nil
	}
	if r.Unreachable != "" {
		r.notChecked("a rebuild: it takes the archive, which can't be reached")
		return nil
	}
	base, err := v.base(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "metalog-verify-")
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "verify: %w", err)
	}
	path := filepath.Join(dir, ViewsFile)
	if base != nil {
		err = base.Extract(ctx, path)
	}
	if err == nil {
		err = v.fromViews(path, compare)
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// fromViews calls compare with the views in a file, and closes them.
func (v *verification) fromViews(path string, compare func(*views.DB, *scannedLog) error) error {
	db, err := views.Open(views.Options{Path: path})
	if err != nil {
		return err
	}
	v.report.Deep = true
	log := &scannedLog{dir: filepath.Join(v.report.Path, LogDir), archive: v.archive, first: v.report.FirstSeq, head: v.report.Head}
	return errors.Join(compare(db, log), db.Close())
}

// base returns what a rebuild begins with: nil for empty views.
func (v *verification) base(ctx context.Context) (*Base, error) {
	r := &v.report
	if r.FirstSeq <= 1 {
		return nil, nil
	}
	if v.archive != nil {
		opener := archive.NewOpener(nil)
		opener.Use(v.archive)
		list, err := Bases{Archive: opener}.list(ctx)
		if err != nil {
			return nil, err
		}
		if len(list) == 1 && list[0].SchemaVersion == views.SchemaVersion {
			return &list[0], nil
		}
	}
	return nil, events.Errorf(events.CodeOutOfRange, "verify %s: views can't be made from the log, which starts at seq %d; name its archive with --archive LOCATION, or verify without --deep", r.Path, r.FirstSeq)
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
	dir     string
	archive *archive.Archive // of what is before the log's start; nil: there is none
	first   uint64
	head    events.Head
}

// until is the log up to an earlier seq.
func (l *scannedLog) until(seq uint64) *scannedLog {
	return &scannedLog{dir: l.dir, archive: l.archive, first: l.first, head: events.Head{Seq: seq}}
}

func (l *scannedLog) First() uint64     { return l.first }
func (l *scannedLog) Head() events.Head { return l.head }

func (l *scannedLog) Records(ctx context.Context, from uint64) iter.Seq2[*events.Record, error] {
	return eventlog.Records(l.located(ctx, from))
}

func (l *scannedLog) located(ctx context.Context, from uint64) iter.Seq2[eventlog.Located, error] {
	return func(yield func(eventlog.Located, error) bool) {
		if from > l.head.Seq {
			return
		}
		for at, err := range l.all(ctx, from) {
			if !yield(at, err) || err != nil || at.Seq == l.head.Seq {
				return
			}
		}
	}
}

// all is located without the end.
func (l *scannedLog) all(ctx context.Context, from uint64) iter.Seq2[eventlog.Located, error] {
	if l.archive == nil || from > l.archive.Head().Seq {
		return eventlog.Scan(ctx, l.dir, from)
	}
	return func(yield func(eventlog.Located, error) bool) {
		for at, err := range l.archive.Located(ctx, from) {
			if !yield(at, err) || err != nil {
				return
			}
		}
		eventlog.Scan(ctx, l.dir, l.archive.Head().Seq+1)(yield)
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
