package eventlog

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/metalog/metalog/events"
)

// manySegments is a log of groups of two, three segments and more.
func manySegments(t *testing.T) (fixture, []uint64) {
	t.Helper()
	fx := makeLog(t, smallSegments, slices.Repeat([]int{2}, 20)...)
	files, err := list(fx.dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files.segs) < 5 {
		t.Fatalf("%d segments are too few for this test", len(files.segs))
	}
	return fx, files.segs
}

// Damage of what was durable, which opening must see without reading it all.
func TestSegmentsThatDontJoin(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	second, third := segs[1], segs[2]
	lastOfSecond := fx.at(third - 1)
	path := func(dir string, first uint64) string { return segmentPath(dir, first) }
	tests := map[string]struct {
		damage  func(dir string) error
		segment uint64 // where the damage shows
		seq     uint64
		offset  int64
	}{
		"first missing": {
			func(dir string) error { return os.Remove(path(dir, 1)) }, 1, 1, 0,
		},
		"middle missing": {
			func(dir string) error { return os.Remove(path(dir, second)) }, third, second, 0,
		},
		"middle empty": {
			func(dir string) error { return os.Truncate(path(dir, second), 0) }, second, second, 0,
		},
		"middle without its last record": {
			func(dir string) error { return os.Truncate(path(dir, second), lastOfSecond.Offset) }, third, third - 1, 0,
		},
		"middle cut in its last record": {
			func(dir string) error { return os.Truncate(path(dir, second), lastOfSecond.end()-1) }, second, third - 1, lastOfSecond.Offset,
		},
		"middle with zeros behind": {
			func(dir string) error { return appendTo(path(dir, second), make([]byte, 100)) }, second, third, lastOfSecond.end(),
		},
		"middle with an earlier record behind": {
			func(dir string) error {
				return appendTo(path(dir, second), readFile(t, path(dir, second))[:fx.at(second).end()])
			}, second, third, lastOfSecond.end(),
		},
		"middle renamed": {
			func(dir string) error { return os.Rename(path(dir, third), path(dir, third+1)) }, third + 1, third + 1, 0,
		},
		"first frame of a segment": {
			func(dir string) error { return overwrite(path(dir, third), 10, 'x') }, third, third, 0,
		},
		"two segments changed places": {
			func(dir string) error {
				return errors.Join(
					os.Rename(path(dir, second), path(dir, third)+"x"),
					os.Rename(path(dir, third), path(dir, second)),
					os.Rename(path(dir, third)+"x", path(dir, third)))
			}, second, second, 0,
		},
	}
	for name, test := range tests {
		for _, clean := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, clean %v", name, clean), func(t *testing.T) {
				dir := fx.copyLog(t)
				if clean {
					closeLog(t, dir, smallSegments)
				}
				if err := test.damage(dir); err != nil {
					t.Fatal(err)
				}
				openDamaged(t, dir, options(), segmentName(test.segment), test.seq, test.offset)
			})
		}
	}
}

func overwrite(path string, offset int64, b ...byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, offset)
	return errors.Join(err, f.Close())
}

// The end of a log that was closed is known: what is missing there is lost.
func TestEndMissingAfterCleanClose(t *testing.T) {
	t.Parallel()
	fx, segs := manySegments(t)
	last := segs[len(segs)-1]
	if last > fx.last().Seq {
		t.Fatal("the last segment is empty")
	}
	lastPath := func(dir string) string { return segmentPath(dir, last) }
	tests := map[string]func(dir string) error{
		"last record": func(dir string) error {
			return os.Truncate(lastPath(dir), fx.last().Offset)
		},
		"last segment's content": func(dir string) error { return os.Truncate(lastPath(dir), 0) },
		"last segment":           func(dir string) error { return os.Remove(lastPath(dir)) },
		"all segments": func(dir string) error {
			for _, first := range segs {
				if err := os.Remove(segmentPath(dir, first)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			dir := fx.copyLog(t)
			closeLog(t, dir, smallSegments)
			if err := damage(dir); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, dir)
			if _, err := Open(dir, options()); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("open: %v, want ErrCorrupt", err)
			}
			if !maps.Equal(snapshot(t, dir), before) {
				t.Error("the log was changed")
			}
			err := lastError(t, dir)
			if !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("scan: %v, want ErrCorrupt", err)
			}
		})
	}
}

// lastError is what a scan ends with.
func lastError(t *testing.T, dir string) error {
	t.Helper()
	for _, err := range Scan(t.Context(), dir, 0) {
		if err != nil {
			return err
		}
	}
	return nil
}

// An append that fills a segment leaves an empty one behind it.
func TestEmptyLastSegment(t *testing.T) {
	t.Parallel()
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean %v", clean), func(t *testing.T) {
			fx := makeLog(t, 1, 3, 2) // each record fills a segment
			if clean {
				closeLog(t, fx.dir, 1)
			}
			if size := len(readFile(t, segmentPath(fx.dir, 6))); size != 0 {
				t.Fatalf("the last segment has %d bytes", size)
			}
			f := mustOpen(t, fx.dir, options())
			checkFrames(t, f, fx.frames)
			checkUsable(t, f)
		})
	}
}

// An empty last segment, and the note of a close that tells of another record
// than the one before it.
func TestEmptyLastSegmentOtherHead(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, 1, 3)
	closeLog(t, fx.dir, 1)
	head := events.Head{Seq: 3, Hash: fx.at(2).Hash}
	note, err := encodeNote(head)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(fx.dir, cleanFile), note)
	if _, err := Open(fx.dir, options()); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("open: %v, want ErrCorrupt", err)
	}
}

func TestDamagedNotes(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 3)
	for _, name := range []string{cleanFile, startFile} {
		for _, content := range []string{"", "{", `{"seq":"x"}{`, `{"first":1}` + "x"} {
			dir := fx.copyLog(t)
			writeFile(t, filepath.Join(dir, name), []byte(content))
			if _, err := Open(dir, options()); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("%s with %q: %v, want ErrCorrupt", name, content, err)
			}
		}
	}
}

// What truncation in wal's way would have left is moved out of wal's sight before
// it acts on it; unfinished files of our own go; what nobody knows stays.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 8, 4)
	dir := fx.copyLog(t)
	third := segmentName(3)
	aside := []string{third + ".START", third + ".END", third + ".START.TEMP", third + ".TEMP"}
	gone := []string{segmentName(1) + tempSuffix, startFile + tempSuffix, cleanFile + tempSuffix}
	stay := []string{"notes.txt", "0", segmentName(0)}
	for _, name := range slices.Concat(aside, gone, stay) {
		writeFile(t, filepath.Join(dir, name), []byte(name))
	}
	f := mustOpen(t, dir, options())
	checkFrames(t, f, fx.frames)
	if got := f.Recovery().SetAside; !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(aside))) {
		t.Errorf("set aside %q, want %q", got, aside)
	}
	for _, name := range aside {
		if got := string(readFile(t, filepath.Join(dir, cutDir, name))); got != name {
			t.Errorf("%s holds %q now", name, got)
		}
	}
	for _, name := range slices.Concat(aside, gone) {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	for _, name := range stay {
		readFile(t, filepath.Join(dir, name))
	}
	checkUsable(t, f)
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, smallSegments, 8, 4)
	closeLog(t, fx.dir, smallSegments)
	err := filepath.WalkDir(fx.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
