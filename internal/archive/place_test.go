package archive

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/s3test"
)

func startS3(t *testing.T) *s3test.Server {
	t.Helper()
	s, err := s3test.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// s3Key sets the access key that this test uses.
func s3Key(t *testing.T, key string) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
}

func mustOpenPlace(t *testing.T, location string) Place {
	t.Helper()
	p, err := OpenPlace(location)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// All places do the same.
func TestPlaces(t *testing.T) {
	s3Key(t, s3test.AccessKey)
	for kind, location := range map[string]string{
		"directory": filepath.Join(t.TempDir(), "not", "there", "yet"),
		"bucket":    startS3(t).Location("some/prefix"),
		"root":      startS3(t).Location(""),
	} {
		t.Run(kind, func(t *testing.T) { testPlace(t, mustOpenPlace(t, location)) })
	}
}

func testPlace(t *testing.T, p Place) {
	ctx := t.Context()
	put := func(name string, data []byte) {
		t.Helper()
		if err := p.Put(ctx, name, writing(data)); err != nil {
			t.Fatal(err)
		}
	}
	if items, err := p.List(ctx, ""); err != nil || len(items) != 0 {
		t.Fatalf("a new place has %v, %v", items, err)
	}
	if _, err := read(ctx, p, "dir/one", 0, -1); !notThere(err) {
		t.Fatalf("read of nothing: %v", err)
	}
	large := bytes.Repeat([]byte("0123456789abcdef"), (wholeBytes+wholeBytes/2)/16)
	put("dir/one", []byte("first"))
	put("dir/one", []byte("hello, world"))
	put("dir/large", large)
	put("state", []byte("{}"))
	for _, want := range []struct {
		name      string
		offset, n int64
		data      string
	}{
		{"dir/one", 0, -1, "hello, world"},
		{"dir/one", 0, 5, "hello"},
		{"dir/one", 7, 3, "wor"},
		{"dir/one", 7, -1, "world"},
		{"dir/large", 0, -1, string(large)},
		{"dir/large", wholeBytes - 3, 6, string(large[wholeBytes-3:][:6])},
		{"state", 0, -1, "{}"},
	} {
		if got, err := read(ctx, p, want.name, want.offset, want.n); err != nil || string(got) != want.data {
			t.Errorf("%s, %d bytes from %d: %d bytes, %v", want.name, want.n, want.offset, len(got), err)
		}
	}
	if _, err := read(ctx, p, "dir/one", 7, 100); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("more than there is: %v", err)
	}
	items, err := p.List(ctx, "dir")
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Name, b.Name) })
	if want := []Item{{"dir/large", int64(len(large))}, {"dir/one", 12}}; err != nil || !slices.Equal(items, want) {
		t.Errorf("list: %v, %v; want %v", items, err, want)
	}
	if all, err := p.List(ctx, ""); err != nil || len(all) != 3 {
		t.Errorf("list of all: %v, %v", all, err)
	}
	testFailedPut(t, p)
	if err := p.Remove(ctx, "dir/one", "dir/one", "never/was"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if _, err := read(ctx, p, "dir/one", 0, -1); !notThere(err) {
		t.Errorf("read of what was removed: %v", err)
	}
	if err := p.Sweep(ctx, isOurs); err != nil {
		t.Errorf("sweep: %v", err)
	}
	if again := mustOpenPlace(t, p.String()); again.String() != p.String() {
		t.Errorf("location %s, then %s", p, again)
	}
}

// testFailedPut checks that a write that fails in the midst leaves the old content.
func testFailedPut(t *testing.T, p Place) {
	for _, begun := range []int{0, 100, wholeBytes + 100} {
		err := p.Put(t.Context(), "dir/one", func(w io.Writer) error {
			if _, err := w.Write(make([]byte, begun)); err != nil {
				return err
			}
			return errInjected
		})
		if err == nil {
			t.Errorf("a write that failed after %d bytes is told as done", begun)
		}
	}
	if got, err := read(t.Context(), p, "dir/one", 0, -1); err != nil || string(got) != "hello, world" {
		t.Errorf("after writes that failed: %q, %v", got, err)
	}
}

// The files of a directory are for the owner alone.
func TestDirectoryModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "archive")
	p := mustOpenPlace(t, dir)
	if err := p.Put(t.Context(), "sub/file", writing([]byte("x"))); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{"": 0o700, "sub": 0o700, "sub/file": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

// A directory that can't be made is told with the archive, and what to do.
func TestDirectoryInTheWay(t *testing.T) {
	t.Parallel()
	for what, dir := range map[string]string{"a file": "file/archive", "a missing directory": "link/archive"} {
		top := t.TempDir()
		if err := os.WriteFile(filepath.Join(top, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join(top, "nowhere"), filepath.Join(top, "link")); err != nil {
			t.Fatal(err)
		}
		p := mustOpenPlace(t, filepath.Join(top, dir))
		err := p.Put(t.Context(), "sub/file", writing([]byte("x")))
		if !errors.Is(err, events.ErrUnavailable) || !strings.HasPrefix(err.Error(), "archive "+p.String()+": ") || !strings.Contains(err.Error(), "; name a place") {
			t.Errorf("%s in the way: %v", what, err)
		}
	}
}

func TestLocations(t *testing.T) {
	t.Parallel()
	for location, want := range map[string]string{
		"":                             "no place was named",
		"gs://bucket":                  "no kind of place",
		"s3://":                        "it is s3://BUCKET",
		"s3:bucket":                    "it is s3://BUCKET",
		"s3://key:secret@bucket":       "credentials come from the environment",
		"s3://b?endpoint=ftp://x":      "no address",
		"s3://b?endpoint=minio:9000":   "no address",
		"s3://b?endpoint=http://h/p":   "no address",
		"s3://b?region=x&password=y":   `"password" is not known`,
		"s3://b/%zz":                   "can't be read",
		"s3://b?endpoint=http://u:p@h": "no address",
	} {
		_, err := OpenPlace(location)
		if !errors.Is(err, events.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", location, err)
			continue
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "u:p@") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the message shows a password, or is more than a line: %v", location, err)
		}
	}
	for _, location := range []string{"s3://bucket", "s3://bucket/", "s3://bucket/a/b", "s3://bucket/a?region=eu-west-1", "s3://b?endpoint=http://127.0.0.1:9000"} {
		if p, err := OpenPlace(location); err != nil || p.String() != location {
			t.Errorf("%s: %v, %v", location, p, err)
		}
	}
}

// A bucket that fails says so in one line, with a code that tells whether to try again.
func TestBucketFails(t *testing.T) {
	s := startS3(t)
	down := httptest.NewServer(nil)
	down.Close()
	tests := map[string]struct {
		key, location string
		want          error
		says          string
	}{
		"wrong credentials": {"stranger", s.Location("p"), events.ErrForbidden, "AWS_ACCESS_KEY_ID"},
		"no such bucket":    {s3test.AccessKey, strings.Replace(s.Location("p"), s3test.Bucket, "elsewhere", 1), events.ErrNotFound, "create it"},
		"unreachable":       {s3test.AccessKey, strings.Replace(s.Location("p"), s.URL, down.URL, 1), events.ErrUnavailable, "check the address"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s3Key(t, test.key)
			p := mustOpenPlace(t, test.location)
			_, err := Create(t.Context(), p, 1, Options{LogID: testLogID})
			check := func(what string, err error) {
				t.Helper()
				if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "very-secret") {
					t.Errorf("%s: %v", what, err)
				}
			}
			check("create", err)
			check("put", p.Put(t.Context(), "x", writing([]byte("y"))))
			_, err = p.List(t.Context(), "")
			check("list", err)
		})
	}
}

// Requests that fail now and then are tried again; a run that fails all the same
// leaves an archive that the next one completes.
func TestBucketFailsNowAndThen(t *testing.T) {
	s3Key(t, s3test.AccessKey)
	s := startS3(t)
	l := newTestLog(t, 6, 120, 8_000)
	p := mustOpenPlace(t, s.Location("flaky"))
	a := l.created(t, p)
	var n atomic.Int64
	s.Fail(func(*http.Request) bool { return n.Add(1)%3 == 1 })
	mustMove(t, l, a, 2)
	s.Fail(func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, manifestSuffix)
	})
	if err := l.move(t.Context(), a, 2); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	s.Fail(nil)
	again := l.created(t, p)
	mustMove(t, l, again, 2)
	if err := again.Sweep(t.Context(), l.First()); err != nil {
		t.Fatal(err)
	}
	checkNoWaste(t, again)
	l.checkAll(t, l.joined(again), 1)
}
