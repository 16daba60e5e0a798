package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/internal/wire"
)

func TestConnectToNothing(t *testing.T) {
	_, err := client.Connect(t.Context(), "nats://ops:secret@127.0.0.1:1", client.Options{})
	if !errors.Is(err, metalog.ErrUnavailable) {
		t.Fatalf("error %v, want unavailable", err)
	}
	if !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "metalog serve") {
		t.Errorf("error %q names neither the server nor the way out", err)
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("error %q shows the password", err)
	}
}

func TestNoServerAnswers(t *testing.T) {
	c := connect(t, startNATS(t), client.Options{Cluster: "elsewhere"})
	for name, call := range calls {
		err := call(t.Context(), c)
		if !errors.Is(err, metalog.ErrUnavailable) || !strings.Contains(err.Error(), "elsewhere") || !strings.Contains(err.Error(), "metalog serve") {
			t.Errorf("%s: error %v, want unavailable with cluster and way out", name, err)
		}
	}
}

var calls = map[string]func(context.Context, *client.Client) error{
	"read": func(ctx context.Context, c *client.Client) error {
		_, err := metalog.Collect(c.ListTopics(ctx))
		return err
	},
	"command": func(ctx context.Context, c *client.Client) error {
		_, err := c.CreateTopic(ctx, metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1})
		return err
	},
}

// respond answers every request of a cluster as a test wants.
func respond(t *testing.T, server *natsserver.Server, answer nats.MsgHandler) {
	t.Helper()
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := nc.Subscribe(wire.Subject(wire.DefaultCluster, ">"), answer); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestNoAnswer(t *testing.T) {
	for name, want := range map[string]error{"read": metalog.ErrUnavailable, "command": metalog.ErrOutcomeUnknown} {
		t.Run(name, func(t *testing.T) {
			server := startNATS(t)
			ctx, received := context.WithCancel(t.Context())
			respond(t, server, func(*nats.Msg) { received() })
			err := calls[name](ctx, connect(t, server, client.Options{}))
			if !errors.Is(err, want) {
				t.Errorf("error %v, want %v", err, want)
			}
		})
	}
}

func TestNothingIsSentForADoneContext(t *testing.T) {
	server := startNATS(t)
	respond(t, server, func(m *nats.Msg) { t.Errorf("request on %s", m.Subject) })
	c := connect(t, server, client.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := calls["command"](ctx, c); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("error %v, want unavailable", err)
	}
	if err := c.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestUnreadableAnswer(t *testing.T) {
	server := startNATS(t)
	respond(t, server, func(m *nats.Msg) {
		if err := m.Respond([]byte("<html>")); err != nil {
			t.Error(err)
		}
	})
	c := connect(t, server, client.Options{})
	if err := calls["command"](t.Context(), c); !errors.Is(err, metalog.ErrOutcomeUnknown) {
		t.Errorf("command: error %v, want outcome unknown", err)
	}
	if err := calls["read"](t.Context(), c); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("read: error %v, want unavailable", err)
	}
}

func TestLostPart(t *testing.T) {
	server := startNATS(t)
	respond(t, server, func(m *nats.Msg) {
		for _, part := range []string{"0", "2"} {
			answer := nats.NewMsg(m.Reply)
			answer.Header.Set(wire.HeaderPart, part)
			answer.Header.Set(wire.HeaderMore, "true")
			if err := m.RespondMsg(answer); err != nil {
				t.Error(err)
			}
		}
	})
	err := calls["read"](t.Context(), connect(t, server, client.Options{}))
	if !errors.Is(err, metalog.ErrUnavailable) || !strings.Contains(err.Error(), "part 1") {
		t.Errorf("error %v, want unavailable naming part 1", err)
	}
}

func TestTooLarge(t *testing.T) {
	server := startNATS(t)
	serve(t, openStore(t), server, service.Options{})
	c := connect(t, server, client.Options{})
	for name, size := range map[string]int{"for the store": metalog.MaxCommandBytes + 1, "for NATS": int(c.Conn().MaxPayload()) + 1} {
		_, err := c.CreateGroup(t.Context(), metalog.CreateGroup{ID: strings.Repeat("g", size)})
		if !errors.Is(err, metalog.ErrTooLarge) {
			t.Errorf("%s: error %.100v, want too large", name, err)
		}
	}
}

// large is a config of which a few are more than one message holds.
func large(t *testing.T, store *metalog.Store, topics int) {
	t.Helper()
	config := events.Config{"text": strings.Repeat("é", metalog.MaxConfigValueBytes/2)}
	for i := range topics {
		if _, err := store.CreateTopic(t.Context(), metalog.CreateTopic{Name: fmt.Sprint("topic", i), Partitions: 1, ReplicationFactor: 1, Config: config}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLargeAnswers(t *testing.T) {
	store := openStore(t)
	large(t, store, 32)
	server := startNATS(t)
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{})
	wanted, err := metalog.Collect(store.ListTopics(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	got, err := metalog.Collect(c.ListTopics(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	text := encoded(t, wanted)
	if encoded(t, got) != text {
		t.Error("the client lists other topics than the store")
	}
	if len(text) < 2*wire.MaxPart {
		t.Errorf("the list has %d bytes: it tries nothing", len(text))
	}
}

func TestEventsOverManyPages(t *testing.T) {
	store := openStore(t)
	large(t, store, 20)
	server := startNATS(t)
	var pages int
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{})
	for _, query := range []metalog.EventQuery{
		{},
		{From: 7, To: 18},
		{Limit: 1},
		{Limit: 15},
		{Types: []string{"TopicCreated"}, From: 10},
		{Entity: events.EntityRef{Kind: events.KindTopic, ID: "topic19"}},
	} {
		wanted, err := readEvents(query)(t.Context(), store)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readEvents(query)(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		if encoded(t, got) != encoded(t, wanted) {
			t.Errorf("query %+v: the client reads other events than the store", query)
		}
		pages += len(encoded(t, wanted)) / (256 << 10)
	}
	if pages < 4 {
		t.Errorf("the events fill %d pages: it tries nothing", pages)
	}
	for _, err := range c.Events(t.Context(), metalog.EventQuery{}) {
		if err != nil {
			t.Error(err)
		}
		break
	}
}

func TestViewWaitsForItsSeq(t *testing.T) {
	store := openStore(t)
	server := startNATS(t)
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{})
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wanted := info.Seq + 1
	viewed := make(chan error, 1)
	go func() {
		view, err := c.View(t.Context(), wanted)
		if err == nil && view.Seq() < wanted {
			err = fmt.Errorf("view of seq %d, want %d", view.Seq(), wanted)
		}
		viewed <- err
	}()
	if err := calls["command"](t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := <-viewed; err != nil {
		t.Error(err)
	}
}

// TestViewTellsItsSeq looks at what a view asks for: at first what its maker
// wants to see, and then what it has seen.
func TestViewTellsItsSeq(t *testing.T) {
	server := startNATS(t)
	asked := make(chan string, 2)
	respond(t, server, func(m *nats.Msg) {
		asked <- m.Header.Get(wire.HeaderMinSeq)
		answer := nats.NewMsg(m.Reply)
		answer.Header.Set(wire.HeaderSeq, "41")
		answer.Data = []byte("{}")
		if err := m.RespondMsg(answer); err != nil {
			t.Error(err)
		}
	})
	view, err := connect(t, server, client.Options{}).View(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := view.GetTopic(t.Context(), "orders"); err != nil {
		t.Fatal(err)
	}
	if first, second := <-asked, <-asked; first != "7" || second != "41" {
		t.Errorf("asked for seq %q and then %q, want 7 and 41", first, second)
	}
}

func TestViewNeverGoesBack(t *testing.T) {
	store := openStore(t)
	server := startNATS(t)
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{})
	view, err := c.View(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	before := view.Seq()
	if err := calls["command"](t.Context(), c); err != nil {
		t.Fatal(err)
	}
	topics, err := metalog.Collect(view.ListTopics(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if len(topics) != 1 || view.Seq() != before+1 {
		t.Errorf("%d topics at seq %d, want 1 at %d", len(topics), view.Seq(), before+1)
	}
}

func TestActorOfTheClient(t *testing.T) {
	store := openStore(t)
	server := startNATS(t)
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{Actor: "broker 7/é"})
	if err := calls["command"](t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateGroup(t.Context(), metalog.CreateGroup{ID: "g"}, metalog.WithActor("other")); err != nil {
		t.Fatal(err)
	}
	var actors []string
	for e, err := range store.Events(t.Context(), metalog.EventQuery{From: 2}) {
		if err != nil {
			t.Fatal(err)
		}
		actors = append(actors, e.Actor)
	}
	if got := strings.Join(actors, ", "); got != "broker 7/é, other" {
		t.Errorf("actors %s", got)
	}
}

// TestClosedMeanwhile: a command that was sent may be done, a read is not.
func TestClosedMeanwhile(t *testing.T) {
	for name, want := range map[string]error{"read": metalog.ErrUnavailable, "command": metalog.ErrOutcomeUnknown} {
		server := startNATS(t)
		c := connect(t, server, client.Options{})
		respond(t, server, func(*nats.Msg) { c.Close() })
		if err := calls[name](t.Context(), c); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", name, err, want)
		}
		if err := calls[name](t.Context(), c); !errors.Is(err, metalog.ErrUnavailable) {
			t.Errorf("%s on a closed client: error %v, want unavailable", name, err)
		}
	}
}
