package bench

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/benchlog"
)

// archiveEvents is how many events the log has that is archived.
const archiveEvents = 2_000_000

// BenchmarkArchive moves a log to an archive in a directory, as a store does: written,
// synced, read back, compared, the log shortened.
func BenchmarkArchive(b *testing.B) {
	for _, offsets := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("offsets=%d", offsets), func(b *testing.B) {
			var bytes, compressed int64
			var seconds float64
			var memory float64
			for range b.N {
				store := openClone(b, offsets)
				peak := watchMemory(b)
				report, err := store.Archive(b.Context(), metalog.ArchiveOptions{To: filepath.Join(b.TempDir(), "archive")})
				if err != nil {
					b.Fatal(err)
				}
				memory = max(memory, peak())
				bytes, compressed, seconds = bytes+report.Bytes, compressed+report.FileBytes, seconds+report.Seconds
				closeStore(b, store)
			}
			b.ReportMetric(float64(bytes)/1e6/seconds, "MB/s")
			b.ReportMetric(float64(bytes)/float64(compressed), "ratio")
			b.ReportMetric(memory, "peak-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkArchiveRead reads the frames of such a log, from the log, and from the
// archive but for the last segment.
func BenchmarkArchiveRead(b *testing.B) {
	for _, offsets := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("offsets=%d", offsets), func(b *testing.B) {
			store := openClone(b, offsets)
			defer closeStore(b, store)
			fromLog := readingRate(b, store)
			if _, err := store.Archive(b.Context(), metalog.ArchiveOptions{To: filepath.Join(b.TempDir(), "archive")}); err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			var rate float64
			for range b.N {
				rate += readingRate(b, store)
			}
			b.ReportMetric(rate/float64(b.N), "MB/s")
			b.ReportMetric(fromLog, "log-MB/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// readingRate reads all frames, and returns how many MB of them came in a second.
func readingRate(b *testing.B, store *metalog.Store) float64 {
	b.Helper()
	began, bytes := time.Now(), 0
	for f, err := range store.Log().Frames(b.Context(), 1) {
		if err != nil {
			b.Fatal(err)
		}
		bytes += len(f.Bytes)
	}
	return float64(bytes) / 1e6 / time.Since(began).Seconds()
}

// openClone opens a copy of the log, with a snapshot at its end.
func openClone(b *testing.B, offsets int) *metalog.Store {
	b.Helper()
	dir := benchlog.Clone(b, benchlog.Shape{Events: archiveEvents, Offsets: offsets})
	store, err := metalog.Open(b.Context(), metalog.Options{Path: dir, SweepInterval: -1})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := store.CreateSnapshot(b.Context()); err != nil {
		b.Fatal(err)
	}
	return store
}

func closeStore(b *testing.B, store *metalog.Store) {
	b.Helper()
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
}
