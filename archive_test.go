package metalog_test

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
)

// openInSegments opens a store of small segments, with n topics.
func openInSegments(t *testing.T, n int, change ...func(*metalog.Options)) *storetest.Store {
	t.Helper()
	s := storetest.Open(t, append([]func(*metalog.Options){func(o *metalog.Options) {
		o.SegmentSize, o.SnapshotEvery, o.DigestEvery = 1000, -1, 10
	}}, change...)...)
	addTopics(s, "t", n)
	return s
}

func addTopics(s *storetest.Store, prefix string, n int) {
	for i := range n {
		s.Must(metalog.CreateTopic{Name: fmt.Sprintf("%s%03d", prefix, i), Partitions: 1, ReplicationFactor: 1})
	}
}

func mustSnapshot(t *testing.T, s *storetest.Store) metalog.Snapshot {
	t.Helper()
	snap, err := s.CreateSnapshot(t.Context())
	check(t, err)
	return snap
}

// twoSnapshots lets go of what earlier ones were kept for.
func twoSnapshots(t *testing.T, s *storetest.Store) {
	t.Helper()
	mustSnapshot(t, s)
	addTopics(s, fmt.Sprint("between", s.Seq()), 1)
	mustSnapshot(t, s)
}

func mustArchive(t *testing.T, s *storetest.Store, opts metalog.ArchiveOptions) metalog.ArchiveReport {
	t.Helper()
	report, err := s.Archive(t.Context(), opts)
	check(t, err)
	return report
}

// archiveDir is a place for an archive.
func archiveDir(t *testing.T) string { return filepath.Join(t.TempDir(), "archive") }

// hashes are those of all records, as the store's log gives them.
func hashes(t *testing.T, s *storetest.Store, from uint64) []string {
	t.Helper()
	var list []string
	for f, err := range s.Log().Frames(t.Context(), from) {
		check(t, err)
		list = append(list, fmt.Sprint(f.Seq, " ", f.Hash))
	}
	return list
}

// All that is read is the same before and after the log went to the archive: records,
// states, verification. A store that is opened again finds its archive.
func TestArchive(t *testing.T) {
	s := openInSegments(t, 60)
	dir := archiveDir(t)
	mustSnapshot(t, s)
	addTopics(s, "u", 10)
	want := hashes(t, s, 1)
	report := mustArchive(t, s, metalog.ArchiveOptions{To: dir})
	if n := len(report.Segments); n < 5 || report.Ratio < 1 || report.FirstSeq != report.Segments[n-1].LastSeq+1 || report.Location != dir {
		t.Fatalf("report %+v", report)
	}
	looks := func() {
		t.Helper()
		info := s.MustInfo()
		if info.FirstSeq != report.FirstSeq || info.Archive == nil || info.Archive.FirstSeq != 1 || info.Archive.LastSeq != report.FirstSeq-1 || info.Archive.Location != dir {
			t.Errorf("info %+v, %+v", info, info.Archive)
		}
		if got := hashes(t, s, 1); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%d records, want %d", len(got), len(want))
		}
		for seq := uint64(1); seq < uint64(len(want)); seq += 7 {
			checkTopicsAt(t, s, seq)
		}
		verified, err := s.Verify(t.Context(), metalog.VerifyOptions{Deep: true})
		if err = errors.Join(err, verified.Err()); err != nil || verified.Records != uint64(len(want)) || !verified.Deep || verified.Archive.Files != len(report.Segments) {
			t.Errorf("verify: %+v, %v", verified, err)
		}
	}
	looks()
	s.Reopen()
	looks()
	s.MustClose()
	offline, err := replay.Verify(t.Context(), s.Options.Path, metalog.VerifyOptions{Deep: true})
	if err = errors.Join(err, offline.Err()); err != nil || offline.FirstSeq != 1 || !offline.Deep {
		t.Errorf("verify of the directory: %+v, %v", offline, err)
	}
	s.Reopen()
	if again := mustArchive(t, s, metalog.ArchiveOptions{}); len(again.Segments) != 0 || again.Kept == "" {
		t.Errorf("nothing happened, but %+v was moved", again)
	}
}

// checkTopicsAt checks how many topics there were at a seq: one came with each record
// but for the digests and the first.
func checkTopicsAt(t *testing.T, s *storetest.Store, seq uint64) {
	t.Helper()
	want := 0
	for _, e := range s.Select(metalog.EventQuery{To: seq, Types: []string{"TopicCreated"}}) {
		if e.Seq <= seq {
			want++
		}
	}
	view, err := s.At(t.Context(), metalog.Point{Seq: seq})
	check(t, err)
	topics, err := metalog.Collect(view.ListTopics(t.Context()))
	check(t, errors.Join(err, view.Close()))
	if len(topics) != want {
		t.Errorf("at seq %d: %d topics, want %d", seq, len(topics), want)
	}
}

// What somebody needs stays in the log, and the report says for what.
func TestArchiveKeeps(t *testing.T) {
	none := func(t *testing.T, s *storetest.Store) metalog.ArchivePolicy { return metalog.ArchivePolicy{} }
	policy := func(p metalog.ArchivePolicy) func(*testing.T, *storetest.Store) metalog.ArchivePolicy {
		return func(t *testing.T, s *storetest.Store) metalog.ArchivePolicy {
			mustSnapshot(t, s)
			return p
		}
	}
	needed := func(next uint64) func(*metalog.Options) {
		return func(o *metalog.Options) { o.Needed = func() uint64 { return next } }
	}
	tests := map[string]struct {
		option func(*metalog.Options)
		set    func(*testing.T, *storetest.Store) metalog.ArchivePolicy
		most   uint64 // last seq that may go
		least  bool   // something has to go
		says   string
	}{
		"no snapshot": {nil, none, 0, false, "no snapshot"},
		"the second newest snapshot": {nil, func(t *testing.T, s *storetest.Store) metalog.ArchivePolicy {
			for range 3 {
				mustSnapshot(t, s)
				addTopics(s, fmt.Sprint("x", s.Seq()), 5)
			}
			return metalog.ArchivePolicy{}
		}, 72, true, "recovery"},
		"a single snapshot":         {nil, policy(metalog.ArchivePolicy{}), 61 + 6, true, "last one"},
		"what is not published":     {needed(30), policy(metalog.ArchivePolicy{}), 29, true, "not published"},
		"a publisher that begins":   {needed(0), policy(metalog.ArchivePolicy{}), 0, false, "not published"},
		"the newest records":        {nil, policy(metalog.ArchivePolicy{KeepRecords: 40}), 66 - 40, true, "newest 40 records"},
		"more records than are":     {nil, policy(metalog.ArchivePolicy{KeepRecords: 1 << 40}), 0, false, "newest"},
		"some bytes":                {nil, policy(metalog.ArchivePolicy{KeepBytes: 4000}), 50, true, "4000 bytes"},
		"more bytes than there are": {nil, policy(metalog.ArchivePolicy{KeepBytes: 1 << 40}), 0, false, "bytes of the log"},
		"what is young":             {nil, policy(metalog.ArchivePolicy{OlderThan: time.Hour}), 0, false, "not older than"},
		"what is younger": {nil, func(t *testing.T, s *storetest.Store) metalog.ArchivePolicy {
			mustSnapshot(t, s)
			s.Clock.Advance(time.Hour)
			addTopics(s, "young", 20)
			mustSnapshot(t, s)
			return metalog.ArchivePolicy{OlderThan: time.Hour / 2}
		}, 61 + 6, true, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var change []func(*metalog.Options)
			if test.option != nil {
				change = append(change, test.option)
			}
			s := openInSegments(t, 60, change...)
			opts := metalog.ArchiveOptions{To: archiveDir(t), ArchivePolicy: test.set(t, s), DryRun: true}
			planned := mustArchive(t, s, opts)
			if s.MustInfo().FirstSeq != 1 {
				t.Fatal("a dry run moved something")
			}
			opts.DryRun = false
			done := mustArchive(t, s, opts)
			if len(planned.Segments) != len(done.Segments) || planned.Kept != done.Kept || planned.Bytes != done.Bytes {
				t.Errorf("planned %+v, done %+v", planned, done)
			}
			if done.FirstSeq-1 > test.most || (done.FirstSeq > 1) != test.least || !strings.Contains(done.Kept, test.says) {
				t.Errorf("the log begins with seq %d (%s); at most seq %d may go", done.FirstSeq, done.Kept, test.most)
			}
		})
	}
}

// Without its archive a store opens, reads what the log has and takes commands; what
// needs the archive is unavailable, and names it.
func TestArchiveAway(t *testing.T) {
	s := openInSegments(t, 60)
	dir := archiveDir(t)
	mustSnapshot(t, s)
	mustArchive(t, s, metalog.ArchiveOptions{To: dir})
	s.MustClose()
	check(t, os.Rename(dir, dir+".away"))
	s.Reopen()
	addTopics(s, "more", 3)
	first := s.MustInfo().FirstSeq
	hashes(t, s, first)
	away := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, metalog.ErrUnavailable) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, err := range s.Events(t.Context(), metalog.EventQuery{From: 1, To: 2}) {
		away("events", err)
	}
	_, err := s.At(t.Context(), metalog.Point{Seq: 5})
	away("a state", err)
	_, err = s.ListArchive(t.Context())
	away("list", err)
	_, err = s.Archive(t.Context(), metalog.ArchiveOptions{})
	if !errors.Is(err, metalog.ErrConflict) && !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("archive: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a new archive was begun in its place")
	}
	verified, err := s.Verify(t.Context(), metalog.VerifyOptions{})
	if err != nil || verified.OK || len(verified.Findings) > 0 || len(verified.NotChecked) != 1 {
		t.Errorf("verify: %+v, %v", verified, err)
	}
	away("verify", verified.Err())
	deep, err := s.Verify(t.Context(), metalog.VerifyOptions{Deep: true})
	if err != nil || deep.OK || deep.Deep || len(deep.Findings) > 0 || len(deep.NotChecked) != 2 || deep.Records == 0 {
		t.Errorf("verify deep: %+v, %v", deep, err)
	}
	away("verify deep", deep.Err())
	if !strings.Contains(deep.Err().Error(), "--archive LOCATION") {
		t.Errorf("no way out: %v", deep.Err())
	}
	s.MustClose()
	check(t, os.Rename(dir+".away", dir))
	s.Reopen()
	hashes(t, s, 1)
}

// An archive that can't be opened because it is damaged is a finding, also when more than
// that was asked for.
func TestVerifyDeepOfADamagedArchive(t *testing.T) {
	s := openInSegments(t, 60)
	dir := archiveDir(t)
	twoSnapshots(t, s)
	mustArchive(t, s, metalog.ArchiveOptions{To: dir})
	state := filepath.Join(dir, "ARCHIVE.json")
	good, err := os.ReadFile(state)
	check(t, err)
	check(t, os.WriteFile(state, []byte("{}"), 0o600))
	report, err := s.Verify(t.Context(), metalog.VerifyOptions{Deep: true})
	if err != nil || len(report.Findings) != 1 || report.Deep || !errors.Is(report.Err(), metalog.ErrCorrupt) {
		t.Errorf("%+v, %v", report, err)
	}
	check(t, os.WriteFile(state, good, 0o600))
}

// An archive that was copied elsewhere is found where an order or the options say, and
// the log notes it.
func TestArchiveMoved(t *testing.T) {
	s := openInSegments(t, 60)
	dir, elsewhere := archiveDir(t), archiveDir(t)
	mustSnapshot(t, s)
	mustArchive(t, s, metalog.ArchiveOptions{To: dir})
	if _, err := s.Archive(t.Context(), metalog.ArchiveOptions{To: elsewhere}); !errors.Is(err, metalog.ErrConflict) || !strings.Contains(err.Error(), "copy") {
		t.Errorf("to an empty place: %v", err)
	}
	s.MustClose()
	check(t, os.CopyFS(elsewhere, os.DirFS(dir)))
	check(t, os.RemoveAll(dir))
	s.Reopen()
	if report := mustArchive(t, s, metalog.ArchiveOptions{To: elsewhere}); len(report.Segments) != 0 {
		t.Errorf("report %+v", report)
	}
	s.Reopen()
	hashes(t, s, 1)
	check(t, os.Rename(elsewhere, dir))
	s.Options.ArchiveTo = dir
	s.Reopen()
	hashes(t, s, 1)
	addTopics(s, "u", 30)
	twoSnapshots(t, s)
	if report := mustArchive(t, s, metalog.ArchiveOptions{}); len(report.Segments) == 0 || report.Location != dir {
		t.Errorf("report %+v", report)
	}
	s.Options.ArchiveTo = ""
	s.Reopen()
	hashes(t, s, 1)
}

// The archive of another log is refused, and nothing changes in either.
func TestArchiveOfAnotherLog(t *testing.T) {
	one, other := openInSegments(t, 40), openInSegments(t, 40, func(o *metalog.Options) {
		o.NewID = storetest.IDs(77)
	})
	dir := archiveDir(t)
	for _, s := range []*storetest.Store{one, other} {
		mustSnapshot(t, s)
	}
	mustArchive(t, one, metalog.ArchiveOptions{To: dir})
	if _, err := other.Archive(t.Context(), metalog.ArchiveOptions{To: dir}); !errors.Is(err, metalog.ErrConflict) {
		t.Errorf("archive: %v, want ErrConflict", err)
	}
	if first := other.MustInfo().FirstSeq; first != 1 {
		t.Errorf("the log begins with seq %d", first)
	}
	hashes(t, one, 1)
	other.MustClose()
	opts := other.Options
	opts.ArchiveTo = dir
	if store, err := metalog.Open(t.Context(), opts); !errors.Is(err, metalog.ErrConflict) {
		t.Errorf("open: %v, want ErrConflict", errors.Join(err, closeIfOpen(store)))
	}
	other.Reopen()
}

func closeIfOpen(store *metalog.Store) error {
	if store == nil {
		return nil
	}
	return store.Close()
}

// While a backup or a verification reads the log's files, none of them goes.
func TestArchiveWaitsForNobody(t *testing.T) {
	s := openInSegments(t, 60)
	mustSnapshot(t, s)
	release := s.HoldFront()
	_, err := s.Archive(t.Context(), metalog.ArchiveOptions{To: archiveDir(t)})
	release()
	if !errors.Is(err, metalog.ErrUnavailable) || s.MustInfo().FirstSeq != 1 {
		t.Errorf("archive: %v", err)
	}
}

// The policy of the options is followed without being asked, after snapshots.
func TestArchiveByPolicy(t *testing.T) {
	dir := archiveDir(t)
	s := openInSegments(t, 60, func(o *metalog.Options) {
		o.ArchiveTo, o.ArchivePolicy = dir, metalog.ArchivePolicy{KeepRecords: 20}
	})
	if first := s.MustInfo().FirstSeq; first != 1 {
		t.Fatalf("without a snapshot the log begins with seq %d", first)
	}
	mustSnapshot(t, s)
	for s.MustInfo().FirstSeq == 1 {
		select {
		case <-t.Context().Done():
			t.Fatal("nothing was archived")
		default:
		}
	}
	hashes(t, s, 1)
	opts := s.Options
	opts.Path, opts.ArchiveTo = t.TempDir(), ""
	if store, err := metalog.Open(t.Context(), opts); !errors.Is(err, metalog.ErrInvalid) {
		t.Errorf("a policy without a place: %v", errors.Join(err, closeIfOpen(store)))
	}
}

// Records and states of before a prune are out of range, and the error says from
// where on there are some; all others are as they were.
func TestPrune(t *testing.T) {
	s := openInSegments(t, 30)
	dir := archiveDir(t)
	middle := mustSnapshot(t, s)
	addTopics(s, "u", 30)
	twoSnapshots(t, s)
	addTopics(s, "v", 10)
	s.Must(metalog.AddPartitions{Name: "t000", Total: 9}) // an event that is left, of a history that begins before
	mustArchive(t, s, metalog.ArchiveOptions{To: dir})
	want := hashes(t, s, 1)

	order := metalog.PruneOptions{BeforeSnapshot: middle.Seq, DryRun: true}
	planned, err := s.PruneArchive(t.Context(), order)
	check(t, err)
	if len(planned.Files) == 0 || planned.FirstSeq > middle.Seq+1 || planned.StateSeq != middle.Seq {
		t.Fatalf("planned %+v", planned)
	}
	if got := hashes(t, s, 1); len(got) != len(want) {
		t.Fatal("a dry run pruned")
	}
	order.DryRun = false
	done, err := s.PruneArchive(t.Context(), order)
	check(t, err)
	if done.DryRun = true; fmt.Sprint(done) != fmt.Sprint(planned) {
		t.Errorf("pruned %+v, planned %+v", done, planned)
	}
	first := done.FirstSeq
	check(t, os.RemoveAll(filepath.Join(s.Options.Path, replay.SnapshotsDir, fmt.Sprintf("%020d.json", middle.Seq)))) // the archive has it
	for range 2 {
		if got := hashes(t, s, first); strings.Join(got, "\n") != strings.Join(want[first-1:], "\n") {
			t.Errorf("%d records, want %d", len(got), len(want)-int(first)+1)
		}
		for _, seq := range []uint64{middle.Seq, middle.Seq + 1, middle.Seq + 20, s.Seq()} {
			view, err := s.At(t.Context(), metalog.Point{Seq: seq})
			check(t, err)
			if view.Seq() != seq {
				t.Errorf("the state of seq %d is that of %d", seq, view.Seq())
			}
			check(t, view.Close())
		}
		gone := func(what string, err error, from uint64) {
			t.Helper()
			if !errors.Is(err, metalog.ErrOutOfRange) || !strings.Contains(err.Error(), fmt.Sprint("seq ", from)) {
				t.Errorf("%s: %v, want out of range, and seq %d", what, err, from)
			}
		}
		checkGone(t, s, first)
		_, err = s.At(t.Context(), metalog.Point{Seq: middle.Seq - 1})
		gone("a state", err, middle.Seq)
		_, err = s.Diff(t.Context(), metalog.Point{Seq: 5}, metalog.Point{}, metalog.DiffOptions{})
		gone("a difference", err, middle.Seq)
		verified, err := s.Verify(t.Context(), metalog.VerifyOptions{Deep: true})
		if err = errors.Join(err, verified.Err()); err != nil || verified.FirstSeq != first || !verified.Deep {
			t.Errorf("verify: %+v, %v", verified, err)
		}
		s.Reopen()
	}
	if again, err := s.PruneArchive(t.Context(), metalog.PruneOptions{BeforeSnapshot: s.Seq()}); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("before a snapshot that is not there: %+v, %v", again, err)
	}
}

// The first state of a pruned archive can be compared, though its record is gone.
func TestDiffFromWherePrunedArchiveBegins(t *testing.T) {
	s := openInSegments(t, 10, func(o *metalog.Options) { o.DigestEvery = 1000 })
	var snap metalog.Snapshot
	for begun := false; !begun && s.Seq() < 100; {
		check(t, os.RemoveAll(filepath.Join(s.Options.Path, replay.SnapshotsDir)))
		snap = mustSnapshot(t, s)
		addTopics(s, fmt.Sprint("u", s.Seq()), 1)
		segments := s.Log().Segments()
		begun = segments[len(segments)-1].First == snap.Seq+1
	}
	addTopics(s, "v", 10)
	twoSnapshots(t, s)
	mustArchive(t, s, metalog.ArchiveOptions{To: archiveDir(t)})
	pruned, err := s.PruneArchive(t.Context(), metalog.PruneOptions{BeforeSnapshot: snap.Seq})
	check(t, err)
	if pruned.FirstSeq != snap.Seq+1 || pruned.StateSeq != snap.Seq {
		t.Fatalf("pruned %+v", pruned)
	}
	d, err := s.Diff(t.Context(), metalog.Point{Seq: snap.Seq}, metalog.Point{}, metalog.DiffOptions{Entities: []string{"topic"}})
	check(t, err)
	if d.From != (metalog.PointState{Seq: snap.Seq, Time: snap.Time}) {
		t.Errorf("from %+v, want seq %d of %s", d.From, snap.Seq, snap.Time)
	}
	check(t, firstError(d.Differences))
	_, err = s.Diff(t.Context(), metalog.Point{Seq: snap.Seq - 1}, metalog.Point{}, metalog.DiffOptions{})
	if want := fmt.Sprintf("ask for seq %d or a later one", snap.Seq); !errors.Is(err, metalog.ErrOutOfRange) || !strings.Contains(err.Error(), want) {
		t.Errorf("before it: %v; want %q", err, want)
	}
}

// checkGone asks for what was before the first record that is left. A part of the
// answer would pass for all of it.
func checkGone(t *testing.T, s *storetest.Store, first uint64) {
	t.Helper()
	gone := func(what any, err error) {
		t.Helper()
		if !errors.Is(err, metalog.ErrOutOfRange) || !strings.Contains(err.Error(), fmt.Sprint("seq ", first)) {
			t.Errorf("%+v: %v, want out of range, and seq %d", what, err, first)
		}
	}
	last, early := first-1, metalog.Point{Time: s.Select(metalog.EventQuery{From: first, To: first})[0].Time - 1}
	for _, q := range []metalog.EventQuery{
		{From: last}, {To: last}, {Since: metalog.Point{Seq: last}}, {Until: metalog.Point{Seq: last}},
		{Cause: metalog.EventRef{Seq: last}}, {Since: early}, {Until: early},
	} {
		gone(q, firstError(s.Events(t.Context(), q)))
	}
	entity := "topic/" + s.Select(metalog.EventQuery{From: s.Seq() - 1})[0].Entity.ID
	for _, q := range []metalog.HistoryQuery{
		{Since: metalog.Point{Seq: last}}, {Cause: metalog.EventRef{Seq: last}},
		{After: &events.Position{Seq: last}}, {After: &events.Position{Seq: last}, NewestFirst: true},
	} {
		q.Entity = entity
		gone(q, firstError(s.History(t.Context(), q)))
	}
	check(t, firstError(s.Events(t.Context(), metalog.EventQuery{From: first, Cause: metalog.EventRef{Seq: last}})))
	err := firstError(s.History(t.Context(), metalog.HistoryQuery{Entity: "topic/t000"}))
	gone("a history", err)
	if err != nil && strings.Contains(err.Error(), "--") {
		t.Errorf("a flag that blame does not have: %v", err)
	}
}

// firstError returns the error that a list begins with; nil if it begins with none.
func firstError[T any](list iter.Seq2[T, error]) error {
	for _, err := range list {
		return err
	}
	return nil
}

// Views that are lost come back from what a pruned archive keeps, when no snapshot is
// left.
func TestRecoveryFromAPrunedArchive(t *testing.T) {
	s := openInSegments(t, 30)
	snap := mustSnapshot(t, s)
	mustArchive(t, s, metalog.ArchiveOptions{To: archiveDir(t)})
	_, err := s.PruneArchive(t.Context(), metalog.PruneOptions{BeforeSnapshot: snap.Seq})
	check(t, err)
	addTopics(s, "u", 5)
	before := s.MustInfo()
	s.MustClose()
	check(t, os.RemoveAll(filepath.Join(s.Options.Path, replay.SnapshotsDir)))
	check(t, os.Remove(viewsPath(s)))
	s.Reopen()
	if got := s.MustInfo(); got.Digest != before.Digest || got.Head != before.Head {
		t.Errorf("got %+v, want %+v", got, before)
	}
}

// A repair of a log whose front is in the archive goes on from there, in a new epoch;
// the store that was given up writes nothing to it any more.
func TestArchiveAfterRepair(t *testing.T) {
	s := openInSegments(t, 60)
	dir, repaired := archiveDir(t), filepath.Join(t.TempDir(), "repaired")
	mustSnapshot(t, s)
	mustArchive(t, s, metalog.ArchiveOptions{To: dir})
	addTopics(s, "lost", 30)
	twoSnapshots(t, s)
	s.MustClose()
	damaged := t.TempDir()
	check(t, os.CopyFS(damaged, os.DirFS(s.Options.Path)))
	last := segmentsIn(t, damaged)
	check(t, os.Truncate(last[len(last)-2], 100))
	report, err := replay.Repair(t.Context(), damaged, replay.RepairOptions{Out: repaired, Clock: s.Clock.Now})
	check(t, err)
	if report.Archive != dir || report.FirstSeq == 1 {
		t.Errorf("report %+v", report)
	}
	opts := s.Options
	opts.Path = repaired
	again := storetest.OpenWith(t, opts, s.Clock)
	hashes(t, again, 1)
	addTopics(again, "new", 40)
	twoSnapshots(t, again)
	if moved := mustArchive(t, again, metalog.ArchiveOptions{}); len(moved.Segments) == 0 {
		t.Errorf("nothing was moved: %s", moved.Kept)
	}
	hashes(t, again, 1)
	again.Reopen()
	hashes(t, again, 1)
	verified, err := again.Verify(t.Context(), metalog.VerifyOptions{Deep: true})
	check(t, errors.Join(err, verified.Err()))

	s.Reopen()
	hashes(t, s, 1)
	if _, err := s.Archive(t.Context(), metalog.ArchiveOptions{}); !errors.Is(err, metalog.ErrConflict) || !strings.Contains(err.Error(), "epoch 2") {
		t.Errorf("the store that was given up: %v", err)
	}
}

// segmentsIn lists the segment files of a data directory.
func segmentsIn(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "log", "0*"))
	check(t, err)
	return paths
}

// A backup has what the log has, and tells where the rest is; a store restored from it
// reads both.
func TestBackupOfAnArchivedLog(t *testing.T) {
	s := openInSegments(t, 60)
	dir, backup, restored := archiveDir(t), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
	mustSnapshot(t, s)
	first := mustArchive(t, s, metalog.ArchiveOptions{To: dir}).FirstSeq
	made, err := s.Backup(t.Context(), backup)
	check(t, err)
	done, err := replay.Restore(t.Context(), backup, restored, replay.RestoreOptions{})
	check(t, err)
	if made.Archive != dir || made.FirstSeq != first || done.Archive != dir || done.FirstSeq != first {
		t.Errorf("backed up %+v, restored %+v; want seq %d and %s", made, done, first, dir)
	}
	want := hashes(t, s, 1)
	opts := s.Options
	opts.Path = restored
	again := storetest.OpenWith(t, opts, s.Clock)
	if got := hashes(t, again, 1); len(got) != len(want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

// Snapshots of before the log's first record can be restored, with what is in the
// archive.
func TestRestoreSnapshotOverTheArchive(t *testing.T) {
	s := openInSegments(t, 20)
	old := mustSnapshot(t, s)
	addTopics(s, "u", 40)
	twoSnapshots(t, s)
	mustArchive(t, s, metalog.ArchiveOptions{To: archiveDir(t)})
	before := s.MustInfo()
	if before.FirstSeq <= old.Seq {
		t.Fatalf("the log begins with seq %d, the snapshot is of %d", before.FirstSeq, old.Seq)
	}
	s.MustClose()
	_, err := replay.RestoreSnapshot(t.Context(), s.Options.Path, replay.SnapshotRestore{Seq: old.Seq})
	check(t, err)
	s.Reopen()
	if got := s.MustInfo(); got.Digest != before.Digest {
		t.Errorf("got %+v, want %+v", got, before)
	}
}

// Passwords of a location show nowhere.
func TestArchiveLocationIsRefused(t *testing.T) {
	s := openInSegments(t, 5)
	mustSnapshot(t, s)
	_, err := s.Archive(t.Context(), metalog.ArchiveOptions{To: "s3://user:hunter2@bucket"})
	if !errors.Is(err, metalog.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	for _, policy := range []metalog.ArchivePolicy{{OlderThan: -1}, {KeepBytes: -1}} {
		if _, err := s.Archive(t.Context(), metalog.ArchiveOptions{To: archiveDir(t), ArchivePolicy: policy}); !errors.Is(err, metalog.ErrInvalid) {
			t.Errorf("%+v: %v", policy, err)
		}
	}
	if _, err := s.ListArchive(t.Context()); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("list of nothing: %v", err)
	}
	if _, err := s.PruneArchive(t.Context(), metalog.PruneOptions{BeforeSnapshot: 1}); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("prune of nothing: %v", err)
	}
}

// Damage in the archive is found by verification, in a directory and by a store, and
// told with file, seq and the way out; the rest is checked all the same.
func TestVerifyFindsDamageInTheArchive(t *testing.T) {
	s := openInSegments(t, 60)
	dir := archiveDir(t)
	mustSnapshot(t, s)
	mustArchive(t, s, metalog.ArchiveOptions{To: dir})
	status, err := s.ListArchive(t.Context())
	check(t, err)
	second := status.Segments[1]
	data := filepath.Join(dir, second.File)
	manifest := strings.TrimSuffix(data, ".mla") + ".json"
	for what, path := range map[string]string{"data": data, "manifest": manifest} {
		for how, harm := range map[string]func() error{
			"altered": func() error {
				content, err := os.ReadFile(path)
				content[len(content)/2] ^= 4
				return errors.Join(err, os.WriteFile(path, content, 0o600))
			},
			"missing": func() error { return os.Remove(path) },
		} {
			t.Run(what+" "+how, func(t *testing.T) {
				content, err := os.ReadFile(path)
				check(t, err)
				check(t, harm())
				offline := t.TempDir()
				check(t, os.CopyFS(offline, os.DirFS(s.Options.Path)))
				s.Reopen() // with empty caches
				live, err := s.Verify(t.Context(), metalog.VerifyOptions{Deep: true})
				checkDamageIn(t, live, err, second, s.Seq())
				still, err := replay.Verify(t.Context(), offline, metalog.VerifyOptions{})
				checkDamageIn(t, still, err, second, s.Seq())
				check(t, os.WriteFile(path, content, 0o600))
			})
		}
	}
	s.Reopen()
	whole, err := s.Verify(t.Context(), metalog.VerifyOptions{Deep: true})
	check(t, errors.Join(err, whole.Err()))
}

func checkDamageIn(t *testing.T, r metalog.VerifyReport, err error, file metalog.ArchiveFile, head uint64) {
	t.Helper()
	check(t, err)
	name, _, _ := strings.Cut(file.File, "-")
	if len(r.Findings) != 1 || r.FirstDamage == nil || r.FirstDamage.Seq != file.FirstSeq || !strings.HasPrefix(r.FirstDamage.Segment, name) {
		t.Fatalf("findings %v", r.Findings)
	}
	if want := head - (file.LastSeq - file.FirstSeq + 1); r.Records != want || r.Head.Seq != head {
		t.Errorf("%d records up to seq %d were checked, want %d up to %d", r.Records, r.Head.Seq, want, head)
	}
	if text := fmt.Sprint(r.Err()); !strings.Contains(text, name) || !strings.Contains(text, "restore the file from a copy of the archive") {
		t.Errorf("error: %s", text)
	}
}
