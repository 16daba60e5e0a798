package eventlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/metalog/metalog/events"
)

// The header of a frame (doc.go has the table).
const (
	magic         = "\xf5ml" // 0xf5 occurs in no UTF-8 text
	formatVersion = 1

	versionAt   = 3
	lengthAt    = 4
	checksumAt  = 8
	groupAt     = 12
	headerBytes = 20

	maxFrameBytes = headerBytes + events.MaxRecordBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Frame is one record as it stands in the log, in the archive, and on its way
// to a replica: exactly the same bytes in all of them.
type Frame struct {
	Seq   uint64      // of the record
	Group uint64      // the first seq of the group that the record was appended in
	Time  events.Time // of the record
	Prev  events.Hash // of the frame before; zero for seq 1
	Hash  events.Hash // SHA-256 of Bytes
	Bytes []byte      // header and encoded record
}

// Record decodes the record in the frame.
func (f Frame) Record() (*events.Record, error) { return f.decoded(events.DecodeRecord) }

// RecordBy is Record for who decodes many.
func (f Frame) RecordBy(d *events.Decoder) (*events.Record, error) { return f.decoded(d.Decode) }

func (f Frame) decoded(decode func([]byte) (*events.Record, error)) (*events.Record, error) {
	rec, err := decode(f.Encoded())
	if err == nil {
		rec.Hash = f.Hash
	}
	return rec, err
}

// Encoded gives the record's bytes, which the frame keeps.
func (f Frame) Encoded() []byte { return f.Bytes[headerBytes:] }

// ParseFrame checks that b is a whole frame and gives its parts. That it follows
// another frame is the caller's to check, by Seq and Prev. The frame keeps b.
func ParseFrame(b []byte) (Frame, error) {
	f, d := parseFrame(b)
	if d != nil {
		return Frame{}, events.Errorf(events.CodeCorrupt, "log frame: %s", d.reason)
	}
	return f, nil
}

// CutFrame gives the frame that b begins with, checked as ParseFrame does, and
// what follows it. Frames back to back need nothing between them: each header
// tells its length.
func CutFrame(b []byte) (f Frame, rest []byte, err error) {
	size, d := frameSize(b)
	if d == nil && size > len(b) {
		d = torn("the frame's header tells of %d bytes, %d are there", size, len(b))
	}
	if d != nil {
		return Frame{}, nil, events.Errorf(events.CodeCorrupt, "log frame: %s", d.reason)
	}
	f, err = ParseFrame(b[:size:size])
	return f, b[size:], err
}

// defect tells what is wrong with the bytes where a frame should be.
type defect struct {
	reason string
	// intact: the bytes are as somebody wrote them, only they don't belong here
	// or mean nothing. No crash leaves that behind, so it is never cut.
	intact bool
}

func torn(format string, args ...any) *defect {
	return &defect{reason: fmt.Sprintf(format, args...)}
}

func intact(format string, args ...any) *defect {
	return &defect{reason: fmt.Sprintf(format, args...), intact: true}
}

// parseFrame is ParseFrame for callers who want to know what is wrong.
func parseFrame(b []byte) (Frame, *defect) {
	size, d := frameSize(b)
	switch {
	case d != nil:
		return Frame{}, d
	case size != len(b):
		return Frame{}, torn("the frame's header tells of %d bytes, its entry of %d", size, len(b))
	case checksum(b) != binary.BigEndian.Uint32(b[checksumAt:]):
		return Frame{}, torn("the checksum does not match")
	case b[versionAt] != formatVersion:
		return Frame{}, intact("frame format version %d is not known (newest: %d); a newer metalog wrote it", b[versionAt], formatVersion)
	}
	f := Frame{Group: binary.BigEndian.Uint64(b[groupAt:]), Bytes: b}
	var err error
	if f.Seq, f.Time, f.Prev, err = events.PeekRecord(b[headerBytes:]); err != nil {
		return Frame{}, intact("%v", err)
	}
	if f.Group == 0 || f.Group > f.Seq {
		return Frame{}, intact("seq %d is in a group that begins at %d", f.Seq, f.Group)
	}
	f.Hash = sha256.Sum256(b)
	return f, nil
}

// frameSize gives the size that the header at the start of b tells.
func frameSize(b []byte) (int, *defect) {
	if len(b) < headerBytes {
		return 0, torn("%d bytes are too few for a frame", len(b))
	}
	if string(b[:len(magic)]) != magic {
		return 0, torn("no frame begins here")
	}
	length := binary.BigEndian.Uint32(b[lengthAt:])
	if length > events.MaxRecordBytes {
		return 0, torn("a record of %d bytes is over the limit of %d", length, events.MaxRecordBytes)
	}
	return headerBytes + int(length), nil
}

// checksum covers the whole frame but the field that holds it.
func checksum(frame []byte) uint32 {
	crc := crc32.Checksum(frame[:checksumAt], castagnoli)
	return crc32.Update(crc, castagnoli, frame[groupAt:])
}

// putHeader fills in the header of a frame whose body is already there.
func putHeader(frame []byte, group uint64) {
	copy(frame, magic)
	frame[versionAt] = formatVersion
	binary.BigEndian.PutUint32(frame[lengthAt:], uint32(len(frame)-headerBytes))
	binary.BigEndian.PutUint64(frame[groupAt:], group)
	binary.BigEndian.PutUint32(frame[checksumAt:], checksum(frame))
}

// entrySize is what a frame takes in a segment file: tidwall/wal puts its length
// before it, as a uvarint.
func entrySize(frameBytes int) int64 {
	var length [binary.MaxVarintLen64]byte
	return int64(binary.PutUvarint(length[:], uint64(frameBytes)) + frameBytes)
}

// splitEntry finds the frame of the entry that b begins with. size is that of
// the whole entry; when it is larger than len(b), more bytes are needed.
func splitEntry(b []byte) (frame []byte, size int, d *defect) {
	length, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return nil, len(b) + 1, nil
	case n < 0 || length < headerBytes || length > maxFrameBytes:
		return nil, 0, torn("no entry has a length like this (%d bytes)", length)
	}
	if size = n + int(length); size > len(b) {
		return nil, size, nil
	}
	return b[n:size], size, nil
}

// wholeFrames calls found for each whole frame in b, wherever it begins, and
// whatever stands between them. Frames inside a whole frame don't count.
func wholeFrames(b []byte, found func(frame []byte)) {
	for {
		at := bytes.Index(b, []byte(magic))
		if at < 0 {
			return
		}
		b = b[at:]
		size, d := frameSize(b)
		if d != nil || size > len(b) || checksum(b[:size]) != binary.BigEndian.Uint32(b[checksumAt:]) {
			b = b[len(magic):]
			continue
		}
		found(b[:size])
		b = b[size:]
	}
}

// groupOf gives the group of a whole frame, of any format version.
func groupOf(frame []byte) uint64 { return binary.BigEndian.Uint64(frame[groupAt:]) }
