package history

import (
	"bytes"
	"cmp"
	"encoding/binary"
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

// Named returns all topics, or groups, that have had a name, the earliest first.
func (x *Index) Named(kind events.EntityKind, name string) (list []Entity, err error) {
	err = x.view(x.Generation(), func(tx *bbolt.Tx) error {
		list, err = x.named(tx, kindByte(kind), name, nil)
		return err
	})
	return list, err
}

// ProducersOf returns the producers that have used a transactional id.
func (x *Index) ProducersOf(transactionalID string) (list []Entity, err error) {
	err = x.view(x.Generation(), func(tx *bbolt.Tx) error {
		list, err = x.named(tx, kindTransaction, transactionalID, nil)
		return err
	})
	return list, err
}

// named reads entities by name; changed has newer rows of some.
func (x *Index) named(tx *bbolt.Tx, kind byte, name string, changed map[events.Identity]*entityRow) (list []Entity, err error) {
	prefix := nameKey(kind, name)
	c := tx.Bucket(bucketNames).Cursor()
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
		if _, err := unseal(k, v); err != nil {
			return nil, err
		}
		id, ok := identityOf(k[len(prefix):])
		if !ok {
			return nil, damaged("the name %x is of nothing", k)
		}
		e, found, err := entityOf(tx, id, changed[id])
		if err == nil && !found {
			err = damaged("the name %x is of nothing", k)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b Entity) int { return cmp.Compare(a.From, b.From) })
	return list, nil
}

func entityOf(tx *bbolt.Tx, id events.Identity, row *entityRow) (Entity, bool, error) {
	if row == nil {
		row = new(entityRow)
		if found, err := getValue(tx, bucketEntities, entityKey(id), row); err != nil || !found {
			return Entity{}, false, err
		}
	}
	return Entity{Identity: id, Name: row.Name, From: row.From, To: row.To, Begun: row.Begun}, true, nil
}

// Entity returns an entity, and reports whether the index knows it.
func (x *Index) Entity(id events.Identity) (e Entity, found bool, err error) {
	err = x.view(x.Generation(), func(tx *bbolt.Tx) error {
		e, found, err = entityOf(tx, id, nil)
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
	err = x.view(x.Generation(), func(tx *bbolt.Tx) error {
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

// Summary returns what is known of a segment, and reports whether that is all of
// it up to seq last.
func (x *Index) Summary(seg eventlog.Segment, last uint64) (s Summary, whole bool, err error) {
	err = x.view(x.Generation(), func(tx *bbolt.Tx) error {
		var row summaryRow
		found, err := getValue(tx, bucketSegments, seqKey(seg.First), &row)
		if err == nil && found {
			s, whole = row.summary(seg.First), row.Last >= min(last, seg.Last)
		}
		return err
	})
	return s, whole, err
}
