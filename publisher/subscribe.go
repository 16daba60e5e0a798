package publisher

import (
	"cmp"
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// SubscribeOptions say what to read and from where. Cluster is required. Of
// After, From, Since, New and Snapshot at most one may be set; without any,
// reading begins with the first event of the stream.
type SubscribeOptions struct {
	Cluster string
	Filter  Filter

	After    Checkpoint      // go on behind it: what a subscriber has stored
	From     events.Position // the first event to read
	Since    time.Time       // begin with the first record of that time or later
	New      bool            // begin with what is published from now on
	Snapshot SnapshotReader  // begin with the newest snapshot on offer, then what follows it

	// Progress asks for messages without events as well, at least every 10,000
	// records or so: with them the checkpoint of a filter that rarely matches moves
	// on, and stays in what the stream keeps.
	Progress bool

	LogID uuid.UUID // of the log; events of another one are an error. Default: that of the stream
	// GapTimeout is how long events may be missing before that is an error. The
	// publisher fills a stream again that somebody purged. Default 30 seconds.
	GapTimeout time.Duration
	Logger     *slog.Logger // default slog.Default
}

func (o SubscribeOptions) check() error {
	starts := 0
	for _, set := range []bool{!o.After.IsZero(), o.From.Seq != 0, !o.Since.IsZero(), o.New, o.Snapshot != nil} {
		if set {
			starts++
		}
	}
	if starts > 1 || o.From.Index < 0 || o.From.Seq == 0 && o.From.Index != 0 {
		return events.Errorf(events.CodeInvalid, "subscribe: want at most one of a checkpoint, a position (seq 1 or more), a time, new events only, and a snapshot")
	}
	if !o.After.IsZero() && (o.After.LogID == uuid.Nil || o.After.Epoch == 0 || o.After.Next.Seq == 0) {
		return events.Errorf(events.CodeInvalid, "subscribe: checkpoint %+v: log id, epoch or position is missing; store it whole", o.After)
	}
	return checkCluster(o.Cluster)
}

// begin returns the checkpoint that reading begins with, as far as it is known
// before the stream is seen.
func (o SubscribeOptions) begin() Checkpoint {
	at := o.After
	if o.From.Seq != 0 {
		at.Next = o.From
	}
	if o.LogID != uuid.Nil {
		at.LogID = o.LogID
	}
	return at
}

// Subscribe reads the events that match the filter: each once and in log order,
// whatever happens to connection, server and stream in between. It waits for
// more at the end, and ends when the caller breaks off or with an error:
//   - ctx's, when ctx is done;
//   - ErrNotFound: there is no stream for the cluster (only at the start);
//   - ErrUnavailable: NATS can't be reached (only at the start; later it goes on
//     trying, and logs that);
//   - [RangeError]: the start is gone from the stream, or not published yet; or the
//     stream was trimmed further than this subscriber, which is slow, had come;
//   - [GapError]: events are missing;
//   - [ForkError]: the log's history is not the one that was read before;
//   - ErrCorrupt: a message that no publisher wrote, or a newer one;
//   - ErrConflict: the stream is of another log.
//
// A caller that keeps [Message.Checkpoint] with what it made of the message, and
// begins After it the next time, misses and repeats nothing.
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

// Consume is Subscribe with a callback. It returns the first error of handle, or
// the one that ends the subscription.
func Consume(ctx context.Context, js jetstream.JetStream, options SubscribeOptions, handle func(context.Context, *Message) error) error {
	for m, err := range Subscribe(ctx, js, options) {
		if err == nil {
			err = handle(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const defaultGapTimeout = 30 * time.Second

// newSubscription checks what can be checked without a server.
func newSubscription(js jetstream.JetStream, options SubscribeOptions) (*subscription, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	options.GapTimeout = cmp.Or(options.GapTimeout, defaultGapTimeout)
	s := &subscription{
		js:      js,
		options: options,
		log:     cmp.Or(options.Logger, slog.Default()).With("component", "subscriber", "cluster", options.Cluster),
		begun:   !options.After.IsZero(),
		order:   order{at: options.begin(), filtered: !options.Filter.all()},
	}
	if !options.Since.IsZero() {
		s.order.since = events.TimeOf(options.Since)
	}
	var err error
	s.subjects, err = options.Filter.subjects(options.Cluster)
	return s, err
}
