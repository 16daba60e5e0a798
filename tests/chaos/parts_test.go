package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/publisher"
)

const cluster = "chaos"

func (c partConfig) url() string { return fmt.Sprintf("nats://127.0.0.1:%d", c.Port) }

// connect also returns without a server, which is then waited for.
func (c partConfig) connect() (jetstream.JetStream, error) {
	conn, err := nats.Connect(c.url(),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectBufSize(-1), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return nil, err
	}
	return jetstream.New(conn)
}

func runNATS(ctx context.Context, c partConfig) error {
	_, err := natsserver.Start(ctx, natsserver.Options{StoreDir: c.Dir, Port: c.Port, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		select {}
	}
	return err
}

// runStore is a server: digests, snapshots and segments come often enough for
// each round to meet some.
func runStore(ctx context.Context, c partConfig) error {
	store, err := metalog.Open(ctx, metalog.Options{
		Path: c.Dir, Logger: slog.Default(), SweepInterval: -1,
		SegmentSize: 128 << 10, MaxPendingBytes: 256 << 10, FlushInterval: 50 * time.Millisecond,
		DigestEvery: 100, SnapshotEvery: 400,
	})
	if err != nil {
		return err
	}
	js, err := c.connect()
	if err != nil {
		return err
	}
	info, err := store.Info(ctx)
	if err != nil {
		return err
	}
	p, err := publisher.New(store.Log(), js, publisher.Options{
		Cluster: cluster, LogID: info.LogID, Epoch: info.Epoch, CheckEvery: 100 * time.Millisecond, AckTimeout: time.Second,
	})
	if err != nil {
		return err
	}
	offerer, err := publisher.NewOfferer(store, js, publisher.OfferOptions{Cluster: cluster, LogID: info.LogID})
	if err != nil {
		return err
	}
	for { // like everything that begins with NATS, once that is there
		if _, err = service.Start(store, js.Conn(), service.Options{Cluster: cluster}); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	var working sync.WaitGroup
	errs := make(chan error, 2)
	working.Go(func() { errs <- p.Run(ctx) })
	working.Go(func() { errs <- offerer.Run(ctx) })
	return <-errs
}

// runReplica follows.
func runReplica(ctx context.Context, c partConfig) error {
	js, err := c.connect()
	if err != nil {
		return err
	}
	r, err := follow(ctx, c, js)
	if err != nil {
		return err
	}
	<-r.Done()
	return r.Err()
}

// follow waits for a server to begin with.
func follow(ctx context.Context, c partConfig, js jetstream.JetStream) (*publisher.Replica, error) {
	for {
		r, err := publisher.Follow(ctx, c.Dir, js, publisher.FollowOptions{Cluster: cluster, FlushInterval: 50 * time.Millisecond})
		if !errors.Is(err, events.ErrUnavailable) || ctx.Err() != nil {
			return r, err
		}
	}
}
