package client_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/metalog/metalog/client"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/service"
	"github.com/metalog/metalog/replay"
)

// TestMaintenance: snapshots and backups are made by the server, and told as the
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
}
