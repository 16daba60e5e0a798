package examples

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/metalog/metalog/events"
)

// program is an example, ready to be started: a command without its flags.
type program []string

// programs are the examples by their language. One that this machine can't run
// skips its test, with the reason.
var programs = map[string]func(*testing.T) program{"go": buildGo, "javascript": installJavaScript}

func buildGo(t *testing.T) program {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "subscriber")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "../../docs/examples/go-nats").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return program{bin}
}

// hung is how long no program of these tests takes.
const hung = time.Minute

// process is a running example.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	lines  *bufio.Scanner
	at     events.Position // that it reported last
	stderr complaints
}

// complaints are what a process has written to its standard error.
type complaints struct {
	mu      sync.Mutex
	text    bytes.Buffer  // guarded by mu
	written chan struct{} // has room for one: there is more
}

func (c *complaints) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case c.written <- struct{}{}:
	default:
	}
	return c.text.Write(data)
}

func (c *complaints) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// awaitComplaint returns when the program has said what on its standard error.
func (r *process) awaitComplaint(what string) {
	r.t.Helper()
	for timeout := time.After(hung); !strings.Contains(r.stderr.String(), what); {
		select {
		case <-r.stderr.written:
		case <-timeout:
			r.t.Fatalf("the program does not say %q:\n%s", what, r.stderr.String())
		}
	}
}

func (p program) start(t *testing.T, args ...string) *process {
	t.Helper()
	run := &process{t: t, cmd: exec.Command(p[0], append(p[1:len(p):len(p)], args...)...)}
	run.stderr.written = make(chan struct{}, 1)
	run.cmd.Stderr = &run.stderr
	out, err := run.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	run.lines = bufio.NewScanner(out)
	if err := run.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(hung, func() { run.cmd.Process.Kill() }) // so that the test ends, and tells what the program said
	t.Cleanup(func() { watchdog.Stop(); run.cmd.Process.Kill(); run.cmd.Wait() })
	return run
}

// awaitSeq returns when the program has reported a place beyond seq.
func (r *process) awaitSeq(seq uint64) {
	r.t.Helper()
	for r.at.Seq <= seq {
		if !r.lines.Scan() {
			r.end()
			r.t.Fatalf("the program ended before seq %d:\n%s", seq, r.stderr.String())
		}
		if _, err := fmt.Sscanf(r.lines.Text(), "%d.%d", &r.at.Seq, &r.at.Index); err != nil {
			r.t.Fatalf("the program says %q: %v", r.lines.Text(), err)
		}
	}
}

// end waits for the program's end.
func (r *process) end() error {
	for r.lines.Scan() {
	}
	return r.cmd.Wait()
}

func (r *process) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatalf("%v: %v", s, err)
	}
}

// interrupt ends the program as a user would.
func (r *process) interrupt() {
	r.t.Helper()
	r.signal(syscall.SIGTERM)
	if err := r.end(); err != nil {
		r.t.Errorf("after SIGTERM: %v\n%s", err, r.stderr.String())
	}
}

// place is an example's checkpoint.
type place struct {
	LogID string          `json:"log_id"`
	Epoch uint64          `json:"epoch"`
	Next  events.Position `json:"next"`
	Last  struct {
		Seq  uint64 `json:"seq"`
		Hash string `json:"hash"`
	} `json:"last"`
}

// tally is what an example keeps.
type tally struct {
	Checkpoint place          `json:"checkpoint"`
	Events     int            `json:"events"`
	Types      map[string]int `json:"types"`
	Digest     string         `json:"digest"`
}

func readTally(t *testing.T, path string) (got tally) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// tally is what an example has to come to after record last: each event once and
// in order, of those that keep holds for.
func (w *world) tally(last uint64, keep func(events.EventView) bool) tally {
	w.t.Helper()
	want := tally{Types: map[string]int{}}
	want.Checkpoint.LogID, want.Checkpoint.Epoch = w.store.MustInfo().LogID.String(), 1
	want.Checkpoint.Next = events.Position{Seq: last + 1}
	for rec, err := range w.store.Log().Records(w.t.Context(), 1) {
		if err != nil {
			w.t.Fatal(err)
		}
		if rec.Seq > last {
			break
		}
		want.Checkpoint.Last.Seq, want.Checkpoint.Last.Hash = rec.Seq, rec.Hash.String()
		for i := range rec.Facts {
			if v := rec.View(i); keep(v) {
				want.Events++
				want.Types[v.Type]++
				sum := sha256.Sum256(fmt.Appendf(nil, "%s %d.%d %s %s", want.Digest, v.Seq, v.Index, v.Type, v.Entity))
				want.Digest = hex.EncodeToString(sum[:])
			}
		}
	}
	return want
}

func everything(events.EventView) bool { return true }

func onlyCommits(v events.EventView) bool { return v.Type == events.TypeOffsetCommitted.String() }

// checkTally compares what an example keeps with the log. It has to be at seq or,
// if a digest was logged meanwhile, beyond it.
func (w *world) checkTally(path string, seq uint64, keep func(events.EventView) bool) {
	w.t.Helper()
	got := readTally(w.t, path)
	want := w.tally(max(seq, got.Checkpoint.Next.Seq-1), keep)
	if g, e := asJSON(w.t, got), asJSON(w.t, want); g != e {
		w.t.Errorf("the program has kept\n%s\nthe log comes to\n%s", g, e)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// flags are those that all examples have.
func flags(server *testServer, cluster, state, filter string) []string {
	return []string{"--server=" + server.ClientURL(), "--cluster=" + cluster, "--state=" + state, "--filter=" + filter}
}

// refuses runs a program that has to stop by itself, saying want.
func (p program) refuses(t *testing.T, want string, args ...string) {
	t.Helper()
	run := p.start(t, args...)
	if err := run.end(); err == nil || !strings.Contains(run.stderr.String(), want) {
		t.Errorf("ended with %v, want one that says %q:\n%s", err, want, run.stderr.String())
	}
}
