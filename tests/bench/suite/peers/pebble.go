package peers

import (
	"context"
	"errors"
	"iter"

	"github.com/cockroachdb/pebble/v2"
)

type pebbleStore struct{ db *pebble.DB }

func openPebble(_ context.Context, dir string, _ int) (Store, error) {
	db, err := pebble.Open(dir, &pebble.Options{
		FormatMajorVersion: pebble.FormatNewest,
		CacheSize:          128 << 20,
		MemTableSize:       64 << 20,
		Logger:             quietPebble{},
	})
	if err != nil {
		return nil, err
	}
	return pebbleStore{db}, nil
}

// quietPebble logs nothing but what ends the program.
type quietPebble struct{}

func (quietPebble) Infof(string, ...any)  {}
func (quietPebble) Errorf(string, ...any) {}
func (quietPebble) Fatalf(format string, args ...any) {
	pebble.DefaultLogger.Fatalf(format, args...)
}

func (s pebbleStore) Apply(_ context.Context, batch Batch) error {
	b := s.db.NewBatch()
	for _, row := range batch.Puts {
		if err := b.Set(row.Key, row.Value, nil); err != nil {
			return err
		}
	}
	for _, key := range batch.Deletes {
		if err := b.Delete(key, nil); err != nil {
			return err
		}
	}
	return errors.Join(b.Commit(pebble.Sync), b.Close())
}

func (s pebbleStore) DeletePrefix(_ context.Context, prefix []byte) error {
	return s.db.DeleteRange(prefix, after(prefix), pebble.Sync)
}

func (s pebbleStore) Get(_ context.Context, key []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	value = append([]byte(nil), value...)
	return value, closer.Close()
}

func (s pebbleStore) List(ctx context.Context, prefix []byte, found func(key, value []byte)) error {
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: prefix, UpperBound: after(prefix)})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		found(it.Key(), it.Value())
	}
	return it.Close()
}

func (s pebbleStore) Load(_ context.Context, rows iter.Seq[Row]) error {
	err := inBatches(rows, 10_000, func(rows []Row) error {
		b := s.db.NewBatch()
		for _, row := range rows {
			if err := b.Set(row.Key, row.Value, nil); err != nil {
				return err
			}
		}
		return errors.Join(b.Commit(pebble.NoSync), b.Close())
	})
	if err != nil {
		return err
	}
	return s.db.Flush()
}

func (s pebbleStore) Close() error { return s.db.Close() }

// inBatches hands rows over, size at a time.
func inBatches(rows iter.Seq[Row], size int, take func([]Row) error) error {
	batch := make([]Row, 0, size)
	for row := range rows {
		batch = append(batch, row)
		if len(batch) < size {
			continue
		}
		if err := take(batch); err != nil {
			return err
		}
		batch = batch[:0]
	}
	if len(batch) == 0 {
		return nil
	}
	return take(batch)
}
