package eventlog

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/metalog/metalog/events"
)

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	lock, err := Lock(dir, "pid 17 (metalog serve)")
	if err != nil {
		t.Fatal(err)
	}
	wantHeld(t, dir, "pid 17 (metalog serve)", "--server")

	if err := lock.SetHolder("pid 17 (metalog serve), nats://127.0.0.1:4222"); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, dir, "nats://127.0.0.1:4222")

	if err := lock.SetHolder(""); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, dir, "another process")

	for range 2 {
		if err := lock.Unlock(); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Lock(dir, "pid 18")
	if err != nil {
		t.Fatalf("lock after unlock: %v", err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	wantHeld(t, dir, "pid 18")
	if err := again.Unlock(); err != nil {
		t.Fatal(err)
	}
}

// wantHeld checks that a second opener is refused with a message that has words.
func wantHeld(t *testing.T, dir string, words ...string) {
	t.Helper()
	_, err := Lock(dir, "second")
	if !errors.Is(err, events.ErrUnavailable) {
		t.Fatalf("second lock: %v, want ErrUnavailable", err)
	}
	for _, word := range append(words, dir) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("message %q does not have %q", err, word)
		}
	}
}
