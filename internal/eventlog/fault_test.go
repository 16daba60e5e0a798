package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tidwall/wal"

	"github.com/metalog/metalog/events"
)

// Writes of the log's files that fail, each at another place of an append.
func TestFailedAppend(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fail map[string]error
		// batch stands in for wal's WriteBatch; it gets the segment written to.
		batch func(w *wal.Log, b *wal.Batch, segment string) error
		size  int // of the group
		want  error
		// after is how many of the group's records are there after a reopen.
		after int
	}{
		"write refused, nothing written": {
			batch: func(*wal.Log, *wal.Batch, string) error { return syscall.ENOSPC },
			size:  2, want: events.ErrUnavailable, after: 0,
		},
		"disk full in the middle of a frame": {
			batch: func(_ *wal.Log, _ *wal.Batch, segment string) error {
				return errors.Join(syscall.ENOSPC, appendTo(segment, []byte{0xa0, 1, 0xf5, 'm', 'l', 1}))
			},
			size: 2, want: events.ErrOutcomeUnknown, after: 0,
		},
		"I/O error of sync": {
			batch: func(w *wal.Log, b *wal.Batch, _ string) error {
				return errors.Join(w.WriteBatch(b), syscall.EIO)
			},
			size: 2, want: events.ErrOutcomeUnknown, after: 2,
		},
		"I/O error of directory sync": {
			fail: map[string]error{"syncDir": syscall.EIO},
			size: 10, want: events.ErrOutcomeUnknown, after: 10,
		},
		"I/O error of the clean note's removal": {
			fail: map[string]error{"remove": syscall.EIO},
			size: 2, want: events.ErrUnavailable, after: 0,
		},
		"wal wrote something else": {
			batch: func(w *wal.Log, b *wal.Batch, segment string) error {
				return errors.Join(w.WriteBatch(b), appendTo(segment, []byte{0}))
			},
			size: 2, want: events.ErrOutcomeUnknown, after: 2,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			setUp := mustOpen(t, dir, options())
			mustAppend(t, setUp, 3)
			if err := setUp.Close(); err != nil {
				t.Fatal(err)
			}
			d := &faults{}
			o := options()
			o.disk = d
			f := mustOpen(t, dir, o)
			before := f.Head()
			d.fail = test.fail
			batches := 0
			if test.batch != nil {
				segment := segmentPath(dir, f.state.Load().lastSegment())
				d.batch = func(w *wal.Log, b *wal.Batch) error {
					batches++
					return test.batch(w, b, segment)
				}
			}

			err := f.Append(group(t, before, test.size))
			if !errors.Is(err, test.want) {
				t.Errorf("append: %v, want %v", err, test.want)
			}
			checkStopped(t, f, before)
			if batches > 1 {
				t.Error("wal was written to after an error")
			}

			d.fail, d.batch = nil, nil
			if err := f.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
			again := mustOpen(t, dir, options())
			if got := int(again.Head().Seq - before.Seq); got != test.after {
				t.Errorf("%d records of the group are there after opening again, want %d", got, test.after)
			}
			checkUsable(t, again)
		})
	}
}

// checkStopped checks that f shows what was durable, nothing more, and takes no
// record any more.
func checkStopped(t *testing.T, f *File, head events.Head) {
	t.Helper()
	if f.Head() != head {
		t.Errorf("head %v, was %v before the error", f.Head(), head)
	}
	if seqs, err := collect(t.Context(), f, 1); err != nil || uint64(len(seqs)) != head.Seq {
		t.Errorf("read %v, %v; want all of %d records", seqs, err, head.Seq)
	}
	if err := f.Append(group(t, head, 1)); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("append after the error: %v, want ErrUnavailable", err)
	}
	if err := f.Wait(t.Context(), head.Seq+1); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("wait after the error: %v, want ErrUnavailable", err)
	}
}

func appendTo(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// wal itself fails to begin a segment: a directory stands where it should be.
func TestFailedRoll(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	f := mustOpen(t, dir, options())
	mustAppend(t, f, 2)
	before := f.Head()
	g := group(t, before, 20)
	next := f.state.Load().after(g, smallSegments).segs[1]
	inTheWay := segmentPath(dir, next)
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Append(g); !errors.Is(err, events.ErrOutcomeUnknown) {
		t.Errorf("append: %v, want ErrOutcomeUnknown", err)
	}
	checkStopped(t, f, before)
	if err := f.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, dir, options())
	if got := again.Head().Seq; got != next-1 {
		t.Errorf("head %d, want %d: the records of the full segment are whole", got, next-1)
	}
	checkUsable(t, again)
}

// A waiter that waits already is told when the log stops.
func TestStopWakesWaiters(t *testing.T) {
	t.Parallel()
	d := &faults{}
	o := options()
	o.disk = d
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), o)
	done := make(chan error)
	go func() { done <- f.Wait(t.Context(), 1) }()
	d.batch = func(*wal.Log, *wal.Batch) error { return errInjected }
	if err := f.Append(group(t, f.Head(), 1)); err == nil {
		t.Fatal("append succeeded")
	}
	if err := <-done; !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("waiter got %v, want ErrUnavailable", err)
	}
}

// An append that would use the reserve is refused before anything is written,
// and the log goes on when there is room again.
func TestDiskReserve(t *testing.T) {
	t.Parallel()
	d := &faults{}
	o := Options{MinFreeBytes: 1 << 20, disk: d}
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), o)
	mustAppend(t, f, 2)
	before := snapshot(t, f.dir)

	tests := map[string]struct {
		space uint64
		fail  error
	}{
		"too little":      {space: 1 << 20},
		"nobody can tell": {fail: errInjected},
	}
	for name, test := range tests {
		d.space, d.fail = test.space, map[string]error{"free": test.fail}
		if err := f.Append(group(t, f.Head(), 2)); !errors.Is(err, events.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
	if after := snapshot(t, f.dir); len(after) != len(before) || after[segmentPath(f.dir, 1)] != before[segmentPath(f.dir, 1)] {
		t.Error("a refused append wrote something")
	}

	d.space, d.fail = 2<<20, nil
	mustAppend(t, f, 2)
	checkUsable(t, f)
}

// The real disk tells its free space, and a file system that is not there is an error.
func TestFree(t *testing.T) {
	t.Parallel()
	if free, err := (osDisk{}).free(t.TempDir()); err != nil || free == 0 {
		t.Errorf("free: %d, %v", free, err)
	}
	if _, err := (osDisk{}).free(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("free space of nothing")
	}
}

// The directory is synced when a segment appears, before the append returns, and
// only then: a sync too many halves the speed of small groups.
func TestDirectoryIsSyncedAtRolls(t *testing.T) {
	t.Parallel()
	d := &faults{}
	o := options()
	o.disk = d
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), o)
	for range 20 {
		rolls := len(f.state.Load().segs)
		d.calls = nil
		mustAppend(t, f, 2)
		rolled := len(f.state.Load().segs) > rolls
		synced := slices.ContainsFunc(d.calls, func(c string) bool { return strings.HasPrefix(c, "syncDir") })
		if rolled != synced {
			t.Errorf("at seq %d: rolled %v, directory synced %v", f.Head().Seq, rolled, synced)
		}
	}
}

// A clean close whose note can't be written is told, and the log repairs itself.
func TestFailedClose(t *testing.T) {
	t.Parallel()
	d := &faults{}
	o := options()
	o.disk = d
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), o)
	mustAppend(t, f, 2)
	d.fail = map[string]error{"replace": errInjected}
	if err := f.Close(); !errors.Is(err, errInjected) {
		t.Errorf("close: %v", err)
	}
	again := mustOpen(t, f.dir, options())
	if again.Recovery().Clean || again.Head() != f.Head() {
		t.Errorf("recovery %+v", again.Recovery())
	}
}

// Steps of opening that fail make Open fail and leave the log as good as it was.
func TestFailedOpen(t *testing.T) {
	t.Parallel()
	for step := 1; ; step++ {
		fx := makeLog(t, smallSegments, 3, 4)
		o := options()
		o.disk = &failingStep{left: step}
		f, err := Open(fx.dir, o)
		if err == nil {
			abandon(t, f)
			if step < 3 {
				t.Errorf("opening took %d steps only", step)
			}
			return
		}
		if !errors.Is(err, errInjected) {
			t.Fatalf("step %d: %v", step, err)
		}
		checkFrames(t, mustOpen(t, fx.dir, options()), fx.frames)
	}
}
