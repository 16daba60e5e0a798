package replay

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/views"
)

// mayWrite looks at what is at Out.
func (r *rebuild) mayWrite() error {
	out := r.opts.Out
	if r.opts.DataDir != "" {
		if inside, err := within(r.opts.DataDir, out); err != nil || inside {
			return errors.Join(err, events.Errorf(events.CodeConflict, "the file would lie in the data directory %s, which must stay as it is; name one elsewhere", r.opts.DataDir))
		}
	}
	if dir, err := os.Stat(filepath.Dir(out)); err != nil || !dir.IsDir() {
		return events.Errorf(events.CodeNotFound, "there is no directory %s; make it first", filepath.Dir(out))
	}
	info, err := os.Lstat(out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return events.Errorf(events.CodeUnavailable, "%w", err)
	case !info.Mode().IsRegular():
		return events.Errorf(events.CodeConflict, "what is there is no file; name another one")
	case !r.opts.Force:
		return events.Errorf(events.CodeAlreadyExists, "the file is there; use --force to replace it, or name another one")
	case info.Size() == 0:
		return events.Errorf(events.CodeConflict, "what is there is empty, no file of views, so it is not replaced; remove it, or name another one")
	}
	return r.replaceable()
}

// replaceable checks that the file at Out is one of views, and that nobody has it
// open: nothing else is to be lost to a wrong name.
func (r *rebuild) replaceable() error {
	db, err := views.Open(views.Options{Path: r.opts.Out, ReadOnly: true})
	switch {
	case err == nil:
		return db.Close()
	case errors.Is(err, views.ErrSchema):
		return nil
	case errors.Is(err, events.ErrCorrupt):
		return events.Errorf(events.CodeConflict, "what is there is no file of views, so it is not replaced (%w); name another one", err)
	}
	return err
}

// left returns the seq that an interrupted run has come to; 0 if there is none.
func (r *rebuild) left(ctx context.Context) (uint64, error) {
	if _, err := os.Lstat(r.partial); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	at, err := r.usable(ctx)
	var of unusable
	if !errors.As(err, &of) {
		return at.Seq, err
	}
	if !r.opts.Force {
		return 0, events.Errorf(events.CodeConflict, "%s, which an interrupted rebuild leaves, can't be gone on with: %w; remove it, or use --force to begin anew", r.partial, of.error)
	}
	r.opts.Logger.Warn("an unfinished file is not gone on with", "path", r.partial, "why", of.error)
	return 0, durable.Remove(r.partial)
}

// unusable is why an unfinished file can't be gone on with.
type unusable struct{ error }

// usable opens and checks what an interrupted run has left.
func (r *rebuild) usable(ctx context.Context) (at views.Checkpoint, err error) {
	db, err := views.Open(views.Options{Path: r.partial})
	if errors.Is(err, events.ErrCorrupt) || errors.Is(err, views.ErrSchema) {
		return at, unusable{err}
	}
	if err != nil {
		return at, err
	}
	at = db.Checkpoint()
	if err = r.fits(ctx, at); err == nil {
		err = db.CheckPages(ctx)
	}
	if errors.Is(err, events.ErrCorrupt) {
		err = unusable{err}
	}
	return at, errors.Join(err, db.Close())
}

// fits checks that views are of this log and not beyond the point.
func (r *rebuild) fits(ctx context.Context, at views.Checkpoint) error {
	switch {
	case at.Seq > r.to:
		return unusable{events.Errorf(events.CodeConflict, "it is at seq %d, beyond %d", at.Seq, r.to)}
	case at.Seq == 0, at.Seq+1 == r.log.First():
		return nil
	case at.Seq < r.log.First():
		return unusable{events.Errorf(events.CodeOutOfRange, "it is at seq %d, and the record after that is gone", at.Seq)}
	}
	for rec, err := range r.log.Records(ctx, at.Seq) {
		if err == nil && rec.Hash != at.Hash {
			err = unusable{events.Errorf(events.CodeConflict, "it was made from another log: its record %d has hash %s, this log's has %s", at.Seq, at.Hash, rec.Hash)}
		}
		return err
	}
	return nil
}

// takeBase makes the file a copy of the nearest good base, unless it is at seq at and
// the base is not nearer to the point.
func (r *rebuild) takeBase(ctx context.Context, at uint64) error {
	bases, err := r.opts.Bases.usable(ctx, r.log, r.to)
	if err != nil && at == 0 {
		return err
	}
	for _, base := range bases {
		if base.Seq <= at {
			err = nil
			break
		}
		if err = r.copyBase(ctx, base); err == nil {
			r.report.FromSnapshot = base.Seq
			return nil
		}
		if !errors.Is(err, events.ErrCorrupt) {
			return err
		}
		r.opts.Logger.Warn("snapshot is passed over", "seq", base.Seq, "why", err)
	}
	r.report.ResumedFrom = at
	if at > 0 {
		return nil
	}
	return err
}

func (r *rebuild) copyBase(ctx context.Context, base Base) error {
	if err := fits(ctx, r.log, base.Snapshot); err != nil {
		return err
	}
	return base.Extract(ctx, r.partial)
}
