package metalog_test

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// BenchmarkCommitOffsets commits offsets durably, from a number of clients at
// once, over 1,000 groups and 50 partitions.
func BenchmarkCommitOffsets(b *testing.B) {
	for _, shape := range []struct{ clients, offsets int }{{1, 1}, {64, 1}, {512, 1}, {64, 50}} {
		b.Run(fmt.Sprintf("clients=%d/offsets=%d", shape.clients, shape.offsets), func(b *testing.B) {
			s := openBench(b)
			var next atomic.Int64
			b.SetParallelism(max(1, shape.clients/runtime.GOMAXPROCS(0)))
			b.ReportAllocs()
			began := cpuTime(b)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				offsets := make([]metalog.OffsetCommit, shape.offsets)
				for pb.Next() {
					n := next.Add(1)
					for i := range offsets {
						offsets[i] = metalog.OffsetCommit{Topic: "t", Partition: int32((n/1000 + int64(i)) % 50), Offset: n}
					}
					cmd := metalog.CommitOffsets{Group: fmt.Sprint("g", n*7919%1000), Offsets: offsets}
					if _, err := s.CommitOffsets(b.Context(), cmd); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64((cpuTime(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(b.N*shape.offsets)/b.Elapsed().Seconds(), "offsets/s")
		})
	}
}

// cpuTime is what the process has used of all processors: what is done for an
// operation, however long it waits.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func openBench(b *testing.B) *metalog.Store {
	s, err := metalog.Open(b.Context(), metalog.Options{Path: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	if _, err := s.CreateTopic(b.Context(), metalog.CreateTopic{Name: "t", Partitions: 50, ReplicationFactor: 1, Config: events.Config{"a": "b"}}); err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		if _, err := s.CreateGroup(b.Context(), metalog.CreateGroup{ID: fmt.Sprint("g", i)}); err != nil {
			b.Fatal(err)
		}
	}
	return s
}
