package events_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/metalog/metalog/events"
)

func TestJSONFields(t *testing.T) {
	object := struct {
		Z string        `json:"z"`
		A events.Config `json:"a"`
		N int64         `json:"n"`
		X string        `json:"x,omitempty"`
	}{Z: "a<b&c", A: events.Config{"k": "v"}, N: 1 << 62}
	fields, err := events.JSONFields(object)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range fields {
		got = append(got, f.Name+"="+string(f.Value))
	}
	want := []string{`z="a<b&c"`, `a={"k":"v"}`, "n=4611686018427387904"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if fields, err := events.JSONFields(json.RawMessage("{")); err == nil {
		t.Errorf("of no object: %v", fields)
	}
}
