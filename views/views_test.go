package views

import (
	"iter"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// mustOpen opens views in a directory of their own and begins a group. Its
// cleanup checks digest, counts and indexes of what was published last.
func mustOpen(t testing.TB) (*DB, *Tx) {
	t.Helper()
	return mustOpenAt(t, filepath.Join(t.TempDir(), "views.db"))
}

func mustOpenAt(t testing.TB, path string) (*DB, *Tx) {
	t.Helper()
	db, err := Open(Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		checkViews(t, db)
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	must(t, db.Writer().Begin())
	return db, db.Writer()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkViews compares the checkpoint with the rows that are there.
func checkViews(t testing.TB, db *DB) {
	t.Helper()
	snapshot, err := db.Snapshot()
	if err != nil {
		return // closed by the test
	}
	defer snapshot.Close()
	digest, counts, err := snapshot.ComputeDigest(t.Context())
	if err != nil && t.Context().Err() == nil {
		t.Error(err)
	}
	if at := snapshot.Checkpoint(); err == nil && (at.Digest != digest || at.Counts != counts) {
		t.Errorf("seq %d: checkpoint has digest %s and counts %v, rows %s and %v", at.Seq, at.Digest, at.Counts, digest, counts)
	}
}

// advance moves tx to the next record, whose hash follows from its seq.
func advance(t testing.TB, tx *Tx) {
	t.Helper()
	seq := tx.Seq() + 1
	must(t, tx.Advance(&events.Record{Seq: seq, Time: events.Time(seq), Hash: events.Hash{byte(seq)}, Facts: make([]events.Fact, 1)}))
}

// commit ends the group with a record of its own, shows it, and begins the next.
func commit(t testing.TB, tx *Tx) {
	t.Helper()
	advance(t, tx)
	must(t, tx.Commit(t.Context()))
}

// all drains seq.
func all[T any](t testing.TB, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var got []T
	for v, err := range seq {
		must(t, err)
		got = append(got, v)
	}
	return got
}

func id(n byte) uuid.UUID { return uuid.UUID{15: n} }
