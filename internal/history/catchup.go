package history

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sort"

	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// The bounds of one transaction of indexing, which keep its memory small.
const (
	batchRecords = 1 << 18
	batchRows    = 1 << 15
)

// CatchUp indexes the log's records up to a seq. It takes memory for one batch; a
// batch that was committed is not lost when it ends early. One caller at a time
// indexes, others wait.
//
// It is ErrCorrupt when the log is damaged, and wraps ErrDamaged when the index is, or
// can't be gone on with since the records that come next are gone.
func (x *Index) CatchUp(ctx context.Context, to uint64) error {
	if x.Seq() >= to {
		return nil
	}
	x.indexing.Lock()
	defer x.indexing.Unlock()
	x.file.RLock() // so that nobody replaces the file; reads go on
	defer x.file.RUnlock()
	if x.bolt == nil {
		return events.Errorf(events.CodeUnavailable, "the index of history is closed; open the store again")
	}
	err := guard(func() error { return x.index(ctx, to) })
	// Only now is it certain where an archive begins: reading has reached it.
	if first := x.opts.Log.First(); errors.Is(err, events.ErrOutOfRange) && x.Seq()+1 < first {
		err = damaged("it ends at seq %d, and the log begins at %d now", x.Seq(), first)
	}
	if err != nil {
		x.sum = nil // it may have records that are not in the file
	}
	return err
}

// index reads the log from where the index ends.
func (x *Index) index(ctx context.Context, to uint64) error {
	from := x.Seq() + 1
	if x.sum == nil || x.sum.last != x.Seq() {
		x.sum = nil
		from = segmentBegin(x.opts.Log, from)
	}
	b := &batch{x: x}
	defer b.rollback()
	for at, err := range x.opts.Log.Located(ctx, from) {
		if err != nil {
			return err
		}
		if at.Seq > to {
			break
		}
		if err := b.add(at); err != nil {
			return err
		}
		if b.full() {
			if err := b.commit(); err != nil {
				return err
			}
		}
	}
	return b.commit()
}

// segmentBegin returns the first seq of the segment that has a seq, or that will.
func segmentBegin(log eventlog.Reader, seq uint64) uint64 {
	segs := log.Segments()
	i := sort.Search(len(segs), func(i int) bool { return segs[i].First > seq })
	if i == 0 {
		return seq
	}
	if in := segs[i-1]; in.Last+1 >= seq {
		return in.First
	}
	return seq
}

// batch is one transaction of indexing.
type batch struct {
	x        *Index
	tx       *bbolt.Tx // nil: not begun
	at       state     // what the transaction reaches
	outline  events.Outline
	entities map[events.Identity]*entityRow // that the batch has changed
	names    map[string]struct{}            // that are known to be there
	records  int
	rows     int
}

func (b *batch) begin() (err error) {
	b.at = *b.x.at.Load()
	b.entities, b.names = map[events.Identity]*entityRow{}, map[string]struct{}{}
	b.records, b.rows = 0, 0
	b.tx, err = b.x.bolt.Begin(true)
	return err
}

func (b *batch) full() bool { return b.records >= b.x.opts.BatchRecords || b.rows >= batchRows }

func (b *batch) rollback() {
	if b.tx != nil {
		_ = b.tx.Rollback() // nothing of it is wanted
		b.tx = nil
	}
}

// add indexes a record. One that is indexed already is read for its segment's
// summary.
func (b *batch) add(at eventlog.Located) error {
	if b.tx == nil {
		if err := b.begin(); err != nil {
			return err
		}
	}
	if err := b.outline.Read(at.Encoded()); err != nil {
		return err
	}
	if err := b.summarize(at); err != nil || at.Seq <= b.at.At.Seq {
		return err
	}
	for i := range b.outline.Facts {
		if err := b.addEvent(at, i); err != nil {
			return err
		}
	}
	if err := b.addCause(at); err != nil {
		return err
	}
	b.records++
	b.at.At, b.at.Offset = events.Head{Seq: at.Seq, Hash: at.Hash}, at.Offset
	return nil
}

// summarize counts a record in its segment's summary. When a segment begins, that
// of the one before is complete.
func (b *batch) summarize(at eventlog.Located) error {
	if b.x.sum != nil && b.x.sum.segment != at.Segment {
		if err := b.putSummary(); err != nil {
			return err
		}
		b.x.sum = nil
	}
	if b.x.sum == nil {
		b.x.sum = newSumming(at)
	}
	return b.x.sum.add(&b.outline)
}

func (b *batch) putSummary() error {
	return putValue(b.tx, bucketSegments, seqKey(b.x.sum.first), b.x.sum.row())
}

// addEvent indexes one event.
func (b *batch) addEvent(at eventlog.Located, i int) error {
	f := b.outline.Facts[i]
	if f.Type.HighRate() && b.at.First == 1 {
		return nil // what it is about was created, which is indexed
	}
	event, err := b.outline.Event(i)
	if err != nil {
		return err
	}
	s, err := b.subjectOf(event)
	if err != nil {
		return err
	}
	row, err := b.entity(s, at.Seq)
	if err != nil || f.Type.HighRate() {
		return err
	}
	row.Count++
	if s.ends {
		row.To = at.Seq
	}
	hit := Hit{
		Position: events.Position{Seq: at.Seq, Index: i}, Offset: at.Offset, Type: f.Type, Derived: f.Derived,
		Partition: s.partition, Segment: s.segment, number: row.Count,
	}
	b.rows++
	return put(b.tx, bucketEvents, positionKey(entityKey(s.Identity), hit.Position), hit.encode())
}

// entity returns an entity's row, to be changed; a new one if there is none.
func (b *batch) entity(s subject, seq uint64) (*entityRow, error) {
	if err := b.addName(s); err != nil {
		return nil, err
	}
	if row := b.entities[s.Identity]; row != nil {
		return row, nil
	}
	row := new(entityRow)
	found, err := b.x.find(b.tx, &b.at.Rows, bucketEntities, entityKey(s.Identity), row)
	if err != nil {
		return nil, err
	}
	if !found {
		*row = entityRow{Name: s.name, From: seq, Begun: s.begins, fresh: true}
	}
	b.entities[s.Identity] = row
	return row, nil
}

// addName notes that an entity has a name. A transactional id is the name of the
// producers that have used it.
func (b *batch) addName(s subject) error {
	kind := kindByte(s.Kind)
	switch {
	case s.name == "":
		return nil
	case kind == kindProducer:
		kind = kindTransaction
	}
	name, entity := nameKey(kind, s.name), entityKey(s.Identity)
	known := string(name) + string(entity)
	if _, ok := b.names[known]; ok {
		return nil
	}
	b.names[known] = struct{}{}
	var row nameRow
	found, err := b.x.find(b.tx, &b.at.Rows, bucketNames, name, &row)
	if err != nil || slices.ContainsFunc(row.Entities, func(e []byte) bool { return bytes.Equal(e, entity) }) {
		return err
	}
	if b.rows++; !found {
		b.at.Rows.Names++
	}
	row.Entities = append(row.Entities, entity)
	return putValue(b.tx, bucketNames, name, row)
}

// addCause notes the record under its cause, which must be before it: what a
// caller gave as a cause may be anything.
func (b *batch) addCause(at eventlog.Located) error {
	cause := b.outline.Cause
	if cause == nil || cause.Seq >= at.Seq || cause.Index < 0 || cause.Index >= events.MaxRecordEvents {
		return nil
	}
	b.rows++
	b.at.Rows.Causes++
	key := append(positionKey(nil, *cause), seqKey(at.Seq)...)
	return put(b.tx, bucketCauses, key, encodeOffset(at.Offset))
}

// commit makes the batch durable, with the state that it reaches.
func (b *batch) commit() error {
	if b.tx == nil {
		return nil
	}
	for id, row := range b.entities {
		if row.fresh {
			b.at.Rows.Entities++
		}
		if err := putValue(b.tx, bucketEntities, entityKey(id), row); err != nil {
			return err
		}
	}
	if err := b.putSummary(); err != nil {
		return err
	}
	if err := putValue(b.tx, bucketMeta, keyState, b.at); err != nil {
		return err
	}
	err := b.tx.Commit()
	if b.tx = nil; err != nil {
		return b.x.unavailable(err)
	}
	at := b.at
	b.x.at.Store(&at)
	return nil
}

var errNoSubject = errors.New("no index knows the event; a newer metalog wrote it")
