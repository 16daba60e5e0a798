package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/benchlog"
)

// rowCounts are how many offsets a store has that is measured as it grows.
func rowCounts() []int {
	if testing.Short() {
		return []int{10_000}
	}
	return []int{10_000, 1_000_000, 10_000_000}
}

// rowsDir is the data directory of a store with so many offsets. Benchmarks commit
// these offsets again, which leaves the number of rows as it is.
func rowsDir(b *testing.B, rows int) string {
	return benchlog.Dir(b, benchlog.Shape{Rows: rows})
}

func openRows(b *testing.B, rows int, opts metalog.Options) *metalog.Store {
	b.Helper()
	return openRowsIn(b, rowsDir(b, rows), opts)
}

func openRowsIn(b *testing.B, dir string, opts metalog.Options) *metalog.Store {
	b.Helper()
	opts.Path, opts.SnapshotEvery, opts.OffsetsRetention, opts.MinFreeBytes = dir, -1, -1, -1
	s, err := metalog.Open(b.Context(), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

const (
	rowsOfGroup = 50 // offsets
	rowTopics   = 40
)

// rowNames are of all groups and topics of a store with so many offsets. They are made
// once: making one takes a tenth of the time of a read.
type rowNames struct{ groups, topics []string }

func namesFor(rows int) rowNames {
	return rowNames{namesOf(rows/rowsOfGroup, benchlog.Group), namesOf(rowTopics, benchlog.Topic)}
}

func namesOf(n int, name func(int) string) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = name(i)
	}
	return names
}

// random is a group, and the topic and one of the partitions that it has offsets in.
func (r rowNames) random(random *rand.Rand) (group, topic string, partition int32) {
	n := random.IntN(len(r.groups))
	return r.groups[n], r.topics[n%rowTopics], int32(random.IntN(rowsOfGroup))
}

// load is what clients commit: so many offsets, each in a record of its own and taken at
// random.
type load struct {
	rows, clients, commits int
	perSecond              int // commits of all clients; 0: as many as they can
}

// run commits, and tells how long each took. It ends earlier when ctx is done.
func (l load) run(ctx context.Context, b *testing.B, s *metalog.Store) (took []time.Duration) {
	names := namesFor(l.rows)
	took = make([]time.Duration, l.commits)
	var next, offset atomic.Int64
	began := time.Now()
	offset.Store(began.UnixMicro()) // above that of an earlier run
	var working sync.WaitGroup
	for client := range l.clients {
		working.Go(func() {
			random := rand.New(rand.NewPCG(uint64(began.UnixMicro()), uint64(client)))
			for n := next.Add(1); n <= int64(l.commits) && ctx.Err() == nil; n = next.Add(1) {
				group, topic, partition := names.random(random)
				cmd := metalog.CommitOffsets{Group: group, Offsets: []metalog.OffsetCommit{{Topic: topic, Partition: partition, Offset: offset.Add(1)}}}
				due := l.await(began, n)
				if _, err := s.Execute(b.Context(), cmd, metalog.CommandOptions{}); err != nil {
					b.Error(err)
					return
				}
				took[n-1] = time.Since(due)
			}
		})
	}
	working.Wait()
	return took[:min(int(next.Load()), l.commits)]
}

// await sleeps until the nth commit is due, and returns since when it is waited for: now, or
// earlier if no client was free by then. That a sleep takes longer is not the store's.
func (l load) await(began time.Time, n int64) time.Time {
	if l.perSecond == 0 {
		return time.Now()
	}
	due := began.Add(time.Duration(n) * time.Second / time.Duration(l.perSecond))
	if early := time.Until(due); early > 0 {
		time.Sleep(early)
		return time.Now()
	}
	return due
}

// flushes are options of a store that flushes as it does, and of one that does not while it is
// measured.
var flushes = []struct {
	name string
	opts metalog.Options
}{
	{"usual", metalog.Options{}},
	{"never", metalog.Options{FlushInterval: time.Hour, MaxPendingBytes: math.MaxInt64}},
}

// BenchmarkGrowthCommit is what a commit takes in a store of a size, with one client and
// with 64. anon-MB is the most anonymous memory meanwhile.
func BenchmarkGrowthCommit(b *testing.B) {
	for _, rows := range rowCounts() {
		for _, clients := range []int{1, 64} {
			for _, flush := range flushes {
				b.Run(fmt.Sprintf("rows=%d/clients=%d/flush=%s", rows, clients, flush.name), func(b *testing.B) {
					growthCommit(b, openRows(b, rows, flush.opts), load{rows, clients, b.N, 0})
				})
			}
		}
	}
}

// BenchmarkGrowthRate is what a commit takes in a store of a size, with 64 clients that commit
// so many a second.
func BenchmarkGrowthRate(b *testing.B) {
	for _, perSecond := range []int{5_000, 10_000, 20_000, 40_000} {
		for _, rows := range append(rowCounts(), 50_000, 200_000, 500_000) {
			for _, flush := range flushes {
				b.Run(fmt.Sprintf("rate=%d/rows=%d/flush=%s", perSecond, rows, flush.name), func(b *testing.B) {
					growthCommit(b, openRows(b, rows, flush.opts), load{rows, 64, b.N, perSecond})
				})
			}
		}
	}
}

func growthCommit(b *testing.B, s *metalog.Store, l load) {
	peak := watchMemory(b)
	b.ResetTimer()
	took := l.run(b.Context(), b, s)
	b.StopTimer()
	b.ReportMetric(peak(), "anon-MB")
	b.ReportMetric(quantile(took, 0.5), "p50-ms")
	b.ReportMetric(quantile(took, 0.99), "p99-ms")
	b.ReportMetric(quantile(took, 0.999), "p999-ms")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "commits/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkGrowthOpen opens a store that was closed.
func BenchmarkGrowthOpen(b *testing.B) {
	for _, rows := range rowCounts() {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			opts := metalog.Options{Path: rowsDir(b, rows), SnapshotEvery: -1, OffsetsRetention: -1, MinFreeBytes: -1}
			for b.Loop() {
				s, err := metalog.Open(b.Context(), opts)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// readRows is the size of the store that reads are measured on.
func readRows() int {
	counts := rowCounts()
	return counts[len(counts)/2]
}

// segmentsThere are what FindSegment finds: of partition 0 of the first topic, a
// thousand offsets each.
const segmentsThere = 1000

func addSegments(b *testing.B, s *metalog.Store) {
	b.Helper()
	if _, err := s.GetSegment(b.Context(), benchlog.Topic(0), "s0"); err == nil {
		return // by an earlier run
	}
	for n := range int64(segmentsThere) {
		cmd := metalog.AddSegment{Topic: benchlog.Topic(0), SegmentInfo: metalog.SegmentInfo{
			ID: fmt.Sprint("s", n), StartOffset: n * 1000, EndOffset: n*1000 + 999, Path: fmt.Sprintf("orders-00/0/%d.log", n),
		}}
		if _, err := s.AddSegment(b.Context(), cmd); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPointRead reads single entities in process, taken at random, while nobody
// or 64 clients write.
func BenchmarkPointRead(b *testing.B) {
	rows := readRows()
	names := namesFor(rows)
	reads := map[string]func(*metalog.Store, *rand.Rand) error{
		"offset": func(s *metalog.Store, random *rand.Rand) error {
			group, topic, partition := names.random(random)
			_, err := s.GetOffset(context.Background(), group, topic, partition)
			return err
		},
		"topic": func(s *metalog.Store, random *rand.Rand) error {
			_, err := s.GetTopic(context.Background(), names.topics[random.IntN(rowTopics)])
			return err
		},
		"segment": func(s *metalog.Store, random *rand.Rand) error {
			_, err := s.FindSegment(context.Background(), names.topics[0], 0, random.Int64N(segmentsThere*1000))
			return err
		},
	}
	for _, writers := range []string{"none", "64"} {
		for _, readers := range []int{1, 2} {
			for name, read := range reads {
				b.Run(fmt.Sprintf("%s/readers=%d/writers=%s", name, readers, writers), func(b *testing.B) {
					s := openRows(b, rows, metalog.Options{})
					addSegments(b, s)
					if writers != "none" {
						defer writeMeanwhile(b, s, rows)()
					} else {
						b.ReportAllocs()
					}
					b.ResetTimer()
					readAll(b, s, readers, read)
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
				})
			}
		}
	}
}

// readAll does b.N reads from so many goroutines.
func readAll(b *testing.B, s *metalog.Store, readers int, read func(*metalog.Store, *rand.Rand) error) {
	var reading sync.WaitGroup
	for reader := range readers {
		reading.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(reader)))
			for n := reader; n < b.N; n += readers {
				if err := read(s, random); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	reading.Wait()
	b.StopTimer()
}

// writeMeanwhile commits offsets until stop, which reports the writers' p99.
func writeMeanwhile(b *testing.B, s *metalog.Store, rows int) (stop func()) {
	ctx, cancel := context.WithCancel(b.Context())
	var took []time.Duration
	var writing sync.WaitGroup
	writing.Go(func() { took = load{rows: rows, clients: 64, commits: 10_000_000}.run(ctx, b, s) })
	return func() {
		cancel()
		writing.Wait()
		b.ReportMetric(quantile(took, 0.99), "writers-p99-ms")
		b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "commits/s")
	}
}

// BenchmarkList lists the offsets of a topic, a fortieth of all: 250,000 of 10,000,000.
func BenchmarkList(b *testing.B) {
	for _, rows := range rowCounts() {
		b.Run(fmt.Sprintf("rows=%d", rows/rowTopics), func(b *testing.B) {
			s := openRows(b, rows, metalog.Options{})
			peak := watchMemory(b)
			b.ReportAllocs()
			listed := 0
			for b.Loop() {
				for _, err := range s.ListTopicOffsets(b.Context(), benchlog.Topic(0)) {
					if err != nil {
						b.Fatal(err)
					}
					listed++
				}
			}
			b.ReportMetric(peak(), "anon-MB")
			b.ReportMetric(float64(listed)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
