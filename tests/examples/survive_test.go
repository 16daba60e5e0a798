package examples

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/publisher"
)

// TestProgramsCountEachEventOnce kills each example at random points while events
// are published, with the server restarted, the stream lost and the stream purged
// under it, and compares what it has kept with the log.
func TestProgramsCountEachEventOnce(t *testing.T) {
	for language, prepare := range programs {
		t.Run(language, func(t *testing.T) {
			p := prepare(t)
			t.Run("everything", func(t *testing.T) { t.Parallel(); survive(t, p, "", everything) })
			t.Run("filtered", func(t *testing.T) { t.Parallel(); survive(t, p, "group.*.OffsetCommitted", onlyCommits) })
		})
	}
}

const commandsPerRound = 150

func survive(t *testing.T, p program, filter string, keep func(events.EventView) bool) {
	w, state, seed := newWorld(t, publisher.JSON), filepath.Join(t.TempDir(), "state.json"), rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, disturb := range []func(){func() {}, w.restart, w.deleteStream, w.purge} {
		run := p.start(t, flags(w.server, cluster, state, filter)...)
		var load sync.WaitGroup
		from := w.store.Seq()
		load.Go(func() { w.send(commandsPerRound) })
		if rng.IntN(4) > 0 { // else it is killed while it starts
			run.awaitSeq(from + rng.Uint64N(commandsPerRound-10))
		}
		if rng.IntN(2) == 0 { // else it is killed before it sees what happens
			disturb()
			load.Wait()
			run.awaitSeq(w.store.Seq())
			from = w.store.Seq()
			load.Go(func() { w.send(commandsPerRound) })
			run.awaitSeq(from + rng.Uint64N(10))
			run.signal(syscall.SIGKILL)
		} else {
			run.signal(syscall.SIGKILL)
			disturb()
		}
		run.end()
		load.Wait()
	}
	run := p.start(t, flags(w.server, cluster, state, filter)...)
	w.send(2)
	last := w.store.Seq()
	run.awaitSeq(last)
	run.interrupt()
	w.checkTally(state, last, keep)
}

func (w *world) restart() {
	w.server.Shutdown()
	w.server.start()
}

// deleteStream deletes the stream, which the publisher makes anew. It stops for that
// time: one in forty streams that were made anew while messages for the old one were
// under way had the old one's numbers, and the server (2.15) stored nothing in it.
func (w *world) deleteStream() {
	w.t.Helper()
	w.stop()
	err := w.server.connect().DeleteStream(w.t.Context(), w.streamName())
	if err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) { // it may not be there yet
		w.t.Fatal(err)
	}
	w.publish(publisher.JSON)
}

// purge empties the stream. The publisher stops for that time, so that it fills
// it from the beginning: what is published into an emptied stream before it sees
// that is a start that is gone, which ends an example.
func (w *world) purge() {
	w.t.Helper()
	w.awaitPublished() // the stream is there, if it was just deleted too
	w.stop()
	if err := w.openStream().Purge(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.publish(publisher.JSON)
}

func (w *world) openStream() jetstream.Stream {
	w.t.Helper()
	stream, err := w.js.Stream(w.t.Context(), w.streamName())
	if err != nil {
		w.t.Fatal(err)
	}
	return stream
}
