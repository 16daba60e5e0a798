package linear

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

const clients = 6

// kills is how often the server is killed.
func kills() int {
	switch {
	case *killsFlag > 0:
		return *killsFlag
	case os.Getenv("METALOG_LONG") != "":
		return 100
	}
	return 4
}

// killEvery is how many operations clients do between two kills, about.
const killEvery = 60 * clients

// checkLimit is for what porcupine may need in the worst case; it decides
// nothing, for a check that is not done by then fails the test.
const checkLimit = 5 * time.Minute

func TestLinearizable(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false)
	c.run(kills())
	c.stop()
	t.Logf("%d operations, %d of them of unknown outcome, %d kills", len(c.history), c.unknown(), kills())
	c.check(porcupine.Ok)
	storetest.Verify(t, metalog.Options{Path: c.dir, MinFreeBytes: -1})
}

// A server that reads stale must be found out: else the test above shows
// nothing.
func TestStaleReadsAreFound(t *testing.T) {
	t.Parallel()
	c := newCluster(t, true)
	c.run(0)
	c.stop()
	c.check(porcupine.Illegal)
}

// run has clients work, and kills the server so many times meanwhile.
func (c *cluster) run(kills int) {
	c.t.Helper()
	for _, key := range keys {
		(&client{cluster: c}).read(key) // where each key's history begins
	}
	seed := rand.Uint64()
	c.t.Logf("seed %d", seed)
	var work sync.WaitGroup
	for id := range clients {
		one := &client{cluster: c, id: id, r: rand.New(rand.NewPCG(seed, uint64(id)))}
		work.Go(func() { one.work((kills + 1) * killEvery / clients) })
	}
	r := rand.New(rand.NewPCG(seed, clients))
	for n := range kills {
		c.waitFor(n*killEvery + r.IntN(killEvery))
		c.kill()
	}
	work.Wait()
}

// check has porcupine say whether the history can be explained.
func (c *cluster) check(want porcupine.CheckResult) {
	c.t.Helper()
	got, info := porcupine.CheckOperationsVerbose(model, c.history, checkLimit)
	if got == want {
		return
	}
	c.t.Errorf("the history is %s, want %s", got, want)
	path := filepath.Join(os.TempDir(), "metalog-linear.html")
	c.t.Logf("a picture of the history is in %s (%v)", path, porcupine.VisualizePath(model, info, path))
}

func (c *cluster) unknown() (n int) {
	for _, op := range c.history {
		if op.Output.(output).unknown {
			n++
		}
	}
	return n
}
