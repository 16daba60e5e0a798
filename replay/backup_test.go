package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
)

func openSmall(t *testing.T) *storetest.Store {
	t.Helper()
	return storetest.Open(t, func(o *metalog.Options) { o.SegmentSize = 400 })
}

func backUp(t *testing.T, s *storetest.Store, dir string) replay.BackupReport {
	t.Helper()
	report, err := s.Backup(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// restored restores a backup, opens the store and compares it with a head.
func restored(t *testing.T, backup string, want events.Head) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "restored")
	report, err := replay.Restore(t.Context(), backup, dir, replay.RestoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Head != want {
		t.Errorf("restored %v, want %v", report.Head, want)
	}
	opts := metalog.Options{Path: dir, MinFreeBytes: -1, SweepInterval: -1}
	store, err := metalog.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	info, err := store.Info(t.Context())
	if err != nil || info.Head != want || info.LogID != report.LogID || info.Epoch != report.Epoch {
		t.Errorf("opened %+v, %v; restored %+v", info, err, report)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	storetest.Verify(t, opts)
}

func TestBackup(t *testing.T) {
	s := openSmall(t)
	dir := filepath.Join(t.TempDir(), "backup")
	addTopics(s, "a", 30)
	first := backUp(t, s, dir)
	if first.Head != s.Log().Head() || first.Segments < 3 || first.Copied != first.Segments {
		t.Errorf("first %+v", first)
	}
	restored(t, dir, first.Head)

	again := backUp(t, s, dir)
	if again.Copied != 0 || again.Head != first.Head || again.SizeBytes != first.SizeBytes {
		t.Errorf("nothing new: %+v, first %+v", again, first)
	}

	addTopics(s, "b", 10)
	createSnapshot(t, s)
	second := backUp(t, s, dir)
	if second.Copied == 0 || second.Copied >= second.Segments || second.SnapshotSeq <= first.SnapshotSeq {
		t.Errorf("second %+v, first %+v", second, first)
	}
	restored(t, dir, second.Head)
	checkNothingLeft(t, dir, second.Segments)
}

// checkNothingLeft checks that a backup has its files and no others.
func checkNothingLeft(t *testing.T, dir string, segments int) {
	t.Helper()
	for part, want := range map[string]int{"segments": segments, "snapshots": 1} {
		entries, err := os.ReadDir(filepath.Join(dir, part))
		if err != nil || len(entries) != want {
			t.Errorf("%s: %v, %v; want %d files", part, entries, err, want)
		}
	}
}

// A backup of a store that is being written to holds what its head says.
func TestBackupDuringWrites(t *testing.T) {
	s := openSmall(t)
	s.Must(metalog.CreateTopic{Name: "t", Partitions: 1, ReplicationFactor: 1})
	s.Must(metalog.CreateGroup{ID: "g"})
	stop, failed := make(chan struct{}), make(chan error, 1)
	go func() { failed <- commitUntil(t.Context(), s, 0, stop) }()
	dir := filepath.Join(t.TempDir(), "backup")
	var last replay.BackupReport
	for range 3 {
		last = backUp(t, s, dir)
	}
	close(stop)
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	restored(t, dir, last.Head)
}

// Wherever a backup is interrupted, the one before it can be restored, and the
// next one completes. A context that ends stands for the interruption: the files
// that were written by then stay as they are.
func TestBackupInterrupted(t *testing.T) {
	s := openSmall(t)
	dir := filepath.Join(t.TempDir(), "backup")
	addTopics(s, "a", 30)
	previous := backUp(t, s, dir)
	addTopics(s, "b", 30)
	createSnapshot(t, s)
	interrupted := 0
	for looks := 0; ; looks++ {
		ctx := &ending{Context: t.Context(), left: looks}
		_, err := s.Backup(ctx, dir)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d looks at the context: %v", looks, err)
		}
		interrupted++
		if report, err := replay.Restore(t.Context(), dir, "", replay.RestoreOptions{DryRun: true}); err != nil || report.Head != previous.Head {
			t.Fatalf("after %d looks at the context: the backup has %+v, %v", looks, report, err)
		}
	}
	if interrupted < 5 {
		t.Errorf("only %d interruptions", interrupted)
	}
	restored(t, dir, s.Log().Head())
}

// ending is a context that ends once it was asked a number of times.
type ending struct {
	context.Context
	left int
}

func (e *ending) Err() error {
	if e.left == 0 {
		return context.Canceled
	}
	e.left--
	return nil
}

func TestBackupRefuses(t *testing.T) {
	s := openSmall(t)
	addTopics(s, "a", 10)
	other := openSmall(t)
	tests := map[string]struct {
		prepare func(t *testing.T, dir string)
		want    error
	}{
		"something else": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "notes.txt"), nil) }, metalog.ErrConflict},
		"a data directory": {func(t *testing.T, dir string) {
			if err := os.CopyFS(dir, os.DirFS(other.Options.Path)); err != nil {
				t.Fatal(err)
			}
		}, metalog.ErrConflict},
		"of another log":   {func(t *testing.T, dir string) { changeBackup(t, dir, func(m *replay.BackupManifest) { m.LogID[0]++ }) }, metalog.ErrConflict},
		"of a later epoch": {func(t *testing.T, dir string) { changeBackup(t, dir, func(m *replay.BackupManifest) { m.Epoch++ }) }, metalog.ErrConflict},
		"ahead of the log": {func(t *testing.T, dir string) {
			changeBackup(t, dir, func(m *replay.BackupManifest) { m.Head.Seq += 1000 })
		}, metalog.ErrCorrupt},
		"another history": {func(t *testing.T, dir string) {
			changeBackup(t, dir, func(m *replay.BackupManifest) { m.Segments = m.Segments[:1]; m.Segments[0].LastHash[0]++ })
		}, metalog.ErrCorrupt},
		"damaged manifest": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "BACKUP.json"), []byte("{")) }, metalog.ErrCorrupt},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if !strings.HasPrefix(name, "a data") {
				backUp(t, s, dir)
			}
			test.prepare(t, dir)
			if _, err := s.Backup(t.Context(), dir); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func changeBackup(t *testing.T, dir string, change func(*replay.BackupManifest)) {
	t.Helper()
	path := filepath.Join(dir, "BACKUP.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m replay.BackupManifest
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	if data, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	write(t, path, data)
}

// A file of the backup that went bad is copied again.
func TestBackupHeals(t *testing.T) {
	s := openSmall(t)
	dir := t.TempDir()
	addTopics(s, "a", 30)
	backUp(t, s, dir)
	for _, path := range backupFiles(t, dir) {
		write(t, path, []byte("damaged"))
		backUp(t, s, dir)
		if _, err := replay.Restore(t.Context(), dir, "", replay.RestoreOptions{DryRun: true}); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func backupFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "s*", "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("files %v, %v", files, err)
	}
	return files
}

// A damaged log is not backed up over a good backup.
func TestBackupOfDamage(t *testing.T) {
	s := openSmall(t)
	dir := t.TempDir()
	addTopics(s, "a", 10)
	good := backUp(t, s, dir)
	addTopics(s, "b", 10)
	segment := filepath.Join(s.Options.Path, "log", "00000000000000000001")
	whole, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	damaged := append([]byte{}, whole...)
	damaged[len(damaged)/2] ^= 1
	write(t, segment, damaged)
	write(t, backupFiles(t, dir)[0], []byte("damaged too"))
	if _, err := s.Backup(t.Context(), dir); !errors.Is(err, metalog.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	write(t, segment, whole)
	if after := backUp(t, s, dir); after.Head.Seq <= good.Head.Seq {
		t.Errorf("backed up %+v", after)
	}
	restored(t, dir, s.Log().Head())
}

func TestRestoreRefuses(t *testing.T) {
	s := openSmall(t)
	backup := t.TempDir()
	addTopics(s, "a", 30)
	backUp(t, s, backup)
	t.Run("no backup", func(t *testing.T) {
		if _, err := replay.Restore(t.Context(), t.TempDir(), t.TempDir(), replay.RestoreOptions{}); !errors.Is(err, metalog.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a store is there", func(t *testing.T) {
		if _, err := replay.Restore(t.Context(), backup, s.Options.Path, replay.RestoreOptions{}); !errors.Is(err, metalog.ErrConflict) {
			t.Errorf("got %v", err)
		}
	})
	for _, path := range backupFiles(t, backup) {
		t.Run("damaged "+filepath.Base(path), func(t *testing.T) {
			dir := copyDir(t, backup)
			name, err := filepath.Rel(backup, path)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			write(t, filepath.Join(dir, name), data)
			target := filepath.Join(t.TempDir(), "target")
			for _, dry := range []bool{true, false} {
				if _, err := replay.Restore(t.Context(), dir, target, replay.RestoreOptions{DryRun: dry}); !errors.Is(err, metalog.ErrCorrupt) {
					t.Errorf("dry run %v: %v", dry, err)
				}
			}
			if _, err := os.Stat(filepath.Join(target, "log")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("there is a log: %v", err)
			}
		})
	}
}

// Files that are good by themselves, but not of one log, are not restored.
func TestRestoreChecksTheLog(t *testing.T) {
	s := openSmall(t)
	addTopics(s, "a", 30)
	for name, change := range map[string]func(*replay.BackupManifest){
		"a segment is left out": func(m *replay.BackupManifest) { m.Segments = append(m.Segments[:1], m.Segments[2:]...) },
		"the end is left out":   func(m *replay.BackupManifest) { m.Segments = m.Segments[:len(m.Segments)-1] },
		"another head":          func(m *replay.BackupManifest) { m.Head.Hash[0]++ },
		"another snapshot":      func(m *replay.BackupManifest) { m.Snapshot.Hash[0]++ },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			backUp(t, s, dir)
			changeBackup(t, dir, change)
			if _, err := replay.Restore(t.Context(), dir, filepath.Join(t.TempDir(), "target"), replay.RestoreOptions{}); !errors.Is(err, metalog.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A restore that was interrupted leaves nothing that opens as a store with less
// in it, and can be repeated.
func TestRestoreInterrupted(t *testing.T) {
	s := openSmall(t)
	addTopics(s, "a", 20)
	backup, target := t.TempDir(), filepath.Join(t.TempDir(), "target")
	backUp(t, s, backup)
	states := map[string]func(t *testing.T){
		"before anything was moved": func(t *testing.T) {
			rename(t, filepath.Join(target, "log"), filepath.Join(target, "unfinished", "log"))
			rename(t, filepath.Join(target, "snapshots"), filepath.Join(target, "unfinished", "snapshots"))
		},
		"before the log was moved": func(t *testing.T) {
			rename(t, filepath.Join(target, "log"), filepath.Join(target, "unfinished", "log"))
		},
	}
	for name, interrupt := range states {
		t.Run(name, func(t *testing.T) {
			if err := os.RemoveAll(target); err != nil {
				t.Fatal(err)
			}
			if _, err := replay.Restore(t.Context(), backup, target, replay.RestoreOptions{}); err != nil {
				t.Fatal(err)
			}
			interrupt(t)
			if store, err := metalog.Open(t.Context(), metalog.Options{Path: target}); !errors.Is(err, metalog.ErrUnavailable) {
				t.Fatalf("opened %v, %v", store, err)
			}
			if _, err := replay.Restore(t.Context(), backup, target, replay.RestoreOptions{}); err != nil {
				t.Fatal(err)
			}
			storetest.Verify(t, metalog.Options{Path: target, MinFreeBytes: -1, SweepInterval: -1})
		})
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// archivedStore makes a store whose log does not have its first records any more,
// and returns it with the first seq that it has.
func archivedStore(t *testing.T) (s *storetest.Store, first uint64) {
	t.Helper()
	s = openSmall(t)
	addTopics(s, "a", 20)
	createSnapshot(t, s)
	s.MustClose()
	dir := copyDir(t, s.Options.Path)
	log, err := eventlog.Open(filepath.Join(dir, replay.LogDir), eventlog.Options{SegmentSize: 400, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	err = log.DropBefore(12, "a manifest")
	first = log.First()
	if err := errors.Join(err, log.Close()); err != nil || first < 2 {
		t.Fatalf("dropped up to %d, %v", first, err)
	}
	opts := s.Options
	opts.Path = dir
	store, err := metalog.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &storetest.Store{Store: store, Options: opts}, first
}

// A log that starts later is backed up and restored as it is: its views come from
// the snapshot.
func TestBackupOfArchivedLog(t *testing.T) {
	s, first := archivedStore(t)
	want, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir, target := t.TempDir(), filepath.Join(t.TempDir(), "restored")
	backUp(t, s, dir)
	if _, err := replay.Restore(t.Context(), dir, target, replay.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	store, err := metalog.Open(t.Context(), metalog.Options{Path: target, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	info, err := store.Info(t.Context())
	if err != nil || info.FirstSeq != first || info.Head != want.Head || info.Digest != want.Digest {
		t.Errorf("restored %+v, %v; want %+v", info, err, want)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
