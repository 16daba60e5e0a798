package views

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
		base, err := db.openBase()
		if err != nil {
			db.release()
			return nil, err
		}
		if base.seq <= state.at.Seq {
			return newSnapshot(db, state, base), nil
		}
		// A flush of a later state came in between. That state is published, so
		// the next try begins with it or a later one.
		if err := db.closeBase(base); err != nil {
			db.release()
			return nil, err
		}
	}
}

func newSnapshot(db *DB, state *State, base *base) *Snapshot {
	s := &Snapshot{Reader: Reader{at: state.at, changes: state.changes, active: state.active, base: base}, db: db}
	if state.frozen != nil {
		s.frozen = state.frozen.rows
	}
	return s
}

// Close ends the snapshot; closing it again does nothing. Later reads are
// events.ErrUnavailable.
func (s *Snapshot) Close() error {
	if s.base == nil {
		return nil
	}
	base := s.base
	s.base = nil
	defer s.db.release()
	return s.db.closeBase(base)
}
