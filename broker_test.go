package metalog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func TestBrokerRegisterGetList(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 2)
	cmd := metalog.RegisterBroker{ID: 1, Host: "a", Port: 9092, Rack: "r1", Endpoints: []events.Endpoint{{Name: "tls", Host: "b", Port: 9093, SecurityProtocol: "SSL"}}}
	registered := s.Must(cmd)
	got, err := s.GetBroker(t.Context(), 1)
	if err != nil || got.Host != "a" || got.Port != 9092 || got.Rack != "r1" || len(got.Endpoints) != 1 || got.Status != events.BrokerOnline ||
		got.Epoch != registered.Seq || registered.Epoch != registered.Seq || got.IncarnationID == uuid.Nil || got.RegisteredAt != registered.Time {
		t.Errorf("got %+v, %v", got, err)
	}
	list, err := metalog.Collect(s.ListBrokers(t.Context()))
	if err != nil || len(list) != 2 || list[0].ID != 1 || list[1].ID != 2 {
		t.Errorf("list %+v, %v", list, err)
	}
	if _, err := s.GetBroker(t.Context(), 3); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("a broker that is not there: %v", err)
	}
}

// The same incarnation registers once; another one is a restart with a new epoch.
func TestBrokerRegisterAgain(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	first := s.Must(broker(1))
	s.Unchanged(broker(1))
	same := broker(1)
	same.Endpoints = []events.Endpoint{}
	s.Unchanged(same)
	moved := broker(1)
	moved.Host = "elsewhere"
	moved.IncarnationID[0] = 1
	again := s.Must(moved)
	got, err := s.GetBroker(t.Context(), 1)
	if err != nil || got.Host != "elsewhere" || got.Epoch != again.Seq || got.RegisteredAt != first.Time {
		t.Errorf("got %+v, %v", got, err)
	}
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline})
	s.Must(moved) // offline, so it comes back even with the same incarnation
}

func TestBrokerStatus(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1)
	epochs := []uint64{}
	for _, status := range []events.BrokerStatus{events.BrokerMaintenance, events.BrokerOffline, events.BrokerMaintenance, events.BrokerOnline} {
		changed := s.Must(metalog.SetBrokerStatus{ID: 1, Status: status})
		got, err := s.GetBroker(t.Context(), 1)
		if err != nil || got.Status != status || got.Revision != changed.Seq {
			t.Errorf("%s: got %+v, %v", status, got, err)
		}
		epochs = append(epochs, got.Epoch)
		s.Unchanged(metalog.SetBrokerStatus{ID: 1, Status: status})
	}
	if want := []uint64{2, 4, 4, 4}; !slices.Equal(epochs, want) { // only going offline ends leaderships
		t.Errorf("epochs %v, want %v", epochs, want)
	}
}

func TestBrokerRejections(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1, 2)
	createTopic(s, "orders", 1)
	s.Must(metalog.AssignPartition{Topic: "orders", Replicas: events.BrokerIDs{1}})
	with := func(change func(*metalog.RegisterBroker)) metalog.Command {
		c := broker(5)
		change(&c)
		return c
	}
	long := strings.Repeat("x", 5000)
	checkRejections(t, s, map[string]rejection{
		"negative id":      {cmd: broker(-1), want: metalog.ErrInvalid},
		"no host":          {cmd: with(func(c *metalog.RegisterBroker) { c.Host = "" }), want: metalog.ErrInvalid},
		"long host":        {cmd: with(func(c *metalog.RegisterBroker) { c.Host = long }), want: metalog.ErrInvalid},
		"port 0":           {cmd: with(func(c *metalog.RegisterBroker) { c.Port = 0 }), want: metalog.ErrInvalid},
		"port 65536":       {cmd: with(func(c *metalog.RegisterBroker) { c.Port = 65536 }), want: metalog.ErrInvalid},
		"long rack":        {cmd: with(func(c *metalog.RegisterBroker) { c.Rack = long }), want: metalog.ErrInvalid},
		"endpoint no name": {cmd: with(func(c *metalog.RegisterBroker) { c.Endpoints = []events.Endpoint{{Host: "h", Port: 1}} }), want: metalog.ErrInvalid},
		"endpoint no host": {cmd: with(func(c *metalog.RegisterBroker) { c.Endpoints = []events.Endpoint{{Name: "n", Port: 1}} }), want: metalog.ErrInvalid},
		"endpoint port":    {cmd: with(func(c *metalog.RegisterBroker) { c.Endpoints = []events.Endpoint{{Name: "n", Host: "h"}} }), want: metalog.ErrInvalid},
		"endpoint protocol": {cmd: with(func(c *metalog.RegisterBroker) {
			c.Endpoints = []events.Endpoint{{Name: "n", Host: "h", Port: 1, SecurityProtocol: long}}
		}), want: metalog.ErrInvalid},
		"status of unknown": {cmd: metalog.SetBrokerStatus{ID: 9, Status: events.BrokerOffline}, want: metalog.ErrNotFound},
		"unknown status":    {cmd: metalog.SetBrokerStatus{ID: 1, Status: "asleep"}, want: metalog.ErrInvalid},
		"status negative":   {cmd: metalog.SetBrokerStatus{ID: -1, Status: events.BrokerOffline}, want: metalog.ErrInvalid},
		"remove unknown":    {cmd: metalog.RemoveBroker{ID: 9}, want: metalog.ErrNotFound},
		"remove negative":   {cmd: metalog.RemoveBroker{ID: -1}, want: metalog.ErrInvalid},
		"remove a replica":  {cmd: metalog.RemoveBroker{ID: 1}, want: metalog.ErrConflict},
	})
	s.Must(metalog.RemoveBroker{ID: 2})
}

// A broker that is removed by force leaves its partitions to replicas that are
// online, also where it was the last one in sync, and takes its config along.
func TestBrokerForcedRemovalElects(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	registerBrokers(s, 1, 2)
	s.Must(metalog.CreateTopic{Name: "a", Partitions: 1, ReplicationFactor: 2})
	s.Must(metalog.AssignPartition{Topic: "a", Replicas: []int32{1, 2}, Leader: new(int32(1))})
	s.Must(metalog.ChangeISR{Topic: "a", ISR: []int32{1}})
	s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline})
	s.Must(metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindBroker, ID: "1"}, Config: events.Config{"a": "b"}})
	s.Must(metalog.RemoveBroker{ID: 1, Force: true})
	p, err := s.GetPartition(t.Context(), "a", 0)
	if err != nil || p.Leader != 2 {
		t.Errorf("leader %d, %v; want 2", p.Leader, err)
	}
	registerBrokers(s, 1)
	config, err := s.GetConfig(t.Context(), events.EntityRef{Kind: events.KindBroker, ID: "1"})
	if err != nil || len(config.Config) != 0 {
		t.Errorf("config of the new broker 1: %v, %v", config.Config, err)
	}
}
