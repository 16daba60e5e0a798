package publisher

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// subscription reads a stream. It belongs to one goroutine.
type subscription struct {
	js       jetstream.JetStream
	options  SubscribeOptions
	subjects []string // that the consumer reads; none: all
	log      *slog.Logger
	found    bool // the stream was there
	begun    bool // a place to start is known
	order    order
	gapSince time.Time // when events were first missed at order.at; zero: none are
}

// run reads until yield returns false, ctx is done, or something fails for good.
func (s *subscription) run(ctx context.Context, yield func(*Message) bool) error {
	backoff := minBackoff
	for {
		before := s.order.at
		err := whileConnected(ctx, s.js.Conn(), func(ctx context.Context) error { return s.session(ctx, yield) })
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.order.at != before {
			backoff, s.gapSince = minBackoff, time.Time{}
		}
		if !s.passing(err) {
			return err
		}
		if !s.found {
			return events.Errorf(events.CodeUnavailable, "subscribe to cluster %s: %w; check that the server runs", s.options.Cluster, err)
		}
		s.log.Warn("subscription interrupted; continuing where it was", "error", err, "next", s.order.at.Next.String(), "retry_in", backoff)
		if !sleep(ctx, backoff) {
			return ctx.Err()
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// passing reports whether an error may be gone with the next session. Missing
// events may, for a while.
func (s *subscription) passing(err error) bool {
	if _, missing := errors.AsType[*GapError](err); missing {
		if s.gapSince.IsZero() {
			s.gapSince = time.Now()
		}
		return time.Since(s.gapSince) < s.options.GapTimeout
	}
	s.gapSince = time.Time{}
	_, transient := errors.AsType[*retryError](err)
	return transient
}

// session reads with one consumer, until it fails or yield returns false, which
// gives nil. A consumer of its own for each session, found by position and not
// by stream sequence, is what makes a stream that was made anew safe.
func (s *subscription) session(ctx context.Context, yield func(*Message) bool) error {
	stream, err := s.js.Stream(ctx, StreamName(s.options.Cluster))
	if errors.Is(err, jetstream.ErrStreamNotFound) && !s.found {
		return events.Errorf(events.CodeNotFound, "there is no stream of cluster %q; check the name, and that its server publishes", s.options.Cluster)
	}
	if err != nil {
		return retry("stream: %w", err)
	}
	l, err := newLocator(stream)
	if err != nil {
		return err
	}
	s.found = true
	created := stream.CachedInfo().Created
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := s.identify(l.origin); err != nil {
		return err
	}
	from, err := s.locate(ctx, l)
	if err != nil {
		return err
	}
	s.order.at.Next, s.begun = from.next, true
	consumer, err := stream.CreateConsumer(ctx, s.consumerConfig(from.streamSeq))
	if err != nil {
		return retry("consumer: %w", err)
	}
	defer s.deleteConsumer(ctx, stream, consumer)
	d := &delivery{stream: stream, consumer: consumer, created: created, covered: from.streamSeq - 1}
	if err := d.checkFront(ctx); err != nil { // the consumer may be of a stream that was made anew meanwhile
		return err
	}
	return s.consume(ctx, d, yield)
}

// begin reads the snapshot that the subscription begins with, if it does.
func (s *subscription) begin(ctx context.Context) error {
	if s.options.Snapshot == nil || s.begun {
		return nil
	}
	at, err := s.readSnapshot(ctx)
	if err == nil {
		s.order.at, s.begun = at, true
	}
	return err
}

// identify checks that the stream is of the history that was read before.
func (s *subscription) identify(o provenance) error {
	at := &s.order.at
	if at.LogID == uuid.Nil {
		at.LogID = o.logID
	}
	switch {
	case o.logID != at.LogID:
		return events.Errorf(events.CodeConflict, "the stream of cluster %q is of log %s, not of %s; check the cluster's name, or start anew", s.options.Cluster, o.logID, at.LogID)
	case o.epoch < at.Epoch:
		return fork(at.Last, 0, "epoch %d was read, the stream is of epoch %d", at.Epoch, o.epoch)
	case at.Epoch > 0 && o.epoch > at.Epoch && at.Last.Seq > o.fork:
		return fork(at.Last, o.fork, "the log was repaired: epoch %d begins after record %d", o.epoch, o.fork)
	}
	at.Epoch = o.epoch
	return nil
}

// locate finds the place to start, or to continue.
func (s *subscription) locate(ctx context.Context, l locator) (place, error) {
	switch {
	case s.order.at.Next.Seq != 0:
		return s.resume(ctx, l)
	case s.order.since != 0:
		return s.locateTime(ctx, l)
	case s.options.New:
		return l.end(ctx)
	default:
		return l.start(ctx)
	}
}

// resume finds the place of the next event wanted. Once it has begun, it waits
// for a stream that is filled again to come that far; only then can be told
// whether its history is the one that was read.
func (s *subscription) resume(ctx context.Context, l locator) (place, error) {
	at := s.order.at
	end, err := l.end(ctx)
	switch {
	case err != nil:
		return place{}, err
	case before(at.Next, events.Position{Seq: l.origin.start}):
		return place{}, s.outOfRange(ctx, l, end, "is not in the stream any more, which begins at %d.0", l.origin.start)
	case before(end.next, at.Next) && !s.begun:
		return place{}, s.outOfRange(ctx, l, end, "is not in the stream yet, the next one there is %s", end.next)
	case before(end.next, at.Next):
		return place{}, retry("the stream is being filled again and has come to %s", end.next)
	}
	hash, found, err := l.hashOf(ctx, at.Last.Seq)
	if err != nil {
		return place{}, err
	}
	if found && hash != at.Last.Hash {
		return place{}, fork(at.Last, at.Last.Seq-1, "the stream has hash %s for it, not %s", hash, at.Last.Hash)
	}
	return l.position(ctx, at.Next)
}

// locateTime finds the place of the first record at or after the time wanted.
func (s *subscription) locateTime(ctx context.Context, l locator) (place, error) {
	at, err := l.time(ctx, s.options.Since)
	if err != nil {
		return place{}, err
	}
	start := events.Position{Seq: l.origin.start}
	if at.next == start && start.Seq > 1 {
		end, err := l.end(ctx)
		if err != nil {
			return place{}, err
		}
		s.order.at.Next = start
		return place{}, s.outOfRange(ctx, l, end, "is the first that the stream still has; earlier ones may be of %s or later", s.options.Since.UTC().Format(time.RFC3339Nano))
	}
	return at, nil
}

// outOfRange tells what there is instead of the event wanted.
func (s *subscription) outOfRange(ctx context.Context, l locator, end place, format string, args ...any) error {
	e := &RangeError{Want: s.order.at.Next, First: events.Position{Seq: l.origin.start}, Next: end.next}
	way := "begin there, or read the log"
	offers, err := Offers(ctx, s.js, s.options.Cluster)
	switch {
	case err != nil:
		s.log.Warn("snapshots on offer not listed", "error", err)
	case len(offers) > 0:
		e.Snapshot = offers[len(offers)-1].Seq
		way = "begin there, or with the snapshot of seq %d"
		args = append(args, e.Snapshot)
	}
	e.err = events.Errorf(events.CodeOutOfRange, "event %s "+format+"; "+way, append([]any{e.Want}, args...)...)
	return e
}
