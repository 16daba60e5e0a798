package bench

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/publisher"
)

const cluster = "bench"

var quiet = slog.New(slog.DiscardHandler)

// platform is a store and an embedded NATS server, as 'metalog serve' has them.
type platform struct {
	b     *testing.B
	store *metalog.Store
	nats  *natsserver.Server
}

func newPlatform(b *testing.B) *platform {
	b.Helper()
	p := &platform{b: b}
	var err error
	if p.store, err = metalog.Open(b.Context(), metalog.Options{Path: b.TempDir(), SnapshotEvery: -1}); err != nil {
		b.Fatal(err)
	}
	if p.nats, err = natsserver.Start(b.Context(), natsserver.Options{StoreDir: b.TempDir(), Port: natsserver.RandomPort, Logger: quiet}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		p.nats.Shutdown()
		if err := p.store.Close(); err != nil {
			b.Error(err)
		}
	})
	p.must(metalog.CreateTopic{Name: "orders", Partitions: 50, ReplicationFactor: 1})
	for g := range groups {
		p.must(metalog.CreateGroup{ID: groupID(g)})
	}
	return p
}

const groups = 1000

func groupID(n int) string { return fmt.Sprintf("orders-service-%d", n%groups) }

func (p *platform) must(cmd metalog.Command) {
	p.b.Helper()
	if _, err := p.store.Execute(p.b.Context(), cmd, metalog.CommandOptions{}); err != nil {
		p.b.Fatal(err)
	}
}

// commit is of the nth of a row of commits.
func commit(n, offsets int) metalog.CommitOffsets {
	cmd := metalog.CommitOffsets{Group: groupID(n), Offsets: make([]metalog.OffsetCommit, offsets)}
	for i := range cmd.Offsets {
		cmd.Offsets[i] = metalog.OffsetCommit{Topic: "orders", Partition: int32((n + i) % 50), Offset: int64(n)}
	}
	return cmd
}

// commitAll does so many commits, from many clients at once.
func (p *platform) commitAll(commits, offsets int) {
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 256 {
		clients.Go(func() {
			for n := next.Add(1); n <= int64(commits); n = next.Add(1) {
				if _, err := p.store.Execute(p.b.Context(), commit(int(n), offsets), metalog.CommandOptions{}); err != nil {
					p.b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
}

// connect opens a connection over TCP, as another process has it, or in process.
func (p *platform) connect(inProcess bool) jetstream.JetStream {
	p.b.Helper()
	url, options := p.nats.ClientURL(), []nats.Option(nil)
	if inProcess {
		options = p.nats.ConnectOptions()
	}
	conn, err := nats.Connect(url, options...)
	if err != nil {
		p.b.Fatal(err)
	}
	p.b.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		p.b.Fatal(err)
	}
	return js
}

// publish runs a publisher of the store's log until stop.
func (p *platform) publish(encoding publisher.Encoding) (pub *publisher.Publisher, stop func()) {
	p.b.Helper()
	info, err := p.store.Info(p.b.Context())
	if err != nil {
		p.b.Fatal(err)
	}
	pub, err = publisher.New(p.store.Log(), p.connect(true), publisher.Options{
		Cluster: cluster, LogID: info.LogID, Epoch: info.Epoch, Encoding: encoding, Logger: quiet,
	})
	if err != nil {
		p.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := pub.Run(ctx); err != nil {
			p.b.Error(err)
		}
	})
	return pub, func() { cancel(); running.Wait() }
}

// awaitPublished returns when the whole log is in the stream.
func (p *platform) awaitPublished(pub *publisher.Publisher) {
	if err := pub.WaitLag(p.b.Context(), 0); err != nil {
		p.b.Fatal(err)
	}
}

func (p *platform) deleteStream() {
	if err := p.connect(true).DeleteStream(p.b.Context(), publisher.StreamName(cluster)); err != nil {
		p.b.Fatal(err)
	}
}

// quantile of durations, in milliseconds.
func quantile(of []time.Duration, q float64) float64 {
	slices.Sort(of)
	return float64(of[int(q*float64(len(of)-1))].Microseconds()) / 1000
}
