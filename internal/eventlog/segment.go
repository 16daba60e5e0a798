package eventlog

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/metalog/metalog/events"
)

// segmentDigits is the length of a segment file's name: its first seq in
// decimal, as tidwall/wal names it.
const segmentDigits = 20

func segmentName(first uint64) string { return fmt.Sprintf("%0*d", segmentDigits, first) }

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, segmentName(first))
}

// parseSegmentName gives the seq that name begins with, and what follows it.
func parseSegmentName(name string) (first uint64, rest string, ok bool) {
	if len(name) < segmentDigits {
		return 0, "", false
	}
	first, err := strconv.ParseUint(name[:segmentDigits], 10, 64)
	return first, name[segmentDigits:], err == nil && first > 0
}

// listing is what a log directory holds, as far as it concerns the log.
type listing struct {
	segs    []uint64 // first seqs of the segments, ascending
	temps   []string // names of files that a crash left unfinished
	foreign []string // names of files that wal would take for its own, and act upon
}

// list reads a log directory. Files that neither metalog nor wal would touch are
// left out.
func list(dir string) (listing, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return listing{}, err
	}
	var l listing
	for _, e := range entries {
		l.add(e)
	}
	slices.Sort(l.segs)
	return l, nil
}

func (l *listing) add(e fs.DirEntry) {
	name := e.Name()
	first, rest, ok := parseSegmentName(name)
	switch {
	case e.IsDir():
	case filepath.Ext(name) == tempSuffix:
		l.temps = append(l.temps, name)
	case !ok:
	case rest == "":
		l.segs = append(l.segs, first)
	case rest == ".START" || rest == ".END" || filepath.Ext(rest) == ".TEMP":
		l.foreign = append(l.foreign, name)
	}
}

// segmentOf gives the index in segs of the segment that seq is in, or would be
// if there were no holes.
func segmentOf(segs []uint64, seq uint64) int {
	i, found := slices.BinarySearch(segs, seq)
	if found || i == 0 {
		return i
	}
	return i - 1
}

// firstFrame reads the first frame of a segment. ok is false if there is no
// whole frame of the right seq.
func firstFrame(dir string, first uint64) (f Frame, ok bool, err error) {
	s := scanner{dir: dir, segs: []uint64{first}, chain: chain{Head: events.Head{Seq: first - 1}}, tail: wholeFile, block: firstBlock}
	defer s.close()
	at, err := s.next()
	if _, damaged := damageOf(err); damaged || isEOF(err) {
		return Frame{}, false, nil
	}
	return at.Frame, err == nil, err
}

// endsWith reports whether the last entry of a segment is the frame of head. It
// reads the end of the file only.
//
// Where that entry begins is not known, so it tries each place that looks like
// the start of a frame which ends at the file's end, from the back. Only the
// frame itself has the hash, whatever its payload looks like.
func endsWith(dir string, first uint64, head events.Head) (bool, error) {
	file, err := os.Open(segmentPath(dir, first))
	if err != nil {
		return false, err
	}
	defer file.Close() //nolint:errcheck // only read
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	for size := int64(firstBlock); ; size *= 16 {
		size = min(size, info.Size())
		tail := make([]byte, size)
		if _, err := file.ReadAt(tail, info.Size()-size); err != nil {
			return false, err
		}
		if endsWithFrame(tail, head) {
			return true, nil
		}
		if size == info.Size() || size > maxFrameBytes {
			return false, nil
		}
	}
}

func endsWithFrame(tail []byte, head events.Head) bool {
	for end := len(tail); ; {
		at := bytes.LastIndex(tail[:end], []byte(magic))
		if at < 0 {
			return false
		}
		if size, d := frameSize(tail[at:]); d == nil && at+size == len(tail) {
			f, d := parseFrame(tail[at:])
			if d == nil && f.Hash == head.Hash && f.Seq == head.Seq {
				return true
			}
		}
		end = at
	}
}
