package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

func baseOf(at eventlog.Located) Base {
	return Base{
		Seq: at.Seq, Hash: at.Hash, SizeBytes: int64(len(baseContent)), SHA256: sha256.Sum256(baseContent),
		Snapshot: []byte(`{"seq": 7,
			"and": "more"}`),
	}
}

// checkBase checks that a pruned archive has its base.
func checkBase(t *testing.T, a *Archive) {
	t.Helper()
	b := a.State().Base
	if (b == nil) != (a.First() == 1) {
		t.Fatalf("base %+v of an archive from seq %d on", b, a.First())
	}
	if b == nil {
		return
	}
	var got bytes.Buffer
	if err := a.CopyBase(t.Context(), b, &got); err != nil || !bytes.Equal(got.Bytes(), baseContent) {
		t.Fatalf("base: %q, %v", got.Bytes(), err)
	}
}

// A base that differs from what was stored is told, whatever is wrong with it.
func TestBaseDamaged(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 4, 200, 20_000)
	place := memory{}
	a := l.created(t, place)
	b, err := a.PutBase(t.Context(), baseOf(l.frames[9]), writing(baseContent))
	if err != nil {
		t.Fatal(err)
	}
	good := place[b.File]
	for i := range good {
		place[b.File] = flipped(good, i)
		var got bytes.Buffer
		err := a.CopyBase(t.Context(), b, &got)
		if err != nil && !errors.Is(err, events.ErrCorrupt) || err == nil && !bytes.Equal(got.Bytes(), baseContent) {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	for _, bad := range [][]byte{nil, good[:len(good)/2], good[:1], append(good[:len(good):len(good)], 7)} {
		place[b.File] = bad
		if err := a.CopyBase(t.Context(), b, new(bytes.Buffer)); !errors.Is(err, events.ErrCorrupt) {
			t.Errorf("%d bytes: %v, want ErrCorrupt", len(bad), err)
		}
	}
	delete(place, b.File)
	if err := a.CopyBase(t.Context(), b, new(bytes.Buffer)); !errors.Is(err, events.ErrCorrupt) {
		t.Errorf("missing: %v, want ErrCorrupt", err)
	}
}

// Who can't write what was read is not told of damage.
func TestBaseToNowhere(t *testing.T) {
	t.Parallel()
	l := newTestLog(t, 4, 200, 20_000)
	a := l.created(t, memory{})
	b, err := a.PutBase(t.Context(), baseOf(l.frames[9]), writing(baseContent))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.CopyBase(t.Context(), b, fullDisk{}); !errors.Is(err, errInjected) || errors.Is(err, events.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errInjected }
