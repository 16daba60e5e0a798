package eventlog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/metalog/metalog/events"
)

// The last segment is filled with zeros ahead of its records while it is written to, never
// beyond where the next segment begins, and has none after a clean close.
func TestFilledAhead(t *testing.T) {
	t.Parallel()
	const segmentSize = 200 << 10
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), Options{SegmentSize: segmentSize, MinFreeBytes: -1})
	sizes := make(map[int64]bool)
	for f.Head().Seq < 4000 {
		mustAppend(t, f, 7)
		st := f.state.Load()
		for _, first := range st.segs[:len(st.segs)-1] {
			if data := readFile(t, segmentPath(f.dir, first)); data[len(data)-1] == 0 && data[len(data)-2] == 0 {
				t.Fatalf("segment %d ends with zeros", first)
			}
		}
		data := readFile(t, segmentPath(f.dir, st.lastSegment()))
		if !blank(data[st.tail:]) || int64(len(data)) > max(st.tail, segmentSize) {
			t.Fatalf("segment %d has %d bytes, %d of them written", st.lastSegment(), len(data), st.tail)
		}
		sizes[int64(len(data))] = true
	}
	if segs := len(f.state.Load().segs); segs < 3 || len(sizes) > 12*segs {
		t.Errorf("%d segments had %d sizes: the zeros are not used", segs, len(sizes))
	}
	st := f.state.Load()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if size := len(readFile(t, segmentPath(f.dir, st.lastSegment()))); int64(size) != st.tail {
		t.Errorf("closed with %d bytes, %d of them written", size, st.tail)
	}
	checkUsable(t, mustOpen(t, f.dir, Options{SegmentSize: segmentSize, MinFreeBytes: -1}))
}

// A crash leaves the zeros there. They are nothing that was written: wherever the last
// group ends, as much of it stays as without them.
func TestTornTailBeforeZeros(t *testing.T) {
	t.Parallel()
	fx, base := makeLog(t, oneSegment, 3, 2), t.TempDir()
	whole := readFile(t, fx.segment(fx.dir, 1))
	zeros := make([]byte, 1000)
	for size := fx.at(fx.lastGroup()).Offset; size <= int64(len(whole)); size++ {
		dir := emptyDir(t, base)
		data := append(bytes.Clone(whole[:size]), zeros...)
		writeFile(t, fx.segment(dir, 1), data)
		kept := 0
		for kept < len(fx.frames) && bytes.HasPrefix(data, whole[:fx.frames[kept].end()]) {
			kept++
		}
		f := mustOpen(t, dir, quickOptions())
		checkFrames(t, f, fx.frames[:kept])
		if cut := data[f.state.Load().tail:]; blank(cut) {
			checkCut(t, f, nil, 0)
		} else {
			checkCut(t, f, cut, uint64(kept)+1)
		}
		abandon(t, f)
	}
}

// The crash comes when a segment has begun and nothing is in it but zeros.
func TestSegmentOfZeros(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 3, 12)
	dir := fx.copyLog(t)
	writeFile(t, segmentPath(dir, fx.last().Seq+1), make([]byte, smallSegments))
	if err := lastError(t, dir); err != nil {
		t.Errorf("scan: %v", err)
	}
	f := mustOpen(t, dir, options())
	checkFrames(t, f, fx.frames)
	checkCut(t, f, nil, 0)
	checkUsable(t, f)
}

// Filling ahead fails: nothing was appended, and the log stops.
func TestFillFails(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	d := &faults{}
	o := options()
	o.disk = d
	f := mustOpen(t, dir, o)
	d.fail = map[string]error{"fill": syscall.ENOSPC}
	if err := f.Append(group(t, f.Head(), 2)); !errors.Is(err, events.ErrUnavailable) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("append: %v", err)
	}
	checkStopped(t, f, events.Head{})
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	checkUsable(t, mustOpen(t, dir, options()))
}

// Closing can't take the zeros away: it was no clean close, and the next opening repairs.
func TestCutAheadFails(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	d := &faults{fail: map[string]error{"truncate": syscall.EIO}}
	o := options()
	o.disk = d
	f := mustOpen(t, dir, o)
	mustAppend(t, f, 3)
	if err := f.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("close: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, cleanFile)); err == nil {
		t.Error("a clean close was noted")
	}
	again := mustOpen(t, dir, options())
	if again.Recovery().Clean || again.Head().Seq != 3 {
		t.Errorf("%+v", again.Recovery())
	}
	checkUsable(t, again)
}
