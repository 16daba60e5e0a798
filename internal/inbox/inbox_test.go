package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/metalog/metalog/internal/natsserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes an inbox, and a connection for those who answer.
func open(t *testing.T) (*Inbox, *nats.Conn) {
	t.Helper()
	server, err := natsserver.Start(t.Context(), natsserver.Options{StoreDir: t.TempDir(), Port: natsserver.RandomPort, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	var conns [2]*nats.Conn
	for i := range conns {
		if conns[i], err = nats.Connect(server.ClientURL()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conns[i].Close)
	}
	in, err := Open(conns[0])
	if err != nil {
		t.Fatal(err)
	}
	return in, conns[1]
}

func answer(t *testing.T, nc *nats.Conn, subject string, with nats.MsgHandler) {
	t.Helper()
	if _, err := nc.Subscribe(subject, with); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

// part answers with one of several parts.
func part(t *testing.T, m *nats.Msg, n int, more bool, body string) {
	msg := &nats.Msg{Header: nats.Header{HeaderPart: {fmt.Sprint(n)}}, Data: []byte(body)}
	if more {
		msg.Header.Set(HeaderMore, "true")
	}
	if err := m.RespondMsg(msg); err != nil {
		t.Error(err)
	}
}

// TestAnswersAreToldApart: parts of many answers come mixed up with each other.
func TestAnswersAreToldApart(t *testing.T) {
	in, nc := open(t)
	const requests = 50
	var came []*nats.Msg
	answer(t, nc, "echo", func(m *nats.Msg) {
		if came = append(came, m); len(came) < requests {
			return
		}
		for n := range 3 {
			for _, m := range came {
				part(t, m, n, n < 2, string(m.Data)+strings.Repeat(fmt.Sprint(n), 1000))
			}
		}
	})
	var all sync.WaitGroup
	for i := range requests {
		all.Go(func() {
			me := fmt.Sprint("request", i)
			want := me + strings.Repeat("0", 1000) + me + strings.Repeat("1", 1000) + me + strings.Repeat("2", 1000)
			msg, err := in.Ask(t.Context(), &nats.Msg{Subject: "echo", Data: []byte(me)})
			if err != nil || string(msg.Data) != want || msg.Header.Get(HeaderPart) != "2" {
				t.Errorf("%s: %v, %.60v", me, err, msg)
			}
		})
	}
	all.Wait()
	if len(in.waiting) != 0 {
		t.Errorf("%d answers are still waited for", len(in.waiting))
	}
}

func TestNoAnswer(t *testing.T) {
	in, nc := open(t)
	if _, err := in.Ask(t.Context(), &nats.Msg{Subject: "nobody"}); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("nobody listens: %v", err)
	}
	answer(t, nc, "parts", func(m *nats.Msg) {
		part(t, m, 0, true, "a")
		part(t, m, 2, false, "c")
	})
	if _, err := in.Ask(t.Context(), &nats.Msg{Subject: "parts"}); !LostPart(err) || err.Error() != "part 1 of the answer was lost" {
		t.Errorf("a part is missing: %v", err)
	}
	asked := make(chan *nats.Msg, 1)
	answer(t, nc, "silence", func(m *nats.Msg) { asked <- m })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := in.Ask(ctx, &nats.Msg{Subject: "silence"}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	if len(in.waiting) != 0 {
		t.Errorf("%d answers are still waited for", len(in.waiting))
	}
}

// TestClosed: whoever waits is told when the connection is closed, and who comes
// after that, that nothing was sent.
func TestClosed(t *testing.T) {
	for name, end := range map[string]func(*Inbox) error{
		"inbox":      (*Inbox).Close,
		"connection": func(in *Inbox) error { in.nc.Close(); return nil },
	} {
		in, nc := open(t)
		asked := make(chan *nats.Msg, 1)
		answer(t, nc, "silence", func(m *nats.Msg) { asked <- m })
		waited := make(chan error)
		go func() {
			_, err := in.Ask(t.Context(), &nats.Msg{Subject: "silence"})
			waited <- err
		}()
		<-asked
		if err := end(in); err != nil {
			t.Error(err)
		}
		if err := <-waited; !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := in.Ask(t.Context(), &nats.Msg{Subject: "silence"}); !errors.Is(err, nats.ErrConnectionClosed) {
			t.Errorf("%s, after that: %v", name, err)
		}
	}
}

// TestForget: an answer that was forgotten is told to nobody.
func TestForget(t *testing.T) {
	in, nc := open(t)
	asked := make(chan *nats.Msg, 1)
	answer(t, nc, "late", func(m *nats.Msg) { asked <- m })
	forget, err := in.Send(&nats.Msg{Subject: "late"}, func(*nats.Msg, error) { t.Error("it was told") })
	if err != nil {
		t.Fatal(err)
	}
	m := <-asked
	if !forget() || forget() {
		t.Error("it was not forgotten just once")
	}
	part(t, m, 0, false, "late")
	answer(t, nc, "next", func(m *nats.Msg) { part(t, m, 0, false, "next") })
	if msg, err := in.Ask(t.Context(), &nats.Msg{Subject: "next"}); err != nil || string(msg.Data) != "next" {
		t.Errorf("the next one: %v, %v", msg, err)
	}
}
