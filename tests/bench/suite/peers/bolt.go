package peers

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

type boltStore struct {
	db *bbolt.DB
	// update is Batch, or Update where there is nobody to share a transaction with.
	update func(func(*bbolt.Tx) error) error
}

var boltBucket = []byte("rows")

// openBolt leaves batches as they are by default: of up to 1,000 updates, or those of
// 10 ms.
func openBolt(_ context.Context, dir string, clients int) (Store, error) {
	s, err := openBoltDB(dir, clients)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// openTunedBolt has a batch go as soon as all clients are in it, which is the best for
// clients that do nothing but wait for it.
func openTunedBolt(_ context.Context, dir string, clients int) (Store, error) {
	s, err := openBoltDB(dir, clients)
	if err != nil {
		return nil, err
	}
	s.db.MaxBatchSize = clients
	return s, nil
}

func openBoltDB(dir string, clients int) (*boltStore, error) {
	db, err := bbolt.Open(filepath.Join(dir, "bolt.db"), 0o600, &bbolt.Options{
		Timeout: time.Second, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30,
	})
	if err != nil {
		return nil, err
	}
	s := &boltStore{db, db.Batch}
	if clients == 1 {
		s.update = db.Update
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(boltBucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *boltStore) Apply(_ context.Context, batch Batch) error {
	return s.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(boltBucket)
		for _, row := range batch.Puts {
			if err := b.Put(row.Key, row.Value); err != nil {
				return err
			}
		}
		for _, key := range batch.Deletes {
			if err := b.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *boltStore) DeletePrefix(_ context.Context, prefix []byte) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(boltBucket)
		var keys [][]byte // deleting while a cursor stands there skips some
		c := b.Cursor()
		for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
			keys = append(keys, key)
		}
		for _, key := range keys {
			if err := b.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *boltStore) Get(_ context.Context, key []byte) (value []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if value = tx.Bucket(boltBucket).Get(key); value == nil {
			return ErrNotFound
		}
		value = append([]byte(nil), value...)
		return nil
	})
	return value, err
}

func (s *boltStore) List(_ context.Context, prefix []byte, found func(key, value []byte)) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(boltBucket).Cursor()
		for key, value := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, value = c.Next() {
			found(key, value)
		}
		return nil
	})
}

func (s *boltStore) Load(_ context.Context, rows iter.Seq[Row]) error {
	s.db.NoSync = true
	defer func() { s.db.NoSync = false }()
	err := inBatches(rows, 100_000, func(rows []Row) error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(boltBucket)
			b.FillPercent = 0.95
			for _, row := range rows {
				if err := b.Put(row.Key, row.Value); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return s.db.Sync()
}

func (s *boltStore) Close() error { return s.db.Close() }
