package replay

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/durable"
	"github.com/metalog/metalog/internal/eventlog"
)

// Segment is the copy of a log segment: its bytes up to a record.
type Segment struct {
	File      string      `json:"file"` // name in the directory of segments
	FirstSeq  uint64      `json:"first_seq"`
	LastSeq   uint64      `json:"last_seq"`
	LastHash  events.Hash `json:"last_hash"` // of the frame of LastSeq
	SizeBytes int64       `json:"size_bytes"`
	SHA256    events.Hash `json:"sha256"` // of the file
}

func (s Segment) contents() contents { return contents{s.SizeBytes, s.SHA256} }

// logCopy copies frames of a log into files of its own in dir, one a segment,
// with the same bytes. Each file appears whole and durable, or not at all.
type logCopy struct {
	dir   string
	name  func(Segment) string // of the file, once it is known what it holds
	after events.Head          // copying begins with the record after this one
	made  []Segment            // finished

	source string // the segment's name in the log; empty: none is open
	open   Segment
	file   *os.File
	out    *bufio.Writer
	sum    *sumWriter
}

const unnamedSegment = "new" + durable.TempSuffix

// copy copies up to head, which must be durable. It checks the frames on the way:
// checksums, seqs, chain.
func (c *logCopy) copy(ctx context.Context, logDir string, head events.Head) error {
	if c.after.Seq < head.Seq {
		if err := c.copyFrames(ctx, logDir, head.Seq); err != nil {
			return errors.Join(err, c.abandon())
		}
	}
	if c.after != head {
		return events.Errorf(events.CodeCorrupt, "%s: copied up to seq %d (%s), and should have come to %d (%s)", logDir, c.after.Seq, c.after.Hash, head.Seq, head.Hash)
	}
	return nil
}

func (c *logCopy) copyFrames(ctx context.Context, logDir string, last uint64) error {
	for at, err := range eventlog.Scan(ctx, logDir, c.after.Seq+1) {
		if err == nil && at.Segment != c.source {
			err = ctx.Err() // Scan looks only now and then, and small segments take many syncs
		}
		if err == nil {
			err = c.add(at)
		}
		if err != nil {
			return err
		}
		if at.Seq == last {
			break
		}
	}
	return c.finish()
}

func (c *logCopy) add(at eventlog.Located) error {
	if at.Prev != c.after.Hash {
		return events.Errorf(events.CodeCorrupt, "segment %s: seq %d does not follow the record that was copied before it (%s): one of the two was altered; check the log with 'metalog verify'", at.Segment, at.Seq, c.after.Hash)
	}
	if at.Segment != c.source {
		if err := c.finish(); err != nil {
			return err
		}
		if err := c.begin(at); err != nil {
			return err
		}
	}
	if at.Offset != c.sum.size {
		return events.Errorf(events.CodeCorrupt, "segment %s: seq %d stands at byte %d, the copy of what is before it has %d", at.Segment, at.Seq, at.Offset, c.sum.size)
	}
	c.after = events.Head{Seq: at.Seq, Hash: at.Hash}
	c.open.LastSeq, c.open.LastHash = at.Seq, at.Hash
	return writeEntry(c.sum, at.Bytes)
}

// writeEntry writes a frame as it stands in a segment: its length goes before.
func writeEntry(w io.Writer, frame []byte) error {
	var length [binary.MaxVarintLen64]byte
	if _, err := w.Write(length[:binary.PutUvarint(length[:], uint64(len(frame)))]); err != nil {
		return err
	}
	_, err := w.Write(frame)
	return err
}

func (c *logCopy) begin(at eventlog.Located) (err error) {
	c.file, err = os.OpenFile(filepath.Join(c.dir, unnamedSegment), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	c.source, c.open = at.Segment, Segment{FirstSeq: at.Seq}
	c.out = bufio.NewWriterSize(c.file, 256<<10)
	c.sum = newSumWriter(c.out)
	return nil
}

// finish makes the open file durable and names it.
func (c *logCopy) finish() error {
	if c.source == "" {
		return nil
	}
	c.source = ""
	err := c.out.Flush()
	if err == nil {
		err = c.file.Sync()
	}
	if err := errors.Join(err, c.file.Close()); err != nil {
		return err
	}
	is := c.sum.contents()
	c.open.SizeBytes, c.open.SHA256 = is.size, is.sum
	c.open.File = c.name(c.open)
	c.made = append(c.made, c.open)
	return durable.Rename(filepath.Join(c.dir, unnamedSegment), filepath.Join(c.dir, c.open.File))
}

// abandon closes the open file without making anything of it.
func (c *logCopy) abandon() error {
	if c.source == "" {
		return nil
	}
	c.source = ""
	return c.file.Close()
}
