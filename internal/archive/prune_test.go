package archive

import (
	"errors"
	"testing"

	"github.com/metalog/metalog/events"
)

// What another process pruned is out of range for one that has the archive open, and
// no damage; what nobody pruned is damage.
func TestPrunedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, manifestsKnown := range map[string]bool{"manifest": false, "data": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newTestLog(t, 13, 120, 8_000)
			place := memory{}
			mustMove(t, l, l.created(t, place), 3)
			reader, err := Open(t.Context(), place, l.options())
			if err != nil {
				t.Fatal(err)
			}
			if manifestsKnown {
				for _, err := range reader.Files(t.Context()) {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := prune(t, l.created(t, place), l.frames, 2); err != nil {
				t.Fatal(err)
			}
			for _, err := range reader.Located(t.Context(), 1) {
				if !errors.Is(err, events.ErrOutOfRange) || errors.Is(err, events.ErrCorrupt) {
					t.Errorf("pruned: %v", err)
				}
				break
			}
			last := reader.have.Load().files[2]
			delete(place, last.manifest())
			delete(place, last.data())
			for _, err := range reader.Located(t.Context(), last.first) {
				damageOf(t, err)
				break
			}
		})
	}
}

// A store whose epoch was given up prunes nothing.
func TestPruneOfAnEarlierEpoch(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 14, 120, 8_000)
	place := memory{}
	old := l.created(t, place)
	mustMove(t, l, old, 3)
	if _, err := Create(t.Context(), place, 2, l.options()); err != nil {
		t.Fatal(err)
	}
	files := len(place)
	if err := prune(t, old, l.frames, 2); !errors.Is(err, events.ErrConflict) {
		t.Errorf("prune: %v, want ErrConflict", err)
	}
	if a := l.joined(old); a.First() != 1 || len(place) != files+1 { // and the base
		t.Errorf("first %d, %d files, before %d", a.First(), len(place), files)
	}
}
