package command

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
)

// runReplica runs the command until end is called, and returns where it listens.
func runReplica(t *testing.T, server, dir string) (address string, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	var stderr bytes.Buffer
	status := make(chan int, 1)
	go func() {
		status <- Run(ctx, []string{"replica", "--server", server, "--cluster", "test", "--dir", dir, "--listen", "127.0.0.1:-1"},
			Streams{Out: write, Err: &stderr})
		write.Close()
	}()
	end = func() int {
		cancel()
		go io.Copy(io.Discard, read)
		got := <-status
		t.Log(stderr.String())
		return got
	}
	listens := regexp.MustCompile(`metalog --server (\S+) topic list`)
	for lines := bufio.NewScanner(read); lines.Scan(); {
		if found := listens.FindStringSubmatch(lines.Text()); found != nil {
			return found[1], end
		}
	}
	t.Fatalf("the replica does not tell where it listens; status %d", end())
	return "", nil
}

// TestReplicaCommand reads through a replica what was written to its server, also
// after either was started again.
func TestReplicaCommand(t *testing.T) {
	s := startServer(t)
	dir := t.TempDir()
	for _, id := range []string{"a", "b"} {
		address, end := runReplica(t, s.nats.ClientURL(), dir)
		result, err := s.store.CreateGroup(t.Context(), metalog.CreateGroup{ID: id})
		if err != nil {
			t.Fatal(err)
		}
		c, err := client.Connect(t.Context(), address, client.Options{Cluster: "test"})
		if err != nil {
			t.Fatal(err)
		}
		view, err := c.View(t.Context(), result.Seq) // waits until the replica is there
		if err != nil {
			t.Fatal(err)
		}
		if g, err := view.GetGroup(t.Context(), id); err != nil || g.Revision != result.Seq {
			t.Errorf("group %+v, %v", g, err)
		}
		info, err := view.Info(t.Context())
		if err != nil || info.Writable || info.Replica == nil || info.Replica.Of != s.nats.ClientURL() || info.Seq != result.Seq {
			t.Errorf("info %+v, %v", info, err)
		}
		for what, err := range map[string]error{
			"command": refusedBy(c.CreateGroup(t.Context(), metalog.CreateGroup{ID: "x"})),
			"backup":  refusedBy(c.Backup(t.Context(), dir)),
		} {
			if !errors.Is(err, metalog.ErrForbidden) || !strings.Contains(err.Error(), s.nats.ClientURL()) {
				t.Errorf("%s: %v, want forbidden naming the server", what, err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if status := end(); status != 0 {
			t.Errorf("status %d after an interrupt", status)
		}
	}
}

func refusedBy[T any](_ T, err error) error { return err }

// TestReplicaCommandRefuses wants the exit status and one clear line.
func TestReplicaCommandRefuses(t *testing.T) {
	s := startServer(t)
	other := newServer(serveOptions{data: t.TempDir(), cluster: "test", natsPort: -1, logger: slog.New(slog.DiscardHandler)})
	if err := other.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	dir := t.TempDir()
	address, end := runReplica(t, s.nats.ClientURL(), dir)
	c, err := client.Connect(t.Context(), address, client.Options{Cluster: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.View(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	c.Close()
	end()
	for name, test := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"no server":         {[]string{"--dir", dir}, exitUsage, "--server"},
		"no directory":      {[]string{"--server", s.nats.ClientURL()}, exitUsage, "dir"},
		"nobody there":      {[]string{"--server", "nats://127.0.0.1:1", "--dir", t.TempDir()}, exitUnavailable, "metalog serve"},
		"another log":       {[]string{"--server", other.nats.ClientURL(), "--dir", dir}, exitRefused, "is of log"},
		"a public address":  {[]string{"--server", s.nats.ClientURL(), "--dir", dir, "--listen", "0.0.0.0:-1"}, exitRefused, "other machines"},
		"a store's":         {[]string{"--server", s.nats.ClientURL(), "--dir", s.opts.data}, exitRefused, "a store's"},
		"not an address":    {[]string{"--server", s.nats.ClientURL(), "--dir", dir, "--listen", "x"}, exitRefused, "HOST:PORT"},
		"an unknown server": {[]string{"--server", s.nats.ClientURL(), "--dir", t.TempDir(), "--cluster", "none"}, exitUnavailable, `cluster "none"`},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			args := append([]string{"replica", "--cluster", "test", "--log-level", "error"}, test.args...)
			status := Run(t.Context(), args, Streams{Out: io.Discard, Err: &stderr})
			if status != test.status || !strings.Contains(stderr.String(), test.says) || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("status %d, want %d with %q:\n%s", status, test.status, test.says, stderr.String())
			}
		})
	}
}
