package replay

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/views"
)

const (
	// asOfPending is how much of the rows gathers in memory before it is written.
	asOfPending = 32 << 20
	// unfinishedPrefix begins the names of files that are being made.
	unfinishedPrefix = "new-"
)

// build makes the file of a seq. from is the seq that it began with.
func (c *AsOf) build(ctx context.Context, seq uint64) (f *asOfFile, from uint64, err error) {
	bases, err := c.bases(ctx, seq)
	if err != nil {
		return nil, 0, err
	}
	if err := os.MkdirAll(c.opts.Dir, 0o700); err != nil {
		return nil, 0, asOfError(seq, err)
	}
	path := c.unfinished(seq)
	db, from, err := c.begin(ctx, bases, path)
	if err == nil {
		f, err = c.finish(ctx, db, path, seq)
	}
	if err != nil {
		return nil, 0, asOfError(seq, errors.Join(err, os.RemoveAll(path)))
	}
	return f, from, nil
}

func asOfError(seq uint64, err error) error {
	return events.Errorf(events.CodeOf(err), "views at seq %d: %w", seq, err)
}

// bases returns where making the views of a seq can begin, the nearest first.
func (c *AsOf) bases(ctx context.Context, seq uint64) ([]Base, error) {
	return c.opts.Bases.usable(ctx, c.opts.Log, seq, c.list()...)
}

// list returns the kept files.
func (c *AsOf) list() []Base {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []Base
	for _, f := range c.files {
		list = append(list, Base{Snapshot: f.snap, kept: true, copyTo: c.kept.copierOf(f.snap)})
	}
	return list
}

// begin makes views at path from the first base that is good, and opens them.
func (c *AsOf) begin(ctx context.Context, bases []Base, path string) (db *views.DB, seq uint64, err error) {
	for _, b := range bases {
		db, err = c.beginWith(ctx, b, path)
		if !errors.Is(err, events.ErrCorrupt) {
			return db, b.Seq, err
		}
		c.opts.Logger.Warn("views are passed over as a beginning", "seq", b.Seq, "snapshot", !b.kept, "why", err)
	}
	return nil, 0, err
}

// beginWith opens a copy of a base that is good and of this log.
func (c *AsOf) beginWith(ctx context.Context, b Base, path string) (*views.DB, error) {
	if err := c.makeRoom(b.SizeBytes); err != nil {
		return nil, err
	}
	if err := c.copyBase(ctx, b, path); err != nil {
		return nil, err
	}
	db, err := views.Open(views.Options{Path: path, Scratch: true, MaxPendingBytes: asOfPending})
	if err != nil {
		return nil, err
	}
	if at := db.Checkpoint(); at.Seq != b.Seq || at.Hash != b.Hash || b.Seq != 0 && at.Digest != b.Digest {
		err = events.Errorf(events.CodeCorrupt, "the file is at seq %d (%s), its manifest says %d (%s)", at.Seq, at.Hash, b.Seq, b.Hash)
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// copyBase copies a base to path. Seq 0 is no file.
func (c *AsOf) copyBase(ctx context.Context, b Base, path string) error {
	if err := os.RemoveAll(path); err != nil || b.Seq == 0 {
		return err
	}
	if b.kept {
		f := c.hold(b.Seq)
		if f == nil {
			return events.Errorf(events.CodeCorrupt, "it was removed meanwhile")
		}
		defer c.unhold(f)
	}
	if err := fits(ctx, c.opts.Log, b.Snapshot); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(b.copyTo(ctx, file), file.Close())
}

// makeRoom removes files until a copy of a base, and what changes in it, leaves
// the disk's reserve alone.
func (c *AsOf) makeRoom(size int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		err := c.opts.Room(2 * size)
		if err == nil {
			return nil
		}
		f := c.oldest(func(*asOfFile) bool { return true })
		if f == nil {
			return err
		}
		c.drop(f)
	}
}

// finish brings views to a seq, and makes a file of the cache of them.
func (c *AsOf) finish(ctx context.Context, db *views.DB, path string, seq uint64) (*asOfFile, error) {
	err := projector.CatchUpTo(ctx, db, c.opts.Log, seq, nil)
	if err == nil {
		err = db.FlushAll(ctx)
	}
	var epoch events.EpochStarted
	if err == nil {
		epoch, err = epochOf(db)
	}
	at := db.Checkpoint()
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	is, err := copySummed(ctx, io.Discard, path)
	if err != nil {
		return nil, err
	}
	f := &asOfFile{snap: Snapshot{
		LogID: epoch.LogID, Epoch: epoch.Epoch,
		Seq: at.Seq, Hash: at.Hash, Time: at.Time, Digest: at.Digest, SchemaVersion: at.SchemaVersion,
		SizeBytes: is.size, SHA256: is.sum, CreatedAt: c.kept.now(),
	}}
	f.db, err = c.name(f.snap, path)
	return f, err
}

// name gives a file its name and its manifest, with which it counts, and opens it
// to be read.
func (c *AsOf) name(snap Snapshot, path string) (*views.DB, error) {
	manifest, err := json.Marshal(snap)
	if err != nil {
		return nil, err
	}
	named := c.kept.path(snap.Seq, copySuffix)
	if err := os.Rename(path, named); err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.kept.path(snap.Seq, manifestSuffix), manifest, 0o600); err != nil {
		return nil, err
	}
	return views.Open(views.Options{Path: named, ReadOnly: true})
}
