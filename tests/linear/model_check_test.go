package linear

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// op makes an operation of a history.
func op(call, end int64, in input, out output) porcupine.Operation {
	in.key = "k"
	return porcupine.Operation{Input: in, Output: out, Call: call, Return: end}
}

// The model must find what it is there for, and accept the rest.
func TestModel(t *testing.T) {
	read := input{}
	first := op(0, 1, read, output{value: "a", revision: 5})
	set := func(value string, revision uint64) input { return input{value: value, revision: revision} }
	tests := map[string]struct {
		history []porcupine.Operation
		want    porcupine.CheckResult
	}{
		"read what was written": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{revision: 6}), op(4, 5, read, output{"b", 6, false, false}),
		}, porcupine.Ok},
		"read during a write": {[]porcupine.Operation{
			op(2, 9, set("b", 5), output{revision: 6}), op(3, 4, read, output{"a", 5, false, false}), op(5, 6, read, output{"b", 6, false, false}),
		}, porcupine.Ok},
		"stale read": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{revision: 6}), op(4, 5, read, output{"a", 5, false, false}),
		}, porcupine.Illegal},
		"read taken back": {[]porcupine.Operation{
			op(2, 9, set("b", 5), output{revision: 6}), op(3, 4, read, output{"b", 6, false, false}), op(5, 6, read, output{"a", 5, false, false}),
		}, porcupine.Illegal},
		"lost write": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{revision: 6}), op(4, 5, set("c", 5), output{revision: 7}),
		}, porcupine.Illegal},
		"refused": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{revision: 6}), op(4, 5, set("c", 5), output{refused: true}),
		}, porcupine.Ok},
		"refused for nothing": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{refused: true}),
		}, porcupine.Illegal},
		"revision that goes back": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{revision: 4}),
		}, porcupine.Illegal},
		"unknown, done": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{unknown: true}), op(4, 5, read, output{"b", 6, false, false}),
		}, porcupine.Ok},
		"unknown, not done": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{unknown: true}), op(4, 5, read, output{"a", 5, false, false}),
		}, porcupine.Ok},
		"unknown, seen, and taken back": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{unknown: true}), op(4, 5, read, output{"b", 6, false, false}), op(6, 7, read, output{"a", 5, false, false}),
		}, porcupine.Illegal},
		"unknown, done later": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{unknown: true}), op(4, 5, read, output{"a", 5, false, false}), op(6, 7, read, output{"b", 6, false, false}),
		}, porcupine.Illegal},
		"unknown, done after another": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{unknown: true}), op(4, 5, set("c", 5), output{revision: 7}), op(6, 7, read, output{"b", 8, false, false}),
		}, porcupine.Illegal},
		"done twice": {[]porcupine.Operation{
			op(2, 3, set("b", 5), output{revision: 6}), op(4, 5, read, output{"b", 7, false, false}),
		}, porcupine.Illegal},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			history := append([]porcupine.Operation{first}, test.history...)
			if got := porcupine.CheckOperationsTimeout(model, history, 0); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
