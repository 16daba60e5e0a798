package command

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", metalog.MaxCommandBytes)
	for _, c := range []struct {
		name, text string
		want       []string // lines as "number:text"; a line that is too long is "number!"
	}{
		{"empty", "", nil},
		{"no line break at the end", "a\nb", []string{"1:a", "2:b"}},
		{"empty lines, comments, blanks", "\n# c\r\n  a\t\r\n\n#\nb\n", []string{"3:a", "6:b"}},
		{"longest line", long + "\r\na", []string{"1:" + long, "2:a"}},
		{"too long", "a\n" + long + "xxx\nb", []string{"1:a", "2!", "3:b"}},
		{"far too long, at the end", long + long + long, []string{"1!"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := readLines(t, c.text); !slices.Equal(got, c.want) {
				t.Errorf("got %.200q, want %.200q", got, c.want)
			}
		})
	}
}

func readLines(t *testing.T, text string) (lines []string) {
	t.Helper()
	r := newLineReader(strings.NewReader(text))
	for {
		line, err := r.next()
		number := string(rune('0' + r.number))
		switch {
		case errors.Is(err, io.EOF):
			return lines
		case errors.Is(err, metalog.ErrTooLarge):
			lines = append(lines, number+"!")
		case err != nil:
			t.Fatal(err)
		default:
			lines = append(lines, number+":"+string(line))
		}
	}
}

// brokenStore fails every command with one error.
type brokenStore struct{ err error }

func (s brokenStore) Execute(context.Context, metalog.Command, metalog.CommandOptions) (metalog.Result, error) {
	return metalog.Result{}, s.err
}

// TestApplyStopsWhenTheStoreFails goes on after refusals only.
func TestApplyStopsWhenTheStoreFails(t *testing.T) {
	const line = `{"op":"group.create","id":"g"}` + "\n"
	for _, c := range []struct {
		code    events.Code
		lines   int
		refused int
	}{
		{events.CodeConflict, 3, 3},
		{events.CodeUnavailable, 1, 0},
		{events.CodeOutcomeUnknown, 1, 0},
		{events.CodeCorrupt, 1, 0},
	} {
		t.Run(string(c.code), func(t *testing.T) {
			store := brokenStore{events.Errorf(c.code, "no")}
			counts, err := applyLines(t.Context(), store, strings.NewReader(strings.Repeat(line, 3)), applyOptions{
				name: "f", keepGoing: true, refused: func(error) {}, meter: &meter{},
			})
			if events.CodeOf(err) != c.code || counts.Lines != c.lines || counts.Refused != c.refused {
				t.Errorf("error %v after %+v", err, counts)
			}
		})
	}
}

func TestApplyRefusesWhatIsNoUTF8(t *testing.T) {
	_, err := applyLines(t.Context(), brokenStore{}, strings.NewReader("{\"op\":\"group.create\",\"id\":\"\xff\"}"), applyOptions{
		name: "f", meter: &meter{},
	})
	if !errors.Is(err, metalog.ErrInvalid) || !strings.HasPrefix(err.Error(), "f:1: ") {
		t.Errorf("error %v", err)
	}
}

func TestCellText(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{"plain é", "plain é"},
		{"tab\tand\x1b[31mred", `"tab\tand\x1b[31mred"`},
		{int32(-1), "-1"},
		{events.BrokerIDs{3, 1}, "3,1"},
		{events.Config{"b": "2", "a": "1"}, "a=1 b=2"},
	} {
		if got := cellText(c.value); got != c.want {
			t.Errorf("%v: %s, want %s", c.value, got, c.want)
		}
	}
}
