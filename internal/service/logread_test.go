package service

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/micro"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/logread"
	"github.com/metalog/metalog/internal/wire"
)

// logAnswer is what a log read came to.
type logAnswer struct {
	logread.Answer
	err error
}

func (f *fixture) readLog(t *testing.T, r logread.Request) <-chan logAnswer {
	answers := make(chan logAnswer, 1)
	go func() {
		a, err := logread.Ask(t.Context(), f.asker, wire.DefaultCluster, r)
		answers <- logAnswer{a, err}
	}()
	return answers
}

// TestLogReadInParts reads records that take several messages, byte for byte.
func TestLogReadInParts(t *testing.T) {
	f := start(t, Options{})
	large := strings.Repeat("v", 30<<10)
	for i := range 40 {
		cmd := metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindCluster}, Config: events.Config{"k": fmt.Sprint(i, large)}}
		if _, err := f.store.SetConfig(t.Context(), cmd); err != nil {
			t.Fatal(err)
		}
	}
	got := <-f.readLog(t, logread.Request{From: 1})
	if got.err != nil {
		t.Fatal(got.err)
	}
	info, err := f.store.Info(t.Context())
	if err != nil || got.State != (logread.State{LogID: info.LogID, Epoch: 1, First: 1, Head: info.Head}) {
		t.Errorf("state %+v, want that of %+v; %v", got.State, info, err)
	}
	seq := uint64(0)
	for frame, err := range got.Frames() {
		if seq++; err != nil || frame.Seq != seq {
			t.Fatalf("seq %d, want %d: %v", frame.Seq, seq, err)
		}
	}
	if seq != 41 {
		t.Errorf("%d frames, want 41", seq)
	}
}

// TestLogReadWaits wants a read that waits to be answered by the next record, and
// to keep neither reads nor commands, nor other log reads.
func TestLogReadWaits(t *testing.T) {
	f := start(t, Options{MaxConcurrent: 2})
	waiting := f.readLog(t, logread.Request{From: 2, WaitMs: 30_000})
	for len(f.service.logWaiting) == 0 {
		runtime.Gosched() // until it waits
	}
	// No room for a second one that waits: it is told so at once.
	if got := <-f.readLog(t, logread.Request{From: 2, WaitMs: 30_000}); got.err != nil || !got.Empty() || got.Head.Seq != 1 {
		t.Errorf("second: %+v, %v", got.State, got.err)
	}
	if reply := f.ask(t, request("topic.list", "")); reply.Header.Get(micro.ErrorCodeHeader) != "" {
		t.Errorf("read: %s", reply.Data)
	}
	if reply := f.ask(t, request("group.create", `{"id":"g"}`)); reply.Header.Get(micro.ErrorCodeHeader) != "" {
		t.Errorf("command: %s", reply.Data)
	}
	if got := <-waiting; got.err != nil || got.Empty() || got.Head.Seq != 2 {
		t.Errorf("the one that waited: %+v, %v", got.State, got.err)
	}
}

// TestCloseEndsLogReads closes a service while a log read waits: it is answered.
func TestCloseEndsLogReads(t *testing.T) {
	f := start(t, Options{})
	waiting := f.readLog(t, logread.Request{From: 2, WaitMs: 30_000})
	for len(f.service.logWaiting) == 0 {
		runtime.Gosched()
	}
	if err := f.service.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-waiting; got.err != nil || !got.Empty() {
		t.Errorf("%+v, %v", got.State, got.err)
	}
}

func TestLogReadRefusals(t *testing.T) {
	f := start(t, Options{})
	for from, want := range map[uint64]error{0: events.ErrInvalid, 3: events.ErrOutOfRange} {
		got := <-f.readLog(t, logread.Request{From: from})
		refusal, ok := errors.AsType[*logread.Refusal](got.err)
		if !ok || !errors.Is(got.err, want) || refusal.Head.Seq != 1 || refusal.First != 1 {
			t.Errorf("from %d: %v, want %v with the log's state", from, got.err, want)
		}
	}
	if reply := f.ask(t, request(logread.Op, `{"form":1}`)); reply.Header.Get(micro.ErrorCodeHeader) != string(events.CodeInvalid) {
		t.Errorf("unknown field: %s", reply.Data)
	}
	if err := f.service.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := <-f.readLog(t, logread.Request{From: 1}); !errors.Is(got.err, logread.ErrNoServer) {
		t.Errorf("nobody there: %v", got.err)
	}
}
