package views

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"
)

// CheckPages looks at every page of the file, as the last flush left it. It is
// ErrCorrupt when one makes no sense: zeroed, of another place, beyond the file.
// A million rows take some 15 ms. A value that was altered inside a page is not
// found this way; that takes [Reader.ComputeDigest].
func (db *DB) CheckPages(ctx context.Context) error {
	if err := db.acquire(); err != nil {
		return err
	}
	defer db.release()
	err := db.bolt.View(func(tx *bbolt.Tx) error { return walk(ctx, tx) })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fileError(db.path, err)
	}
	return nil
}

// walk visits the pages of each bucket, of two at a time: it waits for memory most of
// the time.
func walk(ctx context.Context, tx *bbolt.Tx) error {
	var toVisit []*bbolt.Bucket
	err := guard(func() {
		_ = tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			toVisit = append(toVisit, b)
			return nil
		})
	})
	var next atomic.Int64
	var visiting sync.WaitGroup
	var errs [2]error
	for i := range errs {
		visiting.Go(func() {
			for n := next.Add(1); n <= int64(len(toVisit)) && ctx.Err() == nil && errs[i] == nil; n = next.Add(1) {
				errs[i] = guard(func() { toVisit[n-1].Stats() }) // goes to each page for that
			}
		})
	}
	visiting.Wait()
	return errors.Join(err, errs[0], errs[1])
}
