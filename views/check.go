package views

import (
	"context"
	"errors"

	"go.etcd.io/bbolt"
)

// CheckPages reads every page of the file, as the last flush left it. It is
// ErrCorrupt when one makes no sense: zeroed, of another place, beyond the file.
// A million rows take some 50 ms. A value that was altered inside a page is not
// found this way; that takes [Reader.ComputeDigest].
func (db *DB) CheckPages(ctx context.Context) error {
	if err := db.acquire(); err != nil {
		return err
	}
	defer db.release()
	var err error
	guardErr := guard(func() { err = db.bolt.View(func(tx *bbolt.Tx) error { return walk(ctx, tx) }) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err = errors.Join(guardErr, err); err != nil {
		return fileError(db.path, err)
	}
	return nil
}

// walk reads all keys.
func walk(ctx context.Context, tx *bbolt.Tx) error {
	n := 0
	return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
		return b.ForEach(func(_, _ []byte) error {
			if n++; n%4096 == 0 {
				return ctx.Err()
			}
			return nil
		})
	})
}
