package model

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	checks := "20"
	if os.Getenv("METALOG_LONG") != "" {
		checks = "1000"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// TestStoreAgainstModel gives random commands to a store and to a model of it.
// After each step both must agree on whether it was done and why not, and now and
// then, and after every reopen, on all that can be read. At the end the store is
// compared with a rebuild from its log.
func TestStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tb := &scope{TB: t, rt: rt}
		defer tb.finish()
		r := &run{Store: storetest.Open(tb, func(o *metalog.Options) { o.DigestEvery = 10 }), T: rt, t: t, model: newModel()}
		rt.Repeat(map[string]func(*rapid.T){
			"topic":       r.topicStep,
			"segment":     r.segmentStep,
			"group":       r.groupStep,
			"offset":      r.offsetStep,
			"watermark":   r.watermarkStep,
			"config":      r.configStep,
			"transaction": r.transactionStep,
			"delete":      r.deleteStep,
			"repeat":      r.repeatStep,
			"reopen":      func(*rapid.T) { r.Reopen(); r.compare() },
			"compare":     func(*rapid.T) { r.compare() },
		})
		r.compare()
	})
}

// scope is the test that one sequence of steps is: its store is verified when it
// ends, and what fails is rapid's to shrink.
type scope struct {
	testing.TB
	rt       *rapid.T
	cleanups []func()
}

func (s *scope) Cleanup(f func())                  { s.cleanups = append(s.cleanups, f) }
func (s *scope) Failed() bool                      { return s.rt.Failed() }
func (s *scope) Errorf(format string, args ...any) { s.rt.Errorf(format, args...) }
func (s *scope) Fatalf(format string, args ...any) { s.rt.Fatalf(format, args...) }

func (s *scope) finish() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

// run is one sequence of steps.
type run struct {
	*storetest.Store
	*rapid.T
	t     *testing.T
	model *model

	commands int             // how many had an id
	last     metalog.Command // the last that was done with an id
	lastID   string
	lastSeq  uint64
}

func (r *run) pick(what string, of ...string) string { return rapid.SampledFrom(of).Draw(r.T, what) }
func (r *run) number(what string, most int64) int64  { return rapid.Int64Range(0, most).Draw(r.T, what) }

func (r *run) topicName() string { return r.pick("topic", "a", "b", "c") }
func (r *run) groupName() string { return r.pick("group", "g", "h") }

// do gives a command, and reports whether it was done. want is why it should be
// refused, nil if it should not.
func (r *run) do(want error, cmd metalog.Command) bool {
	r.commands++
	id := fmt.Sprint("id-", r.commands)
	result, err := r.Execute(r.t.Context(), cmd, metalog.CommandOptions{ID: id})
	if want != nil {
		if !errors.Is(err, want) {
			r.Fatalf("%s %+v: got %v, want %s", cmd.Op(), cmd, err, events.CodeOf(want))
		}
		return false
	}
	if err != nil {
		r.Fatalf("%s %+v: %v", cmd.Op(), cmd, err)
	}
	if !result.Unchanged {
		r.last, r.lastID, r.lastSeq = cmd, id, result.Seq
	}
	return true
}

// firstOf returns the first error whose condition holds.
func firstOf(pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i].(bool) {
			return pairs[i+1].(error)
		}
	}
	return nil
}

func (r *run) topicStep(*rapid.T) {
	name, n := r.topicName(), int32(r.number("partitions", 3))+1
	t := r.model.topics[name]
	if r.pick("how", "create", "grow") == "create" {
		if r.do(firstOf(t != nil, metalog.ErrAlreadyExists), metalog.CreateTopic{Name: name, Partitions: n, ReplicationFactor: 1}) {
			r.model.createTopic(name, n)
		}
		return
	}
	if r.do(firstOf(t == nil, metalog.ErrNotFound, t != nil && n < t.partitions, metalog.ErrInvalid), metalog.AddPartitions{Name: name, Total: n}) {
		t.partitions = n
	}
}

func (r *run) segmentStep(*rapid.T) {
	name, id, p := r.topicName(), r.pick("id", "1", "2", "3"), int32(r.number("partition", 3))
	start := r.number("start", 50)
	s := span{p, start, start + r.number("length", 20)}
	t := r.model.topics[name]
	want := firstOf(t == nil, metalog.ErrNotFound)
	if t != nil {
		_, exists := t.segments[id]
		want = firstOf(p >= t.partitions, metalog.ErrOutOfRange, exists, metalog.ErrAlreadyExists, s.end < t.start[p], metalog.ErrOutOfRange)
	}
	if r.do(want, metalog.AddSegment{Topic: name, Partition: p, SegmentInfo: metalog.SegmentInfo{ID: id, StartOffset: s.start, EndOffset: s.end}}) {
		t.segments[id] = s
	}
}

func (r *run) groupStep(*rapid.T) {
	id := r.groupName()
	if r.do(firstOf(r.model.groups[id] != nil, metalog.ErrAlreadyExists), metalog.CreateGroup{ID: id}) {
		r.model.groups[id] = &group{offsets: map[position]int64{}}
	}
}

func (r *run) offsetStep(*rapid.T) {
	name, id, p, offset := r.topicName(), r.groupName(), int32(r.number("partition", 3)), r.number("offset", 100)
	t, g := r.model.topics[name], r.model.groups[id]
	cmd := metalog.CommitOffsets{Group: id, Offsets: []metalog.OffsetCommit{{Topic: name, Partition: p, Offset: offset}}}
	if r.do(firstOf(g == nil || t == nil, metalog.ErrNotFound, t != nil && p >= t.partitions, metalog.ErrOutOfRange), cmd) {
		g.offsets[position{t, p}] = offset
	}
}

func (r *run) watermarkStep(*rapid.T) {
	name, p, to := r.topicName(), int32(r.number("partition", 3)), r.number("to", 60)
	t := r.model.topics[name]
	want := firstOf(t == nil, metalog.ErrNotFound)
	if t != nil {
		want = firstOf(p >= t.partitions || to < t.high[p], metalog.ErrOutOfRange)
	}
	if r.do(want, metalog.AdvanceWatermarks{Topic: name, Partition: p, High: &to, LogStart: &to}) {
		t.advance(p, to)
	}
}

func (r *run) configStep(*rapid.T) {
	name, key, value := r.topicName(), r.pick("key", "x", "y"), r.pick("value", "1", "2")
	t := r.model.topics[name]
	cmd := metalog.SetConfig{Scope: events.EntityRef{Kind: events.KindTopic, ID: name}, Config: events.Config{key: value}}
	if r.do(firstOf(t == nil, metalog.ErrNotFound), cmd) {
		t.config[key] = value
	}
}

func (r *run) deleteStep(*rapid.T) {
	if r.pick("what", "topic", "group") == "topic" {
		name := r.topicName()
		if r.do(firstOf(r.model.topics[name] == nil, metalog.ErrNotFound), metalog.DeleteTopic{Name: name}) {
			r.model.deleteTopic(name)
		}
		return
	}
	id := r.groupName()
	if r.do(firstOf(r.model.groups[id] == nil, metalog.ErrNotFound), metalog.DeleteGroup{ID: id}) {
		r.model.deleteGroup(id)
	}
}

// repeatStep repeats the last command that had an effect.
func (r *run) repeatStep(*rapid.T) {
	if r.last == nil {
		return
	}
	before := r.Seq()
	result, err := r.Execute(r.t.Context(), r.last, metalog.CommandOptions{ID: r.lastID})
	if err != nil || !result.Repeated || result.Seq != r.lastSeq || r.Seq() != before {
		r.Fatalf("repeat of %s: %+v, %v", r.last.Op(), result, err)
	}
}

func (r *run) transactionStep(*rapid.T) {
	id := r.pick("txn", "t", "u")
	t := r.model.txns[id]
	if t == nil || !t.state.Open() {
		r.begin(id, t)
		return
	}
	p := metalog.Producer{TransactionalID: id, ProducerID: t.producer, ProducerEpoch: t.epoch}
	ongoing := t.state == events.TransactionOngoing
	prepared := t.state == events.TransactionPrepareCommit
	switch r.pick("how", "group", "offset", "offset", "prepare", "commit", "abort", "fence") {
	case "group":
		g := r.model.groups["g"]
		if r.do(firstOf(!ongoing, metalog.ErrConflict, g == nil, metalog.ErrNotFound), metalog.AddTransactionOffsets{Producer: p, Group: "g"}) {
			t.groups[g] = true
		}
	case "offset":
		r.pendingStep(p, t, ongoing)
	case "prepare":
		if r.do(nil, metalog.PrepareTransaction{Producer: p, Outcome: metalog.OutcomeCommit}) {
			t.state = events.TransactionPrepareCommit
		}
	case "commit":
		if r.do(firstOf(!prepared, metalog.ErrConflict), metalog.CommitTransaction{Producer: p}) {
			t.end(events.TransactionCompleteCommit)
		}
	case "abort":
		if r.do(firstOf(prepared, metalog.ErrConflict), metalog.AbortTransaction{Producer: p}) {
			t.end(events.TransactionCompleteAbort)
		}
	case "fence":
		if r.do(firstOf(prepared, metalog.ErrConflict), metalog.FenceProducer{TransactionalID: id}) {
			t.end(events.TransactionCompleteAbort)
			t.epoch++
			r.do(metalog.ErrFenced, metalog.AbortTransaction{Producer: p})
		}
	}
}

func (r *run) begin(id string, t *txn) {
	if t == nil {
		r.do(nil, metalog.AllocateProducerIDs{Count: 1})
		t = &txn{producer: r.model.nextID, groups: map[*group]bool{}, pending: map[pendingPosition]int64{}}
		r.model.nextID++
	}
	r.do(nil, metalog.BeginTransaction{Producer: metalog.Producer{TransactionalID: id, ProducerID: t.producer, ProducerEpoch: t.epoch}})
	t.state = events.TransactionOngoing
	r.model.txns[id] = t
}

func (r *run) pendingStep(p metalog.Producer, t *txn, ongoing bool) {
	name, offset := r.topicName(), r.number("offset", 100)
	g, owner := r.model.groups["g"], r.model.topics[name]
	want := firstOf(!ongoing, metalog.ErrConflict, g == nil, metalog.ErrNotFound, !t.groups[g], metalog.ErrConflict, owner == nil, metalog.ErrNotFound)
	cmd := metalog.CommitTransactionOffsets{Producer: p, Group: "g", Offsets: []metalog.OffsetCommit{{Topic: name, Offset: offset}}}
	if r.do(want, cmd) {
		t.pending[pendingPosition{g, position{owner, 0}}] = offset
	}
}

// compare compares all that can be read with the model.
func (r *run) compare() {
	ctx := r.t.Context()
	topics, err := r.ListTopics(ctx)
	r.check(err, names(topics, func(t events.Topic) string { return t.Name }), sortedKeys(r.model.topics))
	for _, t := range topics {
		r.compareTopic(ctx, t, r.model.topics[t.Name])
	}
	groups, err := r.ListGroups(ctx)
	r.check(err, names(groups, func(g events.Group) string { return g.ID }), sortedKeys(r.model.groups))
	for _, g := range groups {
		r.compareGroup(ctx, g.ID, r.model.groups[g.ID])
	}
	txns, err := r.ListTransactions(ctx)
	r.check(err, names(txns, func(t events.Transaction) string { return t.TransactionalID }), sortedKeys(r.model.txns))
	for _, t := range txns {
		r.compareTransaction(t, r.model.txns[t.TransactionalID])
	}
}

// check compares two values by how they print.
func (r *run) check(err error, got, want any) {
	r.Helper()
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		r.Fatalf("got %v, %v\nwant %v", got, err, want)
	}
}

func names[T any](list []T, name func(T) string) []string {
	all := make([]string, len(list))
	for i, item := range list {
		all[i] = name(item)
	}
	return all
}

func (r *run) compareTopic(ctx context.Context, got events.Topic, want *topic) {
	r.check(nil, got.Partitions, want.partitions)
	if !maps.Equal(got.Config, want.config) {
		r.Fatalf("config of %s: got %v, want %v", got.Name, got.Config, want.config)
	}
	list, err := r.ListSegments(ctx, got.Name, metalog.AllPartitions)
	segments := map[string]span{}
	for _, s := range list {
		segments[s.ID] = span{s.Partition, s.StartOffset, s.EndOffset}
	}
	r.check(err, segments, want.segments)
	for p := range want.partitions {
		partition, err := r.GetPartition(ctx, got.Name, p)
		r.check(err, [2]int64{partition.HighWatermark, partition.LogStartOffset}, [2]int64{want.high[p], want.start[p]})
	}
}

func (r *run) compareGroup(ctx context.Context, id string, want *group) {
	list, err := r.ListOffsets(ctx, id)
	got, expected := map[string]int64{}, map[string]int64{}
	for _, o := range list {
		got[fmt.Sprint(o.Topic, o.Partition)] = o.Offset
	}
	for p, offset := range want.offsets {
		expected[fmt.Sprint(r.model.topicName(p.topic), p.partition)] = offset
	}
	r.check(err, got, expected)
}

func (r *run) compareTransaction(got events.Transaction, want *txn) {
	r.check(nil, []any{got.ProducerID, got.ProducerEpoch, got.State, len(got.Groups)}, []any{want.producer, want.epoch, want.state, len(want.groups)})
	pending, expected := map[string]int64{}, map[string]int64{}
	for _, o := range got.Pending {
		pending[o.Topic] = o.Offset
	}
	for p, offset := range want.pending {
		expected[r.model.topicName(p.topic)] = offset
	}
	r.check(nil, pending, expected)
}
