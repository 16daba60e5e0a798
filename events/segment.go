package events

// SegmentKind tells what a segment holds.
type SegmentKind string

// The kinds of segment.
const (
	SegmentLog      SegmentKind = "log"      // records as produced
	SegmentIndex    SegmentKind = "index"    // an index over a range of offsets
	SegmentColumnar SegmentKind = "columnar" // records rewritten by column
)

// SegmentInfo describes one segment of a partition.
type SegmentInfo struct {
	ID           string      `cbor:"4,keyasint" json:"id"` // unique in its topic
	Kind         SegmentKind `cbor:"5,keyasint" json:"kind"`
	StartOffset  int64       `cbor:"6,keyasint" json:"start_offset"` // first offset in it
	EndOffset    int64       `cbor:"7,keyasint" json:"end_offset"`   // last offset in it
	SizeBytes    int64       `cbor:"8,keyasint" json:"size_bytes"`
	RecordCount  int64       `cbor:"9,keyasint" json:"record_count"`
	Path         string      `cbor:"10,keyasint" json:"path"`
	Checksum     string      `cbor:"11,keyasint,omitempty" json:"checksum,omitempty"`      // as the writer of the segment gives it, e.g. "crc32c:1a2b3c4d"
	MinTimestamp Time        `cbor:"12,keyasint,omitempty" json:"min_timestamp,omitempty"` // of its records
	MaxTimestamp Time        `cbor:"13,keyasint,omitempty" json:"max_timestamp,omitempty"`
	Attributes   Config      `cbor:"14,keyasint,omitempty" json:"attributes,omitempty"` // free
}

// Holds reports whether the segment's range covers offset.
func (s SegmentInfo) Holds(offset int64) bool {
	return s.StartOffset <= offset && offset <= s.EndOffset
}

// Segment is a file of a partition's data.
type Segment struct {
	PartitionRef
	SegmentInfo
	CreatedAt Time   `cbor:"20,keyasint" json:"created_at"`
	Revision  uint64 `cbor:"21,keyasint" json:"revision"`
}

// SegmentAdded: the partition's data now includes the segment.
type SegmentAdded struct {
	PartitionRef
	SegmentInfo
}

// SegmentsCompacted: the removed segments were replaced by the added ones, at
// once.
type SegmentsCompacted struct {
	PartitionRef
	Removed []string      `cbor:"4,keyasint" json:"removed"` // segment ids
	Added   []SegmentInfo `cbor:"5,keyasint" json:"added"`
}

// SegmentRemoved: the partition's data no longer includes the segment.
type SegmentRemoved struct {
	PartitionRef
	ID string `cbor:"4,keyasint" json:"id"`
}

func (*SegmentAdded) Type() Type      { return TypeSegmentAdded }
func (*SegmentsCompacted) Type() Type { return TypeSegmentsCompacted }
func (*SegmentRemoved) Type() Type    { return TypeSegmentRemoved }
