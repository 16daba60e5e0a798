package linear

import (
	"fmt"
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"

	"github.com/metalog/metalog/events"
)

// input is what a client asked for: a read, or with a value a write on condition
// of a revision.
type input struct {
	key      string
	value    string
	revision uint64
}

// output is what it was told.
type output struct {
	value    string // read
	revision uint64 // read, or made by the write
	refused  bool   // the revision was another one
	unknown  bool   // nothing: the write may be done
}

// state is that of one key.
type state struct {
	read     bool // false: nothing is known; a history begins with a read of each key
	value    string
	revision uint64
	// above: the revision is not known, only that it is above revision: a write
	// of unknown outcome made it, and no client was told of it yet.
	above bool
}

// model is a register with compare-and-set by revision, for each key. Revisions
// are the store's to choose, but they grow.
var model = (&porcupine.NondeterministicModel{
	Partition: byKey,
	Init:      func() []any { return []any{state{}} },
	Step: func(s, in, out any) []any {
		return step(s.(state), in.(input), out.(output))
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v → %+v", in, out) },
}).ToModel()

// step gives the states that can follow.
func step(s state, in input, out output) []any {
	switch {
	case in.value == "":
		return stepRead(s, out)
	case out.unknown && (s.above || s.revision != in.revision):
		return []any{s}
	case out.unknown:
		return []any{s, state{read: true, value: in.value, revision: s.revision, above: true}}
	// A client knows of a revision from an answer, which a read in the history
	// explains; so one that is not known to the model is none that it can expect.
	case out.refused && (s.above || s.revision != in.revision):
		return []any{s}
	case !out.refused && !s.above && s.revision == in.revision && out.revision > s.revision:
		return []any{state{read: true, value: in.value, revision: out.revision}}
	}
	return nil
}

func stepRead(s state, out output) []any {
	now := state{read: true, value: out.value, revision: out.revision}
	switch {
	case !s.read,
		s == now,
		s.above && s.value == out.value && out.revision > s.revision:
		return []any{now}
	}
	return nil
}

// byKey divides a history: keys have nothing to do with each other.
func byKey(history []porcupine.Operation) [][]porcupine.Operation {
	keys := map[string][]porcupine.Operation{}
	for _, op := range history {
		key := op.Input.(input).key
		keys[key] = append(keys[key], op)
	}
	parts := make([][]porcupine.Operation, 0, len(keys))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		parts = append(parts, keys[key])
	}
	return parts
}

// outputOf words a reply for the model; ok is false for one that has no place in
// a history.
func outputOf(r reply) (out output, ok bool) {
	switch r.Code {
	case "":
		return output{value: r.Value, revision: r.Revision}, true
	case events.CodeConflict:
		return output{refused: true}, true
	}
	return output{}, false
}
