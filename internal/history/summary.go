package history

import (
	"slices"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// summaryRow tells what a segment of the log has of events of a high rate.
type summaryRow struct {
	Last   uint64 `cbor:"1,keyasint"` // seq; of the last segment, what is indexed of it
	Filter []byte `cbor:"2,keyasint"` // of their keys
}

// may reports whether the segment may have events of a high rate under one of the
// keys, up to a seq. If not, it has none.
func (r *summaryRow) may(keys []Key, to uint64) bool {
	return r.Last < to || slices.ContainsFunc(keys, func(k Key) bool { return filter(r.Filter).has(uint64(k)) })
}

// summing is the summary of a segment while it is read.
type summing struct {
	segment string // file name
	first   uint64
	last    uint64
	keys    map[uint64]struct{}
}

func newSumming(at eventlog.Located) *summing {
	return &summing{segment: at.Segment, first: at.Seq, keys: map[uint64]struct{}{}}
}

// add takes the next record of the segment.
func (s *summing) add(o *events.Outline) error {
	s.last = o.Seq
	for i := range o.Facts {
		t := o.Facts[i].Type
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

func (s *summing) row() summaryRow { return summaryRow{Last: s.last, Filter: newFilter(s.keys)} }
