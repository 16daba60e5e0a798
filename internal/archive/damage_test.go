package archive

import (
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

// archivedLog is a log of which all but the last segments are in memory.
func archivedLog(t *testing.T, seed uint64) (*testLog, memory) {
	t.Helper()
	l := newTestLog(t, seed, 150, 20_000)
	place := memory{}
	mustMove(t, l, l.created(t, place), len(l.Segments())-1)
	return l, place
}

// readAll reads log and archive as one. What it gives is what was written, or it ends
// with an error.
func readAll(t *testing.T, l *testLog, place Place) (uint64, error) {
	t.Helper()
	a, err := Open(t.Context(), place, l.options())
	if err != nil {
		return 0, err
	}
	next := uint64(1)
	for got, err := range l.joined(a).Located(t.Context(), 1) {
		if err != nil {
			return next, err
		}
		l.same(t, got, next)
		next++
	}
	if next != l.Head().Seq+1 {
		t.Fatalf("it ended without an error after seq %d", next-1)
	}
	return next, nil
}

// Whatever bit flips in an archive, what is read is what was written, or the error
// names the file and the seq. A check of the file finds each.
func TestBitFlips(t *testing.T) {
	t.Parallel()
	l, good := archivedLog(t, 1)
	names := slices.Sorted(maps.Keys(good))
	for _, name := range names {
		step := 1
		if strings.HasSuffix(name, dataSuffix) {
			step = 1 + len(good[name])/60
		} else if len(good[name]) > 100 {
			step = 1 + len(good[name])/40
		}
		for i := 0; i < len(good[name]); i += step {
			place := maps.Clone(good)
			place[name] = flipped(good[name], i)
			at, err := readAll(t, l, place)
			if err != nil && !errors.Is(err, events.ErrCorrupt) && !errors.Is(err, events.ErrConflict) {
				t.Fatalf("%s, byte %d: seq %d: %v", name, i, at, err)
			}
			if err != nil && name != stateFile {
				d := damageOf(t, err)
				file, _, _ := strings.Cut(name, ".")
				if !strings.HasPrefix(d.File, file) || d.Seq > at || d.Archive != place.String() {
					t.Fatalf("%s, byte %d: seq %d: damage %+v", name, i, at, d)
				}
			}
			if name != stateFile && checkFiles(t, l, place) == nil {
				t.Fatalf("%s, byte %d: a check of all files finds nothing", name, i)
			}
		}
	}
}

func checkFiles(t *testing.T, l *testLog, place Place) error {
	t.Helper()
	a, err := Open(t.Context(), place, l.options())
	if err != nil {
		return err
	}
	for m, err := range a.Files(t.Context()) {
		if err == nil {
			err = a.check(t.Context(), m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Files that are missing or cut off are named; what is before and behind them can be
// read.
func TestFilesMissing(t *testing.T) {
	t.Parallel()
	l, good := archivedLog(t, 2)
	a, err := Open(t.Context(), good, l.options())
	if err != nil {
		t.Fatal(err)
	}
	files := a.have.Load().files
	second := files[1]
	tests := map[string]func(memory){
		"the data file":     func(m memory) { delete(m, second.data()) },
		"the manifest":      func(m memory) { delete(m, second.manifest()) },
		"both":              func(m memory) { delete(m, second.data()); delete(m, second.manifest()) },
		"half of the file":  func(m memory) { m[second.data()] = m[second.data()][:len(m[second.data()])/2] },
		"half the manifest": func(m memory) { m[second.manifest()] = m[second.manifest()][:100] },
		"an empty file":     func(m memory) { m[second.data()] = nil },
		"the file before's": func(m memory) { m[second.data()] = m[files[0].data()] },
		"a newer format": func(m memory) {
			m[second.manifest()] = []byte(strings.Replace(string(m[second.manifest()]), `"format": 1`, `"format": 2`, 1))
		},
	}
	for what, change := range tests {
		t.Run(what, func(t *testing.T) {
			place := maps.Clone(good)
			change(place)
			at, err := readAll(t, l, place)
			d := damageOf(t, err)
			if at != second.first || d.Seq != second.first || !strings.Contains(d.File, second.data()[:len(segmentsDir)+42]) {
				t.Errorf("read up to %d: %v", at, err)
			}
			a, err := Open(t.Context(), place, l.options())
			if err != nil {
				t.Fatal(err)
			}
			l.checkAll(t, l.joined(a), files[2].first)
			if err := checkFiles(t, l, place); err == nil {
				t.Error("a check finds nothing")
			}
			if _, err := l.joined(a).FrameAt(t.Context(), second.first, 0); !errors.Is(err, events.ErrCorrupt) {
				t.Errorf("frame at: %v", err)
			}
		})
	}
}

// An archive with a hole takes no more files.
func TestNoMoreBehindAHole(t *testing.T) {
	t.Parallel()
	l, place := archivedLog(t, 3)
	for name := range place {
		if n, _, ok := parseName(name); ok && n.first == 1 {
			delete(place, name)
		}
	}
	if _, err := Create(t.Context(), place, 1, l.options()); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("got %v, want ErrCorrupt", err)
	}
}

// An archive of another log, or what is none, is refused, to read and to write.
func TestNotThisLogsArchive(t *testing.T) {
	t.Parallel()
	l, place := archivedLog(t, 4)
	other := l.options()
	other.LogID = uuid.UUID{15: 8}
	if _, err := Open(t.Context(), place, other); !errors.Is(err, events.ErrConflict) {
		t.Errorf("open: %v, want ErrConflict", err)
	}
	if _, err := Create(t.Context(), place, 1, other); !errors.Is(err, events.ErrConflict) {
		t.Errorf("create: %v, want ErrConflict", err)
	}
	if _, err := Create(t.Context(), memory{}, 1, l.options()); !errors.Is(err, events.ErrConflict) {
		t.Errorf("a place without what was moved: %v, want ErrConflict", err)
	}
	fresh := Options{LogID: testLogID}
	if _, err := Create(t.Context(), memory{"holiday.jpg": nil}, 1, fresh); !errors.Is(err, events.ErrConflict) {
		t.Errorf("a place with something else: %v, want ErrConflict", err)
	}
	if _, err := Open(t.Context(), memory{}, fresh); !errors.Is(err, events.ErrNotFound) {
		t.Errorf("an empty place: %v, want ErrNotFound", err)
	}
	if _, err := Create(t.Context(), memory{}, 1, Options{}); !errors.Is(err, events.ErrInvalid) {
		t.Errorf("a log without id: %v, want ErrInvalid", err)
	}
}

// What was written is compared with what is read back: a place that stores something
// else shortens no log.
func TestWrittenIsReadBack(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 5, 150, 20_000)
	for _, suffix := range []string{dataSuffix, manifestSuffix} {
		place := forgetful{memory{}, suffix}
		a := l.created(t, place.memory)
		a.place = place
		if err := l.move(t.Context(), a, 1); !errors.Is(err, events.ErrCorrupt) {
			t.Errorf("%s: %v, want ErrCorrupt", suffix, err)
		}
		if l.First() != 1 {
			t.Fatalf("%s: the log begins with seq %d", suffix, l.First())
		}
	}
}

// A file that was forged, with all sums right, does not fit the next record, which is
// in another file or in the log.
func TestForgedFile(t *testing.T) {
	t.Parallel()
	l, good := archivedLog(t, 6)
	a, err := Open(t.Context(), good, l.options())
	if err != nil {
		t.Fatal(err)
	}
	files := a.have.Load().files
	for _, f := range []file{files[1], files[len(files)-1]} {
		place := maps.Clone(good)
		m, err := a.manifest(t.Context(), f.name)
		if err != nil {
			t.Fatal(err)
		}
		forged := *m
		place[f.data()] = l.forge(t, &forged)
		if place[f.manifest()], err = forged.encode(); err != nil {
			t.Fatal(err)
		}
		again, err := Open(t.Context(), place, l.options())
		if err != nil {
			t.Fatal(err)
		}
		var last error
		seq := uint64(0)
		for got, err := range l.joined(again).Located(t.Context(), 1) {
			if last = err; err != nil {
				break
			}
			seq = got.Seq
		}
		if !errors.Is(last, events.ErrCorrupt) || seq != f.last {
			t.Errorf("%s: read up to seq %d: %v", f.name, seq, last)
		}
		if err := checkFiles(t, l, place); err == nil {
			t.Errorf("%s: a check finds nothing", f.name)
		}
	}
}

// forge makes a file in which a byte of a record is another, and makes what the
// manifest tells of the file fit; what it tells of the log's segment stays.
func (l *testLog) forge(t *testing.T, m *Manifest) []byte {
	t.Helper()
	var p eventlog.Packer
	for _, at := range l.frames[m.FirstSeq-1 : m.LastSeq] {
		if at.Seq == m.LastSeq {
			at.Bytes = slices.Clone(at.Bytes)
			at.Bytes[len(at.Bytes)-1] ^= 1
		}
		if err := p.Add(at.Frame); err != nil {
			t.Fatal(err)
		}
	}
	encoder := encoders.Get().(*zstd.Encoder)
	defer encoders.Put(encoder)
	data := encoder.EncodeAll(p.AppendTo(nil), slices.Clone(fileHeader))
	m.FileBytes, m.FileSHA256 = int64(len(data)), sha256.Sum256(data)
	m.Blocks = m.Blocks[:1]
	return data
}
