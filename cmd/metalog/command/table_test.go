package command

import "testing"

func TestRowText(t *testing.T) {
	widths := []int{4, 4, 8}
	for want, cells := range map[string][]string{
		"one   two   three     rest":      {"one", "two", "three", "rest"},
		"é     two   three     rest":      {"é", "two", "three", "rest"},
		"four  four  eighteig  rest":      {"four", "four", "eighteig", "rest"},
		"too-long  b  three    rest":      {"too-long", "b", "three", "rest"},
		"much-too-long  b  c   rest":      {"much-too-long", "b", "c", "rest"},
		"much-too-long  b  three  rest":   {"much-too-long", "b", "three", "rest"},
		"one   two   much-too-long  rest": {"one", "two", "much-too-long", "rest"},
		"one   two":                       {"one", "two", "", ""},
	} {
		if got := rowText(widths, cells...); got != want {
			t.Errorf("%q: %q, want %q", cells, got, want)
		}
	}
}
