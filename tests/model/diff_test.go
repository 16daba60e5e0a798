package model

import (
	"maps"
	"slices"
	"strings"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
)

// diffStep compares the store as it was at two seqs with itself, and with what
// comparing complete lists gives.
func (r *run) diffStep() {
	from, to := one(r, "from", r.notes).Seq, one(r, "to", r.notes).Seq
	before, after := r.entitiesAt(from), r.entitiesAt(to)
	there := r.differences(from, to)
	r.sameLines(there, storetest.Differences(before, after))
	back := r.differences(to, from)
	r.sameLines(back, storetest.Differences(after, before))
	if len(there) != len(back) {
		r.Fatalf("%d differences there, %d back", len(there), len(back))
	}
	entity := r.pick("entity", "topic", "offset", "topic/a", "topic/a/partition/0", "group/g", "broker/1", "transaction/t", "cluster")
	want := slices.DeleteFunc(slices.Clone(there), func(line string) bool { return !isOrBelow(line, entity) })
	if from != to && strings.Contains(entity, "/") && !isThere(before, entity) && !isThere(after, entity) {
		return // it is not found
	}
	r.sameLines(r.differences(from, to, entity), want)
}

// isOrBelow finds an entity in the description of a difference.
func isOrBelow(line, entity string) bool {
	words := strings.Fields(line)
	noun, name := words[1], words[2]
	return noun == entity || name == entity || strings.Contains(entity, "/") && strings.HasPrefix(name, entity+"/")
}

func (r *run) entitiesAt(seq uint64) map[string]storetest.Entity {
	view, err := r.At(r.tb.Context(), metalog.Point{Seq: seq})
	r.tb.ok(err)
	entities := storetest.Entities(r.tb, view)
	r.tb.ok(view.Close())
	return entities
}

func (r *run) differences(from, to uint64, entities ...string) []string {
	diff, err := r.Diff(r.tb.Context(), metalog.Point{Seq: from}, metalog.Point{Seq: to}, metalog.DiffOptions{Entities: entities})
	r.tb.ok(err)
	var lines []string
	names := map[string]int{}
	for d, err := range diff.Differences {
		r.tb.ok(err)
		lines = append(lines, storetest.DescribeDifference(d))
		if names[d.Entity]++; names[d.Entity] > 1 && !d.Recreated {
			r.Fatalf("%s differs twice, and is not told to be recreated", d.Entity)
		}
		if d.Revision.Before > from || d.Revision.After > to {
			r.Fatalf("%s: revisions %v between %d and %d", d.Entity, d.Revision, from, to)
		}
	}
	slices.Sort(lines)
	return lines
}

func (r *run) sameLines(got, want []string) {
	r.Helper()
	if slices.Equal(got, want) {
		return
	}
	of := map[string]int{}
	for _, line := range got {
		of[line]++
	}
	for _, line := range want {
		of[line]--
	}
	maps.DeleteFunc(of, func(_ string, n int) bool { return n == 0 })
	r.Fatalf("1: only got, -1: only wanted\n%v", strings.Join(slices.Collect(func(yield func(string) bool) {
		for line, n := range of {
			if n > 0 && !yield("got  "+line) || n < 0 && !yield("want "+line) {
				return
			}
		}
	}), "\n"))
}

// isThere reports whether an entity, or the topic that it is a part of, is among some.
func isThere(entities map[string]storetest.Entity, name string) bool {
	topic, _, _ := strings.Cut(name, "/partition/")
	_, there := entities[topic]
	return there
}
