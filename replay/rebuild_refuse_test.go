package replay_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// refusesRebuild checks that a rebuild is refused, and changes no file.
func refusesRebuild(t *testing.T, log eventlog.Reader, opts replay.RebuildOptions, code events.Code, message string) {
	t.Helper()
	dir := filepath.Dir(opts.Out)
	before := filesIn(t, dir)
	_, err := replay.Rebuild(t.Context(), log, opts)
	if err == nil || events.CodeOf(err) != code || !strings.Contains(err.Error(), message) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v (%s), want %s with %q", err, events.CodeOf(err), code, message)
	}
	wantFiles(t, dir, before)
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRebuildRefuses(t *testing.T) {
	s := storetest.Open(t)
	addTopics(s, "a", 5)
	dir := t.TempDir()
	out := filepath.Join(dir, "views.db")
	refuse := func(change func(*replay.RebuildOptions), code events.Code, message string) {
		t.Helper()
		opts := replay.RebuildOptions{Out: out, DataDir: s.Options.Path}
		change(&opts)
		refusesRebuild(t, s.Log(), opts, code, message)
	}
	plain := func(*replay.RebuildOptions) {}
	forced := func(o *replay.RebuildOptions) { o.Force = true }

	refuse(func(o *replay.RebuildOptions) { o.To.Seq = 7 }, events.CodeOutOfRange, "beyond the log's head 6")
	if _, err := replay.Rebuild(t.Context(), s.Log(), replay.RebuildOptions{}); !errors.Is(err, events.ErrInvalid) {
		t.Errorf("no file named: %v", err)
	}
	inside := filepath.Join(s.Options.Path, "views.db")
	for _, force := range []bool{false, true} {
		_, err := replay.Rebuild(t.Context(), s.Log(), replay.RebuildOptions{Out: inside, DataDir: s.Options.Path, Force: force})
		if !errors.Is(err, events.ErrConflict) || !strings.Contains(err.Error(), "lie in the data directory") {
			t.Errorf("the store's own views: %v", err)
		}
	}
	_, err := replay.Rebuild(t.Context(), s.Log(), replay.RebuildOptions{Out: filepath.Join(dir, "none", "views.db")})
	if !errors.Is(err, events.ErrNotFound) || !strings.Contains(err.Error(), "there is no directory") {
		t.Errorf("no directory: %v", err)
	}

	writeFile(t, out, "notes")
	refuse(plain, events.CodeAlreadyExists, "use --force")
	refuse(forced, events.CodeConflict, "no file of views")
	writeFile(t, out, "")
	refuse(forced, events.CodeConflict, "is empty, no file of views")
	os.Remove(out)
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	refuse(forced, events.CodeConflict, "is no file")
	os.Remove(out)

	rebuild(t, s.Log(), replay.RebuildOptions{Out: out})
	refuse(plain, events.CodeAlreadyExists, "use --force")
	db, err := views.Open(views.Options{Path: out})
	if err != nil {
		t.Fatal(err)
	}
	refuse(forced, events.CodeUnavailable, "another process has the file open")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.Must(metalog.CreateTopic{Name: "late", Partitions: 1, ReplicationFactor: 1})
	if report := rebuild(t, s.Log(), replay.RebuildOptions{Out: out, Force: true}); report.Digest != s.MustInfo().Digest {
		t.Errorf("replaced: %+v", report)
	}
}

// What lies under the name of an unfinished file is never taken for one that it is
// not.
func TestRebuildRefusesUnfinished(t *testing.T) {
	s := storetest.Open(t)
	addTopics(s, "a", 5)
	other := storetest.Open(t)
	addTopics(other, "b", 3)
	dir := t.TempDir()
	out := filepath.Join(dir, "views.db")
	partial := out + replay.PartialSuffix
	for name, test := range map[string]struct {
		make    func()
		message string
	}{
		"no views":    {func() { writeFile(t, partial, strings.Repeat("notes\n", 10_000)) }, "can't be gone on with"},
		"another log": {func() { rebuild(t, other.Log(), replay.RebuildOptions{Out: partial}) }, "made from another log: its record 4 has hash"},
		"beyond":      {func() { rebuild(t, s.Log(), replay.RebuildOptions{Out: partial}) }, "it is at seq 6, beyond 4"},
		"damaged": {func() {
			rebuild(t, s.Log(), replay.RebuildOptions{Out: partial, To: replay.Point{Seq: 3}})
			if err := os.Truncate(partial, 20_000); err != nil {
				t.Fatal(err)
			}
		}, "can't be gone on with"},
	} {
		t.Run(name, func(t *testing.T) {
			test.make()
			opts := replay.RebuildOptions{Out: out, To: replay.Point{Seq: 4}}
			refusesRebuild(t, s.Log(), opts, events.CodeConflict, test.message)
			opts.Force = true
			report := rebuild(t, s.Log(), opts)
			if report.Seq != 4 || report.ResumedFrom != 0 {
				t.Errorf("with force: %+v", report)
			}
			notThere(t, out+"x", false)
			if err := os.Remove(out); err != nil {
				t.Error(err)
			}
		})
	}
	db, err := views.Open(views.Options{Path: partial})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	refusesRebuild(t, s.Log(), replay.RebuildOptions{Out: out, Force: true}, events.CodeUnavailable, "another process has the file open")
}

// A log that begins later needs a snapshot.
func TestRebuildOfLogThatBeginsLater(t *testing.T) {
	s := storetest.Open(t)
	addTopics(s, "a", 5)
	snap := createSnapshot(t, s)
	addTopics(s, "b", 5)
	log := shortened{s.Log(), snap.Seq + 1}
	out := filepath.Join(t.TempDir(), "views.db")
	bases := replay.Bases{Snapshots: snapshotsOf(s.Options.Path)}
	refusesRebuild(t, log, replay.RebuildOptions{Out: out}, events.CodeOutOfRange, "there is no snapshot")
	refusesRebuild(t, log, replay.RebuildOptions{Out: out, Bases: bases, To: replay.Point{Seq: snap.Seq - 1}}, events.CodeOutOfRange, fmt.Sprintf("ask for seq %d or a later one", snap.Seq))
	report := rebuild(t, log, replay.RebuildOptions{Out: out, Bases: bases})
	if report.FromSnapshot != snap.Seq || report.Digest != s.MustInfo().Digest {
		t.Errorf("%+v", report)
	}
}

// Damage in the log ends a rebuild, and no file appears.
func TestRebuildOfDamagedLog(t *testing.T) {
	dir, damaged := damagedLog(t)
	log, err := eventlog.Open(filepath.Join(dir, replay.LogDir), eventlog.Options{})
	if err != nil {
		t.Skip("opening refuses the log by itself")
	}
	defer log.Close()
	out := filepath.Join(t.TempDir(), "views.db")
	if _, err := replay.Rebuild(t.Context(), log, replay.RebuildOptions{Out: out}); !errors.Is(err, events.ErrCorrupt) || !strings.Contains(err.Error(), "seq") {
		t.Errorf("damage at seq %d: %v", damaged.Seq, err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("the file is there")
	}
}
