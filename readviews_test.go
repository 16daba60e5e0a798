package metalog_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// TestReadViews reads views that were made from a store's log as the store reads
// its own.
func TestReadViews(t *testing.T) {
	s := storetest.Open(t)
	s.Must(metalog.CreateTopic{Name: "a", Partitions: 2, ReplicationFactor: 1})
	created := s.Must(metalog.CreateGroup{ID: "g"})
	path := filepath.Join(t.TempDir(), "views.db")
	if _, err := replay.Rebuild(t.Context(), s.Log(), replay.RebuildOptions{Out: path}); err != nil {
		t.Fatal(err)
	}
	db, err := views.Open(views.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	reads := metalog.ReadViews(db, metalog.ViewsOptions{
		Describe: func(info *metalog.Info) error { info.Replica = &metalog.ReplicaInfo{HeadSeq: 9}; return nil },
	})
	view, err := reads.View(t.Context(), created.Seq)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	for name, reader := range map[string]metalog.Reader{"at once": reads, "pinned": view} {
		topic, err := reader.GetTopic(t.Context(), "a")
		if want, _ := s.GetTopic(t.Context(), "a"); err != nil || topic.ID != want.ID || topic.Revision != want.Revision {
			t.Errorf("%s: topic %+v, want %+v; %v", name, topic, want, err)
		}
		if _, err := reader.GetGroup(t.Context(), "none"); !errors.Is(err, metalog.ErrNotFound) {
			t.Errorf("%s: no such group: %v", name, err)
		}
		info, err := reader.Info(t.Context())
		want := s.MustInfo()
		if err != nil || info.Head != want.Head || info.Digest != want.Digest || info.LogID != want.LogID || info.Writable || info.Replica.HeadSeq != 9 {
			t.Errorf("%s: info %+v, want as %+v; %v", name, info, want, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := reads.View(ctx, created.Seq+1); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("a seq that does not come: %v, want unavailable", err)
	}
}
