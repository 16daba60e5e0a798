package views

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
)

// flushedFile returns the path of closed views with some rows at seq 1.
func flushedFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "views.db")
	db, err := Open(Options{Path: path})
	must(t, err)
	tx := db.Writer()
	must(t, tx.Begin())
	for n := range 200 {
		must(t, tx.put(row(n), bytes.Repeat([]byte{byte(n)}, 100)))
	}
	advance(t, tx)
	state, err := tx.Seal(true)
	must(t, err)
	db.Publish(state)
	must(t, db.Flush(t.Context()))
	must(t, db.Close())
	return path
}

func TestOpenAtCheckpoint(t *testing.T) {
	path := flushedFile(t)
	db, tx := mustOpenAt(t, path)
	at := db.Checkpoint()
	if at.Seq != 1 || at.Hash != (events.Hash{1}) || at.Time != 1 || at.Events != 1 || at.Counts[bucketSegments] != 200 || at.SchemaVersion != SchemaVersion {
		t.Errorf("opened at %+v", at)
	}
	if tx.Checkpoint() != at || db.Flushed() != at {
		t.Errorf("writer at %+v, flushed %+v, want %+v", tx.Checkpoint(), db.Flushed(), at)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name   string
		damage func(t *testing.T, path string)
		want   error
	}{
		{"another schema", func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error {
				return tx.Bucket(metaBucket).Put(metaSchema, binary.BigEndian.AppendUint64(nil, SchemaVersion+1))
			})
		}, ErrSchema},
		{"no schema", func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Delete(metaSchema) })
		}, events.ErrCorrupt},
		{"no checkpoint", func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Delete(metaCheckpoint) })
		}, events.ErrCorrupt},
		{"a bucket missing", func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("offsets")) })
		}, events.ErrCorrupt},
		{"another program's file", func(t *testing.T, path string) {
			edit(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket(metaBucket) })
		}, events.ErrCorrupt},
		{"text", func(t *testing.T, path string) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte("text"), 10000), 0o600))
		}, events.ErrCorrupt},
		{"short text", func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("text"), 0o600)) }, events.ErrCorrupt},
		{"cut in the middle", func(t *testing.T, path string) { must(t, os.Truncate(path, usedBytes(t, path)/2)) }, events.ErrCorrupt},
		{"cut by a page that opening does not read", func(t *testing.T, path string) {
			for range 3 { // what opening reads moves to pages that were freed before
				edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put([]byte("moved"), nil) })
			}
			must(t, os.Truncate(path, usedBytes(t, path)-int64(os.Getpagesize())))
		}, events.ErrCorrupt},
		{"cut after the meta pages", func(t *testing.T, path string) { must(t, os.Truncate(path, 2*int64(os.Getpagesize()))) }, events.ErrCorrupt},
		{"held by another", func(t *testing.T, path string) {
			held, err := bbolt.Open(path, 0o600, nil)
			must(t, err)
			t.Cleanup(func() { held.Close() })
		}, events.ErrUnavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := flushedFile(t)
			test.damage(t, path)
			db, err := Open(Options{Path: path})
			if !errors.Is(err, test.want) {
				t.Errorf("opened: %v, want %v", err, test.want)
			}
			if err == nil {
				db.Close()
			}
			if errors.Is(test.want, ErrSchema) && errors.Is(err, events.ErrCorrupt) {
				t.Error("another schema version is not corruption")
			}
		})
	}
}

func edit(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(change))
	must(t, db.Close())
}

// usedBytes returns how much of the file holds pages; bbolt makes files larger
// than they need to be.
func usedBytes(t *testing.T, path string) (size int64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil }))
	must(t, db.Close())
	return size
}

// TestDamagedPages overwrites each page in turn. Whatever it was, nothing may
// panic, and a read that shows other rows than were written must be an error.
func TestDamagedPages(t *testing.T) {
	path := flushedFile(t)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer file.Close()
	found, size := 0, os.Getpagesize()
	for at := int64(0); at < usedBytes(t, path); at += int64(size) {
		whole := make([]byte, size)
		_, err := file.ReadAt(whole, at)
		must(t, err)
		_, err = file.WriteAt(bytes.Repeat([]byte{0xa5}, size), at)
		must(t, err)
		if err := openAndRead(t, path); errors.Is(err, events.ErrCorrupt) {
			found++
		} else if err != nil {
			t.Errorf("page at %d: %v", at, err)
		}
		_, err = file.WriteAt(whole, at)
		must(t, err)
	}
	if found == 0 {
		t.Error("no damaged page was found")
	}
	must(t, openAndRead(t, path))
}

func openAndRead(t *testing.T, path string) error {
	db, err := Open(Options{Path: path})
	if err != nil {
		return err
	}
	defer db.Close()
	snapshot, err := db.Snapshot()
	if err != nil {
		return err
	}
	defer snapshot.Close()
	digest, _, err := snapshot.ComputeDigest(t.Context())
	if err == nil && digest != snapshot.Digest() {
		err = events.ErrCorrupt
	}
	return err
}

func TestFlushWaitsForPublish(t *testing.T) {
	db, tx := mustOpen(t)
	must(t, tx.put(row(1), nil))
	advance(t, tx)
	state, err := tx.Seal(true)
	must(t, err)
	must(t, db.Flush(t.Context()))
	must(t, db.FlushAll(t.Context()))
	if got := db.Flushed().Seq; got != 0 {
		t.Fatalf("flushed seq %d before it was published", got)
	}
	db.Publish(state)
	must(t, db.Flush(t.Context()))
	if got := db.Flushed().Seq; got != 1 {
		t.Errorf("flushed up to %d, want 1", got)
	}
	if db.published.Load().frozen != nil || db.frozen.Load() != nil {
		t.Error("the flushed rows are still in memory")
	}
	db.Publish(state)
	if db.published.Load().frozen != nil {
		t.Error("a state sealed before the flush brought its rows back")
	}
}

func TestFlushGivesUpWhenCancelled(t *testing.T) {
	db, tx := mustOpen(t)
	for n := range 2 * flushCheckEvery {
		must(t, tx.put(bucketSegments.key().uint64(uint64(n)), nil))
	}
	advance(t, tx)
	state, err := tx.Seal(true)
	must(t, err)
	db.Publish(state)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("flush: %v", err)
	}
	if db.Flushed().Seq != 0 {
		t.Error("a cancelled flush moved the checkpoint")
	}
	must(t, db.Flush(t.Context()))
	must(t, db.WaitFlushed(t.Context()))
}

// TestFlushFailureIsFinal closes the file under the DB, so that a flush fails.
func TestFlushFailureIsFinal(t *testing.T) {
	db, err := Open(Options{Path: filepath.Join(t.TempDir(), "views.db")})
	must(t, err)
	tx := db.Writer()
	must(t, tx.Begin())
	must(t, tx.put(row(1), nil))
	advance(t, tx)
	state, err := tx.Seal(true)
	must(t, err)
	db.Publish(state)
	must(t, db.bases.shut()) // closing the file waits for them
	must(t, db.bolt.Close())
	first := db.Flush(t.Context())
	if !errors.Is(first, events.ErrUnavailable) {
		t.Fatalf("flush: %v", first)
	}
	for name, again := range map[string]func(context.Context) error{"Flush": db.Flush, "FlushAll": db.FlushAll, "WaitFlushed": db.WaitFlushed} {
		if err := again(t.Context()); !errors.Is(err, first) {
			t.Errorf("%s after a failure: %v", name, err)
		}
	}
}

func TestStalled(t *testing.T) {
	db, err := Open(Options{Path: filepath.Join(t.TempDir(), "views.db"), MaxPendingBytes: 1000})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	tx := db.Writer()
	fill := func() *State {
		must(t, tx.Begin())
		must(t, tx.put(row(int(tx.Seq())), make([]byte, 1000)))
		advance(t, tx)
		state, err := tx.Seal(tx.FreezeDue())
		must(t, err)
		return state
	}
	db.Publish(fill())
	if tx.Stalled() || tx.FreezeDue() {
		t.Error("due right after the rows were handed over")
	}
	db.Publish(fill())
	if !tx.Stalled() {
		t.Errorf("not stalled with %d bytes pending and as many being flushed", tx.PendingBytes())
	}
	must(t, db.Flush(t.Context()))
	if tx.Stalled() || !tx.FreezeDue() {
		t.Error("after the flush the rows are due, and nothing is in their way")
	}
}

// TestFlushDueByPages: rows that take little memory are due when as many pages of the file
// change as may be written at once: a quarter of them while each row comes with its own,
// unless rows are loaded.
func TestFlushDueByPages(t *testing.T) {
	const pages, ofPage, rows = 2048, 2, 3 * 2048 * 2 // four would fit, but bbolt leaves pages half empty
	segment := func(n int) key { return bucketSegments.key().int64(int64(n)) }
	opts := Options{Path: filepath.Join(t.TempDir(), "views.db"), MaxPendingBytes: pages * pageSize}
	db, err := Open(opts)
	must(t, err)
	tx := db.Writer()
	must(t, tx.Begin())
	for n := range rows {
		must(t, tx.put(segment(n), make([]byte, pageSize/4-100)))
		if n%1000 == 0 {
			commit(t, tx)
		}
	}
	advance(t, tx)
	must(t, tx.Save(t.Context()))
	must(t, db.Close())

	for load, apart := range map[bool]int{false: pages / 4, true: pages} {
		t.Run(fmt.Sprint("load=", load), func(t *testing.T) {
			db, err := Open(opts)
			must(t, err)
			t.Cleanup(func() { must(t, db.Close()) })
			tx := db.Writer()
			must(t, tx.Begin())
			if load {
				tx.BeginLoad()
			}
			due := func(from, step int) (after int) {
				for n := from; n < rows && !tx.FreezeDue(); n += step {
					must(t, tx.put(segment(n), make([]byte, pageSize/4-100)))
					after++
				}
				if tx.Stalled() {
					t.Error("stalled, and nothing is being flushed")
				}
				commit(t, tx)
				if tx.FreezeDue() {
					t.Error("due right after a flush")
				}
				return after
			}
			if got := due(0, 2*ofPage); got != apart {
				t.Errorf("due after %d rows, each in a page of its own", got)
			}
			if got := due(1, 1); got < pages*ofPage*9/10 || got > pages*ofPage*11/10 {
				t.Errorf("due after %d rows, of which %d are in a page", got, ofPage)
			}
		})
	}
}

func TestCopyTo(t *testing.T) {
	db, tx := mustOpen(t)
	must(t, tx.put(row(1), []byte("in the copy")))
	commit(t, tx)
	must(t, db.FlushAll(t.Context()))
	must(t, tx.put(row(1), []byte("not flushed")))
	commit(t, tx)

	var file bytes.Buffer
	at, err := db.CopyTo(t.Context(), &file)
	must(t, err)
	path := filepath.Join(t.TempDir(), "copy.db")
	must(t, os.WriteFile(path, file.Bytes(), 0o600))
	copied, copyTx := mustOpenAt(t, path)
	if copied.Checkpoint() != at || at.Seq != 1 {
		t.Errorf("the copy is at %+v, CopyTo said %+v", copied.Checkpoint(), at)
	}
	if value, _, err := copyTx.get(row(1)); err != nil || string(value) != "in the copy" {
		t.Errorf("the copy holds %q, %v", value, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.CopyTo(ctx, &file); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled copy: %v", err)
	}
}

func TestAdvanceRefusesGaps(t *testing.T) {
	_, tx := mustOpen(t)
	advance(t, tx)
	for _, seq := range []uint64{0, 1, 3} {
		if err := tx.Advance(&events.Record{Seq: seq}); !errors.Is(err, events.ErrCorrupt) {
			t.Errorf("record %d after record 1: %v", seq, err)
		}
	}
}
