package bench

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/benchlog"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/replay"
)

// asOfShape is a log with snapshots as far apart as a store takes them.
var asOfShape = benchlog.Shape{Offsets: 10, SnapshotEvents: 500_000}

// BenchmarkAsOf reads a topic as it was: cold, at a seq that nobody asked for before,
// and warm, at one that somebody did. The slowest is told too.
func BenchmarkAsOf(b *testing.B) {
	dir := benchlog.Dir(b, asOfShape)
	log := openLog(b, dir)
	open := func(b *testing.B, path string) *replay.AsOf {
		b.Helper()
		cache, err := replay.OpenAsOf(replay.AsOfOptions{
			Dir: path, Log: log, Bases: replay.Bases{Snapshots: replay.Snapshots{Dir: filepath.Join(dir, replay.SnapshotsDir)}},
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := cache.Close(); err != nil {
				b.Error(err)
			}
		})
		return cache
	}
	random := rand.New(rand.NewPCG(1, 2))
	seq := func() uint64 { return 1 + random.Uint64N(log.Head().Seq) }

	b.Run("cold", func(b *testing.B) {
		peak, slowest := watchMemory(b), newSlowest()
		for b.Loop() {
			b.StopTimer()
			cache, at := open(b, b.TempDir()), seq()
			b.StartTimer()
			slowest.time(func() { readAt(b, cache, at) })
		}
		b.ReportMetric(slowest.ms(), "max-ms")
		b.ReportMetric(peak(), "peak-MB")
	})
	b.Run("cold, two at a time", func(b *testing.B) {
		peak := watchMemory(b)
		for b.Loop() {
			b.StopTimer()
			cache, one, other := open(b, b.TempDir()), seq(), seq()
			b.StartTimer()
			var reading sync.WaitGroup
			reading.Go(func() { readAt(b, cache, one) })
			reading.Go(func() { readAt(b, cache, other) })
			reading.Wait()
		}
		b.ReportMetric(peak(), "peak-MB")
	})
	b.Run("warm", func(b *testing.B) {
		cache, at := open(b, b.TempDir()), seq()
		readAt(b, cache, at)
		slowest := newSlowest()
		for b.Loop() {
			slowest.time(func() { readAt(b, cache, at) })
		}
		b.ReportMetric(slowest.ms(), "max-ms")
	})
	// Warm is also the first read of a program that begins with the files of another.
	b.Run("reopened", func(b *testing.B) {
		kept, at := b.TempDir(), seq()
		first := open(b, kept)
		readAt(b, first, at)
		if err := first.Close(); err != nil {
			b.Fatal(err)
		}
		slowest := newSlowest()
		for b.Loop() {
			slowest.time(func() { readAt(b, open(b, kept), at) })
		}
		b.ReportMetric(slowest.ms(), "max-ms")
	})
	b.Run("time", func(b *testing.B) {
		slowest := newSlowest()
		for b.Loop() {
			b.StopTimer()
			point := replay.Point{Time: timeOf(b, log, seq())}
			b.StartTimer()
			slowest.time(func() {
				if _, err := replay.Resolve(b.Context(), log, point); err != nil {
					b.Fatal(err)
				}
			})
		}
		b.ReportMetric(slowest.ms(), "max-ms")
	})
}

// readAt reads a topic as it was.
func readAt(b *testing.B, cache *replay.AsOf, seq uint64) {
	b.Helper()
	state, err := cache.At(b.Context(), seq)
	if err != nil {
		b.Error(err)
		return
	}
	_, err = metalog.Collect(metalog.ReadViews(state.DB(), metalog.ViewsOptions{}).ListTopics(b.Context()))
	if err := errors.Join(err, state.Close()); err != nil {
		b.Error(err)
	}
}

// slowest notes the longest of some runs.
type slowest struct{ longest time.Duration }

func newSlowest() *slowest { return &slowest{} }

func (s *slowest) time(run func()) {
	began := time.Now()
	run()
	s.longest = max(s.longest, time.Since(began))
}

func (s *slowest) ms() float64 { return float64(s.longest.Microseconds()) / 1000 }

func timeOf(b *testing.B, log *eventlog.File, seq uint64) events.Time {
	b.Helper()
	for frame, err := range log.Frames(b.Context(), seq) {
		if err != nil {
			b.Fatal(err)
		}
		return frame.Time
	}
	b.Fatal("no record")
	return 0
}
