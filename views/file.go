package views

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
)

// The bucket that stands beside those of the views, and its keys.
var (
	metaBucket     = []byte("meta")
	metaSchema     = []byte("schema")     // 8 bytes: readable whatever the schema
	metaSeq        = []byte("seq")        // 8 bytes: Checkpoint.Seq, which each snapshot reads
	metaCheckpoint = []byte("checkpoint") // CBOR of the Checkpoint
)

// loadFile returns the checkpoint of the file and fills a new one.
func (db *DB) loadFile() (at Checkpoint, err error) {
	fresh := false
	guardErr := guard(func() {
		err = db.bolt.View(func(tx *bbolt.Tx) error {
			if k, _ := tx.Cursor().First(); k == nil {
				fresh = true
				return nil
			}
			if err := db.checkFile(tx); err != nil {
				return err
			}
			at, err = readCheckpoint(tx)
			return err
		})
	})
	if err := errors.Join(guardErr, err); err != nil {
		return at, fileError(db.path, err)
	}
	if fresh {
		at = Checkpoint{SchemaVersion: SchemaVersion}
		return at, boltError(db.path, db.bolt.Update(func(tx *bbolt.Tx) error {
			return errors.Join(createBuckets(tx), writeCheckpoint(tx, at))
		}))
	}
	return at, nil
}

// fileError keeps the code of err and says which file it is about.
func fileError(path string, err error) error {
	return events.Errorf(events.CodeOf(err), "views %s: %w", path, err)
}

// checkFile looks for what a file of this schema has. The size is checked
// because a page beyond the end of the file would fault when it is read.
func (db *DB) checkFile(tx *bbolt.Tx) error {
	info, err := os.Stat(db.path)
	if err != nil {
		return err
	}
	if info.Size() < tx.Size() {
		return events.Errorf(events.CodeCorrupt, "the file has %d bytes and should have %d; rebuild the views", info.Size(), tx.Size())
	}
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		return events.Errorf(events.CodeCorrupt, "the file is not one of metalog's views; move it away or rebuild the views")
	}
	if err := checkSchema(meta.Get(metaSchema)); err != nil {
		return err
	}
	for _, name := range bucketNames {
		if tx.Bucket([]byte(name)) == nil {
			return events.Errorf(events.CodeCorrupt, "the bucket %s is missing; rebuild the views", name)
		}
	}
	return nil
}

func checkSchema(stored []byte) error {
	if len(stored) != 8 {
		return events.Errorf(events.CodeCorrupt, "the schema version is missing; rebuild the views")
	}
	if v := binary.BigEndian.Uint64(stored); v != SchemaVersion {
		return events.Errorf(events.CodeConflict, "%w: the file has %d, this program %d; rebuild the views", ErrSchema, v, SchemaVersion)
	}
	return nil
}

func createBuckets(tx *bbolt.Tx) error {
	for _, name := range bucketNames {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	meta, err := tx.CreateBucket(metaBucket)
	if err != nil {
		return err
	}
	return meta.Put(metaSchema, binary.BigEndian.AppendUint64(nil, SchemaVersion))
}

func writeCheckpoint(tx *bbolt.Tx, at Checkpoint) error {
	row, err := events.Marshal(at)
	if err != nil {
		return err
	}
	meta := tx.Bucket(metaBucket)
	if err := meta.Put(metaSeq, binary.BigEndian.AppendUint64(nil, at.Seq)); err != nil {
		return err
	}
	return meta.Put(metaCheckpoint, row)
}

func readCheckpoint(tx *bbolt.Tx) (at Checkpoint, err error) {
	if err := events.Unmarshal(tx.Bucket(metaBucket).Get(metaCheckpoint), &at); err != nil {
		return at, events.Errorf(events.CodeCorrupt, "the checkpoint can't be read: %w; rebuild the views", err)
	}
	return at, nil
}

// readSeq returns the seq of the checkpoint without the rest of it.
func readSeq(tx *bbolt.Tx) (seq uint64, err error) {
	guardErr := guard(func() {
		value := tx.Bucket(metaBucket).Get(metaSeq)
		if len(value) != 8 {
			err = events.Errorf(events.CodeCorrupt, "views: the checkpoint's seq can't be read; rebuild the views")
			return
		}
		seq = binary.BigEndian.Uint64(value)
	})
	return seq, errors.Join(guardErr, err)
}

// syncDir makes a new file's name durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("views: sync of directory %s: %w", path, err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
