package model

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
)

// TestEarlierStates makes a long history, and compares the states at random seqs of
// it, as of then and rebuilt, with what was there: the answers to all reads, which
// were those of the model. That is done without snapshots and with some, and again
// when most of the log is in an archive.
func TestEarlierStates(t *testing.T) {
	commands, states := 300, 20
	if os.Getenv("METALOG_LONG") != "" {
		commands, states = 20_000, 200
	}
	once(t)
	for name, every := range map[string]int64{"without snapshots": -1, "with snapshots": int64(commands / 10)} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				tb := newScope(t, rt)
				defer tb.finish()
				r := &run{T: rt, tb: tb, model: newModel(), answers: map[uint64]string{}}
				r.Store = storetest.Open(tb, func(o *metalog.Options) {
					o.DigestEvery, o.SegmentSize, o.SnapshotEvery = 100, 4096, every
					o.AsOfBytes = 1 << 20 // not all that is asked for
				})
				r.note()
				r.populate()
				r.live(commands, states)
				r.checkStates()
				r.archiveMost()
				r.checkStates()
				r.Reopen()
				r.checkStates()
			})
		})
	}
}

// once has the rest of a test do one check of each kind.
func once(t *testing.T) {
	t.Helper()
	checks := flag.Lookup("rapid.checks").Value
	before := checks.String()
	t.Cleanup(func() {
		if err := checks.Set(before); err != nil {
			t.Error(err)
		}
	})
	if err := checks.Set("1"); err != nil {
		t.Fatal(err)
	}
}

// live gives so many commands, and keeps what is there at so many moments.
func (r *run) live(commands, states int) {
	steps := r.commandSteps()
	for r.commands < commands {
		steps[one(r, "step", slices.Sorted(maps.Keys(steps)))]()
		if len(r.answers) < states*r.commands/commands {
			r.compare()
			r.answers[r.MustInfo().Seq] = r.answersOf(r.Store)
		}
	}
}

// archiveMost moves what it may of the log to an archive.
func (r *run) archiveMost() {
	r.snapshotStep()
	for before := r.Seq(); r.Seq() == before; {
		r.groupStep()
	}
	r.snapshotStep()
	report, err := r.Archive(r.tb.Context(), metalog.ArchiveOptions{To: r.tb.TempDir()})
	r.tb.ok(err)
	if info := r.MustInfo(); len(report.Segments) < 2 {
		r.Fatalf("little was archived: %+v, %+v", report, info)
	}
	r.MustClose()
	r.tb.ok(os.RemoveAll(filepath.Join(r.Options.Path, "asof"))) // they are to be made anew
	r.Reopen()
}

// checkStates compares all states that are known with what is made of them now.
func (r *run) checkStates() {
	seqs := sortedKeys(r.answers)
	rand.New(rand.NewPCG(1, uint64(len(seqs)))).Shuffle(len(seqs), func(i, j int) { seqs[i], seqs[j] = seqs[j], seqs[i] })
	for _, seq := range seqs {
		view, err := r.At(r.tb.Context(), metalog.Point{Seq: seq})
		r.tb.ok(err)
		if got := r.answersOf(view); got != r.answers[seq] {
			r.Fatalf("at seq %d the answers are\n%s\nand they were\n%s", seq, got, r.answers[seq])
		}
		r.tb.ok(view.Close())
		r.checkRebuilt(seq)
	}
}

func (r *run) checkRebuilt(seq uint64) {
	i, found := slices.BinarySearchFunc(r.notes, seq, func(note metalog.Info, seq uint64) int { return int(note.Seq) - int(seq) })
	if !found {
		r.Fatalf("nothing was noted of seq %d", seq)
	}
	path := filepath.Join(r.tb.TempDir(), fmt.Sprint(seq, ".db"))
	report, err := replay.Rebuild(r.tb.Context(), r.Store.Log(), replay.RebuildOptions{
		To: metalog.Point{Seq: seq}, Out: path, Bases: replay.Bases{Snapshots: replay.Snapshots{Dir: filepath.Join(r.Options.Path, "snapshots")}},
	})
	r.tb.ok(err)
	r.tb.ok(os.Remove(path))
	r.check(nil, []any{report.Seq, report.Hash, report.Digest, report.Time, report.Events}, []any{seq, r.notes[i].Head.Hash, r.notes[i].Digest, r.notes[i].Time, r.notes[i].Events})
}
