package crash

import (
	"math/rand/v2"
	"testing"
)

const (
	workers = 24 // of a child

	// A directory is given up after so many crashes: each check reads it whole.
	crashesPerDir = 8
)

// TestKill kills a child under load, again and again, while it opens the store
// too.
//
//	go test ./tests/crash -run TestKill
//	METALOG_LONG=1 go test ./tests/crash -run TestKill -timeout 1h -v
func TestKill(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	total := map[kind]int{}
	var s *subject
	var archived uint64
	for round := range rounds(5, 240) {
		if round%crashesPerDir == 0 {
			s = newSubject(t.TempDir(), seed+uint64(round))
		}
		s.run(t, s.child(workers), killAfter(killMoment(r, round)))
		s.addCounts(total)
		s.check(t)
		archived = max(archived, s.first-1)
	}
	t.Logf("reports: %v; %d records went to an archive at most", total, archived)
	if archived == 0 {
		t.Error("nothing went to an archive")
	}
	for _, k := range []kind{done, refused, shown} {
		if total[k] == 0 {
			t.Errorf("no report %s: the load does not do what it should", k)
		}
	}
}

// killMoment is after how many commands to kill in a round: while the store is
// opened, early, or once flushes, rolls and purges go on.
func killMoment(r *rand.Rand, round int) int {
	switch round % 5 {
	case 2:
		return 0
	case 4:
		return 1 + r.IntN(50)
	}
	return 1 + r.IntN(1500)
}
