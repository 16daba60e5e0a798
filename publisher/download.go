package publisher

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
)

// fetch copies an offered snapshot to a views file at path, durably, replacing
// what is there. An offer that differs from its manifest is ErrCorrupt, and path
// is as it was. Progress, if not nil, is told of the bytes that have come.
func (b *bucket) fetch(ctx context.Context, o offer, path string, progress func(bytes int64)) error {
	return durable.Replace(path, func(w io.Writer) error {
		d := download{offer: o, to: w, progress: progress}
		sum := sha256.New()
		d.to = io.MultiWriter(w, sum)
		if err := b.copyChunks(ctx, &d); err != nil {
			return err
		}
		if got := events.Hash(sum.Sum(nil)); d.size != o.snapshot.SizeBytes || got != o.snapshot.SHA256 {
			return events.Errorf(events.CodeCorrupt, "snapshot %d in bucket %s has %d bytes with SHA-256 %s, and should have %d with %s; delete the object, and the server offers it again",
				o.snapshot.Seq, b.name, d.size, got, o.snapshot.SizeBytes, o.snapshot.SHA256)
		}
		return nil
	})
}

// download is an object that is being read.
type download struct {
	offer    offer
	to       io.Writer
	progress func(bytes int64)
	size     int64 // bytes that have come
}

// chunkTimeout is for how long the next chunk may let itself be waited for.
const chunkTimeout = 15 * time.Second

// prefetchChunks bounds what is on its way.
const prefetchChunks = 16

// copyChunks copies the object's chunks in their order, until the last one that
// there is.
func (b *bucket) copyChunks(ctx context.Context, d *download) error {
	consumer, err := b.js.OrderedConsumer(ctx, bucketStream(b.name), jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{chunkSubject(b.name, d.offer.object.NUID)},
		DeliverPolicy:  jetstream.DeliverAllPolicy,
	})
	if err != nil {
		return retry("bucket %s: %w", b.name, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(prefetchChunks))
	if err != nil {
		return retry("bucket %s: %w", b.name, err)
	}
	defer messages.Stop()
	for n := range d.offer.object.Chunks {
		last, err := d.copyNext(ctx, messages)
		if err != nil || last && n+1 < d.offer.object.Chunks {
			return b.incomplete(ctx, d.offer, err)
		}
	}
	return nil
}

// incomplete tells why not all chunks came: the bucket lacks some, which is
// ErrCorrupt; or a server did not have them yet, or none answers.
func (b *bucket) incomplete(ctx context.Context, o offer, cause error) error {
	subject := chunkSubject(b.name, o.object.NUID)
	asking, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := b.stream.Info(asking, jetstream.WithSubjectFilter(subject))
	switch {
	case err != nil:
		return retry("snapshot %d in bucket %s: %w", o.snapshot.Seq, b.name, err)
	case info.State.Subjects[subject] < uint64(o.object.Chunks):
		return events.Errorf(events.CodeCorrupt, "snapshot %d in bucket %s has %d of %d chunks; delete the object, and the server offers it again", o.snapshot.Seq, b.name, info.State.Subjects[subject], o.object.Chunks)
	case cause != nil:
		return fmt.Errorf("snapshot %d in bucket %s: %w", o.snapshot.Seq, b.name, cause)
	}
	return retry("snapshot %d in bucket %s came in part", o.snapshot.Seq, b.name)
}

// copyNext copies a chunk, and tells whether it was the last one.
func (d *download) copyNext(ctx context.Context, messages jetstream.MessagesContext) (last bool, err error) {
	waiting, cancel := context.WithTimeout(ctx, chunkTimeout)
	defer cancel()
	msg, err := messages.Next(jetstream.NextContext(waiting))
	if err != nil {
		return false, retry("after %d bytes: %w", d.size, err)
	}
	meta, err := msg.Metadata()
	if err != nil {
		return false, retry("after %d bytes: %w", d.size, err)
	}
	n, err := d.to.Write(msg.Data())
	if d.size += int64(n); d.progress != nil {
		d.progress(d.size)
	}
	return meta.NumPending == 0, err
}
