package publisher

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// SnapshotReader reads the snapshot that a subscription begins with. Reader is
// valid until it returns.
type SnapshotReader func(ctx context.Context, at replay.Snapshot, reader *views.Reader) error

// readSnapshot has the newest snapshot on offer read, and returns the checkpoint
// of who has. An older one is read when that is damaged.
func (s *subscription) readSnapshot(ctx context.Context) (Checkpoint, error) {
	b, err := openBucket(ctx, s.js, s.options.Cluster)
	if err != nil && !errors.Is(err, jetstream.ErrBucketNotFound) {
		return Checkpoint{}, err
	}
	var offers []offer
	if err == nil {
		if offers, err = b.list(ctx); err != nil {
			return Checkpoint{}, err
		}
	}
	for _, o := range slices.Backward(offers) {
		if o.snapshot.SchemaVersion != views.SchemaVersion || s.options.LogID != uuid.Nil && o.snapshot.LogID != s.options.LogID {
			continue
		}
		err := s.readOffer(ctx, b, o)
		if !errors.Is(err, events.ErrCorrupt) {
			return checkpointOf(o.snapshot), err
		}
		s.log.Warn("snapshot is passed over", "seq", o.snapshot.Seq, "why", err)
	}
	return Checkpoint{}, events.Errorf(events.CodeNotFound, "cluster %q offers no snapshot that this program can read; take one with 'metalog snapshot create', or begin with the first event", s.options.Cluster)
}

// checkpointOf is that of a subscriber who has read a snapshot.
func checkpointOf(snap replay.Snapshot) Checkpoint {
	return Checkpoint{LogID: snap.LogID, Epoch: snap.Epoch, Last: snap.Head(), Next: events.Position{Seq: snap.Seq + 1}}
}

// readOffer fetches an offer to a temporary file and has it read.
func (s *subscription) readOffer(ctx context.Context, b *bucket, o offer) (err error) {
	dir, err := os.MkdirTemp("", "metalog-snapshot-")
	if err != nil {
		return events.Errorf(events.CodeUnavailable, "snapshot %d: %w", o.snapshot.Seq, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, viewsFile)
	if err := b.fetch(ctx, o, path, nil); err != nil {
		return err
	}
	db, err := views.Open(views.Options{Path: path, ReadOnly: true})
	if err != nil {
		return err
	}
	snapshot, err := db.Snapshot()
	if err == nil {
		err = errors.Join(s.options.Snapshot(ctx, o.snapshot, &snapshot.Reader), snapshot.Close())
	}
	return errors.Join(err, db.Close())
}

// oldestOffer returns the seq of the oldest snapshot on offer, 0 for none.
func (p *Publisher) oldestOffer(ctx context.Context) (uint64, error) {
	offers, err := Offers(ctx, p.js, p.options.Cluster)
	if err != nil || len(offers) == 0 {
		return 0, err
	}
	return offers[0].Seq, nil
}
