package replay_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
)

// damagedLog makes a store of which a record in the middle of the log is
// damaged, and returns its directory and that record.
func damagedLog(t *testing.T) (dir string, damaged eventlog.Located) {
	t.Helper()
	dir = closedStore(t)
	frames := scan(t, dir)
	damaged = frames[len(frames)-6]
	flip(t, dir, damaged)
	return dir, damaged
}

// flip alters the middle of a frame.
func flip(t *testing.T, dir string, at eventlog.Located) {
	t.Helper()
	path := filepath.Join(dir, "log", at.Segment)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at.Offset+int64(len(at.Bytes)/2)] ^= 1
	write(t, path, data)
}

func TestRepairDryRun(t *testing.T) {
	dir, damaged := damagedLog(t)
	before := filesIn(t, dir)
	report, err := replay.Repair(t.Context(), dir, replay.RepairOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if d := report.Damage; d == nil || d.Seq != damaged.Seq || d.Segment != damaged.Segment || d.Byte != damaged.Offset {
		t.Errorf("damage %+v, want seq %d, %s, byte %d", d, damaged.Seq, damaged.Segment, damaged.Offset)
	}
	lost := report.Lost
	if report.Kept != (events.Head{Seq: damaged.Seq - 1, Hash: damaged.Prev}) || lost.FirstSeq != damaged.Seq || lost.LastSeq != damaged.Seq+5 || lost.Readable != 5 || lost.Bytes < 5*100 {
		t.Errorf("report %+v", report)
	}
	if n := lost.Events["TopicCreated"] + lost.Events["DigestRecorded"]; n != 5 || lost.Events["TopicCreated"] == 0 {
		t.Errorf("lost events %v", lost.Events)
	}
	if report.Out != "" || report.Head != nil || !report.Needed() {
		t.Errorf("report %+v", report)
	}
	wantFiles(t, dir, before)
}

// filesIn reads all files of a directory but its lock.
func filesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "LOCK" {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func wantFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	got := filesIn(t, dir)
	for path, data := range got {
		if was, ok := want[path]; !ok || was != data {
			t.Errorf("%s was changed", path)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files, before %d", len(got), len(want))
	}
}

func TestRepairWrites(t *testing.T) {
	dir, damaged := damagedLog(t)
	before := filesIn(t, dir)
	out := filepath.Join(t.TempDir(), "repaired")
	report, err := replay.Repair(t.Context(), dir, replay.RepairOptions{Out: out, Actor: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, before)
	frames := scan(t, out)
	last, err := frames[len(frames)-1].Record()
	if err != nil {
		t.Fatal(err)
	}
	kept := events.Head{Seq: damaged.Seq - 1, Hash: damaged.Prev}
	epoch, ok := last.Facts[0].Event.(*events.EpochStarted)
	if !ok || last.Seq != damaged.Seq || last.Prev != kept.Hash || last.Meta.Actor != "alice" {
		t.Fatalf("the last record is %+v", last)
	}
	if epoch.LogID != report.LogID || epoch.Epoch != report.Epoch+1 || epoch.CommandWindow == 0 || epoch.Fork == nil || *epoch.Fork != kept {
		t.Errorf("epoch %+v, report %+v", epoch, report)
	}
	if report.Head == nil || report.Head.Hash != last.Hash || report.Out != out {
		t.Errorf("report %+v, last %v", report, last.Hash)
	}
	openRepaired(t, out, report)
}

// openRepaired opens a repaired store, writes to it and verifies it.
func openRepaired(t *testing.T, dir string, report replay.RepairReport) {
	t.Helper()
	opts := metalog.Options{Path: dir, MinFreeBytes: -1, SweepInterval: -1}
	store, err := metalog.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	info, err := store.Info(t.Context())
	if err != nil || info.LogID != report.LogID || info.Epoch != report.Epoch+1 || info.Head != *report.Head {
		t.Errorf("info %+v, %v; report %+v", info, err, report)
	}
	if _, err := store.CreateTopic(t.Context(), metalog.CreateTopic{Name: "new", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Error(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	storetest.Verify(t, opts)
}

// A log can be whole and yet too short: what views or a snapshot have is lost,
// and a repair says so.
func TestRepairTooShort(t *testing.T) {
	for _, witness := range []string{"views.db", "snapshots"} {
		t.Run(witness, func(t *testing.T) {
			dir := closedStore(t)
			frames := scan(t, dir)
			snapshot := frames[10].Seq // at least: closedStore makes one there
			cut := frames[4]
			truncateLog(t, dir, cut)
			other := map[string]string{"views.db": "snapshots", "snapshots": "views.db"}[witness]
			if err := os.RemoveAll(filepath.Join(dir, other)); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "repaired")
			report, err := replay.Repair(t.Context(), dir, replay.RepairOptions{Out: out})
			if err != nil {
				t.Fatal(err)
			}
			if report.Damage != nil || report.Kept.Seq != cut.Seq-1 || report.Durable < snapshot || report.Lost.FirstSeq != cut.Seq || report.Lost.LastSeq != report.Durable {
				t.Errorf("report %+v", report)
			}
			openRepaired(t, out, report)
		})
	}
}

// truncateLog ends a log before a frame, as if it had never had it.
func truncateLog(t *testing.T, dir string, at eventlog.Located) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "log", "0*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range segments {
		if filepath.Base(path) > at.Segment {
			remove(t, path)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "log", at.Segment), at.Offset); err != nil {
		t.Fatal(err)
	}
	remove(t, filepath.Join(dir, "log", "CLEAN"))
}

func TestRepairRefuses(t *testing.T) {
	t.Run("a whole log", func(t *testing.T) {
		dir, out := closedStore(t), filepath.Join(t.TempDir(), "out")
		report, err := replay.Repair(t.Context(), dir, replay.RepairOptions{})
		if err != nil || report.Needed() || report.Lost.FirstSeq != 0 {
			t.Errorf("dry run: %+v, %v", report, err)
		}
		if _, err := replay.Repair(t.Context(), dir, replay.RepairOptions{Out: out}); !errors.Is(err, metalog.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nothing to keep", func(t *testing.T) {
		dir := closedStore(t)
		flip(t, dir, scan(t, dir)[0])
		if _, err := replay.Repair(t.Context(), dir, replay.RepairOptions{}); !errors.Is(err, metalog.ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the target is not empty", func(t *testing.T) {
		dir, _ := damagedLog(t)
		out := closedStore(t)
		before := filesIn(t, out)
		if _, err := replay.Repair(t.Context(), dir, replay.RepairOptions{Out: out}); !errors.Is(err, metalog.ErrConflict) {
			t.Errorf("got %v", err)
		}
		wantFiles(t, out, before)
	})
	t.Run("the target lies in the directory", func(t *testing.T) {
		dir, _ := damagedLog(t)
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(dir, link); err != nil {
			t.Fatal(err)
		}
		before := filesIn(t, dir)
		for _, out := range []string{dir, filepath.Join(dir, "a", "b"), filepath.Join(link, "a")} {
			if _, err := replay.Repair(t.Context(), dir, replay.RepairOptions{Out: out}); !errors.Is(err, metalog.ErrInvalid) {
				t.Errorf("%s: got %v", out, err)
			}
			wantFiles(t, dir, before)
		}
	})
	t.Run("no store", func(t *testing.T) {
		if _, err := replay.Repair(t.Context(), t.TempDir(), replay.RepairOptions{}); !errors.Is(err, metalog.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("held", func(t *testing.T) {
		s := openSmall(t)
		if _, err := replay.Repair(t.Context(), s.Options.Path, replay.RepairOptions{Out: t.TempDir()}); !errors.Is(err, metalog.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}

// The epoch of a log whose first records are in the archive is told by a
// snapshot, which the repaired log gets to begin with.
func TestRepairArchivedLog(t *testing.T) {
	s, _ := archivedStore(t)
	want := s.Log().Head()
	if _, err := s.CreateTopic(t.Context(), metalog.CreateTopic{Name: "lost", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	frames := scan(t, s.Options.Path)
	flip(t, s.Options.Path, frames[len(frames)-1])
	out := filepath.Join(t.TempDir(), "repaired")
	report, err := replay.Repair(t.Context(), s.Options.Path, replay.RepairOptions{Out: out})
	if err != nil || report.Kept != want {
		t.Fatalf("report %+v, %v; want %v kept", report, err, want)
	}
	store, err := metalog.Open(t.Context(), metalog.Options{Path: out, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	info, err := store.Info(t.Context())
	if err != nil || info.Epoch != 2 || info.Head != *report.Head || info.LogID != report.LogID {
		t.Errorf("info %+v, %v; report %+v", info, err, report)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
