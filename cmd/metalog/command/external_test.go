package command

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/publisher"
)

var quiet = slog.New(slog.DiscardHandler)

// externalNATS is a server that can be taken away.
type externalNATS struct {
	t      *testing.T
	opts   natsserver.Options
	server *natsserver.Server
}

func startExternal(t *testing.T, opts natsserver.Options) *externalNATS {
	t.Helper()
	opts.StoreDir, opts.Port, opts.Logger = t.TempDir(), natsserver.RandomPort, quiet
	e := &externalNATS{t: t, opts: opts}
	e.start()
	u, err := url.Parse(e.server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	if e.opts.Port, err = strconv.Atoi(u.Port()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.server.Shutdown() })
	return e
}

func (e *externalNATS) start() {
	e.t.Helper()
	var err error
	if e.server, err = natsserver.Start(context.Background(), e.opts); err != nil {
		e.t.Fatal(err)
	}
}

// serverFor makes a server that is not started yet.
func (e *externalNATS) serverFor(change func(*serveOptions)) *server {
	opts := serveOptions{data: e.t.TempDir(), cluster: "test", external: e.server.ClientURL(), http: "127.0.0.1:0", logger: quiet}
	if change != nil {
		change(&opts)
	}
	return newServer(opts)
}

func mustStart(t *testing.T, s *server) {
	t.Helper()
	err := s.start(t.Context())
	t.Cleanup(func() {
		if err := s.stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestServeWaitsForNATS starts a server whose NATS is not there: it is not ready,
// and says so; it is once NATS comes.
func TestServeWaitsForNATS(t *testing.T) {
	external := startExternal(t, natsserver.Options{})
	waiting := make(chan struct{})
	s := external.serverFor(func(o *serveOptions) { o.waiting = func() { close(waiting) } })
	external.server.Shutdown()
	started := make(chan error, 1)
	go func() { started <- s.start(t.Context()) }()
	t.Cleanup(func() {
		if err := s.stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	<-waiting
	if status, body := s.get(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "NATS at nats://127.0.0.1:") {
		t.Errorf("while it waits: status %d, %q", status, body)
	}
	if _, err := s.store.CreateGroup(t.Context(), metalog.CreateGroup{ID: "g"}); err != nil {
		t.Errorf("a command in process: %v", err)
	}
	if status, body := s.get(t, "/metrics"); status != http.StatusOK || strings.Contains(body, "publisher_lag") {
		t.Errorf("metrics before there is a publisher: status %d", status)
	}
	external.start()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	if err := s.check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

// TestServeOutlivesNATS takes NATS away from a running server: it says so, its lag
// grows, and all is well again when NATS is back.
func TestServeOutlivesNATS(t *testing.T) {
	external := startExternal(t, natsserver.Options{})
	s := external.serverFor(nil)
	mustStart(t, s)
	p := s.publisher.Load()
	if err := p.WaitLag(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	lost := s.conns["publisher"].StatusChanged(nats.RECONNECTING)
	external.server.Shutdown()
	<-lost
	for _, id := range []string{"a", "b", "c"} {
		if _, err := s.store.CreateGroup(t.Context(), metalog.CreateGroup{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if status, body := s.get(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "can't be reached") {
		t.Errorf("without NATS: status %d, %q", status, body)
	}
	_, body := s.get(t, "/metrics")
	for _, want := range []string{
		"metalog_publisher_lag_records 3\n", "metalog_publisher_published_seq 1\n", "metalog_publisher_running 1\n",
		`metalog_nats_connected{connection="publisher"} 0`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics without NATS have no %q", want)
		}
	}
	if info := s.publisherInfo(t.Context()); info.LagRecords != 3 || info.LagSeconds <= 0 || info.Connected || !info.Running || info.Next.Seq != 2 {
		t.Errorf("info without NATS: %+v", info)
	}
	back := s.conns["service"].StatusChanged(nats.CONNECTED)
	external.start()
	<-back
	if err := p.WaitLag(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	if _, body := s.get(t, "/metrics"); !strings.Contains(body, `metalog_nats_reconnects_total{connection="publisher"} 1`) || !strings.Contains(body, "metalog_publisher_lag_records 0\n") {
		t.Error("metrics do not tell of the reconnect and no lag")
	}
}

// TestStopWithoutNATS: a server whose NATS is gone stops without an error.
func TestStopWithoutNATS(t *testing.T) {
	external := startExternal(t, natsserver.Options{})
	s := external.serverFor(nil)
	mustStart(t, s)
	lost := s.conns["service"].StatusChanged(nats.RECONNECTING)
	external.server.Shutdown()
	<-lost
}

// TestMaxPublishLag: a commit that waits for the publisher is told that it was not
// done when the server stops meanwhile.
func TestMaxPublishLag(t *testing.T) {
	external := startExternal(t, natsserver.Options{})
	s := external.serverFor(func(o *serveOptions) { o.maxLag = 1 })
	mustStart(t, s)
	p := s.publisher.Load()
	if err := p.WaitLag(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	lost := s.conns["publisher"].StatusChanged(nats.RECONNECTING)
	external.server.Shutdown()
	<-lost
	create := func(cmd metalog.Command) {
		t.Helper()
		if _, err := s.store.Execute(t.Context(), cmd, metalog.CommandOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	create(metalog.CreateGroup{ID: "g"})
	create(metalog.CreateTopic{Name: "t", Partitions: 1, ReplicationFactor: 1})
	commit := metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "t"}}}
	s.end(io.ErrUnexpectedEOF)
	_, err := s.store.CommitOffsets(t.Context(), commit)
	if err == nil || !strings.Contains(err.Error(), "2 records behind") || !strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
		t.Errorf("a commit: %v, want the lag and why the wait ended", err)
	}
}

func TestInfoShowsLag(t *testing.T) {
	external := startExternal(t, natsserver.Options{})
	s := external.serverFor(nil)
	mustStart(t, s)
	if err := s.publisher.Load().WaitLag(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"table", "json", "jsonl", "yaml"} {
		var out, failure bytes.Buffer
		status := Run(t.Context(), []string{"--server", external.server.ClientURL(), "--cluster", "test", "-o", format, "info"}, Streams{Out: &out, Err: &failure})
		if status != 0 || !strings.Contains(out.String(), "lag_records") || !strings.Contains(out.String(), "lag_seconds") {
			t.Errorf("%s: status %d, %s%s", format, status, out.String(), failure.String())
		}
		var info metalog.Info
		if format == "json" && (json.Unmarshal(out.Bytes(), &info) != nil || info.Publisher == nil || !info.Publisher.Running || info.Publisher.Next.Seq != 2) {
			t.Errorf("json: %s", out.String())
		}
	}
}

// TestRefusedNATS: what can't get better by waiting ends serve with one line.
func TestRefusedNATS(t *testing.T) {
	without := startExternal(t, natsserver.Options{NoJetStream: true})
	unreachable := startExternal(t, natsserver.Options{})
	unreachable.server.Shutdown()
	tests := []struct {
		name   string
		status int
		says   string
		args   []string
	}{
		{"no JetStream", exitUnavailable, "enable JetStream", []string{"--nats", without.server.ClientURL()}},
		{"checked and not there", exitUnavailable, "no NATS server answers at nats://u:xxxxx@127.0.0.1", []string{"--check", "--nats", strings.Replace(unreachable.server.ClientURL(), "//", "//u:secret@", 1)}},
		{"a scheme of another kind", exitUsage, `scheme "http"`, []string{"--nats", "http://127.0.0.1"}},
		{"no creds file", exitUsage, "--nats-creds: open nowhere", []string{"--nats", "127.0.0.1", "--nats-creds", "nowhere"}},
		{"creds for the embedded one", exitUsage, "go with --nats", []string{"--nats-creds", "nowhere"}},
		{"a port for an external one", exitUsage, "embedded NATS", []string{"--nats", "127.0.0.1", "--nats-port", "5"}},
		{"replicas of the embedded one", exitUsage, "--stream-replicas 3", []string{"--stream-replicas", "3"}},
		{"too many replicas", exitUsage, "1 to 5", []string{"--nats", "127.0.0.1", "--stream-replicas", "7"}},
		{"an unknown encoding", exitUsage, "json or cbor", []string{"--payload", "xml"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out, failure bytes.Buffer
			args := append([]string{"serve", "--data", t.TempDir(), "--http", ""}, test.args...)
			status := Run(t.Context(), args, Streams{Out: &out, Err: &failure})
			text := failure.String()
			if status != test.status || !strings.Contains(text, test.says) || strings.Count(text, "\n") != 1 || strings.Contains(text, "secret") {
				t.Errorf("status %d, %q: want %d and one line with %q", status, text, test.status, test.says)
			}
		})
	}
}

// TestPayload has a stream in each encoding.
func TestPayload(t *testing.T) {
	for flag, contentType := range map[publisher.Encoding]string{publisher.JSON: publisher.ContentJSON, publisher.CBOR: publisher.ContentCBOR} {
		external := startExternal(t, natsserver.Options{})
		s := external.serverFor(func(o *serveOptions) { o.payload = flag })
		mustStart(t, s)
		if err := s.publisher.Load().WaitLag(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		js, err := jetstream.New(s.conns["service"])
		if err != nil {
			t.Fatal(err)
		}
		stream, err := js.Stream(t.Context(), publisher.StreamName("test"))
		if err != nil {
			t.Fatal(err)
		}
		msg, err := stream.GetMsg(t.Context(), 1)
		if err != nil || msg.Header.Get(publisher.HeaderContentType) != contentType {
			t.Errorf("--payload %s: %v, %v", flag, msg, err)
		}
	}
}
