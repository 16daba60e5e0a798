package logread

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/inbox"
	"github.com/metalog/metalog/internal/wire"
)

// Both ends of the request API must mean the same.
func TestAgreesWithTheRequestAPI(t *testing.T) {
	if got, want := Subject("c"), wire.Subject("c", Op); got != want {
		t.Errorf("subject %s, want %s", got, want)
	}
	if inbox.HeaderPart != wire.HeaderPart || inbox.HeaderMore != wire.HeaderMore {
		t.Error("the headers of parts differ")
	}
}

func TestStateHeader(t *testing.T) {
	want := State{LogID: uuid.New(), Epoch: 3, First: 17, Head: events.Head{Seq: 1 << 60, Hash: events.Hash{1, 2}}}
	if got, err := parseState(want.Header()); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for name := range want.Header() {
		h := want.Header()
		h.Del(name)
		if _, err := parseState(h); err == nil {
			t.Errorf("without %s: no error", name)
		}
	}
}

// openLog makes a log of n records, each with about size bytes.
func openLog(t *testing.T, n, size int) *eventlog.File {
	t.Helper()
	log, err := eventlog.Open(t.TempDir(), eventlog.Options{MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	for range n {
		g := eventlog.NewGroup(log.Head())
		set := &events.ConfigSet{Config: events.Config{"k": string(make([]byte, size))}}
		err := g.Add(&events.Record{Seq: log.Head().Seq + 1, Facts: []events.Fact{{Event: set, Cause: events.NoCause}}})
		if err == nil {
			err = log.Append(g)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return log
}

func TestFramesAreExactAndBounded(t *testing.T) {
	log := openLog(t, 20, 1000)
	var got []byte
	for from := uint64(1); from <= 20; {
		body, err := Frames(t.Context(), log, Request{From: from, MaxBytes: 2500})
		if err != nil || len(body) == 0 || len(body) > 2500 {
			t.Fatalf("from %d: %d bytes, %v", from, len(body), err)
		}
		for f, err := range (Answer{body: body}).Frames() {
			if err != nil || f.Seq != from {
				t.Fatalf("seq %d, want %d, %v", f.Seq, from, err)
			}
			from++
		}
		got = append(got, body...)
	}
	var want []byte
	for f, err := range log.Frames(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, f.Bytes...)
	}
	if string(got) != string(want) {
		t.Error("the bytes are not those of the log")
	}
	one, err := Frames(t.Context(), log, Request{From: 3, MaxBytes: 1})
	if err != nil || len(one) < 1000 {
		t.Errorf("a frame over the bound: %d bytes, %v", len(one), err)
	}
	none, err := Frames(t.Context(), log, Request{From: 21})
	if err != nil || len(none) != 0 {
		t.Errorf("beyond the head: %d bytes, %v", len(none), err)
	}
}

func TestDamagedFrames(t *testing.T) {
	log := openLog(t, 3, 10)
	whole, err := Frames(t.Context(), log, Request{From: 1})
	if err != nil {
		t.Fatal(err)
	}
	for at := range whole {
		damaged := append([]byte(nil), whole...)
		damaged[at] ^= 4
		if !fails(damaged) {
			t.Fatalf("bit flipped in byte %d of %d: no error", at, len(whole))
		}
	}
	if !fails(whole[:len(whole)-1]) {
		t.Error("cut: no error")
	}
}

func fails(body []byte) bool {
	for _, err := range (Answer{body: body}).Frames() {
		if errors.Is(err, events.ErrCorrupt) {
			return true
		}
	}
	return false
}

func TestCheckRange(t *testing.T) {
	log := openLog(t, 5, 10)
	for from, want := range map[uint64]error{0: events.ErrInvalid, 1: nil, 6: nil, 7: events.ErrOutOfRange} {
		if err := Check(log, Request{From: from}); !errors.Is(err, want) {
			t.Errorf("from %d: %v, want %v", from, err, want)
		}
	}
}

func TestWaits(t *testing.T) {
	log := openLog(t, 5, 10)
	hash := log.Head().Hash
	for name, c := range map[string]struct {
		request Request
		want    bool
	}{
		"it is there":   {Request{From: 5, WaitMs: 1000}, false},
		"it is next":    {Request{From: 6, WaitMs: 1000}, true},
		"of this log":   {Request{From: 6, WaitMs: 1000, Prev: hash}, true},
		"of a fork":     {Request{From: 6, WaitMs: 1000, Prev: events.Hash{1}}, false},
		"must not wait": {Request{From: 6}, false},
	} {
		if got := Waits(log, c.request); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Wait(ctx, log, Request{From: 6, WaitMs: 1 << 40}); err != nil {
		t.Errorf("wait that was ended: %v", err)
	}
	if got := (Request{WaitMs: 1 << 62}).Wait(); got != MaxWait {
		t.Errorf("wait %s, want %s", got, MaxWait)
	}
	if got := (Request{WaitMs: -1}).Wait(); got != 0 {
		t.Errorf("wait %s, want none", got)
	}
	if err := Wait(t.Context(), log, Request{From: 6, WaitMs: 1}); err != nil {
		t.Errorf("wait that timed out: %v", err)
	}
}
