package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// Verify checks a store that is closed: it opens again, and its views are those
// that a rebuild from its log gives: checkpoint, digest, counts, and every row
// of every bucket. What was moved to an archive is read there.
func Verify(tb testing.TB, opts metalog.Options) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context()) // in a cleanup, the test's own is done
	store, err := metalog.Open(ctx, opts)
	if err != nil {
		tb.Errorf("open again: %v", err)
		return
	}
	if err := store.Close(); err != nil {
		tb.Errorf("close again: %v", err)
		return
	}
	if err := compareWithRebuild(ctx, opts, filepath.Join(tb.TempDir(), "rebuilt.db")); err != nil {
		tb.Errorf("views and log disagree: %v", err)
	}
}

func compareWithRebuild(ctx context.Context, opts metalog.Options, rebuilt string) (err error) {
	head, err := rebuild(ctx, opts, rebuilt)
	if err != nil {
		return err
	}
	db, err := views.Open(views.Options{Path: rebuilt})
	if err != nil {
		return err
	}
	want := db.Checkpoint()
	if err := errors.Join(checkDigest(ctx, db), db.Close()); err != nil {
		return fmt.Errorf("rebuilt: %w", err)
	}
	own := filepath.Join(opts.Path, "views.db")
	db, err = views.Open(views.Options{Path: own})
	if err != nil {
		return err
	}
	got := db.Checkpoint()
	if err := errors.Join(checkDigest(ctx, db), db.Close()); err != nil {
		return err
	}
	if got != want || got.Head() != head {
		return fmt.Errorf("the log ends at %v\nviews   %+v\nrebuilt %+v", head, got, want)
	}
	return compareFiles(own, rebuilt)
}

// rebuild makes views from all records that are left, of log and archive as one, and
// returns the head.
func rebuild(ctx context.Context, opts metalog.Options, out string) (head events.Head, err error) {
	log, err := eventlog.Open(filepath.Join(opts.Path, "log"), eventlog.Options{})
	if err != nil {
		return head, err
	}
	history, archived := replay.WithArchive(log)
	_, err = replay.Rebuild(ctx, history, replay.RebuildOptions{Out: out, Bases: replay.Bases{Archive: archived}})
	return log.Head(), errors.Join(err, log.Close())
}

// checkDigest compares what the checkpoint says of the rows with the rows.
func checkDigest(ctx context.Context, db *views.DB) (err error) {
	snapshot, err := db.Snapshot()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	digest, counts, err := snapshot.ComputeDigest(ctx)
	if at := snapshot.Checkpoint(); err == nil && (digest != at.Digest || counts != at.Counts) {
		err = fmt.Errorf("the rows have digest %s and counts %v, the checkpoint says %s and %v", digest, counts, at.Digest, at.Counts)
	}
	return err
}

// compareFiles compares all buckets of two bbolt files: the digest leaves the
// indexes out.
func compareFiles(got, want string) error {
	return inFile(got, func(a *bbolt.Tx) error {
		return inFile(want, func(b *bbolt.Tx) error {
			return a.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
				if err := compareBuckets(bucket, b.Bucket(name)); err != nil {
					return fmt.Errorf("bucket %s: %w", name, err)
				}
				return nil
			})
		})
	})
}

func inFile(path string, f func(*bbolt.Tx) error) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	return errors.Join(db.View(f), db.Close())
}

func compareBuckets(got, want *bbolt.Bucket) error {
	if want == nil {
		return errors.New("the rebuilt file does not have it")
	}
	a, b := got.Cursor(), want.Cursor()
	ak, av := a.First()
	bk, bv := b.First()
	for ak != nil || bk != nil {
		if !bytes.Equal(ak, bk) || !bytes.Equal(av, bv) {
			return fmt.Errorf("%x = %x, rebuilt %x = %x", ak, av, bk, bv)
		}
		ak, av = a.Next()
		bk, bv = b.Next()
	}
	return nil
}
