package history

import (
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// Summary tells what a segment of the log holds.
type Summary struct {
	First, Last uint64 // seqs; of the last segment, Last is what is indexed of it
	From, To    events.Time
	Types       map[events.Type]uint64 // events
	filter      filter
}

// May reports whether the segment may have events of a high rate under one of the
// keys. If not, it has none.
func (s *Summary) May(keys []Key) bool {
	for _, k := range keys {
		if s.filter.has(uint64(k)) {
			return true
		}
	}
	return false
}

// summaryRow is a Summary as it is stored.
type summaryRow struct {
	Last   uint64            `cbor:"1,keyasint"`
	From   events.Time       `cbor:"2,keyasint"`
	To     events.Time       `cbor:"3,keyasint"`
	Types  map[uint64]uint64 `cbor:"4,keyasint"`
	Filter []byte            `cbor:"5,keyasint"`
}

func (r *summaryRow) summary(first uint64) Summary {
	s := Summary{First: first, Last: r.Last, From: r.From, To: r.To, Types: map[events.Type]uint64{}, filter: r.Filter}
	for t, n := range r.Types {
		s.Types[events.Type(t)] = n
	}
	return s
}

// summing is the summary of a segment while it is read.
type summing struct {
	segment string // file name
	first   uint64
	last    uint64
	from    events.Time
	to      events.Time
	types   map[events.Type]uint64
	keys    map[uint64]struct{}
}

func newSumming(at eventlog.Located) *summing {
	return &summing{
		segment: at.Segment, first: at.Seq, from: at.Time,
		types: map[events.Type]uint64{}, keys: map[uint64]struct{}{},
	}
}

// add takes the next record of the segment.
func (s *summing) add(o *events.Outline) error {
	s.last, s.to = o.Seq, o.Time
	for i := range o.Facts {
		t := o.Facts[i].Type
		s.types[t]++
		if !t.HighRate() {
			continue
		}
		p, err := o.Place(i)
		if err != nil {
			return err
		}
		if t == events.TypeOffsetCommitted {
			s.note(GroupKey(p.GroupID))
			s.note(OffsetKey(p.GroupID, p.TopicID, p.Partition))
		} else {
			s.note(TopicKey(p.TopicID))
			s.note(PartitionKey(p.TopicID, p.Partition))
		}
	}
	return nil
}

func (s *summing) note(k Key) { s.keys[uint64(k)] = struct{}{} }

func (s *summing) row() summaryRow {
	types := make(map[uint64]uint64, len(s.types))
	for t, n := range s.types {
		types[uint64(t)] = n
	}
	return summaryRow{Last: s.last, From: s.from, To: s.to, Types: types, Filter: newFilter(s.keys)}
}
