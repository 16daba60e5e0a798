package publisher

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
)

// BucketName returns the name of the object store in which a cluster's server
// offers snapshots: objects that are named after their seq, with the manifest
// in their metadata.
func BucketName(cluster string) string { return "METALOG_" + cluster + "_SNAPSHOTS" }

// metadataManifest is the key of a [replay.Snapshot], as JSON, in an object's
// metadata.
const metadataManifest = "metalog_snapshot"

// requestTimeout bounds a request to JetStream.
const requestTimeout = 10 * time.Second

// Offers returns the snapshots that a replica can begin with, the oldest first.
// There are none when the cluster has no bucket. A stream must keep what follows
// the oldest of them.
func Offers(ctx context.Context, js jetstream.JetStream, cluster string) ([]replay.Snapshot, error) {
	b, err := openBucket(ctx, js, cluster)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		return []replay.Snapshot{}, nil
	}
	if err != nil {
		return nil, err
	}
	offers, err := b.list(ctx)
	if err != nil {
		return nil, err
	}
	snapshots := []replay.Snapshot{}
	for _, o := range offers {
		snapshots = append(snapshots, o.snapshot)
	}
	return snapshots, nil
}

// bucket is the object store with a cluster's offers. Chunks are written and
// read here and not by the library, which would have all of an object on its way
// to the server at once, and could not be stopped when nothing more comes.
type bucket struct {
	js      jetstream.JetStream
	name    string
	objects jetstream.ObjectStore
	stream  jetstream.Stream // that the object store is made of
	mine    map[string]bool  // ids of objects that this process has put there; nil: it puts none
}

// offer is a snapshot in the bucket.
type offer struct {
	snapshot replay.Snapshot
	object   *jetstream.ObjectInfo
}

// The layout of an object store (NATS ADR-20).
func bucketStream(name string) string        { return "OBJ_" + name }
func chunkSubject(name, id string) string    { return "$O." + name + ".C." + id }
func objectName(snap replay.Snapshot) string { return strconv.FormatUint(snap.Seq, 10) }

// openBucket is ErrBucketNotFound when there is none.
func openBucket(ctx context.Context, js jetstream.JetStream, cluster string) (*bucket, error) {
	if err := checkCluster(cluster); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	name := BucketName(cluster)
	objects, err := js.ObjectStore(ctx, name)
	if err != nil {
		return nil, retry("bucket %s: %w", name, err)
	}
	return bindBucket(ctx, js, name, objects)
}

func bindBucket(ctx context.Context, js jetstream.JetStream, name string, objects jetstream.ObjectStore) (*bucket, error) {
	stream, err := js.Stream(ctx, bucketStream(name))
	if err != nil {
		return nil, retry("bucket %s: %w", name, err)
	}
	return &bucket{js: js, name: name, objects: objects, stream: stream}, nil
}

// logID returns the id of the log that the bucket was made for.
func (b *bucket) logID() string { return b.stream.CachedInfo().Config.Metadata[metadataLogID] }

// list returns the offers by their seq. Objects that somebody else put there
// are none.
func (b *bucket) list(ctx context.Context) ([]offer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	objects, err := b.objects.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil, nil
	}
	if err != nil {
		return nil, retry("bucket %s: %w", b.name, err)
	}
	var offers []offer
	for _, object := range objects {
		var snap replay.Snapshot
		if err := json.Unmarshal([]byte(object.Metadata[metadataManifest]), &snap); err == nil && objectName(snap) == object.Name {
			offers = append(offers, offer{snap, object})
		}
	}
	slices.SortFunc(offers, func(a, b offer) int { return cmp.Compare(a.snapshot.Seq, b.snapshot.Seq) })
	return offers, nil
}

// check refuses the bucket of another log.
func (b *bucket) check(logID uuid.UUID) error {
	if id := b.logID(); id != logID.String() {
		return events.Errorf(events.CodeConflict, "bucket %s holds snapshots of log %q, this is log %s; choose another cluster name, or delete the bucket", b.name, id, logID)
	}
	return nil
}
