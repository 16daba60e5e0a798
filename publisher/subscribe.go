package publisher

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// SubscribeOptions say what to read and from where. Cluster is required. Of
// From, Since and New at most one may be set; without any, reading begins with
// the first event of the stream.
type SubscribeOptions struct {
	Cluster string
	Filter  Filter

	From  events.Position // the first event to read
	Since time.Time       // begin with the first record of that time or later
	New   bool            // begin with what is published from now on

	LogID  uuid.UUID    // of the log; events of another one are an error. Default: that of the first message
	Logger *slog.Logger // default slog.Default
}

func (o SubscribeOptions) check() error {
	starts := 0
	for _, set := range []bool{o.From.Seq != 0, !o.Since.IsZero(), o.New} {
		if set {
			starts++
		}
	}
	if starts > 1 || o.From.Index < 0 || o.From.Seq == 0 && o.From.Index != 0 {
		return events.Errorf(events.CodeInvalid, "subscribe: want at most one of a position (seq 1 or more), a time, and new events only")
	}
	return checkCluster(o.Cluster)
}

// Subscribe reads the events that match the filter: each once and in log order,
// whatever happens to connection, server and stream in between. It waits for
// more at the end, and ends when the caller breaks off or with an error:
//   - ctx's, when ctx is done;
//   - ErrNotFound: there is no stream for the cluster (only at the start);
//   - ErrUnavailable: NATS can't be reached (only at the start; later it goes on
//     trying, and logs that);
//   - ErrOutOfRange: the start is gone, or not published yet;
//   - ErrCorrupt: events are missing or the log's history was changed;
//   - ErrConflict: the stream is of another log.
//
// A caller that keeps [Message.Next] with what it made of the message, and
// begins there as From the next time, misses and repeats nothing.
func Subscribe(ctx context.Context, js jetstream.JetStream, options SubscribeOptions) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		s, err := newSubscription(js, options)
		if err == nil {
			err = s.run(ctx, func(m *Message) bool { return yield(m, nil) })
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// subscription reads a stream. It belongs to one goroutine.
type subscription struct {
	js      jetstream.JetStream
	options SubscribeOptions
	subject string // filter; empty: all
	log     *slog.Logger
	begun   bool // a place to start was found
	order   order
}

func newSubscription(js jetstream.JetStream, options SubscribeOptions) (*subscription, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	s := &subscription{
		js:      js,
		options: options,
		log:     cmp.Or(options.Logger, slog.Default()).With("component", "subscriber", "cluster", options.Cluster),
		order:   order{logID: options.LogID, filtered: !options.Filter.all()},
	}
	if !options.Since.IsZero() {
		s.order.since = events.TimeOf(options.Since)
	}
	if s.order.filtered {
		var err error
		if s.subject, err = options.Filter.Subject(options.Cluster); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// run reads until yield returns false, ctx is done, or something fails for good.
func (s *subscription) run(ctx context.Context, yield func(*Message) bool) error {
	backoff := minBackoff
	for {
		before := s.order.next
		err := whileConnected(ctx, s.js.Conn(), func(ctx context.Context) error { return s.session(ctx, yield) })
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		cause, transient := errors.AsType[*retryError](err)
		if !transient {
			return err
		}
		if !s.begun {
			return events.Errorf(events.CodeUnavailable, "subscribe to cluster %s: %w; check that the server runs", s.options.Cluster, cause.err)
		}
		if s.order.next != before {
			backoff = minBackoff
		}
		s.log.Warn("subscription interrupted; continuing where it was", "error", err, "next", s.order.next.String(), "retry_in", backoff)
		if !sleep(ctx, backoff) {
			return ctx.Err()
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// session reads with one consumer, until it fails or yield returns false, which
// gives nil. A consumer of its own for each session, found by position and not
// by stream sequence, is what makes a stream that was made anew safe.
func (s *subscription) session(ctx context.Context, yield func(*Message) bool) error {
	stream, err := s.js.Stream(ctx, StreamName(s.options.Cluster))
	if errors.Is(err, jetstream.ErrStreamNotFound) && !s.begun {
		return events.Errorf(events.CodeNotFound, "there is no stream of cluster %q; check the name, and that its server publishes", s.options.Cluster)
	}
	if err != nil {
		return retry("stream: %w", err)
	}
	from, err := s.locate(ctx, locator{stream, stream.CachedInfo().State})
	if err != nil {
		return err
	}
	s.order.next, s.begun = from.next, true
	consumer, err := stream.CreateConsumer(ctx, s.consumerConfig(from.streamSeq))
	if err != nil {
		return retry("consumer: %w", err)
	}
	defer s.deleteConsumer(ctx, stream, consumer)
	return s.consume(ctx, consumer, yield)
}

// locate finds the place to start, or to continue.
func (s *subscription) locate(ctx context.Context, l locator) (place, error) {
	switch {
	case s.order.next.Seq != 0:
		return l.position(ctx, s.order.next)
	case s.options.From.Seq != 0:
		if err := l.checkReached(ctx, s.options.From); err != nil {
			return place{}, err
		}
		return l.position(ctx, s.options.From)
	case !s.options.Since.IsZero():
		return l.time(ctx, s.options.Since)
	case s.options.New && !s.begun:
		return l.end(ctx)
	default:
		return l.start(ctx)
	}
}

const (
	heartbeat        = 2 * time.Second // of an idle consumer; after two without, it is made anew
	inactive         = time.Minute     // after which the server removes a consumer that nobody reads
	deleteTimeout    = 2 * time.Second
	prefetchMessages = 1000
)

func (s *subscription) consumerConfig(startSeq uint64) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       startSeq,
		AckPolicy:         jetstream.AckNonePolicy,
		FilterSubject:     s.subject,
		InactiveThreshold: inactive,
		MemoryStorage:     true,
		Replicas:          1,
	}
}

// deleteConsumer spares the server the wait; if it fails, the server removes the
// consumer by itself.
func (s *subscription) deleteConsumer(ctx context.Context, stream jetstream.Stream, consumer jetstream.Consumer) {
	if !s.js.Conn().IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	if err := stream.DeleteConsumer(ctx, consumer.CachedInfo().Name); err != nil {
		s.log.Debug("consumer not deleted", "error", err)
	}
}

func (s *subscription) consume(ctx context.Context, consumer jetstream.Consumer, yield func(*Message) bool) error {
	messages, err := consumer.Messages(
		jetstream.PullMaxMessages(prefetchMessages),
		jetstream.PullHeartbeat(heartbeat),
		jetstream.WithMessagesErrOnMissingHeartbeat(true),
	)
	if err != nil {
		return retry("consumer: %w", err)
	}
	defer messages.Stop()
	for delivered := uint64(1); ; delivered++ {
		raw, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return retry("next message: %w", err)
		}
		m, err := s.accept(raw, delivered)
		if err != nil {
			return err
		}
		if m != nil && !yield(m) {
			return nil
		}
	}
}

// accept returns the message with the events that come next, or nil when there
// are none in it. It has to be the consumer's delivered-th message.
func (s *subscription) accept(raw jetstream.Msg, delivered uint64) (*Message, error) {
	meta, err := raw.Metadata()
	if err != nil {
		return nil, retry("next message: %w", err)
	}
	if meta.Sequence.Consumer != delivered {
		return nil, retry("the consumer's message %d came instead of %d", meta.Sequence.Consumer, delivered)
	}
	m, err := parseMessage(raw.Subject(), raw.Headers(), raw.Data(), meta.Sequence.Stream)
	if err != nil {
		return nil, err
	}
	return s.order.accept(m)
}
