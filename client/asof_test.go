package client_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/internal/wire"
)

type state = metalog.View

// earlier is a store that answers reads as it was at some point.
type earlier struct {
	state
	metalog.Writer
	metalog.EventReader
}

func (e earlier) View(context.Context, uint64) (metalog.View, error)      { return e.state, nil }
func (e earlier) At(context.Context, metalog.Point) (metalog.View, error) { return e.state, nil }
func (e earlier) Plan(context.Context, metalog.Command, ...metalog.CommandOption) ([]events.EventView, error) {
	return nil, errors.ErrUnsupported
}

var _ metalog.MetadataStore = earlier{}

// at gives a store as it was at a seq.
func at(t *testing.T, s metalog.MetadataStore, seq uint64) earlier {
	t.Helper()
	view, err := s.At(t.Context(), metalog.Point{Seq: seq})
	if err != nil {
		t.Fatal(err)
	}
	if view.Seq() != seq {
		t.Errorf("at %d: seq %d", seq, view.Seq())
	}
	return earlier{state: view}
}

// TestConformanceAt asks a store and a client of another one about every earlier
// state, and wants the same answers and errors.
func TestConformanceAt(t *testing.T) {
	local, remote, server := openStore(t), openStore(t), startNATS(t)
	serve(t, remote, server, service.Options{})
	c := connect(t, server, client.Options{})
	for _, s := range writes {
		for _, store := range []metalog.MetadataStore{local, c} {
			if _, err := s.call(t.Context(), store); codeOf(err) != s.code {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
	}
	for seq := uint64(1); seq <= local.Log().Head().Seq; seq++ {
		then, thenOverNATS := at(t, local, seq), at(t, c, seq)
		for _, s := range queries {
			if s.name == "all events" {
				break // what follows does not read views alone
			}
			wanted, wantedErr := s.call(t.Context(), then)
			got, err := s.call(t.Context(), thenOverNATS)
			if text(err) != text(wantedErr) || codeOf(err) != codeOf(wantedErr) {
				t.Errorf("seq %d, %s: error\n%v, want\n%v", seq, s.name, err, wantedErr)
			}
			if got, wanted := encoded(t, got), encoded(t, wanted); got != wanted {
				t.Errorf("seq %d, %s: answer\n%s, want\n%s", seq, s.name, got, wanted)
			}
		}
		if err := errors.Join(then.Close(), thenOverNATS.Close()); err != nil {
			t.Error(err)
		}
	}
	for _, point := range []metalog.Point{{Seq: 1 << 40}, {Time: 1}, {Time: 1 << 62}} {
		_, wantedErr := local.At(t.Context(), point)
		if _, err := c.At(t.Context(), point); !errors.Is(err, metalog.ErrOutOfRange) || text(err) != text(wantedErr) {
			t.Errorf("at %s: %v, want %v", point, err, wantedErr)
		}
	}
}

// TestAtIsOneState: reads of a view agree, whatever is written meanwhile, and a
// time is resolved once.
func TestAtIsOneState(t *testing.T) {
	store, server := openStore(t), startNATS(t)
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{})
	create := func(group string) metalog.Result {
		t.Helper()
		result, err := c.CreateGroup(t.Context(), metalog.CreateGroup{ID: group})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	create("a")
	info, err := c.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range []metalog.Point{{Seq: info.Seq}, {Time: info.Time}} {
		info, err := c.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		view, err := c.At(t.Context(), point)
		if err != nil {
			t.Fatal(err)
		}
		before, err := metalog.Collect(view.ListGroups(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		create("after " + point.String()) // at the same time: the clock stands
		after, err := metalog.Collect(view.ListGroups(t.Context()))
		if err != nil || len(after) != len(before) || point.Seq == 0 && view.Seq() != info.Seq {
			t.Errorf("at %s, seq %d: %d groups, then %d, %v", point, view.Seq(), len(before), len(after), err)
		}
	}
	now, err := c.At(t.Context(), metalog.Point{})
	if err != nil {
		t.Fatal(err)
	}
	if head := store.Log().Head().Seq; now.Seq() != head {
		t.Errorf("now: seq %d, head %d", now.Seq(), head)
	}
}

// TestAtOfAnOldServer: one that does not know points answers of the present, which
// must not be taken for the past.
func TestAtOfAnOldServer(t *testing.T) {
	store, server := openStore(t), startNATS(t)
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	present, err := store.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	present.Seq, present.Time = 7, 1000
	_, err = nc.Subscribe(wire.Subject(client.DefaultCluster, "info"), func(msg *nats.Msg) {
		body, err := wire.Encode(present)
		if err != nil {
			t.Error(err)
		}
		answer := &nats.Msg{Subject: msg.Reply, Data: body, Header: nats.Header{wire.HeaderSeq: []string{strconv.Itoa(7)}}}
		if err := nc.PublishMsg(answer); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c := connect(t, server, client.Options{})
	for _, point := range []metalog.Point{{Seq: 6}, {Time: 999}} {
		if _, err := c.At(t.Context(), point); !errors.Is(err, metalog.ErrUnavailable) || !strings.Contains(err.Error(), "does not know earlier states") {
			t.Errorf("at %s: %v", point, err)
		}
	}
}
