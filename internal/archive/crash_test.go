package archive

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/internal/eventlog"
)

// image is a log and its archive as a crash leaves them: copies of both directories.
type image struct {
	*testLog
	place directory
}

// imageOf copies a log, and the archive as it is now.
func imageOf(t *testing.T, l *testLog, place directory) image {
	t.Helper()
	dir := t.TempDir()
	for from, to := range map[string]string{l.dir: "log", place.dir: "archive"} {
		if err := os.CopyFS(filepath.Join(dir, to), os.DirFS(from)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	c := image{&testLog{dir: filepath.Join(dir, "log"), frames: l.frames}, directory{filepath.Join(dir, "archive")}}
	c.File = openTestLog(t, c.dir, 8_000)
	return c
}

// check opens log and archive as they were left: each record is there, once.
func (c image) check(t *testing.T) {
	t.Helper()
	if c.First() == 1 {
		c.checkAll(t, c.File, 1)
		return
	}
	a, err := Open(t.Context(), c.place, c.options())
	if err != nil {
		t.Fatal(err)
	}
	c.checkAll(t, c.joined(a), a.First())
}

// A run that ends at any step of the archive's loses nothing and doubles nothing, and
// the next run ends what it began.
func TestRunInterruptedAtAnyStep(t *testing.T) {
	t.Parallel()
	base := newTestLog(t, 1, 120, 8_000)
	moved := len(base.Segments()) - 2
	if moved < 3 || moved > 12 {
		t.Fatalf("%d segments to move", moved)
	}
	for _, done := range []bool{false, true} {
		for step := 0; ; step++ {
			c := imageOf(t, base, directory{t.TempDir()})
			f := &faulty{Place: c.place, left: step, done: done}
			a, err := Create(t.Context(), f, 1, c.options())
			if err == nil {
				err = c.move(t.Context(), a, moved)
			}
			if err == nil {
				err = a.Sweep(t.Context(), c.First())
			}
			if err != nil && !errors.Is(err, errInjected) {
				t.Fatalf("step %d: %v", step, err)
			}
			after := imageOf(t, c.testLog, c.place)
			after.check(t)
			again := after.created(t, after.place)
			if n := len(after.Segments()) - 2; n > 0 {
				mustMove(t, after.testLog, again, n)
			}
			if err := again.Sweep(t.Context(), after.First()); err != nil {
				t.Fatal(err)
			}
			after.check(t)
			checkNoWaste(t, again)
			if err == nil {
				if step < 2*moved {
					t.Fatalf("%d steps in all", step)
				}
				break
			}
		}
	}
}

// checkNoWaste checks that a place has what the archive tells of, and nothing else.
func checkNoWaste(t *testing.T, a *Archive) {
	t.Helper()
	items, err := a.place.List(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := a.Size()
	want := 1 + 2*files
	if a.State().Base != nil {
		want++
	}
	if len(items) != want {
		t.Errorf("%d files, want %d: %v", len(items), want, items)
	}
}

// The log is shortened in two steps; a crash between them leaves segments that are in
// the archive too.
func TestSegmentsReappear(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 2, 120, 8_000)
	place := directory{t.TempDir()}
	whole := t.TempDir()
	if err := os.CopyFS(whole, os.DirFS(l.dir)); err != nil {
		t.Fatal(err)
	}
	mustMove(t, l, l.created(t, place), 2)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries[:2] {
		data, err := os.ReadFile(filepath.Join(whole, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(l.dir, e.Name()), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.File = openTestLog(t, l.dir, 8_000)
	if n := len(l.Recovery().Reappeared); n != 2 {
		t.Errorf("%d segments were removed again, want 2", n)
	}
	l.checkAll(t, l.joined(l.created(t, place)), 1)
}

// A prune that ends at any step leaves an archive that begins at one of two places,
// and has its base; the next one ends what it began.
func TestPruneInterruptedAtAnyStep(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 3, 120, 8_000)
	place := directory{t.TempDir()}
	mustMove(t, l, l.created(t, place), len(l.Segments())-1)
	for _, done := range []bool{false, true} {
		for step := 0; ; step++ {
			c := imageOf(t, l, place)
			f := &faulty{Place: c.place, left: step, done: done}
			a, err := Open(t.Context(), f, c.options())
			if err != nil {
				t.Fatal(err)
			}
			err = prune(t, a, c.frames, 3)
			if err != nil && !errors.Is(err, errInjected) {
				t.Fatal(err)
			}
			after := imageOf(t, c.testLog, c.place)
			again := after.created(t, after.place)
			after.checkAll(t, after.joined(again), again.First())
			checkBase(t, again)
			if again.First() == 1 {
				if err := prune(t, again, c.frames, 3); err != nil {
					t.Fatal(err)
				}
			}
			if err := again.Sweep(t.Context(), after.First()); err != nil {
				t.Fatal(err)
			}
			after.checkAll(t, after.joined(again), again.First())
			checkNoWaste(t, again)
			if err == nil {
				break
			}
		}
	}
}

var baseContent = []byte("the views, as it were")

// prune takes away the first n files.
func prune(t *testing.T, a *Archive, frames []eventlog.Located, n int) error {
	t.Helper()
	last := a.have.Load().files[n-1].last
	plan, err := a.PlanPrune(t.Context(), last+1)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Files) != n || plan.First != last+1 || plan.Prev != frames[last-1].Hash {
		t.Fatalf("plan %+v", plan)
	}
	b, err := a.PutBase(t.Context(), baseOf(frames[last]), writing(baseContent))
	if err != nil {
		return err
	}
	return a.Prune(t.Context(), plan, b, 1)
}
