package client_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/logread"
	"github.com/metalog/metalog/internal/natsserver"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/internal/storetest"
)

// TestArchive: the server archives and prunes, and tells what the store tells.
func TestArchive(t *testing.T) {
	t.Parallel()
	store := storetest.Open(t, func(o *metalog.Options) { o.SegmentSize = 1000 })
	server := startNATS(t)
	serve(t, store.Store, server, service.Options{})
	c := connect(t, server, client.Options{})
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"} {
		store.Must(metalog.CreateTopic{Name: name, Partitions: 1, ReplicationFactor: 1})
	}
	snap, err := c.CreateSnapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "archive")
	if _, err := c.Archive(t.Context(), metalog.ArchiveOptions{To: "relative"}); !errors.Is(err, events.ErrInvalid) {
		t.Errorf("a relative directory: %v", err)
	}
	planned, err := c.Archive(t.Context(), metalog.ArchiveOptions{To: dir, DryRun: true})
	if err != nil || !planned.DryRun || len(planned.Segments) == 0 || store.MustInfo().FirstSeq != 1 {
		t.Fatalf("planned %+v, %v", planned, err)
	}
	done, err := c.Archive(t.Context(), metalog.ArchiveOptions{To: dir, ArchivePolicy: metalog.ArchivePolicy{KeepRecords: 1}})
	if err != nil || len(done.Segments) != len(planned.Segments) || done.FirstSeq != store.MustInfo().FirstSeq || done.Location != dir {
		t.Fatalf("done %+v, %v; planned %+v", done, err, planned)
	}
	listed, err := c.ListArchive(t.Context())
	if err != nil || len(listed.Segments) != len(done.Segments) || listed.LastSeq != done.FirstSeq-1 || listed.Segments[0].Events["TopicCreated"] == 0 {
		t.Errorf("listed %+v, %v", listed, err)
	}
	for e, err := range c.Events(t.Context(), metalog.EventQuery{To: 1}) {
		if err != nil || e.Seq != 1 {
			t.Errorf("event %+v, %v", e, err)
		}
	}
	checkFollowed(t, server, 1, nil)
	pruned, err := c.PruneArchive(t.Context(), metalog.PruneOptions{BeforeSnapshot: snap.Seq})
	if err != nil || len(pruned.Files) != len(done.Segments) || pruned.StateSeq != snap.Seq || pruned.FirstSeq != done.FirstSeq {
		t.Errorf("pruned %+v, %v", pruned, err)
	}
	for _, err := range c.Events(t.Context(), metalog.EventQuery{From: 1}) {
		if !errors.Is(err, events.ErrOutOfRange) {
			t.Errorf("events that are gone: %v", err)
		}
	}
	checkFollowed(t, server, 1, events.ErrOutOfRange)
	checkFollowed(t, server, pruned.FirstSeq, nil)
}

// checkFollowed asks for frames as a replica does.
func checkFollowed(t *testing.T, server *natsserver.Server, from uint64, want error) {
	t.Helper()
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	answer, err := logread.Ask(t.Context(), nc, client.DefaultCluster, logread.Request{From: from})
	if !errors.Is(err, want) || want == nil && answer.Empty() {
		t.Fatalf("frames from seq %d: %v, want %v", from, err, want)
	}
	next := from
	for f, err := range answer.Frames() {
		if err != nil || f.Seq != next {
			t.Fatalf("seq %d, %v; want %d", f.Seq, err, next)
		}
		next++
	}
	if want == nil && next != answer.Head.Seq+1 {
		t.Errorf("frames end with seq %d, the head is %d", next-1, answer.Head.Seq)
	}
}
