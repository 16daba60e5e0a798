package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
)

var testLogID = uuid.UUID{15: 7}

// testLog is a log of random records of all shapes, in segments of some kilobytes.
type testLog struct {
	*eventlog.File
	dir    string
	frames []eventlog.Located // all of them
}

// records makes random ones: of one event and of many, small and large, with command
// ids and without.
func randomRecord(rng *rand.Rand, seq uint64, t events.Time) *events.Record {
	rec := &events.Record{Seq: seq, Time: t}
	if rng.IntN(3) == 0 {
		rec.Meta = events.Meta{Actor: "broker-3", CommandID: fmt.Sprint("c", rng.Uint64()), CommandHash: make([]byte, 32), Reason: "why"}
		for i := range rec.Meta.CommandHash {
			rec.Meta.CommandHash[i] = byte(rng.Uint32())
		}
	}
	if rng.IntN(40) == 0 {
		value := make([]byte, rng.IntN(20_000))
		for i := range value {
			value[i] = 'a' + byte(rng.IntN(26))
		}
		rec.Facts = []events.Fact{{Cause: events.NoCause, Event: &events.ConfigSet{
			Scope:  events.Scope{Of: events.EntityRef{Kind: events.KindTopic, ID: "orders"}},
			Config: events.Config{"retention.ms": string(value)},
		}}}
		return rec
	}
	for range 1 + rng.IntN(3)*rng.IntN(20) {
		rec.Facts = append(rec.Facts, events.Fact{Cause: events.NoCause, Event: &events.OffsetCommitted{
			OffsetRef:  events.OffsetRef{Group: "billing", GroupID: 9, Topic: "orders", TopicID: uuid.UUID{3}, Partition: int32(rng.IntN(50))},
			OffsetInfo: events.OffsetInfo{Offset: rng.Int64N(1e9), LeaderEpoch: 3},
		}})
	}
	return rec
}

func openTestLog(t testing.TB, dir string, segmentSize int) *eventlog.File {
	t.Helper()
	f, err := eventlog.Open(dir, eventlog.Options{SegmentSize: segmentSize, MinFreeBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// newTestLog makes a log of n records.
func newTestLog(t testing.TB, seed uint64, n, segmentSize int) *testLog {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "log")
	l := &testLog{File: openTestLog(t, dir, segmentSize), dir: dir}
	rng := rand.New(rand.NewPCG(seed, 0))
	now := events.TimeOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	for l.Head().Seq < uint64(n) {
		g := eventlog.NewGroup(l.Head())
		for range min(1+rng.IntN(200), n-int(l.Head().Seq)) {
			now += events.Time(rng.Int64N(3) * rng.Int64N(1e6))
			if err := g.Add(randomRecord(rng, g.Head().Seq+1, now)); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Append(g); err != nil {
			t.Fatal(err)
		}
	}
	for at, err := range l.Located(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		l.frames = append(l.frames, at)
	}
	return l
}

// created makes an archive in a place, or opens it as the log's start tells.
func (l *testLog) created(t testing.TB, place Place) *Archive {
	t.Helper()
	a, err := Create(t.Context(), place, 1, l.options())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (l *testLog) options() Options {
	return Options{LogID: testLogID, Upto: l.Start().Before(), Clock: func() time.Time { return time.Unix(1, 0) }}
}

// move moves the first n segments to the archive.
func (l *testLog) move(ctx context.Context, a *Archive, n int) error {
	for _, seg := range l.Segments()[:n] {
		m, err := a.Add(ctx, l, seg, 1)
		if err != nil {
			return err
		}
		if err := a.Extend(m); err != nil {
			return err
		}
	}
	return l.DropBefore(a.Head().Seq+1, a.String())
}

func mustMove(t testing.TB, l *testLog, a *Archive, n int) {
	t.Helper()
	if err := l.move(t.Context(), a, n); err != nil {
		t.Fatal(err)
	}
}

// joined is the log and what is in the archive.
func (l *testLog) joined(a *Archive) *Joined {
	o := NewOpener(nil)
	o.Use(a)
	return Join(o, l)
}

// checkAll checks that r has exactly the frames that were written, from a seq on.
func (l *testLog) checkAll(t testing.TB, r eventlog.Reader, from uint64) {
	t.Helper()
	next := from
	for got, err := range r.Located(t.Context(), from) {
		if err != nil {
			t.Fatalf("seq %d: %v", next, err)
		}
		l.same(t, got, next)
		next++
	}
	if next != l.Head().Seq+1 {
		t.Fatalf("read up to seq %d, want %d", next-1, l.Head().Seq)
	}
}

// same checks that a frame is the one that was written for a seq.
func (l *testLog) same(t testing.TB, got eventlog.Located, seq uint64) {
	t.Helper()
	want := l.frames[seq-1]
	if got.Seq != seq || !bytes.Equal(got.Bytes, want.Bytes) || got.Hash != want.Hash || got.Prev != want.Prev || got.Time != want.Time || got.Group != want.Group || got.Offset != want.Offset {
		t.Fatalf("seq %d is not the frame that was written: %+v, want %+v", seq, got, want)
	}
}

// damageOf returns the damage that an error tells of.
func damageOf(t testing.TB, err error) *Damage {
	t.Helper()
	d, ok := errors.AsType[*Damage](err)
	if !ok || !errors.Is(err, events.ErrCorrupt) {
		t.Fatalf("got error %v, want a damage", err)
	}
	return d
}
