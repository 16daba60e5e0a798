package bench

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/benchlog"
	"github.com/metalog/metalog/internal/history"
	"github.com/metalog/metalog/replay"
)

// BenchmarkHistory asks for the past of entities in a long log whose index is current:
// what a query takes at the median, in a process that has the store open.
func BenchmarkHistory(b *testing.B) {
	h := indexedLog(b)
	queries := map[string]metalog.HistoryQuery{
		"topic":                  {Entity: "topic/" + benchlog.Topic(7), NoHighRate: true},
		"deleted-topic":          {Entity: "topic/" + benchlog.ShortLivedTopic(100)},
		"deleted-topic-reversed": {Entity: "topic/" + benchlog.ShortLivedTopic(100), NewestFirst: true},
		"watermarks-last-20":     {Entity: "topic/" + benchlog.Topic(7), NewestFirst: true, Limit: 20},
		"offset-last-20":         {Entity: "group/" + benchlog.Group(3) + "/offset/" + benchlog.Topic(3) + "/7", NewestFirst: true, Limit: 20},
		"cluster":                {Entity: "cluster"},
	}
	for name, query := range queries {
		b.Run(name, func(b *testing.B) {
			measureHistory(b, h, query)
		})
	}
}

// BenchmarkHistoryOfAll reads all that a topic has had, watermarks too, which takes
// looking through the log.
func BenchmarkHistoryOfAll(b *testing.B) {
	measureHistory(b, indexedLog(b), metalog.HistoryQuery{Entity: "topic/" + benchlog.Topic(7), NewestFirst: true})
}

func measureHistory(b *testing.B, h replay.Historian, query metalog.HistoryQuery) {
	peak := watchMemory(b)
	var found int
	medianOf(b, func() {
		found = 0
		for _, err := range h.History(b.Context(), query) {
			if err != nil {
				b.Fatal(err)
			}
			found++
		}
	})
	b.ReportMetric(float64(found), "events")
	b.ReportMetric(peak(), "peak-MB")
}

// BenchmarkBlame blames entities in a long log.
func BenchmarkBlame(b *testing.B) {
	h := indexedLog(b)
	for name, entity := range map[string]string{
		"topic":     "topic/" + benchlog.Topic(7),
		"partition": "topic/" + benchlog.Topic(7) + "/partition/3",
		"offset":    "group/" + benchlog.Group(3) + "/offset/" + benchlog.Topic(3) + "/7",
	} {
		b.Run(name, func(b *testing.B) {
			medianOf(b, func() {
				if _, err := h.Blame(b.Context(), entity, metalog.Point{}); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkHistoryIndex makes the index of a long log.
func BenchmarkHistoryIndex(b *testing.B) {
	dir := benchlog.Dir(b, benchlog.Shape{})
	log := openLog(b, dir)
	peak := watchMemory(b)
	var bytes int64
	for b.Loop() {
		path := filepath.Join(b.TempDir(), replay.HistoryFile)
		index, err := history.Open(b.Context(), history.Options{Path: path, Log: log})
		if err != nil {
			b.Fatal(err)
		}
		if err := index.CatchUp(b.Context(), log.Head().Seq); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		bytes = info.Size()
		if err := index.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*float64(log.Head().Seq)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(bytes)/1e6, "index-MB")
	b.ReportMetric(peak(), "peak-MB")
}

// indexedLog opens a long log with an index that is current.
func indexedLog(b *testing.B) replay.Historian {
	b.Helper()
	log := openLog(b, benchlog.Dir(b, benchlog.Shape{}))
	index, err := history.Open(b.Context(), history.Options{Path: filepath.Join(b.TempDir(), replay.HistoryFile), Log: log})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := index.Close(); err != nil {
			b.Error(err)
		}
	})
	h := replay.Historian{Log: log, Index: index}
	if err := h.CatchUp(b.Context(), log.Head().Seq); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	return h
}

// medianOf runs a query again and again, and reports the median time.
func medianOf(b *testing.B, query func()) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		query()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCommitsWhileIndexing commits offsets as fast as it goes, without the index
// of history and with one that is kept current in the background.
func BenchmarkCommitsWhileIndexing(b *testing.B) {
	for name, index := range map[string]bool{"without": false, "with": true} {
		b.Run(name, func(b *testing.B) {
			store, err := metalog.Open(b.Context(), metalog.Options{Path: b.TempDir(), SnapshotEvery: -1, IndexHistory: index})
			if err != nil {
				b.Fatal(err)
			}
			p := &platform{b: b, store: store}
			p.must(metalog.CreateTopic{Name: "orders", Partitions: 50, ReplicationFactor: 1})
			for g := range groups {
				p.must(metalog.CreateGroup{ID: groupID(g)})
			}
			b.ResetTimer()
			p.commitAll(b.N, 1)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			b.ReportMetric(0, "ns/op")
			b.StopTimer()
			if err := store.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
