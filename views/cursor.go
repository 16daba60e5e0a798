package views

import (
	"bytes"
	"iter"
	"strings"

	"github.com/tidwall/btree"
	"go.etcd.io/bbolt"
)

// bounds say which rows a scan shows: those whose keys begin with prefix, from
// start upwards or, when descending, from the last one before start downwards.
type bounds struct {
	prefix, start key
	descending    bool
}

// cursor walks the rows of one layer within bounds.
type cursor interface {
	// entry returns the row at the cursor, or false beyond the last one. Its
	// value is nil for a tombstone.
	entry() (entry, bool)
	step() error
}

// merge yields the rows within b as all layers together show them.
func (r *Reader) merge(b bounds) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		rows, err := r.newMerged(b)
		for err == nil {
			var row entry
			var more bool
			if row, more, err = rows.next(); err != nil {
				break
			}
			if !more || !yield(row, nil) {
				return
			}
		}
		yield(entry{}, err)
	}
}

// merged walks the rows within bounds as all layers together show them. It is for
// who walks two views side by side; others range over [Reader.merge].
type merged struct {
	r          *Reader
	cursors    []cursor
	descending bool
	last       cursor // had the row that next returned last; nil before the first
}

func (r *Reader) newMerged(b bounds) (*merged, error) {
	cursors, err := r.cursors(b)
	return &merged{r: r, cursors: cursors, descending: b.descending}, err
}

// next returns the next row, which is valid until next is called again, or false
// after the last one.
func (m *merged) next() (row entry, more bool, err error) {
	for {
		if m.r.base == nil {
			return row, false, errClosed
		}
		if m.last != nil {
			if err := m.last.step(); err != nil {
				return row, false, err
			}
		}
		if m.last = newest(m.cursors, m.descending); m.last == nil {
			return row, false, nil
		}
		row, _ = m.last.entry()
		if err := stepOthers(m.cursors, m.last, row.key); err != nil {
			return row, false, err
		}
		if row.value != nil {
			return row, true, nil
		}
	}
}

// cursors returns one cursor a layer, the newest layer's first.
func (r *Reader) cursors(b bounds) ([]cursor, error) {
	if r.base == nil {
		return nil, errClosed
	}
	r.order()
	active := r.active
	if r.live {
		active = active.copy()
	}
	cursors := append(make([]cursor, 0, 4), newLayerCursor(active, b, r.changes))
	for _, layer := range [...]*rows{r.under, r.frozen} {
		if layer != nil {
			cursors = append(cursors, newLayerCursor(layer, b, r.changes))
		}
	}
	base, err := r.newBaseCursor(b)
	return append(cursors, base), err
}

// newest returns the cursor whose row comes next. Of several rows with the same
// key it is that of the newest layer, which hides the others.
func newest(cursors []cursor, descending bool) cursor {
	var winner cursor
	var first []byte
	for _, c := range cursors {
		row, ok := c.entry()
		if !ok {
			continue
		}
		order := bytes.Compare(row.key, first)
		if winner == nil || order < 0 && !descending || order > 0 && descending {
			winner, first = c, row.key
		}
	}
	return winner
}

// stepOthers moves the cursors of older layers past a row that is hidden.
func stepOthers(cursors []cursor, winner cursor, hidden []byte) error {
	for _, c := range cursors {
		row, ok := c.entry()
		if !ok || c == winner || !bytes.Equal(row.key, hidden) {
			continue
		}
		if err := c.step(); err != nil {
			return err
		}
	}
	return nil
}

// layerCursor walks pending rows.
type layerCursor struct {
	iter       btree.MapIter[string, *pendingRow]
	changes    uint64 // that are seen
	prefix     string
	descending bool
	row        entry // the key's array is used again
	ok         bool
}

func newLayerCursor(layer *rows, b bounds, changes uint64) *layerCursor {
	c := &layerCursor{iter: layer.byKey.Iter(), changes: changes, prefix: string(b.prefix), descending: b.descending}
	c.ok = c.iter.Seek(string(b.start))
	switch {
	case c.descending && c.ok:
		c.ok = c.iter.Prev()
	case c.descending:
		c.ok = c.iter.Last()
	}
	c.load()
	return c
}

func (c *layerCursor) load() {
	if c.ok = c.ok && strings.HasPrefix(c.iter.Key(), c.prefix); c.ok {
		c.row.key = append(c.row.key[:0], c.iter.Key()[1:]...)
		c.row.value = c.iter.Value().after(c.changes)
	}
}

func (c *layerCursor) entry() (entry, bool) { return c.row, c.ok }

func (c *layerCursor) step() error {
	if c.descending {
		c.ok = c.iter.Prev()
	} else {
		c.ok = c.iter.Next()
	}
	c.load()
	return nil
}

// baseCursor walks rows in bbolt.
type baseCursor struct {
	cursor     *bbolt.Cursor
	prefix     []byte // without the bucket's number
	descending bool
	row        entry // key nil: beyond the last one
}

func (r *Reader) newBaseCursor(b bounds) (*baseCursor, error) {
	c := &baseCursor{prefix: b.prefix.inBucket(), descending: b.descending}
	err := guard(func() {
		c.cursor = r.base.bucket(b.prefix.bucket()).Cursor()
		c.seek(b)
		c.bound()
	})
	return c, err
}

func (c *baseCursor) seek(b bounds) {
	if !c.descending {
		c.row.key, c.row.value = c.cursor.Seek(b.start.inBucket())
		return
	}
	// A start in the next bucket is that of a scan of the whole bucket.
	if b.start.bucket() == b.prefix.bucket() {
		if k, _ := c.cursor.Seek(b.start.inBucket()); k != nil {
			c.row.key, c.row.value = c.cursor.Prev()
			return
		}
	}
	c.row.key, c.row.value = c.cursor.Last()
}

func (c *baseCursor) bound() {
	if !bytes.HasPrefix(c.row.key, c.prefix) {
		c.row = entry{}
	}
}

func (c *baseCursor) entry() (entry, bool) { return c.row, c.row.key != nil }

func (c *baseCursor) step() error {
	return guard(func() {
		if c.descending {
			c.row.key, c.row.value = c.cursor.Prev()
		} else {
			c.row.key, c.row.value = c.cursor.Next()
		}
		c.bound()
	})
}
