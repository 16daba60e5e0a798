package command

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsdial"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/publisher"
)

// streamDir is where the NATS server in process keeps its streams, in the data
// directory.
const streamDir = "nats"

// startNATS starts the server in process, or finds out how to reach another.
func (s *server) startNATS(ctx context.Context) (err error) {
	s.dialer = natsdial.Dialer{
		Address: s.opts.external, Options: s.opts.natsOptions,
		Once: s.opts.check, Waiting: s.opts.waiting, Logger: s.opts.logger,
	}
	if s.opts.external == "" {
		if err := s.embedNATS(ctx); err != nil {
			return err
		}
	}
	return s.store.SetHolder(s.holder(s.natsURL()))
}

func (s *server) embedNATS(ctx context.Context) (err error) {
	s.nats, err = natsserver.Start(ctx, natsserver.Options{
		StoreDir: filepath.Join(s.opts.data, streamDir),
		Host:     s.opts.natsHost,
		Port:     s.opts.natsPort,
		Auth:     s.opts.natsAuth,
		Logger:   s.opts.logger,
	})
	if err != nil {
		return err
	}
	s.dialer.Address, s.dialer.Options, s.dialer.Once = s.nats.ClientURL(), s.nats.ConnectOptions(), true
	s.onStop(func(context.Context) error { s.nats.Shutdown(); return nil })
	return nil
}

// natsURL is where others find the server's NATS, without passwords.
func (s *server) natsURL() string {
	if s.opts.external != "" {
		return natsdial.Redacted(s.opts.external)
	}
	return s.dialer.Address
}

func (s *server) natsKind() string {
	if s.opts.external != "" {
		return "external"
	}
	return "embedded"
}

// connect opens a connection, which is closed with the server.
func (s *server) connect(ctx context.Context, name string) (*nats.Conn, error) {
	nc, err := s.dialer.Dial(ctx, name)
	if err != nil {
		return nil, err
	}
	s.onStop(func(context.Context) error { nc.Close(); return nil })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[name] = nc
	return nc, nil
}

// connections are the server's own, by name.
func (s *server) connections() map[string]*nats.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.conns)
}

// connectLog opens a connection for what carries the log to NATS, and tells which
// log that is.
func (s *server) connectLog(ctx context.Context, name string) (js jetstream.JetStream, info metalog.Info, err error) {
	nc, err := s.connect(ctx, name)
	if err != nil {
		return nil, info, err
	}
	if js, err = jetstream.New(nc); err != nil {
		return nil, info, err
	}
	info, err = s.store.Info(ctx)
	return js, info, err
}

func (s *server) startPublisher(ctx context.Context) error {
	js, info, err := s.connectLog(ctx, "publisher")
	if err != nil {
		return err
	}
	options := publisher.Options{
		Cluster: s.opts.cluster, LogID: info.LogID, Epoch: info.Epoch, Logger: s.opts.logger,
		Encoding: s.opts.payload, Replicas: s.opts.replicas, RetainRecords: s.opts.retainRecords,
	}
	if info.Fork != nil {
		options.Fork = info.Fork.Seq
	}
	p, err := publisher.New(s.store.Log(), js, options)
	if err != nil {
		return err
	}
	if err := s.checkStream(ctx, js, p); err != nil {
		return err
	}
	s.publisher.Store(p)
	s.runPublisher(p)
	return nil
}

// checkStream finds out at the start what would else be repeated in the log for
// ever: that NATS can't hold the stream. A stream with another number of replicas
// than asked for gets that number, or a warning. What may pass is left to the
// publisher.
func (s *server) checkStream(ctx context.Context, js jetstream.JetStream, p *publisher.Publisher) error {
	_, err := js.Stream(ctx, publisher.StreamName(s.opts.cluster))
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
		return events.Errorf(events.CodeUnavailable, "NATS at %s keeps no streams: %w; enable JetStream there (nats-server -js, or jetstream in its configuration and for the account)", s.natsURL(), err)
	}
	if err == nil && s.opts.replicas > 0 {
		if err := p.MatchReplicas(ctx); err != nil {
			s.opts.logger.Warn("the stream's replicas stay as they are", "err", err)
		}
	}
	return nil
}

func (s *server) runPublisher(p *publisher.Publisher) {
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := p.Run(running)
		s.published.Store(&err)
		if err != nil {
			s.end(errors.New("publishing has ended for good, and the server's log says why"))
		}
	}()
	s.onStop(func(context.Context) error {
		cancel()
		<-ended
		return *s.published.Load()
	})
}

// publisherInfo tells how far publishing is.
func (s *server) publisherInfo(ctx context.Context) *metalog.PublisherInfo {
	p := s.publisher.Load()
	info := &metalog.PublisherInfo{Next: p.Position(), Running: true, Connected: true}
	if nc := s.connections()["publisher"]; nc != nil {
		info.Connected = nc.IsConnected()
	}
	lag, err := p.Lag(ctx)
	info.LagRecords, info.LagSeconds = lag.Records, lag.Age.Seconds()
	if ended := s.published.Load(); ended != nil {
		info.Running = false
		err = errors.Join(*ended, err)
	}
	if err != nil {
		info.Error = err.Error()
	}
	return info
}

// unpublished is the first seq that may not be published yet: it stays in the log.
func (s *server) unpublished() uint64 {
	p := s.publisher.Load()
	if p == nil {
		return 0 // it only starts: all of them
	}
	return p.Position().Seq
}

// maxThrottle bounds how long a command waits for the publisher: less than
// clients wait for an answer, so that they learn that it was not done.
const maxThrottle = 10 * time.Second

// throttle holds commands up while publishing is too far behind.
func (s *server) throttle(ctx context.Context) error {
	p := s.publisher.Load()
	if p == nil {
		return nil // it only starts
	}
	bounded, cancel := context.WithTimeout(ctx, maxThrottle)
	defer cancel()
	waiting, stop := context.WithCancelCause(bounded)
	defer stop(nil)
	unhook := context.AfterFunc(s.life, func() { stop(context.Cause(s.life)) })
	defer unhook()
	return p.WaitLag(waiting, s.opts.maxLag)
}

func (s *server) startService(ctx context.Context) error {
	nc, err := s.connect(ctx, "service")
	if err != nil {
		return err
	}
	api, err := service.Start(s.store, nc, service.Options{
		Cluster: s.opts.cluster, Logger: s.opts.logger, Observe: s.metrics.observe, Publisher: s.publisherInfo,
	})
	if err != nil {
		return err
	}
	s.onStop(api.Close)
	return nil
}
