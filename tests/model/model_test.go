package model

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// TestMain sets how much is done; what the command line says comes before that.
func TestMain(m *testing.M) {
	checks, steps := "10", "50"
	if os.Getenv("METALOG_LONG") != "" {
		checks, steps = "500", "100"
	}
	if err := errors.Join(flag.Set("rapid.checks", checks), flag.Set("rapid.steps", steps)); err != nil {
		panic(err)
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// TestStoreAgainstModel gives random commands to a store and to a model of it.
// After each step both must agree on whether it was done and why not, and now and
// then, and after whatever happens to the store, on all that can be read. At the
// end the store is compared with a rebuild from its log.
func TestStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tb := newScope(t, rt)
		defer tb.finish()
		r := &run{T: rt, tb: tb, model: newModel(), answers: map[uint64]string{}, blame: blameBook{}}
		r.Store = storetest.Open(tb, func(o *metalog.Options) {
			o.DigestEvery, o.SegmentSize = 10, 4096
			o.MaxPendingBytes = rapid.SampledFrom([]int64{0, 4096}).Draw(rt, "pending bytes")
		})
		r.note()
		r.populate()
		rt.Repeat(r.steps())
		r.compare()
	})
}

// populate makes a cluster that most commands find something in.
func (r *run) populate() {
	for id := range int32(4) {
		r.registerBroker(id, nil, 0)
	}
	for _, name := range []string{"a", "b"} {
		r.createTopic(name, nil)
	}
	for _, id := range []string{"g", "h"} {
		r.do(metalog.CreateGroup{ID: id, ProtocolType: "consumer"}, nil)
		r.model.createGroup(id)
	}
}

func (r *run) steps() map[string]func(*rapid.T) {
	steps := map[string]func(*rapid.T){
		"repeat":   func(*rapid.T) { r.repeatStep() },
		"reopen":   func(*rapid.T) { r.reopenStep() },
		"crash":    func(*rapid.T) { r.crashStep() },
		"rebuild":  func(*rapid.T) { r.rebuildStep() },
		"snapshot": func(*rapid.T) { r.snapshotStep() },
		"restore":  func(*rapid.T) { r.restoreStep() },
		"as of":    func(*rapid.T) { r.asOfStep() },
		"damage":   func(*rapid.T) { r.damageStep() },
		"history":  func(*rapid.T) { r.historyStep() },
		"blame":    func(*rapid.T) { r.blameStep() },
		"diff":     func(*rapid.T) { r.diffStep() },
		"export":   func(*rapid.T) { r.exportStep() },
		"archive":  func(*rapid.T) { r.archiveStep() },
	}
	for name, command := range r.commandSteps() {
		steps[name] = func(*rapid.T) {
			for range 1 + r.number("more", 4) {
				command()
			}
			r.compare()
		}
	}
	return steps
}

// commandSteps each give a command or two.
func (r *run) commandSteps() map[string]func() {
	return map[string]func(){
		"topic":       r.topicStep,
		"segment":     r.segmentStep,
		"broker":      r.brokerStep,
		"partition":   r.partitionStep,
		"watermark":   r.watermarkStep,
		"data":        func() { r.segmentStep(); r.watermarkStep() },
		"replicas":    func() { r.brokerStep(); r.partitionStep() },
		"group":       r.groupStep,
		"commit":      r.commitStep,
		"offset":      r.offsetStep,
		"config":      r.configStep,
		"transaction": r.transactionStep,
	}
}

// model is the state that a store should have: maps, and no log. Children hang on
// the pointer to their owner, so what is deleted takes them along by itself.
type model struct {
	at metalog.Result // of the last command that was done

	topics  map[string]*topic
	gone    []uuid.UUID // ids of deleted topics
	brokers map[int32]*events.Broker
	groups  map[string]*group
	configs map[events.EntityRef]events.ConfigEntry // that are not empty
	txns    map[string]*txn
	nextID  int64 // producer id
}

func newModel() *model {
	return &model{
		topics: map[string]*topic{}, brokers: map[int32]*events.Broker{}, groups: map[string]*group{},
		configs: map[events.EntityRef]events.ConfigEntry{}, txns: map[string]*txn{},
	}
}

// run is one sequence of steps.
type run struct {
	*storetest.Store
	*rapid.T
	tb      *scope
	model   *model
	notes   []metalog.Info    // after commands, by seq
	answers map[uint64]string // to all reads, at some seqs
	blame   blameBook
	archive string // where log segments went; empty: nowhere yet

	commands    int             // how many were given
	last        metalog.Command // the last that was done
	lastOptions metalog.CommandOptions
}

// number draws a number from 0 to most, at most 1023, all about as often: rapid's
// own prefer the small ones, which would leave most of what can happen out.
func (r *run) number(what string, most int64) int64 {
	return rapid.Custom(func(t *rapid.T) (n int64) {
		for range 10 {
			if n *= 2; rapid.Bool().Draw(t, "bit") {
				n++
			}
		}
		return n % (most + 1)
	}).Draw(r.T, what)
}

// one draws an element of a list.
func one[T any](r *run, what string, of []T) T { return of[r.number(what, int64(len(of)-1))] }

func (r *run) pick(what string, of ...string) string { return one(r, what, of) }
func (r *run) chance(what string) bool               { return rapid.Bool().Draw(r.T, what) }

// oneIn is true one time in n.
func (r *run) oneIn(n int64, what string) bool { return r.number(what, n-1) == n-1 }

// errUnchanged is expected of a command that has nothing to do.
var errUnchanged = errors.New("nothing to do")

// do gives a command that is about no single entity, and reports whether it was
// done. want is why it should not be, nil if it should.
func (r *run) do(cmd metalog.Command, want error) bool {
	r.Helper()
	return r.execute(cmd, metalog.CommandOptions{}, want)
}

// doAt gives a command about an entity that has a revision, 0 if it is not there,
// and expects that revision, another one, or none. before is an error that comes
// before the revision is looked at, after one that comes then.
func (r *run) doAt(cmd metalog.Command, before error, revision uint64, after error) bool {
	r.Helper()
	var opts metalog.CommandOptions
	switch r.pick("if revision", "", "", "", "", "", "right", "right", "wrong") {
	case "right":
		opts.IfRevision = &revision
	case "wrong":
		revision += 1 + uint64(r.number("off by", 3))
		opts.IfRevision, after = &revision, metalog.ErrConflict
	}
	if before != nil {
		after = before
	}
	return r.execute(cmd, opts, after)
}

func (r *run) execute(cmd metalog.Command, opts metalog.CommandOptions, want error) bool {
	r.Helper()
	r.commands++
	opts.ID = fmt.Sprint("id-", r.commands)
	opts.Actor, opts.Cause = actors[r.commands%len(actors)], r.cause()
	result, err := r.Execute(r.tb.Context(), cmd, opts)
	if err == nil && result.Unchanged {
		err = errUnchanged
	}
	if !errors.Is(err, want) {
		r.Fatalf("%s %+v: got %v, want %v", cmd.Op(), cmd, err, want)
	}
	if err != nil {
		return false
	}
	r.last, r.lastOptions, r.model.at = cmd, opts, result
	r.note()
	if r.blame != nil {
		r.noteBlame(result.Seq)
	}
	return true
}

// actors take turns.
var actors = []string{"", "alice", "bob"}

// cause is, now and then, an event because of which a command is given; its record
// may have fewer.
func (r *run) cause() *events.Position {
	if r.model.at.Seq == 0 || !r.oneIn(6, "cause") {
		return nil
	}
	return &events.Position{Seq: uint64(1 + r.number("cause's seq", int64(r.model.at.Seq-1))), Index: int(r.number("cause's index", 2))}
}

// note keeps what the store says of the seq that it is at.
func (r *run) note() {
	if info := r.MustInfo(); len(r.notes) == 0 || r.notes[len(r.notes)-1].Seq < info.Seq {
		r.notes = append(r.notes, info)
	}
}

// repeatStep repeats the last command that had an effect.
func (r *run) repeatStep() {
	if r.last == nil {
		return
	}
	before := r.Seq()
	result, err := r.Execute(r.tb.Context(), r.last, metalog.CommandOptions{ID: r.lastOptions.ID, Actor: r.lastOptions.Actor})
	if err != nil || !result.Repeated || result.Seq != r.model.at.Seq || r.Seq() != before {
		r.Fatalf("repeat of %s: %+v, %v", r.last.Op(), result, err)
	}
}

// compare compares all that can be read with the model.
func (r *run) compare() {
	r.compareTopics()
	r.compareBrokers()
	r.compareGroups()
	r.compareConfigs()
	r.compareTransactions()
}

// check compares two values as they are written in JSON.
func (r *run) check(err error, got, want any) {
	r.Helper()
	if err != nil {
		r.Fatalf("%v\nwant %+v", err, want)
	}
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if err := errors.Join(errA, errB); err != nil || string(a) != string(b) {
		r.Fatalf("got  %s, %v\nwant %s", a, err, b)
	}
}

// refused checks that a read found why it has no answer.
func (r *run) refused(err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Fatalf("got %v, want %v", err, want)
	}
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

func sortedKeys[K cmp.Ordered, V any](of map[K]V) []K { return slices.Sorted(maps.Keys(of)) }

// sorted returns the values of a map in the order of its keys.
func sorted[V any](of map[string]V) []V {
	values := []V{}
	for _, key := range slices.Sorted(maps.Keys(of)) {
		values = append(values, of[key])
	}
	return values
}

func ptr[T any](v T) *T { return &v }

// scope is the test that one sequence of steps is: its store is verified when it
// ends, its directories go with it, and what fails is rapid's to shrink.
type scope struct {
	testing.TB
	rt       *rapid.T
	root     string // of the directories
	cleanups []func()
}

func newScope(t *testing.T, rt *rapid.T) *scope {
	s := &scope{TB: t, rt: rt}
	var err error
	s.root, err = os.MkdirTemp("", "metalog-model-")
	s.ok(err)
	s.Cleanup(func() { s.ok(os.RemoveAll(s.root)) })
	return s
}

func (s *scope) Cleanup(f func())                  { s.cleanups = append(s.cleanups, f) }
func (s *scope) Failed() bool                      { return s.rt.Failed() }
func (s *scope) Errorf(format string, args ...any) { s.rt.Errorf(format, args...) }
func (s *scope) Fatalf(format string, args ...any) { s.rt.Fatalf(format, args...) }

func (s *scope) TempDir() string {
	dir, err := os.MkdirTemp(s.root, "")
	s.ok(err)
	return dir
}

func (s *scope) ok(err error) {
	if err != nil {
		s.Fatalf("%v", err)
	}
}

// finish cleans up, the latest first; a cleanup may ask for more of it.
func (s *scope) finish() {
	for len(s.cleanups) > 0 {
		last := len(s.cleanups) - 1
		f := s.cleanups[last]
		s.cleanups = s.cleanups[:last]
		f()
	}
}
