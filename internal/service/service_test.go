package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/goleak"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a service, and a connection to ask it.
type fixture struct {
	store   *metalog.Store
	service *Service
	server  *natsserver.Server
	asker   *nats.Conn
}

func start(t *testing.T, opts Options) *fixture {
	t.Helper()
	return startThrottled(t, opts, nil)
}

func startThrottled(t *testing.T, opts Options, throttle func(context.Context) error) *fixture {
	t.Helper()
	store, err := metalog.Open(t.Context(), metalog.Options{Path: t.TempDir(), SweepInterval: -1, Throttle: throttle})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	server, err := natsserver.Start(t.Context(), natsserver.Options{
		StoreDir: t.TempDir(), Port: natsserver.RandomPort, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	f := &fixture{store: store, server: server, asker: connect(t, server)}
	if f.service, err = Start(store, connect(t, server), opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.service.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return f
}

func connect(t *testing.T, server *natsserver.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func request(op, body string, headers ...string) *nats.Msg {
	msg := nats.NewMsg(wire.Subject(wire.DefaultCluster, op))
	msg.Data = []byte(body)
	for i := 0; i < len(headers); i += 2 {
		msg.Header.Set(headers[i], headers[i+1])
	}
	return msg
}

func (f *fixture) ask(t *testing.T, msg *nats.Msg) *nats.Msg {
	t.Helper()
	reply, err := f.asker.RequestMsgWithContext(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func TestRefusedRequests(t *testing.T) {
	f := start(t, Options{})
	group := `{"id":"g"}`
	for _, c := range []struct {
		name    string
		request *nats.Msg
		code    events.Code
		message string
	}{
		{"no body", request("topic.create", ""), events.CodeInvalid, "name: is missing"},
		{"not JSON", request("topic.create", "{"), events.CodeInvalid, "topic.create"},
		{"unknown field", request("topic.create", `{"nam":"a"}`), events.CodeInvalid, "nam: is not known"},
		{"bad value", request("topic.create", `{"name":"a b","partitions":1,"replication_factor":1}`), events.CodeInvalid, "a b"},
		{"not UTF-8", request("group.create", "{\"id\":\"\xff\"}"), events.CodeInvalid, "UTF-8"},
		{"too large", request("group.create", `{"id":"`+strings.Repeat("g", metalog.MaxCommandBytes)+`"}`), events.CodeTooLarge, "limit"},
		{"refused", request("group.delete", group), events.CodeNotFound, `group "g"`},
		{"bad revision", request("group.create", group, wire.HeaderIfRevision, "-1"), events.CodeInvalid, wire.HeaderIfRevision},
		{"bad escape", request("group.create", group, wire.HeaderActor, "50%"), events.CodeInvalid, wire.HeaderActor},
		{"bad cause", request("group.create", group, wire.HeaderCause, "7"), events.CodeInvalid, wire.HeaderCause},
		{"wrong revision", request("group.create", group, wire.HeaderIfRevision, "5"), events.CodeConflict, "revision 5"},
		{"long command id", request("group.create", group, wire.HeaderCommandID, strings.Repeat("x", 200)), events.CodeInvalid, "command_id"},
		{"read of nothing", request("topic.get", `{"name":"x"}`), events.CodeNotFound, `topic "x"`},
		{"read of an unknown field", request("topic.get", `{"nam":"x"}`), events.CodeInvalid, "nam"},
		{"two objects", request("topic.get", `{"name":"x"}{}`), events.CodeInvalid, "follows"},
		{"bad min seq", request("topic.list", "", wire.HeaderMinSeq, "x"), events.CodeInvalid, wire.HeaderMinSeq},
		{"bad point", request("topic.list", "", wire.HeaderAt, "tomorrow"), events.CodeInvalid, wire.HeaderAt},
		{"point beyond the head", request("topic.list", "", wire.HeaderAt, "99"), events.CodeOutOfRange, "seq 99 is beyond"},
		{"command at a point", request("group.create", group, wire.HeaderAt, "1"), events.CodeInvalid, wire.HeaderAt},
		{"events at a point", request("events.read", "", wire.HeaderAt, "1"), events.CodeInvalid, wire.HeaderAt},
		{"unknown plan", request("plan", `{"op":"topic.burn","command":{}}`), events.CodeInvalid, "op"},
		{"unknown event type", request("events.read", `{"types":["None"]}`), events.CodeInvalid, "None"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reply := f.ask(t, c.request)
			var e wire.Error
			if err := json.Unmarshal(reply.Data, &e); err != nil {
				t.Fatalf("%q: %v", reply.Data, err)
			}
			if e.Code != c.code || !strings.Contains(e.Message, c.message) {
				t.Errorf("error %s %q, want %s with %q", e.Code, e.Message, c.code, c.message)
			}
			if got := reply.Header.Get(micro.ErrorCodeHeader); got != string(c.code) {
				t.Errorf("error header %q, want %q", got, c.code)
			}
		})
	}
	if seq := f.store.Log().Head().Seq; seq != 1 {
		t.Errorf("head is at seq %d: something was appended", seq)
	}
}

func TestAnswersTellTheirSeq(t *testing.T) {
	f := start(t, Options{})
	written := f.ask(t, request("group.create", `{"id":"g"}`))
	if got := written.Header.Get(wire.HeaderSeq); got != "2" {
		t.Errorf("command: seq %q, want 2", got)
	}
	read := f.ask(t, request("group.list", "", wire.HeaderMinSeq, "2"))
	if got := read.Header.Get(wire.HeaderSeq); got != "2" {
		t.Errorf("read: seq %q, want 2", got)
	}
	for _, at := range []string{"1", "now"} {
		earlier := f.ask(t, request("group.list", "", wire.HeaderAt, at))
		want := map[string][2]string{"1": {"1", "[]"}, "now": {"2", `"id":"g"`}}[at]
		if got := earlier.Header.Get(wire.HeaderSeq); got != want[0] || !strings.Contains(string(earlier.Data), want[1]) {
			t.Errorf("at %s: seq %q, %s; want %v", at, got, earlier.Data, want)
		}
	}
}

// TestReplicaHasNoEarlierStates: it refuses them, and names who has them.
func TestReplicaHasNoEarlierStates(t *testing.T) {
	f := start(t, Options{})
	replica, err := StartReplica(f.store, "nats://server.example:4222", connect(t, f.server), Options{Cluster: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer replica.Close(context.Background())
	for _, op := range []string{"topic.list", "info"} {
		msg := request(op, "", wire.HeaderAt, "1")
		msg.Subject = wire.Subject("other", op)
		reply := f.ask(t, msg)
		if code := reply.Header.Get(micro.ErrorCodeHeader); code != string(events.CodeForbidden) || !strings.Contains(string(reply.Data), "nats://server.example:4222") {
			t.Errorf("%s: %s %s", op, code, reply.Data)
		}
	}
}

// TestCloseAnswersAll closes a service to which the server has already sent more
// requests than it works on at a time.
func TestCloseAnswersAll(t *testing.T) {
	f := start(t, Options{MaxConcurrent: 4})
	inbox, err := f.asker.SubscribeSync(f.asker.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	const requests = 500
	for i := range requests {
		msg := request("group.create", fmt.Sprintf(`{"id":"g%d"}`, i))
		msg.Reply = inbox.Subject
		if err := f.asker.PublishMsg(msg); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.asker.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.service.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range requests {
		reply, err := inbox.NextMsgWithContext(t.Context())
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		if code := reply.Header.Get(micro.ErrorCodeHeader) + reply.Header.Get("Status"); code != "" {
			t.Fatalf("answer %d: %s %s", i, code, reply.Data)
		}
	}
	if seq := f.store.Log().Head().Seq; seq != requests+1 {
		t.Errorf("head is at seq %d, want %d", seq, requests+1)
	}
}

// TestCloseGivesUp closes a service while a read waits for a seq that never
// comes.
func TestCloseGivesUp(t *testing.T) {
	f := start(t, Options{})
	inbox, err := f.asker.SubscribeSync(f.asker.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	msg := request("topic.list", "", wire.HeaderMinSeq, "1000")
	msg.Reply = inbox.Subject
	if err := f.asker.PublishMsg(msg); err != nil {
		t.Fatal(err)
	}
	if err := f.asker.Flush(); err != nil {
		t.Fatal(err)
	}
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.service.Close(given); err != nil {
		t.Fatal(err)
	}
	reply, err := inbox.NextMsgWithContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := reply.Header.Get(micro.ErrorCodeHeader); got != string(events.CodeUnavailable) {
		t.Errorf("error %q, want unavailable: %s", got, reply.Data)
	}
}

// TestWaitingReadsDoNotStopCommands fills all that reads may have with reads that
// wait for what a command is to write.
func TestWaitingReadsDoNotStopCommands(t *testing.T) {
	f := start(t, Options{MaxConcurrent: 1})
	inbox, err := f.asker.SubscribeSync(f.asker.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	waiting := request("topic.list", "", wire.HeaderMinSeq, "2")
	waiting.Reply = inbox.Subject
	if err := f.asker.PublishMsg(waiting); err != nil {
		t.Fatal(err)
	}
	for len(f.service.readSlots.taken) == 0 {
		runtime.Gosched() // until the read has its slot
	}
	if reply := f.ask(t, request("group.create", `{"id":"g"}`)); reply.Header.Get(micro.ErrorCodeHeader) != "" {
		t.Errorf("command: %s", reply.Data)
	}
	reply, err := inbox.NextMsgWithContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if reply.Header.Get(micro.ErrorCodeHeader) != "" {
		t.Errorf("read: %s", reply.Data)
	}
}

// TestThrottledCommandsDoNotStopOthers fills all that commands of a high rate may
// have with one that waits: the others are answered, and it is, once it may go on.
func TestThrottledCommandsDoNotStopOthers(t *testing.T) {
	throttled, open := make(chan struct{}), make(chan struct{})
	f := startThrottled(t, Options{MaxConcurrent: 1}, func(context.Context) error {
		close(throttled)
		<-open
		return nil
	})
	inbox, err := f.asker.SubscribeSync(f.asker.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	f.ask(t, request("topic.create", `{"name":"t","partitions":1,"replication_factor":1}`))
	waiting := request("partition.watermark", `{"topic":"t","partition":0,"high":5}`)
	waiting.Reply = inbox.Subject
	if err := f.asker.PublishMsg(waiting); err != nil {
		t.Fatal(err)
	}
	<-throttled
	for _, msg := range []*nats.Msg{request("group.create", `{"id":"g"}`), request("group.list", "")} {
		if reply := f.ask(t, msg); reply.Header.Get(micro.ErrorCodeHeader) != "" {
			t.Errorf("%s: %s", msg.Subject, reply.Data)
		}
	}
	close(open)
	reply, err := inbox.NextMsgWithContext(t.Context())
	if err != nil || reply.Header.Get(micro.ErrorCodeHeader) != "" {
		t.Errorf("the command that waited: %s, %v", reply.Data, err)
	}
}

// TestInfoTellsOfThePublisher, when there is one.
func TestInfoTellsOfThePublisher(t *testing.T) {
	want := metalog.PublisherInfo{Next: events.Position{Seq: 7, Index: 2}, LagRecords: 3, LagSeconds: 1.5, Running: true, Connected: true}
	for name, of := range map[string]*metalog.PublisherInfo{"one": &want, "none": nil} {
		f := start(t, Options{Publisher: func(context.Context) *metalog.PublisherInfo { return of }})
		var info metalog.Info
		if err := json.Unmarshal(f.ask(t, request("info", "")).Data, &info); err != nil {
			t.Fatal(err)
		}
		if (of == nil) != (info.Publisher == nil) || of != nil && *info.Publisher != *of {
			t.Errorf("%s: %+v", name, info.Publisher)
		}
	}
}

// TestCloseWithoutNATS: a service whose server is gone stops at once, and without
// an error.
func TestCloseWithoutNATS(t *testing.T) {
	server, err := natsserver.Start(t.Context(), natsserver.Options{StoreDir: t.TempDir(), Port: natsserver.RandomPort, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Shutdown()
	store, err := metalog.Open(t.Context(), metalog.Options{Path: t.TempDir(), SweepInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	nc := connect(t, server)
	lost := nc.StatusChanged(nats.RECONNECTING)
	service, err := Start(store, nc, Options{})
	if err != nil {
		t.Fatal(err)
	}
	server.Shutdown()
	<-lost
	if err := service.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// blocked is views of which earlier states are never ready.
type blocked struct {
	Viewer
	asked chan struct{}
}

func (b blocked) At(ctx context.Context, _ metalog.Point) (metalog.View, error) {
	b.asked <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestEarlierStatesAreBounded: who comes when too many wait is told so.
func TestEarlierStatesAreBounded(t *testing.T) {
	e := earlier{blocked{asked: make(chan struct{})}, make(chan struct{}, 2)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	for range 2 {
		go func() {
			_, err := e.At(ctx, metalog.Point{Seq: 1})
			ended <- err
		}()
		<-e.timeViewer.(blocked).asked
	}
	if _, err := e.At(t.Context(), metalog.Point{Seq: 2}); !errors.Is(err, metalog.ErrUnavailable) || !strings.Contains(err.Error(), "2 reads of earlier states") {
		t.Errorf("a third one: %v", err)
	}
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	if len(e.slots) != 0 {
		t.Errorf("%d places are still taken", len(e.slots))
	}
}
