package events

import (
	"encoding/binary"

	"github.com/google/uuid"
)

// SplitRecord takes an encoded record apart: what PeekRecord reads, and the rest
// of the bytes. JoinRecord puts them together again.
func SplitRecord(data []byte) (seq uint64, t Time, prev Hash, rest []byte, err error) {
	p := peeker{data: data}
	seq, t, prev, err = p.envelope()
	return seq, t, prev, p.data[p.at:], err
}

// JoinRecord appends an encoded record to dst: there is one encoding, so the bytes
// are those that SplitRecord took apart.
func JoinRecord(dst []byte, seq uint64, t Time, prev Hash, rest []byte) []byte {
	dst = appendHead(dst, cborArray, envelopeFields)
	dst = appendHead(dst, cborUint, recordVersion)
	dst = appendHead(dst, cborUint, seq)
	dst = appendHead(dst, cborUint, uint64(t))
	dst = appendHead(dst, cborBytes, uint64(len(prev)))
	dst = append(dst, prev[:]...)
	return append(dst, rest...)
}

// appendHead appends the head of a CBOR item, in the fewest bytes that hold its
// argument (RFC 8949, 4.2.1).
func appendHead(dst []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

// appendInt appends a whole number.
func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, cborNegative, uint64(-1-n))
	}
	return appendHead(dst, cborUint, uint64(n))
}

func appendText(dst []byte, s string) []byte {
	return append(appendHead(dst, cborText, uint64(len(s))), s...)
}

func appendUUID(dst []byte, id uuid.UUID) []byte {
	return append(appendHead(dst, cborBytes, uint64(len(id))), id[:]...)
}

// JoinedSize is the size of what JoinRecord appends.
func JoinedSize(seq uint64, t Time, rest []byte) int {
	return headSize(envelopeFields) + headSize(recordVersion) + headSize(seq) + headSize(uint64(t)) + headSize(uint64(len(Hash{}))) + len(Hash{}) + len(rest)
}

func headSize(n uint64) int {
	switch {
	case n < 24:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	case n < 1<<32:
		return 5
	}
	return 9
}
