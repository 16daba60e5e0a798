package history

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// Entity is one of the entities that have had a name.
type Entity struct {
	events.Identity
	Name  string
	From  uint64 // seq of its first event in the index
	To    uint64 // seq of the event that deleted it; 0: none did
	Begun bool   // its first event in the index created it
}

// find reads a row, and reports whether it is there. That it is not is believed once
// the bucket was found to be whole.
func (x *Index) find(tx *bbolt.Tx, counts *rowCounts, bucket, k []byte, row any) (bool, error) {
	found, err := getValue(tx, bucket, k, row)
	if err == nil && !found {
		err = x.absent(tx, counts, bucket)
	}
	return found, err
}

// absent checks that no row is missing from a bucket: damage to the pages above the
// rows can hide some. That is done once for each file that is opened, since what this
// process writes is not damaged.
func (x *Index) absent(tx *bbolt.Tx, counts *rowCounts, bucket []byte) error {
	x.wholeMu.Lock()
	defer x.wholeMu.Unlock()
	if x.wholeBuckets[string(bucket)] {
		return nil
	}
	b := tx.Bucket(bucket)
	c, n := b.Cursor(), uint64(0)
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if _, err := unseal(k, v); err != nil {
			return err
		}
		if !bytes.Equal(b.Get(k), v) {
			return damaged("the row %x can't be found", k)
		}
		n++
	}
	if want := *counts.of(bucket); n != want {
		return damaged("there are %d %s, not %d", n, bucket, want)
	}
	x.wholeBuckets[string(bucket)] = true
	return nil
}

// read is view with how many rows there are.
func (x *Index) read(read func(*bbolt.Tx, *rowCounts) error) error {
	return x.view(x.Generation(), func(tx *bbolt.Tx) error {
		var at state
		if found, err := getValue(tx, bucketMeta, keyState, &at); err != nil || !found {
			return errors.Join(err, damaged("it does not say of which log it is"))
		}
		return read(tx, &at.Rows)
	})
}

// Named returns all topics, or groups, that have had a name, the earliest first.
func (x *Index) Named(kind events.EntityKind, name string) (list []Entity, err error) {
	err = x.read(func(tx *bbolt.Tx, counts *rowCounts) error {
		list, err = x.named(tx, counts, kindByte(kind), name, nil)
		return err
	})
	return list, err
}

// ProducersOf returns the producers that have used a transactional id.
func (x *Index) ProducersOf(transactionalID string) (list []Entity, err error) {
	err = x.read(func(tx *bbolt.Tx, counts *rowCounts) error {
		list, err = x.named(tx, counts, kindTransaction, transactionalID, nil)
		return err
	})
	return list, err
}

// named reads entities by name; changed has newer rows of some.
func (x *Index) named(tx *bbolt.Tx, counts *rowCounts, kind byte, name string, changed map[events.Identity]*entityRow) (list []Entity, err error) {
	var row nameRow
	if _, err := x.find(tx, counts, bucketNames, nameKey(kind, name), &row); err != nil {
		return nil, err
	}
	for _, key := range row.Entities {
		id, ok := identityOf(key)
		if !ok {
			return nil, damaged("the name %q is of nothing", name)
		}
		e, found, err := x.entityOf(tx, counts, id, changed[id])
		if err == nil && !found {
			err = damaged("the name %q is of nothing", name)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b Entity) int { return cmp.Compare(a.From, b.From) })
	return list, nil
}

func (x *Index) entityOf(tx *bbolt.Tx, counts *rowCounts, id events.Identity, row *entityRow) (Entity, bool, error) {
	if row == nil {
		row = new(entityRow)
		if found, err := x.find(tx, counts, bucketEntities, entityKey(id), row); err != nil || !found {
			return Entity{}, false, err
		}
	}
	return Entity{Identity: id, Name: row.Name, From: row.From, To: row.To, Begun: row.Begun}, true, nil
}

// Entity returns an entity, and reports whether the index knows it.
func (x *Index) Entity(id events.Identity) (e Entity, found bool, err error) {
	err = x.read(func(tx *bbolt.Tx, counts *rowCounts) error {
		e, found, err = x.entityOf(tx, counts, id, nil)
		return err
	})
	return e, found, err
}

func encodeOffset(offset int64) []byte { return binary.AppendUvarint(nil, uint64(offset)) }

// Caused is a record that an event caused.
type Caused struct {
	Seq    uint64
	Offset int64 // of its frame
}

// CausedBy returns the first record after a seq whose cause is the event, and
// whether there is one.
func (x *Index) CausedBy(cause events.Position, after uint64) (c Caused, found bool, err error) {
	err = x.read(func(tx *bbolt.Tx, counts *rowCounts) error {
		if err := x.absent(tx, counts, bucketCauses); err != nil {
			return err
		}
		prefix := positionKey(nil, cause)
		k, v := tx.Bucket(bucketCauses).Cursor().Seek(append(prefix[:len(prefix):len(prefix)], seqKey(after+1)...))
		if !bytes.HasPrefix(k, prefix) {
			return nil
		}
		v, err := unseal(k, v)
		if err != nil {
			return err
		}
		offset, _ := binary.Uvarint(v)
		c, found = Caused{binary.BigEndian.Uint64(k[len(prefix):]), int64(offset)}, true
		return nil
	})
	return c, found, err
}

// May reports whether a segment, up to a seq, may have events of a high rate under one
// of the keys. If not, it has none.
func (x *Index) May(seg eventlog.Segment, to uint64, keys []Key) (may bool, err error) {
	err = x.view(x.Generation(), func(tx *bbolt.Tx) error {
		var row summaryRow // if there is none, up to seq 0
		_, err := getValue(tx, bucketSegments, seqKey(seg.First), &row)
		may = row.may(keys, min(to, seg.Last))
		return err
	})
	return may, err
}
