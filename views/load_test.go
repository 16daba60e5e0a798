package views

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/events"
)

// loadAndNot runs change on a writer that loads in bulk and on one that does not, and
// compares what becomes of both.
func loadAndNot(t *testing.T, change func(*testing.T, *Tx)) {
	t.Helper()
	plainDB, plain := mustOpen(t)
	db, tx := mustOpen(t)
	tx.BeginLoad()
	change(t, plain)
	change(t, tx)
	if got, want := tx.Checkpoint(), plain.Checkpoint(); got != want {
		t.Errorf("checkpoint %+v, want %+v", got, want)
	}
	tx.EndLoad()
	commit(t, plain)
	commit(t, tx)
	must(t, plainDB.FlushAll(t.Context()))
	must(t, db.FlushAll(t.Context()))
	got, err := db.Snapshot()
	must(t, err)
	defer got.Close()
	want, err := plainDB.Snapshot()
	must(t, err)
	defer want.Close()
	d, err := FirstDifference(t.Context(), &got.Reader, &want.Reader)
	must(t, err)
	if d != nil {
		t.Error(d)
	}
}

func TestLoadSameRows(t *testing.T) {
	loadAndNot(t, func(t *testing.T, tx *Tx) {
		for i := range 3000 {
			k := bucketSegments.key().string(fmt.Sprint(i % 700))
			must(t, tx.put(k, []byte(fmt.Sprint("value ", i))))
			if i%5 == 4 {
				must(t, tx.remove(k))
			}
			if i%1000 == 999 {
				commit(t, tx)
			}
		}
	})
}

// Many rows between two digests are hashed on two processors.
func TestLoadSameDigestOfMany(t *testing.T) {
	loadAndNot(t, func(t *testing.T, tx *Tx) {
		for round := range 3 {
			for i := range hashAlone + 1 + 100*round {
				must(t, tx.put(bucketSegments.key().string(fmt.Sprint(i)), []byte(fmt.Sprint(round))))
			}
			must(t, tx.remove(bucketSegments.key().string(fmt.Sprint(round))))
			tx.Digest()
		}
	})
}

// A state that was sealed while loading stays as it was, whatever is written later:
// into rows of the same length, too.
func TestLoadLeavesSealedStates(t *testing.T) {
	db, tx := mustOpen(t)
	tx.BeginLoad()
	k := bucketSegments.key().string("k")
	must(t, tx.put(k, []byte("old")))
	commit(t, tx)
	snapshot, err := db.Snapshot()
	must(t, err)
	defer snapshot.Close()
	must(t, tx.put(k, []byte("new")))
	must(t, tx.put(k, []byte("now")))
	if value, _, err := snapshot.get(k); err != nil || string(value) != "old" {
		t.Errorf("the snapshot shows %q, %v", value, err)
	}
	if value, _, err := tx.get(k); err != nil || string(value) != "now" {
		t.Errorf("the writer sees %q, %v", value, err)
	}
}

// A row that was changed before loading, while loading and after it is in the digest as it
// is last.
func TestLoadBetweenChanges(t *testing.T) {
	_, tx := mustOpen(t)
	k := bucketSegments.key().string("k")
	for _, load := range []bool{false, true, false, false} {
		if load {
			tx.BeginLoad()
		}
		must(t, tx.put(k, []byte(fmt.Sprint(tx.changes))))
		tx.EndLoad()
		sum, _, err := tx.ComputeDigest(t.Context())
		if must(t, err); sum != tx.Digest() {
			t.Errorf("the digest of rows is %s, %s is kept", sum, tx.Digest())
		}
	}
	must(t, tx.remove(k))
	if tx.Digest() != (events.Hash{}) {
		t.Errorf("the digest of nothing is %s", tx.Digest())
	}
}

// What gathers counts as pending: once a row, and a version each time that it was put in
// order.
func TestLoadPendingBytes(t *testing.T) {
	_, tx := mustOpen(t)
	tx.BeginLoad()
	for i := range 5000 {
		must(t, tx.put(bucketSegments.key().string(fmt.Sprint(i%100)), make([]byte, 50)))
		if i%500 == 0 {
			tx.order()
		}
	}
	row, version := int64(len("-99")+50+loadedOverhead), int64(50+versionOverhead)
	if got := tx.PendingBytes(); got > 2*100*row+10*100*version || got < 100*50 {
		t.Errorf("%d bytes pending, for 100 rows of %d and 10 versions each of %d", got, row, version)
	}
	_, err := tx.Seal(true)
	must(t, err)
	if got := tx.PendingBytes(); got != 0 {
		t.Errorf("%d bytes pending after all were handed over", got)
	}
}

func TestLoadRemovesMissing(t *testing.T) {
	_, tx := mustOpen(t)
	tx.BeginLoad()
	k := bucketSegments.key().string("k")
	for range 2 {
		if err := tx.remove(k); !errors.Is(err, events.ErrCorrupt) {
			t.Errorf("a row that is not there: %v", err)
		}
		must(t, tx.put(k, nil))
		must(t, tx.remove(k))
	}
}

// A row that was read stays what it is when the file's pages are written again.
func TestLoadKeepsNoPages(t *testing.T) {
	db, tx := mustOpen(t)
	fill := func(value string) {
		for i := range 200 {
			must(t, tx.put(bucketSegments.key().string(fmt.Sprint(i)), []byte(value)))
		}
		commit(t, tx)
		must(t, db.FlushAll(t.Context()))
	}
	k := bucketSegments.key().string("k")
	must(t, tx.put(k, []byte("as it was")))
	fill("first")
	state, err := tx.Seal(true)
	must(t, err)
	db.Publish(state)
	must(t, db.Flush(t.Context()))
	must(t, tx.Begin())
	tx.BeginLoad()
	for i := range 20 {
		if value, _, err := tx.get(k); err != nil || string(value) != "as it was" {
			t.Fatalf("after %d flushes: %q, %v", i, value, err)
		}
		fill(fmt.Sprint("value ", i))
	}
}

// However many rows go through it, it holds not many more than may be pending.
func TestLoadForgets(t *testing.T) {
	const limit = 100_000
	db, err := Open(Options{Path: filepath.Join(t.TempDir(), "views.db"), MaxPendingBytes: limit})
	must(t, err)
	defer db.Close()
	tx := db.Writer()
	must(t, tx.Begin())
	tx.BeginLoad()
	for i := range 5000 {
		must(t, tx.put(bucketSegments.key().string(fmt.Sprint(i)), make([]byte, 50)))
		if tx.FreezeDue() {
			must(t, tx.Commit(t.Context()))
		}
		if tx.loader.bytes > 2*limit || len(tx.loader.rows) > 2*limit/loadedOverhead {
			t.Fatalf("%d rows, %d bytes", len(tx.loader.rows), tx.loader.bytes)
		}
	}
}
