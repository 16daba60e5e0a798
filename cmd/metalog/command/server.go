package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsdial"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/publisher"
)

// serveOptions configure a server.
type serveOptions struct {
	data     string
	cluster  string
	demo     bool
	check    bool   // don't wait for NATS
	http     string // host:port; empty: no HTTP
	logLevel slog.Level
	logger   *slog.Logger

	external    string        // addresses of the NATS server; empty: one in process
	natsOptions []nats.Option // of connections to it
	waiting     func()        // told that it can't be reached; nil: nobody

	natsHost string // of the one in process, as are these
	natsPort int
	natsAuth natsserver.Auth

	payload       publisher.Encoding
	replicas      int    // of the stream; 0: 1, and those of a stream that is there
	retainRecords uint64 // of the stream; 0: all
	maxLag        uint64 // in records, before commands of a high rate wait; 0: none

	archiveTo     string
	archivePolicy metalog.ArchivePolicy
}

// server is the parts of a running server. HTTP answers while others start and
// stop, so what it looks at is guarded.
type server struct {
	opts    serveOptions
	metrics *metrics

	store  *metalog.Store
	nats   *natsserver.Server // nil: an external one
	dialer natsdial.Dialer    // of either
	http   net.Listener       // nil: none

	serving   atomic.Bool // all parts run
	publisher atomic.Pointer[publisher.Publisher]
	published atomic.Pointer[error]   // why publishing ended; nil while it runs
	life      context.Context         // done when the server stops, or publishing has ended
	end       context.CancelCauseFunc // of life

	mu    sync.Mutex
	conns map[string]*nats.Conn // by name; guarded by mu

	closers []func(context.Context) error // of what was started, in the order of the starts
}

func newServer(opts serveOptions) *server {
	s := &server{opts: opts, conns: map[string]*nats.Conn{}}
	s.life, s.end = context.WithCancelCause(context.Background())
	return s
}

// start starts all parts; HTTP early, so that it tells what the server waits for.
// Whatever it returns, stop has to follow.
func (s *server) start(ctx context.Context) error {
	for _, part := range []func(context.Context) error{
		s.openStore, s.startHTTP, s.startNATS, s.startPublisher, s.startOffers, s.startService,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	s.serving.Store(true)
	return nil
}

// stop stops what was started, the last one first.
func (s *server) stop(ctx context.Context) error {
	s.serving.Store(false)
	s.end(errors.New("the server stops"))
	var errs []error
	for _, stop := range slices.Backward(s.closers) {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}

func (s *server) onStop(stop func(context.Context) error) { s.closers = append(s.closers, stop) }

func (s *server) openStore(ctx context.Context) (err error) {
	opts := metalog.Options{
		Path: s.opts.data, Holder: s.holder(""), Logger: s.opts.logger, IndexHistory: true,
		ArchiveTo: s.opts.archiveTo, ArchivePolicy: s.opts.archivePolicy, Needed: s.unpublished,
	}
	if s.opts.maxLag > 0 {
		opts.Throttle = s.throttle
	}
	s.store, err = metalog.Open(ctx, opts)
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
