package publisher

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/replay"
)

// offeredSeqs lists what is offered.
func offeredSeqs(t *testing.T, js jetstream.JetStream) (seqs []uint64) {
	t.Helper()
	offers, err := Offers(t.Context(), js, testCluster)
	if err != nil {
		t.Fatal(err)
	}
	for _, snap := range offers {
		seqs = append(seqs, snap.Seq)
	}
	return seqs
}

func TestOffersAreTheNewestTwo(t *testing.T) {
	o := newOrigin(t)
	js := o.nats.connect()
	if seqs := offeredSeqs(t, js); len(seqs) != 0 {
		t.Errorf("offers %v without a bucket", seqs)
	}
	var taken []uint64
	for range 4 {
		o.write(10)
		taken = append(taken, o.offerSnapshot().Seq)
		if got, want := offeredSeqs(t, js), taken[max(0, len(taken)-2):]; !slices.Equal(got, want) {
			t.Fatalf("offers %v, want %v", got, want)
		}
	}
	// As any other program reads it.
	objects, err := js.ObjectStore(t.Context(), BucketName(testCluster))
	if err != nil {
		t.Fatal(err)
	}
	offers, _ := Offers(t.Context(), js, testCluster)
	data, err := objects.GetBytes(t.Context(), objectName(offers[1]))
	if err != nil || int64(len(data)) != offers[1].SizeBytes {
		t.Errorf("object of %d bytes, want %d: %v", len(data), offers[1].SizeBytes, err)
	}
	if left := chunkSubjects(t, o.offerer()); len(left) != 2 {
		t.Errorf("chunks of %d objects are stored, want 2", len(left))
	}
}

func chunkSubjects(t *testing.T, o *Offerer) map[string]uint64 {
	t.Helper()
	b, err := o.openBucket(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	info, err := b.stream.Info(t.Context(), jetstream.WithSubjectFilter(chunkSubject(b.name, "*")))
	if err != nil {
		t.Fatal(err)
	}
	return info.State.Subjects
}

// TestOffererRuns wants each snapshot to be offered when it is taken, and again
// when the bucket was lost.
func TestOffererRuns(t *testing.T) {
	o := newOrigin(t)
	js := o.nats.connect()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.offerer().Run(ctx) }()
	for round := range 3 {
		o.write(10)
		snap, err := o.store.CreateSnapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for !slices.Contains(offeredSeqs(t, js), snap.Seq) {
			if err := t.Context().Err(); err != nil {
				t.Fatal(err)
			}
		}
		if round == 1 {
			if err := js.DeleteObjectStore(t.Context(), BucketName(testCluster)); err != nil {
				t.Fatal(err)
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestOffererRefusesOtherBucket(t *testing.T) {
	o := newOrigin(t)
	o.write(10)
	o.offerSnapshot()
	other := newOrigin(t, func(m *metalog.Options) { m.NewID = uuid.New })
	other.nats = o.nats
	other.write(20)
	if _, err := other.store.CreateSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := offeredSeqs(t, o.nats.connect())
	if err := other.offerer().Run(t.Context()); !errors.Is(err, events.ErrConflict) {
		t.Errorf("error %v, want conflict", err)
	}
	if after := offeredSeqs(t, o.nats.connect()); !slices.Equal(after, before) {
		t.Errorf("offers %v became %v", before, after)
	}
}

// breaking breaks a copy off after some bytes.
type breaking struct {
	SnapshotSource
	after int64
	err   error
}

func (b breaking) CopySnapshot(ctx context.Context, snap replay.Snapshot, w io.Writer) error {
	read, write := io.Pipe()
	defer read.Close()
	go func() { write.CloseWithError(b.SnapshotSource.CopySnapshot(ctx, snap, write)) }()
	if _, err := io.CopyN(w, read, b.after); err != nil {
		return err
	}
	return b.err
}

// TestBrokenUploads wants an upload that was broken off to be no offer, to leave
// the offers that are there alone, and to leave nothing behind for long.
func TestBrokenUploads(t *testing.T) {
	failed := errors.New("broken off")
	for name, cause := range map[string]error{
		"interrupted": failed,
		"damaged":     events.Errorf(events.CodeCorrupt, "damaged"),
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.write(10)
			first := o.offerSnapshot()
			o.write(10)
			second := o.offerSnapshot()
			o.write(10)
			if _, err := o.store.CreateSnapshot(t.Context()); err != nil {
				t.Fatal(err)
			}
			offerer := o.offerer()
			offerer.source = breaking{o.store, 1000, cause}
			if err := offerer.offer(t.Context()); err != nil && !errors.Is(err, failed) {
				t.Fatal(err)
			}
			// What is written goes out in whole chunks: have one stored that belongs to nothing.
			orphan := nats.NewMsg(chunkSubject(BucketName(testCluster), "orphan"))
			if _, err := o.nats.connect().PublishMsg(t.Context(), orphan); err != nil {
				t.Fatal(err)
			}
			if got, want := offeredSeqs(t, o.nats.connect()), []uint64{first.Seq, second.Seq}; !slices.Equal(got, want) {
				t.Errorf("offers %v, want %v", got, want)
			}
			newest := o.offerSnapshot()
			if got, want := offeredSeqs(t, o.nats.connect()), []uint64{second.Seq, newest.Seq}; !slices.Equal(got, want) {
				t.Errorf("offers %v, want %v", got, want)
			}
			if left := chunkSubjects(t, offerer); len(left) != 2 {
				t.Errorf("chunks of %d objects are stored, want 2", len(left))
			}
		})
	}
}

// damageOffer stores another file under an offer's manifest.
func (o *origin) damageOffer(snap metalog.Snapshot, damage func(file []byte) []byte) {
	o.t.Helper()
	var file strings.Builder
	if err := o.store.CopySnapshot(o.t.Context(), snap, &file); err != nil {
		o.t.Fatal(err)
	}
	b, err := o.offerer().openBucket(o.t.Context())
	if err == nil {
		err = b.put(o.t.Context(), snap, func(_ context.Context, w io.Writer) error {
			_, err := w.Write(damage([]byte(file.String())))
			return err
		})
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// TestReplicaRefusesDamagedSnapshot wants an offer that is damaged to be passed
// over: for an older one, and then for the log's first record.
func TestReplicaRefusesDamagedSnapshot(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"a flipped bit": func(f []byte) []byte { f[len(f)/2] ^= 1; return f },
		"cut":           func(f []byte) []byte { return f[:len(f)-4096] },
		"longer":        func(f []byte) []byte { return append(f, 0) },
		"empty":         func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t)
			o.write(20)
			older := o.offerSnapshot()
			o.write(20)
			newest := o.offerSnapshot()
			o.damageOffer(newest, damage)
			if began := o.begin(); began != older.Seq {
				t.Errorf("it began with %d, want %d", began, older.Seq)
			}
			o.damageOffer(older, damage)
			if began := o.begin(); began != 0 {
				t.Errorf("it began with %d, want the log", began)
			}
		})
	}
}

// begin has a new replica come up, and returns the snapshot that it began with.
func (o *origin) begin() (began uint64) {
	o.t.Helper()
	b := &Replica{dir: o.t.TempDir(), js: o.nats.connect(), log: quiet}
	var err error
	if b.options, err = followOptions().withDefaults(); err != nil {
		o.t.Fatal(err)
	}
	if err := b.begin(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	began = b.db.Checkpoint().Seq
	if err := b.db.Close(); err != nil {
		o.t.Fatal(err)
	}
	o.mustMatch(follow(o.t, b.dir, o.nats.connect()))
	return began
}
