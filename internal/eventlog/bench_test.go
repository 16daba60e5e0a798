package eventlog

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/events"
)

// BenchmarkAppend appends groups of n records, each group with a sync. The time
// is that of a group.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("group=%d", n), func(b *testing.B) {
			f := mustOpen(b, filepath.Join(b.TempDir(), "log"), Options{})
			g := NewGroup(f.Head())
			for b.Loop() {
				fillGroup(b, g, n)
				if err := f.Append(g); err != nil {
					b.Fatal(err)
				}
				g.Reset(f.Head())
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func fillGroup(b *testing.B, g *Group, n int) {
	rec := testRecord(0)
	for range n {
		rec.Seq = g.Head().Seq + 1
		if err := g.Add(rec); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGroupAdd is the encoding alone.
func BenchmarkGroupAdd(b *testing.B) {
	g := NewGroup(events.Head{})
	b.ReportAllocs()
	for b.Loop() {
		if g.Len() == 1000 {
			g.Reset(events.Head{})
		}
		fillGroup(b, g, 1)
	}
}

func BenchmarkRead(b *testing.B) {
	const records = 50_000
	f := mustOpen(b, filepath.Join(b.TempDir(), "log"), Options{})
	for range records / 1000 {
		mustAppend(b, f, 1000)
	}
	b.Run("frames", func(b *testing.B) {
		for b.Loop() {
			for _, err := range f.Frames(b.Context(), 1) {
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(records*b.N)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("records", func(b *testing.B) {
		for b.Loop() {
			if _, err := collect(b.Context(), f, 1); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(records*b.N)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("newest", func(b *testing.B) {
		for b.Loop() {
			if _, err := collect(b.Context(), f, records); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkOpen opens a log that was closed cleanly.
func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "log")
	f := mustOpen(b, dir, Options{})
	for range 200 {
		mustAppend(b, f, 1000)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
