package sample_test

import (
	"bufio"
	"strings"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/sample"
	"github.com/metalog/metalog/internal/storetest"
)

type command struct {
	metalog.Command
	opts metalog.CommandOptions
}

// commands parses all lines of the sample.
func commands(t *testing.T) []command {
	t.Helper()
	var all []command
	in := bufio.NewScanner(sample.Open())
	in.Buffer(nil, metalog.MaxCommandBytes)
	for n := 1; in.Scan(); n++ {
		if strings.HasPrefix(in.Text(), "#") {
			continue
		}
		cmd, opts, err := metalog.ParseLine(in.Bytes())
		if err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		all = append(all, command{cmd, opts})
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestLines(t *testing.T) {
	topics, ids := map[string]bool{}, map[string]bool{}
	for _, c := range commands(t) {
		if create, ok := c.Command.(metalog.CreateTopic); ok {
			topics[create.Name] = true
		}
		if c.opts.ID == "" || ids[c.opts.ID] {
			t.Errorf("%s: command id %q is empty or not unique", c.Op(), c.opts.ID)
		}
		ids[c.opts.ID] = true
	}
	if len(topics) != 437 {
		t.Errorf("%d topics, want 437", len(topics))
	}
}

func TestApplyTwice(t *testing.T) {
	store := storetest.Open(t)
	first := apply(t, store, false)
	for entity, want := range map[string]uint64{"topics": 437 + 2, "brokers": 6, "groups": 2} {
		if got := first.Entities[entity]; got != want {
			t.Errorf("%d %s, want %d", got, entity, want)
		}
	}
	if second := apply(t, store, true); second.Head != first.Head {
		t.Errorf("the second run moved the head from %v to %v", first.Head, second.Head)
	}
	checkEveryLeader(t, store)
}

// apply executes all lines, and checks that all of them are repeats or none is.
func apply(t *testing.T, store *storetest.Store, repeated bool) metalog.Info {
	t.Helper()
	for _, c := range commands(t) {
		result, err := store.Execute(t.Context(), c.Command, c.opts)
		if err != nil {
			t.Fatalf("%s (%s): %v", c.Op(), c.opts.ID, err)
		}
		if result.Repeated != repeated || result.Unchanged {
			t.Fatalf("%s (%s): repeated %t, unchanged %t, want repeated %t", c.Op(), c.opts.ID, result.Repeated, result.Unchanged, repeated)
		}
	}
	return store.MustInfo()
}

func checkEveryLeader(t *testing.T, store *storetest.Store) {
	t.Helper()
	topics, err := metalog.Collect(store.ListTopics(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range topics {
		partitions, err := metalog.Collect(store.ListPartitions(t.Context(), topic.Name))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range partitions {
			if p.Leader == events.NoLeader {
				t.Errorf("topic %q, partition %d has no leader", p.Topic, p.Partition)
			}
		}
	}
}
