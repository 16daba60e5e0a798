package replay_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
)

// TestVerifyViews: views that are not what the log makes of them.
func TestVerifyViews(t *testing.T) {
	t.Parallel()
	source := closedStore(t)
	tests := []struct {
		name   string
		change func(t *testing.T, dir string)
		kind   replay.FindingKind
		text   string // of a finding without a rebuild; empty: there is none
		deep   string // of one with a rebuild
	}{
		{"row altered", func(t *testing.T, dir string) { alter(t, dir, "topics", []byte("altered")) }, replay.FindingViews, "rows were altered", "topics: row"},
		{"row removed", func(t *testing.T, dir string) { alter(t, dir, "topics", nil) }, replay.FindingViews, "rows were altered", "is missing"},
		{"index altered", func(t *testing.T, dir string) { alter(t, dir, "topics_by_name", nil) }, replay.FindingViews, "", "topics_by_name: row"},
		{"of another log", func(t *testing.T, dir string) {
			if err := os.CopyFS(filepath.Join(dir, "other"), os.DirFS(otherStore(t))); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "other", "views.db"), filepath.Join(dir, "views.db")); err != nil {
				t.Fatal(err)
			}
		}, replay.FindingViews, "the views' checkpoint has", "not those of a rebuild"},
		{"damaged", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "views.db"), make([]byte, 100_000))
		}, replay.FindingViews, "damaged", "damaged"},
		{"snapshot altered", func(t *testing.T, dir string) {
			paths, err := filepath.Glob(filepath.Join(dir, "snapshots", "*.db"))
			if err != nil || len(paths) != 1 {
				t.Fatal(paths, err)
			}
			data, err := os.ReadFile(paths[0])
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			write(t, paths[0], data)
		}, replay.FindingSnapshot, "snapshot", "snapshot"},
		{"snapshot without a manifest that can be read", func(t *testing.T, dir string) {
			paths, err := filepath.Glob(filepath.Join(dir, "snapshots", "*.json"))
			if err != nil || len(paths) != 1 {
				t.Fatal(paths, err)
			}
			write(t, paths[0], []byte("{"))
		}, replay.FindingSnapshot, "manifest", "manifest"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := copyDir(t, source)
			test.change(t, dir)
			r := verify(t, dir, replay.VerifyOptions{})
			if test.text != "" {
				wantFinding(t, r, test.kind, test.text)
			} else if !r.OK {
				t.Errorf("findings %v", r.Findings)
			}
			wantFinding(t, verify(t, dir, replay.VerifyOptions{Deep: true}), test.kind, test.deep)
		})
	}
}

// alter changes or, with nil, deletes the first row of a bucket.
func alter(t *testing.T, dir, bucket string, value []byte) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "views.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		key, _ := b.Cursor().First()
		if value == nil {
			return b.Delete(key)
		}
		return b.Put(key, value)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// otherStore makes a directory with other records.
func otherStore(t *testing.T) string {
	t.Helper()
	s := storetest.Open(t)
	s.Must(metalog.CreateTopic{Name: "other", Partitions: 1, ReplicationFactor: 1})
	s.MustClose()
	return s.Options.Path
}
