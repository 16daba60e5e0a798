package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/metalog/metalog/events"
)

func TestEscapeText(t *testing.T) {
	for _, s := range []string{"", "alice", " a b ", "line\r\nbreak", "é\x00\xff", "50%", "a/b:c"} {
		escaped := EscapeText(s)
		if strings.ContainsFunc(escaped, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%q: %q does not fit a header", s, escaped)
		}
		back, err := UnescapeText(escaped)
		if err != nil || back != s {
			t.Errorf("%q: came back as %q, %v", s, back, err)
		}
	}
}

func TestParts(t *testing.T) {
	for _, c := range []struct{ size, parts int }{{0, 1}, {1, 1}, {MaxPart, 1}, {MaxPart + 1, 2}, {3*MaxPart - 1, 3}} {
		answer := bytes.Repeat([]byte("0123456789"), c.size/10+1)[:c.size]
		parts := Parts(answer)
		if len(parts) != c.parts {
			t.Errorf("%d bytes: %d parts, want %d", c.size, len(parts), c.parts)
		}
		if !bytes.Equal(bytes.Join(parts, nil), answer) {
			t.Errorf("%d bytes: the parts don't make up the answer", c.size)
		}
		for _, part := range parts {
			if len(part) > MaxPart {
				t.Errorf("%d bytes: a part of %d", c.size, len(part))
			}
		}
	}
}

func TestErrorKeepsItsCode(t *testing.T) {
	told := ErrorOf(events.Errorf(events.CodeFenced, "group %q: generation\n4 is over", "g"))
	if events.CodeOf(told.Err()) != events.CodeFenced || told.Err().Error() != "group \"g\": generation\n4 is over" {
		t.Errorf("came back as %v", told.Err())
	}
	if strings.Contains(told.Description(), "\n") {
		t.Errorf("description %q has a line break", told.Description())
	}
}

func TestLongErrorsAreCut(t *testing.T) {
	told := ErrorOf(events.Errorf(events.CodeInvalid, "%s", strings.Repeat("é", MaxPart)))
	if len(told.Message) > MaxPart/2 || !strings.HasPrefix(told.Message, "éé") || !strings.HasSuffix(told.Message, "é…") {
		t.Errorf("%d bytes, ending in %q", len(told.Message), told.Message[len(told.Message)-8:])
	}
	if n := len(told.Description()); n > 1024 {
		t.Errorf("description of %d bytes", n)
	}
}
