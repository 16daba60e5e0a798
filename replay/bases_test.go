package replay_test

import (
	"context"
	"testing"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/archive"
	"github.com/metalog/metalog/replay"
)

// Where a snapshot and the log are enough, nobody waits for an archive that was not
// reached yet.
func TestNearestWithoutArchive(t *testing.T) {
	s := openSmall(t)
	addTopics(s, "a", 10)
	snap, err := s.CreateSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	bases := replay.Bases{Snapshots: snapshotsOf(s.Options.Path), Archive: archive.NewOpener(func(context.Context) (*archive.Archive, error) {
		tries++
		return nil, events.Errorf(events.CodeUnavailable, "not there")
	})}
	nearest := func(seq uint64) (uint64, bool) {
		t.Helper()
		base, found, err := bases.Nearest(t.Context(), s.Log(), seq)
		if err != nil {
			t.Fatal(err)
		}
		return base.Seq, found
	}
	if seq, found := nearest(snap.Seq); !found || seq != snap.Seq || tries != 0 {
		t.Errorf("base %d, %v, after %d tries to reach the archive; want %d and none", seq, found, tries, snap.Seq)
	}
	if seq, found := nearest(snap.Seq - 1); found || tries != 1 {
		t.Errorf("before the snapshot: base %d, %v, after %d tries", seq, found, tries)
	}
}
