package client_test

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/internal/wire"
)

// undoer is a store or a client.
type undoer interface {
	metalog.MetadataStore
	PlanUndo(context.Context, metalog.UndoOptions, ...metalog.CommandOption) (metalog.UndoPlan, error)
	Undo(context.Context, metalog.UndoOptions, ...metalog.CommandOption) (metalog.UndoReport, error)
}

// TestUndo: plans, reports, refusals and records are the same over the wire.
func TestUndo(t *testing.T) {
	t.Parallel()
	local, remote, server := openStore(t), openStore(t), startNATS(t)
	serve(t, remote, server, service.Options{})
	c := connect(t, server, client.Options{Actor: "default"})
	for _, cmd := range []metalog.Command{
		metalog.RegisterBroker{ID: 1, Host: "h", Port: 1},
		metalog.CreateTopic{Name: "orders", Partitions: 2, ReplicationFactor: 1, Config: events.Config{"a": "<b>"}, Assignments: []metalog.TopicAssignment{{Replicas: events.BrokerIDs{1}}, {Replicas: events.BrokerIDs{1}}}},
		metalog.AddSegment{Topic: "orders", SegmentInfo: first},
		metalog.CreateGroup{ID: "g"},
		metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{commit}},
		metalog.DeleteTopic{Name: "orders"},
		metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Config: events.Config{"a": "1"}},
		metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Config: events.Config{"a": "2"}},
	} {
		for _, s := range []undoer{local, c} {
			if _, err := s.Execute(t.Context(), cmd, metalog.CommandOptions{Actor: "ops"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		name string
		opts metalog.UndoOptions
		with []metalog.CommandOption
		code events.Code
	}{
		{"a deletion", metalog.UndoOptions{Seq: 7}, []metalog.CommandOption{metalog.WithActor("me"), metalog.WithReason("by\nmistake")}, ""},
		{"again", metalog.UndoOptions{Seq: 7}, []metalog.CommandOption{metalog.WithActor("me")}, ""},
		{"in conflict", metalog.UndoOptions{Seq: 8}, []metalog.CommandOption{metalog.WithActor("default")}, events.CodeConflict},
		{"by force", metalog.UndoOptions{Seq: 8, Force: true}, []metalog.CommandOption{metalog.WithActor("default")}, ""},
		{"what can't be", metalog.UndoOptions{Seq: 1}, nil, events.CodeInvalid},
		{"beyond the log", metalog.UndoOptions{Seq: 99}, nil, events.CodeOutOfRange},
		{"with a command id", metalog.UndoOptions{Seq: 7}, []metalog.CommandOption{metalog.WithCommandID("x")}, events.CodeInvalid},
	} {
		wantedPlan, planErr := local.PlanUndo(t.Context(), test.opts, test.with...)
		plan, err := c.PlanUndo(t.Context(), test.opts, test.with...)
		if text(err) != text(planErr) || encoded(t, plan) != encoded(t, wantedPlan) {
			t.Errorf("%s: plan\n%s, %v, want\n%s, %v", test.name, encoded(t, plan), err, encoded(t, wantedPlan), planErr)
		}
		wanted, wantedErr := local.Undo(t.Context(), test.opts, test.with...)
		got, err := c.Undo(t.Context(), test.opts, test.with...)
		if codeOf(err) != test.code || text(err) != text(wantedErr) {
			t.Errorf("%s: error %v, want %v", test.name, err, wantedErr)
		}
		if err == nil && encoded(t, got) != encoded(t, wanted) {
			t.Errorf("%s:\n%s, want\n%s", test.name, encoded(t, got), encoded(t, wanted))
		}
	}
	a, err := local.Info(t.Context())
	b, remoteErr := c.Info(t.Context())
	if err != nil || remoteErr != nil || a.Head != b.Head {
		t.Errorf("the logs differ: %v, %v; %v, %v", a.Head, b.Head, err, remoteErr)
	}
}

// TestUndoUnanswered: an undo of which nobody hears again may have been done; one
// that reached no server was not.
func TestUndoUnanswered(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	c := connect(t, server, client.Options{})
	if _, err := c.Undo(t.Context(), metalog.UndoOptions{Seq: 2}); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("without a server: %v, want unavailable", err)
	}
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := nc.Subscribe(wire.Subject(client.DefaultCluster, wire.Undo.Op), func(*nats.Msg) { cancel() }); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Undo(ctx, metalog.UndoOptions{Seq: 2}); !errors.Is(err, events.ErrOutcomeUnknown) {
		t.Errorf("with a server that does not answer: %v, want outcome unknown", err)
	}
}
