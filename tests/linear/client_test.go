package linear

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// errDied answers requests that were under way when the server died.
var errDied = errors.New("the server died")

// process is one life of the server.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	dead chan struct{} // closed once it is dead, and its last answer is delivered

	mu      sync.Mutex
	last    uint64                // request id; guarded by mu
	waiting map[uint64]chan reply // guarded by mu
}

func startServer(t *testing.T, dir string, stale bool) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), serverVariable+"="+dir)
	if stale {
		cmd.Env = append(cmd.Env, staleVariable+"=1")
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, in: in, dead: make(chan struct{}), waiting: map[uint64]chan reply{}}
	go p.deliver(out)
	return p
}

// deliver gives answers to those who wait, until the server is dead.
func (p *process) deliver(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var answer reply
		if err := json.Unmarshal(lines.Bytes(), &answer); err != nil {
			break // a kill has left part of a line
		}
		p.mu.Lock()
		to := p.waiting[answer.ID]
		p.mu.Unlock()
		to <- answer
	}
	_ = p.cmd.Wait() // how it ended is the nemesis's business
	close(p.dead)
}

// do asks the server, and waits for its answer or its death.
func (p *process) do(req request) (reply, error) {
	to := make(chan reply, 1)
	if err := p.send(req, to); err != nil {
		<-p.dead
		return reply{}, errDied
	}
	select {
	case answer := <-to:
		return answer, nil
	case <-p.dead:
	}
	select {
	case answer := <-to: // the last thing that it said
		return answer, nil
	default:
		return reply{}, errDied
	}
}

func (p *process) send(req request, to chan reply) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	req.ID = p.last
	p.waiting[req.ID] = to
	line, err := json.Marshal(req)
	if err != nil {
		return err
	}
	_, err = p.in.Write(append(line, '\n'))
	return err
}

// cluster is the server through its lives, and what its clients saw.
type cluster struct {
	t     *testing.T
	dir   string
	stale bool
	begin time.Time

	mu      sync.Mutex
	changed *sync.Cond            // on mu: server or ops has changed
	server  *process              // guarded by mu
	history []porcupine.Operation // guarded by mu
	ops     int                   // operations answered, those that failed too; guarded by mu
}

func newCluster(t *testing.T, stale bool) *cluster {
	c := &cluster{t: t, dir: t.TempDir(), stale: stale, begin: time.Now()}
	c.changed = sync.NewCond(&c.mu)
	c.server = startServer(t, c.dir, stale)
	return c
}

func (c *cluster) current() *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server
}

// kill kills the server and starts it again. Clients find the new one once the
// old one is dead.
func (c *cluster) kill() {
	c.t.Helper()
	old := c.current()
	_ = old.cmd.Process.Kill()
	<-old.dead
	next := startServer(c.t, c.dir, c.stale)
	c.mu.Lock()
	c.server = next
	c.mu.Unlock()
	c.changed.Broadcast()
}

// after waits for the server that comes after one that died.
func (c *cluster) after(died *process) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.server == died {
		c.changed.Wait()
	}
	return c.server
}

// stop ends the server, which closes its store.
func (c *cluster) stop() {
	c.t.Helper()
	p := c.current()
	if err := p.in.Close(); err != nil {
		c.t.Error(err)
	}
	<-p.dead
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		c.t.Errorf("the server ended with exit code %d", code)
	}
}

// waitFor waits until so many operations are answered.
func (c *cluster) waitFor(operations int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.ops < operations {
		c.changed.Wait()
	}
}

func (c *cluster) now() int64 { return int64(time.Since(c.begin)) }

// client gives requests one after the other.
type client struct {
	*cluster
	id     int
	r      *rand.Rand
	writes int
}

// work reads a key and writes it on condition of what was read, or does one of
// both alone.
func (c *client) work(operations int) {
	revisions := map[string]uint64{}
	for range operations {
		key := keys[c.r.IntN(len(keys))]
		revision, known := revisions[key]
		if !known || c.r.IntN(2) == 0 {
			revisions[key] = c.read(key)
			continue
		}
		if made := c.write(key, revision); made > 0 {
			revisions[key] = made
		} else {
			delete(revisions, key)
		}
	}
}

// read reads a key until a server answers, and gives its revision. A read that a
// kill ended tells nothing.
func (c *client) read(key string) uint64 {
	for server := c.current(); ; server = c.after(server) {
		call := c.now()
		if answer, err := server.do(request{Key: key}); err == nil {
			return c.record(input{key: key}, answer, call)
		}
	}
}

// write writes a key once. When a kill leaves it without an answer it is given
// again under its command id, or left as unknown: as chance has it. It gives the
// revision that it made; 0: none that it knows.
func (c *client) write(key string, revision uint64) uint64 {
	c.writes++
	req := request{Key: key, Revision: revision, Value: fmt.Sprintf("%d-%d", c.id, c.writes)}
	req.CommandID = req.Value
	in := input{key: key, value: req.Value, revision: revision}
	call := c.now()
	for server := c.current(); ; server = c.after(server) {
		answer, err := server.do(req)
		switch {
		case err == nil:
			return c.record(in, answer, call)
		case c.r.IntN(2) == 0:
			c.add(porcupine.Operation{ClientId: c.id, Input: in, Output: output{unknown: true}, Call: call, Return: c.now()})
			return 0
		}
	}
}

// record takes an answer to the history.
func (c *client) record(in input, answer reply, call int64) uint64 {
	out, ok := outputOf(answer)
	if !ok {
		c.t.Errorf("%+v: %s: %s", in, answer.Code, answer.Error)
		c.add()
		return 0
	}
	c.add(porcupine.Operation{ClientId: c.id, Input: in, Output: out, Call: call, Return: c.now()})
	return out.revision
}

// add counts an operation, and adds it to the history if it has a place there.
func (c *cluster) add(operation ...porcupine.Operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = append(c.history, operation...)
	c.ops++
	c.changed.Broadcast()
}
