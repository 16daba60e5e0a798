package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/publisher"
)

// serveOptions configure a server.
type serveOptions struct {
	data     string
	cluster  string
	demo     bool
	natsHost string
	natsPort int
	natsAuth natsserver.Auth
	http     string // host:port; empty: no HTTP
	logLevel slog.Level
	logger   *slog.Logger
}

// streamDir is where the NATS server keeps its streams, in the data directory.
const streamDir = "nats"

// server is the parts of a running server.
type server struct {
	opts    serveOptions
	metrics *metrics

	store     *metalog.Store
	nats      *natsserver.Server
	publisher *publisher.Publisher
	http      net.Listener // nil: none

	published atomic.Pointer[error] // why publishing ended; nil while it runs

	closers []func(context.Context) error // of what was started, in the order of the starts
}

func newServer(opts serveOptions) *server { return &server{opts: opts} }

// start starts all parts. Whatever it returns, stop has to follow.
func (s *server) start(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		s.openStore, s.startNATS, s.startPublisher, s.startOffers, s.startService, s.startHTTP,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop stops what was started, the last one first.
func (s *server) stop(ctx context.Context) error {
	var errs []error
	for _, stop := range slices.Backward(s.closers) {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}

func (s *server) onStop(stop func(context.Context) error) { s.closers = append(s.closers, stop) }

func (s *server) openStore(ctx context.Context) (err error) {
	s.store, err = metalog.Open(ctx, metalog.Options{Path: s.opts.data, Holder: s.holder(""), Logger: s.opts.logger})
	if err != nil {
		return err
	}
	s.onStop(func(context.Context) error { return s.store.Close() })
	s.metrics = newMetrics(s)
	return nil
}

// holder is what others are told who try to open the data directory.
func (s *server) holder(url string) string {
	text := fmt.Sprintf("'metalog serve' (process %d)", os.Getpid())
	if url != "" {
		text += " at --server " + url
	}
	return text
}

func (s *server) startNATS(ctx context.Context) (err error) {
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
	s.onStop(func(context.Context) error { s.nats.Shutdown(); return nil })
	return s.store.SetHolder(s.holder(s.nats.ClientURL()))
}

// connect opens a connection in process, which is closed with the server.
func (s *server) connect(name string) (*nats.Conn, error) {
	nc, err := nats.Connect("", append(s.nats.ConnectOptions(), nats.Name("metalog "+name), nats.MaxReconnects(-1))...)
	if err != nil {
		return nil, events.Errorf(events.CodeUnavailable, "%s: %w", name, err)
	}
	s.onStop(func(context.Context) error { nc.Close(); return nil })
	return nc, nil
}

func (s *server) startPublisher(ctx context.Context) error {
	nc, err := s.connect("publisher")
	if err != nil {
		return err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	info, err := s.store.Info(ctx)
	if err != nil {
		return err
	}
	options := publisher.Options{Cluster: s.opts.cluster, LogID: info.LogID, Epoch: info.Epoch, Logger: s.opts.logger}
	if info.Fork != nil {
		options.Fork = info.Fork.Seq
	}
	s.publisher, err = publisher.New(s.store.Log(), js, options)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := s.publisher.Run(running)
		s.published.Store(&err)
	}()
	s.onStop(func(context.Context) error {
		cancel()
		<-ended
		return *s.published.Load()
	})
	return nil
}

func (s *server) startService(context.Context) error {
	nc, err := s.connect("service")
	if err != nil {
		return err
	}
	api, err := service.Start(s.store, nc, service.Options{
		Cluster: s.opts.cluster, Logger: s.opts.logger, Observe: s.metrics.observe,
	})
	if err != nil {
		return err
	}
	s.onStop(api.Close)
	return nil
}

// startHTTP serves what operators ask. It has no authentication, and therefore
// listens on this machine only.
func (s *server) startHTTP(context.Context) error {
	if s.opts.http == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(s.opts.http)
	if err != nil {
		return events.Errorf(events.CodeInvalid, "--http %q: %w; it is HOST:PORT, such as 127.0.0.1:7070", s.opts.http, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return events.Errorf(events.CodeForbidden, "--http %s: it can be reached from other machines, and has no authentication; listen on 127.0.0.1 behind a proxy that has", s.opts.http)
	}
	s.http, err = net.Listen("tcp", s.opts.http)
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "http on %s: %w; free the port or choose another with --http", s.opts.http, err)
	}
	httpServer := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- httpServer.Serve(s.http) }()
	s.onStop(func(ctx context.Context) error {
		err := httpServer.Shutdown(ctx)
		if serveErr := <-ended; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}
		return err
	})
	return nil
}

// ready says why the server can't do all of its work, or nil.
func (s *server) ready(ctx context.Context) error {
	info, err := s.store.Info(ctx)
	if err != nil {
		return err
	}
	if !info.Writable {
		return events.Errorf(events.CodeUnavailable, "the store stopped writing; its log says why, and opening it again repairs it")
	}
	if err := s.published.Load(); err != nil {
		return events.Errorf(events.CodeUnavailable, "publishing stopped: %w", *err)
	}
	return nil
}

// check asks for the server's state over NATS, and whether it is ready.
func (s *server) check(ctx context.Context) error {
	c, err := client.Connect(ctx, s.nats.ClientURL(), client.Options{Cluster: s.opts.cluster, NATS: s.nats.ConnectOptions()})
	if err != nil {
		return err
	}
	if _, err := c.Info(ctx); err != nil {
		return errors.Join(err, c.Close())
	}
	return errors.Join(s.ready(ctx), c.Close())
}
