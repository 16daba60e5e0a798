package views

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestFirstDifference compares views with some that were made the same way but
// for one change.
func TestFirstDifference(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, tx *Tx)
		want   string
	}{
		{"none", func(*testing.T, *Tx) {}, ""},
		{"flushed", func(t *testing.T, tx *Tx) { must(t, tx.db.FlushAll(t.Context())) }, ""},
		{"value", func(t *testing.T, tx *Tx) { setRow(tx, row(7), []byte("x")) }, "segments: row 726f77203037 differs"},
		{"missing", func(_ *testing.T, tx *Tx) { setRow(tx, row(7), nil) }, "segments: row 726f77203037 is missing"},
		{"last is missing", func(_ *testing.T, tx *Tx) { setRow(tx, row(19), nil) }, "segments: row 726f77203139 is missing"},
		{"more", func(_ *testing.T, tx *Tx) { setRow(tx, row(20), []byte{}) }, "segments: row 726f77203230 should not be there"},
		{"more in between", func(_ *testing.T, tx *Tx) { setRow(tx, append(row(7), 0), []byte("x")) }, "segments: row 726f7720303700 should not be there"},
		{"index", func(_ *testing.T, tx *Tx) { setRow(tx, commandSeqKey(3), []byte("x")) }, "commands_by_seq: row 0000000000000003 should not be there"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, _ := rowsForCompare(t, func(*testing.T, *Tx) {})
			got, _ := rowsForCompare(t, test.change)
			d, err := FirstDifference(t.Context(), &got.Reader, &want.Reader)
			must(t, err)
			switch {
			case d == nil && test.want != "":
				t.Errorf("no difference, want %q", test.want)
			case d != nil && d.String() != test.want:
				t.Errorf("difference %q, want %q", d, test.want)
			}
		})
	}
}

func rowsForCompare(t *testing.T, change func(t *testing.T, tx *Tx)) (*Snapshot, *DB) {
	t.Helper()
	db, err := Open(Options{Path: filepath.Join(t.TempDir(), "views.db")})
	must(t, err)
	tx := db.Writer()
	must(t, tx.Begin())
	for i := range 20 {
		must(t, tx.put(row(i), []byte{byte(i)}))
	}
	commit(t, tx)
	change(t, tx)
	commit(t, tx)
	snapshot, err := db.Snapshot()
	must(t, err)
	t.Cleanup(func() {
		must(t, errors.Join(snapshot.Close(), db.Close()))
	})
	return snapshot, db
}

func TestFirstDifferenceEnds(t *testing.T) {
	s, _ := rowsForCompare(t, func(t *testing.T, tx *Tx) {
		for i := range compareCheckEvery {
			must(t, tx.put(row(i), nil))
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := FirstDifference(ctx, &s.Reader, &s.Reader); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestReadOnly: a file opened to be read is not changed, may be opened twice, and
// is not created.
func TestReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "views.db")
	if _, err := Open(Options{Path: path, ReadOnly: true}); err == nil {
		t.Fatal("a file that is not there was opened")
	}
	db, tx := mustOpenAt(t, path)
	must(t, tx.put(row(1), []byte("x")))
	commit(t, tx)
	must(t, db.FlushAll(t.Context()))
	want := db.Checkpoint()
	must(t, db.Close())
	before, err := os.ReadFile(path)
	must(t, err)
	for range 2 {
		db, err := Open(Options{Path: path, ReadOnly: true})
		must(t, err)
		defer func() { must(t, db.Close()) }()
		if db.Checkpoint() != want {
			t.Errorf("checkpoint %+v, want %+v", db.Checkpoint(), want)
		}
		checkViews(t, db)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the file was changed (%v)", err)
	}
}

// setRow changes a row past digest and counts.
func setRow(tx *Tx, k key, value []byte) { tx.set(k, tx.active.find(k), value) }
