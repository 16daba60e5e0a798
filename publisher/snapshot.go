package publisher

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// SnapshotReader reads the snapshot that a subscription begins with.
type SnapshotReader func(ctx context.Context, at replay.Snapshot, r *views.Reader) error

func readSnapshot(ctx context.Context, js jetstream.JetStream, options SubscribeOptions) (Checkpoint, error) {
	panic("todo")
}

// oldestOffer returns the seq of the oldest snapshot on offer, 0 for none.
func (p *Publisher) oldestOffer(ctx context.Context) (uint64, error) {
	offers, err := Offers(ctx, p.js, p.options.Cluster)
	if err != nil || len(offers) == 0 {
		return 0, err
	}
	return offers[0].Seq, nil
}
