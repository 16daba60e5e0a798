package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/history"
	"github.com/metalog/metalog/internal/storetest"
	"github.com/metalog/metalog/replay"
)

// liveAndDie has topics and groups come and go, and others under their names.
func liveAndDie(s *storetest.Store, rounds int) {
	for _, id := range []int32{1, 2} {
		if _, err := s.GetBroker(context.Background(), id); err != nil {
			s.Must(metalog.RegisterBroker{ID: id, Host: "h", Port: 9092}, metalog.WithActor("boot"))
		}
	}
	for n := range rounds {
		by := metalog.WithActor(fmt.Sprint("actor-", n%3))
		s.Must(metalog.CreateTopic{Name: "orders", Partitions: 2, ReplicationFactor: 2, Config: events.Config{"n": fmt.Sprint(n)}}, by)
		s.Must(metalog.CreateGroup{ID: "billing"}, by)
		for p := range int32(2) {
			s.Must(metalog.AssignPartition{Topic: "orders", Partition: p, Replicas: events.BrokerIDs{1, 2}}, by)
			s.Must(metalog.AddSegment{Topic: "orders", SegmentInfo: metalog.SegmentInfo{ID: fmt.Sprint(p), EndOffset: 9}, Partition: p}, by)
		}
		for i := range 5 {
			high := int64(10 * (i + 1))
			s.Must(metalog.AdvanceWatermarks{Topic: "orders", Partition: int32(i % 2), High: &high}, by)
			s.Must(metalog.CommitOffsets{Group: "billing", Offsets: []metalog.OffsetCommit{{Topic: "orders", Partition: int32(i % 2), Offset: high}}}, by)
		}
		s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOffline}, by)
		s.Must(metalog.SetBrokerStatus{ID: 1, Status: events.BrokerOnline}, by)
		if n < rounds-1 {
			s.Must(metalog.DeleteTopic{Name: "orders"}, by)
			s.Must(metalog.DeleteGroup{ID: "billing"}, by)
		}
	}
}

// historian has an index of its own over a store's log.
type historian struct {
	replay.Historian
	t    testing.TB
	opts history.Options
}

func openHistorian(t testing.TB, log eventlog.Reader, path string) *historian {
	t.Helper()
	h := &historian{t: t, opts: history.Options{Path: path, Log: log}}
	h.open()
	t.Cleanup(func() { h.close() })
	return h
}

func (h *historian) open() {
	h.t.Helper()
	index, err := history.Open(context.Background(), h.opts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Historian = replay.Historian{Log: h.opts.Log, Index: index}
}

func (h *historian) close() {
	h.t.Helper()
	if err := h.Index.Close(); err != nil {
		h.t.Error(err)
	}
}

func (h *historian) read(q replay.HistoryQuery) []replay.TreeEvent {
	h.t.Helper()
	return mustCollect(h.t, h.History(context.Background(), q))
}

func mustCollect[T any](t testing.TB, list iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for e, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// everything is all that the index answers of a log of liveAndDie.
func (h *historian) everything() string {
	h.t.Helper()
	var all []any
	for _, entity := range []string{"topic/orders", "group/billing", "broker/1", "cluster", "topic/orders/segment/1", "group/billing/offset/orders/0"} {
		for _, newest := range []bool{false, true} {
			all = append(all, h.read(replay.HistoryQuery{Entity: entity, NewestFirst: newest}))
		}
	}
	all = append(all, h.read(replay.HistoryQuery{Entity: "topic/orders", Cascade: true, NoHighRate: true}))
	for _, err := range h.History(context.Background(), replay.HistoryQuery{Entity: "topic/none"}) {
		all = append(all, err.Error())
	}
	text, err := json.Marshal(all)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// TestRangeTwice: a list of events is the same each time it is ranged over, also
// when the first time ended early.
func TestRangeTwice(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 2)
	h := openHistorian(t, s.Log(), filepath.Join(t.TempDir(), "history.db"))
	deleted := h.read(replay.HistoryQuery{Entity: "topic/orders", Types: []string{"TopicDeleted"}})[0]
	for name, list := range map[string]iter.Seq2[replay.TreeEvent, error]{
		"history": h.History(t.Context(), replay.HistoryQuery{Entity: "topic/orders", Limit: 5}),
		"newest":  h.History(t.Context(), replay.HistoryQuery{Entity: "topic/orders", NewestFirst: true}),
		"cascade": h.Cascade(t.Context(), replay.CascadeQuery{Of: replay.EventRef{Seq: deleted.Seq}}),
	} {
		for range list {
			break
		}
		first, second := positions(mustCollect(t, list)), positions(mustCollect(t, list))
		if len(first) < 3 || !slices.Equal(first, second) {
			t.Errorf("%s: first %v, then %v", name, first, second)
		}
	}
}

func positions(list []replay.TreeEvent) (at []events.Position) {
	for _, e := range list {
		at = append(at, events.Position{Seq: e.Seq, Index: e.Index})
	}
	return at
}

func TestNamesakesAreToldApart(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 3)
	h := openHistorian(t, s.Log(), filepath.Join(t.TempDir(), "history.db"))
	all := h.read(replay.HistoryQuery{Entity: "topic/orders"})
	var apart []replay.TreeEvent
	ids := map[uuid.UUID]bool{}
	for _, e := range all {
		if created, ok := e.Payload.(*events.TopicCreated); ok {
			ids[created.ID] = true
			one := h.read(replay.HistoryQuery{Entity: "topic/" + created.ID.String()})
			for _, e := range one {
				if e.Payload.(events.Identified).Identity().TopicID != created.ID {
					t.Fatalf("%s has an event of another topic: %+v", created.ID, e)
				}
			}
			apart = append(apart, one...)
		}
	}
	if len(ids) != 3 || len(apart) != len(all) {
		t.Errorf("%d topics with %d events, in all %d", len(ids), len(apart), len(all))
	}
	groups := h.read(replay.HistoryQuery{Entity: "group/billing", Types: []string{"GroupCreated"}})
	if len(groups) != 3 {
		t.Fatalf("%d groups, want 3", len(groups))
	}
	for _, g := range groups {
		one := h.read(replay.HistoryQuery{Entity: fmt.Sprintf("group/#%d", g.Seq)})
		if len(one) == 0 || one[0].Seq != g.Seq {
			t.Errorf("group #%d begins with %+v", g.Seq, one)
		}
	}
	report, err := h.Blame(t.Context(), "topic/"+h.read(replay.HistoryQuery{Entity: "topic/orders", Limit: 1})[0].Payload.(*events.TopicCreated).ID.String(), replay.Point{})
	if err != nil || report.Deleted == nil || report.Deleted.Type != "TopicDeleted" || report.Deleted.Actor != "actor-0" {
		t.Errorf("the first topic was deleted by %+v, %v", report.Deleted, err)
	}
}

// TestBlameOfEachKey: each key of a config is a field, whatever it is called, and text
// is as readable as where the entity is described.
func TestBlameOfEachKey(t *testing.T) {
	s := openSmall(t)
	s.Must(metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1, Config: events.Config{"config": "a", "attributes": "b", "k": "c"}})
	s.Must(metalog.CreateGroup{ID: "<&>"})
	h := openHistorian(t, s.Log(), filepath.Join(t.TempDir(), "history.db"))
	got := map[string]string{}
	for _, entity := range []string{"topic/orders", "group/<&>"} {
		report, err := h.Blame(t.Context(), entity, replay.Point{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Fields {
			got[entity+" "+f.Field] = string(f.Value)
		}
	}
	for field, want := range map[string]string{
		"topic/orders config.config":     `"a"`,
		"topic/orders config.attributes": `"b"`,
		"topic/orders config.k":          `"c"`,
		"group/<&> id":                   `"<&>"`,
	} {
		if got[field] != want {
			t.Errorf("%s is %s, want %s", field, got[field], want)
		}
	}
}

// TestNamesThatLookLikeIDs: what there has been by a name comes first.
func TestNamesThatLookLikeIDs(t *testing.T) {
	s := openSmall(t)
	s.Must(metalog.CreateTopic{Name: "orders", Partitions: 1, ReplicationFactor: 1})
	topic, err := s.GetTopic(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	s.Must(metalog.CreateTopic{Name: topic.ID.String(), Partitions: 1, ReplicationFactor: 1})
	s.Must(metalog.CreateGroup{ID: "g"})
	s.Must(metalog.CreateGroup{ID: "g/offset/orders/0"})
	s.Must(metalog.CreateGroup{ID: fmt.Sprint("#", s.Seq()-1)})
	s.Must(metalog.CommitOffsets{Group: "g", Offsets: []metalog.OffsetCommit{{Topic: "orders", Offset: 1}}})
	h := openHistorian(t, s.Log(), filepath.Join(t.TempDir(), "history.db"))
	for entity, want := range map[string]events.EntityRef{
		"topic/" + topic.ID.String():               {Kind: events.KindTopic, ID: topic.ID.String()},
		"group/g/offset/orders/0":                  {Kind: events.KindGroup, ID: "g/offset/orders/0"},
		"group/g/offset/orders/0/offset/orders/00": {},
		fmt.Sprint("group/#", s.Seq()-3):           {Kind: events.KindGroup, ID: fmt.Sprint("#", s.Seq()-3)},
		fmt.Sprint("group/#", s.Seq()-2):           {Kind: events.KindGroup, ID: "g/offset/orders/0"},
	} {
		list := h.read(replay.HistoryQuery{Entity: entity})
		if (want == events.EntityRef{}) != (len(list) == 0) {
			t.Errorf("%s: %d events", entity, len(list))
		}
		for _, e := range list {
			if e.Entity != want {
				t.Errorf("%s: an event of %s, want %s", entity, e.Entity, want)
			}
		}
	}
}

// TestAnyPageDamaged spoils each page of the index, and wants right answers or, when
// that can't be, a new index, but never others.
func TestAnyPageDamaged(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 6)
	path := filepath.Join(t.TempDir(), "history.db")
	h := openHistorian(t, s.Log(), path)
	want := h.everything()
	h.close()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	spoil := map[string]func(page []byte){
		"zeroed":  func(page []byte) { clear(page) },
		"swapped": func(page []byte) { copy(page[16:], slices.Concat(page[64:], page[16:64])) },
		"flipped": func(page []byte) {
			for i := 20; i < len(page); i += 97 {
				page[i] ^= 4
			}
		},
	}
	const pageBytes = 4096
	for name, spoil := range spoil {
		for at := 0; at < len(good); at += pageBytes {
			if at > 0 && slices.IndexFunc(good[at:at+pageBytes], func(b byte) bool { return b != 0 }) < 0 {
				continue // not used
			}
			data := slices.Clone(good)
			spoil(data[at : at+pageBytes])
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			h.open()
			if got := h.everything(); got != want {
				t.Fatalf("page %d %s: another answer", at/pageBytes, name)
			}
			h.close()
		}
	}
	for size := int64(0); size < int64(len(good)); size += pageBytes * 64 {
		if err := errors.Join(os.WriteFile(path, good, 0o600), os.Truncate(path, size+100)); err != nil {
			t.Fatal(err)
		}
		h.open()
		if got := h.everything(); got != want {
			t.Fatalf("cut at %d: another answer", size)
		}
		h.close()
	}
	h.open() // for the cleanup
}

// TestIndexOfAnotherLog: it is made anew for a log that is not the one it was made
// of, has gone another way since, or has lost records.
func TestIndexOfAnotherLog(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 2)
	early := copyLog(t, s)
	s.Must(metalog.CreateTopic{Name: "later", Partitions: 1, ReplicationFactor: 1})
	other := openSmall(t)
	liveAndDie(other, 3)
	fork := storetest.Open(t, func(o *metalog.Options) { o.Path = copyStore(t, s); o.SegmentSize = 400 })
	for range 4 {
		s.Must(metalog.CreateGroup{ID: fmt.Sprint("g-", s.Seq())}, metalog.WithActor("one"))
		fork.Must(metalog.CreateGroup{ID: fmt.Sprint("g-", fork.Seq())}, metalog.WithActor("two"))
	}
	for name, log := range map[string]eventlog.Reader{"earlier": early, "other": other.Log(), "fork": fork.Log()} {
		want := openHistorian(t, log, filepath.Join(t.TempDir(), "fresh.db")).everything()
		path := filepath.Join(t.TempDir(), "history.db")
		h := openHistorian(t, s.Log(), path)
		h.everything()
		h.close()
		h.opts.Log = log // as if it had the same id
		h.open()
		if got := h.everything(); got != want {
			t.Errorf("%s: what another log's index says", name)
		}
		if _, err := os.Stat(path + history.Unusable); err != nil {
			t.Errorf("%s: the file was not set aside: %v", name, err)
		}
	}
}

// copyStore copies a store's directory as a crash would leave it.
func copyStore(t *testing.T, s *storetest.Store) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "copy")
	s.MustClose()
	err := os.CopyFS(dir, os.DirFS(s.Options.Path))
	s.Reopen()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyLog opens a copy of a store's log.
func copyLog(t *testing.T, s *storetest.Store) *eventlog.File {
	t.Helper()
	log, err := eventlog.Open(filepath.Join(copyStore(t, s), "log"), eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return log
}

// brokenLog ends after some records, as a program that is killed does.
type brokenLog struct {
	eventlog.Reader
	left int
}

var errBroken = errors.New("broken off")

func (b *brokenLog) Located(ctx context.Context, from uint64) iter.Seq2[eventlog.Located, error] {
	return func(yield func(eventlog.Located, error) bool) {
		for at, err := range b.Reader.Located(ctx, from) {
			if b.left--; b.left < 0 {
				err = errBroken
			}
			if !yield(at, err) || err != nil {
				return
			}
		}
	}
}

// TestIndexingBrokenOff: what is there after indexing was broken off anywhere is
// whole, and is gone on from.
func TestIndexingBrokenOff(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 3)
	want := openHistorian(t, s.Log(), filepath.Join(t.TempDir(), "fresh.db")).everything()
	h := openHistorian(t, s.Log(), filepath.Join(t.TempDir(), "history.db"))
	h.opts.BatchRecords = 7
	broken := &brokenLog{Reader: s.Log()}
	gone := 0
	for step := 1; ; step++ {
		h.close()
		h.opts.Log = broken
		h.open()
		broken.left = 9 + step%5
		err := h.CatchUp(t.Context(), s.Seq())
		if err == nil {
			break
		}
		if !errors.Is(err, errBroken) || step > int(s.Seq()) {
			t.Fatalf("after %d steps: %v", step, err)
		}
		gone++
	}
	if gone < 3 {
		t.Fatalf("broken off %d times only", gone)
	}
	h.close()
	h.opts.Log = s.Log()
	h.open()
	if got := h.everything(); got != want {
		t.Error("another answer than that of an index made in one go")
	}
}

// TestHistoryOverLogAndArchive: the archive changes nothing.
func TestHistoryOverLogAndArchive(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 4)
	path := filepath.Join(t.TempDir(), "history.db")
	h := openHistorian(t, s.Log(), path)
	want := h.everything()
	h.close()
	store, err := metalog.Open(t.Context(), metalog.Options{Path: copyStore(t, s), SweepInterval: -1, SegmentSize: 400})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.CreateSnapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := store.Archive(t.Context(), metalog.ArchiveOptions{To: filepath.Join(t.TempDir(), "archive")})
	if err != nil || len(report.Segments) == 0 {
		t.Fatalf("archived %+v, %v", report, err)
	}
	h.opts.Log = store.Log()
	h.open()
	if got := h.everything(); got != want {
		t.Error("another answer from the archive")
	}
	if fresh := openHistorian(t, store.Log(), filepath.Join(t.TempDir(), "fresh.db")); fresh.everything() != want {
		t.Error("another answer from an index of the archive")
	}
}

// TestFirstSeqOfHistory prunes the log in front, between two topics of a name and
// within the life of one.
func TestFirstSeqOfHistory(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 3)
	path := filepath.Join(t.TempDir(), "history.db")
	h := openHistorian(t, s.Log(), path)
	all := h.read(replay.HistoryQuery{Entity: "topic/orders"})
	created := []int{}
	for i, e := range all {
		if e.Type == "TopicCreated" {
			created = append(created, i)
		}
	}
	topic := func(n int) string {
		return "topic/" + all[created[n]].Payload.(*events.TopicCreated).ID.String()
	}
	between, within := all[created[1]].Seq-1, all[created[1]+4].Seq
	h.close()
	for name, path := range map[string]string{"made before": path, "made after": filepath.Join(t.TempDir(), "fresh.db")} {
		log := &prunedLog{Reader: s.Log(), first: between}
		h := openHistorian(t, log, path)
		if got := h.read(replay.HistoryQuery{Entity: "topic/orders"}); len(got) != len(all)-created[1] {
			t.Errorf("%s: %d events from seq %d on, want %d", name, len(got), between, len(all)-created[1])
		}
		h.outOfRange(name, replay.HistoryQuery{Entity: topic(0)}, 0)
		h.outOfRange(name, replay.HistoryQuery{Entity: "topic/orders", From: 2}, 0)
		if _, err := h.Blame(t.Context(), topic(1), replay.Point{}); err != nil {
			t.Errorf("%s: blame of a topic that is whole: %v", name, err)
		}
		if _, err := h.Blame(t.Context(), "broker/1", replay.Point{}); !errors.Is(err, events.ErrOutOfRange) {
			t.Errorf("%s: blame of a broker from before: %v", name, err)
		}
		log.first = within
		left := len(all) - created[1] - 4
		h.outOfRange(name, replay.HistoryQuery{Entity: "topic/orders"}, 0)
		h.outOfRange(name, replay.HistoryQuery{Entity: "topic/orders", NewestFirst: true}, left)
		h.outOfRange(name, replay.HistoryQuery{Entity: topic(1)}, 0)
		if got := h.read(replay.HistoryQuery{Entity: "topic/orders", From: within}); len(got) != left {
			t.Errorf("%s: %d events from seq %d on, want %d", name, len(got), within, left)
		}
		if got := h.read(replay.HistoryQuery{Entity: topic(2)}); len(got) != len(all)-created[2] {
			t.Errorf("%s: %d events of the last topic, want %d", name, len(got), len(all)-created[2])
		}
	}
}

// TestIndexBehindAPrunedLog: what an index would go on with may be gone; it is made
// anew then from what there is, also when that shows only while it reads, as with an
// archive that was not reached before.
func TestIndexBehindAPrunedLog(t *testing.T) {
	s := openSmall(t)
	liveAndDie(s, 3)
	log := &prunedLog{Reader: s.Log(), first: 1}
	h := openHistorian(t, log, filepath.Join(t.TempDir(), "history.db"))
	if err := h.CatchUp(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	first, head := log.Segments()[4].First, log.Head().Seq
	log.pruning = first
	if err := h.CatchUp(t.Context(), head); err != nil {
		t.Fatal(err)
	}
	if h.Index.First() != first || h.Index.Seq() != head {
		t.Errorf("the index has seq %d to %d, want %d to %d", h.Index.First(), h.Index.Seq(), first, head)
	}
}

// outOfRange wants so many events and then an error that says where to begin; an
// index that was made afterwards may not know the entity at all.
func (h *historian) outOfRange(name string, q replay.HistoryQuery, want int) {
	h.t.Helper()
	got, err := collectUntil(h.History(context.Background(), q))
	if first := fmt.Sprint(h.opts.Log.First()); err == nil || !strings.Contains(err.Error(), first) ||
		!errors.Is(err, events.ErrOutOfRange) && !(name == "made after" && errors.Is(err, events.ErrNotFound)) {
		h.t.Errorf("%s, %+v: %v, want out of range and seq %s", name, q, err, first)
	}
	if len(got) != want {
		h.t.Errorf("%s, %+v: %d events, want %d", name, q, len(got), want)
	}
}

func collectUntil[T any](list iter.Seq2[T, error]) (all []T, err error) {
	for e, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, e)
	}
	return all, nil
}

// prunedLog has lost its first records.
type prunedLog struct {
	eventlog.Reader
	first   uint64
	pruning uint64 // if not 0: what first becomes with the next read
}

func (p *prunedLog) First() uint64 { return p.first }

func (p *prunedLog) Located(ctx context.Context, from uint64) iter.Seq2[eventlog.Located, error] {
	p.first = max(p.first, p.pruning)
	if from >= p.first {
		return p.Reader.Located(ctx, from)
	}
	return func(yield func(eventlog.Located, error) bool) {
		yield(eventlog.Located{}, events.Errorf(events.CodeOutOfRange, "seq %d is gone", from))
	}
}

func (p *prunedLog) FrameAt(ctx context.Context, seq uint64, offset int64) (eventlog.Frame, error) {
	if seq < p.first {
		panic("a record is read that is gone")
	}
	return p.Reader.FrameAt(ctx, seq, offset)
}
