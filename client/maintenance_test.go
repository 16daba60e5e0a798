package client_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/replay"
)

// TestMaintenance: snapshots, backups and rebuilds are made by the server, and told as the
// store tells them.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	store, server := openStore(t), startNATS(t)
	serve(t, store, server, service.Options{})
	c := connect(t, server, client.Options{})
	made, err := c.CreateSnapshot(t.Context())
	if err != nil || made.Head() != store.Log().Head() {
		t.Fatalf("made %+v, %v", made, err)
	}
	listed, err := c.ListSnapshots(t.Context())
	if want, listErr := store.ListSnapshots(t.Context()); err != nil || listErr != nil || !slices.Equal(listed, want) || len(want) != 1 {
		t.Errorf("listed %+v, %v; the store %+v, %v", listed, err, want, listErr)
	}
	dir := filepath.Join(t.TempDir(), "backup")
	report, err := c.Backup(t.Context(), dir)
	if err != nil || report.Head != store.Log().Head() || report.SnapshotSeq != made.Seq {
		t.Errorf("backed up %+v, %v", report, err)
	}
	if _, err := replay.Restore(t.Context(), dir, "", replay.RestoreOptions{DryRun: true}); err != nil {
		t.Error(err)
	}
	if _, err := c.Backup(t.Context(), "relative"); !errors.Is(err, events.ErrInvalid) {
		t.Errorf("a relative directory: %v", err)
	}
	order := metalog.RebuildOrder{To: metalog.Point{Seq: made.Seq}, Out: filepath.Join(t.TempDir(), "views.db")}
	rebuilt, err := c.Rebuild(t.Context(), order)
	if err != nil || rebuilt.Digest != made.Digest || rebuilt.FromSnapshot != made.Seq {
		t.Errorf("rebuilt %+v, %v; the snapshot is %+v", rebuilt, err, made)
	}
	if _, err := c.Rebuild(t.Context(), order); !errors.Is(err, events.ErrAlreadyExists) {
		t.Errorf("rebuilt again: %v", err)
	}
	if _, err := c.Rebuild(t.Context(), metalog.RebuildOrder{Out: "relative"}); !errors.Is(err, events.ErrInvalid) {
		t.Errorf("a relative file: %v", err)
	}
}
