package eventlog

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/metalog/metalog/events"
)

// packed makes a pack of frames.
func packed(t rapid.TB, frames []Located) ([]byte, int64) {
	t.Helper()
	var p Packer
	for _, f := range frames {
		if err := p.Add(f.Frame); err != nil {
			t.Fatal(err)
		}
	}
	return p.AppendTo(nil), p.Size()
}

// Whatever frames there are, unpacking restores them to the byte, with the entries of
// their segment.
func TestPack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		f, err := Open(emptyDir(t, dir), quickOptions())
		if err != nil {
			rt.Fatal(err)
		}
		defer f.Close()
		now := events.Time(0)
		for range rapid.IntRange(1, 5).Draw(rt, "groups") {
			g := NewGroup(f.Head())
			for range rapid.IntRange(1, 6).Draw(rt, "records") {
				rec := testRecord(g.Head().Seq + 1)
				now += events.Time(rapid.Int64Range(0, 1<<40).Draw(rt, "passed"))
				rec.Time = now
				rec.Meta.Reason = strings.Repeat("x", rapid.IntRange(0, 300).Draw(rt, "size"))
				if err := g.Add(rec); err != nil {
					rt.Fatal(err)
				}
			}
			if err := f.Append(g); err != nil {
				rt.Fatal(err)
			}
		}
		all := located(t, f, 1)
		from := rapid.IntRange(0, len(all)-1).Draw(rt, "from")
		checkPack(rt, all[from:])
	})
}

func checkPack(t rapid.TB, frames []Located) {
	t.Helper()
	b, size := packed(t, frames)
	pack, err := Unpack(b, size)
	if err != nil || len(pack.Frames) != len(frames) {
		t.Fatalf("%d frames, %v; want %d", len(pack.Frames), err, len(frames))
	}
	var entries []byte
	for i, f := range frames {
		got := pack.Frames[i]
		if !bytes.Equal(got.Bytes, f.Bytes) || got.Seq != f.Seq || got.Group != f.Group || got.Time != f.Time || got.Prev != f.Prev || got.Hash != f.Hash {
			t.Fatalf("seq %d: got %+v, want %+v", f.Seq, got, f.Frame)
		}
		if pack.Offsets[i] != int64(len(entries)) {
			t.Fatalf("seq %d stands at %d, want %d", f.Seq, pack.Offsets[i], len(entries))
		}
		entries = AppendEntry(entries, f.Frame)
	}
	if !bytes.Equal(pack.Entries, entries) || int64(len(entries)) != size {
		t.Fatal("the entries are not those of the segment")
	}
	if last := frames[len(frames)-1]; pack.Last() != (events.Head{Seq: last.Seq, Hash: last.Hash}) {
		t.Fatalf("last %v", pack.Last())
	}
}

// A packer that was reset forgets what it had.
func TestPackerReset(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, 1<<20, 5, 5)
	var p Packer
	for _, f := range fx.frames[:5] {
		if err := p.Add(f.Frame); err != nil {
			t.Fatal(err)
		}
	}
	p.Reset()
	for _, f := range fx.frames[5:] {
		if err := p.Add(f.Frame); err != nil {
			t.Fatal(err)
		}
	}
	if want, size := packed(t, fx.frames[5:]); p.Size() != size || !bytes.Equal(p.AppendTo(nil), want) {
		t.Error("the pack has something of the one before")
	}
}

// A pack that was altered gives another last hash, or an error.
func TestUnpackDamaged(t *testing.T) {
	t.Parallel()
	fx := makeLog(t, 1<<20, 3, 4)
	good, size := packed(t, fx.frames)
	last := fx.last()
	for i := range good {
		for _, bit := range []byte{1, 0x10, 0x80} {
			b := bytes.Clone(good)
			b[i] ^= bit
			pack, err := Unpack(b, size)
			if err != nil && !errors.Is(err, events.ErrCorrupt) {
				t.Fatalf("byte %d: %v", i, err)
			}
			if err == nil && pack.Last() == (events.Head{Seq: last.Seq, Hash: last.Hash}) {
				t.Fatalf("byte %d: the change was not noticed", i)
			}
		}
	}
	for n := range good {
		if _, err := Unpack(good[:n], size); !errors.Is(err, events.ErrCorrupt) {
			t.Fatalf("%d bytes of it: %v", n, err)
		}
	}
	for _, wrong := range []int64{0, size - 1, size + 1} {
		if _, err := Unpack(good, wrong); !errors.Is(err, events.ErrCorrupt) {
			t.Errorf("as if of %d bytes: %v", wrong, err)
		}
	}
}

// FuzzUnpack: whatever bytes come, there is no panic, and no more memory than was
// asked for.
func FuzzUnpack(f *testing.F) {
	fx := makeLog(f, 1<<20, 3, 4)
	var p Packer
	for _, at := range fx.frames {
		if err := p.Add(at.Frame); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(p.AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		const size = 2000
		if pack, err := Unpack(b, size); err == nil && len(pack.Entries) != size {
			t.Errorf("%d bytes", len(pack.Entries))
		}
	})
}
