package service

import (
	"context"
	"path/filepath"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/wire"
)

func createSnapshot(ctx context.Context, store *metalog.Store, _ micro.Headers, _ wire.Nothing) (metalog.Snapshot, error) {
	return store.CreateSnapshot(ctx)
}

func listSnapshots(ctx context.Context, store *metalog.Store, _ micro.Headers, _ wire.Nothing) ([]metalog.Snapshot, error) {
	return store.ListSnapshots(ctx)
}

// backup backs up to a directory of this machine. It may take minutes, and takes
// one of the places for requests as long.
func backup(ctx context.Context, store *metalog.Store, _ micro.Headers, to wire.Directory) (metalog.BackupReport, error) {
	if !filepath.IsAbs(to.Dir) {
		return metalog.BackupReport{}, events.Errorf(events.CodeInvalid, "backup: dir: %q is not absolute; name a directory on the server's machine from its root", to.Dir)
	}
	return store.Backup(ctx, to.Dir)
}

// rebuild makes a file on this machine. It may take as long as a backup.
func rebuild(ctx context.Context, store *metalog.Store, _ micro.Headers, order metalog.RebuildOrder) (metalog.RebuildReport, error) {
	if !filepath.IsAbs(order.Out) {
		return metalog.RebuildReport{}, events.Errorf(events.CodeInvalid, "rebuild: out: %q is not absolute; name a file on the server's machine from its root", order.Out)
	}
	return store.Rebuild(ctx, order)
}
