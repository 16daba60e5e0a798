package benchlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/metalog/metalog/internal/durable"
)

// Shape says which log to make.
type Shape struct {
	Events  int // in all, or a few more; 0: as the package's documentation says
	Offsets int // committed by a record, 1 to 50; 0: 50
	// SnapshotEvents is after how many events a snapshot is taken; 0: none is.
	SnapshotEvents int
	// Rows is how many offsets are live, a multiple of 50, when it is not zero: as many
	// groups as that takes commit each partition of a topic once, and that is the log.
	Rows int
}

const (
	usualEvents = 10_000_000
	shortEvents = 200_000
)

func (s Shape) withDefaults(tb testing.TB) Shape {
	if s.Offsets == 0 || s.Rows > 0 {
		s.Offsets = partitions
	}
	if s.Rows > 0 {
		s.Events = 0
		return s
	}
	if s.Events != 0 {
		return s
	}
	s.Events = usualEvents
	if testing.Short() {
		s.Events = shortEvents
	}
	if set := os.Getenv("METALOG_BENCH_EVENTS"); set != "" {
		n, err := strconv.Atoi(set)
		if err != nil || n <= 0 {
			tb.Fatalf("METALOG_BENCH_EVENTS: %q is no number of events", set)
		}
		s.Events = n
	}
	return s
}

// format goes up when the same shape gives another log: kept ones are made anew.
const format = 1

func (s Shape) String() string {
	if s.Rows > 0 {
		return fmt.Sprintf("v%d-rows-%d-snapshots-%d", format, s.Rows, s.SnapshotEvents)
	}
	return fmt.Sprintf("v%d-events-%d-offsets-%d-snapshots-%d", format, s.Events, s.Offsets, s.SnapshotEvents)
}

// groups is how many groups a log has.
func (s Shape) groups() int {
	if s.Rows > 0 {
		return s.Rows / partitions
	}
	return groups
}

// made are the directories of this process.
var made struct {
	sync.Mutex
	temp string // holds them, and is removed by Run; empty: there is none
}

// Run runs a package's tests, and removes the logs that were made for them. It
// returns the exit status.
func Run(m *testing.M) int {
	status := m.Run()
	if made.temp != "" {
		if err := os.RemoveAll(made.temp); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return status
}

// Dir returns a data directory with a log of that shape, to be read only.
func Dir(tb testing.TB, shape Shape) string {
	tb.Helper()
	made.Lock()
	defer made.Unlock()
	shape = shape.withDefaults(tb)
	root, err := rootDir()
	if err != nil {
		tb.Fatal(err)
	}
	dir := filepath.Join(root, shape.String())
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	partial := dir + ".partial"
	err = errors.Join(os.RemoveAll(partial), os.MkdirAll(partial, 0o700))
	if err == nil {
		err = write(tb.Context(), partial, shape)
	}
	if err == nil {
		err = durable.Rename(partial, dir)
	}
	if err != nil {
		tb.Fatalf("log %s: %v", shape, err)
	}
	return dir
}

// Clone returns a copy of what Dir returns, which goes with the test.
func Clone(tb testing.TB, shape Shape) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(Dir(tb, shape))); err != nil {
		tb.Fatal(err)
	}
	return dir
}

func rootDir() (string, error) {
	if kept := os.Getenv("METALOG_BENCH_DIR"); kept != "" {
		return kept, nil
	}
	var err error
	if made.temp == "" {
		made.temp, err = os.MkdirTemp("", "metalog-bench-")
	}
	return made.temp, err
}
