package publisher

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// SnapshotSource has the snapshots that are offered. A metalog.Store is one.
type SnapshotSource interface {
	// ListSnapshots lists the snapshots, the oldest first.
	ListSnapshots(ctx context.Context) ([]replay.Snapshot, error)
	// CopySnapshot writes a snapshot's file, and is ErrCorrupt when it is not
	// what the snapshot says.
	CopySnapshot(ctx context.Context, snap replay.Snapshot, w io.Writer) error
	// SnapshotsChanged returns a channel that is closed when a snapshot is next
	// taken or removed.
	SnapshotsChanged() <-chan struct{}
}

// OfferOptions configure an offerer. Cluster and LogID are required.
type OfferOptions struct {
	Cluster  string
	LogID    uuid.UUID // of the log that the snapshots are of
	Replicas int       // of the bucket, when it is created; default 1
	// CheckEvery is how often the bucket is looked at when no snapshot is taken;
	// default one minute.
	CheckEvery time.Duration
	Logger     *slog.Logger // default slog.Default
}

// offered is how many snapshots are in the bucket: a second one to begin with if
// the newest turns out to be damaged, or while it is replaced.
const offered = 2

// Offerer puts a server's newest snapshots where replicas fetch them. One of
// them at a time may run for a log.
type Offerer struct {
	source  SnapshotSource
	js      jetstream.JetStream
	options OfferOptions
	log     *slog.Logger
	mine    map[string]bool // ids of the objects that it has put into the bucket
}

// NewOfferer returns an offerer, which does nothing until Run.
func NewOfferer(source SnapshotSource, js jetstream.JetStream, options OfferOptions) (*Offerer, error) {
	options.Replicas = cmp.Or(options.Replicas, 1)
	options.CheckEvery = cmp.Or(options.CheckEvery, time.Minute)
	options.Logger = cmp.Or(options.Logger, slog.Default())
	if options.LogID == uuid.Nil {
		return nil, events.Errorf(events.CodeInvalid, "offers: the log's id is required")
	}
	return &Offerer{
		source:  source,
		js:      js,
		options: options,
		log:     options.Logger.With("component", "offers", "cluster", options.Cluster),
		mine:    map[string]bool{},
	}, checkCluster(options.Cluster)
}

// Run offers each new snapshot until ctx is done, and then returns nil. Whatever
// fails is tried again, but for a bucket of another log, which is ErrConflict.
func (o *Offerer) Run(ctx context.Context) error {
	backoff := minBackoff
	for {
		changed, wait := o.source.SnapshotsChanged(), o.options.CheckEvery
		switch err := o.offer(ctx); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, events.ErrConflict):
			o.log.Error("no snapshots are offered to replicas", "error", err)
			return err
		case err != nil:
			o.log.Warn("snapshots not offered to replicas", "error", err, "retry_in", backoff)
			wait, backoff = backoff, min(2*backoff, maxBackoff)
		default:
			backoff = minBackoff
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-time.After(wait):
		}
	}
}

// offer brings the bucket to the newest snapshots. The older offers go when
// those are whole.
func (o *Offerer) offer(ctx context.Context) error {
	snapshots, err := o.newest(ctx)
	if err != nil || len(snapshots) == 0 {
		return err
	}
	b, err := o.openBucket(ctx)
	if err != nil {
		return err
	}
	there, err := b.list(ctx)
	if err != nil {
		return err
	}
	kept := map[uint64]bool{}
	for _, snap := range snapshots {
		kept[snap.Seq] = true
		if slices.ContainsFunc(there, func(o offer) bool { return sameViews(o.snapshot, snap) }) {
			continue
		}
		if whole, err := o.put(ctx, b, snap); err != nil || !whole {
			return err
		}
	}
	return o.removeOthers(ctx, b, there, kept)
}

// newest returns the snapshots to offer, the newest first: it is the one that
// most replicas want.
func (o *Offerer) newest(ctx context.Context) ([]replay.Snapshot, error) {
	all, err := o.source.ListSnapshots(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(s replay.Snapshot) bool {
		return s.SchemaVersion != views.SchemaVersion || s.LogID != o.options.LogID
	})
	slices.Reverse(all)
	return all[:min(len(all), offered)], nil
}

// sameViews tells whether two snapshots are copies of the same views, though
// their files may differ: there is no need then to replace one by the other
// while somebody fetches it.
func sameViews(a, b replay.Snapshot) bool {
	return a.LogID == b.LogID && a.Head() == b.Head() && a.Digest == b.Digest && a.SchemaVersion == b.SchemaVersion
}

// put offers a snapshot, unless its file turns out to be damaged: the next one
// that is taken will do then, and what is offered already stays.
func (o *Offerer) put(ctx context.Context, b *bucket, snap replay.Snapshot) (whole bool, err error) {
	if err := b.sweep(ctx); err != nil {
		return false, err
	}
	began := time.Now()
	err = b.put(ctx, snap, func(ctx context.Context, w io.Writer) error { return o.source.CopySnapshot(ctx, snap, w) })
	if errors.Is(err, events.ErrCorrupt) {
		o.log.Error("a damaged snapshot is not offered to replicas", "seq", snap.Seq, "error", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	o.log.Info("snapshot offered to replicas", "seq", snap.Seq, "bytes", snap.SizeBytes, "took", time.Since(began))
	return true, nil
}

func (o *Offerer) removeOthers(ctx context.Context, b *bucket, there []offer, kept map[uint64]bool) error {
	removed := false
	for _, other := range there {
		if kept[other.snapshot.Seq] {
			continue
		}
		removing, cancel := context.WithTimeout(ctx, requestTimeout)
		err := b.objects.Delete(removing, other.object.Name)
		cancel()
		if err != nil {
			return retry("bucket %s: remove snapshot %d: %w", b.name, other.snapshot.Seq, err)
		}
		o.log.Info("snapshot no longer offered", "seq", other.snapshot.Seq)
		removed = true
	}
	if !removed {
		return nil
	}
	return b.sweep(ctx)
}

// openBucket opens the bucket, and makes it when there is none.
func (o *Offerer) openBucket(ctx context.Context) (*bucket, error) {
	b, err := openBucket(ctx, o.js, o.options.Cluster)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		b, err = o.createBucket(ctx)
	}
	if err != nil {
		return nil, err
	}
	b.mine = o.mine
	return b, b.check(o.options.LogID)
}

func (o *Offerer) createBucket(ctx context.Context) (*bucket, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	name := BucketName(o.options.Cluster)
	objects, err := o.js.CreateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket:      name,
		Description: "snapshots of the metadata of cluster " + o.options.Cluster,
		Storage:     jetstream.FileStorage,
		Replicas:    o.options.Replicas,
		Metadata:    map[string]string{metadataLogID: o.options.LogID.String()},
	})
	if err != nil {
		return nil, retry("bucket %s: %w", name, err)
	}
	return bindBucket(ctx, o.js, name, objects)
}
