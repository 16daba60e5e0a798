package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		of   []float64
		want float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}, {[]float64{nan, 7}, 7}, {nil, nan}} {
		if got := median(c.of); got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("median of %v is %v, want %v", c.of, got, c.want)
		}
	}
}

// TestRatio has a machine that is three times slower in the second round: the ratio of
// medians would be 1.
func TestRatio(t *testing.T) {
	of, to := rounds{{300}, {100}, {90}}, rounds{{150}, {50}, {100}}
	if got := ratio(of, to, 0); got != 2 {
		t.Errorf("ratio %v, want 2", got)
	}
	if got := ratio(of, rounds{{0}}, 0); !math.IsNaN(got) {
		t.Errorf("ratio to nothing is %v", got)
	}
}

func TestTurns(t *testing.T) {
	for round, want := range [][]int{{0, 1, 2, 3}, {1, 2, 0, 3}, {2, 0, 1, 3}, {0, 1, 2, 3}} {
		if got := turns(4, round); !slices.Equal(got, want) {
			t.Errorf("round %d: %v, want %v", round, got, want)
		}
	}
	if got := turns(1, 5); !slices.Equal(got, []int{0}) {
		t.Errorf("one system: %v", got)
	}
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{0.123: "0.12", 1.5: "1.50", 12.34: "12.3", 999.6: "1,000", 1234567: "1,234,567", math.NaN(): "-"} {
		if got := number(value); got != want {
			t.Errorf("%v is %s, want %s", value, got, want)
		}
	}
}

func TestShape(t *testing.T) {
	for rows, want := range map[int][2]int{10_000: {1000, 10}, 50_000: {1000, 50}, 1_000_000: {20_000, 50}} {
		s := shapeOf(rows)
		if s.groups != want[0] || s.loaded() != want[1] {
			t.Errorf("%d rows: %d groups of %d, want %v", rows, s.groups, s.loaded(), want)
		}
		last := s.commitGroup(commitGroups - 1)
		if n := len(slices.Collect(s.all())); n != rows || last >= s.groups {
			t.Errorf("%d rows: there are %d; the last group of commits is %d", rows, n, last)
		}
	}
}

// TestRepeat counts what an operation of two did, with one under way at both ends.
func TestRepeat(t *testing.T) {
	now := time.Now()
	m, err := repeat(t.Context(), now, now, func(context.Context) (int, error) { return 2, nil })
	if err != nil || m.latency.TotalCount() != 1 || m.perSecond <= 0 {
		t.Errorf("%d operations, %v a second, %v", m.latency.TotalCount(), m.perSecond, err)
	}
	broken := errors.New("broken")
	_, err = drive(t.Context(), window{length: time.Hour}, 3, func(int) operation {
		return func(context.Context) (int, error) { return 0, broken }
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// sample is a table of commits with known values.
func sample() *results {
	w := commitWorkload(64, 1)
	return &results{machine: machine{OS: "linux", Cores: 2}, options: options{rounds: 2}, tables: []*table{{workload: w, rows: 10_000, lines: []*line{
		{system: inProcess, rounds: rounds{{6000, 10, 20}, {8000, 10, 20}}, note: "a note"},
		{system: published, rounds: rounds{{500, 10, 20}, {500, 10, 20}}},
		{system: "pebble", rounds: rounds{{3000, 10, 20}, {4000, 10, 20}}},
		{system: "bbolt", rounds: rounds{{500, 10, 20}, {500, 10, 20}}},
		{system: "postgres", absent: skip + "not here"},
	}}}}
}

func TestTables(t *testing.T) {
	var out bytes.Buffer
	if err := sample().print(&out); err != nil {
		t.Fatal(err)
	}
	var lines [][]string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.Fields(line))
	}
	for _, want := range []string{
		"metalog 7,000 10.0 20.0 - 0.07 - - a note",
		"pebble 3,500 10.0 20.0 2.00 0.15 - -",
		"postgres skipped: not here",
		"commit 1 offset each, 64 clients at least 1.00 × pebble 2.00 0.15 no",
		"commit 1 offset each, 64 clients at least 6.00 × bbolt 14.0 1.00 no",
		"commit 1 offset each, 64 clients at least 6.00 × bbolt-tuned - - not measured",
	} {
		if !slices.ContainsFunc(lines, func(line []string) bool { return slices.Equal(line, strings.Fields(want)) }) {
			t.Errorf("no line %q in:\n%s", want, out.String())
		}
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := sample().writeJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got struct{ Results []jsonLine }
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	pebble := got.Results[2]
	if pebble.System != "pebble" || *pebble.Medians["offsets/s"] != 3500 || *pebble.Ratios[inProcess]["offsets/s"] != 2 {
		t.Errorf("%+v", pebble)
	}
	if got.Results[4].Absent == "" || got.Results[4].Medians != nil {
		t.Errorf("%+v", got.Results[4])
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-systems", "pebble, metalog", "-rows", "1_000,5", "-duration", "1s"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.systems, []string{inProcess, "pebble"}) || !slices.Equal(o.rows, []int{1000, 5}) || o.window.warmup != 200*time.Millisecond {
		t.Errorf("%+v", o)
	}
	for _, bad := range [][]string{{"-systems", "oracle"}, {"-workloads", "commits"}, {"-clients", "0"}, {"-offsets", "51"}, {"-rounds", "0"}, {"commit"}} {
		if _, err := parseOptions(bad, io.Discard); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestGroups writes a log in known groups.
func TestGroups(t *testing.T) {
	stats := groupStats{records: 100, groups: 3, bytes: 20_000}
	if stats.perGroup() != 33 || stats.recordBytes() != 200 {
		t.Errorf("%d entries of %d bytes", stats.perGroup(), stats.recordBytes())
	}
	log, err := openBareLog(t.TempDir(), stats.perGroup(), stats.recordBytes())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close(t.Context())
	for range 2 {
		if n, err := log.append(t.Context()); n != 33 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
	if last, err := log.log.LastIndex(); last != 66 || err != nil {
		t.Errorf("the log has %d entries, %v", last, err)
	}
}

func TestFileSystem(t *testing.T) {
	m, err := lookAt(t.TempDir())
	if err != nil || m.FileSystem == "" || m.FsyncMicro <= 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestSystems has each system do what all workloads ask for.
func TestSystems(t *testing.T) {
	for _, c := range candidates() {
		if c.name == bareLog {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.find != nil {
				if err := c.find(); err != nil {
					t.Skip(err)
				}
			}
			dir, err := makeDir("")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			s := &suite{dir: dir}
			rows := shape{rows: 2000, groups: 1000}
			if err := s.with(t.Context(), c, dir, 2, func(sys system) error { return sys.load(t.Context(), rows) }); err != nil {
				t.Fatal(err)
			}
			if err := s.with(t.Context(), c, dir, 2, func(sys system) error { return work(t, sys) }); err != nil {
				t.Error(err)
			}
		})
	}
}

func work(t *testing.T, sys system) error {
	ctx := t.Context()
	err := errors.Join(
		sys.read(ctx, 3, 1),
		sys.commit(ctx, 3, 49, 5, 10),
		sys.read(ctx, 3, 3),
		sys.createTopic(ctx, "rolled", 2),
		sys.rollSegment(ctx, "rolled", 1, 0, -1),
		sys.rollSegment(ctx, "rolled", 1, 1, 0),
		sys.createTopic(ctx, "deleted", 1),
		sys.addSegments(ctx, "deleted", 0, 1100),
		sys.deleteTopic(ctx, "deleted"),
		sys.awaitPurged(ctx, "deleted"),
	)
	for group, want := range map[int]int{3: 5, 4: 2} {
		n, listErr := sys.list(ctx, group)
		if n != want {
			t.Errorf("group %d has %d offsets, want %d", group, n, want)
		}
		err = errors.Join(err, listErr)
	}
	if sys.read(ctx, 4, 30) == nil {
		t.Error("an offset that nobody committed is read")
	}
	if n, ok := sys.(noter); ok {
		note, noteErr := n.note(ctx)
		if note == "" {
			t.Error("there is no note")
		}
		err = errors.Join(err, noteErr)
	}
	return err
}

// TestSuite runs it, and sees that nothing stays; interrupted, too.
func TestSuite(t *testing.T) {
	parent, file := t.TempDir(), filepath.Join(t.TempDir(), "out.json")
	args := []string{
		"-dir", parent, "-json", file, "-rounds", "2", "-duration", "1ms", "-rows", "2000",
		"-systems", "metalog,pebble,bare-log", "-clients", "2", "-children", "50",
	}
	var out bytes.Buffer
	if err := start(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	var got struct{ Results []jsonLine }
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range got.Results {
		if len(l.Rounds) != 2 || l.Absent != "" {
			t.Errorf("%+v", l)
		}
	}
	if want := 2*3 + 7*2; len(got.Results) != want {
		t.Errorf("%d lines, want %d", len(got.Results), want)
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	if err := start(interrupted, args, io.Discard, io.Discard); err == nil || err.Error() != "interrupted" {
		t.Errorf("interrupted: %v", err)
	}
	if left, err := os.ReadDir(parent); len(left) != 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestNames sees that what is wanted is of systems that there are.
func TestNames(t *testing.T) {
	for _, w := range allWanted {
		if known := append(systemNames(), ""); !slices.Contains(known, w.to) {
			t.Errorf("%s is no system", w.to)
		}
	}
}
