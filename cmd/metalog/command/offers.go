package command

import (
	"context"

	"github.com/metalog/metalog/publisher"
)

// startOffers offers the store's snapshots to replicas. When that ends for good,
// the log has said why; the server goes on without.
func (s *server) startOffers(ctx context.Context) error {
	js, info, err := s.connectLog(ctx, "offers")
	if err != nil {
		return err
	}
	offerer, err := publisher.NewOfferer(s.store, js, publisher.OfferOptions{
		Cluster: s.opts.cluster, LogID: info.LogID, Replicas: s.opts.replicas, Logger: s.opts.logger,
	})
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- offerer.Run(running) }()
	s.onStop(func(context.Context) error {
		cancel()
		return <-ended
	})
	return nil
}
