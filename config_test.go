package metalog_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func scope(t *testing.T, s string) events.EntityRef {
	t.Helper()
	ref, err := events.ParseEntityRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestConfigOfEachScope(t *testing.T) {
	t.Parallel()
	s := openWithGroup(t, 1)
	registerBrokers(s, 1)
	for _, name := range []string{"cluster", "topic/orders", "broker/1", "group/g"} {
		of := scope(t, name)
		if got, err := s.GetConfig(t.Context(), of); err != nil || len(got.Config) != 0 || got.Revision != 0 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		s.Must(metalog.SetConfig{Scope: of, Config: events.Config{"a": "1", "b": "2"}})
		set := s.Must(metalog.SetConfig{Scope: of, Config: events.Config{"b": "3", "c": ""}})
		s.Unchanged(metalog.SetConfig{Scope: of, Config: events.Config{"b": "3"}})
		got, err := s.GetConfig(t.Context(), of)
		if err != nil || !maps.Equal(got.Config, events.Config{"a": "1", "b": "3", "c": ""}) || got.Revision != set.Seq || got.Scope != of {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		s.Must(metalog.DeleteConfig{Scope: of, Keys: []string{"c", "a", "a"}}, metalog.IfRevision(set.Seq))
		if got, err = s.GetConfig(t.Context(), of); err != nil || !maps.Equal(got.Config, events.Config{"b": "3"}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	list, err := metalog.Collect(s.ListConfigs(t.Context()))
	if err != nil || len(list) != 4 {
		t.Errorf("%+v, %v", list, err)
	}
	for _, entry := range list {
		s.Must(metalog.DeleteConfig{Scope: entry.Scope})
		s.Unchanged(metalog.DeleteConfig{Scope: entry.Scope})
	}
}

// A topic's config is one, however it is set, and counts for the topic's revision.
func TestConfigOfTopic(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	s.Must(metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1, Config: events.Config{"a": "1"}})
	set := s.Must(metalog.SetConfig{Scope: scope(t, "topic/orders"), Config: events.Config{"b": "2"}})
	got, err := s.GetTopic(t.Context(), "orders")
	if err != nil || !maps.Equal(got.Config, events.Config{"a": "1", "b": "2"}) || got.Revision != set.Seq {
		t.Errorf("%+v, %v", got, err)
	}
	deleted := s.Must(metalog.DeleteConfig{Scope: scope(t, "topic/orders")})
	if got, err = s.GetTopic(t.Context(), "orders"); err != nil || len(got.Config) != 0 || got.Revision != deleted.Seq {
		t.Errorf("%+v, %v", got, err)
	}
}

// A config can't grow beyond what one event can tell, so that its owner can
// always be deleted.
func TestConfigLimit(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	createTopic(s, "orders", 1)
	of := scope(t, "topic/orders")
	var err error
	for i := 0; err == nil && i < 10; i++ {
		config := events.Config{}
		for j := range 1000 {
			config[fmt.Sprintf("%04d-%04d-%s", i, j, strings.Repeat("k", 200))] = ""
		}
		_, err = s.SetConfig(t.Context(), metalog.SetConfig{Scope: of, Config: config})
	}
	if !errors.Is(err, metalog.ErrTooLarge) {
		t.Fatalf("got %v, want ErrTooLarge", err)
	}
	checkCascade(t, s.Record(s.Must(metalog.DeleteTopic{Name: "orders"}).Seq))
}

func TestConfigRejections(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	cluster := events.EntityRef{Kind: events.KindCluster}
	set := func(of events.EntityRef, config events.Config) metalog.Command {
		return metalog.SetConfig{Scope: of, Config: config}
	}
	one := events.Config{"a": "1"}
	checkRejections(t, s, map[string]rejection{
		"topic not there":     {cmd: set(scope(t, "topic/x"), one), want: metalog.ErrNotFound},
		"broker not there":    {cmd: set(scope(t, "broker/1"), one), want: metalog.ErrNotFound},
		"group not there":     {cmd: set(scope(t, "group/x"), one), want: metalog.ErrNotFound},
		"broker no number":    {cmd: set(events.EntityRef{Kind: events.KindBroker, ID: "x"}, one), want: metalog.ErrInvalid},
		"producer has none":   {cmd: set(scope(t, "producer/1"), one), want: metalog.ErrInvalid},
		"no scope":            {cmd: set(events.EntityRef{}, one), want: metalog.ErrInvalid},
		"bad topic":           {cmd: set(events.EntityRef{Kind: events.KindTopic, ID: "a/b"}, one), want: metalog.ErrInvalid},
		"no group id":         {cmd: set(events.EntityRef{Kind: events.KindGroup}, one), want: metalog.ErrInvalid},
		"no config":           {cmd: set(cluster, nil), want: metalog.ErrInvalid},
		"bad key":             {cmd: set(cluster, events.Config{"a=b": ""}), want: metalog.ErrInvalid},
		"long key":            {cmd: set(cluster, events.Config{strings.Repeat("k", 256): ""}), want: metalog.ErrInvalid},
		"value not UTF-8":     {cmd: set(cluster, events.Config{"a": "\xff"}), want: metalog.ErrInvalid},
		"too large":           {cmd: set(cluster, largeConfig(20)), want: metalog.ErrTooLarge},
		"delete unset key":    {cmd: metalog.DeleteConfig{Scope: cluster, Keys: []string{"a"}}, want: metalog.ErrNotFound},
		"delete bad key":      {cmd: metalog.DeleteConfig{Scope: cluster, Keys: []string{""}}, want: metalog.ErrInvalid},
		"delete of not there": {cmd: metalog.DeleteConfig{Scope: scope(t, "topic/x")}, want: metalog.ErrNotFound},
		"revision":            {cmd: set(cluster, one), want: metalog.ErrConflict, opts: []metalog.CommandOption{metalog.IfRevision(7)}},
	})
}
