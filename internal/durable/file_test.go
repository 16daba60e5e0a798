package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

var errInjected = errors.New("injected")

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"first", "", "a longer one"} {
		if err := WriteFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		wantContent(t, path, content)
	}
	wantMode(t, path, fileMode)
	wantNames(t, filepath.Dir(path), "file")
}

// A write that fails leaves the old content, and nothing beside it.
func TestReplaceFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	err := Replace(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, "ne"); err != nil {
			return err
		}
		return errInjected
	})
	if !errors.Is(err, errInjected) {
		t.Errorf("got %v", err)
	}
	wantContent(t, path, "old")
	wantNames(t, filepath.Dir(path), "file")
}

// What a crash left of an earlier write does not get into the next.
func TestReplaceOverLeftover(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path+TempSuffix, []byte("a long leftover"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	wantContent(t, path, "new")
}

func TestReplaceWithoutDirectory(t *testing.T) {
	err := WriteFile(filepath.Join(t.TempDir(), "none", "file"), nil)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestRename(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a", "one"), filepath.Join(dir, "b", "two")
	for _, path := range []string{from, to} {
		if err := MkdirAll(filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
		if err := WriteFile(path, []byte(path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Rename(from, to); err != nil {
		t.Fatal(err)
	}
	wantContent(t, to, from)
	wantNames(t, filepath.Dir(from))
	if err := Rename(from, to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("rename of nothing: %v", err)
	}
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	one, two, three := filepath.Join(dir, "one"), filepath.Join(dir, "two"), filepath.Join(dir, "three")
	for _, path := range []string{one, three} {
		if err := WriteFile(path, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove(one, two); err != nil {
		t.Fatal(err)
	}
	wantNames(t, dir, "three")
	if err := os.Mkdir(two, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(two, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Remove(two, three); err == nil {
		t.Error("removed a directory that is not empty")
	}
	wantNames(t, dir, "three", "two")
}

func TestMkdirAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b", "c")
	for range 2 {
		if err := MkdirAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	for ; filepath.Base(dir) != "a"; dir = filepath.Dir(dir) {
		wantMode(t, dir, fs.ModeDir|dirMode)
	}
	file := filepath.Join(dir, "file")
	if err := WriteFile(file, nil); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "below")} {
		if err := MkdirAll(path); err == nil {
			t.Errorf("made a directory of %s", path)
		}
	}
}

func TestSyncDirOfNothing(t *testing.T) {
	if err := SyncDir(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", filepath.Base(path), got, err, want)
	}
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode() != want {
		t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if len(got) != len(want) {
		t.Fatalf("names %q, want %q", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("names %q, want %q", got, want)
		}
	}
}
