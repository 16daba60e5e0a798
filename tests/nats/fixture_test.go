package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/publisher"
)

// patience is for what hangs; it decides no test but that. The long form has more.
var patience = 2 * time.Minute

// fixture is a store whose log is published into a stream of its own.
type fixture struct {
	env     environment
	name    string // of the cluster, as metalog has it
	store   *storetest.Store
	load    load
	options publisher.Options
}

var fixtures atomic.Int64

func newFixture(t *testing.T, env environment, change ...func(*metalog.Options)) *fixture {
	t.Helper()
	f := &fixture{env: env, name: fmt.Sprintf("c%d", fixtures.Add(1)), store: newStore(t, change...)}
	f.load = load{store: f.store, seed: newSeed(t)}
	info, err := f.store.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.options = publisher.Options{
		Cluster: f.name, LogID: info.LogID, Epoch: info.Epoch, Replicas: env.replicas(),
		CheckEvery: 50 * time.Millisecond, Logger: quiet,
	}
	return f
}

func (f *fixture) stream() string { return publisher.StreamName(f.name) }

// publish runs a publisher on a connection of its own until the test's end.
func (f *fixture) publish(t *testing.T) *publisher.Publisher {
	t.Helper()
	p, err := publisher.New(f.store.Log(), connectJS(t, f.env), f.options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("publisher: %v", err)
		}
	})
	return p
}

// awaitPublished returns when all of the log is in the stream.
func awaitPublished(t *testing.T, p *publisher.Publisher) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.WaitLag(ctx, 0); err != nil {
		t.Fatal(err)
	}
}

// logged are the store's events that a filter lets through, a line of JSON each.
func (f *fixture) logged(t *testing.T, filter publisher.Filter) []string {
	t.Helper()
	query := metalog.EventQuery{Entity: events.EntityRef{Kind: filter.Aggregate, ID: filter.ID}}
	if filter.Type != 0 {
		query.Types = []string{filter.Type.String()}
	}
	var lines []string
	for event, err := range f.store.Events(t.Context(), query) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line(t, event))
	}
	return lines
}

func line(t *testing.T, event events.EventView) string {
	t.Helper()
	text, err := json.Marshal(event)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// same compares events, by their lines.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: event %d:\n got %s\nwant %s", what, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d events, want %d", what, len(got), len(want))
	}
}

// filters are what subscribers ask for. The end of the load matches each.
var filters = map[string]publisher.Filter{
	"all":     {},
	"offsets": {Type: events.TypeOffsetCommitted},
	"topic":   {Aggregate: events.KindTopic, ID: keptTopic},
}

// subscriber reads to the end of the load in the background.
type subscriber struct {
	filter publisher.Filter
	got    []string      // once done is closed
	err    error         // likewise
	begun  chan struct{} // closed with the first message
	marks  chan string   // of the load, as they are read
	done   chan struct{}
}

// subscribe begins to read, and returns when it has a first message: a
// subscription only promises to get over what happens after its start. before, if
// not nil, is called with each message, and may hold the subscriber up.
func (f *fixture) subscribe(t *testing.T, filter publisher.Filter, before func()) *subscriber {
	t.Helper()
	s := &subscriber{filter: filter, begun: make(chan struct{}), marks: make(chan string, maxMarks), done: make(chan struct{})}
	js := connectJS(t, f.env)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	go func() {
		defer close(s.done)
		s.read(ctx, t, js, publisher.SubscribeOptions{Cluster: f.name, Filter: filter, From: events.Position{Seq: 1}, Logger: quiet}, before)
	}()
	t.Cleanup(func() { cancel(); <-s.done })
	select {
	case <-s.begun:
	case <-s.done:
		t.Fatalf("subscribe: %v", s.err)
	}
	return s
}

func (s *subscriber) read(ctx context.Context, t *testing.T, js jetstream.JetStream, options publisher.SubscribeOptions, before func()) {
	for m, err := range publisher.Subscribe(ctx, js, options) {
		if err != nil {
			s.err = err
			return
		}
		if len(s.got) == 0 {
			close(s.begun)
		}
		if before != nil {
			before()
		}
		for _, event := range m.Events {
			s.got = append(s.got, line(t, event))
		}
		if mark := s.markIn(m); mark != "" {
			s.marks <- mark
			if mark == theEnd {
				return
			}
		}
	}
}

// markIn finds a mark of the load, after which the subscriber has all so far:
// who sees only the topic has it with the first of its two records.
func (s *subscriber) markIn(m *publisher.Message) string {
	var text string
	switch e := m.Events[0].Payload.(type) {
	case *events.OffsetCommitted:
		text = e.Metadata
	case *events.SegmentAdded:
		if s.filter.Aggregate == events.KindTopic {
			text = e.ID
		}
	}
	if strings.HasPrefix(text, markPrefix) {
		return text
	}
	return ""
}

// awaitMark returns when the subscriber has read a mark, and all before it.
func (s *subscriber) awaitMark(t *testing.T, mark string) {
	t.Helper()
	for {
		select {
		case got := <-s.marks:
			if got == mark {
				return
			}
		case <-s.done:
			t.Fatalf("the subscription ended before %q: %v", mark, s.err)
		}
	}
}

// check waits for a subscriber's end, and compares what it read with the log.
func (f *fixture) check(t *testing.T, name string, s *subscriber) {
	t.Helper()
	<-s.done
	if s.err != nil {
		t.Fatalf("subscriber %s, after %d events: %v", name, len(s.got), s.err)
	}
	same(t, "subscriber "+name, s.got, f.logged(t, s.filter))
}

// checkStream reads the stream as it is, and compares it with the log.
func (f *fixture) checkStream(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	js := connectJS(t, f.env)
	consumer, err := js.OrderedConsumer(t.Context(), f.stream(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	var got []string
	for pending := uint64(1); pending > 0; {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, linesOf(t, msg)...)
		meta, err := msg.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		pending = meta.NumPending
	}
	same(t, "stream", got, f.logged(t, publisher.Filter{}))
}

// linesOf are the events of a message as it is, without the help of a
// subscriber.
func linesOf(t *testing.T, msg jetstream.Msg) []string {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(msg.Data(), &list); err != nil {
		t.Fatal(err)
	}
	if want := msg.Headers().Get(publisher.HeaderCount); fmt.Sprint(len(list)) != want {
		t.Errorf("%d events in a message whose header says %s", len(list), want)
	}
	var lines []string
	for _, event := range list {
		lines = append(lines, string(event))
	}
	return lines
}
