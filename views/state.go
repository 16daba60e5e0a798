package views

import (
	"context"
	"sync"
)

// State is the views after a group of records: what [DB.Publish] makes visible.
// It does not change.
type State struct {
	at      Checkpoint
	changes uint64 // to pending rows, up to it
	active  *rows  // a copy of the writer's
	pages   int64  // bytes of the file's pages that active changes, about
	frozen  *layer // nil: none
}

// Checkpoint returns the state's point in the log.
func (s *State) Checkpoint() Checkpoint { return s.at }

// Frozen reports whether the state has rows for [DB.Flush] to write.
func (s *State) Frozen() bool { return s.frozen != nil }

func (s *State) withoutFrozen() *State {
	return &State{at: s.at, changes: s.changes, active: s.active, pages: s.pages}
}

// layer is pending rows that nobody changes any more.
type layer struct {
	rows    *rows
	at      Checkpoint    // after the last of them
	pages   int64         // bytes of the file's pages that they change, about
	flushed chan struct{} // closed when bbolt has committed them
	wanted  chan struct{} // closed when somebody waits for that
	want    func()        // closes wanted
}

func newLayer(active *rows, at Checkpoint, pages int64) *layer {
	wanted := make(chan struct{})
	return &layer{active, at, pages, make(chan struct{}), wanted, sync.OnceFunc(func() { close(wanted) })}
}

// Publish makes state what snapshots read from now on. All its records must be
// durable in the log. States must be published in the order they were sealed in;
// some may be left out.
func (db *DB) Publish(state *State) {
	db.publishing.Lock()
	defer db.publishing.Unlock()
	defer db.wakeWaiters()
	if db.frozen.Load() != state.frozen {
		// Sealed before a flush that is done: don't keep its rows in memory.
		state = state.withoutFrozen()
	}
	db.published.Store(state)
}

// wakeWaiters is called with db.publishing held.
func (db *DB) wakeWaiters() {
	if db.waiters != nil {
		close(db.waiters)
		db.waiters = nil
	}
}

// WaitPublished waits until snapshots show seq, or ctx is done.
func (db *DB) WaitPublished(ctx context.Context, seq uint64) error {
	for {
		db.publishing.Lock()
		if db.published.Load().at.Seq >= seq {
			db.publishing.Unlock()
			return nil
		}
		if db.waiters == nil {
			db.waiters = make(chan struct{})
		}
		published := db.waiters
		db.publishing.Unlock()
		select {
		case <-published:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// retire lets go of a layer whose rows bbolt has committed.
func (db *DB) retire(frozen *layer) {
	db.publishing.Lock()
	defer db.publishing.Unlock()
	db.frozen.Store(nil)
	if s := db.published.Load(); s.frozen == frozen {
		db.published.Store(s.withoutFrozen())
	}
	close(frozen.flushed)
}
