package publisher

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/metalog/metalog/events"
)

// records reads whole records up to seq.
func records(t *testing.T, server *testServer, options SubscribeOptions, last uint64) []*Record {
	t.Helper()
	options.Cluster, options.Logger = testCluster, quiet
	var all []*Record
	for rec, err := range SubscribeRecords(t.Context(), server.connect(), options) {
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, rec); rec.Seq >= last {
			break
		}
	}
	return all
}

func TestSubscribeRecords(t *testing.T) {
	server, log := newServer(t), filled(50, 200)
	log.append("", plain(&events.TopicDeleted{TopicRef: topicRef("last")}))
	publishAll(t, log, server.connect(), testOptions())
	deletions := func(rec *events.Record) bool {
		_, ok := rec.Facts[0].Event.(*events.TopicDeleted)
		return ok
	}
	tests := []struct {
		name    string
		options SubscribeOptions
		keep    func(*events.Record) bool
	}{
		{"all", SubscribeOptions{}, func(*events.Record) bool { return true }},
		{"from one", SubscribeOptions{From: events.Position{Seq: 50}}, func(rec *events.Record) bool { return rec.Seq >= 50 }},
		{"with an event that matches", SubscribeOptions{Filter: Filter{Type: events.TypeTopicDeleted}}, deletions},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := records(t, server, test.options, 201)
			var want []*events.Record
			for _, rec := range log.records {
				if test.keep(rec) {
					want = append(want, rec)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%d records, want %d", len(got), len(want))
			}
			for i, rec := range want {
				whole := make([]events.EventView, len(rec.Facts))
				for i := range whole {
					whole[i] = rec.View(i)
				}
				sameEvents(t, got[i].Events, whole)
				if got[i].Seq != rec.Seq || got[i].Hash != rec.Hash {
					t.Errorf("record %d with hash %s, want %d with %s", got[i].Seq, got[i].Hash, rec.Seq, rec.Hash)
				}
			}
		})
	}
	t.Run("from the middle of one", func(t *testing.T) {
		for _, err := range SubscribeRecords(t.Context(), server.connect(), SubscribeOptions{Cluster: testCluster, From: events.Position{Seq: 3, Index: 1}}) {
			if !errors.Is(err, events.ErrInvalid) {
				t.Errorf("SubscribeRecords: %v, want invalid", err)
			}
		}
	})
}

// A subscriber stores its checkpoint as JSON and goes on, from any message.
func TestCheckpointResumes(t *testing.T) {
	server, log := newServer(t), filled(51, 60)
	js := server.connect()
	publishAll(t, log, js, testOptions())
	var at Checkpoint
	var got []events.EventView
	for want := logEvents(log); len(got) < len(want); {
		for m, err := range Subscribe(t.Context(), js, SubscribeOptions{Cluster: testCluster, After: at, Logger: quiet}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, m.Events...)
			stored, err := json.Marshal(m.Checkpoint())
			if err != nil {
				t.Fatal(err)
			}
			at = Checkpoint{}
			if err := json.Unmarshal(stored, &at); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	sameEvents(t, got, logEvents(log))
	at.Epoch = 0
	if err := firstError(t.Context(), server, SubscribeOptions{Cluster: testCluster, After: at}); !errors.Is(err, events.ErrInvalid) {
		t.Errorf("half a checkpoint: %v, want invalid", err)
	}
}

// A filter that nothing matches is told how far it is by the digests in the log.
func TestProgressOfARareFilter(t *testing.T) {
	server, log := newServer(t), filled(52, 50)
	log.append("", plain(&events.DigestRecorded{At: 50}))
	log.fill(newRand(53), 20)
	publishAll(t, log, server.connect(), testOptions())
	options := SubscribeOptions{Cluster: testCluster, Filter: Filter{Aggregate: events.KindTopic, ID: "rare"}, Progress: true, Logger: quiet}
	for m, err := range Subscribe(t.Context(), server.connect(), options) {
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Events) != 0 || m.Checkpoint().Next != (events.Position{Seq: 52}) {
			t.Errorf("%d events, checkpoint %+v; want none, at 52.0", len(m.Events), m.Checkpoint())
		}
		break
	}
	options.Progress = false
	log.append("", plain(&events.TopicDeleted{TopicRef: topicRef("rare")}))
	publishAll(t, log, server.connect(), testOptions())
	for m, err := range Subscribe(t.Context(), server.connect(), options) {
		if err != nil || m.Seq != 72 {
			t.Errorf("seq %d, %v; want the deletion, 72", m.Seq, err)
		}
		break
	}
}

// Who asks for new events while a record is stored in part gets no part of it.
func TestNewRecordsAreWhole(t *testing.T) {
	g := gathering{}
	part := &Message{Seq: 7, Index: 1, Of: 3, count: 2, Events: make([]events.EventView, 2)}
	if rec := g.add(part); rec != nil {
		t.Errorf("record %d with %d of 3 events", rec.Seq, len(rec.Events))
	}
	whole := &Message{Seq: 8, Of: 1, count: 1, Events: make([]events.EventView, 1)}
	if rec := g.add(whole); rec == nil || rec.Seq != 8 || len(rec.Events) != 1 {
		t.Errorf("got %+v, want record 8", rec)
	}
}
