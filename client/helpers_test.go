package client_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// openStore opens a store that gives the same answers as any other one that was
// given the same commands: its clock stands and its ids are counted.
func openStore(t testing.TB) *metalog.Store {
	t.Helper()
	var ids atomic.Uint64
	store, err := metalog.Open(t.Context(), metalog.Options{
		Path:          t.TempDir(),
		SweepInterval: -1,
		Clock:         func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC) },
		NewID: func() (id uuid.UUID) {
			binary.BigEndian.PutUint64(id[8:], ids.Add(1))
			return id
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// startNATS runs a NATS server.
func startNATS(t testing.TB) *natsserver.Server {
	t.Helper()
	server, err := natsserver.Start(t.Context(), natsserver.Options{
		StoreDir: t.TempDir(), Port: natsserver.RandomPort, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	return server
}

// serve answers requests for a store.
func serve(t testing.TB, store *metalog.Store, server *natsserver.Server, opts service.Options) {
	t.Helper()
	api, err := service.Start(store, connectNATS(t, server), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// connectNATS connects without a client.
func connectNATS(t testing.TB, server *natsserver.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func connect(t testing.TB, server *natsserver.Server, opts client.Options) *client.Client {
	t.Helper()
	c, err := client.Connect(t.Context(), server.ClientURL(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}
