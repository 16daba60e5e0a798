package views

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"unsafe"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/pages"
)

// CheckPages looks at every page of the file, as the last flush left it. It is
// ErrCorrupt when one makes no sense: zeroed, of another place, beyond the file.
// A million rows take some 10 ms. A value that was altered inside a page is not
// found this way; that takes [Reader.ComputeDigest].
func (db *DB) CheckPages(ctx context.Context) error {
	if err := db.acquire(); err != nil {
		return err
	}
	defer db.release()
	db.flushing.Lock() // nothing is written meanwhile
	defer db.flushing.Unlock()
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		data, err := db.mapping(tx)
		if err != nil {
			return err
		}
		var reading sync.WaitGroup
		defer reading.Wait()
		reading.Go(func() { readAhead(data) })
		return pages.CheckMapped(ctx, data, pages.Headers)
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, pages.ErrDamaged):
		err = events.Errorf(events.CodeCorrupt, "the file is %w; rebuild the views", err)
	}
	return fileError(db.path, err)
}

// readAhead has the kernel read a file that is mapped, if it has not. bbolt maps it for
// reads at random places, for which each page is read by itself.
func readAhead(data []byte) {
	const step = 256 << 10 // no more is read at a time, however much is asked for
	for part := range slices.Chunk(data, step) {
		if unix.Madvise(part, unix.MADV_WILLNEED) != nil {
			return
		}
	}
}

// mapping returns what is in use of the file, as far as that goes, as bbolt has mapped it.
// It stays mapped during the transaction.
func (db *DB) mapping(tx *bbolt.Tx) ([]byte, error) {
	info, err := os.Stat(db.path)
	if err != nil {
		return nil, err
	}
	start := unsafe.Add(nil, db.bolt.Info().Data) // not Go's memory, so that nothing moves it
	return unsafe.Slice((*byte)(start), min(info.Size(), tx.Size())), nil
}
