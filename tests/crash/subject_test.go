package crash

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/storetest"
)

// subject is a data directory that is crashed again and again, with all that its
// children reported.
type subject struct {
	dir     string
	seed    uint64
	next    int // number that the next child's workers begin with
	history *history

	minFreeBytes int64
	archive      string // beside dir; empty: none
	first        uint64 // seq that the log began with when it was checked
}

func newSubject(dir string, seed uint64) *subject {
	return &subject{dir: dir, seed: seed, history: newHistory(), minFreeBytes: -1, archive: dir + ".archive"}
}

// numbersPerChild is more than a worker gets to before it is killed.
const numbersPerChild = 1_000_000

// child prepares the config of the next child.
func (s *subject) child(workers int) childConfig {
	s.next += numbersPerChild
	return childConfig{Dir: s.dir, Seed: s.seed, Workers: workers, From: s.next, MinFreeBytes: s.minFreeBytes, Archive: s.archive}
}

// patience is for a child that should come to its end, and for each record that
// it has to fill a log with; it decides no test but that of a child which hangs.
const (
	patience          = 2 * time.Minute
	patiencePerRecord = time.Millisecond
)

// run runs a child and takes its reports until it has ended. Each report is
// shown to watch first, with the child's process, which watch may kill. It gives
// the child's exit status; -1 for one that was killed.
func (s *subject) run(t *testing.T, config childConfig, watch func(kind, *os.Process), before ...string) int {
	t.Helper()
	cmd := childCommand(t, config, before...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	parent, err := cmd.StdinPipe() // its end tells the child that we are gone
	if err != nil {
		t.Fatal(err)
	}
	defer parent.Close() //nolint:errcheck // Wait has closed it, if all went well
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.history.late = false
	clear(s.history.count)
	limit := patience + time.Duration(config.Fill)*patiencePerRecord
	hangs := time.AfterFunc(limit, func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // says where it hangs, and ends it
		time.AfterFunc(patience/10, func() { _ = cmd.Process.Kill() })
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		watch(s.history.add(lines.Text()), cmd.Process)
	}
	_ = cmd.Wait() // the exit status says what there is to say
	if !hangs.Stop() {
		s.history.problem("a child did not end within %v", limit)
	}
	return cmd.ProcessState.ExitCode()
}

// childCommand starts this test binary again as a child, below the command
// before, if there is one.
func childCommand(t *testing.T, config childConfig, before ...string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(before, exe)
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	return cmd
}

// killAfter gives a watch that kills the child once it has done so many
// commands; 0 kills it while it opens the store.
func killAfter(commands int) func(kind, *os.Process) {
	seen := 0
	return func(k kind, p *os.Process) {
		switch {
		case k == opening && commands == 0:
			time.AfterFunc(rand.N(15*time.Millisecond), func() { _ = p.Kill() })
		case k == done:
			if seen++; seen == commands {
				_ = p.Kill()
			}
		}
	}
}

// addCounts adds the last child's reports to total, by kind.
func (s *subject) addCounts(total map[kind]int) {
	for k, n := range s.history.count {
		total[k] += n
	}
}

// check opens the store and holds it against the history, repeats commands, and
// compares the views with a rebuild.
func (s *subject) check(t *testing.T) {
	t.Helper()
	opts := childConfig{Dir: s.dir, MinFreeBytes: s.minFreeBytes, Archive: s.archive}.options()
	store, err := metalog.Open(t.Context(), opts)
	if err != nil {
		t.Fatalf("open after the crash: %v", err)
	}
	log := &contents{seqs: map[commandID][]uint64{}}
	s.compare(t, log, store)
	s.repeat(t, store)
	s.compare(t, log, store)
	if err := store.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	storetest.Verify(t, opts)
	start, err := eventlog.ReadStart(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	s.first = start.First
	if t.Failed() {
		s.keep(t)
	}
}

// compare holds the log, of which some may be read already, against the history.
func (s *subject) compare(t *testing.T, log *contents, store *metalog.Store) {
	t.Helper()
	if err := log.read(t.Context(), store.Log()); err != nil {
		t.Fatalf("read the log: %v", err)
	}
	for _, problem := range s.history.check(*log) {
		t.Error(problem)
	}
	s.history.problems = nil
}

// Of the commands that were answered, one in so many is repeated.
const repeatOneIn = 20

// repeat gives commands again under their ids: those without an answer, and some
// of the others. What they are told goes to the history.
func (s *subject) repeat(t *testing.T, store *metalog.Store) {
	t.Helper()
	for i, id := range s.history.ids() {
		if o := s.history.commands[id]; o.kind == done && i%repeatOneIn != 0 || o.kind == refused || o.kind == unchanged {
			continue
		}
		result, err := store.Execute(t.Context(), command(s.seed, id), optionsOf(id))
		s.history.answer(id, outcome{outcomeOf(result, err), result.Seq})
	}
}

// keep copies a directory that failed to where the test's end does not reach.
func (s *subject) keep(t *testing.T) {
	t.Helper()
	kept, err := os.MkdirTemp("", "metalog-crash-")
	if err == nil {
		err = os.CopyFS(filepath.Join(kept, "data"), os.DirFS(s.dir))
	}
	if _, none := os.Stat(s.archive); err == nil && none == nil {
		err = os.CopyFS(filepath.Join(kept, "data.archive"), os.DirFS(s.archive))
	}
	t.Logf("the data directory is kept in %s (%v)", kept, err)
	t.FailNow()
}
