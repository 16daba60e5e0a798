package eventlog

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidwall/wal"

	"github.com/metalog/metalog/events"
)

// smallSegments rolls every few records of testRecord.
const smallSegments = 1000

// testRecord is a record of about 140 bytes.
func testRecord(seq uint64) *events.Record {
	return &events.Record{
		Seq:  seq,
		Time: events.Time(seq),
		Facts: []events.Fact{{
			Cause: events.NoCause,
			Event: &events.ConfigSet{
				Scope:  events.Scope{Of: events.EntityRef{Kind: events.KindTopic, ID: "orders"}},
				Config: events.Config{"retention.ms": string(bytes.Repeat([]byte{'0' + byte(seq%10)}, 40))},
			},
		}},
	}
}

// group makes a group of n records that follows prev.
func group(t testing.TB, prev events.Head, n int) *Group {
	t.Helper()
	g := NewGroup(prev)
	for i := range n {
		if err := g.Add(testRecord(prev.Seq + 1 + uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
	return g
}

func options() Options { return Options{SegmentSize: smallSegments, MinFreeBytes: -1} }

func mustOpen(t testing.TB, dir string, o Options) *File {
	t.Helper()
	f, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

func mustAppend(t testing.TB, f *File, n int) {
	t.Helper()
	if err := f.Append(group(t, f.Head(), n)); err != nil {
		t.Fatal(err)
	}
}

// fixture is a log directory as a crash leaves it: written, never closed.
type fixture struct {
	dir    string
	groups []uint64 // first seqs of the groups
	frames []Located
}

// makeLog writes groups of the given sizes to a new log and leaves it unclosed, but
// without the zeros ahead of its records.
func makeLog(t testing.TB, segmentSize int, groups ...int) fixture {
	t.Helper()
	fx := fixture{dir: filepath.Join(t.TempDir(), "log")}
	f, err := Open(fx.dir, Options{SegmentSize: segmentSize, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range groups {
		fx.groups = append(fx.groups, f.Head().Seq+1)
		mustAppend(t, f, n)
	}
	abandon(t, f)
	st := f.state.Load()
	if err := os.Truncate(segmentPath(fx.dir, st.lastSegment()), st.tail); err != nil {
		t.Fatal(err)
	}
	fx.frames = scanAll(t, fx.dir)
	return fx
}

// abandon lets go of f as a crash would: without the note of a clean close.
func abandon(t testing.TB, f *File) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.wal.Close(); err != nil {
		t.Fatal(err)
	}
	f.wal = nil
}

// copyLog copies the log to a new directory.
func (fx fixture) copyLog(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.CopyFS(dir, os.DirFS(fx.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (fx fixture) last() Located { return fx.frames[len(fx.frames)-1] }

// lastGroup is the first seq of the last group.
func (fx fixture) lastGroup() uint64 { return fx.groups[len(fx.groups)-1] }

// at gives the frame with a seq.
func (fx fixture) at(seq uint64) Located { return fx.frames[seq-1] }

func (l Located) end() int64 { return l.Offset + entrySize(len(l.Bytes)) }

func scanAll(t testing.TB, dir string) []Located {
	t.Helper()
	var all []Located
	for at, err := range Scan(t.Context(), dir, 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, at)
	}
	return all
}

// checkFrames checks that f has exactly these frames, by all ways of reading.
func checkFrames(t testing.TB, f *File, want []Located) {
	t.Helper()
	i := 0
	for got, err := range f.Frames(t.Context(), f.First()) {
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if i >= len(want) || !bytes.Equal(got.Bytes, want[i].Bytes) || got.Seq != want[i].Seq {
			t.Fatalf("frame %d (seq %d) is not the one that was written", i, got.Seq)
		}
		i++
	}
	if i != len(want) {
		t.Fatalf("got %d frames, want %d", i, len(want))
	}
	var head events.Head
	if i > 0 {
		head = events.Head{Seq: want[i-1].Seq, Hash: want[i-1].Hash}
	} else {
		head = f.state.Load().start.Before()
	}
	if f.Head() != head {
		t.Fatalf("head %v, want %v", f.Head(), head)
	}
}

// checkUsable checks that f takes records, and has them after an unclean end.
func checkUsable(t testing.TB, f *File) {
	t.Helper()
	for range 3 {
		mustAppend(t, f, 4)
	}
	head := f.Head()
	abandon(t, f)
	again, err := Open(f.dir, options())
	if err != nil {
		t.Fatalf("open again: %v", err)
	}
	if again.Head() != head {
		t.Errorf("head after opening again %v, want %v", again.Head(), head)
	}
	if len(again.Recovery().Cuts) > 0 {
		t.Errorf("opening again cut %+v", again.Recovery().Cuts)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// wantDamage checks that err is ErrCorrupt and names the place.
func wantDamage(t testing.TB, err error, segment string, seq uint64, offset int64) {
	t.Helper()
	if !errors.Is(err, events.ErrCorrupt) {
		t.Fatalf("got error %v, want ErrCorrupt", err)
	}
	d, ok := damageOf(err)
	if !ok {
		t.Fatalf("error names no place: %v", err)
	}
	if d.Segment != segment || d.Seq != seq || d.Offset != offset {
		t.Fatalf("damage at %s, seq %d, byte %d; want %s, seq %d, byte %d (%v)", d.Segment, d.Seq, d.Offset, segment, seq, offset, err)
	}
}

// snapshot is the content of all files in a log directory, cut ones too.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func writeFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (fx fixture) segment(dir string, seq uint64) string {
	return filepath.Join(dir, fx.at(seq).Segment)
}

// faults is a disk that fails on demand. Its zero value fails never.
type faults struct {
	osDisk
	fail  map[string]error // by name of the operation
	calls []string         // operation and base name of what it was done to
	space uint64           // what free tells, if not 0
	batch func(w *wal.Log, b *wal.Batch) error
}

func (d *faults) do(op, path string) error {
	d.calls = append(d.calls, op+" "+filepath.Base(path))
	return d.fail[op]
}

func (d *faults) replace(path string, write func(io.Writer) error) error {
	if err := d.do("replace", path); err != nil {
		return err
	}
	return d.osDisk.replace(path, write)
}

func (d *faults) remove(paths ...string) error {
	for _, path := range paths {
		if err := d.do("remove", path); err != nil {
			return err
		}
	}
	return d.osDisk.remove(paths...)
}

func (d *faults) rename(oldPath, newPath string) error {
	if err := d.do("rename", oldPath); err != nil {
		return err
	}
	return d.osDisk.rename(oldPath, newPath)
}

func (d *faults) syncDir(dir string) error {
	if err := d.do("syncDir", dir); err != nil {
		return err
	}
	return d.osDisk.syncDir(dir)
}

func (d *faults) fill(path string, from, to int64) error {
	if err := d.do("fill", path); err != nil {
		return err
	}
	return d.osDisk.fill(path, from, to)
}

func (d *faults) truncate(path string, size int64) error {
	if err := d.do("truncate", path); err != nil {
		return err
	}
	return d.osDisk.truncate(path, size)
}

func (d *faults) free(dir string) (uint64, error) {
	if err := d.do("free", dir); err != nil {
		return 0, err
	}
	if d.space != 0 {
		return d.space, nil
	}
	return d.osDisk.free(dir)
}

func (d *faults) openWAL(dir string, o *wal.Options) (appender, error) {
	w, err := wal.Open(dir, o)
	return &faultyWAL{Log: w, disk: d}, err
}

type faultyWAL struct {
	*wal.Log
	disk *faults
}

func (w *faultyWAL) WriteBatch(b *wal.Batch) error {
	if w.disk.batch != nil {
		return w.disk.batch(w.Log, b)
	}
	return w.Log.WriteBatch(b)
}

var errInjected = errors.New("injected")

func collect(ctx context.Context, f *File, from uint64) (seqs []uint64, err error) {
	for rec, err := range f.Records(ctx, from) {
		if err != nil {
			return seqs, err
		}
		seqs = append(seqs, rec.Seq)
	}
	return seqs, nil
}

// failingStep is a disk of which one writing step fails, and all after it.
type failingStep struct {
	faults
	left int
}

func (d *failingStep) step() error {
	if d.left--; d.left <= 0 {
		return errInjected
	}
	return nil
}

func (d *failingStep) replace(path string, write func(io.Writer) error) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.faults.replace(path, write)
}

// remove counts a step for each file: some may be gone when it fails.
func (d *failingStep) remove(paths ...string) error {
	for _, path := range paths {
		if err := d.step(); err != nil {
			return err
		}
		if err := d.faults.remove(path); err != nil {
			return err
		}
	}
	return nil
}

func (d *failingStep) syncDir(dir string) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.faults.syncDir(dir)
}

// unsynced is a disk that syncs nothing, for tests that open thousands of logs.
type unsynced struct{ osDisk }

func (unsynced) replace(path string, write func(io.Writer) error) error {
	temp := path + tempSuffix
	f, err := os.Create(temp)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

func (unsynced) remove(paths ...string) error {
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (unsynced) rename(oldPath, newPath string) error { return os.Rename(oldPath, newPath) }
func (unsynced) mkdirAll(dir string) error            { return os.MkdirAll(dir, 0o700) }
func (unsynced) syncDir(string) error                 { return nil }

func (unsynced) openWAL(dir string, o *wal.Options) (appender, error) {
	o.NoSync = true
	return wal.Open(dir, o)
}

func quickOptions() Options {
	o := options()
	o.disk = unsynced{}
	return o
}

// emptyDir makes a directory of its own below base, at less cost than TempDir.
func emptyDir(t testing.TB, base string) string {
	t.Helper()
	dir, err := os.MkdirTemp(base, "log")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
