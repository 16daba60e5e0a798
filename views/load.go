package views

import (
	"slices"
	"strings"
	"sync"

	"github.com/metalog/metalog/events"
)

// loader makes a writer fast through which records go by the million: see
// [Tx.BeginLoad]. It keeps the rows that were asked for or changed in a hash table
// above the layers. Changes get into the active layer, and into the digest, only when
// somebody asks for rows in order or for the digest: a row that many records change is
// put in order and hashed once for all of them.
//
// What the table says of a row is what the writer sees. So it makes no difference
// which of its rows the layers below have by now.
type loader struct {
	rows  map[string]*loadedRow
	spare []loadedRow // made at once, not used yet
	bytes int64       // about what the rows take in memory

	unordered []*loadedRow // not in the active layer as they are now
	gathered  int64        // bytes of those
	ordered   int64        // by how many bytes they have made the active layer grow
	unhashed  []*loadedRow // not in the digest as they are now
}

// loadedRow is a row as the writer sees it.
type loadedRow struct {
	key   string
	value []byte // nil: there is none
	// unordered: the active layer does not have value yet, so that nobody else has
	// the slice, and it may be written to.
	unordered bool
	unhashed  bool
	inDigest  bool        // the digest has a term of this row
	term      events.Hash // if it has
}

const (
	// loadedOverhead is about what a row takes in the table and in the active layer
	// besides its key and value.
	loadedOverhead = 224
	loadedAtOnce   = 256 // rows made at once
)

func newLoader() *loader { return &loader{rows: map[string]*loadedRow{}} }

// BeginLoad makes the writer fit for many records in a row: changes gather unordered,
// and the digest is brought up to date when it is asked for. What is read and what
// Seal gives are the same as ever. The rows that it keeps in memory for that count as
// pending; a scan costs the ordering of what has gathered since the one before.
func (tx *Tx) BeginLoad() {
	if tx.loader == nil {
		tx.loader = newLoader()
	}
}

// EndLoad ends what BeginLoad began.
func (tx *Tx) EndLoad() {
	if tx.loader == nil {
		return
	}
	tx.order()
	tx.hash()
	tx.pending += tx.loader.ordered
	tx.loader = nil
}

// loaded returns the row under k, from the layers if it is not in the table; nil if
// there never was one. With look false, the layers are not asked.
func (r *Reader) loaded(k key, look bool) (*loadedRow, error) {
	row := r.loader.rows[string(k)]
	if row != nil || !look {
		return row, nil
	}
	value, known := r.active.get(k, r.changes)
	if !known {
		var err error
		if value, _, err = r.getToChange(k); err != nil {
			return nil, err
		}
	}
	if value == nil {
		return nil, nil
	}
	row = r.loader.add(k)
	row.value = slices.Clone(value)
	if k.bucket().primary() {
		row.inDigest, row.term = true, rowHash(k, value)
	}
	return row, nil
}

func (l *loader) add(k key) *loadedRow {
	if len(l.spare) == 0 {
		l.spare = make([]loadedRow, loadedAtOnce)
	}
	row := &l.spare[0]
	l.spare = l.spare[1:]
	row.key = string(k)
	l.rows[row.key] = row
	l.bytes += row.size()
	return row
}

func (row *loadedRow) size() int64 { return int64(len(row.key)+len(row.value)) + loadedOverhead }

// change gives a row a copy of value, or deletes it if that is nil.
func (l *loader) change(row *loadedRow, value []byte) {
	before := row.size()
	if !row.unordered {
		row.unordered, row.value = true, nil
		l.unordered = append(l.unordered, row)
		l.gathered += row.size()
	}
	if value == nil {
		row.value = nil
	} else {
		row.value = append(slices.Grow(row.value[:0], len(value)), value...)
	}
	if row.value == nil && value != nil {
		row.value = []byte{}
	}
	l.bytes += row.size() - before
	l.gathered += row.size() - before
	if !row.unhashed && bucket(row.key[0]).primary() {
		row.unhashed = true
		l.unhashed = append(l.unhashed, row)
	}
}

// order brings the active layer up to date.
func (r *Reader) order() {
	l := r.loader
	if l == nil || len(l.unordered) == 0 {
		return
	}
	slices.SortFunc(l.unordered, func(a, b *loadedRow) int { return strings.Compare(a.key, b.key) })
	for _, row := range l.unordered {
		r.changes++
		l.ordered += int64(len(row.value)) + versionOverhead
		if pending := r.active.find(key(row.key)); pending != nil {
			pending.set(row.value, r.changes)
		} else {
			r.active.add(key(row.key), row.value, r.changes)
			l.ordered += int64(len(row.key)) + loadedOverhead
		}
		row.unordered = false
	}
	clear(l.unordered)
	l.unordered, l.gathered = l.unordered[:0], 0
}

// hashAlone is up to how many rows one processor hashes.
const hashAlone = 2048

// hash brings the digest up to date. It is a sum, so two processors can make it up.
func (r *Reader) hash() {
	if r.loader == nil {
		return
	}
	rows := r.loader.unhashed
	var halves [2]events.Hash
	var other sync.WaitGroup
	if half := len(rows) / 2; len(rows) > hashAlone {
		other.Go(func() { halves[1] = changeOf(rows[half:]) })
		halves[0] = changeOf(rows[:half])
	} else {
		halves[0] = changeOf(rows)
	}
	other.Wait()
	addHash(&r.at.Digest, halves[0])
	addHash(&r.at.Digest, halves[1])
	clear(rows)
	r.loader.unhashed = rows[:0]
}

// changeOf returns by what the digest changes with rows, and notes that it has.
func changeOf(rows []*loadedRow) (change events.Hash) {
	for _, row := range rows {
		if row.inDigest {
			subHash(&change, row.term)
		}
		if row.inDigest = row.value != nil; row.inDigest {
			row.term = rowHash(row.key, row.value)
			addHash(&change, row.term)
		}
		row.unhashed = false
	}
	return change
}

// replaceLoaded is replace while loading.
func (tx *Tx) replaceLoaded(k key, value []byte) (existed bool, err error) {
	b := k.bucket()
	row, err := tx.loaded(k, b.primary())
	if err != nil {
		return false, err
	}
	if row == nil {
		row = tx.loader.add(k)
	}
	if b.primary() {
		if existed = row.value != nil; !existed {
			tx.at.Counts[b]++
		}
	}
	tx.loader.change(row, value)
	return existed, nil
}

// removeLoaded is remove while loading.
func (tx *Tx) removeLoaded(k key) error {
	row, err := tx.loaded(k, true)
	if err != nil {
		return err
	}
	if row == nil || row.value == nil {
		return errRemovesMissing(k)
	}
	if b := k.bucket(); b.primary() {
		tx.at.Counts[b]--
	}
	tx.loader.change(row, nil)
	return nil
}

// frozen is called when the active layer was handed over to be flushed: rows that
// need not be kept go when they take much.
func (l *loader) frozen(limit int64) {
	l.ordered = 0
	if l.bytes > limit/2 {
		*l = *newLoader()
	}
}
