package service

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// Options configure a service. The zero value is ready to use.
type Options struct {
	Cluster string // default wire.DefaultCluster
	Version string // of the program, as services tell it; default 0.0.0
	// MaxConcurrent is how many commands of a high rate, how many others, and how
	// many other requests are worked on at a time; default 1024. Commands that wait
	// for the same sync of the log each count, and so do those that come in one
	// request.
	MaxConcurrent int
	// Publisher, if not nil, tells how far publishing is, for info.
	Publisher func(ctx context.Context) *metalog.PublisherInfo
	// Observe is told of every request when it is answered; code is empty for
	// success. It is called from many goroutines.
	Observe func(op string, code events.Code, took time.Duration)
	Logger  *slog.Logger // default: no logs
}

func (o Options) withDefaults() Options {
	if o.Cluster == "" {
		o.Cluster = wire.DefaultCluster
	}
	if o.Version == "" {
		o.Version = "0.0.0"
	}
	if o.MaxConcurrent == 0 {
		o.MaxConcurrent = 1024
	}
	if o.Publisher == nil {
		o.Publisher = func(context.Context) *metalog.PublisherInfo { return nil }
	}
	if o.Observe == nil {
		o.Observe = func(string, events.Code, time.Duration) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Service answers requests until it is closed.
type Service struct {
	nc     *nats.Conn
	micro  micro.Service
	opts   Options
	ctx    context.Context // of all requests; done when Close gives up on them
	cancel context.CancelFunc
	active sync.WaitGroup // requests that are worked on

	// polls is of requests that wait for news; done when Close begins, so that it
	// need not wait for them.
	polls    context.Context
	endPolls context.CancelFunc

	// One slot is taken by each request that is worked on. Reads have slots of
	// their own, since they may wait for what a command is yet to write; log reads
	// others, since they wait for long; and so have commands of a high rate, which
	// may wait for the publisher.
	readSlots, commandSlots, highRateSlots, logSlots *slots
	logWaiting                                       chan struct{} // one slot is taken by each log read that waits

	takesBatches nats.Header // of answers to commands
}

// Start begins to answer all requests for a store. The connection stays the
// caller's, who closes it after the service; nobody else may subscribe on it.
func Start(store *metalog.Store, nc *nats.Conn, opts Options) (*Service, error) {
	return begin(nc, opts, "metadata store", func(s *Service) error { return s.listen(store) })
}

// StartReplica begins to answer reads of views that follow a server. What needs
// the store itself, such as every command, is refused as forbidden, naming that
// server.
func StartReplica(from Viewer, server string, nc *nats.Conn, opts Options) (*Service, error) {
	return begin(nc, opts, "replica of the metadata store", func(s *Service) error { return s.listenReplica(replica{from, server}) })
}

func begin(nc *nats.Conn, opts Options, what string, listen func(*Service) error) (*Service, error) {
	opts = opts.withDefaults()
	s := &Service{
		nc: nc, opts: opts,
		readSlots:     newSlots(opts.MaxConcurrent),
		commandSlots:  newSlots(opts.MaxConcurrent),
		highRateSlots: newSlots(opts.MaxConcurrent),
		logSlots:      newSlots(opts.MaxConcurrent),
		logWaiting:    make(chan struct{}, max(1, opts.MaxConcurrent/2)),
	}
	s.takesBatches = wire.BatchHeader(s.maxBatch())
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.polls, s.endPolls = context.WithCancel(s.ctx)
	var err error
	s.micro, err = micro.AddService(nc, micro.Config{
		Name: wire.ServiceName, Version: opts.Version,
		Description: what + " of cluster " + opts.Cluster,
		Metadata:    map[string]string{"cluster": opts.Cluster},
	})
	if err == nil {
		if err = listen(s); err != nil {
			err = errors.Join(err, s.micro.Stop())
		}
	}
	if err != nil {
		s.endPolls()
		s.cancel()
		return nil, unavailable(err)
	}
	return s, nil
}

func unavailable(err error) error {
	return events.Errorf(events.CodeUnavailable, "request API: %w; check the NATS server", err)
}

// listenViews subscribes to the operations that views answer.
func (s *Service) listenViews(from timeViewer) error {
	for _, o := range append(viewReads[:len(viewReads):len(viewReads)], s.info()) {
		if err := add(s, o, from, s.readSlots); err != nil {
			return err
		}
	}
	return nil
}

// listen subscribes to all operations, and returns when the server knows it.
func (s *Service) listen(store *metalog.Store) error {
	views := earlier{store, make(chan struct{}, max(1, s.opts.MaxConcurrent/2))}
	if err := s.listenViews(views); err != nil {
		return err
	}
	highRate := metalog.HighRateOps()
	for _, o := range storeReads {
		if err := add(s, o, store, s.readSlots); err != nil {
			return err
		}
	}
	for _, op := range metalog.Ops() {
		slots := s.commandSlots
		if slices.Contains(highRate, op) {
			slots = s.highRateSlots
		}
		if err := s.addCommand(op, store, slots); err != nil {
			return err
		}
	}
	log, err := logOf(s.ctx, store)
	if err != nil {
		return err
	}
	if err := add(s, s.logRead(log), store, s.logSlots); err != nil {
		return err
	}
	return s.nc.Flush()
}

// add subscribes to an operation, which is answered from an S.
func add[S any](s *Service, o operation[S], from S, slots *slots) error {
	return s.addEndpoint(o.op, handler(s, o, from, slots))
}

func (s *Service) addEndpoint(op string, h micro.Handler) error {
	name := strings.ReplaceAll(op, ".", "-")
	return s.micro.AddEndpoint(name, h, micro.WithEndpointSubject(wire.Subject(s.opts.Cluster, op)))
}

// handler works on each request in a goroutine of its own. It waits while there
// are too many: requests then stay in the connection's buffers.
func handler[S any](s *Service, o operation[S], from S, slots *slots) micro.Handler {
	return micro.HandlerFunc(func(r micro.Request) {
		slots.take(1)
		s.active.Go(func() {
			defer slots.give(1)
			s.serve(o.op, r, func() (answer, error) { return o.answer(s.ctx, from, r) })
		})
	})
}

// serve answers one request. Of the request it uses only what never changes.
func (s *Service) serve(op string, r micro.Request, work func() (answer, error)) {
	began := time.Now()
	answer, err := work()
	if err == nil && answer.rows != nil {
		answer, err = s.sendRows(r.Reply(), answer)
	}
	s.observe(op, err, time.Since(began))
	s.send(op, r, answer, err)
}

func (s *Service) observe(op string, err error, took time.Duration) {
	var code events.Code
	if err != nil {
		code = events.CodeOf(err)
	}
	s.opts.Observe(op, code, took)
}

// send sends an answer, or an error.
func (s *Service) send(op string, r micro.Request, a answer, failure error) {
	if err := s.respond(r.Reply(), a, failure); err != nil {
		s.opts.Logger.Warn("request not answered", "op", op, "err", err)
	}
}

// Close takes no more requests, answers those that have come, and returns. When
// ctx is done before that, the rest is given up: a command among them may or may
// not be done.
func (s *Service) Close(ctx context.Context) error {
	defer s.cancel()
	s.endPolls()
	if err := s.micro.Stop(); err != nil {
		return unavailable(err)
	}
	answered := make(chan error, 1)
	go func() { answered <- s.drain() }()
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		s.cancel()
		return <-answered
	}
}

// drain waits until all that was received is answered. The server sends nothing
// more once the first flush returns, the barrier is passed once all that it had
// sent was given to a handler. Without a connection nobody can be answered; what
// was received is done all the same.
func (s *Service) drain() error {
	flushErr := s.flush()
	delivered := make(chan struct{})
	err := s.nc.Barrier(func() { close(delivered) })
	if err == nil {
		<-delivered
	}
	s.active.Wait()
	if flushErr == nil {
		flushErr = s.flush()
	}
	if errors.Is(flushErr, nats.ErrDisconnected) {
		s.opts.Logger.Warn("stopped while NATS could not be reached; who waits for an answer gets none")
		flushErr = nil
	}
	if err = errors.Join(err, flushErr); err != nil {
		return unavailable(err)
	}
	return nil
}

// flush waits until the server has all that was sent; not for a server that is
// gone.
func (s *Service) flush() error {
	err := nats.ErrDisconnected
	if s.nc.IsConnected() {
		err = s.nc.Flush()
	}
	if err != nil && !s.nc.IsConnected() && !s.nc.IsClosed() {
		return nats.ErrDisconnected
	}
	return err
}
