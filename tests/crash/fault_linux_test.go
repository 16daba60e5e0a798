package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// commandsPerWorker ends a child's work when no fault has.
const commandsPerWorker = 150

// TestFailingSyscalls lets the syscalls fail with which a child writes and
// syncs: EIO for a while or for good, at a random moment, in opening too.
//
//	go test ./tests/crash -run TestFailingSyscalls
//	METALOG_LONG=1 go test ./tests/crash -run TestFailingSyscalls -timeout 1h -v
func TestFailingSyscalls(t *testing.T) {
	needStrace(t)
	seed := newSeed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	stopped := 0
	for round := range rounds(3, 80) {
		fault := faults[round%len(faults)]
		s := newSubject(t.TempDir(), seed+uint64(round))
		s.run(t, s.child(workers), killAfter(300)) // so that opening has something to do
		inject := fault.inject(r)
		status := s.run(t, s.limited(), ignore, strace(inject)...)
		count := s.history.count
		t.Logf("%s: exit %d, %v", inject, status, count)
		if count[unavailable] > 0 || status != 0 {
			stopped++
		}
		// The log alone uses fsync while the store works, and what it could not sync
		// was written.
		if fault.syscall == "fsync" && count[unavailable] > 0 && count[unknown] == 0 {
			t.Error("a sync failed, and nobody was told that the outcome is unknown")
		}
		s.check(t)
	}
	if stopped == 0 {
		t.Error("no fault has stopped any child: the faults don't arrive")
	}
}

// limited is a child that ends by itself.
func (s *subject) limited() childConfig {
	config := s.child(workers)
	config.Limit = commandsPerWorker
	return config
}

func ignore(kind, *os.Process) {}

// fault is a syscall that fails from a random one on, counted by thread.
type fault struct {
	syscall string
	errno   string
	within  int  // the first fails among so many
	forGood bool // the later ones fail too
}

// wal writes with write and syncs with fsync; bbolt with pwrite64 and fdatasync.
var faults = []fault{
	{"fsync", "EIO", 30, false},
	{"fdatasync", "EIO", 20, false},
	{"pwrite64", "EIO", 30, false},
	{"fsync", "EIO", 30, true},
	{"fdatasync", "ENOSPC", 20, true},
	{"pwrite64", "ENOSPC", 30, true},
	{"renameat", "EIO", 2, false},
	{"unlinkat", "EIO", 2, false},
	{"write", "EIO", 200, false},
	{"write", "ENOSPC", 200, false},
}

func (f fault) inject(r *rand.Rand) string {
	s := fmt.Sprintf("inject=%s:error=%s:when=%d", f.syscall, f.errno, 1+r.IntN(f.within))
	if f.forGood {
		s += "+"
	}
	return s
}

func strace(inject string) []string {
	return []string{"strace", "-f", "-qq", "-o", os.DevNull, "-e", inject}
}

// needStrace skips the test where strace or what it needs of the kernel is not
// there.
func needStrace(t *testing.T) {
	t.Helper()
	needPrograms(t, "strace")
	args := append(strace("inject=getppid:error=EIO"), "true")
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: strace does not work here (ptrace may be forbidden): %v: %s", err, out)
	}
}

// TestFullDisk fills the disk under a child, with and without a reserve.
//
//	sudo go test ./tests/crash -run TestFullDisk
func TestFullDisk(t *testing.T) {
	for _, test := range []struct {
		name    string
		room    int64
		reserve int64
		never   kind // an outcome that must not be
	}{
		// The store looks before it writes, so nobody is left in doubt.
		{"with a reserve", 14 << 20, 4 << 20, unknown},
		{"without a reserve", 3 << 20, -1, failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := mountTmpfs(t)
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, tmpfsBytes-test.room), 0o600); err != nil {
				t.Fatal(err)
			}
			s := newSubject(filepath.Join(dir, "data"), newSeed(t))
			s.minFreeBytes, s.archive = test.reserve, "" // nothing makes room
			status := s.run(t, s.child(workers), ignore)
			count := s.history.count
			t.Logf("exit %d, %v", status, count)
			if status != 0 || count[ended] != 1 || count[shown] == 0 {
				t.Errorf("the child did not come to its end, with reads: exit %d", status)
			}
			if count[unavailable] == 0 || count[test.never] > 0 {
				t.Errorf("refused as unavailable: %d; %s: %d", count[unavailable], test.never, count[test.never])
			}
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			s.check(t)
		})
	}
}

const tmpfsBytes = 96 << 20

// mountTmpfs mounts a small file system of memory for the test.
func mountTmpfs(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: a full disk needs root, to mount a small tmpfs")
	}
	needPrograms(t, "mount", "umount")
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", tmpfsBytes), "metalog-test", dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: a tmpfs can't be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// TestReserve refuses writes while the reserve is touched, and takes them again
// when there is room: that needs no reopening.
func TestReserve(t *testing.T) {
	dir := mountTmpfs(t)
	opts := childConfig{Dir: filepath.Join(dir, "data"), MinFreeBytes: 16 << 20}.options()
	store, err := metalog.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close() //nolint:errcheck // the test is over then
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, tmpfsBytes-16<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	topic := metalog.CreateTopic{Name: "t", Partitions: 1, ReplicationFactor: 1}
	if _, err := store.CreateTopic(t.Context(), topic); outcomeOf(metalog.Result{}, err) != unavailable {
		t.Errorf("create with the reserve touched: %v, want ErrUnavailable", err)
	}
	if topics, err := metalog.Collect(store.ListTopics(t.Context())); err != nil || len(topics) != 0 {
		t.Errorf("list: %v, %v", topics, err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if _, err := store.CreateTopic(t.Context(), topic); err != nil {
		t.Errorf("create with room again: %v", err)
	}
	topics, err := metalog.Collect(store.ListTopics(t.Context()))
	if err != nil || !slices.ContainsFunc(topics, func(x events.Topic) bool { return x.Name == "t" }) {
		t.Errorf("list: %v, %v", topics, err)
	}
}
