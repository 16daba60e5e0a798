package events

import (
	"errors"
	"io/fs"
	"testing"
)

func TestErrorHasOneCode(t *testing.T) {
	inner := Errorf(CodeOutcomeUnknown, "append: %w", fs.ErrPermission)
	outer := Errorf(CodeUnavailable, "stopped (%w)", inner)
	if !errors.Is(outer, ErrUnavailable) || errors.Is(outer, ErrOutcomeUnknown) {
		t.Errorf("%v is of the codes of all in its chain", outer)
	}
	if !errors.Is(outer, fs.ErrPermission) || !errors.Is(inner, ErrOutcomeUnknown) {
		t.Errorf("%v lost its cause", outer)
	}
	if want := "stopped (append: permission denied)"; outer.Error() != want {
		t.Errorf("got %q, want %q", outer, want)
	}
	if code := CodeOf(errors.Join(fs.ErrClosed, outer)); code != CodeUnavailable {
		t.Errorf("code %s", code)
	}
}
