package views

import (
	"context"
	"errors"
	"io"
	"time"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
)

// flushCheckEvery is after how many rows a flush looks whether it is cancelled.
const flushCheckEvery = 1024

// FreezeDue reports whether a flush of the pending rows is due for their size: they are
// over the limit of [Options.MaxPendingBytes], or the pages of the file are that they
// change.
func (tx *Tx) FreezeDue() bool {
	return tx.PendingBytes() >= tx.db.maxPending || tx.changing.bytes() >= tx.maxChanging()
}

// Stalled reports whether a flush is due while older rows are still being flushed. The owner
// should then wait for them, with [DB.WaitFlushed], after sealing the group.
func (tx *Tx) Stalled() bool { return tx.FreezeDue() && tx.db.frozen.Load() != nil }

// maxChanging is how many bytes of pages may be changed by a flush. Rows that are
// far apart are flushed a few at a time: it costs hardly more, and the log's syncs have
// less to wait for. While rows are loaded there are none.
func (tx *Tx) maxChanging() int64 {
	if tx.loader == nil && tx.changing.apart() {
		return tx.changing.few
	}
	return tx.db.maxPending
}

// Flush writes the rows that were handed over by [Tx.Seal] to the file, with
// their checkpoint, in one synced transaction, and lets go of them. It does
// nothing when there are none, or when the state that handed them over is not
// published yet: what is not durable in the log is never written here.
//
// When ctx is done it gives up and can be called again. After any other error
// the file's state is in doubt: every later flush returns that error, and
// opening the file again is the way out. Reads go on.
func (db *DB) Flush(ctx context.Context) error { return db.flush(ctx, false) }

// FlushBeside is Flush for an owner that goes on writing: when it copies the file it rests
// in between, so that others have the disk, until a writer waits for it.
func (db *DB) FlushBeside(ctx context.Context) error { return db.flush(ctx, true) }

func (db *DB) flush(ctx context.Context, beside bool) error {
	db.flushing.Lock()
	defer db.flushing.Unlock()
	state := db.published.Load()
	frozen := state.frozen
	if frozen == nil {
		return db.flushErr
	}
	b := &batch{at: frozen.at, changes: state.changes, layers: []*rows{frozen.rows}, pages: frozen.pages}
	if beside {
		b.wanted = frozen.wanted
	}
	began := time.Now()
	if err := db.write(ctx, b); err != nil {
		return err
	}
	db.flushTime.Store(int64(time.Since(began) - b.rested))
	db.retire(frozen)
	return nil
}

// FlushTime returns how long the last flush took that wrote rows that were handed over,
// without its rests; 0 if none did.
func (db *DB) FlushTime() time.Duration { return time.Duration(db.flushTime.Load()) }

// FlushAll writes everything published to the file, rows that were not handed
// over included; those stay in memory and are written again later. It may be
// called at any time, as Flush may: for a copy of the file, before [DB.Close],
// or when rows have become old and no writer hands them over.
func (db *DB) FlushAll(ctx context.Context) error {
	db.flushing.Lock()
	defer db.flushing.Unlock()
	state := db.published.Load()
	if state.at.Seq == db.Flushed().Seq {
		return db.flushErr
	}
	b := &batch{at: state.at, changes: state.changes, layers: []*rows{state.active}, pages: state.pages}
	if state.frozen != nil {
		b.layers = []*rows{state.frozen.rows, state.active}
		b.pages += state.frozen.pages
	}
	if err := db.write(ctx, b); err != nil {
		return err
	}
	if state.frozen != nil {
		db.retire(state.frozen)
	}
	return nil
}

// WaitFlushed waits until the rows that wait to be flushed now are in the file.
// It returns early when a flush failed, or when ctx is done.
func (db *DB) WaitFlushed(ctx context.Context) error {
	frozen := db.frozen.Load()
	if frozen == nil {
		return nil
	}
	frozen.want()
	select {
	case <-frozen.flushed:
		return nil
	case <-db.flushFailed:
		return db.flushErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// batch is rows that are flushed together.
type batch struct {
	at      Checkpoint
	changes uint64          // that are seen
	layers  []*rows         // the oldest first
	pages   int64           // bytes of the file's pages that they change, about
	wanted  <-chan struct{} // others write until it is closed; nil: nobody does
	rested  time.Duration
}

// write makes a batch durable in the file. The caller holds db.flushing.
func (db *DB) write(ctx context.Context, b *batch) error {
	if db.flushErr != nil {
		return db.flushErr
	}
	// A flush that has to map the file anew waits for all read transactions.
	err := db.bases.shut()
	if err != nil {
		return boltError(db.path, err)
	}
	if err = db.commit(ctx, b); err == nil {
		db.flushed.Store(&b.at)
		db.bases.reopen()
		return nil
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		db.bases.reopen()
		return err
	}
	db.flushErr = events.Errorf(events.CodeOf(err), "views %s: flush of seq %d: %w; close the store and open it again", db.path, b.at.Seq, err)
	close(db.flushFailed)
	return db.flushErr
}

// commit commits a batch to the file, or to a new one that takes its place.
func (db *DB) commit(ctx context.Context, b *batch) error {
	c, err := db.compaction(b)
	if err == nil && c != nil && c.ends {
		var replaced bool
		if replaced, err = db.commitNew(ctx, c, b); replaced {
			return err
		}
	}
	if err != nil {
		db.abandonCompaction(ctx, err)
		c = nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := db.commitOld(ctx, b); err != nil || c == nil {
		return err
	}
	if err := db.compactBeside(ctx, c, b); err != nil {
		db.abandonCompaction(ctx, err)
	}
	return nil
}

func (db *DB) commitOld(ctx context.Context, b *batch) (err error) {
	guardErr := guard(func() {
		err = db.bolt.Update(func(tx *bbolt.Tx) error {
			db.bolt.AllocSize = db.allocSize(tx.Size())
			if err := b.write(ctx, tx, bucketEnd.key()); err != nil {
				return err
			}
			return writeCheckpoint(tx, b.at)
		})
		if err == nil {
			err = db.bolt.Update(passReaders)
		}
	})
	return errors.Join(guardErr, err)
}

// passReaders is a transaction that does nothing. bbolt keeps the pages that one has freed for
// readers that began right after it, who don't need them. There is always one when a flush
// begins: this has it begin after another. Else a file had the pages of two flushes free.
func passReaders(*bbolt.Tx) error { return nil }

// over returns a reader of the batch's rows over those in the file.
func (b *batch) over(base *base) *Reader {
	r := &Reader{at: b.at, changes: b.changes, active: b.layers[len(b.layers)-1], base: base}
	if len(b.layers) > 1 {
		r.frozen = b.layers[0]
	}
	return r
}

// write puts and deletes the rows before a key.
func (b *batch) write(ctx context.Context, tx *bbolt.Tx, end key) error {
	for _, layer := range b.layers {
		if err := b.writeLayer(ctx, tx, layer, string(end)); err != nil {
			return err
		}
	}
	return nil
}

// writeLayer writes a layer's rows in order of bucket and key.
func (b *batch) writeLayer(ctx context.Context, tx *bbolt.Tx, layer *rows, end string) (err error) {
	var to *bucketWriter
	written := 0
	layer.byKey.Scan(func(k string, row *pendingRow) bool {
		if k >= end {
			return false
		}
		if to == nil || to.bucket != bucket(k[0]) {
			to.end()
			to = newBucketWriter(tx, bucket(k[0]))
		}
		if written++; written%flushCheckEvery == 0 {
			err = ctx.Err()
		}
		if err == nil {
			err = to.write([]byte(k[1:]), row.after(b.changes))
		}
		return err == nil
	})
	to.end()
	return err
}

// CopyTo writes a copy of the file to w, as the last flush left it, and returns
// its checkpoint. Writers, readers and flushes go on meanwhile. What it wrote is
// not synced: that is up to the owner of w.
func (db *DB) CopyTo(ctx context.Context, w io.Writer) (at Checkpoint, err error) {
	if err := db.acquire(); err != nil {
		return at, err
	}
	defer db.release()
	base, err := db.openBase()
	if err != nil {
		return at, err
	}
	guardErr := guard(func() {
		if at, err = readCheckpoint(base.tx); err == nil {
			_, err = base.tx.WriteTo(&cancelWriter{ctx, w})
		}
	})
	closeErr := db.closeBase(base)
	if ctx.Err() != nil {
		return at, ctx.Err() // bbolt keeps only the text of what w returns
	}
	if err = errors.Join(guardErr, err, closeErr); err != nil {
		return at, fileError(db.path, err)
	}
	return at, nil
}

// cancelWriter fails once ctx is done.
type cancelWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c *cancelWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}
