package examples

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/publisher"
)

const cluster = "default"

var quiet = slog.New(slog.DiscardHandler)

// testServer is a NATS server that can be restarted at its address.
type testServer struct {
	t    *testing.T
	dir  string
	port int
	*natsserver.Server
}

func newServer(t *testing.T) *testServer {
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

func (s *testServer) connect() jetstream.JetStream {
	s.t.Helper()
	conn, err := nats.Connect(s.ClientURL(), nats.ReconnectWait(5*time.Millisecond), nats.MaxReconnects(-1), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
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

// world is a store whose events are published.
type world struct {
	t      *testing.T
	server *testServer
	js     jetstream.JetStream
	store  *storetest.Store
	stop   func() // publishing
	sent   int    // commands
}

func newWorld(t *testing.T, encoding publisher.Encoding) *world {
	t.Helper()
	w := &world{t: t, server: newServer(t), store: storetest.Open(t, func(o *metalog.Options) { o.DigestEvery = 50 })}
	w.js = w.server.connect()
	w.store.Must(metalog.CreateTopic{Name: "orders.v1", Partitions: 8, ReplicationFactor: 1})
	for n := range groups {
		w.store.Must(metalog.CreateGroup{ID: groupName(n)})
	}
	w.publish(encoding)
	t.Cleanup(func() { w.stop() })
	return w
}

// publish runs a publisher until w.stop, which waits for its end.
func (w *world) publish(encoding publisher.Encoding) {
	w.t.Helper()
	info := w.store.MustInfo()
	p, err := publisher.New(w.store.Log(), w.js, publisher.Options{
		Cluster: cluster, LogID: info.LogID, Epoch: info.Epoch, Encoding: encoding, CheckEvery: 10 * time.Millisecond, Logger: quiet,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("publishing: %v", err)
		}
	}
}

// send gives the store n commands, of which each second one, and the last one,
// commits offsets. It may run in a goroutine of its own.
func (w *world) send(n int) {
	for i := range n {
		w.sent++
		ctx, err := context.Background(), error(nil)
		if i%2 == 0 && i < n-1 {
			_, err = w.store.SetConfig(ctx, metalog.SetConfig{
				Scope:  events.EntityRef{Kind: events.KindTopic, ID: "orders.v1"},
				Config: events.Config{"retention.ms": strconv.Itoa(w.sent)},
			})
		} else {
			_, err = w.store.CommitOffsets(ctx, w.commit(w.sent))
		}
		if err != nil {
			w.t.Errorf("command %d: %v", w.sent, err)
			return
		}
	}
}

const groups = 7

func groupName(n int) string { return fmt.Sprintf("group %d", n) }

func (w *world) commit(n int) metalog.CommitOffsets {
	commit := metalog.CommitOffsets{Group: groupName(n % groups)}
	for p := range int32(1 + n%5) {
		commit.Offsets = append(commit.Offsets, metalog.OffsetCommit{Topic: "orders.v1", Partition: p, Offset: int64(n)})
	}
	return commit
}

func (w *world) streamName() string { return publisher.StreamName(cluster) }
