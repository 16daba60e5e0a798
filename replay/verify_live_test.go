package replay_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
)

// TestVerifyHeld: a directory that a store has open.
func TestVerifyHeld(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, func(o *metalog.Options) { o.Holder, o.DigestEvery = "pid 17", 5 })
	for i := range 12 {
		s.Must(metalog.CreateTopic{Name: fmt.Sprintf("topic-%d", i), Partitions: 1, ReplicationFactor: 1})
	}
	if _, err := s.CreateSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := s.Options.Path
	r := verify(t, dir, replay.VerifyOptions{Deep: true})
	if !r.OK || r.HeldBy != "pid 17" || r.Views != nil || r.Snapshots != 1 || r.Head != s.Log().Head() || !r.Deep || len(r.NotChecked) != 1 {
		t.Errorf("report %+v", r)
	}

	frames := scan(t, dir)
	path := filepath.Join(dir, "log", frames[0].Segment)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, append(whole[:len(whole):len(whole)], frames[0].Bytes[:30]...))
	if r := verify(t, dir, replay.VerifyOptions{}); !r.OK || len(r.NotChecked) != 2 || r.Head != s.Log().Head() {
		t.Errorf("with a write under way: %+v", r)
	}
	flipped := []byte(string(whole))
	flipped[frames[2].Offset+30] ^= 1
	write(t, path, flipped)
	wantFinding(t, verify(t, dir, replay.VerifyOptions{}), replay.FindingDamage, "seq 3")
	live, err := s.Verify(t.Context(), replay.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantFinding(t, live, replay.FindingDamage, "seq 3")
	write(t, path, whole)
}

// TestVerifyOpen: a store checks itself while it works.
func TestVerifyOpen(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t, func(o *metalog.Options) { o.DigestEvery = 5 })
	for i := range 12 {
		s.Must(metalog.CreateTopic{Name: fmt.Sprintf("topic-%d", i), Partitions: 1, ReplicationFactor: 1})
	}
	head := s.Log().Head()
	r, err := s.Verify(t.Context(), replay.VerifyOptions{Deep: true, Expect: []events.Head{head}})
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Head != head || r.Views == nil || r.Views.Digest != s.MustInfo().Digest || !r.Deep {
		t.Errorf("report %+v", r)
	}
	head.Hash[0] ^= 1
	if r, err = s.Verify(t.Context(), replay.VerifyOptions{Expect: []events.Head{head}}); err != nil {
		t.Fatal(err)
	}
	wantFinding(t, r, replay.FindingHead, "the head that was noted")
}
