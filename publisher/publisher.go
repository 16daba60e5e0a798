package publisher

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// Source is the log that is published. What it shows is durable.
type Source interface {
	events.Reader
	// Wait returns nil when the head is at seq or beyond, or else an error when
	// ctx is done or the log is closed.
	Wait(ctx context.Context, seq uint64) error
}

// Options configure a publisher. Cluster, LogID and Epoch are required.
type Options struct {
	Cluster  string    // 1 to 64 of a-z, A-Z, 0-9, _ and -
	LogID    uuid.UUID // of the source
	Epoch    uint64    // of the source
	Fork     uint64    // the last record of earlier epochs that this one kept; 0 in epoch 1
	Encoding Encoding  // of payloads; default JSON
	Replicas int       // of the stream, when it is created; default 1
	// RetainRecords, if not 0, lets the publisher trim the stream in front: at
	// least so many of the log's last records stay, and all that follow the oldest
	// snapshot on offer.
	RetainRecords uint64
	// CheckEvery is how often an idle publisher looks whether the stream is still
	// whole; default 5 seconds.
	CheckEvery time.Duration
	AckTimeout time.Duration // after which publishing begins anew; default 10 seconds
	Logger     *slog.Logger  // default slog.Default
}

func (o Options) withDefaults() (Options, error) {
	o.Encoding = cmp.Or(o.Encoding, JSON)
	o.Replicas = cmp.Or(o.Replicas, 1)
	o.CheckEvery = cmp.Or(o.CheckEvery, 5*time.Second)
	o.AckTimeout = cmp.Or(o.AckTimeout, 10*time.Second)
	o.Logger = cmp.Or(o.Logger, slog.Default())
	switch {
	case o.LogID == uuid.Nil || o.Epoch == 0:
		return o, events.Errorf(events.CodeInvalid, "publisher: the log's id and epoch are required")
	case o.Encoding != JSON && o.Encoding != CBOR:
		return o, events.Errorf(events.CodeInvalid, "publisher: encoding %q: want %s or %s", o.Encoding, JSON, CBOR)
	}
	return o, checkCluster(o.Cluster)
}

// Publisher copies a log into a stream.
type Publisher struct {
	source  Source
	js      jetstream.JetStream
	options Options
	log     *slog.Logger

	mu      sync.Mutex
	next    events.Position // first event not known to be in the stream; guarded by mu
	waiters lagWaiters      // guarded by mu
}

// New returns a publisher, which does nothing until Run.
func New(source Source, js jetstream.JetStream, options Options) (*Publisher, error) {
	options, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Publisher{
		source:  source,
		js:      js,
		options: options,
		log:     options.Logger.With("component", "publisher", "cluster", options.Cluster),
	}, nil
}

// Run publishes until ctx is done, and then returns nil. While NATS can't be
// reached it goes on trying. An error it returns needs an operator: the stream
// is not this log's (ErrConflict), it is ahead of the log or differs from it
// (ErrCorrupt), it is of a later epoch (ErrFenced), or the source failed.
func (p *Publisher) Run(ctx context.Context) error {
	backoff := minBackoff
	for {
		before := p.Position()
		err := whileConnected(ctx, p.js.Conn(), p.session)
		if ctx.Err() != nil {
			return nil
		}
		if _, ok := errors.AsType[*retryError](err); !ok {
			p.log.Error("publishing stopped for good", "error", err)
			return err
		}
		if p.Position() != before {
			backoff = minBackoff
		}
		p.log.Warn("publishing interrupted; continuing after the stream's last message", "error", err, "retry_in", backoff)
		if !sleep(ctx, backoff) {
			return nil
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

// session publishes until something fails.
func (p *Publisher) session(ctx context.Context) error {
	next, last, err := p.resume(ctx)
	if err != nil {
		return err
	}
	p.setPosition(next)
	p.log.Info("publishing", "from", next.String(), "stream_seq", last)
	pipe, err := newPipeline(p.js.Conn(), StreamName(p.options.Cluster), last, p.options.AckTimeout, p.setPosition)
	if err != nil {
		return err
	}
	defer pipe.close()
	return p.follow(ctx, pipe, next)
}

// follow publishes what the log has, waits for more, and so on.
func (p *Publisher) follow(ctx context.Context, pipe *pipeline, next events.Position) error {
	checked := time.Now()
	for {
		var err error
		if next, err = p.publishNew(ctx, pipe, next); err != nil {
			return err
		}
		if err := p.waitFor(ctx, next.Seq, checked.Add(p.options.CheckEvery)); err != nil {
			return err
		}
		if time.Since(checked) >= p.options.CheckEvery {
			if err := p.look(ctx, pipe.last); err != nil {
				return err
			}
			checked = time.Now()
		}
	}
}

// look checks that the stream is still what was published, and trims it.
func (p *Publisher) look(ctx context.Context, last uint64) error {
	s, err := p.openStream(ctx)
	if err != nil {
		return err
	}
	if err := p.checkWhole(ctx, s, last); err != nil {
		return err
	}
	return p.trim(ctx, s)
}

// publishNew publishes from next to the log's head, and returns the next event
// when all acks are in.
func (p *Publisher) publishNew(ctx context.Context, pipe *pipeline, next events.Position) (events.Position, error) {
	if p.source.Head().Seq < next.Seq {
		return next, nil
	}
	encode := newEncoder(&p.options, p.maxPayload())
	for rec, err := range readAhead(ctx, p.source, next.Seq) {
		if err != nil {
			return next, err
		}
		if err := p.publishRecord(ctx, pipe, encode, rec, next.Index); err != nil {
			return next, err
		}
		next = events.Position{Seq: rec.Seq + 1}
	}
	if err := ctx.Err(); err != nil {
		return next, err // reading may have ended without a word
	}
	return next, pipe.drain(ctx)
}

// maxHeaderBytes is more than the headers of a message take.
const maxHeaderBytes = 8 << 10

func (p *Publisher) maxPayload() int {
	return int(p.js.Conn().MaxPayload()) - maxHeaderBytes
}

func (p *Publisher) publishRecord(ctx context.Context, pipe *pipeline, encode encoder, rec *events.Record, from int) error {
	msgs, err := encode.messages(rec, from)
	if err != nil {
		return &retryError{err} // an external server's max_payload may be raised meanwhile
	}
	for _, m := range msgs {
		if err := pipe.publish(ctx, m.msg, m.next); err != nil {
			return err
		}
	}
	return nil
}

// waitFor returns when the log has seq, or at the deadline.
func (p *Publisher) waitFor(ctx context.Context, seq uint64, deadline time.Time) error {
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	err := p.source.Wait(waiting, seq)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}
