package publisher

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

func TestPublishInBothEncodings(t *testing.T) {
	for _, encoding := range []Encoding{JSON, CBOR} {
		t.Run(string(encoding), func(t *testing.T) {
			js, log, options := newServer(t).connect(), filled(1, 200), testOptions()
			options.Encoding = encoding
			publishAll(t, log, js, options)
			sameEvents(t, storedEvents(t, js), logEvents(log))
		})
	}
}

func TestRunOfEventsIsOneMessage(t *testing.T) {
	js, log := newServer(t).connect(), newMemLog()
	var facts []events.Fact
	for p := range int32(50) {
		facts = append(facts, plain(offset("g", "t", p, 1)))
	}
	log.append("", facts...)
	publishAll(t, log, js, testOptions())
	if n := streamOf(t, js).CachedInfo().State.Msgs; n != 1 {
		t.Errorf("50 offsets of one commit in %d messages, want 1", n)
	}
}

// A publisher is stopped at random points, with messages in flight.
func TestKilledPublishersPublishEachEventOnce(t *testing.T) {
	server, log := newServer(t), filled(2, 1000)
	rng := rand.New(rand.NewPCG(3, 0))
	for round := 0; round < 40; round++ {
		ctx, kill := context.WithCancel(t.Context())
		at := 1 + rng.IntN(24) // in all less than the log has
		log.onRecord = func(uint64) {
			if at--; at == 0 {
				kill()
			}
		}
		if err := newPublisher(t, log, server.connect(), testOptions()).Run(ctx); err != nil {
			t.Fatal(err)
		}
		kill()
	}
	log.onRecord = nil
	js := server.connect()
	if state := streamOf(t, js).CachedInfo().State; state.Msgs == 0 {
		t.Fatal("no round published anything: the test shows nothing")
	}
	publishAll(t, log, js, testOptions())
	sameEvents(t, storedEvents(t, js), logEvents(log))
}

// The server goes while the publisher is in the middle of the log.
func TestServerRestartsWhilePublishing(t *testing.T) {
	server, log := newServer(t), newMemLog()
	rng := rand.New(rand.NewPCG(4, 0))
	reached := make(chan struct{})
	arm := func(remaining int) {
		log.mu.Lock()
		defer log.mu.Unlock()
		log.onRecord = func(uint64) {
			if remaining--; remaining == 0 {
				reached <- struct{}{}
			}
		}
	}
	start(t, newPublisher(t, log, server.connect(), testOptions()))
	for range 3 {
		arm(100)
		log.fill(rng, 200)
		<-reached
		server.restart()
	}
	log.awaitPublished()
	sameEvents(t, storedEvents(t, server.connect()), logEvents(log))
}

// A record's messages are stored in part when the publisher dies in between.
func TestHalfPublishedRecordIsContinued(t *testing.T) {
	log := newMemLog()
	log.append("", plain(&events.SystemInitialized{}))
	ref := topicRef("a")
	log.append("", plain(&events.TopicDeleted{TopicRef: ref}),
		derived(&events.SegmentRemoved{PartitionRef: events.PartitionRef{Topic: "a", TopicID: ref.ID}, ID: "1"}, 0),
		derived(&events.SegmentRemoved{PartitionRef: events.PartitionRef{Topic: "a", TopicID: ref.ID}, ID: "2"}, 0),
		derived(&events.OffsetDeleted{OffsetRef: offset("g", "a", 0, 0).OffsetRef}, 0))
	log.append("", plain(&events.SystemInitialized{}))
	for stored := 1; stored <= 5; stored++ {
		js := newServer(t).connect()
		publishFirst(t, log, js, stored)
		publishAll(t, log, js, testOptions())
		sameEvents(t, storedEvents(t, js), logEvents(log))
	}
}

// publishFirst stores the log's first n messages and nothing else.
func publishFirst(t *testing.T, log *memLog, js jetstream.JetStream, n int) {
	t.Helper()
	p := newPublisher(t, log, js, testOptions())
	if _, _, err := p.resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	encode := newEncoder(&p.options, p.maxPayload())
	for _, rec := range log.records {
		msgs, err := encode.messages(rec, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			if n--; n < 0 {
				return
			}
			if _, err := js.PublishMsg(t.Context(), m.msg); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What happens to a stream while nobody publishes is mended by the next run.
func TestDamagedStreamIsFilledAgain(t *testing.T) {
	tests := []struct {
		name   string
		damage func(ctx context.Context, js jetstream.JetStream, s jetstream.Stream) error
	}{
		{"deleted", func(ctx context.Context, js jetstream.JetStream, s jetstream.Stream) error {
			return js.DeleteStream(ctx, StreamName(testCluster))
		}},
		{"purged", func(ctx context.Context, _ jetstream.JetStream, s jetstream.Stream) error {
			return s.Purge(ctx)
		}},
		{"cut in front", func(ctx context.Context, _ jetstream.JetStream, s jetstream.Stream) error {
			return s.Purge(ctx, jetstream.WithPurgeSequence(20))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			js, log := newServer(t).connect(), filled(5, 100)
			publishAll(t, log, js, testOptions())
			if err := test.damage(t.Context(), js, streamOf(t, js)); err != nil {
				t.Fatal(err)
			}
			log.fill(rand.New(rand.NewPCG(6, 0)), 10)
			publishAll(t, log, js, testOptions())
			sameEvents(t, storedEvents(t, js), logEvents(log))
		})
	}
}

// No ack tells a publisher that its stream was purged: it looks.
func TestPurgeWhilePublishingIsNoticed(t *testing.T) {
	server, log, options := newServer(t), filled(7, 100), testOptions()
	options.CheckEvery = time.Millisecond
	js := server.connect()
	start(t, newPublisher(t, log, server.connect(), options))
	log.awaitPublished()
	if err := streamOf(t, js).Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := logEvents(log)
	sameEvents(t, collect(t, js, SubscribeOptions{}, len(want)), want)
}

func TestTwoPublishersStoreEachEventOnce(t *testing.T) {
	server, log, rng := newServer(t), newMemLog(), rand.New(rand.NewPCG(8, 0))
	log.fill(rng, 1)
	publishAll(t, log, server.connect(), testOptions()) // so that there is a stream to subscribe to
	log.fill(rng, 199)
	var publishers sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		p := newPublisher(t, log, server.connect(), testOptions())
		publishers.Go(func() {
			if err := p.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	for range 20 {
		log.fill(rng, 10)
	}
	js := server.connect()
	want := logEvents(log)
	sameEvents(t, collect(t, js, SubscribeOptions{From: events.Position{Seq: 1}}, len(want)), want)
	cancel()
	publishers.Wait()
	sameEvents(t, storedEvents(t, js), want)
}

func TestRefusedStreams(t *testing.T) {
	tests := []struct {
		name   string
		change func(log *memLog, o *Options) *memLog
		want   error
	}{
		{"of another log", func(log *memLog, o *Options) *memLog { o.LogID = uuid.Max; return log }, events.ErrConflict},
		{"ahead of the log", func(log *memLog, o *Options) *memLog { return log.truncated(50) }, events.ErrCorrupt},
		{"with another history", func(_ *memLog, _ *Options) *memLog {
			other := newMemLog()
			for range 200 {
				other.append("another actor", plain(&events.SystemInitialized{}))
			}
			return other
		}, events.ErrCorrupt},
		{"of a later epoch", func(log *memLog, o *Options) *memLog { o.Epoch = 1; return log }, events.ErrFenced},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			js, log, options := newServer(t).connect(), filled(10, 100), testOptions()
			options.Epoch = 2
			publishAll(t, log, js, options)
			before := storedEvents(t, js)
			source := test.change(log, &options)
			err := newPublisher(t, source, js, options).Run(t.Context())
			if !errors.Is(err, test.want) {
				t.Errorf("Run: %v, want %v", err, test.want)
			}
			sameEvents(t, storedEvents(t, js), before)
		})
	}
}

func TestStreamWithLimitsIsRefused(t *testing.T) {
	js, log := newServer(t).connect(), filled(11, 10)
	p := newPublisher(t, log, js, testOptions())
	config := p.streamConfig()
	config.MaxAge = time.Hour
	if _, err := js.CreateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(t.Context()); !errors.Is(err, events.ErrConflict) {
		t.Errorf("Run: %v, want a conflict", err)
	}
}

func TestPositionAndLag(t *testing.T) {
	js, log := newServer(t).connect(), filled(12, 30)
	p := newPublisher(t, log, js, testOptions())
	lag, err := p.Lag(t.Context())
	if err != nil || lag.Records != 30 || lag.Age <= 0 {
		t.Errorf("before: lag %+v, %v, want 30 records of some age", lag, err)
	}
	start(t, p)
	log.awaitPublished()
	if lag, err = p.Lag(t.Context()); err != nil || lag != (Lag{}) {
		t.Errorf("after: lag %+v, %v, want none", lag, err)
	}
	if got, want := p.Position(), (events.Position{Seq: 31}); got != want {
		t.Errorf("position %s, want %s", got, want)
	}
}

func TestInvalidOptions(t *testing.T) {
	tests := map[string]func(*Options){
		"cluster with a dot": func(o *Options) { o.Cluster = "a.b" },
		"no cluster":         func(o *Options) { o.Cluster = "" },
		"no log id":          func(o *Options) { o.LogID = uuid.Nil },
		"no epoch":           func(o *Options) { o.Epoch = 0 },
		"unknown encoding":   func(o *Options) { o.Encoding = "xml" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			options := testOptions()
			change(&options)
			if _, err := New(newMemLog(), nil, options); !errors.Is(err, events.ErrInvalid) {
				t.Errorf("New: %v, want invalid", err)
			}
		})
	}
}
