package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"iter"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

const (
	// blockBytes is how much of a segment a block has at least, but for the last
	// one: what one record costs to read.
	blockBytes = 256 << 10
	// windowBytes is how far back the compression looks; blocks are not longer.
	windowBytes = 512 << 10
)

// fileHeader begins each data file: a frame that programs for zstd skip (RFC 8878,
// 3.1.2), with a name and the format version.
var fileHeader = append(binary.LittleEndian.AppendUint32([]byte{0x50, 0x2a, 0x4d, 0x18}, 8), 'm', 'e', 't', 'a', 'l', 'o', 'g', formatVersion)

var encoders = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(windowBytes), zstd.WithEncoderCRC(true))
	if err != nil {
		panic(err) // wrong options above: no test gets past it
	}
	return e
}}

// segmentWriter makes the file of one segment.
type segmentWriter struct {
	m       Manifest
	types   map[events.Type]uint64
	outline events.Outline // used again
	data    []byte         // the file so far
	packer  eventlog.Packer
	plain   []byte // a pack, used again
	segment hash.Hash
	entries []byte // of the block; used again
	encoder *zstd.Encoder
}

// encodeSegment makes the data file and the manifest of a segment of the log, which
// has to be complete. The log checks the frames.
func encodeSegment(ctx context.Context, log eventlog.Reader, seg eventlog.Segment) (*Manifest, []byte, error) {
	w := &segmentWriter{segment: sha256.New(), types: map[events.Type]uint64{}, encoder: encoders.Get().(*zstd.Encoder)}
	defer encoders.Put(w.encoder)
	w.data = append(w.data, fileHeader...)
	w.m = Manifest{Format: formatVersion, FirstSeq: seg.First}
	for at, err := range log.Located(ctx, seg.First) {
		if err == nil {
			err = w.add(at)
		}
		if err != nil {
			return nil, nil, err
		}
		if at.Seq == seg.Last {
			break
		}
	}
	if w.m.LastSeq != seg.Last {
		return nil, nil, events.Errorf(events.CodeCorrupt, "archive: the segment of seqs %d to %d ends with seq %d; check the log with 'metalog verify'", seg.First, seg.Last, w.m.LastSeq)
	}
	w.finish()
	return &w.m, w.data, nil
}

func (w *segmentWriter) add(at eventlog.Located) error {
	m := &w.m
	if at.Offset != m.SegmentBytes {
		return events.Errorf(events.CodeCorrupt, "archive: segment %s: seq %d stands at byte %d, what is before it has %d; check the log with 'metalog verify'", at.Segment, at.Seq, at.Offset, m.SegmentBytes)
	}
	if at.Seq == m.FirstSeq {
		m.Prev, m.FirstTime = at.Prev, at.Time
	}
	if w.packer.Size() == 0 {
		m.Blocks = append(m.Blocks, Block{FirstSeq: at.Seq, Time: at.Time, Offset: at.Offset, At: int64(len(w.data))})
	}
	if err := w.packer.Add(at.Frame); err != nil {
		return err
	}
	if err := w.outline.Read(at.Encoded()); err != nil {
		return events.Errorf(events.CodeCorrupt, "archive: segment %s, seq %d, byte %d: %w", at.Segment, at.Seq, at.Offset, err)
	}
	for i := range w.outline.Facts {
		w.types[w.outline.Facts[i].Type]++
	}
	w.entries = eventlog.AppendEntry(w.entries, at.Frame)
	m.SegmentBytes += eventlog.EntrySize(at.Frame)
	m.LastSeq, m.LastHash, m.LastTime = at.Seq, at.Hash, at.Time
	if w.packer.Size() >= blockBytes {
		w.endBlock()
	}
	return nil
}

func (w *segmentWriter) endBlock() {
	if w.packer.Size() == 0 {
		return
	}
	w.segment.Write(w.entries) // never fails
	w.entries = w.entries[:0]
	w.plain = w.packer.AppendTo(w.plain[:0])
	w.data = w.encoder.EncodeAll(w.plain, w.data)
	w.packer.Reset()
}

func (w *segmentWriter) finish() {
	w.endBlock()
	m := &w.m
	m.SegmentSHA256 = events.Hash(w.segment.Sum(nil))
	m.FileBytes, m.FileSHA256 = int64(len(w.data)), sha256.Sum256(w.data)
	m.Events = map[string]uint64{}
	for t, n := range w.types {
		m.Events[t.String()] = n
	}
}

// Add archives a segment of the log: it writes the file, reads it back from the
// place, and compares every byte of the segment, then writes the manifest. A file
// that is there already and has the segment stays. The file counts once
// [Archive.Extend] was told of it.
func (a *Archive) Add(ctx context.Context, log eventlog.Reader, seg eventlog.Segment, epoch uint64) (*Manifest, error) {
	m, data, err := encodeSegment(ctx, log, seg)
	if err != nil {
		return nil, err
	}
	m.LogID, m.Epoch, m.CreatedAt = a.State().LogID, epoch, events.TimeOf(a.clock())
	if there, ok := a.there(ctx, m); ok {
		return there, nil
	}
	n := m.name()
	if err := a.place.Put(ctx, n.data(), writing(data)); err != nil {
		return nil, err
	}
	if err := a.check(ctx, m); err != nil {
		return nil, err
	}
	encoded, err := m.encode()
	if err != nil {
		return nil, err
	}
	if err := a.place.Put(ctx, n.manifest(), writing(encoded)); err != nil {
		return nil, err
	}
	back, err := read(ctx, a.place, n.manifest(), 0, -1)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(back, encoded) {
		return nil, events.Errorf(events.CodeCorrupt, "archive %s: %s was read back with another content than was written; check the place", a, n.manifest())
	}
	return m, nil
}

// there returns the manifest of a file that has the same segment as m, if there is a
// good one.
func (a *Archive) there(ctx context.Context, m *Manifest) (*Manifest, bool) {
	a.manifests.remove(m.name())
	old, err := a.manifest(ctx, m.name())
	if err != nil || old.SegmentSHA256 != m.SegmentSHA256 || old.Prev != m.Prev || old.LogID != m.LogID {
		return nil, false
	}
	return old, a.check(ctx, old) == nil
}

// check reads a file back and compares all that its manifest tells of it.
func (a *Archive) check(ctx context.Context, m *Manifest) error {
	for _, err := range a.Checked(ctx, m) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Checked yields the frames of a file, and checks all that the manifest tells of it
// but for the types of the events. The first thing that is wrong ends it. A frame's
// bytes are good until the next one only.
func (a *Archive) Checked(ctx context.Context, m *Manifest) iter.Seq2[eventlog.Located, error] {
	return func(yield func(eventlog.Located, error) bool) {
		data, err := a.read(ctx, m, 0, -1)
		if err != nil {
			yield(eventlog.Located{}, err)
			return
		}
		err = a.checkData(ctx, m, data, yield)
		if sum := sha256.Sum256(data); err == nil && (int64(len(data)) != m.FileBytes || sum != m.FileSHA256) {
			err = a.damaged(m.name(), m.FirstSeq, 0, "the file has %d bytes with SHA-256 %x, and should have %d with %s", len(data), sum, m.FileBytes, m.FileSHA256)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(eventlog.Located{}, err)
		}
	}
}

var errStopped = errors.New("the consumer wants no more")

// checkData restores a file block by block and returns the first damage.
func (a *Archive) checkData(ctx context.Context, m *Manifest, data []byte, yield func(eventlog.Located, error) bool) error {
	c := fileCheck{Archive: a, m: m, at: events.Head{Seq: m.FirstSeq - 1, Hash: m.Prev}, segment: sha256.New()}
	for i, b := range m.Blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		_, end := m.blockEnd(i)
		if end > int64(len(data)) {
			return a.damaged(m.name(), b.FirstSeq, b.Offset, "the file ends too early")
		}
		p, err := c.block(i, data[b.At:end])
		if err != nil {
			return err
		}
		for i := range p.Frames {
			if !yield(p.located(i), nil) {
				return errStopped
			}
		}
	}
	return c.end()
}

// fileCheck checks the blocks of a file in their order.
type fileCheck struct {
	*Archive
	m       *Manifest
	at      events.Head // behind the last block
	time    events.Time
	segment hash.Hash
	used    eventlog.Pack // its memory is used again
}

func (c *fileCheck) block(i int, data []byte) (packed, error) {
	p, err := c.unpack(c.m, i, data, c.used)
	if err != nil {
		return p, err
	}
	c.used = p.Pack
	b, first := c.m.Blocks[i], p.Frames[0]
	if first.Prev != c.at.Hash {
		return p, c.damaged(c.m.name(), b.FirstSeq, b.Offset, "the record was made after another seq %d than the one that stands before it", c.at.Seq)
	}
	if first.Time != b.Time || i == 0 && first.Time != c.m.FirstTime {
		return p, c.damaged(c.m.name(), b.FirstSeq, b.Offset, "the record's time is %s, the manifest says %s", first.Time, b.Time)
	}
	c.at, c.time = p.Last(), p.Frames[len(p.Frames)-1].Time
	c.segment.Write(p.Entries) // never fails
	return p, nil
}

func (c *fileCheck) end() error {
	if c.at != c.m.Head() || c.time != c.m.LastTime || events.Hash(c.segment.Sum(nil)) != c.m.SegmentSHA256 {
		return c.damaged(c.m.name(), c.m.LastSeq, c.m.SegmentBytes, "the file restores to another segment than the one that was archived")
	}
	return nil
}
