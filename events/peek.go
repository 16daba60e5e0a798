package events

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/google/uuid"
)

// PeekRecord reads the fixed beginning of a record's envelope, so that a log can
// be scanned quickly and whatever event types it holds. What follows it is left
// to DecodeRecord.
func PeekRecord(data []byte) (seq uint64, t Time, prev Hash, err error) {
	p := peeker{data: data}
	return p.envelope()
}

// envelopeFields is how many items a record's array has.
const envelopeFields = 6

// envelope reads up to and including the previous record's hash.
func (p *peeker) envelope() (seq uint64, t Time, prev Hash, err error) {
	fields := p.head(cborArray)
	version := p.head(cborUint)
	seq = p.head(cborUint)
	t = Time(p.head(cborUint))
	size := p.head(cborBytes)
	switch {
	case p.bad || fields != envelopeFields || t < 0 || size != uint64(len(prev)) || p.left() < len(prev) || seq == 0:
		err = Errorf(CodeCorrupt, "not a record")
	case version != recordVersion:
		err = Errorf(CodeCorrupt, "record version %d is not known (newest: %d); a newer metalog wrote it", version, recordVersion)
	}
	if err != nil {
		return 0, 0, Hash{}, err
	}
	prev = Hash(p.data[p.at : p.at+len(prev)])
	p.at += len(prev)
	return seq, t, prev, nil
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

// peeker reads CBOR items one after the other.
type peeker struct {
	data []byte
	at   int  // what is read next
	bad  bool // something did not fit; what was read since means nothing
}

// left is how many bytes are still to be read.
func (p *peeker) left() int { return len(p.data) - p.at }

// head reads an item's head, which must be of the major type, and returns its
// argument.
func (p *peeker) head(major byte) uint64 {
	if p.bad || p.at >= len(p.data) || p.data[p.at]>>5 != major {
		p.bad = true
		return 0
	}
	info := p.data[p.at] & 0x1f
	p.at++
	if info < 24 {
		return uint64(info)
	}
	return p.argument(info)
}

// argument reads an argument of 1, 2, 4 or 8 bytes, which must be the fewest
// that hold it: there is one encoding of a record.
func (p *peeker) argument(info byte) (n uint64) {
	size := 1 << (info - 24)
	if info > 27 || p.left() < size {
		p.bad = true
		return 0
	}
	var least uint64
	switch b := p.data[p.at:]; size {
	case 1:
		n, least = uint64(b[0]), 24
	case 2:
		n, least = uint64(binary.BigEndian.Uint16(b)), 1<<8
	case 4:
		n, least = uint64(binary.BigEndian.Uint32(b)), 1<<16
	default:
		n, least = binary.BigEndian.Uint64(b), 1<<32
	}
	p.at += size
	p.bad = n < least
	return n
}

// key reads a map's key, a number below 24, which must be k.
func (p *peeker) key(k byte) {
	if p.bad || p.at >= len(p.data) || p.data[p.at] != k {
		p.bad = true
		return
	}
	p.at++
}

// int reads a number from least to most.
func (p *peeker) int(least, most int64) int64 {
	major := byte(cborUint)
	if p.at < len(p.data) && p.data[p.at]>>5 == cborNegative {
		major = cborNegative
	}
	argument := p.head(major)
	n := int64(argument)
	if major == cborNegative {
		n = -1 - n
	}
	if argument > math.MaxInt64 || n < least || n > most {
		p.bad = true
		return 0
	}
	return n
}

func (p *peeker) int32() int32 { return int32(p.int(math.MinInt32, math.MaxInt32)) }
func (p *peeker) int64() int64 { return p.int(math.MinInt64, math.MaxInt64) }

// string reads a byte string or a text, and returns its bytes, which stay in the
// record's.
func (p *peeker) string(major byte) []byte {
	size := p.head(major)
	if p.bad || size > uint64(p.left()) {
		p.bad = true
		return nil
	}
	p.at += int(size)
	return p.data[p.at-int(size) : p.at]
}

// text reads a text, and checks that it is valid.
func (p *peeker) text() []byte {
	b := p.string(cborText)
	if !utf8.Valid(b) {
		p.bad = true
	}
	return b
}

func (p *peeker) uuid() (id uuid.UUID) {
	if b := p.string(cborBytes); len(b) == len(id) {
		return uuid.UUID(b)
	}
	p.bad = true
	return id
}

func (p *peeker) position() *Position {
	if p.head(cborArray) != 2 {
		p.bad = true
	}
	return &Position{Seq: p.head(cborUint), Index: int(p.int(0, math.MaxInt32))}
}

func (p *peeker) skipField(key byte) {
	p.key(key)
	p.skip()
}

// item returns the bytes of the next item, whatever it is.
func (p *peeker) item() []byte {
	before := p.at
	p.skip()
	return p.data[before:p.at]
}

// skip reads over the next item, whatever it is. Items in it are counted rather
// than recursed into.
func (p *peeker) skip() {
	for left := uint64(1); left > 0 && !p.bad; left-- {
		if p.left() == 0 {
			p.bad = true
			return
		}
		switch major := p.data[p.at] >> 5; major {
		case cborUint, cborNegative:
			p.head(major)
		case cborBytes, cborText:
			p.skipBytes(p.head(major))
		case cborArray:
			left += p.head(major)
		case cborMap:
			left += 2 * p.head(major)
		default:
			p.skipSimple()
		}
	}
}

func (p *peeker) skipBytes(n uint64) {
	if n > uint64(p.left()) {
		p.bad = true
		return
	}
	p.at += int(n)
}

// skipSimple reads over true, false, null or a float. There are no tags.
func (p *peeker) skipSimple() {
	info := p.data[p.at] & 0x1f
	size := uint64(1)
	if info >= 24 {
		size += 1 << (info - 24)
	}
	if p.data[p.at]>>5 != cborSimple || info > 27 {
		p.bad = true
		return
	}
	p.skipBytes(size)
}
