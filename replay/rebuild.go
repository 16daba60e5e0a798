package replay

import (
	"context"
	"errors"
	"os"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/projector"
	"github.com/metalog/metalog/views"
)

// Rebuild makes views from a whole log in a new file. The caller closes them.
func Rebuild(ctx context.Context, log events.Reader, path string, progress func(seq uint64)) (*views.DB, error) {
	db, err := views.Open(views.Options{Path: path})
	if err != nil {
		return nil, err
	}
	err = projector.CatchUp(ctx, db, log, progress)
	if err == nil {
		err = db.FlushAll(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// SetAside renames a views file that can't be used, so that a new one can be
// made in its place. The last one set aside is kept, for whoever wants to know
// what was wrong with it.
func SetAside(path string) error {
	if err := os.Rename(path, path+".unusable"); err != nil {
		return events.Errorf(events.CodeUnavailable, "views %s: %w", path, err)
	}
	return nil
}
