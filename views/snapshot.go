package views

import (
	"errors"

	"go.etcd.io/bbolt"
)

// Snapshot is the views at one durable seq. It is for use by one goroutine at a
// time, and to be closed soon: while it is open the file can't use pages again
// that flushes free. A goroutine that has one open must not open another, nor
// wait for a flush.
type Snapshot struct {
	Reader
	db *DB
}

// Snapshot opens a snapshot of what was published last.
func (db *DB) Snapshot() (*Snapshot, error) {
	if err := db.acquire(); err != nil {
		return nil, err
	}
	for {
		state := db.published.Load()
		base, seq, err := db.beginRead()
		if err != nil {
			db.release()
			return nil, err
		}
		if seq <= state.at.Seq {
			return newSnapshot(db, state, base), nil
		}
		// A flush of a later state came in between. That state is published, so
		// the next try begins with it or a later one.
		if err := base.Rollback(); err != nil {
			db.release()
			return nil, boltError(db.path, err)
		}
	}
}

func newSnapshot(db *DB, state *State, base *bbolt.Tx) *Snapshot {
	s := &Snapshot{Reader: Reader{at: state.at, active: state.active, base: base}, db: db}
	if state.frozen != nil {
		s.frozen = state.frozen.rows
	}
	return s
}

// beginRead opens a read transaction and tells at which seq the file is in it.
func (db *DB) beginRead() (*bbolt.Tx, uint64, error) {
	tx, err := db.bolt.Begin(false)
	if err != nil {
		return nil, 0, boltError(db.path, err)
	}
	seq, err := readSeq(tx)
	if err != nil {
		return nil, 0, errors.Join(err, tx.Rollback())
	}
	return tx, seq, nil
}

// Close ends the snapshot; closing it again does nothing. Later reads are
// events.ErrUnavailable.
func (s *Snapshot) Close() error {
	if s.base == nil {
		return nil
	}
	base := s.base
	s.base = nil
	clear(s.buckets[:])
	defer s.db.release()
	return boltError(s.db.path, base.Rollback())
}
