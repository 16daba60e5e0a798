package metalog

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// pinned is a [View] of a snapshot.
type pinned struct {
	queries
	snapshot *views.Snapshot
	file     io.Closer // what the snapshot needs to be open; nil: the store itself
}

func (p *pinned) Seq() uint64 { return p.snapshot.Seq() }

// Close may be called again.
func (p *pinned) Close() error {
	err := p.snapshot.Close()
	if p.file != nil {
		err = errors.Join(err, p.file.Close())
		p.file = nil
	}
	return err
}

// pin makes a view of what db shows now.
func pin(db *views.DB, info func(*views.Reader) (Info, error)) (*pinned, error) {
	snapshot, err := db.Snapshot()
	if err != nil {
		return nil, err
	}
	release := func() error { return nil }
	acquire := func(context.Context) (*views.Reader, func() error, error) { return &snapshot.Reader, release, nil }
	return &pinned{queries: queries{acquire, info}, snapshot: snapshot}, nil
}

// asView keeps a failed pin from becoming a View that is not nil.
func asView(p *pinned, err error) (View, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// snapshotOf acquires what one read needs.
func snapshotOf(db *views.DB) (*views.Reader, func() error, error) {
	snapshot, err := db.Snapshot()
	if err != nil {
		return nil, nil, err
	}
	return &snapshot.Reader, snapshot.Close, nil
}

// View implements [MetadataStore]. The view is for one goroutine at a time.
func (s *Store) View(ctx context.Context, minSeq uint64) (View, error) {
	if err := s.waitVisible(ctx, minSeq); err != nil {
		return nil, err
	}
	return asView(pin(s.db, s.infoOf))
}

func (s *Store) snapshot(context.Context) (*views.Reader, func() error, error) {
	return snapshotOf(s.db)
}

// waitVisible waits until reads see a seq. The log's wait ends when it stops,
// too; rows are published a moment after the log has their record.
func (s *Store) waitVisible(ctx context.Context, seq uint64) error {
	err := s.log.Wait(ctx, seq)
	if err == nil {
		err = s.db.WaitPublished(ctx, seq)
	}
	if err != nil && ctx.Err() != nil {
		err = events.Errorf(events.CodeUnavailable, "the views did not reach seq %d: %w", seq, err)
	}
	return err
}

// infoOfViews tells of a state what its views know.
func infoOfViews(db *views.DB, r *views.Reader) (Info, error) {
	epoch, err := r.Log()
	if err != nil {
		return Info{}, err
	}
	next, err := r.NextProducerID()
	if err != nil {
		return Info{}, err
	}
	at := r.Checkpoint()
	return Info{
		LogID: epoch.LogID, Epoch: epoch.Epoch, Fork: epoch.Fork,
		Seq: at.Seq, Head: at.Head(), Time: at.Time, Digest: at.Digest,
		Checkpoint: db.Flushed().Seq,
		Records:    at.Seq, Events: at.Events, Entities: r.Counts(),
		NextProducerID: next,
	}, nil
}

// infoOf tells what a state holds.
func (s *Store) infoOf(r *views.Reader) (Info, error) {
	info, err := infoOfViews(s.db, r)
	if err != nil {
		return info, err
	}
	info.Writable = s.failed() == nil
	if info.ViewsBytes, err = sizeOf(filepath.Join(s.opts.Path, viewsFile)); err != nil {
		return info, err
	}
	return info, s.describeLog(&info)
}

// describeLog tells of the log what it is now.
func (s *Store) describeLog(info *Info) (err error) {
	info.FirstSeq, info.Archive = s.log.First(), s.archiveInfo()
	info.LogBytes, err = sizeOf(filepath.Join(s.opts.Path, logDir))
	return err
}

// sizeOf sums the files of a directory, or gives the size of one file.
func sizeOf(path string) (total int64, err error) {
	err = filepath.WalkDir(path, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreGone(err)
		}
		file, err := entry.Info()
		if err == nil {
			total += file.Size()
		}
		return ignoreGone(err)
	})
	return total, err
}

// ignoreGone lets a file be removed while its directory is read.
func ignoreGone(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// Plan implements [MetadataStore].
func (s *Store) Plan(ctx context.Context, cmd Command, opts ...CommandOption) ([]events.EventView, error) {
	o := NewCommandOptions(opts...)
	if _, err := newRequest(cmd, o); err != nil {
		return nil, err
	}
	return ask(ctx, s.queries, func(r *views.Reader) ([]events.EventView, error) {
		d := decision{
			view: r, seq: r.Seq() + 1, now: max(events.TimeOf(s.opts.Clock()), r.Checkpoint().Time), newID: s.opts.NewID,
			ifRevision: o.IfRevision, cause: o.Cause, plan: true,
		}
		if err := d.run(cmd); err != nil {
			return nil, err
		}
		rec := &events.Record{Seq: d.seq, Time: d.now, Meta: events.Meta{Actor: o.Actor, Cause: d.cause}, Facts: d.facts}
		planned := make([]events.EventView, len(rec.Facts))
		for i := range rec.Facts {
			planned[i] = rec.View(i)
		}
		return planned, nil
	})
}
