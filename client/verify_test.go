package client_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/internal/wire"
)

// TestVerify: a report is the same over the wire, findings and all.
func TestVerify(t *testing.T) {
	t.Parallel()
	store, server := openStore(t), startNATS(t)
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{})
	if _, err := store.CreateTopic(t.Context(), metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1}); err != nil {
		t.Fatal(err)
	}
	head := store.Log().Head()
	for name, opts := range map[string]metalog.VerifyOptions{
		"sound":    {Deep: true, Expect: []events.Head{head}},
		"findings": {Expect: []events.Head{{Seq: 1}, {Seq: head.Seq + 1}}},
	} {
		want, err := store.Verify(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Verify(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		got.Seconds, got.RecordsPerSecond = want.Seconds, want.RecordsPerSecond
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, the store says %+v", name, got, want)
		}
	}
}

func TestVerifyRefused(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	serve(t, openStore(t), server, service.Options{})
	c := connect(t, server, client.Options{})
	if _, err := c.Verify(t.Context(), metalog.VerifyOptions{Expect: []events.Head{{}}}); !errors.Is(err, events.ErrInvalid) {
		t.Errorf("a head of seq 0: %v, want ErrInvalid", err)
	}
}

// TestVerifyDisconnected: a server that goes away leaves nobody waiting.
func TestVerifyDisconnected(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	asked := make(chan struct{})
	if _, err := nc.Subscribe(wire.Subject(wire.DefaultCluster, wire.Verify.Op), func(*nats.Msg) { close(asked) }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c := connect(t, server, client.Options{})
	failed := make(chan error)
	go func() {
		_, err := c.Verify(t.Context(), metalog.VerifyOptions{})
		failed <- err
	}()
	<-asked
	server.Shutdown()
	if err := <-failed; !errors.Is(err, events.ErrUnavailable) || !strings.Contains(err.Error(), "connection was lost") {
		t.Errorf("got %v, want ErrUnavailable for a lost connection", err)
	}
}
