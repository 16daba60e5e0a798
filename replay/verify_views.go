package replay

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// openViews opens the directory's views to read them. It is nil when there are
// none that can be checked, and the report says why.
func (v *verification) openViews(ctx context.Context) (*views.DB, error) {
	path := filepath.Join(v.report.Path, ViewsFile)
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		v.report.notChecked("the views: there are none; opening the store makes them from the log")
		return nil, nil
	}
	db, err := openPages(ctx, path)
	switch {
	case errors.Is(err, views.ErrSchema):
		v.report.notChecked("%v; opening the store does", err)
		return nil, nil
	case errors.Is(err, events.ErrCorrupt):
		v.report.find(FindingViews, nil, "%v", err)
		return nil, nil
	}
	return db, err
}

// openPages opens views of which every page can be read.
func openPages(ctx context.Context, path string) (*views.DB, error) {
	db, err := views.Open(views.Options{Path: path, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	if err := db.CheckPages(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// checkViews checks the rows of views against their digest, and has the log
// checked for the record that they say is their last.
func (v *verification) checkViews(ctx context.Context, own *views.Reader) error {
	at := own.Checkpoint()
	digest, counts, err := own.ComputeDigest(ctx)
	if errors.Is(err, events.ErrCorrupt) {
		v.report.find(FindingViews, nil, "%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	found := VerifyViews{Seq: at.Seq, Digest: digest}
	for _, n := range counts {
		found.Rows += n
	}
	v.report.Views = &found
	if digest != at.Digest || counts != at.Counts {
		v.report.find(FindingViews, nil, "the views' rows have digest %s, their checkpoint at seq %d says %s: rows were altered; remove the views to have them made from the log", digest, at.Seq, at.Digest)
	}
	if at.Seq > 0 {
		v.log.claim(claim{at.Head(), "the views' checkpoint", FindingViews})
		v.points = append(v.points, point{by: "the views", seq: at.Seq, digest: at.Digest, rows: v.rows})
	}
	return v.logOfViews(own)
}

// logOfViews takes the log's id from the views: the record that has it may be in
// the archive. When it is in the log, that counts.
func (v *verification) logOfViews(own *views.Reader) error {
	epoch, err := own.Log()
	if errors.Is(err, events.ErrCorrupt) {
		return nil // the digest has told that rows were altered
	}
	if err == nil && epoch.LogID != uuid.Nil {
		v.report.LogID, v.report.Epoch = epoch.LogID, epoch.Epoch
	}
	return err
}
