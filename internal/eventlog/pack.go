package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/metalog/metalog/events"
)

// A pack is a run of frames without what can be computed from the rest of it:
// sequence numbers, lengths, checksums, and above all the hashes that chain the
// frames, which no compression makes smaller. Unpacking computes them again, so
// it gives the same bytes, or hashes that fit nothing.
//
//	seq of the first frame, uvarint
//	hash of the frame before it, 32 bytes
//	number of frames, uvarint
//	for each frame, as uvarints: bytes of its rest; its seq less its group's;
//	  its time less that of the frame before (of the first one: its time)
//	for each frame its rest: the record behind the hash of the one before
type Packer struct {
	first  uint64
	prev   events.Hash
	last   events.Head // of the last frame added
	time   events.Time
	frames int
	size   int64 // of the entries in a segment
	heads  []byte
	rests  []byte
}

// Add adds the next frame. What was added before, and is not [Packer.Reset], it
// has to follow; the caller has checked that.
func (p *Packer) Add(f Frame) error {
	seq, t, prev, rest, err := events.SplitRecord(f.Encoded())
	if err != nil {
		return err
	}
	if p.frames == 0 {
		p.first, p.prev = seq, prev
	}
	p.heads = binary.AppendUvarint(p.heads, uint64(len(rest)))
	p.heads = binary.AppendUvarint(p.heads, seq-f.Group)
	p.heads = binary.AppendUvarint(p.heads, uint64(t-p.time))
	p.rests = append(p.rests, rest...)
	p.frames, p.time = p.frames+1, t
	p.last = events.Head{Seq: seq, Hash: f.Hash}
	p.size += EntrySize(f)
	return nil
}

// Size is what the frames take in a segment, in bytes.
func (p *Packer) Size() int64 { return p.size }

// AppendTo appends the pack to dst.
func (p *Packer) AppendTo(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, p.first)
	dst = append(dst, p.prev[:]...)
	dst = binary.AppendUvarint(dst, uint64(p.frames))
	dst = append(dst, p.heads...)
	return append(dst, p.rests...)
}

// Reset empties the packer. It keeps the memory.
func (p *Packer) Reset() { *p = Packer{heads: p.heads[:0], rests: p.rests[:0]} }

// Pack is what was unpacked: frames as they stand in a segment.
type Pack struct {
	Frames  []Frame // their Bytes lie in Entries
	Offsets []int64 // of the frames' entries in Entries
	Entries []byte  // as in a segment
}

// Last is the head behind the last frame.
func (p Pack) Last() events.Head {
	last := p.Frames[len(p.Frames)-1]
	return events.Head{Seq: last.Seq, Hash: last.Hash}
}

// Unpack restores a pack whose entries take size bytes in a segment. It is
// ErrCorrupt for bytes that are no pack. That they are the pack which was made is
// for the caller to see, by the hash of the last frame.
func Unpack(b []byte, size int64) (Pack, error) {
	var p Pack
	err := p.Unpack(b, size)
	return p, err
}

// Unpack does as the function does, and uses the memory of the frames that p had.
func (p *Pack) Unpack(b []byte, size int64) error {
	u := unpacking{rest: b, out: slices.Grow(p.Entries[:0], int(size))}
	pack := Pack{Frames: p.Frames[:0], Offsets: p.Offsets[:0]}
	if !u.run(size, &pack) {
		return events.Errorf(events.CodeCorrupt, "the packed frames can't be restored")
	}
	*p = pack
	return nil
}

// unpacking is one run of Unpack.
type unpacking struct {
	rest []byte
	out  []byte // entries
	bad  bool
}

func (u *unpacking) uvarint() uint64 {
	v, n := binary.Uvarint(u.rest)
	if n <= 0 {
		u.bad = true
		return 0
	}
	u.rest = u.rest[n:]
	return v
}

func (u *unpacking) bytes(n uint64) []byte {
	if n > uint64(len(u.rest)) {
		u.bad = true
		return nil
	}
	b := u.rest[:n]
	u.rest = u.rest[n:]
	return b
}

func (u *unpacking) run(size int64, pack *Pack) bool {
	at := events.Head{Seq: u.uvarint() - 1}
	copy(at.Hash[:], u.bytes(uint64(len(at.Hash))))
	frames := u.uvarint()
	if u.bad || frames == 0 || frames > uint64(len(u.rest)) {
		return false
	}
	heads := unpacking{rest: u.rest}
	for range 3 * frames {
		u.uvarint()
	}
	pack.Frames, pack.Offsets = slices.Grow(pack.Frames, int(frames)), slices.Grow(pack.Offsets, int(frames))
	var t events.Time
	for range frames {
		rest := u.bytes(heads.uvarint())
		group := at.Seq + 1 - heads.uvarint()
		t += events.Time(heads.uvarint())
		if u.bad || heads.bad || len(rest) > events.MaxRecordBytes {
			return false
		}
		pack.Offsets = append(pack.Offsets, int64(len(u.out)))
		f, ok := u.frame(at, group, t, rest, size)
		if !ok {
			return false
		}
		pack.Frames = append(pack.Frames, f)
		at = events.Head{Seq: f.Seq, Hash: f.Hash}
	}
	pack.Entries = u.out
	return len(u.rest) == 0 && int64(len(u.out)) == size
}

// frame restores the frame that follows at, behind those that are there. They
// keep the memory: there is no more than was asked for.
func (u *unpacking) frame(at events.Head, group uint64, t events.Time, rest []byte, size int64) (Frame, bool) {
	length := headerBytes + events.JoinedSize(at.Seq+1, t, rest)
	if int64(len(u.out))+entrySize(length) > size {
		return Frame{}, false
	}
	u.out = binary.AppendUvarint(u.out, uint64(length))
	begin := len(u.out)
	var header [headerBytes]byte
	u.out = append(u.out, header[:]...)
	u.out = events.JoinRecord(u.out, at.Seq+1, t, at.Hash, rest)
	b := u.out[begin:len(u.out):len(u.out)]
	putHeader(b, group)
	f := Frame{Seq: at.Seq + 1, Group: group, Time: t, Prev: at.Hash, Hash: sha256.Sum256(b), Bytes: b}
	return f, true
}

// EntrySize is what a frame takes in a segment, in bytes.
func EntrySize(f Frame) int64 { return entrySize(len(f.Bytes)) }

// AppendEntry appends a frame to dst as it stands in a segment: tidwall/wal puts
// its length before it.
func AppendEntry(dst []byte, f Frame) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(f.Bytes))), f.Bytes...)
}
