package publisher

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/replay"
)

// chunkBytes is the size of a chunk: below the smallest limit that servers are
// commonly given. One is on its way at a time.
const chunkBytes = 256 << 10

// put offers a snapshot, of which write writes the file. Nobody sees the offer
// before all of it is stored. What an attempt that failed left behind, sweep
// removes.
func (b *bucket) put(ctx context.Context, snap replay.Snapshot, write func(context.Context, io.Writer) error) error {
	manifest, err := json.Marshal(snap)
	if err != nil {
		return err
	}
	up := &upload{ctx: ctx, bucket: b, id: strings.ReplaceAll(uuid.NewString(), "-", ""), chunk: make([]byte, 0, chunkBytes)}
	if err := write(ctx, up); err != nil {
		return err
	}
	if err := up.send(); err != nil {
		return err
	}
	b.mine[up.id] = true
	return b.publishObject(ctx, &jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{
			Name:        objectName(snap),
			Description: "views as of seq " + objectName(snap),
			Metadata:    map[string]string{metadataManifest: string(manifest)},
			Opts:        &jetstream.ObjectMetaOptions{ChunkSize: chunkBytes},
		},
		Bucket:  b.name,
		NUID:    up.id,
		Size:    uint64(snap.SizeBytes),
		ModTime: time.Now().UTC(),
		Chunks:  up.chunks,
		Digest:  "SHA-256=" + base64.URLEncoding.EncodeToString(snap.SHA256[:]),
	})
}

// publishObject makes an object whose chunks are stored visible, in the place of
// an earlier one of its name.
func (b *bucket) publishObject(ctx context.Context, object *jetstream.ObjectInfo) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	msg := nats.NewMsg("$O." + b.name + ".M." + base64.URLEncoding.EncodeToString([]byte(object.Name)))
	msg.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	msg.Data = body
	return b.publish(ctx, msg)
}

func (b *bucket) publish(ctx context.Context, msg *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if _, err := b.js.PublishMsg(ctx, msg); err != nil {
		return retry("bucket %s: %w", b.name, err)
	}
	return nil
}

// upload stores what is written to it as an object's chunks.
type upload struct {
	ctx    context.Context // of the put, which the upload is a part of
	bucket *bucket
	id     string
	chunk  []byte
	chunks uint32
}

func (u *upload) Write(p []byte) (n int, err error) {
	for n < len(p) {
		room := min(cap(u.chunk)-len(u.chunk), len(p)-n)
		u.chunk = append(u.chunk, p[n:n+room]...)
		n += room
		if len(u.chunk) == cap(u.chunk) {
			if err := u.send(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// send stores the chunk and returns when the server has it.
func (u *upload) send() error {
	if len(u.chunk) == 0 {
		return nil
	}
	msg := nats.NewMsg(chunkSubject(u.bucket.name, u.id))
	msg.Data = u.chunk
	if err := u.bucket.publish(u.ctx, msg); err != nil {
		return err
	}
	u.chunk = u.chunk[:0]
	u.chunks++
	return nil
}

// sweep removes chunks that belong to no object: of uploads that were broken
// off, and of objects that were replaced or removed just before a crash. Only
// who alone puts objects into the bucket may do it.
func (b *bucket) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	objects, err := b.objects.List(ctx, jetstream.ListObjectsShowDeleted())
	if err != nil && !errors.Is(err, jetstream.ErrNoObjectsFound) {
		return retry("bucket %s: %w", b.name, err)
	}
	named, err := b.stream.Info(ctx, jetstream.WithSubjectFilter("$O."+b.name+".M.*"))
	if err != nil {
		return retry("bucket %s: %w", b.name, err)
	}
	if len(objects) < len(named.State.Subjects) {
		return nil // listed by a server that lacks the latest: what seems to be nobody's may not be
	}
	owned := map[string]bool{}
	for _, object := range objects {
		owned[chunkSubject(b.name, object.NUID)] = true
	}
	info, err := b.stream.Info(ctx, jetstream.WithSubjectFilter(chunkSubject(b.name, "*")))
	if err != nil {
		return retry("bucket %s: %w", b.name, err)
	}
	for subject := range info.State.Subjects {
		if owned[subject] || b.mine[subject[strings.LastIndexByte(subject, '.')+1:]] {
			continue
		}
		if err := b.stream.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return retry("bucket %s: %w", b.name, err)
		}
	}
	return nil
}
