package metalog_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/sample"
	"github.com/metalog/metalog/internal/storetest"
)

// applyLines does the commands of an apply file, and returns how many there were.
func applyLines(t *testing.T, s *storetest.Store, file []byte) (commands int) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(file))
	lines.Buffer(nil, metalog.MaxCommandBytes+1)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 || lines.Bytes()[0] == '#' {
			continue
		}
		cmd, opts, err := metalog.ParseLine(lines.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Execute(t.Context(), cmd, opts); err != nil {
			t.Fatalf("%.200s: %v", lines.Bytes(), err)
		}
		commands++
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return commands
}

func exportOf(t *testing.T, s *storetest.Store) ([]byte, metalog.ExportReport) {
	t.Helper()
	view, err := s.View(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	report, err := metalog.Export(t.Context(), view, &file)
	if err != nil {
		t.Fatal(err)
	}
	if err := view.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes(), report
}

var exportIDs = regexp.MustCompile(`"export/[^"]*"|(?m)^# .*$`)

// reapplied applies an export in an empty store, which has to look the same, apart
// from what an export can't bring back, and be exported the same.
func reapplied(t *testing.T, s *storetest.Store) *storetest.Store {
	t.Helper()
	file, report := exportOf(t, s)
	again := storetest.Open(t)
	if n := applyLines(t, again, file); n != report.Commands {
		t.Errorf("%d commands, the report has %d", n, report.Commands)
	}
	want, got := entitiesAt(t, s, s.Seq()), entitiesAt(t, again, again.Seq())
	for _, entities := range []map[string]storetest.Entity{want, got} {
		for name, e := range entities {
			e.TopicID, e.GroupID = "", ""
			maps.DeleteFunc(e.Fields, func(field, _ string) bool {
				return strings.HasSuffix(field, "_at") || field == "partition_epoch" || field == "epoch" && e.Noun == "broker"
			})
			entities[name] = e
		}
	}
	if lines := storetest.Differences(want, got); len(lines) > 0 {
		t.Errorf("%d differ:\n%s", len(lines), strings.Join(lines[:min(5, len(lines))], "\n"))
	}
	twice, _ := exportOf(t, again)
	if !bytes.Equal(exportIDs.ReplaceAll(twice, nil), exportIDs.ReplaceAll(file, nil)) {
		t.Error("the export of what was applied is another one")
	}
	return again
}

func TestExportSample(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	lines, err := io.ReadAll(sample.Open())
	if err != nil {
		t.Fatal(err)
	}
	applyLines(t, s, lines)
	reapplied(t, s)
}

// Configs and commits that are too large for one line come in several.
func TestExportLarge(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	large := events.Config{}
	for i := range 14 {
		large[fmt.Sprintf("key-%02d", i)] = strings.Repeat("\x01", 32<<10) // six bytes each in JSON
	}
	s.Must(metalog.CreateTopic{Name: "large", Partitions: 400, ReplicationFactor: 1, Config: large})
	s.Must(metalog.SetConfig{Scope: scope(t, "cluster"), Config: large})
	s.Must(metalog.CreateGroup{ID: "g"})
	for begin := range int32(4) {
		cmd := metalog.CommitOffsets{Group: "g"}
		for p := range int32(100) {
			cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: "large", Partition: begin*100 + p, Offset: 1, Metadata: strings.Repeat("m", 4096)})
		}
		s.Must(cmd)
	}
	again := reapplied(t, s)
	file, report := exportOf(t, again)
	if report.LeftOut != 0 {
		t.Errorf("%d commands were left out", report.LeftOut)
	}
	for line := range bytes.Lines(file) {
		if len(line) > metalog.MaxCommandBytes {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
	if commits := bytes.Count(file, []byte(`"op":"offset.commit"`)); commits < 6 {
		t.Errorf("400 offsets of 4 KiB in %d lines", commits)
	}
}

// What no line can hold is named in a comment and counted.
func TestExportLeftOut(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	s.Must(metalog.CreateGroup{ID: "fits"})
	s.Must(metalog.CreateGroup{ID: "large"})
	var members []events.Member
	for i := range 200 {
		members = append(members, events.Member{ID: fmt.Sprint(i), ClientID: strings.Repeat("\x01", 1000)})
	}
	s.Must(metalog.UpdateGroup{ID: "large", State: new(events.GroupStable), Members: &members})
	file, report := exportOf(t, s)
	if report.LeftOut != 1 || !bytes.Contains(file, []byte("\n# left out: group.update of \"large\" has ")) {
		t.Errorf("%+v\n%s", report, file)
	}
	again := storetest.Open(t)
	applyLines(t, again, file)
	groups, err := metalog.Collect(again.ListGroups(t.Context()))
	if err != nil || len(groups) != 2 {
		t.Errorf("%+v, %v", groups, err)
	}
}

func TestExportCheck(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	catalogue(t, s)
	file, report := exportOf(t, s)
	lines := slices.Collect(bytes.Lines(file))
	for _, test := range []struct {
		name     string
		lines    [][]byte
		commands int
		whole    bool
	}{
		{"whole", lines, report.Commands, true},
		{"no export", lines[1 : len(lines)-1], report.Commands, true},
		{"no end", lines[:len(lines)-1], report.Commands, false},
		{"half of the end", append(slices.Clone(lines[:len(lines)-1]), lines[len(lines)-1][:8]), report.Commands, false},
		{"a command less", lines, report.Commands - 1, false},
	} {
		var check metalog.ExportCheck
		for _, line := range test.lines {
			if line[0] == '#' {
				check.Comment(line)
			}
		}
		if err := check.Err(test.commands); (err == nil) != test.whole {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
