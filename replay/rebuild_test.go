package replay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/benchlog"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

func rebuild(t *testing.T, log eventlog.Reader, opts replay.RebuildOptions) replay.RebuildReport {
	t.Helper()
	report, err := replay.Rebuild(t.Context(), log, opts)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func openViews(t *testing.T, path string) *views.DB {
	t.Helper()
	db, err := views.Open(views.Options{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// sameViews compares the views in two files: checkpoint and every row.
func sameViews(t *testing.T, got, want string) {
	t.Helper()
	a, b := openViews(t, got), openViews(t, want)
	if a.Checkpoint() != b.Checkpoint() {
		t.Errorf("checkpoint %+v, want %+v", a.Checkpoint(), b.Checkpoint())
	}
	rows, err := a.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	wanted, err := b.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer wanted.Close()
	if d, err := views.FirstDifference(t.Context(), &rows.Reader, &wanted.Reader); d != nil || err != nil {
		t.Error(d, err)
	}
	if digest, _, err := rows.ComputeDigest(t.Context()); err != nil || digest != a.Checkpoint().Digest {
		t.Errorf("the rows have digest %s, the checkpoint says %s, %v", digest, a.Checkpoint().Digest, err)
	}
}

// notThere checks that a rebuild has left no file, and whether it has left an
// unfinished one.
func notThere(t *testing.T, out string, partial bool) {
	t.Helper()
	if _, err := os.Lstat(out); err == nil {
		t.Errorf("%s is there", out)
	}
	if _, err := os.Lstat(out + replay.PartialSuffix); (err == nil) != partial {
		t.Errorf("unfinished file there: %v, want %v", err == nil, partial)
	}
}

// At each seq the views are those that the store had then, from the log alone and
// with snapshots.
func TestRebuild(t *testing.T) {
	s := storetest.Open(t, func(o *metalog.Options) { o.DigestEvery = 10 })
	notes := map[uint64]metalog.Info{}
	for i := range 40 {
		s.Must(metalog.CreateTopic{Name: fmt.Sprint("t", i), Partitions: 3, ReplicationFactor: 1})
		s.Must(metalog.AddSegment{Topic: fmt.Sprint("t", i), SegmentInfo: metalog.SegmentInfo{ID: "a", EndOffset: 9}})
		if i%3 == 2 {
			s.Must(metalog.DeleteTopic{Name: fmt.Sprint("t", i-1)})
		}
		if i == 13 || i == 30 {
			createSnapshot(t, s)
		}
		info := s.MustInfo()
		notes[info.Seq] = info
	}
	bases := replay.Bases{Snapshots: snapshotsOf(s.Options.Path)}
	for seq, want := range notes {
		plain, with := filepath.Join(t.TempDir(), "plain.db"), filepath.Join(t.TempDir(), "with.db")
		to := replay.Point{Seq: seq}
		a := rebuild(t, s.Log(), replay.RebuildOptions{To: to, Out: plain})
		b := rebuild(t, s.Log(), replay.RebuildOptions{To: to, Out: with, Bases: bases})
		for _, got := range []replay.RebuildReport{a, b} {
			if got.Digest != want.Digest || got.Seq != seq || got.Hash != want.Head.Hash || got.Time != want.Time || got.Events != want.Events {
				t.Fatalf("seq %d: %+v, the store said %+v", seq, got, want)
			}
		}
		sameViews(t, with, plain)
		if info, err := os.Stat(with); err != nil || info.Size() != b.SizeBytes || info.Mode() != 0o600 {
			t.Errorf("file %v, %v; %d bytes reported", info.Mode(), err, b.SizeBytes)
		}
		if most := int64(1 << 20); a.SizeBytes > most || b.SizeBytes > most {
			t.Errorf("%d and %d bytes for %d rows", a.SizeBytes, b.SizeBytes, a.Rows)
		}
		snap, found, err := bases.Snapshots.Nearest(seq)
		if err != nil || found != (b.FromSnapshot != 0) || found && b.FromSnapshot != snap.Seq || a.FromSnapshot != 0 {
			t.Errorf("seq %d: from snapshots %d and %d, the nearest is %d", seq, a.FromSnapshot, b.FromSnapshot, snap.Seq)
		}
		if a.AppliedRecords != seq || b.AppliedRecords != seq-b.FromSnapshot {
			t.Errorf("seq %d: %d and %d records", seq, a.AppliedRecords, b.AppliedRecords)
		}
		notThere(t, plain+"x", false)
	}
}

// The views of a store as it is are those of a rebuild to now, and by time.
func TestRebuildToNowAndTime(t *testing.T) {
	s := storetest.Open(t)
	addTopics(s, "a", 5)
	before := s.MustInfo()
	addTopics(s, "b", 5)
	dir := t.TempDir()
	now := rebuild(t, s.Log(), replay.RebuildOptions{Out: filepath.Join(dir, "now.db")})
	then := rebuild(t, s.Log(), replay.RebuildOptions{Out: filepath.Join(dir, "then.db"), To: replay.Point{Time: before.Time}})
	if info := s.MustInfo(); now.Digest != info.Digest || now.Seq != info.Seq || then.Digest != before.Digest || then.Seq != before.Seq {
		t.Errorf("now %+v, then %+v", now, then)
	}
}

// A damaged snapshot is passed over.
func TestRebuildPassesOverDamage(t *testing.T) {
	s := storetest.Open(t)
	addTopics(s, "a", 5)
	first := createSnapshot(t, s)
	addTopics(s, "b", 5)
	second := createSnapshot(t, s)
	snapshots := snapshotsOf(s.Options.Path)
	zero(t, copyOf(snapshots, second))
	report := rebuild(t, s.Log(), replay.RebuildOptions{Out: filepath.Join(t.TempDir(), "v.db"), Bases: replay.Bases{Snapshots: snapshots}})
	if report.FromSnapshot != first.Seq || report.Digest != s.MustInfo().Digest {
		t.Errorf("%+v, want from snapshot %d", report, first.Seq)
	}
	for _, snap := range []replay.Snapshot{first, second} { // the store's own end is not about this
		os.Remove(manifestOf(snapshots, snap))
	}
}

// longLog is a log of 60,000 records, and a file of its views.
func longLog(t *testing.T) (log *eventlog.File, want string) {
	t.Helper()
	dir := benchlog.Dir(t, benchlog.Shape{Events: 60_000, Offsets: 1})
	log, err := eventlog.Open(filepath.Join(dir, replay.LogDir), eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log, filepath.Join(dir, replay.ViewsFile)
}

// Interrupted at random places, again and again, it comes to the same file.
func TestRebuildResumes(t *testing.T) {
	log, want := longLog(t)
	for round := range 3 {
		out := filepath.Join(t.TempDir(), "views.db")
		random := rand.New(rand.NewPCG(uint64(round), 7))
		var reached uint64
		for interrupted := true; interrupted; {
			ctx, cancel := context.WithCancel(t.Context())
			left := random.IntN(6)
			opts := replay.RebuildOptions{Out: out, Progress: func(p replay.RebuildProgress) {
				if p.From != reached || p.To != log.Head().Seq {
					t.Errorf("goes from %d to %d, was at %d", p.From, p.To, reached)
				}
				if left--; left < 0 {
					cancel()
				}
			}}
			report, err := replay.Rebuild(ctx, log, opts)
			cancel()
			if interrupted = err != nil; interrupted {
				wantInterrupted(t, err)
				notThere(t, out, true)
				at := checkpointOf(t, out+replay.PartialSuffix)
				if at <= reached {
					t.Fatalf("at seq %d, it was at %d before", at, reached)
				}
				reached = at
			} else if report.ResumedFrom != reached || report.AppliedRecords != report.Seq-reached {
				t.Errorf("%+v, it had come to %d", report, reached)
			}
		}
		sameViews(t, out, want)
		if _, err := os.Lstat(out + replay.PartialSuffix); err == nil {
			t.Error("the unfinished file is still there")
		}
	}
}

func wantInterrupted(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, events.ErrUnavailable) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "; the same command goes on from there") || strings.Contains(err.Error(), "context") {
		t.Fatalf("ended with %v", err)
	}
}

func checkpointOf(t *testing.T, path string) uint64 {
	t.Helper()
	db, err := views.Open(views.Options{Path: path, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return db.Checkpoint().Seq
}

// What a kill leaves is gone on with: here, the file as it is at some moment of a run
// that goes on after an interruption.
func TestRebuildGoesOnAfterKill(t *testing.T) {
	log, want := longLog(t)
	dir := t.TempDir()
	out, killed := filepath.Join(dir, "out"), filepath.Join(dir, "killed")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := replay.Rebuild(ctx, log, replay.RebuildOptions{Out: out, Progress: func(replay.RebuildProgress) { cancel() }})
	wantInterrupted(t, err)
	calls := 0
	rebuild(t, log, replay.RebuildOptions{Out: out, Progress: func(replay.RebuildProgress) {
		if calls++; calls != 5 {
			return
		}
		left, err := os.ReadFile(out + replay.PartialSuffix)
		if err == nil {
			err = os.WriteFile(killed+replay.PartialSuffix, left, 0o600)
		}
		if err != nil {
			t.Error(err)
		}
	}})
	if report := rebuild(t, log, replay.RebuildOptions{Out: killed}); report.ResumedFrom == 0 {
		t.Errorf("%+v, want resumed", report)
	}
	sameViews(t, killed, want)
}

// What is begun to an earlier seq is gone on with to a later one; a snapshot that is
// nearer counts more.
func TestRebuildGoesOnToALaterSeq(t *testing.T) {
	s := storetest.Open(t)
	addTopics(s, "a", 10)
	out := filepath.Join(t.TempDir(), "views.db")
	early := rebuild(t, s.Log(), replay.RebuildOptions{Out: out, To: replay.Point{Seq: 5}})
	rename(t, out, out+replay.PartialSuffix)
	late := rebuild(t, s.Log(), replay.RebuildOptions{Out: out})
	if late.ResumedFrom != early.Seq || late.Digest != s.MustInfo().Digest {
		t.Errorf("%+v", late)
	}
	snap := createSnapshot(t, s)
	os.Remove(out)
	rebuild(t, s.Log(), replay.RebuildOptions{Out: out, To: replay.Point{Seq: 5}})
	rename(t, out, out+replay.PartialSuffix)
	addTopics(s, "b", 3)
	late = rebuild(t, s.Log(), replay.RebuildOptions{Out: out, Bases: replay.Bases{Snapshots: snapshotsOf(s.Options.Path)}})
	if late.ResumedFrom != 0 || late.FromSnapshot != snap.Seq || late.Digest != s.MustInfo().Digest {
		t.Errorf("%+v, want from snapshot %d", late, snap.Seq)
	}
}

// A store rebuilds once at a time: each takes its share of memory.
func TestOneRebuildAtATime(t *testing.T) {
	dir := benchlog.Clone(t, benchlog.Shape{Events: 10_000, Offsets: 1})
	store, err := metalog.Open(t.Context(), metalog.Options{Path: dir, SweepInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	order := metalog.RebuildOrder{Out: filepath.Join(t.TempDir(), "one.db")}
	other := metalog.RebuildOrder{Out: filepath.Join(t.TempDir(), "other.db")}
	told := 0
	order.Progress = func(metalog.RebuildProgress) {
		told++
		if _, err := store.Rebuild(t.Context(), other); !errors.Is(err, events.ErrUnavailable) || !strings.Contains(err.Error(), "another rebuild is under way") {
			t.Errorf("beside another one: %v", err)
		}
	}
	if _, err := store.Rebuild(t.Context(), order); err != nil || told == 0 {
		t.Errorf("told %d times, %v", told, err)
	}
	if _, err := store.Rebuild(t.Context(), other); err != nil {
		t.Errorf("after the other one: %v", err)
	}
}
