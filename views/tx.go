package views

import (
	"cmp"
	"context"
	"slices"

	"github.com/metalog/metalog/events"
)

// What a pending row and each version of it take in memory, about, besides the bytes
// of key and value.
const (
	rowOverhead     = 120
	versionOverhead = 48
)

// Tx is the one writer of a DB, for use by one goroutine. Its work comes in
// groups of records, each between [Tx.Begin] and [Tx.Seal]; it reads its own
// writes. There is no rollback: a group that failed half-way ends the DB's use.
type Tx struct {
	Reader // its active layer is written here and nowhere else

	db      *DB
	pending int64 // bytes of the active layer
}

// Begin starts a group. Until Seal or Release it holds a bbolt read transaction,
// so it must not wait for a flush in between: a flush that has to map the file
// anew waits for that transaction.
func (tx *Tx) Begin() error {
	if tx.base != nil {
		return nil
	}
	// First the layer, then the transaction: when the layer is gone already, the
	// transaction begins after the commit that holds its rows.
	if frozen := tx.db.frozen.Load(); frozen != nil {
		tx.frozen = frozen.rows
	}
	base, err := tx.db.openBase()
	if err != nil {
		tx.frozen = nil
		return err
	}
	tx.base = base
	tx.changing.in(base.file)
	return nil
}

// Release ends a group in which nothing was written.
func (tx *Tx) Release() error {
	if tx.base == nil {
		return nil
	}
	base := tx.base
	tx.base, tx.frozen = nil, nil
	return tx.db.closeBase(base)
}

// Seal ends a group and returns the state after it, to be given to
// [DB.Publish] once its last record is durable. With freeze the pending rows
// are handed over to be flushed, unless rows handed over before still are.
func (tx *Tx) Seal(freeze bool) (*State, error) {
	if err := tx.Release(); err != nil {
		return nil, err
	}
	tx.order()
	tx.hash()
	if freeze && tx.db.frozen.Load() == nil {
		tx.db.frozen.Store(newLayer(tx.active, tx.at, tx.changing.bytes()))
		tx.active, tx.pending = newRows(tx.active.len()), 0
		tx.changing.reset()
		if tx.loader != nil {
			tx.loader.frozen(tx.db.maxPending)
		}
	}
	return &State{at: tx.at, changes: tx.changes, active: tx.active.copy(), pages: tx.changing.bytes(), frozen: tx.db.frozen.Load()}, nil
}

// Commit seals what was written, publishes it, flushes it when it is due, and
// begins the next group: the whole way of a write for an owner without a log
// writer and a flusher (catch-up, rebuild, replica). All records must be durable
// in their log already.
func (tx *Tx) Commit(ctx context.Context) error { return tx.commit(ctx, tx.db.Flush) }

// Save is Commit that flushes everything, so that whoever opens the file next goes on
// from here.
func (tx *Tx) Save(ctx context.Context) error { return tx.commit(ctx, tx.db.FlushAll) }

func (tx *Tx) commit(ctx context.Context, flush func(context.Context) error) error {
	state, err := tx.Seal(tx.FreezeDue())
	if err != nil {
		return err
	}
	tx.db.Publish(state)
	if err := flush(ctx); err != nil {
		return err
	}
	return tx.Begin()
}

// PendingBytes returns about how much memory the rows take that are not handed
// over to be flushed.
func (tx *Tx) PendingBytes() int64 {
	if tx.loader != nil {
		return tx.pending + tx.loader.ordered + tx.loader.gathered
	}
	return tx.pending
}

// Advance moves the checkpoint to rec, which must be the next record.
func (tx *Tx) Advance(rec *events.Record) error {
	if rec.Seq != tx.at.Seq+1 {
		return events.Errorf(events.CodeCorrupt, "views: record %d can't follow record %d; check the log with 'metalog verify'", rec.Seq, tx.at.Seq)
	}
	tx.at.Seq, tx.at.Hash, tx.at.Time = rec.Seq, rec.Hash, rec.Time
	tx.at.Events += uint64(len(rec.Facts))
	return nil
}

// put sets a row. It keeps value, or while loading a copy.
func (tx *Tx) put(k key, value []byte) error {
	_, err := tx.replace(k, value)
	return err
}

// replace is put that tells whether the row was there before. Only primary rows
// are looked up; for an index it is false.
func (tx *Tx) replace(k key, value []byte) (existed bool, err error) {
	if value == nil {
		value = []byte{} // nil is a tombstone
	}
	if tx.loader != nil {
		return tx.replaceLoaded(k, value)
	}
	if tx.base == nil {
		return false, errClosed
	}
	row := tx.active.find(k)
	b := k.bucket()
	if !b.primary() {
		tx.set(k, row, value)
		return false, nil
	}
	old, existed, err := tx.oldTerm(k, row)
	if err != nil {
		return false, err
	}
	if existed {
		subHash(&tx.at.Digest, old)
	} else {
		tx.at.Counts[b]++
	}
	row = tx.set(k, row, value)
	row.term, row.hashed = rowHash(k, value), true
	addHash(&tx.at.Digest, row.term)
	return existed, nil
}

// oldTerm returns what a primary row adds to the digest before it is changed, and whether
// it is there. row is what the active layer has of it, or nil.
func (tx *Tx) oldTerm(k key, row *pendingRow) (term events.Hash, exists bool, err error) {
	var value []byte
	if row != nil {
		value = row.newest.Load().value
		exists = value != nil
	} else if value, exists, err = tx.getToChange(k); err != nil {
		return term, false, err
	}
	switch {
	case !exists:
		return term, false, nil
	case row != nil && row.hashed:
		return row.term, true, nil
	}
	return rowHash(k, value), true, nil
}

// remove deletes a row. One that is not there is ErrCorrupt: the log holds
// nothing that deletes what does not exist, so log and views don't fit.
func (tx *Tx) remove(k key) error {
	if tx.loader != nil {
		return tx.removeLoaded(k)
	}
	if tx.base == nil {
		return errClosed
	}
	row := tx.active.find(k)
	if b := k.bucket(); b.primary() {
		term, exists, err := tx.oldTerm(k, row)
		if err != nil {
			return err
		}
		if !exists {
			return errRemovesMissing(k)
		}
		subHash(&tx.at.Digest, term)
		tx.at.Counts[b]--
	} else if exists, err := tx.has(k); err != nil || !exists {
		return cmp.Or(err, errRemovesMissing(k))
	}
	tx.set(k, row, nil)
	return nil
}

func errRemovesMissing(k key) error {
	return events.Errorf(events.CodeCorrupt, "views: apply deletes a row of %s that is not there (key %x); rebuild the views", k.bucket(), slices.Clone(k.inBucket()))
}

// set sets a row in the active layer, which has row of it already unless that is nil.
func (tx *Tx) set(k key, row *pendingRow, value []byte) *pendingRow {
	tx.changes++
	tx.pending += int64(len(value)) + versionOverhead
	if row != nil {
		row.set(value, tx.changes)
		return row
	}
	tx.pending += int64(len(k)) + rowOverhead
	return tx.active.add(k, value, tx.changes)
}
