package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
)

// load gives the server commands until it is stopped.
type load struct {
	client *client.Client
	done   atomic.Int64 // commands that were acknowledged
	seed   uint64
	stop   func()
}

const clients = 4

func startLoad(t *testing.T, url string, seed uint64) *load {
	t.Helper()
	c, err := client.Connect(t.Context(), url, client.Options{
		Cluster: cluster, Timeout: 2 * time.Second, NATS: []nats.Option{nats.ReconnectWait(20 * time.Millisecond), nats.RetryOnFailedConnect(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := &load{client: c, seed: seed}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	for n := range clients {
		working.Go(func() { l.work(ctx, n) })
	}
	l.stop = func() { cancel(); working.Wait() }
	t.Cleanup(func() {
		l.stop()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// work gives commands of one client. Refusals are part of it: clients get in each
// other's way.
func (l *load) work(ctx context.Context, n int) {
	rng := rand.New(rand.NewPCG(l.seed, uint64(n)))
	for ctx.Err() == nil {
		_, err := l.client.Execute(ctx, command(rng), metalog.CommandOptions{Actor: fmt.Sprint("client ", n)})
		switch events.CodeOf(err) {
		case events.CodeUnavailable, events.CodeOutcomeUnknown:
			if err != nil {
				sleep(ctx, 5*time.Millisecond) // a part is gone
			}
		}
		if err == nil {
			l.done.Add(1)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// command is of all kinds: single events, runs that share a message, and cascades
// over several subjects.
func command(rng *rand.Rand) metalog.Command {
	topic, group := fmt.Sprint("topic.", rng.IntN(8)), fmt.Sprint("group ", rng.IntN(4))
	switch kind := rng.IntN(100); {
	case kind < 8:
		return metalog.CreateTopic{Name: topic, Partitions: 20, ReplicationFactor: 1}
	case kind < 10:
		return metalog.DeleteTopic{Name: topic}
	case kind < 14:
		return metalog.CreateGroup{ID: group}
	case kind < 15:
		return metalog.CreateTopic{Name: rareTopic, Partitions: 1, ReplicationFactor: 1}
	case kind < 16:
		return metalog.DeleteTopic{Name: rareTopic}
	case kind < 30:
		return metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindTopic, ID: topic}, Config: events.Config{"retention.ms": fmt.Sprint(rng.IntN(1e6))}}
	}
	cmd := metalog.CommitOffsets{Group: group}
	for p := range 1 + rng.Int32N(20) {
		cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: topic, Partition: p, Offset: rng.Int64N(1e9)})
	}
	return cmd
}
