package natsserver

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"go.uber.org/goleak"

	"github.com/metalog/metalog/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func mustStart(t *testing.T, opts Options) *Server {
	t.Helper()
	opts.Logger = quiet
	s, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Shutdown)
	return s
}

func TestInvalidOptions(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name string
		opts Options
		want error
		says string
	}{
		{"no store directory", Options{}, events.ErrInvalid, "store directory"},
		{"all interfaces without auth", Options{StoreDir: dir, Host: "0.0.0.0"}, events.ErrForbidden, "token"},
		{"an address without auth", Options{StoreDir: dir, Host: "192.0.2.1"}, events.ErrForbidden, "192.0.2.1"},
		{"a name without auth", Options{StoreDir: dir, Host: "example.org"}, events.ErrForbidden, "example.org"},
		{"user without password", Options{StoreDir: dir, Auth: Auth{User: "u"}}, events.ErrInvalid, "password"},
		{"nkey and token", Options{StoreDir: dir, Auth: Auth{NKeys: []string{"U"}, Token: "t"}}, events.ErrInvalid, "set one"},
		{"a cluster without server name", Options{StoreDir: dir, Cluster: &Cluster{Name: "c", Port: 1}}, events.ErrInvalid, "server name"},
		{"user and token", Options{StoreDir: dir, Auth: Auth{User: "u", Password: "p", Token: "t"}}, events.ErrInvalid, "set one"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Start(t.Context(), test.opts)
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("Start: %v, want %v saying %q", err, test.want, test.says)
			}
		})
	}
}

func TestPortInUse(t *testing.T) {
	first := mustStart(t, Options{StoreDir: t.TempDir(), Port: RandomPort})
	u, err := url.Parse(first.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	_, err = Start(t.Context(), Options{StoreDir: t.TempDir(), Port: port, Logger: quiet})
	if !errors.Is(err, events.ErrUnavailable) || !strings.Contains(err.Error(), u.Host) || strings.Contains(err.Error(), "\n") {
		t.Errorf("Start: %v, want one line naming %s", err, u.Host)
	}
}

func TestCanceledStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := Start(ctx, Options{StoreDir: t.TempDir(), Port: RandomPort, Logger: quiet})
	if err == nil { // it was ready at the first look
		s.Shutdown()
	} else if !errors.Is(err, context.Canceled) {
		t.Errorf("Start: %v, want the context's error", err)
	}
}

func TestAuthentication(t *testing.T) {
	for name, auth := range map[string]Auth{"token": {Token: "secret"}, "user": {User: "u", Password: "p"}} {
		t.Run(name, func(t *testing.T) {
			s := mustStart(t, Options{StoreDir: t.TempDir(), Port: RandomPort, Host: "0.0.0.0", Auth: auth})
			conn, err := nats.Connect("", s.ConnectOptions()...)
			if err != nil {
				t.Fatalf("in process: %v", err)
			}
			conn.Close()
			if _, err := nats.Connect(s.ClientURL()); !errors.Is(err, nats.ErrAuthorization) {
				t.Errorf("without credentials: %v, want refused", err)
			}
		})
	}
}

// With keys, a user may log in by name as well: nobody else.
func TestNKeys(t *testing.T) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	s := mustStart(t, Options{StoreDir: t.TempDir(), Port: RandomPort, Auth: Auth{User: "u", Password: "p", NKeys: []string{public}}})
	for name, test := range map[string]struct {
		opts []nats.Option
		want error
	}{
		"the key":      {[]nats.Option{nats.Nkey(public, pair.Sign)}, nil},
		"the user":     {s.ConnectOptions()[1:], nil},
		"nobody":       {nil, nats.ErrAuthorization},
		"another user": {[]nats.Option{nats.UserInfo("u", "q")}, nats.ErrAuthorization},
	} {
		conn, err := nats.Connect(s.ClientURL(), test.opts...)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if err == nil {
			conn.Close()
		}
	}
}

func TestWithoutJetStream(t *testing.T) {
	s := mustStart(t, Options{StoreDir: t.TempDir(), Port: RandomPort, NoJetStream: true})
	conn, err := nats.Connect("", s.ConnectOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AccountInfo(t.Context()); !errors.Is(err, jetstream.ErrJetStreamNotEnabled) {
		t.Errorf("JetStream: %v, want not enabled", err)
	}
}

// What JetStream stored is there after a restart.
func TestStoreSurvivesShutdown(t *testing.T) {
	dir := t.TempDir()
	for restart := range 2 {
		s := mustStart(t, Options{StoreDir: dir, Port: RandomPort})
		conn, err := nats.Connect("", s.ConnectOptions()...)
		if err != nil {
			t.Fatal(err)
		}
		js, err := jetstream.New(conn)
		if err != nil {
			t.Fatal(err)
		}
		if restart == 0 {
			_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S"})
		} else {
			_, err = js.Stream(t.Context(), "S")
		}
		if err != nil {
			t.Errorf("start %d: %v", restart, err)
		}
		conn.Close()
		s.Shutdown()
	}
}

// A server without JetStream needs no directory, and carries messages.
func TestNoJetStream(t *testing.T) {
	s := mustStart(t, Options{NoJetStream: true, Port: RandomPort})
	conn, err := nats.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.AccountInfo(t.Context()); !errors.Is(err, jetstream.ErrJetStreamNotEnabled) && !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("JetStream: %v, want not enabled", err)
	}
	answers, err := conn.SubscribeSync("a")
	if err == nil {
		err = conn.Publish("a", nil)
	}
	if err == nil {
		_, err = answers.NextMsgWithContext(t.Context())
	}
	if err != nil {
		t.Error(err)
	}
}
