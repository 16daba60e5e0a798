package eventlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"

	"github.com/metalog/metalog/events"
)

const (
	firstBlock = 4 << 10   // enough for most single frames
	scanBlock  = 256 << 10 // for reading on and on

	checkEvery = 1024 // frames between looks at a context

	wholeFile = -1             // a size
	noEnd     = math.MaxUint64 // a seq
)

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// chain is where a reader of frames stands: just behind a frame.
type chain struct {
	events.Head
	group  uint64 // of that frame; 0 when not known
	linked bool   // Head.Hash is known
}

// link checks that f is the next frame, and steps behind it.
func (c *chain) link(f Frame) *defect {
	switch {
	case f.Seq < c.Seq+1:
		return torn("a copy of seq %d stands here", f.Seq)
	case f.Seq > c.Seq+1:
		return torn("seq %d stands here", f.Seq)
	case c.linked && f.Prev != c.Hash:
		return intact("the record was made after another seq %d than the one that stands before it", c.Seq)
	case c.group != 0 && f.Group != c.group && f.Group != f.Seq:
		return intact("the record is in group %d, the one before it in group %d", f.Group, c.group)
	}
	*c = chain{Head: events.Head{Seq: f.Seq, Hash: f.Hash}, group: f.Group, linked: true}
	return nil
}

// Located is a frame and where it stands.
type Located struct {
	Frame
	Segment string // file name in the log directory, or in the archive
	Offset  int64  // of the frame's entry in the segment file, in bytes
}

// scanner reads frames in order from segment files, and checks each. It opens
// files of its own and shares nothing, so that any number may run beside each
// other and beside an append. Its maker closes it.
type scanner struct {
	dir   string
	segs  []uint64 // first seqs; the scan begins in the first of them
	chain chain    // stands before the next frame
	off   int64    // offset of the next entry in segs[at]
	tail  int64    // bytes of the last segment that may be read, or wholeFile
	block int      // how much to read at once
	use   frameUse // of what it yields

	at   int      // index in segs
	name string   // of segs[at]
	file *os.File // segs[at], or nil if not open
	left int64    // bytes of it that are not yet in buf
	buf  []byte   // what was read, from off on; frames in it are the caller's, see use
	used []byte   // the whole block that buf is the end of
}

// frameUse is what becomes of the frames that a scanner yields.
type frameUse bool

const (
	scanToKeep frameUse = false // they are the caller's, for ever
	scanOnce   frameUse = true  // they are good until the next one is asked for
)

// next gives the next frame. io.EOF is the end of the last segment; an error
// with a [Damage] means that something else stands at chain.Seq+1. The scanner
// then still tells where: at and off.
func (s *scanner) next() (Located, error) {
	for {
		if s.file == nil {
			if err := s.open(); err != nil {
				return Located{}, err
			}
		}
		if len(s.buf) > 0 || s.left > 0 {
			return s.nextHere()
		}
		if s.at == len(s.segs)-1 {
			return Located{}, io.EOF
		}
		s.close()
		s.at, s.off = s.at+1, 0
	}
}

// open opens the segment that the scan has come to.
func (s *scanner) open() error {
	first := s.segs[s.at]
	if s.off == 0 && first != s.chain.Seq+1 {
		return s.damage(torn("the segment begins with seq %d", first))
	}
	file, err := openToRead(segmentPath(s.dir, first))
	if err != nil {
		return err
	}
	s.file, s.name = file, segmentName(first)
	size := s.tail
	if size == wholeFile || s.at < len(s.segs)-1 {
		if size, err = file.Seek(0, io.SeekEnd); err != nil {
			return err
		}
	}
	s.left = size - s.off
	_, err = file.Seek(s.off, io.SeekStart)
	return err
}

// run yields the frames from seq from to seq last. It returns nil when it has, or
// when the consumer wants no more, and io.EOF if the segments end before.
func (s *scanner) run(ctx context.Context, from, last uint64, yield func(Located, error) bool) error {
	for n := 0; s.chain.Seq < last; n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		at, err := s.next()
		if err != nil {
			return err
		}
		if at.Seq >= from && !yield(at, nil) {
			return nil
		}
	}
	return nil
}

// nextHere gives the next frame of the open segment, which has more bytes.
func (s *scanner) nextHere() (Located, error) {
	b, size, err := s.entry()
	if err != nil {
		return Located{}, err
	}
	f, d := parseFrame(b)
	if d == nil {
		d = s.chain.link(f)
	}
	if d != nil {
		return Located{}, s.damage(d)
	}
	at := Located{Frame: f, Segment: s.name, Offset: s.off}
	s.off += int64(size)
	s.buf = s.buf[size:]
	return at, nil
}

// entry gives the frame of the next entry, reading as much as it takes.
func (s *scanner) entry() (frame []byte, size int, err error) {
	for {
		frame, size, d := splitEntry(s.buf)
		switch {
		case d != nil:
			return nil, 0, s.endOr(d)
		case size <= len(s.buf):
			return frame, size, nil
		case s.left == 0:
			return nil, 0, s.damage(torn("the entry is cut off after %d bytes", len(s.buf)))
		}
		if err := s.fill(size); err != nil {
			return nil, 0, err
		}
	}
}

// fill moves what is left in buf to a new block, as earlier frames keep the old
// one, and reads more: at least want bytes in all, if the segment has them.
func (s *scanner) fill(want int) error {
	size := min(int64(max(want, s.block)), int64(len(s.buf))+s.left)
	block := s.used
	if s.use == scanToKeep || int64(len(block)) < size {
		block = make([]byte, size)
	}
	n := copy(block, s.buf)
	if _, err := io.ReadFull(s.file, block[n:size]); err != nil {
		return events.Errorf(events.CodeUnavailable, "read %s at byte %d: %w", s.file.Name(), s.off, err)
	}
	s.left -= size - int64(n)
	s.buf, s.used = block[:size], block
	return nil
}

// endOr is io.EOF when nothing was ever written from here on, or else the damage d: the
// last segment is filled with zeros ahead of its records while it is written to.
func (s *scanner) endOr(d *defect) error {
	if s.at < len(s.segs)-1 {
		return s.damage(d)
	}
	blank, err := blankFrom(s.file.Name(), s.off)
	switch {
	case err != nil:
		return err
	case !blank:
		return s.damage(d)
	}
	s.buf, s.left = nil, 0
	return io.EOF
}

// blankFrom reports whether a file has nothing but zeros from off on, or nothing.
func blankFrom(path string, off int64) (bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close() //nolint:errcheck // only read
	block := make([]byte, scanBlock)
	for {
		n, err := file.ReadAt(block, off)
		if len(bytes.Trim(block[:n], "\x00")) > 0 {
			return false, nil
		}
		switch off += int64(n); {
		case isEOF(err):
			return true, nil
		case err != nil:
			return false, err
		}
	}
}

func (s *scanner) damage(d *defect) error {
	return &Damage{
		Segment: segmentName(s.segs[s.at]),
		Seq:     s.chain.Seq + 1,
		Offset:  s.off,
		Reason:  d.reason,
		intact:  d.intact,
	}
}

// close closes the open segment, if any. The file was only read, so its error
// tells nothing.
func (s *scanner) close() {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
	s.buf, s.left = nil, 0
}
