package views

import (
	"bytes"
	"iter"
	"runtime/debug"

	"github.com/metalog/metalog/events"
)

// Reader reads the views at one point in the log. [Snapshot] and [Tx] embed it;
// it is valid for as long as they are, and for use by one goroutine at a time.
// What it returns is the caller's.
type Reader struct {
	at      Checkpoint
	changes uint64  // how many of the writer's changes to pending rows are seen
	live    bool    // active changes between reads: this is a Tx
	active  *rows   // newest layer
	under   *rows   // of a scratch: the newest layer of what it is over; else nil
	frozen  *rows   // older layer, nil: none
	base    *base   // oldest layer, nil: the read point is closed
	loader  *loader // of a Tx between BeginLoad and EndLoad; else nil
	kept    *kept   // of a Tx; else nil

	changing *filePages // of a Tx; else nil
}

// Checkpoint returns the read point.
func (r *Reader) Checkpoint() Checkpoint {
	r.hash()
	return r.at
}

// Seq returns the seq of the last record that is visible.
func (r *Reader) Seq() uint64 { return r.at.Seq }

// Digest returns the digest of all primary rows.
func (r *Reader) Digest() events.Hash {
	r.hash()
	return r.at.Digest
}

// CommandWindow returns for how many records a command id is remembered.
func (r *Reader) CommandWindow() uint64 { return r.at.CommandWindow }

// Counts returns the number of rows by noun, see [Counts.ByNoun].
func (r *Reader) Counts() map[string]uint64 { return r.at.Counts.ByNoun() }

var errClosed = events.Errorf(events.CodeUnavailable, "views: read from a closed snapshot or outside a group; open a new snapshot")

// get returns the value under k, which must not be changed. It stays valid until the
// read point ends, on a Tx until the row is changed.
func (r *Reader) get(k key) (value []byte, found bool, err error) {
	if r.base == nil {
		return nil, false, errClosed
	}
	if r.loader == nil {
		return r.getFromLayers(k)
	}
	row, err := r.loaded(k, true)
	if err != nil || row == nil {
		return nil, false, err
	}
	return row.value, row.value != nil, nil
}

func (r *Reader) getFromLayers(k key) (value []byte, found bool, err error) {
	if value, known := r.active.get(k, r.changes); known {
		return value, value != nil, nil
	}
	if value, known := r.getOlder(k); known {
		return value, value != nil, nil
	}
	err = guard(func() {
		value = r.base.bucket(k.bucket()).Get(k.inBucket())
	})
	return value, value != nil, err
}

// getOlder returns the value under k in the layers between the active one and the file,
// and whether they know of it.
func (r *Reader) getOlder(k key) (value []byte, known bool) {
	for _, layer := range [...]*rows{r.under, r.frozen} {
		if layer == nil {
			continue
		}
		if value, known := layer.get(k, r.changes); known {
			return value, true
		}
	}
	return nil, false
}

// getToChange returns the value under k, which the active layer does not know of, and
// notes the page of the file that has it or will.
func (r *Reader) getToChange(k key) (value []byte, found bool, err error) {
	if value, known := r.getOlder(k); known {
		return value, value != nil, nil
	}
	err = guard(func() {
		at, v := r.base.bucket(k.bucket()).Cursor().Seek(k.inBucket())
		if bytes.Equal(at, k.inBucket()) {
			value = v
		}
		r.changing.add(at, value == nil)
	})
	return value, value != nil, err
}

// has reports whether there is a row under k.
func (r *Reader) has(k key) (bool, error) {
	_, found, err := r.get(k)
	return found, err
}

// guard runs f, which does nothing but read mapped pages. bbolt panics over a
// page that makes no sense, and a page number beyond the file faults; both are
// returned as ErrCorrupt.
func guard(f func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = events.Errorf(events.CodeCorrupt, "views: the file is damaged: %v; rebuild the views", p)
		}
	}()
	f()
	return nil
}

// entry is a row as it is stored. It is valid until the next one is asked for.
type entry struct {
	key   []byte // without the bucket's number
	value []byte
}

// scan yields the rows whose keys begin with prefix, in order of key. On a Tx it
// shows them as they were when it began, so rows may be changed on the way.
func (r *Reader) scan(prefix key) iter.Seq2[entry, error] {
	return r.merge(bounds{prefix: prefix, start: prefix})
}

// scanBack yields the rows whose keys begin with prefix and are less than
// before, the greatest first. As to changes it is like scan.
func (r *Reader) scanBack(prefix, before key) iter.Seq2[entry, error] {
	return r.merge(bounds{prefix: prefix, start: before, descending: true})
}
