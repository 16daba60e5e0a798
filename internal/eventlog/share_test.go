package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/events"
)

func TestShare(t *testing.T) {
	dir := t.TempDir()
	mustShare(t, dir)() // a copy without a lock file
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Fatalf("the directory has %v, %v", entries, err)
	}

	lock, err := Lock(dir, "pid 17")
	if err != nil {
		t.Fatal(err)
	}
	if unlock, holder, err := Share(dir); unlock != nil || holder != "pid 17" || err != nil {
		t.Fatalf("shared beside a writer: holder %q, %v", holder, err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}

	first, second := mustShare(t, dir), mustShare(t, dir)
	first()
	if _, err := Lock(dir, "pid 18"); !errors.Is(err, events.ErrUnavailable) {
		t.Fatalf("locked while it is shared: %v", err)
	}
	second()
	if lock, err = Lock(dir, "pid 18"); err != nil {
		t.Fatalf("lock after sharing: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, lockFile), 0o400); err != nil {
		t.Fatal(err)
	}
	mustShare(t, dir)()
}

// mustShare returns what ends the sharing.
func mustShare(t *testing.T, dir string) func() {
	t.Helper()
	unlock, holder, err := Share(dir)
	if err != nil || unlock == nil {
		t.Fatalf("share: held by %q, %v", holder, err)
	}
	return func() {
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}
}
