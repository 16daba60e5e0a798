package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	batchSize = 256
	fetchWait = time.Second
	inactive  = time.Minute // after which the server removes a consumer that nobody reads
)

// subscriber counts the events of a cluster. It belongs to one goroutine.
type subscriber struct {
	js     jetstream.JetStream
	stream string
	root   string   // "metalog.<cluster>.events."
	filter string   // subject; empty: everything
	marks  []string // subjects of the consumer when there is a filter
	state  *state

	epoch, fork  uint64    // of the stream, since the session began
	missingSince time.Time // when the stream was first seen to begin beyond the place; zero: it does not
}

func newSubscriber(js jetstream.JetStream, cluster, filter string, state *state) *subscriber {
	s := &subscriber{js: js, stream: "METALOG_" + cluster, root: "metalog." + cluster + ".events.", state: state}
	if filter == "" {
		return s
	}
	s.filter = s.root + filter
	s.marks = []string{s.filter}
	// Marks come every 10,000 records: with them the place of a rare filter moves on.
	if mark := s.root + "cluster._.DigestRecorded"; !matches(s.filter, mark) {
		s.marks = append(s.marks, mark)
	}
	return s
}

// session reads with one consumer, until something fails. Its place is found by
// position, never by stream sequence: the stream may have been made anew.
func (s *subscriber) session(ctx context.Context) error {
	stream, err := s.js.Stream(ctx, s.stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", s.stream, err)
	}
	info := stream.CachedInfo()
	if err := s.check(info); err != nil {
		return err
	}
	at, err := s.locate(ctx, stream, info.State)
	if err != nil {
		return err
	}
	consumer, err := stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       at,
		AckPolicy:         jetstream.AckNonePolicy,
		FilterSubjects:    s.marks,
		InactiveThreshold: inactive,
		MemoryStorage:     true,
	})
	if err != nil {
		return fmt.Errorf("consumer: %w", err)
	}
	r := &reader{subscriber: s, stream: stream, consumer: consumer, made: info.Created, handled: at - 1}
	if err := r.checkFront(ctx); err != nil { // it might have been made in another stream than at was found in
		return err
	}
	for ctx.Err() == nil {
		if err := r.batch(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// reader reads with a consumer.
type reader struct {
	*subscriber
	stream   jetstream.Stream
	consumer jetstream.Consumer
	made     time.Time // when the stream was made
	handled  uint64    // stream sequence of the last message handled
	count    uint64    // of the consumer's messages
	pending  uint64    // messages there, by the last one received
}

// batch reads what is there, or waits for a message, counts the events and saves.
func (r *reader) batch(ctx context.Context) error {
	msgs, err := r.fetch(ctx)
	if err != nil || len(msgs) == 0 {
		return err
	}
	if r.filter != "" {
		if err := r.checkFront(ctx); err != nil {
			return err
		}
	}
	for _, msg := range msgs {
		if err := r.handle(msg); err != nil {
			return err // what was handled so far is whole, and saved with the next batch
		}
	}
	if err := r.state.save(); err != nil {
		return final("state: %w", err)
	}
	fmt.Println(r.state.Checkpoint.Next) // progress, after it is durable
	return nil
}

func (r *reader) fetch(ctx context.Context) ([]jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	batch, err := r.consumer.Fetch(int(min(max(r.pending, 1), batchSize)), jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(fetchWait/4))
	if err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	var msgs []jetstream.Msg
	for msg := range batch.Messages() {
		msgs = append(msgs, msg)
	}
	if err := batch.Error(); err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	return msgs, nil
}

// checkFront sees that nothing was removed from the stream before it was read.
// Without a filter a gap shows it; with one, nothing else does. Finding the place
// again then tells whether they are gone or the stream is filled with them again.
func (r *reader) checkFront(ctx context.Context) error {
	info, err := r.stream.Info(ctx)
	if err != nil {
		return err
	}
	if !info.Created.Equal(r.made) {
		return fmt.Errorf("the stream was made anew")
	}
	if info.State.FirstSeq > r.handled+1 {
		return fmt.Errorf("stream messages %d to %d were removed before they were read", r.handled+1, info.State.FirstSeq-1)
	}
	return nil
}

// handle counts the events of a message that are wanted and were not counted yet.
func (r *reader) handle(msg jetstream.Msg) error {
	meta, err := msg.Metadata()
	if err != nil {
		return err
	}
	if r.count++; meta.Sequence.Consumer != r.count {
		return fmt.Errorf("the consumer's message %d came instead of %d", meta.Sequence.Consumer, r.count)
	}
	m, err := parseHeaders(msg.Headers())
	if err != nil {
		return err
	}
	if err := r.accept(m); err != nil {
		return err
	}
	r.handled, r.pending = meta.Sequence.Stream, meta.NumPending
	c := &r.state.Checkpoint
	if !c.Next.before(m.next) {
		return nil // a stream that was filled again repeats it
	}
	if r.filter == "" || matches(r.filter, msg.Subject()) {
		events, err := parseEvents(msg.Headers(), msg.Data())
		if err != nil {
			return err
		}
		for _, e := range events {
			if at := (position{e.Seq, e.Index}); !at.before(c.Next) {
				r.state.add(e)
			}
		}
	}
	c.Next, c.Last.Seq, c.Last.Hash = m.next, m.first.Seq, m.hash
	return nil
}

// accept sees that a message may follow on what was read.
func (r *reader) accept(m message) error {
	next := r.state.Checkpoint.Next
	switch {
	case m.epoch > r.epoch || m.epoch < r.epoch && m.first.Seq > r.fork:
		return fmt.Errorf("record %d is of epoch %d, the stream was of %d", m.first.Seq, m.epoch, r.epoch)
	case r.filter == "" && next.before(m.first) && r.count == 1:
		return final("events %s to %s are missing in the stream; its operator has to mend that", next, m.first)
	case r.filter == "" && next.before(m.first):
		return fmt.Errorf("events %s to %s are missing", next, m.first) // finding the place again tells why
	}
	return r.sameRecord(m)
}

// matches reports whether a subject filter with wildcards selects a subject.
func matches(filter, subject string) bool {
	want, have := strings.Split(filter, "."), strings.Split(subject, ".")
	for i, token := range want {
		switch {
		case token == ">":
			return len(have) > i
		case i >= len(have) || token != "*" && token != have[i]:
			return false
		}
	}
	return len(want) == len(have)
}
