package nats

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/publisher"
)

// contract is what holds in every environment.
var contract = []struct {
	name  string
	check func(t *testing.T, env environment, rounds int)
}{
	{"servers go and come back", serversFail},
	{"two publishers", twoPublishers},
	{"the stream is lost", streamLost},
	{"NATS is unreachable", unreachable},
	{"a slow consumer", slowConsumer},
}

// TestContract:
//
//	go test ./tests/nats -run TestContract
//	METALOG_LONG=1 go test ./tests/nats -run TestContract -timeout 2h -v
func TestContract(t *testing.T) {
	for _, environment := range environments {
		t.Run(environment.name, func(t *testing.T) {
			t.Parallel() // a cluster mostly waits for its elections
			env := environment.start(t)
			for _, part := range contract {
				t.Run(part.name, func(t *testing.T) {
					part.check(t, env, rounds(environment.rounds, longRounds))
				})
			}
		})
	}
}

const longRounds = 30

// perRound is how many commands follow each failure at least.
const perRound = 100

// finish ends the load, and checks all that read, and the stream.
func (f *fixture) finish(t *testing.T, p *publisher.Publisher, subscribers map[string]*subscriber) {
	t.Helper()
	f.load.mark(t, theEnd)
	awaitPublished(t, p)
	for name, s := range subscribers {
		f.check(t, name, s)
	}
	f.checkStream(t)
}

// subscribeAll begins with a stream that is there, one subscriber a filter.
func (f *fixture) subscribeAll(t *testing.T, p *publisher.Publisher) map[string]*subscriber {
	t.Helper()
	f.load.run(t, perRound)
	awaitPublished(t, p)
	all := map[string]*subscriber{}
	for name, filter := range filters {
		all[name] = f.subscribe(t, filter, nil)
	}
	return all
}

// serversFail takes a server away under load, again and again.
func serversFail(t *testing.T, env environment, rounds int) {
	f := newFixture(t, env)
	p := f.publish(t)
	subscribers := f.subscribeAll(t, p)
	for round := range rounds {
		f.load.during(t, perRound, func() {
			env.fail(t, f.stream(), round%2 == 0)
			env.mend(t)
		})
	}
	f.finish(t, p, subscribers)
}

// twoPublishers has two of them store the same log, also while a server goes.
func twoPublishers(t *testing.T, env environment, _ int) {
	f := newFixture(t, env)
	p := f.publish(t)
	other := f.publish(t)
	subscribers := f.subscribeAll(t, p)
	f.load.during(t, perRound, func() {
		env.fail(t, f.stream(), true)
		env.mend(t)
	})
	awaitPublished(t, other)
	f.finish(t, p, subscribers)
}

// streamLost purges the stream, wholly and in front, and deletes it. What is lost
// was read by all: what somebody purges ahead of a filtered subscriber, that one
// can't see. Publishing goes on before the loss is noticed.
func streamLost(t *testing.T, env environment, _ int) {
	f := newFixture(t, env)
	p := f.publish(t)
	subscribers := f.subscribeAll(t, p)
	js := connectJS(t, env)
	for i, lose := range []func(context.Context) error{
		func(ctx context.Context) error { return f.purge(ctx, js) },
		func(ctx context.Context) error { return f.purge(ctx, js, jetstream.WithPurgeKeep(3)) },
		func(ctx context.Context) error { return js.DeleteStream(ctx, f.stream()) },
	} {
		mark := fmt.Sprint(markPrefix, i)
		f.load.mark(t, mark)
		for _, s := range subscribers {
			s.awaitMark(t, mark)
		}
		if err := lose(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.load.run(t, perRound)
		awaitPublished(t, p)
	}
	f.finish(t, p, subscribers)
}

func (f *fixture) purge(ctx context.Context, js jetstream.JetStream, opts ...jetstream.StreamPurgeOpt) error {
	stream, err := js.Stream(ctx, f.stream())
	if err != nil {
		return err
	}
	return stream.Purge(ctx, opts...)
}

// unreachable takes all servers away: commands go on, but for those of a high
// rate once the lag is at its limit.
func unreachable(t *testing.T, env environment, _ int) {
	const limit = 50
	var p *publisher.Publisher
	waits := make(chan struct{}, 1)
	f := newFixture(t, env, func(o *metalog.Options) {
		o.Throttle = func(ctx context.Context) error {
			if p == nil {
				return nil
			}
			select {
			case waits <- struct{}{}:
			default:
			}
			return p.WaitLag(ctx, limit)
		}
	})
	p = f.publish(t)
	execute(t, f.store, addSegment(keptTopic, 0, "first"))
	awaitPublished(t, p)
	s := f.subscribe(t, publisher.Filter{}, nil)
	env.failAll(t)

	published := p.Position().Seq
	for i := range limit + 1 {
		execute(t, f.store, addSegment(keptTopic, 0, strings.Repeat("s", i+1)))
	}
	if lag, err := p.Lag(t.Context()); err != nil || lag.Records != limit+1 || lag.Age <= 0 || p.Position().Seq != published {
		t.Errorf("lag %+v at %s (%v), want %d records after seq %d", lag, p.Position(), err, limit+1, published)
	}
	f.refuseThrottled(t)

	<-waits // of the one that was refused
	committed := make(chan error, 1)
	go func() {
		_, err := f.store.Execute(t.Context(), metalog.CommitOffsets{Group: groupID(0), Offsets: []metalog.OffsetCommit{{Topic: keptTopic}}}, metalog.CommandOptions{})
		committed <- err
	}()
	<-waits
	execute(t, f.store, addSegment(keptTopic, 1, "of a low rate")) // does not wait
	select {
	case err := <-committed:
		t.Fatalf("a commit did not wait: %v", err)
	default:
	}
	env.mend(t)
	if err := <-committed; err != nil {
		t.Errorf("the commit that waited: %v", err)
	}
	f.finish(t, p, map[string]*subscriber{"all": s})
}

// refuseThrottled gives a command of a high rate whose time is over while it
// waits.
func (f *fixture) refuseThrottled(t *testing.T) {
	t.Helper()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.store.Execute(over, metalog.AdvanceWatermarks{Topic: keptTopic, High: new(int64)}, metalog.CommandOptions{})
	if !errors.Is(err, metalog.ErrUnavailable) || !strings.Contains(err.Error(), "records behind") {
		t.Fatalf("a watermark: %v, want unavailable, with the lag", err)
	}
}

// slowConsumer holds a subscriber up at its first message until all is published:
// it holds up nobody, and misses nothing.
func slowConsumer(t *testing.T, env environment, _ int) {
	f := newFixture(t, env)
	p := f.publish(t)
	f.load.run(t, perRound)
	awaitPublished(t, p)
	published := make(chan struct{})
	s := f.subscribe(t, publisher.Filter{}, func() { <-published })
	f.load.runOf(t, quickOr(1_500, 40_000), keptCommit) // some ten events each, more messages than are fetched ahead
	f.load.mark(t, theEnd)
	awaitPublished(t, p)
	close(published)
	f.check(t, "that was held up", s)
	if n := len(s.got); n < 10_000 {
		t.Errorf("only %d events: the test shows little", n)
	}
}

// TestReplicas: a stream that is there gets another number of replicas when it is
// asked for and the servers are there, and is published to all the same.
func TestReplicas(t *testing.T) {
	t.Parallel()
	env := startCluster(t)
	f := newFixture(t, env)
	f.options.Replicas = 1
	p := f.publish(t)
	f.load.run(t, perRound)
	awaitPublished(t, p)
	for _, test := range []struct {
		asked, want int
		ok          bool
	}{{3, 3, true}, {3, 3, true}, {5, 3, false}, {1, 1, true}} {
		options := f.options
		options.Replicas = test.asked
		changer, err := publisher.New(f.store.Log(), connectJS(t, env), options)
		if err != nil {
			t.Fatal(err)
		}
		err = changer.MatchReplicas(t.Context())
		if (err == nil) != test.ok || err != nil && (!errors.Is(err, metalog.ErrUnavailable) || !strings.Contains(err.Error(), "has 3 replicas")) {
			t.Errorf("%d replicas: %v", test.asked, err)
		}
		if n := f.replicas(t); n != test.want {
			t.Errorf("%d replicas after %d were asked for, want %d", n, test.asked, test.want)
		}
		f.load.run(t, perRound)
		awaitPublished(t, p)
	}
	f.checkStream(t)
}

func (f *fixture) replicas(t *testing.T) int {
	t.Helper()
	stream, err := connectJS(t, f.env).Stream(t.Context(), f.stream())
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().Config.Replicas
}
