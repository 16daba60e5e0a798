package views

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
)

// A file of bbolt's never gets smaller. A flush needs free space for each page that it
// changes, and rows that come in no order leave pages two thirds full. A compaction makes a
// new file, with the rows one after the other, and puts it in the place of the old one.
//
// A small file is copied by one flush, which writes its rows to the new file only: that
// costs not much more than to change most pages of the old one. A larger one is copied by
// many flushes, each of which writes its rows to the old file and, as far as that has been
// copied, to the new one.

const (
	// wasteful is how many times its compacted size a file may have. To copy one beside
	// flushes it has to be worthwhile times that with the free pages that flushes need.
	wasteful   = 1.3
	worthwhile = 1.25
	// pause is how many times its size has to be written before such a file is looked at
	// again: to copy it takes a fifth of what a store does that is as busy as can be.
	pause = 32

	// In parts of Options.MaxPendingBytes, which is how much a file has at most that one
	// flush copies. Files that are smaller than the first are left as they are, and those
	// with more rows than the second: to learn how full pages are one has to read them. Of a
	// file that takes many flushes each copies the third, or the fourth when others wait.
	smallestCompacted = 1. / 16
	mostRowsCompacted = 4.
	rowsCopiedBeside  = 1. / 8
	leastCopiedBeside = 1. / 64

	compactTx = 128 << 10 // bytes of rows in a transaction of the new file

	// rests is how many times as long as such a transaction took a flush rests after it:
	// the log's syncs take longer beside it, though less so than beside 1 MiB.
	rests = 3

	compactSuffix = ".compact" // of the new file; a crash may leave one, which is of no use
)

// compactor decides when the file is compacted.
type compactor struct {
	off     bool // it is not to be, or could not be
	log     *slog.Logger
	copying *compaction // nil: none
	seen    usage       // when it was looked at last
	changed int64       // bytes of pages since; negative: a pause
	largest int64       // of what flushes have changed lately
	fill    float64     // of pages, right after a compaction; what is known of it
}

// usage is how many bytes a file has.
type usage struct {
	size  int64
	pages int64 // that have rows
	rows  int64 // 0: pages were not looked at
	count int64 // of primary rows
}

// compaction is a new file in the making.
type compaction struct {
	path string
	file *boltFile
	next key  // the file has the rows before it, as they are since the last flush
	ends bool // the next flush copies the rest
}

// compaction returns the one to go on with; one is begun when it is due. nil: none.
func (db *DB) compaction(b *batch) (*compaction, error) {
	c := &db.compactor
	if c.off || c.copying != nil {
		return c.copying, nil
	}
	c.changed += b.pages
	c.largest = max(b.pages, c.largest-c.largest/64)
	count := db.Flushed().Counts.sum()
	if !db.maybeDifferent(count) {
		return nil, nil
	}
	err := db.look(count)
	if err == nil && db.compactionDue(b.pages) {
		c.copying, err = newCompaction(db.path+compactSuffix, db.small())
	}
	return c.copying, err
}

// small reports whether the file is copied by one flush.
func (db *DB) small() bool { return db.compactor.seen.rows <= db.maxPending }

// maybeDifferent reports whether the file was seen at all, or enough has changed since.
func (db *DB) maybeDifferent(count int64) bool {
	c := &db.compactor
	enough := c.seen.size
	if db.small() {
		enough /= 8
	}
	return c.changed >= enough || count < c.seen.count/8*7
}

// compactionDue reports whether the file would waste too much if so many more bytes of
// pages were changed.
func (db *DB) compactionDue(changed int64) bool {
	u, limit := db.compactor.seen, float64(db.maxPending)
	size := float64(max(u.size, u.pages+changed))
	if u.rows == 0 || float64(u.rows) > mostRowsCompacted*limit || size < smallestCompacted*limit {
		return false
	}
	compacted := float64(u.rows) / db.compactor.fill
	return size > wasteful*compacted &&
		(db.small() || size > worthwhile*(compacted+float64(db.compactor.largest)))
}

// look finds out how full the file is.
func (db *DB) look(count int64) error {
	const leastRow = 100 // bytes, with what indexes have of it
	u := usage{count: count}
	var err error
	guardErr := guard(func() {
		err = db.bolt.View(func(tx *bbolt.Tx) error {
			u.size = tx.Size()
			if float64(min(count*leastRow, u.size)) > mostRowsCompacted*float64(db.maxPending) {
				return nil
			}
			for _, name := range bucketNames {
				s := tx.Bucket([]byte(name)).Stats()
				u.pages += int64(s.BranchAlloc + s.LeafAlloc)
				u.rows += int64(s.BranchInuse + s.LeafInuse)
			}
			return nil
		})
	})
	db.compactor.seen, db.compactor.changed = u, 0
	return errors.Join(guardErr, err)
}

func newCompaction(path string, ends bool) (*compaction, error) {
	if err := removeIfThere(path); err != nil {
		return nil, err
	}
	file, err := openBolt(Options{Path: path, Fitted: true})
	if err != nil {
		return nil, err
	}
	c := &compaction{path: path, file: file, next: bucketTopics.key(), ends: ends}
	c.sync(false)
	if err := file.Update(createBuckets); err != nil {
		return nil, errors.Join(err, c.abandon())
	}
	return c, nil
}

// sync sets whether each transaction is synced by itself.
func (c *compaction) sync(on bool) { c.file.NoSync, c.file.NoGrowSync = !on, !on }

func (c *compaction) abandon() error { return errors.Join(c.file.Close(), removeIfThere(c.path)) }

// commitNew commits b to the new file, with all rows that are not copied yet, and puts the
// file in the place of the old one. An error before that leaves the old one as it was:
// replaced is false.
func (db *DB) commitNew(ctx context.Context, c *compaction, b *batch) (replaced bool, err error) {
	if err := db.compact(ctx, c, b, everything, everything); err != nil {
		return false, err
	}
	c.sync(true)
	if err := c.file.Update(func(tx *bbolt.Tx) error { return writeCheckpoint(tx, b.at) }); err != nil {
		return false, err
	}
	old, err := os.OpenFile(db.path, os.O_WRONLY, 0)
	if err != nil {
		return false, err
	}
	if err := os.Rename(c.path, db.path); err != nil {
		return false, errors.Join(err, old.Close())
	}
	if err := syncDir(filepath.Dir(db.path)); err != nil {
		return true, errors.Join(err, old.Close())
	}
	db.compactor.copying = nil
	db.replaceFile(c.file, old)
	err = db.look(b.at.Counts.sum())
	if seen := db.compactor.seen; seen.rows > 0 {
		db.compactor.fill = float64(seen.rows) / float64(seen.pages)
	}
	if !db.small() {
		db.compactor.changed = -pause * db.compactor.seen.size
	}
	return true, err
}

// compactBeside goes on with a compaction after b was committed to the old file.
func (db *DB) compactBeside(ctx context.Context, c *compaction, b *batch) error {
	most, least := rowsCopiedBeside*float64(db.maxPending), leastCopiedBeside*float64(db.maxPending)
	err := db.compact(ctx, c, b, int64(most), int64(least))
	c.ends = c.next.bucket() == bucketEnd
	return err
}

// abandonCompaction goes on without, for good if it failed for another reason than ctx.
func (db *DB) abandonCompaction(ctx context.Context, err error) {
	c := &db.compactor
	if c.copying != nil {
		err = errors.Join(err, c.copying.abandon())
		c.copying, c.seen = nil, usage{}
	}
	if ctx.Err() == nil {
		c.off = true
		c.log.Warn("the views' file can't be compacted until it is opened again", "path", db.path, "err", err)
	}
}

const everything = int64(1<<63 - 1)

// compact writes b's rows to the new file, as far as rows are copied, and copies about so many
// bytes of what comes after those: the most, or at least the least if somebody waits for the
// flush.
func (db *DB) compact(ctx context.Context, c *compaction, b *batch, most, least int64) error {
	base, err := db.openBase()
	if err != nil {
		return err
	}
	guardErr := guard(func() {
		err = c.file.Update(func(tx *bbolt.Tx) error { return b.write(ctx, tx, c.next) })
		left := most
		for err == nil && c.next.bucket() < bucketEnd && left > 0 && (left > most-least || !b.waitedFor()) {
			began := time.Now()
			if left, err = c.copy(ctx, b.over(base), left); err == nil {
				err = c.file.Sync()
			}
			b.rest(ctx, rests*time.Since(began))
		}
	})
	return errors.Join(guardErr, err, db.closeBase(base))
}

// waitedFor reports whether somebody waits for the flush.
func (b *batch) waitedFor() bool {
	select {
	case <-b.wanted:
		return true
	default:
		return false
	}
}

// rest leaves the disk to others, until somebody waits for the flush.
func (b *batch) rest(ctx context.Context, d time.Duration) {
	if b.wanted == nil {
		return
	}
	began := time.Now()
	select {
	case <-time.After(d):
	case <-b.wanted:
	case <-ctx.Done():
	}
	b.rested += time.Since(began)
}

// copy copies the next rows, what makes one transaction, and returns what is left of limit.
func (c *compaction) copy(ctx context.Context, from *Reader, limit int64) (left int64, err error) {
	err = c.file.Update(func(tx *bbolt.Tx) error {
		end := max(limit-compactTx, 0) // where the transaction ends
		for limit > end && c.next.bucket() < bucketEnd {
			if limit, err = c.copyBucket(tx, from, limit, end); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return limit, err
}

// copyBucket copies the rest of a bucket, or until what is left of limit is no more than end.
func (c *compaction) copyBucket(tx *bbolt.Tx, from *Reader, limit, end int64) (left int64, err error) {
	b := c.next.bucket()
	if to := tx.Bucket([]byte(b.String())); to != nil { // else there is none of this number
		to.FillPercent = runFill
		for row, err := range from.merge(bounds{prefix: b.key(), start: c.next}) {
			if err != nil {
				return limit, err
			}
			if limit <= end {
				c.next = append(b.key(), row.key...)
				return limit, nil
			}
			if err := to.Put(row.key, row.value); err != nil {
				return limit, err
			}
			limit -= int64(len(row.key) + len(row.value))
		}
	}
	c.next = (b + 1).key()
	return limit, nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return events.Errorf(events.CodeUnavailable, "views: %w; remove the file", err)
	}
	return nil
}
