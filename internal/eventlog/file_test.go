package eventlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/metalog/metalog/events"
)

func TestAppendAndRead(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 200, 1000, 1 << 20} {
		t.Run(fmt.Sprintf("segments of %d", size), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "log")
			o := Options{SegmentSize: size}
			f := mustOpen(t, dir, o)
			if f.First() != 1 || f.Head() != (events.Head{}) {
				t.Fatalf("empty log: first %d, head %v", f.First(), f.Head())
			}
			for _, n := range []int{1, 5, 1, 30, 2} {
				mustAppend(t, f, n)
			}
			want := scanAll(t, dir)
			if len(want) != 39 {
				t.Fatalf("scan found %d records, want 39", len(want))
			}
			checkFrames(t, f, want)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			again := mustOpen(t, dir, o)
			if r := again.Recovery(); !r.Clean || len(r.Cuts) > 0 {
				t.Errorf("recovery after a clean close: %+v", r)
			}
			checkFrames(t, again, want)
			checkUsable(t, again)
		})
	}
}

func TestReadFrom(t *testing.T) {
	t.Parallel()
	// Records of 20 kB, so that the last segment has marks.
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), Options{SegmentSize: 500 << 10})
	g := NewGroup(f.Head())
	for seq := range uint64(70) {
		rec := testRecord(seq + 1)
		rec.Facts[0].Event.(*events.ConfigSet).Config["blob"] = string(make([]byte, 20<<10))
		if err := g.Add(rec); err != nil {
			t.Fatal(err)
		}
		if seq%3 == 0 {
			if err := f.Append(g); err != nil {
				t.Fatal(err)
			}
			g.Reset(f.Head())
		}
	}
	if st := f.state.Load(); len(st.segs) < 2 || len(st.marks) < 2 {
		t.Fatalf("%d segments and %d marks are too few for this test", len(st.segs), len(st.marks))
	}
	head := f.Head().Seq
	for from := uint64(0); from <= head; from += 3 {
		seqs, err := collect(t.Context(), f, from+1)
		if err != nil {
			t.Fatal(err)
		}
		if len(seqs) != int(head-from) || (len(seqs) > 0 && seqs[0] != from+1) {
			t.Fatalf("from %d: got %v", from+1, seqs)
		}
	}
	for _, from := range []uint64{0, head + 2} {
		if _, err := collect(t.Context(), f, from); !errors.Is(err, events.ErrOutOfRange) {
			t.Errorf("from %d: %v, want ErrOutOfRange", from, err)
		}
	}
}

func TestReadIsBoundedByHeadAtCall(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), options())
	mustAppend(t, f, 3)
	records := f.Records(t.Context(), 1)
	mustAppend(t, f, 30)
	n := 0
	for _, err := range records {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("read %d records, the head was 3 at the call", n)
	}
}

func TestReadEndsWithContext(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), options())
	mustAppend(t, f, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := collect(ctx, f, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestKeptFramesStay(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), Options{SegmentSize: 1 << 20})
	mustAppend(t, f, 5000)
	var kept []Frame
	for frame, err := range f.Frames(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, frame)
	}
	for _, frame := range kept {
		if again, err := ParseFrame(frame.Bytes); err != nil || again.Hash != frame.Hash {
			t.Fatalf("seq %d changed after it was read: %v", frame.Seq, err)
		}
	}
}

func TestAppendConflict(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), options())
	mustAppend(t, f, 2)
	other := f.Head()
	other.Hash[0] ^= 1
	for name, prev := range map[string]events.Head{"behind": {Seq: 1}, "ahead": {Seq: 3}, "other hash": other} {
		if err := f.Append(group(t, prev, 1)); !errors.Is(err, events.ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", name, err)
		}
	}
	if err := f.Append(NewGroup(f.Head())); err != nil {
		t.Errorf("empty group: %v", err)
	}
	checkUsable(t, f)
}

func TestGroupAddRejects(t *testing.T) {
	t.Parallel()
	large := testRecord(2)
	large.Facts[0].Event.(*events.ConfigSet).Config["blob"] = string(make([]byte, events.MaxEventBytes+1))
	huge := testRecord(2)
	for range 3 {
		event := &events.ConfigSet{Config: events.Config{"blob": string(make([]byte, events.MaxEventBytes-1000))}}
		huge.Facts = append(huge.Facts, events.Fact{Event: event, Cause: events.NoCause})
	}
	tests := map[string]struct {
		rec  *events.Record
		want error
	}{
		"event too large":  {large, events.ErrTooLarge},
		"record too large": {huge, events.ErrTooLarge},
		"seq repeated":     {testRecord(1), events.ErrInvalid},
		"seq skipped":      {testRecord(3), events.ErrInvalid},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := group(t, events.Head{}, 1)
			head, size := g.Head(), g.Bytes()
			if err := g.Add(test.rec); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if g.Len() != 1 || g.Head() != head || g.Bytes() != size {
				t.Error("the group was changed")
			}
			if err := g.Add(testRecord(2)); err != nil {
				t.Errorf("add after the refusal: %v", err)
			}
		})
	}
}

func TestGroupReset(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), options())
	g := group(t, f.Head(), 3)
	for range 3 {
		if err := f.Append(g); err != nil {
			t.Fatal(err)
		}
		g.Reset(f.Head())
		if g.Len() != 0 || g.Bytes() != 0 || g.Head() != f.Head() || g.First() != f.Head().Seq+1 {
			t.Fatalf("after reset: %+v", g)
		}
		if err := g.Add(testRecord(g.First())); err != nil {
			t.Fatal(err)
		}
	}
	checkUsable(t, f)
}

func TestWait(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), options())
	mustAppend(t, f, 2)
	if err := f.Wait(t.Context(), 2); err != nil {
		t.Errorf("what is there already: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Wait(ctx, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	var wg sync.WaitGroup
	results := make([]error, 4)
	for i, seq := range []uint64{3, 4, 5, 6} {
		wg.Go(func() { results[i] = f.Wait(t.Context(), seq) })
	}
	mustAppend(t, f, 1)
	mustAppend(t, f, 2)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	for i, err := range results[:3] {
		if err != nil {
			t.Errorf("waiter for seq %d: %v", i+3, err)
		}
	}
	if !errors.Is(results[3], events.ErrUnavailable) {
		t.Errorf("waiter for what never came: %v, want ErrUnavailable", results[3])
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), options())
	mustAppend(t, f, 2)
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Append(group(t, f.Head(), 1)); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("append: %v, want ErrUnavailable", err)
	}
	if _, err := collect(t.Context(), f, 1); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("read: %v, want ErrUnavailable", err)
	}
	if err := f.DropBefore(1, ""); !errors.Is(err, events.ErrUnavailable) {
		t.Errorf("drop: %v, want ErrUnavailable", err)
	}
}

// A log that was opened and only read keeps the note of its clean close; one that
// was written to loses it before the write.
func TestCleanNote(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "log")
	f := mustOpen(t, dir, options())
	mustAppend(t, f, 2)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = mustOpen(t, dir, options())
	abandon(t, f)
	f = mustOpen(t, dir, options())
	if !f.Recovery().Clean {
		t.Error("reading alone made the end unclean")
	}
	mustAppend(t, f, 1)
	if _, err := os.Stat(f.cleanPath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note is still there after a write: %v", err)
	}
	abandon(t, f)
	f = mustOpen(t, dir, options())
	if f.Recovery().Clean || f.Head().Seq != 3 {
		t.Errorf("recovery %+v", f.Recovery())
	}
}

// Any number of readers of old segments beside each other and a writer. Under
// -race this fails if they share a cache, as wal's own Read does.
func TestConcurrentColdReads(t *testing.T) {
	t.Parallel()
	f := mustOpen(t, filepath.Join(t.TempDir(), "log"), quickOptions())
	mustAppend(t, f, 200)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for from := uint64(1 + i); from < 200; from += 23 {
				head := f.Head().Seq
				seqs, err := collect(t.Context(), f, from)
				if err != nil || uint64(len(seqs)) < head-from+1 {
					t.Errorf("from %d: %d records, %v", from, len(seqs), err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			mustAppend(t, f, 3)
		}
	})
	wg.Wait()
}

// The guard must know where wal begins segments, for it syncs the directory then
// and gives readers the durable size of the last one.
func TestRollsAreKnown(t *testing.T) {
	t.Parallel()
	for _, sizes := range [][2]int{{1000, 1000}, {1000, 300}, {300, 5000}, {150, 149}} {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			for _, size := range sizes {
				f := mustOpen(t, dir, Options{SegmentSize: size, MinFreeBytes: -1})
				for n := range 12 {
					mustAppend(t, f, n)
					files, err := list(dir)
					if err != nil {
						t.Fatal(err)
					}
					if st := f.state.Load(); !slices.Equal(files.segs, st.segs) {
						t.Fatalf("segments %v, known %v", files.segs, st.segs)
					}
				}
				abandon(t, f)
			}
		})
	}
}
