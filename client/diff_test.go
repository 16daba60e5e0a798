package client_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/internal/wire"
)

// Differences that take many pages are those that the store itself tells, also when
// it goes on while they are read.
func TestDiffOverManyPages(t *testing.T) {
	store := openStore(t)
	mustDo(t, store, metalog.CreateTopic{Name: "orders", Partitions: 900, ReplicationFactor: 1})
	mustDo(t, store, metalog.CreateGroup{ID: "g"})
	commit := func(metadata string) {
		for begin := int32(0); begin < 900; begin += 150 {
			cmd := metalog.CommitOffsets{Group: "g"}
			for p := begin; p < begin+150; p++ {
				cmd.Offsets = append(cmd.Offsets, metalog.OffsetCommit{Topic: "orders", Partition: p, Offset: 1 << 60, Metadata: metadata})
			}
			mustDo(t, store, cmd)
		}
	}
	commit(strings.Repeat("<", metalog.MaxMetadataBytes))
	from := metalog.Point{Seq: store.Log().Head().Seq}
	commit("short")

	server := startNATS(t)
	var pages atomic.Int64
	serve(t, store, server, service.Options{Observe: func(op string, _ events.Code, _ time.Duration) {
		if op == wire.ReadDiff.Op {
			pages.Add(1)
		}
	}})
	c := connect(t, server, client.Options{})
	wanted, err := store.Diff(t.Context(), from, metalog.Point{}, metalog.DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Diff(t.Context(), from, metalog.Point{}, metalog.DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.From != wanted.From || got.To != wanted.To {
		t.Errorf("from %+v to %+v, want %+v to %+v", got.From, got.To, wanted.From, wanted.To)
	}
	mustDo(t, store, metalog.CreateGroup{ID: "later"})
	want, list := differences(t, wanted), differences(t, got)
	if len(list) != 900 || encoded(t, list) != encoded(t, want) {
		t.Errorf("%d differences, want %d that are the same", len(list), len(want))
	}
	if n := pages.Load(); n < 3 {
		t.Errorf("%d pages are few", n)
	}
}

func mustDo(t *testing.T, store *metalog.Store, cmd metalog.Command) {
	t.Helper()
	if _, err := store.Execute(t.Context(), cmd, metalog.CommandOptions{}); err != nil {
		t.Fatal(err)
	}
}

func differences(t *testing.T, diff *metalog.Diff) (list []metalog.Difference) {
	t.Helper()
	for d, err := range diff.Differences {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

func TestDiffRefused(t *testing.T) {
	store, server := openStore(t), startNATS(t)
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{})
	_, err := c.Diff(t.Context(), metalog.Point{}, metalog.Point{Seq: 99}, metalog.DiffOptions{})
	if !errors.Is(err, metalog.ErrOutOfRange) {
		t.Errorf("beyond the head: %v", err)
	}
	_, err = c.Diff(t.Context(), metalog.Point{}, metalog.Point{}, metalog.DiffOptions{Entities: []string{"none"}})
	if !errors.Is(err, metalog.ErrInvalid) {
		t.Errorf("no entity: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Diff(ctx, metalog.Point{}, metalog.Point{}, metalog.DiffOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is done: %v", err)
	}
}
