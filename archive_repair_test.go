package metalog_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
)

// A store that was restored from a backup that is older than its archive has lost
// records: it says so, and takes nothing. A repair takes them from the archive.
func TestArchiveIsAheadOfTheLog(t *testing.T) {
	for name, begun := range map[string]bool{"whole log": false, "archived before": true} {
		t.Run(name, func(t *testing.T) {
			s, opts := restoredFromOld(t, begun)
			refusedAsBehind(t, opts, "records were lost")
			head := s.Log().Head()
			archived := s.MustInfo().FirstSeq - 1
			all := hashes(t, s, 1)
			r, report := repaired(t, opts)
			if a := report.Ahead; a == nil || a.LastSeq != archived || a.FirstSeq == 0 || a.Unfit != 0 || report.Kept.Seq != archived || report.Lost.FirstSeq != 0 {
				t.Errorf("report %+v, ahead %+v; the archive ends with seq %d of %d", report, report.Ahead, archived, head.Seq)
			}
			if got := hashes(t, r, 1); !slices.Equal(got[:archived], all[:archived]) || len(got) != int(archived)+1 {
				t.Errorf("%d records, and not the %d that were archived and one for the new epoch", len(got), archived)
			}
			if info := r.MustInfo(); info.Epoch != report.Epoch+1 || report.Durable > report.Kept.Seq || report.Damage != nil {
				t.Errorf("epoch %d, report %+v", info.Epoch, report)
			}
			goesOnArchiving(t, r)
		})
	}
}

// When the restored log has gone on, what the archive has of the time after the backup
// is left out by a repair.
func TestArchiveIsOfAnotherPast(t *testing.T) {
	_, opts := restoredFromOld(t, false)
	away := opts
	away.ArchiveTo = ""
	store, err := metalog.Open(t.Context(), away)
	check(t, err)
	_, err = store.CreateTopic(t.Context(), metalog.CreateTopic{Name: "other", Partitions: 1, ReplicationFactor: 1})
	check(t, err)
	head := store.Log().Head()
	check(t, store.Close())
	refusedAsBehind(t, opts, "metalog log repair")
	r, report := repaired(t, opts)
	if a := report.Ahead; a == nil || a.LastSeq != 0 || a.Unfit <= head.Seq || report.Kept != head {
		t.Errorf("report %+v, ahead %+v; want all of the log, up to %v", report, report.Ahead, head)
	}
	goesOnArchiving(t, r)
}

// restoredFromOld makes a store, and another one from a backup that is older than the
// first one's archive; begun tells whether some was archived before.
func restoredFromOld(t *testing.T, begun bool) (*storetest.Store, metalog.Options) {
	t.Helper()
	s := openInSegments(t, 40)
	dir, backup, restored := archiveDir(t), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
	twoSnapshots(t, s)
	if begun {
		mustArchive(t, s, metalog.ArchiveOptions{To: dir, ArchivePolicy: metalog.ArchivePolicy{KeepRecords: 20}})
	}
	_, err := s.Backup(t.Context(), backup)
	check(t, err)
	addTopics(s, "late", 60)
	twoSnapshots(t, s)
	mustArchive(t, s, metalog.ArchiveOptions{To: dir})
	_, err = replay.Restore(t.Context(), backup, restored, replay.RestoreOptions{})
	check(t, err)
	opts := s.Options
	opts.Path = restored
	if !begun {
		opts.ArchiveTo = dir // else the backup knows it
	}
	return s, opts
}

func refusedAsBehind(t *testing.T, opts metalog.Options, says string) {
	t.Helper()
	if store, err := metalog.Open(t.Context(), opts); !errors.Is(err, metalog.ErrCorrupt) || !strings.Contains(err.Error(), says) {
		t.Errorf("open: %v, want ErrCorrupt", errors.Join(err, closeIfOpen(store)))
	}
}

// repaired repairs a log, and opens the store that was made.
func repaired(t *testing.T, opts metalog.Options) (*storetest.Store, replay.RepairReport) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "repaired")
	report, err := replay.Repair(t.Context(), opts.Path, replay.RepairOptions{Archive: opts.ArchiveTo, Out: out})
	check(t, err)
	opts.Path = out
	return storetest.Open(t, func(o *metalog.Options) { *o = opts }), report
}

// goesOnArchiving writes to a repaired store, archives, and reads and verifies all.
func goesOnArchiving(t *testing.T, s *storetest.Store) {
	t.Helper()
	addTopics(s, "again", 40)
	twoSnapshots(t, s)
	before := hashes(t, s, 1)
	if moved := mustArchive(t, s, metalog.ArchiveOptions{}); len(moved.Segments) == 0 {
		t.Errorf("nothing was moved: %s", moved.Kept)
	}
	s.Reopen()
	if !slices.Equal(hashes(t, s, 1), before) {
		t.Error("other records after archiving")
	}
	s.MustClose()
	storetest.Verify(t, s.Options)
}

// Records that are damaged in the log, and that the archive has, are not lost. Those that
// are damaged there too are, with what follows them.
func TestArchiveHasWhatIsDamaged(t *testing.T) {
	s, opts := restoredFromOld(t, false)
	all, archived := hashes(t, s, 1), s.MustInfo().FirstSeq-1
	logDir := filepath.Join(opts.Path, replay.LogDir)
	segments, err := filepath.Glob(filepath.Join(logDir, "0*"))
	check(t, err)
	flipMiddle(t, segments[len(segments)-2])
	r, report := repaired(t, opts)
	if a := report.Ahead; report.Damage == nil || a == nil || a.FirstSeq > report.Damage.Seq || report.Kept.Seq != archived || report.Lost.FirstSeq != 0 {
		t.Errorf("report %+v, ahead %+v; the archive ends with seq %d", report, report.Ahead, archived)
	}
	if got := hashes(t, r, 1); !slices.Equal(got[:archived], all[:archived]) {
		t.Error("other records than those that were archived")
	}
	files, err := filepath.Glob(filepath.Join(opts.ArchiveTo, "segments", "*.mla"))
	check(t, err)
	flipMiddle(t, files[len(files)-1])
	report, err = replay.Repair(t.Context(), opts.Path, replay.RepairOptions{Archive: opts.ArchiveTo})
	check(t, err)
	if a := report.Ahead; a == nil || a.LastSeq == 0 || a.LastSeq != report.Kept.Seq || a.LastSeq >= archived || a.Unfit != archived {
		t.Errorf("report %+v, ahead %+v; the archive's last file is damaged", report, report.Ahead)
	}
	flipMiddle(t, files[len(files)-1])
}

// flipMiddle alters a byte of a file.
func flipMiddle(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	data[len(data)/2] ^= 1
	check(t, os.WriteFile(path, data, 0o600))
}

// A repair does without an archive that can't be reached, unless it was named.
func TestRepairWithoutTheArchive(t *testing.T) {
	_, opts := restoredFromOld(t, true)
	report, err := replay.Repair(t.Context(), opts.Path, replay.RepairOptions{})
	check(t, err)
	dir := report.Archive
	check(t, os.Rename(dir, dir+".away"))
	report, err = replay.Repair(t.Context(), opts.Path, replay.RepairOptions{})
	if err != nil || report.Ahead != nil || report.Needed() || !strings.Contains(report.ArchiveError, "there is none here") {
		t.Errorf("report %+v, %v", report, err)
	}
	if _, err = replay.Repair(t.Context(), opts.Path, replay.RepairOptions{Archive: dir}); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("with the archive named: %v", err)
	}
	report, err = replay.Repair(t.Context(), opts.Path, replay.RepairOptions{Archive: dir + ".away"})
	if err != nil || report.Ahead == nil || report.ArchiveError != "" {
		t.Errorf("where it is: %+v, %v", report, err)
	}
	check(t, os.Rename(dir+".away", dir))
}
