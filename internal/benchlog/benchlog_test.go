package benchlog

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

func TestMain(m *testing.M) { os.Exit(Run(m)) }

// TestDir makes small logs, and has a deep verification check all that they say of
// themselves.
func TestDir(t *testing.T) {
	for _, offsets := range []int{1, 10, 50} {
		shape := Shape{Events: 60_000, Offsets: offsets, SnapshotEvents: 25_000}
		dir := Dir(t, shape)
		if again := Dir(t, shape); again != dir {
			t.Errorf("made again, in %s", again)
		}
		report, err := replay.Verify(t.Context(), Clone(t, shape), replay.VerifyOptions{Deep: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := report.Err(); err != nil {
			t.Error(err)
		}
		if report.Events < 60_000 || report.Events > 60_100 || report.Snapshots != 2 || !report.Deep {
			t.Errorf("offsets %d: %+v", offsets, report)
		}
	}
}

// TestRows counts the offsets of a log that was made for them.
func TestRows(t *testing.T) {
	db, err := views.Open(views.Options{Path: filepath.Join(Dir(t, Shape{Rows: 10_000}), replay.ViewsFile)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if counts := db.Checkpoint().Counts.ByNoun(); counts["offsets"] != 10_000 || counts["groups"] != 200 {
		t.Errorf("%v", counts)
	}
}

// TestSameEachTime compares the heads of two logs, and with them all of both.
func TestSameEachTime(t *testing.T) {
	shape := Shape{Events: 10_000, Offsets: 10}
	first := Dir(t, shape)
	second := t.TempDir()
	if err := write(t.Context(), second, shape); err != nil {
		t.Fatal(err)
	}
	if a, b := headOf(t, first), headOf(t, second); a != b {
		t.Errorf("heads %s and %s", a, b)
	}
}

func headOf(t *testing.T, dir string) string {
	t.Helper()
	log, err := eventlog.Open(filepath.Join(dir, replay.LogDir), eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	return log.Head().String()
}
