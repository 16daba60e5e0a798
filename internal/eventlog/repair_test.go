package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/metalog/metalog/events"
)

const oneSegment = 1 << 20

// The last segment ends at any byte of the last group: what is whole stays, the
// rest is cut and kept.
func TestTornTail(t *testing.T) {
	t.Parallel()
	for name, groups := range map[string][]int{
		"last group of one": {3, 2, 1},
		"last group of two": {2, 2},
		"only group":        {1},
	} {
		t.Run(name, func(t *testing.T) {
			fx, base := makeLog(t, oneSegment, groups...), t.TempDir()
			whole := readFile(t, fx.segment(fx.dir, 1))
			for size := fx.at(fx.lastGroup()).Offset; size < int64(len(whole)); size++ {
				dir := emptyDir(t, base)
				writeFile(t, fx.segment(dir, 1), whole[:size])
				kept := slices.IndexFunc(fx.frames, func(l Located) bool { return l.end() > size })
				f := mustOpen(t, dir, quickOptions())
				checkFrames(t, f, fx.frames[:kept])
				checkCut(t, f, whole[fx.frames[kept].Offset:size], uint64(kept)+1)
				abandon(t, f)
			}
		})
	}
}

func blank(data []byte) bool { return len(bytes.Trim(data, "\x00")) == 0 }

// checkCut checks that opening kept just these bytes aside, and told so.
func checkCut(t *testing.T, f *File, want []byte, firstSeq uint64) {
	t.Helper()
	var got []byte
	for _, c := range f.Recovery().Cuts {
		data := readFile(t, c.File)
		if int64(len(data)) != c.Bytes {
			t.Fatalf("%s has %d bytes, reported were %d", c.File, len(data), c.Bytes)
		}
		got = append(got, data...)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("kept %d cut bytes, want %d", len(got), len(want))
	}
	if len(want) > 0 && f.Recovery().Cuts[0].FirstSeq != firstSeq {
		t.Fatalf("cut begins with seq %d, want %d", f.Recovery().Cuts[0].FirstSeq, firstSeq)
	}
}

// Pages of the last group reached the disk in another order than they were
// written: a bad frame, and good ones of the same group behind it.
func TestPagesOutOfOrder(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, oneSegment, 3, 5)
	for bad := fx.lastGroup(); bad <= fx.last().Seq; bad++ {
		for name, fill := range map[string]byte{"zeros": 0, "garbage": 0xf5} {
			t.Run(fmt.Sprintf("%s at %d", name, bad), func(t *testing.T) {
				dir := fx.copyLog(t)
				path := fx.segment(dir, bad)
				data := readFile(t, path)
				hole := data[fx.at(bad).Offset:fx.at(bad).end()]
				copy(hole, bytes.Repeat([]byte{fill}, len(hole)))
				writeFile(t, path, data)

				f := mustOpen(t, dir, options())
				checkFrames(t, f, fx.frames[:bad-1])
				cut := data[fx.at(bad).Offset:]
				if blank(cut) {
					checkCut(t, f, nil, bad)
					return
				}
				checkCut(t, f, cut, bad)
				if last := f.Recovery().Cuts[0].LastSeq; last != fx.last().Seq {
					t.Errorf("the last seq that is cut is reported as %d, want %d", last, fx.last().Seq)
				}
				checkUsable(t, f)
			})
		}
	}
}

func tails(t *testing.T, fx fixture) map[string][]byte {
	data := readFile(t, fx.segment(fx.dir, 1))
	garbage := make([]byte, 5000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range garbage {
		garbage[i] = byte(rng.Uint32())
	}
	return map[string][]byte{
		"one zero":             {0},
		"zeros":                make([]byte, 4096),
		"garbage":              garbage,
		"copy of all":          data,
		"copy of last frame":   data[fx.last().Offset:],
		"copy of last group":   data[fx.at(fx.lastGroup()).Offset:],
		"copy of first frames": data[:fx.at(3).Offset],
		"copy, not aligned":    data[fx.at(2).Offset+5:],
		"magic only":           []byte(magic),
	}
}

func TestTails(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, oneSegment, 2, 3, 2)
	for name, tail := range tails(t, fx) {
		t.Run(name, func(t *testing.T) {
			dir := fx.copyLog(t)
			path := fx.segment(dir, 1)
			writeFile(t, path, append(readFile(t, path), tail...))
			f := mustOpen(t, dir, options())
			checkFrames(t, f, fx.frames)
			cut := tail
			if blank(cut) {
				cut = nil // nobody wrote it
			}
			checkCut(t, f, cut, fx.last().Seq+1)
			checkUsable(t, f)
		})
		t.Run(name+" after a clean close", func(t *testing.T) {
			dir := fx.copyLog(t)
			closeLog(t, dir, oneSegment)
			path := fx.segment(dir, 1)
			writeFile(t, path, append(readFile(t, path), tail...))
			openDamaged(t, dir, options(), path, fx.last().Seq+1, fx.last().end())
		})
	}
}

// closeLog opens and closes a log, so that its end is a clean one.
func closeLog(t *testing.T, dir string, segmentSize int) {
	t.Helper()
	f, err := Open(dir, Options{SegmentSize: segmentSize, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// openDamaged checks that Open names the place of the damage and changes nothing.
func openDamaged(t *testing.T, dir string, o Options, segment string, seq uint64, offset int64) {
	t.Helper()
	before := snapshot(t, dir)
	_, err := Open(dir, o)
	wantDamage(t, err, filepath.Base(segment), seq, offset)
	if !maps.Equal(snapshot(t, dir), before) {
		t.Fatal("a log that could not be opened was changed")
	}
}

// A bit flips in any byte of any frame. Before the last group that is always
// reported; in the last group it can't be told from an unfinished write, unless
// something durable is known to have been there.
func TestBitFlips(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, oneSegment, 2, 1, 2)
	whole := readFile(t, fx.segment(fx.dir, 1))
	cleanDir := fx.copyLog(t)
	closeLog(t, cleanDir, oneSegment)
	dir := fx.copyLog(t)
	for _, at := range fx.frames {
		for i := at.Offset; i < at.end(); i++ {
			data := bytes.Clone(whole)
			data[i] ^= 1 << (i % 8)
			path := fx.segment(dir, at.Seq)
			writeFile(t, path, data)

			o := options()
			if at.Seq >= fx.lastGroup() {
				o.Witness = fx.last().Seq
			}
			openDamaged(t, dir, o, path, at.Seq, at.Offset)

			cleanPath := fx.segment(cleanDir, at.Seq)
			writeFile(t, cleanPath, data)
			openDamaged(t, cleanDir, options(), cleanPath, at.Seq, at.Offset)
		}
	}
}

func TestBitFlipsInLastGroupWithoutWitness(t *testing.T) {
	t.Parallel()
	fx, base := makeLog(t, oneSegment, 2, 1, 2), t.TempDir()
	whole := readFile(t, fx.segment(fx.dir, 1))
	for _, at := range fx.frames[fx.lastGroup()-1:] {
		for i := at.Offset; i < at.end(); i += 3 {
			dir := emptyDir(t, base)
			data := bytes.Clone(whole)
			data[i] ^= 1 << (i % 8)
			writeFile(t, fx.segment(dir, at.Seq), data)
			o := quickOptions()
			o.Witness = fx.lastGroup() - 1
			f := mustOpen(t, dir, o)
			checkFrames(t, f, fx.frames[:at.Seq-1])
			checkCut(t, f, data[at.Offset:], at.Seq)
		}
	}
}

// In a segment that is not opened frame by frame, reading finds the damage.
func TestBitFlipsInOldSegment(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 4, 4, 4, 4, 4)
	at := fx.at(3)
	if fx.last().Segment == at.Segment || fx.at(fx.lastGroup()).Segment == at.Segment {
		t.Fatal("seq 3 is not in an old segment")
	}
	dir := fx.copyLog(t)
	path := fx.segment(dir, at.Seq)
	whole := readFile(t, path)
	for i := at.Offset; i < at.end(); i++ {
		writeFile(t, path, whole)
		f := mustOpen(t, dir, quickOptions())
		data := bytes.Clone(whole)
		data[i] ^= 1 << (i % 8)
		writeFile(t, path, data)
		seqs, err := collect(t.Context(), f, 1)
		wantDamage(t, err, at.Segment, at.Seq, at.Offset)
		if len(seqs) != int(at.Seq)-1 {
			t.Fatalf("read %d records before the damage", len(seqs))
		}
	}
}

// A frame that was made anew, checksum and all, is no unfinished write.
func TestAlteredFrames(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, oneSegment, 2, 3)
	alter := func(at Located, change func(rec *events.Record), group uint64) []byte {
		rec, err := at.Record()
		if err != nil {
			t.Fatal(err)
		}
		change(rec)
		frame, err := events.AppendRecord(make([]byte, headerBytes), rec)
		if err != nil {
			t.Fatal(err)
		}
		putHeader(frame, group)
		if len(frame) != len(at.Bytes) {
			t.Fatalf("the altered frame has %d bytes, not %d", len(frame), len(at.Bytes))
		}
		return frame
	}
	other := func(rec *events.Record) {
		rec.Facts[0].Event.(*events.ConfigSet).Scope.Of.ID = "ordero"
	}
	last := fx.last().Seq
	body := bytes.Clone(fx.last().Bytes)
	body[headerBytes] ^= 0xff
	putHeader(body, fx.lastGroup())
	newer := bytes.Clone(fx.last().Bytes)
	newer[versionAt]++
	resum(newer)
	tests := map[string]struct {
		seq   uint64
		frame []byte
		want  uint64 // where the damage shows
	}{
		"before the last group":       {1, alter(fx.at(1), other, 1), 2},
		"in the last group":           {4, alter(fx.at(4), other, 3), 5},
		"chained to something":        {last, alter(fx.last(), func(r *events.Record) { r.Prev[0] ^= 1 }, 3), last},
		"in a group gone by":          {last, alter(fx.last(), func(*events.Record) {}, 2), last},
		"in a group to come":          {last, alter(fx.last(), func(*events.Record) {}, last+1), last},
		"no record":                   {last, body, last},
		"of a newer format":           {last, newer, last},
		"of a group that is no group": {last, alter(fx.last(), func(*events.Record) {}, 0), last},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := fx.copyLog(t)
			path := fx.segment(dir, 1)
			data := readFile(t, path)
			at := fx.at(test.seq)
			copy(data[at.end()-int64(len(test.frame)):], test.frame)
			writeFile(t, path, data)
			openDamaged(t, dir, options(), path, test.want, fx.at(test.want).Offset)
		})
	}
}

// resum gives a frame the checksum of what it holds.
func resum(frame []byte) {
	version := frame[versionAt]
	putHeader(frame, groupOf(frame))
	frame[versionAt] = version
	sum := checksum(frame)
	frame[checksumAt], frame[checksumAt+1], frame[checksumAt+2], frame[checksumAt+3] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
}

// Pages that are only in the page cache may be lost after they were read. So the
// tail is in a new, synced file before Open returns, and if that fails so does
// Open.
func TestTailIsMadeDurable(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 5, 3)
	path := fx.segment(fx.dir, fx.last().Seq)
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}

	o := options()
	o.disk = &faults{fail: map[string]error{"replace": errInjected}}
	if _, err := Open(fx.dir, o); !errors.Is(err, errInjected) {
		t.Fatalf("open with a tail that can't be written: %v", err)
	}

	d := &faults{}
	o.disk = d
	f := mustOpen(t, fx.dir, o)
	checkFrames(t, f, fx.frames)
	if !slices.Contains(d.calls, "replace "+filepath.Base(path)) {
		t.Errorf("the last segment was not rewritten: %q", d.calls)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if os.SameFile(before, after) {
		t.Error("the last segment is still the old file")
	}
}

// A group that crosses segments is torn: after any number of whole segments the
// next ends anywhere.
func TestTornGroupAcrossSegments(t *testing.T) {
	t.Parallel()
	fx, base := makeLog(t, smallSegments, 3, 25), t.TempDir()
	files, err := list(fx.dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files.segs) < 4 {
		t.Fatalf("%d segments are too few for this test", len(files.segs))
	}
	for i, first := range files.segs {
		whole := readFile(t, segmentPath(fx.dir, first))
		for size := 0; size <= len(whole); size += 29 {
			kept := slices.IndexFunc(fx.frames, func(l Located) bool {
				return l.Segment == segmentName(first) && l.end() > int64(size)
			})
			if kept < 0 || kept < 3 {
				continue
			}
			dir := emptyDir(t, base)
			for _, earlier := range files.segs[:i] {
				writeFile(t, segmentPath(dir, earlier), readFile(t, segmentPath(fx.dir, earlier)))
			}
			writeFile(t, segmentPath(dir, first), whole[:size])
			f := mustOpen(t, dir, quickOptions())
			checkFrames(t, f, fx.frames[:kept])
			checkCut(t, f, whole[fx.frames[kept].Offset:size], uint64(kept)+1)
		}
	}
}

// Of a group that crosses segments, some segments did not reach the disk, or not
// whole, and later ones did.
func TestSegmentsOfLastGroupLost(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 3, 25)
	files, err := list(fx.dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, first := range files.segs[1 : len(files.segs)-1] {
		next := files.segs[i+2]
		damages := map[string]func(path string) error{
			"missing": os.Remove,
			"empty":   func(path string) error { return os.Truncate(path, 0) },
			"torn":    func(path string) error { return os.Truncate(path, fx.at(first).end()+9) },
			"ends early": func(path string) error {
				return os.Truncate(path, fx.at(next-1).Offset)
			},
		}
		keeps := map[string]uint64{"missing": first - 1, "empty": first - 1, "torn": first, "ends early": next - 2}
		for name, damage := range damages {
			t.Run(fmt.Sprintf("%s %d", name, first), func(t *testing.T) {
				dir := fx.copyLog(t)
				if err := damage(segmentPath(dir, first)); err != nil {
					t.Fatal(err)
				}
				before := segmentBytes(t, dir)
				f := mustOpen(t, dir, options())
				checkFrames(t, f, fx.frames[:keeps[name]])
				checkNothingLost(t, f, before)
				checkUsable(t, f)

				o := options()
				o.Witness = keeps[name] + 1
				dir = fx.copyLog(t)
				if err := damage(segmentPath(dir, first)); err != nil {
					t.Fatal(err)
				}
				if _, err := Open(dir, o); !errors.Is(err, events.ErrCorrupt) {
					t.Errorf("with a witness beyond: %v, want ErrCorrupt", err)
				}
			})
		}
	}
}

// segmentBytes gives the bytes of all segments, in order.
func segmentBytes(t testing.TB, dir string) []byte {
	t.Helper()
	files, err := list(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, first := range files.segs {
		all = append(all, readFile(t, segmentPath(dir, first))...)
	}
	return all
}

// checkNothingLost checks that what is in the log and what was cut make up what
// was there, but for zeros at its end.
func checkNothingLost(t testing.TB, f *File, before []byte) {
	t.Helper()
	now := segmentBytes(t, f.dir)
	for _, c := range f.Recovery().Cuts {
		now = append(now, readFile(t, c.File)...)
	}
	if !bytes.HasPrefix(before, now) || !blank(before[len(now):]) {
		t.Fatalf("kept and cut are %d bytes, there were %d", len(now), len(before))
	}
}

// Repair fails, or the machine stops, at any of its steps: the next opening comes
// to the same log.
func TestRepairInterrupted(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 3, 25)
	files, err := list(fx.dir)
	if err != nil {
		t.Fatal(err)
	}
	lost := files.segs[1]
	for step := 1; ; step++ {
		dir := fx.copyLog(t)
		if err := os.Truncate(segmentPath(dir, lost), 5); err != nil {
			t.Fatal(err)
		}
		o := options()
		o.disk = &failingStep{left: step}
		f, err := Open(dir, o)
		if err != nil && !errors.Is(err, errInjected) {
			t.Fatalf("step %d: %v", step, err)
		}
		if err == nil {
			if step < 5 {
				t.Fatalf("opening took %d steps only", step)
			}
			abandon(t, f)
			return
		}
		again := mustOpen(t, dir, options())
		checkFrames(t, again, fx.frames[:lost-1])
		for _, first := range files.segs[1:] {
			if first <= fx.last().Seq && !keptSomewhere(t, dir, segmentName(first)) {
				t.Errorf("step %d: nothing was kept of segment %d", step, first)
			}
		}
		checkUsable(t, again)
	}
}

func keptSomewhere(t *testing.T, dir, segment string) bool {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, cutDir))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), segment) })
}

// Two tails that are cut at the same place are both kept.
func TestCutsDontReplaceEachOther(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, oneSegment, 2)
	dir := fx.copyLog(t)
	path := fx.segment(dir, 1)
	good := readFile(t, path)
	seen := make(map[string]bool)
	for _, tail := range []string{"one", "another", "one", "third"} {
		writeFile(t, path, append(bytes.Clone(good), tail...))
		f := mustOpen(t, dir, options())
		c := f.Recovery().Cuts[0]
		if got := string(readFile(t, c.File)); got != tail {
			t.Fatalf("%s holds %q, want %q", c.File, got, tail)
		}
		seen[c.File] = true
		abandon(t, f)
	}
	if len(seen) != 3 {
		t.Errorf("cut files: %v, want three", seen)
	}
}

// A witness beyond the end is lost records, whatever the end looks like.
func TestWitnessBeyondEnd(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 5, 3)
	o := options()
	o.Witness = fx.last().Seq + 1
	clean := fx.copyLog(t)
	closeLog(t, clean, smallSegments)
	for name, dir := range map[string]string{"unclean": fx.copyLog(t), "clean": clean, "new": filepath.Join(t.TempDir(), "log")} {
		t.Run(name, func(t *testing.T) {
			if _, err := Open(dir, o); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("got %v, want ErrCorrupt", err)
			}
		})
	}
}

// The last group begins with a segment, and it is that segment's first frame
// that did not reach the disk.
func TestLastGroupBeginsAtBorder(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, 1, 3, 4) // each record fills a segment
	for name, damage := range map[string]func(path string) error{
		"torn":    func(path string) error { return os.Truncate(path, 30) },
		"empty":   func(path string) error { return os.Truncate(path, 0) },
		"zeros":   func(path string) error { return overwrite(path, 2, 0) },
		"missing": os.Remove,
	} {
		t.Run(name, func(t *testing.T) {
			dir := fx.copyLog(t)
			if err := damage(fx.segment(dir, fx.lastGroup())); err != nil {
				t.Fatal(err)
			}
			before := segmentBytes(t, dir)
			f := mustOpen(t, dir, options())
			checkFrames(t, f, fx.frames[:fx.lastGroup()-1])
			checkNothingLost(t, f, before)
			checkUsable(t, f)
		})
	}
}
