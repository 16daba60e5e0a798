package benchlog

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/replay"
	"github.com/metalog/metalog/views"
)

// groupBytes is how much is appended at once.
const groupBytes = 4 << 20

// write makes a data directory.
func write(ctx context.Context, dir string, shape Shape) (err error) {
	log, err := eventlog.Open(filepath.Join(dir, replay.LogDir), eventlog.Options{MinFreeBytes: -1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	db, err := views.Open(views.Options{Path: filepath.Join(dir, replay.ViewsFile)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	w := &writer{
		contents: newContents(shape), log: log, db: db, tx: db.Writer(), group: eventlog.NewGroup(log.Head()),
		snapshots: replay.Snapshots{Dir: filepath.Join(dir, replay.SnapshotsDir)},
	}
	return w.run(ctx)
}

// writer appends records and applies them, as a store does.
type writer struct {
	*contents
	log       *eventlog.File
	db        *views.DB
	tx        *views.Tx
	group     *eventlog.Group
	snapshots replay.Snapshots
	snapshot  uint64 // events of the last one
}

func (w *writer) run(ctx context.Context) error {
	if err := w.tx.Begin(); err != nil {
		return err
	}
	w.tx.BeginLoad()
	defer w.tx.EndLoad()
	for !w.done() {
		if err := w.add(); err != nil {
			return err
		}
		if w.group.Bytes() < groupBytes && !w.snapshotDue() {
			continue
		}
		if err := w.commit(ctx); err != nil {
			return err
		}
	}
	if err := w.commit(ctx); err != nil {
		return err
	}
	return w.db.FlushAll(ctx)
}

// add adds the next record to the open group.
func (w *writer) add() error {
	rec := w.next(w.tx.Checkpoint())
	if err := w.group.Add(rec); err != nil {
		return err
	}
	rec.Hash = w.group.Head().Hash
	return projector.Apply(w.tx, rec)
}

// commit appends the group and shows its rows.
func (w *writer) commit(ctx context.Context) error {
	if err := w.log.Append(w.group); err != nil {
		return err
	}
	w.group.Reset(w.group.Head())
	if err := w.tx.Commit(ctx); err != nil || !w.snapshotDue() {
		return err
	}
	w.snapshot = w.tx.Checkpoint().Events
	_, err := w.snapshots.Create(ctx, w.db)
	return err
}

func (w *writer) snapshotDue() bool {
	every := uint64(w.shape.SnapshotEvents)
	return every > 0 && w.tx.Checkpoint().Events >= w.snapshot+every
}
