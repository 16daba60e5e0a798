package command

import (
	"context"
	"errors"

	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
)

// ready says why the server can't do all of its work, or nil.
func (s *server) ready(ctx context.Context) error {
	info, err := s.store.Info(ctx)
	if err != nil {
		return err
	}
	if !info.Writable {
		return events.Errorf(events.CodeUnavailable, "the store stopped writing; its log says why, and opening it again repairs it")
	}
	if err := s.published.Load(); err != nil && *err != nil {
		return events.Errorf(events.CodeUnavailable, "publishing stopped: %w", *err)
	}
	if !s.serving.Load() {
		return events.Errorf(events.CodeUnavailable, "the server starts or stops; NATS at %s may not be reached yet", s.natsURL())
	}
	for name, nc := range s.connections() {
		if !nc.IsConnected() {
			return events.Errorf(events.CodeUnavailable, "NATS at %s can't be reached by the %s; commands in process go on, and so does all once it is back", s.natsURL(), name)
		}
	}
	return nil
}

// check asks for the server's state over NATS, and whether it is ready.
func (s *server) check(ctx context.Context) error {
	c, err := client.Connect(ctx, s.dialer.Address, client.Options{Cluster: s.opts.cluster, NATS: s.dialer.Options})
	if err != nil {
		return err
	}
	if _, err := c.Info(ctx); err != nil {
		return errors.Join(err, c.Close())
	}
	return errors.Join(s.ready(ctx), c.Close())
}
