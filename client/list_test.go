package client_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

// listServer answers the next request by parts, as it is told.
type listServer struct {
	t  *testing.T
	to chan *nats.Msg // requests
}

func startListServer(t *testing.T) (*listServer, *client.Client) {
	server := startNATS(t)
	s := &listServer{t: t, to: make(chan *nats.Msg, 1)}
	respond(t, server, func(m *nats.Msg) { s.to <- m })
	return s, connect(t, server, client.Options{})
}

// part sends the n-th part of the answer to a request.
func (s *listServer) part(m *nats.Msg, n int, more bool, text string, headers ...string) {
	s.t.Helper()
	part := &nats.Msg{Header: nats.Header{wire.HeaderPart: {strconv.Itoa(n)}}, Data: []byte(text)}
	if more {
		part.Header.Set(wire.HeaderMore, "true")
	}
	for i := 0; i < len(headers); i += 2 {
		part.Header.Set(headers[i], headers[i+1])
	}
	if err := m.RespondMsg(part); err != nil {
		s.t.Error(err)
	}
}

// TestListComesInParts: the loop has rows before the last part is sent, wherever the
// parts are cut.
func TestListComesInParts(t *testing.T) {
	server, c := startListServer(t)
	requests := make(chan *nats.Msg, 1)
	go func() {
		request := <-server.to
		server.part(request, 0, true, `[{"name":"a"},{"na`)
		requests <- request
	}()
	var request *nats.Msg
	var names []string
	for topic, err := range c.ListTopics(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		switch names = append(names, topic.Name); topic.Name {
		case "a":
			request = <-requests
			server.part(request, 1, true, `me":"b"}`)
			server.part(request, 2, true, `,{"name":"c"}`)
		case "c":
			server.part(request, 3, false, `]`)
		}
	}
	if got := strings.Join(names, " "); got != "a b c" {
		t.Errorf("the list is %q", got)
	}
}

func TestListEndsWithAnError(t *testing.T) {
	for name, c := range map[string]struct {
		last    string
		headers []string
		want    error
	}{
		"it was told": {`{"code":"corrupt","message":"page 7"}`, []string{micro.ErrorCodeHeader, string(events.CodeCorrupt)}, metalog.ErrCorrupt},
		"cut off":     {`,{"name":`, nil, metalog.ErrUnavailable},
		"no list":     {`}`, nil, metalog.ErrUnavailable},
	} {
		server, client := startListServer(t)
		go func() {
			request := <-server.to
			server.part(request, 0, true, `[{"name":"a"}`)
			server.part(request, 1, false, c.last, c.headers...)
		}()
		rows := 0
		var last error
		for _, err := range client.ListTopics(t.Context()) {
			if last = err; err == nil {
				rows++
			}
		}
		if rows != 1 || !errors.Is(last, c.want) {
			t.Errorf("%s: %d rows, then %v", name, rows, last)
		}
	}
}

// TestListIsLeft: what comes of a list that nobody reads any more is dropped.
func TestListIsLeft(t *testing.T) {
	server, c := startListServer(t)
	requests := make(chan *nats.Msg, 1)
	go func() {
		request := <-server.to
		server.part(request, 0, true, `[{"name":"a"},{"name":"b"}`)
		requests <- request
	}()
	for _, err := range c.ListTopics(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		break
	}
	server.part(<-requests, 1, false, `]`)
	go func() { server.part(<-server.to, 0, false, `[]`) }()
	if topics, err := metalog.Collect(c.ListTopics(t.Context())); err != nil || topics == nil || len(topics) != 0 {
		t.Errorf("the next list: %v, %v", topics, err)
	}
}
