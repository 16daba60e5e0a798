package publisher

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/views"
)

// origin is a server that replicas follow: a store, its request API, and a NATS
// server between.
type origin struct {
	t     testing.TB
	nats  *testServer
	store *storetest.Store
	api   *service.Service
	conn  *nats.Conn
}

func newOrigin(t testing.TB, change ...func(*metalog.Options)) *origin {
	t.Helper()
	change = append([]func(*metalog.Options){func(o *metalog.Options) { o.SnapshotEvery, o.DigestEvery = -1, 50 }}, change...)
	o := &origin{t: t, nats: newServer(t), store: storetest.Open(t, change...)}
	o.serve()
	t.Cleanup(o.quit)
	return o
}

// serve begins to answer requests for the store.
func (o *origin) serve() {
	o.t.Helper()
	o.conn = o.nats.connect().Conn()
	var err error
	if o.api, err = service.Start(o.store.Store, o.conn, service.Options{Cluster: testCluster}); err != nil {
		o.t.Fatal(err)
	}
}

// quit stops to answer.
func (o *origin) quit() {
	if o.api == nil {
		return
	}
	if err := o.api.Close(context.Background()); err != nil && !errors.Is(err, events.ErrUnavailable) {
		o.t.Error(err)
	}
	o.conn.Close()
	o.api = nil
}

// write appends n records, of all kinds of changes that matter here.
func (o *origin) write(n int) {
	o.t.Helper()
	for range n {
		at := o.store.Seq()
		switch {
		case at%10 == 1:
			o.store.Must(metalog.CreateTopic{Name: fmt.Sprintf("t%d", at), Partitions: 2, ReplicationFactor: 1})
		case at%10 == 7:
			o.store.Must(metalog.CreateGroup{ID: fmt.Sprintf("g%d", at)})
		default:
			o.store.Must(metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Config: events.Config{"key": fmt.Sprint(at)}})
		}
	}
}

// offerSnapshot takes a snapshot and offers it.
func (o *origin) offerSnapshot() metalog.Snapshot {
	o.t.Helper()
	snap, err := o.store.CreateSnapshot(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.offerer().offer(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	return snap
}

func (o *origin) offerer() *Offerer {
	o.t.Helper()
	offerer, err := NewOfferer(o.store, o.nats.connect(), OfferOptions{Cluster: testCluster, LogID: o.store.MustInfo().LogID, Logger: quiet})
	if err != nil {
		o.t.Fatal(err)
	}
	return offerer
}

func followOptions() FollowOptions {
	return FollowOptions{Cluster: testCluster, Logger: quiet, FlushInterval: 20 * time.Millisecond}
}

// follow follows in dir until the test's end.
func follow(t testing.TB, dir string, js jetstream.JetStream) *Replica {
	t.Helper()
	r, err := Follow(t.Context(), dir, js, followOptions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustClose(t, r) })
	return r
}

func mustClose(t testing.TB, r *Replica) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// mustMatch waits until the replica is where the store is, and wants the same
// checkpoint there: seq, hash, digest, counts.
func (o *origin) mustMatch(r *Replica) {
	o.t.Helper()
	want := o.store.MustInfo()
	if err := r.Wait(o.t.Context(), want.Seq); err != nil {
		o.t.Fatal(err)
	}
	at := r.Views().Checkpoint()
	if at.Head() != want.Head || at.Digest != want.Digest || at.Events != want.Events {
		o.t.Fatalf("replica at %v, digest %s; store at %v, digest %s", at.Head(), at.Digest, want.Head, want.Digest)
	}
	mustHoldDigest(o.t, r.Views())
}

// mustHoldDigest wants the rows to have the digest that they are said to have.
func mustHoldDigest(t testing.TB, db *views.DB) {
	t.Helper()
	snapshot, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	digest, _, err := snapshot.ComputeDigest(t.Context())
	if err != nil || digest != snapshot.Digest() {
		t.Fatalf("the rows have digest %s, not %s; %v", digest, snapshot.Digest(), err)
	}
}

func TestReplicaFollowsFromTheFirstRecord(t *testing.T) {
	o := newOrigin(t)
	o.write(120)
	r := follow(t, t.TempDir(), o.nats.connect())
	o.mustMatch(r)
	for range 30 { // and each record as it comes
		o.write(1)
		o.mustMatch(r)
	}
	if lag := r.Lag(); lag.Records != 0 {
		t.Errorf("lag %+v", lag)
	}
}

func TestReplicaBeginsWithSnapshot(t *testing.T) {
	o := newOrigin(t)
	o.write(60)
	o.offerSnapshot()
	o.write(30)
	newest := o.offerSnapshot()
	o.write(30)
	var fetched []Progress
	options := followOptions()
	options.Progress = func(p Progress) {
		if p.Snapshot.Seq != 0 {
			fetched = append(fetched, p)
		}
	}
	r, err := Follow(t.Context(), t.TempDir(), o.nats.connect(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, r)
	if len(fetched) == 0 || fetched[len(fetched)-1].Snapshot != newest || fetched[len(fetched)-1].Bytes != newest.SizeBytes {
		t.Errorf("progress %+v, want the whole of snapshot %d", fetched, newest.Seq)
	}
	if first := r.Views().Flushed().Seq; first < newest.Seq {
		t.Errorf("the views began at %d, want %d or later", first, newest.Seq)
	}
	o.mustMatch(r)
}

func TestReplicaGoesOnWhereItWas(t *testing.T) {
	o := newOrigin(t)
	dir := t.TempDir()
	for range 3 {
		o.write(40)
		r := follow(t, dir, o.nats.connect())
		o.mustMatch(r)
		mustClose(t, r)
		if at := r.Views().Flushed().Seq; at != o.store.Seq() {
			t.Errorf("closed at seq %d, want %d", at, o.store.Seq())
		}
	}
}

// TestReplicaWaits waits for a seq that is yet to be written, and for one that
// is never.
func TestReplicaWaits(t *testing.T) {
	o := newOrigin(t)
	r := follow(t, t.TempDir(), o.nats.connect())
	reached := make(chan error)
	next := o.store.Seq() + 5
	go func() { reached <- r.Wait(t.Context(), next) }()
	o.write(5)
	if err := <-reached; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Wait(ctx, next+1); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("error %v, want unavailable", err)
	}
	go func() { reached <- r.Wait(t.Context(), next+1) }()
	mustClose(t, r)
	if err := <-reached; !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("closed: error %v, want unavailable", err)
	}
	if r.Err() != nil {
		t.Errorf("closed: Err %v, want nil", r.Err())
	}
}

func TestReplicaSurvivesItsServer(t *testing.T) {
	o := newOrigin(t)
	o.write(20)
	r := follow(t, t.TempDir(), o.nats.connect())
	o.mustMatch(r)
	for range 3 {
		o.quit() // the API, then NATS below it
		o.write(20)
		o.nats.restart()
		o.serve()
		o.mustMatch(r)
	}
}

// TestReplicaStartsWithoutServer wants reads of what there is while nobody
// answers, and the rest when somebody does.
func TestReplicaStartsWithoutServer(t *testing.T) {
	o := newOrigin(t)
	o.write(20)
	dir := t.TempDir()
	if _, err := Follow(t.Context(), t.TempDir(), newServer(t).connect(), followOptions()); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("without views: %v, want unavailable", err)
	}
	first := follow(t, dir, o.nats.connect())
	o.mustMatch(first)
	mustClose(t, first)
	before := o.store.Seq()
	o.quit()
	o.write(10)
	r := follow(t, dir, o.nats.connect())
	if at := r.Views().Checkpoint().Seq; at > before {
		t.Errorf("views at %d, want at most %d", at, before)
	}
	if r.Lag().Age == 0 {
		t.Error("the lag does not show that the server is away")
	}
	o.serve()
	o.mustMatch(r)
}

func TestReplicaRefusesStoresDirectory(t *testing.T) {
	o := newOrigin(t)
	_, err := Follow(t.Context(), o.store.Options.Path, o.nats.connect(), followOptions())
	if !errors.Is(err, events.ErrInvalid) {
		t.Errorf("error %v, want invalid", err)
	}
}

func TestReplicaHoldsItsDirectory(t *testing.T) {
	o := newOrigin(t)
	dir := t.TempDir()
	follow(t, dir, o.nats.connect())
	if _, err := Follow(t.Context(), dir, o.nats.connect(), followOptions()); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("error %v, want unavailable", err)
	}
}
