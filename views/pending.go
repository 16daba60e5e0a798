package views

import (
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/metalog/metalog/events"
)

// rows is a layer of pending rows: an ordered map from [key] to row. The writer changes
// it, while others read copies of it and the versions of rows in it that they see.
type rows struct {
	byKey btree.Map[string, *pendingRow]
	// index has the same rows, where one is found in a fraction of the time; nil in a copy.
	// It is the writer's, and everybody's once the layer is frozen.
	index map[string]*pendingRow
}

// rowsDegree bounds a node of the map to 2·degree−1 rows. Each group copies the
// nodes that it adds rows to, so nodes are small.
const rowsDegree = 8

// newRows makes a layer for about so many rows.
func newRows(expected int) *rows {
	return &rows{*btree.NewMap[string, *pendingRow](rowsDegree), make(map[string]*pendingRow, expected)}
}

// copy returns a layer that keeps the rows that there are now, and shares them.
func (l *rows) copy() *rows { return &rows{byKey: *l.byKey.Copy()} }

func (l *rows) len() int { return l.byKey.Len() }

// find returns the row under k, nil if the layer does not know of it.
func (l *rows) find(k key) *pendingRow {
	if l.index != nil {
		return l.index[string(k)]
	}
	row, _ := l.byKey.Get(string(k))
	return row
}

// get returns what the row under k was after so many changes, nil for one that was
// deleted, and whether the layer knows of it.
func (l *rows) get(k key, changes uint64) (value []byte, known bool) {
	row := l.find(k)
	if row == nil {
		return nil, false
	}
	return row.after(changes), true
}

// add adds a row that the layer does not know of.
func (l *rows) add(k key, value []byte, change uint64) *pendingRow {
	row, text := newPendingRow(value, change), string(k)
	l.index[text] = row
	l.byKey.Set(text, row)
	return row
}

// pendingRow is what a pending row has been since its layer began. To change it again
// costs no copy of a node.
type pendingRow struct {
	newest atomic.Pointer[version]
	first  version
	// What the newest version adds to the digest, if hashed is set; the writer's.
	term   events.Hash
	hashed bool
}

// version is what a row is from one of the writer's changes on. It does not change.
type version struct {
	change uint64
	value  []byte // nil: the row is deleted, whatever the layers below say
	older  *version
}

func newPendingRow(value []byte, change uint64) *pendingRow {
	r := &pendingRow{first: version{change: change, value: value}}
	r.newest.Store(&r.first)
	return r
}

// set gives the row the value that it has from a change on, nil to delete it. It is for
// the writer only.
func (r *pendingRow) set(value []byte, change uint64) {
	r.newest.Store(&version{change, value, r.newest.Load()})
	r.hashed = false
}

// after returns what the row was after so many changes. Whoever finds it in a copy of
// the layer sees its first version at least.
func (r *pendingRow) after(changes uint64) []byte {
	v := r.newest.Load()
	for v.change > changes {
		v = v.older
	}
	return v.value
}
