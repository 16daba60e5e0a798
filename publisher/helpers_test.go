package publisher

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsserver"
)

const testCluster = "test"

var quiet = slog.New(slog.DiscardHandler)

// ignoreNATSError keeps what the client reports of a lost connection, which many
// tests are about, off the output.
func ignoreNATSError(*nats.Conn, *nats.Subscription, error) {}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer is a NATS server that can be restarted at its address.
type testServer struct {
	t    testing.TB
	dir  string
	port int
	*natsserver.Server
}

func newServer(t testing.TB) *testServer {
	t.Helper()
	s := &testServer{t: t, dir: t.TempDir(), port: natsserver.RandomPort}
	s.start()
	t.Cleanup(func() { s.Shutdown() })
	u, err := url.Parse(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	if s.port, err = strconv.Atoi(u.Port()); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *testServer) start() {
	s.t.Helper()
	var err error
	if s.Server, err = natsserver.Start(context.Background(), natsserver.Options{StoreDir: s.dir, Port: s.port, Logger: quiet}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testServer) restart() {
	s.t.Helper()
	s.Shutdown()
	s.start()
}

// connect returns a connection of its own.
func (s *testServer) connect() jetstream.JetStream {
	s.t.Helper()
	conn, err := nats.Connect(s.ClientURL(), nats.ReconnectWait(5*time.Millisecond), nats.ReconnectJitter(0, 0), nats.MaxReconnects(-1), nats.ErrorHandler(ignoreNATSError))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		s.t.Fatal(err)
	}
	return js
}

func testOptions() Options {
	return Options{Cluster: testCluster, LogID: testLogID, Epoch: 1, Logger: quiet}
}

func newPublisher(t testing.TB, log Source, js jetstream.JetStream, options Options) *Publisher {
	t.Helper()
	p, err := New(log, js, options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// start runs the publisher until the test's end or until stop is called, which
// waits for it.
func start(t testing.TB, p *Publisher) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// publishAll publishes the whole log.
func publishAll(t testing.TB, log *memLog, js jetstream.JetStream, options Options) {
	t.Helper()
	stop := start(t, newPublisher(t, log, js, options))
	log.awaitPublished()
	stop()
}

func filled(seed uint64, n int) *memLog {
	log := newMemLog()
	log.fill(rand.New(rand.NewPCG(seed, 0)), n)
	return log
}

func streamOf(t testing.TB, js jetstream.JetStream) jetstream.Stream {
	t.Helper()
	stream, err := js.Stream(t.Context(), StreamName(testCluster))
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// storedEvents reads all events of the stream, message by message.
func storedEvents(t testing.TB, js jetstream.JetStream) []events.EventView {
	t.Helper()
	stream := streamOf(t, js)
	state := stream.CachedInfo().State
	var all []events.EventView
	for seq := state.FirstSeq; state.Msgs > 0 && seq <= state.LastSeq; seq++ {
		raw, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatalf("message %d: %v", seq, err)
		}
		m, err := parseMessage(raw.Subject, raw.Header, raw.Data, seq)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Events...)
	}
	return all
}

func logEvents(log *memLog) []events.EventView {
	var all []events.EventView
	for _, rec := range log.records {
		for i := range rec.Facts {
			all = append(all, rec.View(i))
		}
	}
	return all
}

// sameEvents compares events in full, by their JSON.
func sameEvents(t testing.TB, got, want []events.EventView) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if g, w := toJSON(t, got[i]), toJSON(t, want[i]); g != w {
			t.Fatalf("event %d:\n got %s\nwant %s", i, g, w)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// collect reads n events.
func collect(t testing.TB, js jetstream.JetStream, options SubscribeOptions, n int) []events.EventView {
	t.Helper()
	options.Cluster, options.Logger = testCluster, quiet
	var all []events.EventView
	for m, err := range Subscribe(t.Context(), js, options) {
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, m.Events...); len(all) >= n {
			break
		}
	}
	return all
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
