package publisher

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// selected returns the log's events that keep holds for.
func selected(log *memLog, keep func(events.EventView) bool) []events.EventView {
	var out []events.EventView
	for _, v := range logEvents(log) {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

func TestSubscribeStartsWhereAsked(t *testing.T) {
	js, log := newServer(t).connect(), newMemLog()
	log.fill(rand.New(rand.NewPCG(20, 0)), 100)
	var commit []events.Fact
	for p := range int32(10) {
		commit = append(commit, plain(offset("g", "t", p, 1)))
	}
	log.append("", commit...) // record 101: one message
	log.fill(rand.New(rand.NewPCG(21, 0)), 100)
	publishAll(t, log, js, testOptions())
	tests := []struct {
		name    string
		options SubscribeOptions
		first   events.Position
	}{
		{"at the beginning", SubscribeOptions{}, events.Position{Seq: 1}},
		{"at seq 1", SubscribeOptions{From: events.Position{Seq: 1}}, events.Position{Seq: 1}},
		{"at a record", SubscribeOptions{From: events.Position{Seq: 77}}, events.Position{Seq: 77}},
		{"in the middle of a message", SubscribeOptions{From: events.Position{Seq: 101, Index: 4}}, events.Position{Seq: 101, Index: 4}},
		{"at the last record", SubscribeOptions{From: events.Position{Seq: 201}}, events.Position{Seq: 201}},
		{"at a record's time", SubscribeOptions{Since: log.records[49].Time.Time()}, events.Position{Seq: 50}},
		{"between two times", SubscribeOptions{Since: log.records[49].Time.Time().Add(1)}, events.Position{Seq: 51}},
		{"long ago", SubscribeOptions{Since: time.Unix(0, 0)}, events.Position{Seq: 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := selected(log, func(v events.EventView) bool {
				return !before(events.Position{Seq: v.Seq, Index: v.Index}, test.first)
			})
			sameEvents(t, collect(t, js, test.options, len(want)), want)
		})
	}
}

// reader subscribes in the background and passes on what it reads.
func reader(t *testing.T, server *testServer, options SubscribeOptions) <-chan []events.EventView {
	t.Helper()
	options.Cluster, options.Logger = testCluster, quiet
	js := server.connect()
	ctx, cancel := context.WithCancel(context.Background())
	out := make(chan []events.EventView)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range Subscribe(ctx, js, options) {
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("Subscribe: %v", err)
				}
				close(out)
				return
			}
			select {
			case out <- m.Events:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return out
}

// take receives n events.
func take(t *testing.T, from <-chan []events.EventView, n int) []events.EventView {
	t.Helper()
	var all []events.EventView
	for len(all) < n {
		batch, ok := <-from
		if !ok {
			t.Fatalf("the subscription ended after %d of %d events", len(all), n)
		}
		all = append(all, batch...)
	}
	return all
}

// Where "new" begins is found by locate; what comes then is as from a position.
func TestSubscribeToNewEvents(t *testing.T) {
	js, log := newServer(t).connect(), filled(22, 20)
	publishAll(t, log, js, testOptions())
	s, err := newSubscription(js, SubscribeOptions{Cluster: testCluster, New: true})
	if err != nil {
		t.Fatal(err)
	}
	stream := streamOf(t, js)
	got, err := s.locate(t.Context(), locatorOf(t, stream))
	want := place{stream.CachedInfo().State.LastSeq + 1, events.Position{Seq: 21}}
	if err != nil || got != want {
		t.Errorf("begins at %+v (%v), want %+v", got, err, want)
	}
}

func locatorOf(t *testing.T, stream jetstream.Stream) locator {
	t.Helper()
	l, err := newLocator(stream)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// What is published later but belongs to an earlier time is not wanted.
func TestSubscribeSinceATimeToCome(t *testing.T) {
	server, log := newServer(t), filled(22, 20)
	start(t, newPublisher(t, log, server.connect(), testOptions()))
	log.awaitPublished()
	since := log.records[19].Time.Time().Add(2 * time.Millisecond) // the time of record 22
	later := reader(t, server, SubscribeOptions{Since: since})
	for range 3 {
		log.append("", plain(&events.SystemInitialized{}))
	}
	if got := take(t, later, 2); got[0].Seq != 22 || got[1].Seq != 23 {
		t.Errorf("seqs %d and %d, want 22 and 23", got[0].Seq, got[1].Seq)
	}
}

func TestSubscribeWithFilter(t *testing.T) {
	js, log := newServer(t).connect(), filled(23, 300)
	publishAll(t, log, js, testOptions())
	tests := []struct {
		name   string
		filter Filter
		keep   func(events.EventView) bool
	}{
		{"topic", Filter{Aggregate: events.KindTopic, ID: "topic.1"}, func(v events.EventView) bool { return v.Entity.String() == "topic/topic.1" }},
		{"group with a space", Filter{Aggregate: events.KindGroup, ID: "group 2"}, func(v events.EventView) bool { return v.Entity.String() == "group/group 2" }},
		{"type", Filter{Type: events.TypeSegmentRemoved}, func(v events.EventView) bool { return v.Type == "SegmentRemoved" }},
		{"aggregate", Filter{Aggregate: events.KindBroker}, func(v events.EventView) bool { return v.Entity.Kind == events.KindBroker }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := selected(log, test.keep)
			if len(want) < 3 {
				t.Fatalf("%d events match: the test shows nothing", len(want))
			}
			sameEvents(t, collect(t, js, SubscribeOptions{Filter: test.filter}, len(want)), want)
		})
	}
}

// Subscribers see each event once while the server restarts and the stream is
// lost, and filled again, under them.
func TestSubscribersSurviveRestartsAndRefills(t *testing.T) {
	server, log, options := newServer(t), filled(24, 50), testOptions()
	options.CheckEvery = 10 * time.Millisecond
	start(t, newPublisher(t, log, server.connect(), options))
	log.awaitPublished()
	all := reader(t, server, SubscribeOptions{})
	offsets := reader(t, server, SubscribeOptions{Filter: Filter{Type: events.TypeOffsetCommitted}})
	isOffset := func(v events.EventView) bool { return v.Type == "OffsetCommitted" }
	disturbances := []func(){
		func() {},
		server.restart,
		func() {
			js := server.connect()
			if err := js.DeleteStream(t.Context(), StreamName(testCluster)); err != nil {
				t.Fatal(err)
			}
		},
		func() {
			if err := streamOf(t, server.connect()).Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	}
	rng := rand.New(rand.NewPCG(25, 0))
	var gotAll, gotOffsets []events.EventView
	for _, disturb := range disturbances {
		disturb()
		log.fill(rng, 50)
		wantAll, wantOffsets := logEvents(log), selected(log, isOffset)
		gotAll = append(gotAll, take(t, all, len(wantAll)-len(gotAll))...)
		gotOffsets = append(gotOffsets, take(t, offsets, len(wantOffsets)-len(gotOffsets))...)
		sameEvents(t, gotAll, wantAll)
		sameEvents(t, gotOffsets, wantOffsets)
	}
}

func TestSubscribeRefuses(t *testing.T) {
	server, log := newServer(t), filled(26, 100)
	js := server.connect()
	publishAll(t, log, js, testOptions())
	tests := []struct {
		name    string
		options SubscribeOptions
		want    error
	}{
		{"a start beyond the end", SubscribeOptions{From: events.Position{Seq: 102}}, events.ErrOutOfRange},
		{"another log", SubscribeOptions{LogID: uuid.Max}, events.ErrConflict},
		{"an unknown cluster", SubscribeOptions{Cluster: "elsewhere"}, events.ErrNotFound},
		{"a cluster that is no name", SubscribeOptions{Cluster: "a b"}, events.ErrInvalid},
		{"two starts", SubscribeOptions{New: true, Since: time.Unix(1, 0)}, events.ErrInvalid},
		{"an id without aggregate", SubscribeOptions{Filter: Filter{ID: "x"}}, events.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.options.Cluster == "" {
				test.options.Cluster = testCluster
			}
			if err := firstError(t.Context(), server, test.options); !errors.Is(err, test.want) {
				t.Errorf("Subscribe: %v, want %v", err, test.want)
			}
		})
	}
}

// firstError returns the error of a subscription that is expected to begin with
// one.
func firstError(ctx context.Context, server *testServer, options SubscribeOptions) error {
	options.Logger = quiet
	for _, err := range Subscribe(ctx, server.connect(), options) {
		return err
	}
	return nil
}

func TestSubscribeEndsWithItsContext(t *testing.T) {
	js, log := newServer(t).connect(), filled(27, 10)
	publishAll(t, log, js, testOptions())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range Subscribe(ctx, js, SubscribeOptions{Cluster: testCluster, Logger: quiet}) {
		last = err
		cancel()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("ended with %v, want the context's error", last)
	}
}

// An answer that got lost is not waited for until the caller's deadline.
func TestSubscribeAsksAgainBeforeTheDeadline(t *testing.T) {
	server := newServer(t)
	conn := server.connect().Conn()
	unanswered, err := conn.SubscribeSync("LOST.>")
	if err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.NewWithAPIPrefix(server.connect().Conn(), "LOST", jetstream.WithDefaultTimeout(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Flush(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for _, err := range Subscribe(ctx, js, SubscribeOptions{Cluster: testCluster, Logger: quiet}) {
		if !errors.Is(err, events.ErrUnavailable) {
			t.Errorf("Subscribe: %v, want unavailable", err)
		}
	}
	if n, _, err := unanswered.Pending(); err != nil || n == 0 {
		t.Errorf("%d requests (%v): the test shows nothing", n, err)
	}
}

func TestSubscribeToUnreachableServer(t *testing.T) {
	server := newServer(t)
	js := server.connect()
	js.Conn().Close()
	for _, err := range Subscribe(t.Context(), js, SubscribeOptions{Cluster: testCluster, Logger: quiet}) {
		if !errors.Is(err, events.ErrUnavailable) {
			t.Errorf("Subscribe: %v, want unavailable", err)
		}
	}
}
