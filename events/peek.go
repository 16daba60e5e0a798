package events

import "encoding/binary"

// PeekRecord reads the fixed beginning of a record's envelope, so that a log can
// be scanned quickly and whatever event types it holds. What follows it is left
// to DecodeRecord.
func PeekRecord(data []byte) (seq uint64, t Time, prev Hash, err error) {
	p, seq, t, err := peekEnvelope(data)
	if err != nil {
		return 0, 0, Hash{}, err
	}
	return seq, t, Hash(p.rest[:len(prev)]), nil
}

// envelopeFields is how many items a record's array has.
const envelopeFields = 6

// peekEnvelope reads up to the bytes of the previous hash, which are there.
func peekEnvelope(data []byte) (p peeker, seq uint64, t Time, err error) {
	p = peeker{rest: data}
	fields := p.head(cborArray)
	version := p.head(cborUint)
	seq = p.head(cborUint)
	t = Time(p.head(cborUint))
	size := p.head(cborBytes)
	switch {
	case p.bad || fields != envelopeFields || t < 0 || size != uint64(len(Hash{})) || len(p.rest) < len(Hash{}) || seq == 0:
		err = Errorf(CodeCorrupt, "not a record")
	case version != recordVersion:
		err = Errorf(CodeCorrupt, "record version %d is not known (newest: %d); a newer metalog wrote it", version, recordVersion)
	}
	return p, seq, t, err
}

// The CBOR major types (RFC 8949, 3.1) but for tags, which no record has.
const (
	cborUint     = 0
	cborNegative = 1
	cborBytes    = 2
	cborText     = 3
	cborArray    = 4
	cborMap      = 5
	cborSimple   = 7
)

// peeker reads heads of CBOR items one after the other.
type peeker struct {
	rest []byte
	bad  bool // something did not fit; what was read since means nothing
}

// head reads an item's head, which must be of the major type, and returns its
// argument.
func (p *peeker) head(major byte) uint64 {
	if p.bad || len(p.rest) == 0 || p.rest[0]>>5 != major {
		p.bad = true
		return 0
	}
	info := p.rest[0] & 0x1f
	p.rest = p.rest[1:]
	if info < 24 {
		return uint64(info)
	}
	return p.argument(info)
}

// argument reads an argument of 1, 2, 4 or 8 bytes, which must be the fewest
// that hold it: there is one encoding of a record.
func (p *peeker) argument(info byte) uint64 {
	size := 1 << (info - 24)
	if info > 27 || len(p.rest) < size {
		p.bad = true
		return 0
	}
	var wide [8]byte
	copy(wide[8-size:], p.rest[:size])
	p.rest = p.rest[size:]
	n := binary.BigEndian.Uint64(wide[:])
	least := uint64(24)
	if size > 1 {
		least = 1 << (4 * size)
	}
	p.bad = n < least
	return n
}
