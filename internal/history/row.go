package history

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"github.com/metalog/metalog/events"
)

const version = 2 // of all rows

var (
	bucketMeta     = []byte("meta")
	bucketEntities = []byte("entities")
	bucketNames    = []byte("names")
	bucketEvents   = []byte("events")
	bucketCauses   = []byte("causes")
	bucketSegments = []byte("segments")

	buckets = [][]byte{bucketMeta, bucketEntities, bucketNames, bucketEvents, bucketCauses, bucketSegments}

	keyState = []byte("state")
)

// state says what the index was made of, and how far.
type state struct {
	Version uint64      `cbor:"1,keyasint"`
	LogID   uuid.UUID   `cbor:"2,keyasint"`
	First   uint64      `cbor:"3,keyasint"` // the first seq that was indexed
	At      events.Head `cbor:"4,keyasint"` // the last one; First-1: none yet
	Offset  int64       `cbor:"5,keyasint"` // of its frame in the segment
	Rows    rowCounts   `cbor:"6,keyasint"`
}

// rowCounts are how many rows there are in the buckets where a row that is missing
// would be a wrong answer. That none of them is missing is checked when one is not
// found, see [Index.absent].
type rowCounts struct {
	Entities uint64 `cbor:"1,keyasint"`
	Names    uint64 `cbor:"2,keyasint"`
	Causes   uint64 `cbor:"3,keyasint"`
}

func (c *rowCounts) of(bucket []byte) *uint64 {
	switch string(bucket) {
	case string(bucketEntities):
		return &c.Entities
	case string(bucketNames):
		return &c.Names
	}
	return &c.Causes
}

// nameRow lists all that have had a name.
type nameRow struct {
	Entities [][]byte `cbor:"1,keyasint"` // keys
}

// entityRow is what the index keeps of an entity.
type entityRow struct {
	Name  string `cbor:"1,keyasint,omitempty"`
	From  uint64 `cbor:"2,keyasint"`           // seq of its first event
	To    uint64 `cbor:"3,keyasint,omitempty"` // seq that deleted it; 0: none did
	Begun bool   `cbor:"4,keyasint,omitempty"` // its first event created it
	Count uint64 `cbor:"5,keyasint"`           // of rows in the bucket of events
	fresh bool   // it is not in the file yet
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func seal(k, v []byte) []byte {
	sum := crc32.Update(crc32.Checksum(k, castagnoli), castagnoli, v)
	return binary.BigEndian.AppendUint32(v, sum)
}

// unseal checks a value, and returns it without its checksum.
func unseal(k, v []byte) ([]byte, error) {
	n := len(v) - crc32.Size
	if n < 0 || crc32.Update(crc32.Checksum(k, castagnoli), castagnoli, v[:n]) != binary.BigEndian.Uint32(v[n:]) {
		return nil, damaged("the row %x has a wrong checksum", k)
	}
	return v[:n], nil
}

func put(tx *bbolt.Tx, bucket, k, v []byte) error {
	return tx.Bucket(bucket).Put(k, seal(k, v))
}

func putValue(tx *bbolt.Tx, bucket, k []byte, row any) error {
	v, err := events.Marshal(row)
	if err != nil {
		return err
	}
	return put(tx, bucket, k, v)
}

// getValue reads a row, and reports whether it is there.
func getValue(tx *bbolt.Tx, bucket, k []byte, row any) (bool, error) {
	v := tx.Bucket(bucket).Get(k)
	if v == nil {
		return false, nil
	}
	v, err := unseal(k, v)
	if err == nil && events.Unmarshal(v, row) != nil {
		err = damaged("the row %x can't be read", k)
	}
	return true, err
}

// Hit is an event of an entity, and where to read it.
type Hit struct {
	events.Position
	Offset  int64 // of the record's frame in its segment
	Type    events.Type
	Derived bool
	// Hints, so that events of other partitions and segments need not be read.
	Partition int32  // NoPartition: of the entity as a whole
	Segment   uint32 // SegmentHint of the one that it is about, 0: none, AnySegment: several

	number uint64 // of the entity's events, from 1
}

// Hints of a [Hit].
const (
	NoPartition int32  = -1
	AnySegment  uint32 = 1
)

// SegmentHint is the hint for a segment's id.
func SegmentHint(id string) uint32 {
	return crc32.Checksum([]byte(id), castagnoli) | 2 // neither 0 nor AnySegment
}

func (h *Hit) encode() []byte {
	v := binary.AppendUvarint(make([]byte, 0, 32), h.number)
	v = binary.AppendUvarint(v, uint64(h.Offset))
	typed := uint64(h.Type) << 1
	if h.Derived {
		typed |= 1
	}
	v = binary.AppendUvarint(v, typed)
	v = binary.AppendUvarint(v, uint64(h.Partition-NoPartition))
	return binary.AppendUvarint(v, uint64(h.Segment))
}

func decodeHit(k, v []byte) (h Hit, err error) {
	if v, err = unseal(k, v); err != nil {
		return h, err
	}
	var n [5]uint64
	for i := range n {
		var size int
		if n[i], size = binary.Uvarint(v); size <= 0 {
			return h, damaged("the row %x can't be read", k)
		}
		v = v[size:]
	}
	return Hit{
		Position: positionOf(k[len(k)-positionBytes:]),
		number:   n[0], Offset: int64(n[1]),
		Type: events.Type(n[2] >> 1), Derived: n[2]&1 != 0,
		Partition: int32(n[3]) + NoPartition, Segment: uint32(n[4]),
	}, nil
}
