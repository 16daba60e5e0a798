package model

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

// exportStep exports the store as it was at a seq, and applies that in an empty
// store, which must look the same then and be exported the same.
func (r *run) exportStep() {
	seq := one(r, "exported", r.notes).Seq
	view, err := r.At(r.tb.Context(), metalog.Point{Seq: seq})
	r.tb.ok(err)
	want := storetest.Entities(r.tb, view)
	exported := r.export(view)
	r.tb.ok(view.Close())

	again := storetest.Open(r.tb)
	counts := map[bool]int{}
	for line := range strings.Lines(exported) {
		if line[0] == '#' {
			continue
		}
		cmd, opts, err := metalog.ParseLine([]byte(line))
		r.tb.ok(err)
		result, err := again.Execute(r.tb.Context(), cmd, opts)
		if err != nil || result.Repeated {
			r.Fatalf("%s: %v, %+v\nin the export of seq %d\n%s", line, err, result, seq, exported)
		}
		counts[result.Unchanged]++
	}
	if counts[true] > 0 {
		r.Fatalf("%d commands of an export had nothing to do\n%s", counts[true], exported)
	}
	view, err = again.View(r.tb.Context(), 0)
	r.tb.ok(err)
	defer func() { r.tb.ok(view.Close()) }() // a store with an open view waits for it when it is closed
	r.sameLines(storetest.Differences(recreatable(want), recreatable(storetest.Entities(r.tb, view))), nil)
	if twice := r.export(view); withoutIDs(twice) != withoutIDs(exported) {
		r.Fatalf("exported again:\n%s\nwant\n%s", twice, exported)
	}
}

func (r *run) export(view metalog.View) string {
	var file bytes.Buffer
	report, err := metalog.Export(r.tb.Context(), view, &file)
	r.tb.ok(err)
	var check metalog.ExportCheck
	commands := 0
	for lines := bufio.NewScanner(bytes.NewReader(file.Bytes())); lines.Scan(); {
		if lines.Bytes()[0] == '#' {
			check.Comment(lines.Bytes())
		} else {
			commands++
		}
	}
	r.tb.ok(check.Err(commands))
	if report.Commands != commands || report.Seq != view.Seq() || report.LeftOut != 0 {
		r.Fatalf("%d commands of seq %d, the report has %+v", commands, view.Seq(), report)
	}
	return file.String()
}

var exportIDs = regexp.MustCompile(`"export/[^"]*"|^#.*\n`)

func withoutIDs(export string) string { return exportIDs.ReplaceAllString(export, "") }

// recreatable leaves out what an export can't bring back.
func recreatable(entities map[string]storetest.Entity) map[string]storetest.Entity {
	ids := regexp.MustCompile(`"(topic_id|group_id)":("[^"]*"|\d+),`)
	for name, e := range entities {
		e.TopicID, e.GroupID = "", ""
		if e.Noun == "partition" && strings.Contains(fmt.Sprint(e.Fields), "high_watermark:0") && e.Fields["replicas"] == "[]" {
			e.Revision = 0 // of watermarks that are zero again
		} else {
			e.Revision = 1
		}
		maps.DeleteFunc(e.Fields, func(field, _ string) bool {
			switch field {
			case "created_at", "registered_at", "committed_at", "started_at", "partition_epoch":
				return true
			case "epoch":
				return e.Noun == "broker"
			case "leader_epoch":
				return e.Noun == "partition" && e.Fields["replicas"] == "[]"
			}
			return false
		})
		for field, value := range e.Fields {
			value = ids.ReplaceAllString(value, "")
			if e.Noun == "transaction" {
				value = sortedList(value) // the order is that of ids, which are new
			}
			e.Fields[field] = value
		}
		entities[name] = e
	}
	return entities
}

// sortedList sorts a list in JSON; anything else stays as it is.
func sortedList(value string) string {
	var parts []json.RawMessage
	if json.Unmarshal([]byte(value), &parts) != nil {
		return value
	}
	slices.SortFunc(parts, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	list, err := json.Marshal(parts)
	if err != nil {
		return value
	}
	return string(list)
}
