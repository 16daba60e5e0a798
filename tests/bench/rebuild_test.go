package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/metalog/metalog/internal/benchlog"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/replay"
)

// BenchmarkRebuild makes the views of a whole log anew, without a snapshot.
func BenchmarkRebuild(b *testing.B) {
	for _, offsets := range []int{1, 10, 50} {
		b.Run(fmt.Sprintf("offsets=%d", offsets), func(b *testing.B) {
			log := openLog(b, benchlog.Dir(b, benchlog.Shape{Offsets: offsets}))
			peak := watchMemory(b)
			var events uint64
			for b.Loop() {
				report, err := replay.Rebuild(b.Context(), log, replay.RebuildOptions{Out: filepath.Join(b.TempDir(), "views.db"), Force: true})
				if err != nil {
					b.Fatal(err)
				}
				events += report.Events
			}
			b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
			b.ReportMetric(peak(), "peak-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// openLog opens the log in a data directory that nobody changes.
func openLog(b *testing.B, dir string) *eventlog.File {
	b.Helper()
	log, err := eventlog.Open(filepath.Join(dir, replay.LogDir), eventlog.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := log.Close(); err != nil {
			b.Error(err)
		}
	})
	return log
}

// watchMemory samples how much anonymous memory the process has: what can't be given
// back to files. peak ends that and returns the most, in MB; 0 where the system does
// not tell.
func watchMemory(b *testing.B) (peak func() float64) {
	b.Helper()
	debug.FreeOSMemory() // what came before is not counted
	stop := make(chan struct{})
	var most float64
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, anonymousMemory())
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	})
	return func() float64 {
		close(stop)
		watching.Wait()
		return most
	}
}

func anonymousMemory() (mb float64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if kb := 0; strings.HasPrefix(line, "RssAnon:") {
			if _, err := fmt.Sscanf(line, "RssAnon: %d kB", &kb); err == nil {
				return float64(kb) / 1000
			}
		}
	}
	return 0
}
