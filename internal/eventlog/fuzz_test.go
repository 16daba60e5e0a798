package eventlog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/metalog/metalog/events"
)

// FuzzFrameScan reads any bytes as a log. What it yields must be a chain of
// frames that stand where it says.
func FuzzFrameScan(f *testing.F) {
	fx := makeLog(f, oneSegment, 2, 3)
	whole := readFile(f, fx.segment(fx.dir, 1))
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(append(bytes.Clone(whole), make([]byte, 64)...))
	f.Add(whole[fx.at(2).Offset:])
	f.Add([]byte(magic + "\x01\xff\xff\xff\xff"))
	f.Add(bytes.Repeat([]byte{0xff}, 32))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		writeFile(t, segmentPath(dir, 1), data)
		prev := Located{}
		for at, err := range Scan(t.Context(), dir, 0) {
			if err != nil {
				if !errors.Is(err, events.ErrCorrupt) {
					t.Fatalf("not ErrCorrupt: %v", err)
				}
				break
			}
			if at.Seq != prev.Seq+1 || at.Prev != prev.Hash || !bytes.HasSuffix(data[:at.end()], at.Bytes) {
				t.Fatalf("seq %d at byte %d follows seq %d", at.Seq, at.Offset, prev.Seq)
			}
			prev = at
		}
	})
}

// FuzzTailRepair damages a log of two segments in any way behind a point, and
// opens it. A log that opens has all that the witness tells of, begins as it was
// written, and nothing of its bytes is lost; one that does not is left alone.
func FuzzTailRepair(f *testing.F) {
	fx := makeLog(f, smallSegments, 2, 3, 1, 4)
	whole := segmentBytes(f, fx.dir)
	files, err := list(fx.dir)
	if err != nil {
		f.Fatal(err)
	}
	border := len(readFile(f, segmentPath(fx.dir, 1)))
	if len(files.segs) != 2 {
		f.Fatalf("%d segments", len(files.segs))
	}
	f.Add(uint16(len(whole)), []byte{}, uint64(10))
	f.Add(uint16(len(whole)-1), []byte{}, uint64(0))
	f.Add(uint16(len(whole)), make([]byte, 99), uint64(10))
	f.Add(uint16(border+10), []byte("garbage"), uint64(6))
	f.Add(uint16(border), whole[:border], uint64(0))
	f.Add(uint16(border-20), whole[border:], uint64(3))
	f.Fuzz(func(t *testing.T, keep uint16, tail []byte, witness uint64) {
		data := append(bytes.Clone(whole[:min(int(keep), len(whole))]), tail...)
		dir := filepath.Join(t.TempDir(), "log")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		split := min(border, len(data))
		writeFile(t, segmentPath(dir, 1), data[:split])
		writeFile(t, segmentPath(dir, files.segs[1]), data[split:])
		before := snapshot(t, dir)

		o := quickOptions()
		o.Witness = witness
		log, err := Open(dir, o)
		if err != nil {
			if !errors.Is(err, events.ErrCorrupt) {
				t.Fatalf("not ErrCorrupt: %v", err)
			}
			for path, content := range before {
				if string(readFile(t, path)) != content {
					t.Fatalf("%s was changed by an opening that failed", path)
				}
			}
			return
		}
		defer abandon(t, log)
		if log.Head().Seq < witness {
			t.Fatalf("head %d is below the witness %d", log.Head().Seq, witness)
		}
		intactFrames := 0
		for intactFrames < len(fx.frames) && bytes.HasPrefix(data, throughFrame(whole, fx, border, intactFrames)) {
			intactFrames++
		}
		if got := int(log.Head().Seq); got < intactFrames {
			t.Fatalf("head %d, but %d frames are as they were written", got, intactFrames)
		}
		checkNothingLost(t, log, data)
		if seqs, err := collect(t.Context(), log, 1); err != nil || len(seqs) != int(log.Head().Seq) {
			t.Fatalf("read %d records of %d: %v", len(seqs), log.Head().Seq, err)
		}
	})
}

// throughFrame is the bytes of the log up to the end of frame i.
func throughFrame(whole []byte, fx fixture, border, i int) []byte {
	end := int(fx.frames[i].end())
	if fx.frames[i].Segment != segmentName(1) {
		end += border
	}
	return whole[:end]
}
