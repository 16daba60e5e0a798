package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/cmd/metalog/command"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/internal/storetest"
)

// run runs a command line and returns its exit status and its report.
func run(t *testing.T, args ...string) (status int, report metalog.VerifyReport, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = command.Run(t.Context(), append(args, "-o", "json"), command.Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v: %q, %s", err, out.String(), errs.String())
	}
	return status, report, errs.String()
}

// TestServer verifies what a server has, through it and beside it, before and
// after a bit of its log was changed.
func TestServer(t *testing.T) {
	s := storetest.Open(t, func(o *metalog.Options) { o.Holder = "a server under test" })
	s.Must(metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1})
	url := serve(t, s.Store)
	dir := s.Options.Path

	status, r, stderr := run(t, "verify", "--server", url, "--deep")
	if status != 0 || stderr != "" || !r.OK || r.HeldBy != "" || r.Views == nil || !r.Deep || r.Head != s.Log().Head() {
		t.Errorf("by the server: status %d, %s, %+v", status, stderr, r)
	}
	status, r, _ = run(t, "verify", "--data", dir)
	if status != 0 || !r.OK || r.HeldBy != "a server under test" || r.Views != nil || len(r.NotChecked) == 0 || r.Head != s.Log().Head() {
		t.Errorf("beside the server: status %d, %+v", status, r)
	}

	path := filepath.Join(dir, "log", "00000000000000000001")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(data)
	changed[30] ^= 1
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, target := range [][]string{{"--server", url}, {"--data", dir}} {
		status, r, stderr := run(t, append(target, "verify")...)
		if status != 3 || r.OK || r.FirstDamage == nil || r.FirstDamage.Seq != 1 || !strings.Contains(stderr, "seq 1, byte 0") {
			t.Errorf("%s: status %d, %s, %+v", target, status, stderr, r)
		}
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serve answers requests for a store, and returns the server's URL.
func serve(t *testing.T, store *metalog.Store) string {
	t.Helper()
	server, err := natsserver.Start(t.Context(), natsserver.Options{
		StoreDir: t.TempDir(), Port: natsserver.RandomPort, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	api, err := service.Start(store, nc, service.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return server.ClientURL()
}
