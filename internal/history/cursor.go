package history

import (
	"bytes"
	"math"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
)

// Range are the positions from Lo to Hi, both of them included.
type Range struct{ Lo, Hi events.Position }

// Compare orders positions as they stand in the log.
func Compare(a, b events.Position) int {
	switch {
	case a.Seq != b.Seq && a.Seq < b.Seq, a.Seq == b.Seq && a.Index < b.Index:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// Cursor goes through the events of an entity that are indexed. It is for one
// goroutine. It reads in chunks and holds no transaction between them.
type Cursor struct {
	x          *Index
	generation uint64
	prefix     []byte
	rng        Range // of what is still to be read
	back       bool
	buf        []Hit // that were read and not returned
	number     uint64
	begun      bool
	done       bool
}

const (
	firstChunk = 32
	nextChunk  = 1024
)

// Events returns a cursor over the events of an entity in a range, the first ones
// first, or with back the last ones.
func (x *Index) Events(id events.Identity, in Range, back bool) *Cursor {
	in.Lo.Index, in.Hi.Index = clampIndex(in.Lo.Index), clampIndex(in.Hi.Index)
	return &Cursor{x: x, generation: x.Generation(), prefix: entityKey(id), rng: in, back: back}
}

func clampIndex(i int) int { return max(0, min(i, math.MaxUint16)) }

// Next returns the next event, and whether there is one. It wraps ErrDamaged when
// events are missing from the index.
func (c *Cursor) Next() (Hit, bool, error) {
	if len(c.buf) == 0 && !c.done {
		if err := c.read(); err != nil {
			return Hit{}, false, err
		}
	}
	if len(c.buf) == 0 {
		return Hit{}, false, nil
	}
	h := c.buf[0]
	c.buf = c.buf[1:]
	return h, true, nil
}

// read fills the buffer with the next chunk.
func (c *Cursor) read() error {
	chunk := nextChunk
	if !c.begun {
		chunk = firstChunk
	}
	return c.x.view(c.generation, func(tx *bbolt.Tx) error {
		w := walk{tx.Bucket(bucketEvents).Cursor(), c.prefix, c.back}
		if !c.begun {
			// The number before the first one: of the event outside of the range, if any.
			before, err := c.edge(tx, w, w.outside(c.start()))
			if err != nil {
				return err
			}
			c.begun, c.number = true, before
		}
		for k, v := w.seek(c.start()); ; k, v = w.next() {
			if len(c.buf) == chunk {
				return nil
			}
			if k == nil || !c.within(positionOf(k[len(c.prefix):])) {
				return c.end(tx, w, rowAt{k, v})
			}
			if err := c.take(k, v); err != nil {
				return err
			}
		}
	})
}

// start is where the rest of the range begins, in the cursor's direction.
func (c *Cursor) start() events.Position {
	if c.back {
		return c.rng.Hi
	}
	return c.rng.Lo
}

func (c *Cursor) within(at events.Position) bool {
	return Compare(at, c.rng.Lo) >= 0 && Compare(at, c.rng.Hi) <= 0
}

// take adds a row to the buffer. Its number has to be the next one.
func (c *Cursor) take(k, v []byte) error {
	h, err := decodeHit(k, v)
	if err != nil {
		return err
	}
	if err := c.follow(h.number); err != nil {
		return err
	}
	c.buf = append(c.buf, h)
	if c.back {
		c.rng.Hi = Before(h.Position)
	} else {
		c.rng.Lo = After(h.Position)
	}
	return nil
}

func (c *Cursor) follow(number uint64) error {
	want := c.number + 1
	if c.back {
		want = c.number - 1
	}
	if number != want {
		return damaged("event %d of %x follows event %d", number, c.prefix, c.number)
	}
	c.number = number
	return nil
}

// end checks that nothing is missing up to the row that is outside of the range.
func (c *Cursor) end(tx *bbolt.Tx, w walk, row rowAt) error {
	c.done = true
	number, err := c.edge(tx, walk{w.c, w.prefix, !w.back}, row)
	if err != nil {
		return err
	}
	return c.follow(number)
}

// edge returns the number of a row outside of the range; where there is none, that
// before the entity's first event, or after its last. The walk leads away from the
// row.
func (c *Cursor) edge(tx *bbolt.Tx, w walk, row rowAt) (uint64, error) {
	if row.k != nil {
		h, err := decodeHit(row.k, row.v)
		return h.number, err
	}
	if !w.back {
		return 0, nil
	}
	var e entityRow
	_, err := getValue(tx, bucketEntities, c.prefix, &e) // none has no events
	return e.Count + 1, err
}

// After is the next position that an event can have.
func After(p events.Position) events.Position {
	if p.Index == math.MaxUint16 {
		return events.Position{Seq: p.Seq + 1}
	}
	return events.Position{Seq: p.Seq, Index: p.Index + 1}
}

// Before is the position before, but for that of (0, 0), which no event has.
func Before(p events.Position) events.Position {
	if p.Index == 0 {
		return events.Position{Seq: p.Seq - min(p.Seq, 1), Index: math.MaxUint16}
	}
	return events.Position{Seq: p.Seq, Index: p.Index - 1}
}

// walk goes through an entity's rows in one direction.
type walk struct {
	c      *bbolt.Cursor
	prefix []byte
	back   bool
}

type rowAt struct{ k, v []byte }

// seek goes to the first row at or behind a position.
func (w walk) seek(at events.Position) (k, v []byte) {
	key := positionKey(w.prefix, at)
	k, v = w.c.Seek(key)
	if w.back && !bytes.Equal(k, key) {
		if k == nil {
			k, v = w.c.Last()
		} else {
			k, v = w.c.Prev()
		}
	}
	return w.own(k, v)
}

func (w walk) next() (k, v []byte) {
	if w.back {
		return w.own(w.c.Prev())
	}
	return w.own(w.c.Next())
}

// outside returns the last row ahead of a position, if there is one.
func (w walk) outside(at events.Position) rowAt {
	w.back = !w.back
	k, v := w.seek(at)
	if k != nil && positionOf(k[len(w.prefix):]) == at {
		k, v = w.next()
	}
	return rowAt{k, v}
}

// own gives nothing for a row of another entity.
func (w walk) own(k, v []byte) ([]byte, []byte) {
	if !bytes.HasPrefix(k, w.prefix) || len(k) != len(w.prefix)+positionBytes {
		return nil, nil
	}
	return k, v
}
