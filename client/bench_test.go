package client_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/internal/service"
)

// overTheWire is a client of a server with offsets to commit and to read. They
// share the machine's cores with the NATS server.
func overTheWire(b *testing.B) *client.Client {
	store := openStore(b)
	server := startNATS(b)
	serve(b, store, server, service.Options{})
	if _, err := store.CreateTopic(b.Context(), metalog.CreateTopic{Name: "orders", Partitions: 50, ReplicationFactor: 1}); err != nil {
		b.Fatal(err)
	}
	for i := range benchGroups {
		if _, err := store.CreateGroup(b.Context(), metalog.CreateGroup{ID: fmt.Sprint("group", i)}); err != nil {
			b.Fatal(err)
		}
		if _, err := store.CommitOffsets(b.Context(), benchCommit(i)); err != nil {
			b.Fatal(err)
		}
	}
	return connect(b, server, client.Options{})
}

const benchGroups = 100

func benchCommit(i int) metalog.CommitOffsets {
	return metalog.CommitOffsets{Group: fmt.Sprint("group", i%benchGroups), Offsets: []metalog.OffsetCommit{{
		Topic: "orders", Partition: int32(i % 50), Offset: int64(i), LeaderEpoch: ptr[int32](3), Metadata: "consumer-1",
	}}}
}

// byGoroutines has so many goroutines share what is to be done.
func byGoroutines(b *testing.B, n int, do func(i int) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range n {
		all.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

func BenchmarkCommitOffsets(b *testing.B) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			c := overTheWire(b)
			byGoroutines(b, goroutines, func(i int) error {
				_, err := c.CommitOffsets(b.Context(), benchCommit(i))
				return err
			})
		})
	}
}

func BenchmarkGetOffset(b *testing.B) {
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			c := overTheWire(b)
			byGoroutines(b, goroutines, func(i int) error {
				_, err := c.GetOffset(b.Context(), fmt.Sprint("group", i%benchGroups), "orders", int32(i%benchGroups%50))
				return err
			})
		})
	}
}
