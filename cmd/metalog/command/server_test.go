package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/natsserver"
)

func TestMain(m *testing.M) {
	// A NATS server that is shut down while it makes a stream forgets these.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server.(*fileStore).flushStreamStateLoop"),
		goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"),
	)
}

// startServer runs a server on free ports.
func startServer(t *testing.T) *server {
	t.Helper()
	s := newServer(serveOptions{
		data: t.TempDir(), cluster: "test", natsPort: natsserver.RandomPort, http: "127.0.0.1:0",
		logger: slog.New(slog.DiscardHandler),
	})
	err := s.start(t.Context())
	t.Cleanup(func() {
		if err := s.stop(context.Background()); err != nil && s.published.Load() == nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + s.http.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestHTTP(t *testing.T) {
	s := startServer(t)
	if err := s.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/healthz": "ok",
		"/readyz":  "ready",
		"/metrics": `metalog_request_seconds_count{code="ok",op="info"} 1`,
	} {
		status, body := s.get(t, path)
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: status %d, no %q in:\n%s", path, status, want, body)
		}
	}
	_, body := s.get(t, "/metrics")
	for _, want := range []string{"metalog_seq 1\n", "metalog_writable 1\n", "metalog_publisher_running 1\n", `metalog_entities{kind="topics"} 0`} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics have no %q", want)
		}
	}
}

func TestNotReadyWithoutPublisher(t *testing.T) {
	s := startServer(t)
	failure := errors.New("the stream is of another log")
	s.published.Store(&failure)
	status, body := s.get(t, "/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, failure.Error()) {
		t.Errorf("status %d, %q", status, body)
	}
	if _, body := s.get(t, "/metrics"); !strings.Contains(body, "metalog_publisher_running 0\n") {
		t.Error("metrics say that the publisher runs")
	}
}

// TestNotReadyWhenTheStoreStopped has something else write to the log under a
// server's feet, so that the next append fails: no more writes, but reads go on.
func TestNotReadyWhenTheStoreStopped(t *testing.T) {
	s := startServer(t)
	segments, err := filepath.Glob(filepath.Join(s.opts.data, "log", "0*"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	foreign := bytes.Repeat([]byte{0xff}, 64<<10)
	if err := appendTo(segments[0], foreign); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.CreateGroup(t.Context(), metalog.CreateGroup{ID: "g"}); !errors.Is(err, metalog.ErrOutcomeUnknown) {
		t.Fatalf("write: %v, want outcome_unknown", err)
	}
	if status, body := s.get(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "stopped writing") {
		t.Errorf("status %d, %q", status, body)
	}
	if _, err := s.store.CreateGroup(t.Context(), metalog.CreateGroup{ID: "h"}); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("later write: %v, want unavailable", err)
	}
	if groups, err := metalog.Collect(s.store.ListGroups(t.Context())); err != nil || len(groups) != 0 {
		t.Errorf("read: %v, %v", groups, err)
	}
}

func appendTo(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// TestPortInUse starts a second server where the first one listens, and wants it
// to leave nothing behind.
func TestPortInUse(t *testing.T) {
	first := startServer(t)
	second := newServer(serveOptions{
		data: t.TempDir(), cluster: "test", natsPort: natsserver.RandomPort, http: first.http.Addr().String(),
		logger: slog.New(slog.DiscardHandler),
	})
	err := second.start(t.Context())
	if !errors.Is(err, metalog.ErrUnavailable) || !strings.Contains(err.Error(), "--http") {
		t.Errorf("error %v, want unavailable with the way out", err)
	}
	if err := second.stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// follow runs a tail that follows, and returns its lines and how to end it.
func follow(t *testing.T, args ...string) (lines *bufio.Scanner, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- Run(ctx, append(args, "events", "tail", "--follow", "-o", "jsonl"), Streams{Out: write, Err: &stderr})
		write.Close()
	}()
	return bufio.NewScanner(read), func() int {
		cancel()
		got := <-status
		t.Log(stderr.String())
		return got
	}
}

func TestTailFollowsServer(t *testing.T) {
	s := startServer(t)
	lines, end := follow(t, "--server", s.nats.ClientURL(), "--cluster", "test")
	for i, id := range []string{"", "a", "b"} { // the first event is the log's own
		if i > 0 {
			if _, err := s.store.CreateGroup(t.Context(), metalog.CreateGroup{ID: id}); err != nil {
				t.Fatal(err)
			}
		}
		if !lines.Scan() || !strings.Contains(lines.Text(), `"entity":"group/`+id) && i > 0 {
			t.Fatalf("event %d: %s; status %d", i, lines.Text(), end())
		}
	}
	if status := end(); status != 0 {
		t.Errorf("status %d after an interrupt", status)
	}
}

func TestTailFollowsDirectory(t *testing.T) {
	dir := t.TempDir()
	if status := Run(t.Context(), []string{"--data", dir, "group", "create", "g"}, Streams{Out: io.Discard, Err: io.Discard}); status != 0 {
		t.Fatal(status)
	}
	lines, end := follow(t, "--data", dir)
	for _, want := range []string{"EpochStarted", "GroupCreated"} {
		if !lines.Scan() || !strings.Contains(lines.Text(), want) {
			t.Fatalf("%s, want %s", lines.Text(), want)
		}
	}
	if status := end(); status != 0 {
		t.Errorf("status %d after an interrupt", status)
	}
}
