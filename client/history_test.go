package client_test

import (
	"fmt"
	"iter"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/service"
)

// TestHistoryInPages reads a cascade that takes several records, and many pages.
func TestHistoryInPages(t *testing.T) {
	store := openStore(t)
	server := startNATS(t)
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{})
	ctx := t.Context()
	do := func(cmd metalog.Command) {
		t.Helper()
		if _, err := store.Execute(ctx, cmd, metalog.CommandOptions{Actor: "ops"}); err != nil {
			t.Fatal(err)
		}
	}
	do(metalog.RegisterBroker{ID: 1, Host: "h", Port: 1})
	assigned := make([]metalog.TopicAssignment, 4000)
	for i := range assigned {
		assigned[i].Replicas = events.BrokerIDs{1}
	}
	for n := range 3 {
		do(metalog.CreateTopic{Name: fmt.Sprint("t", n), Partitions: 4000, ReplicationFactor: 1, Assignments: assigned})
	}
	before := store.Log().Head().Seq
	do(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline})
	if err := store.Log().Wait(ctx, before+3); err != nil { // the cascade's records
		t.Fatal(err)
	}
	for name, pair := range map[string][2]iter.Seq2[metalog.TreeEvent, error]{
		"cascade": {store.Cascade(ctx, metalog.CascadeQuery{Of: metalog.EventRef{Seq: before + 2}}), c.Cascade(ctx, metalog.CascadeQuery{Of: metalog.EventRef{Seq: before + 2}})},
		"history": {store.History(ctx, metalog.HistoryQuery{Entity: "topic/t1", NewestFirst: true}), c.History(ctx, metalog.HistoryQuery{Entity: "topic/t1", NewestFirst: true})},
		"nested":  {store.History(ctx, metalog.HistoryQuery{Entity: "broker/1", Cascade: true}), c.History(ctx, metalog.HistoryQuery{Entity: "broker/1", Cascade: true})},
	} {
		want, got := gather(t, pair[0]), gather(t, pair[1])
		if len(want) < 8000 || encoded(t, want) != encoded(t, got) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(want))
		}
	}
	derived := 0
	for _, e := range gather(t, c.Cascade(ctx, metalog.CascadeQuery{Of: metalog.EventRef{Seq: before + 2}})) {
		if e.Type == "LeaderChanged" {
			derived++
		}
	}
	if derived != 12000 {
		t.Errorf("%d leaders changed, want 12000", derived)
	}
}

func gather(t *testing.T, list iter.Seq2[metalog.TreeEvent, error]) (all []metalog.TreeEvent) {
	t.Helper()
	for e, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}
