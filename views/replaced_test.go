package views

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGiveBack: a replaced file is cut until no more is left than its closing may give back
// at once, or until the views are closed.
func TestGiveBack(t *testing.T) {
	left := func(hurry chan struct{}) int64 {
		file, err := os.Create(filepath.Join(t.TempDir(), "old"))
		must(t, err)
		defer file.Close()
		must(t, file.Truncate(9*givenBack+1))
		must(t, giveBack(file, hurry))
		return size(t, file.Name())
	}
	if got := left(make(chan struct{})); got > givenBack {
		t.Errorf("%d bytes left", got)
	}
	closed := make(chan struct{})
	close(closed)
	if got := left(closed); got <= givenBack {
		t.Errorf("%d bytes left by one in a hurry", got)
	}
}
