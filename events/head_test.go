package events

import (
	"errors"
	"strings"
	"testing"
)

func TestParseHead(t *testing.T) {
	want := Head{Seq: 42, Hash: Hash{0xab, 31: 1}}
	got, err := ParseHead(want.String())
	if err != nil || got != want {
		t.Errorf("%s: got %s, %v", want, got, err)
	}
	digits := want.Hash.String()
	for _, s := range []string{
		"", "42", ":", "42:", ":" + digits, "x:" + digits, "-1:" + digits, "0:" + digits,
		"42:" + digits[1:], "42:" + digits + "0", "42:" + strings.Replace(digits, "a", "g", 1), "42:" + digits + ":1",
	} {
		if got, err := ParseHead(s); !errors.Is(err, ErrInvalid) || got != (Head{}) {
			t.Errorf("%q: got %s, %v, want ErrInvalid", s, got, err)
		}
	}
}
