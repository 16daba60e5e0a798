package views

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGiveBack: closing a replaced file gives back little, unless it has another name.
func TestGiveBack(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "old"))
	must(t, err)
	defer file.Close()
	const size = 9*givenBack + 1
	must(t, file.Truncate(size))
	left := func() int64 {
		must(t, giveBack(file))
		info, err := file.Stat()
		must(t, err)
		return info.Size()
	}
	if got := left(); got != size {
		t.Errorf("%d bytes left of a file that has a name", got)
	}
	must(t, os.Remove(file.Name()))
	if got := left(); got > givenBack {
		t.Errorf("%d bytes left", got)
	}
}
