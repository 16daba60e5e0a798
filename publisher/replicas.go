package publisher

import (
	"context"
	"errors"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// MatchReplicas gives a stream that is there the number of replicas that the
// options ask for. It leaves a stream of another log alone, and is ErrUnavailable
// when NATS can't: the stream then stays as it is, and publishing to it goes on.
func (p *Publisher) MatchReplicas(ctx context.Context) error {
	name := StreamName(p.options.Cluster)
	stream, err := p.js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "stream %s: %w", name, err)
	}
	config := stream.CachedInfo().Config
	before := config.Replicas
	if before == p.options.Replicas || config.Metadata[metadataLogID] != p.options.LogID.String() {
		return nil
	}
	config.Replicas = p.options.Replicas
	if _, err := p.js.UpdateStream(ctx, config); err != nil {
		return events.Errorf(events.CodeUnavailable, "stream %s has %d replicas and can't get %d: %w; see that the NATS cluster has so many servers", name, before, p.options.Replicas, err)
	}
	p.log.Info("the stream's replicas were changed", "stream", name, "from", before, "to", p.options.Replicas)
	return nil
}
