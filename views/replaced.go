package views

import (
	"errors"
	"os"
	"time"
)

// replaceFile makes a file what is read and written from now on. What the old one takes is
// given back when its last reader is done.
func (db *DB) replaceFile(file *boltFile, old *os.File) {
	db.bases.Lock()
	defer db.bases.Unlock()
	before := db.bolt
	db.bolt = file
	db.replaced.Go(func() {
		before.users.Wait()
		if err := errors.Join(before.Close(), giveBack(old, db.hurry), old.Close()); err != nil {
			db.compactor.log.Warn("the views' file before compaction can't be closed", "err", err)
		}
	})
}

// givenBack is how many bytes of a replaced file are given back at once. The log's syncs
// wait for a file system that is at it: on ext4 25 ms for 24 MB.
const givenBack = 1 << 20

// giveBack gives the space of a file that has no name back, a little at a time and with
// rests. Once hurry is closed it leaves the rest to the closing of the file.
func giveBack(file *os.File, hurry <-chan struct{}) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	for size := info.Size() - givenBack; size > 0; size -= givenBack {
		began := time.Now()
		if err := file.Truncate(size); err != nil {
			return err
		}
		select {
		case <-time.After(rests * time.Since(began)):
		case <-hurry:
			return nil
		}
	}
	return nil
}
