package metalog_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

func newTopic(name string) metalog.CreateTopic {
	return metalog.CreateTopic{Name: name, Partitions: 1, ReplicationFactor: 1}
}

// undurable is a store whose log holds up the append of a record, with commands
// behind it that were decided on what that record changes.
type undurable struct {
	*faultStore
	first    *metalog.Pending // its record is being appended
	repeat   *metalog.Pending // first's command id again
	rejected *metalog.Pending // refused because of first
	noop     *metalog.Pending // has nothing to do because of first
	second   *metalog.Pending // has a record of its own, in the next group
}

func openUndurable(t *testing.T) *undurable {
	t.Helper()
	u := &undurable{faultStore: openFaulty(t)}
	u.arm()
	u.first = u.submit(t, newTopic("first"), metalog.WithCommandID("id"))
	<-u.log.entered
	var err error
	if u.repeat, err = u.Submit(t.Context(), newTopic("first"), metalog.WithCommandID("id")); err != nil {
		t.Fatal(err)
	}
	u.rejected = u.submit(t, newTopic("first"))
	u.noop = u.submit(t, metalog.AddPartitions{Name: "first", Total: 1})
	u.second = u.submit(t, newTopic("second"))
	// The clock is read before a command is decided: only what comes after this
	// one tells that second is decided, too.
	u.submit(t, metalog.UpdateTopic{Name: "second"})
	return u
}

func (u *undurable) all() map[string]*metalog.Pending {
	return map[string]*metalog.Pending{"first": u.first, "repeat": u.repeat, "rejected": u.rejected, "no-op": u.noop, "second": u.second}
}

// Before a record is durable nothing of it shows: no read, and no answer that was
// decided on it.
func TestNothingShowsBeforeItIsDurable(t *testing.T) {
	t.Parallel()
	u := openUndurable(t)
	for name, p := range u.all() {
		if p.Answered() {
			t.Errorf("%s was answered", name)
		}
	}
	if _, err := u.GetTopic(t.Context(), "first"); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("read: %v", err)
	}
	if info := u.MustInfo(); info.Seq != 1 {
		t.Errorf("info shows seq %d", info.Seq)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.View(ended, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("a view of it: %v", err)
	}

	u.log.outcome <- succeeds
	result, err := u.first.Wait()
	if err != nil || result.Seq != 2 {
		t.Errorf("first: %+v, %v", result, err)
	}
	if topic, err := u.GetTopic(t.Context(), "first"); err != nil || topic.Revision != 2 {
		t.Errorf("done, but a read shows %+v, %v", topic, err)
	}
	<-u.log.entered
	if u.repeat.Answered() || u.rejected.Answered() || u.noop.Answered() || u.second.Answered() {
		t.Error("an answer came before that of its group")
	}
	u.log.outcome <- succeeds
	if again, err := u.repeat.Wait(); err != nil || !again.Repeated || again.Seq != 2 || again.TopicID != result.TopicID {
		t.Errorf("repeat: %+v, %v", again, err)
	}
	if _, err := u.rejected.Wait(); !errors.Is(err, metalog.ErrAlreadyExists) {
		t.Errorf("rejected: %v", err)
	}
	if result, err := u.noop.Wait(); err != nil || !result.Unchanged {
		t.Errorf("no-op: %+v, %v", result, err)
	}
	if result, err := u.second.Wait(); err != nil || result.Seq != 3 {
		t.Errorf("second: %+v, %v", result, err)
	}
}

// After a failed append: who had a record in it learns that the outcome is
// unknown, or what the log knows; all others that nothing was done. Nothing of it
// shows, later writes fail fast, reads go on, and opening again repairs.
func TestFailedAppend(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		outcome outcome
		first   error
		there   bool // after opening again
	}{
		"failed, not persisted": {failsNotPersisted, metalog.ErrOutcomeUnknown, false},
		"failed but persisted":  {failsButPersisted, metalog.ErrOutcomeUnknown, true},
		"nothing written":       {failsNothingWritten, metalog.ErrUnavailable, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := openUndurable(t)
			u.log.outcome <- test.outcome
			for name, p := range u.all() {
				var want error = metalog.ErrUnavailable
				if name == "first" {
					want = test.first
				}
				if _, err := p.Wait(); !errors.Is(err, want) || events.CodeOf(err) != events.CodeOf(want) {
					t.Errorf("%s: %v, want %s", name, err, events.CodeOf(want))
				}
			}
			checkStopped(t, u.faultStore)
			u.repair()
			if _, err := u.GetTopic(t.Context(), "first"); (err == nil) != test.there {
				t.Errorf("opened again: %v", err)
			}
			if _, err := u.GetTopic(t.Context(), "second"); !errors.Is(err, metalog.ErrNotFound) {
				t.Errorf("what nobody appended: %v", err)
			}
			checkDoneOnce(t, u.Store, test.there)
		})
	}
}

// checkStopped checks that a store which stopped refuses writes and reads on.
func checkStopped(t *testing.T, f *faultStore) {
	t.Helper()
	if _, err := f.CreateTopic(t.Context(), newTopic("late")); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("a later write: %v", err)
	}
	if list, err := metalog.Collect(f.ListTopics(t.Context())); err != nil || len(list) != 0 {
		t.Errorf("reads: %+v, %v", list, err)
	}
	if info := f.MustInfo(); info.Seq != 1 || info.Writable {
		t.Errorf("info: %+v", info)
	}
	if got := types(f.Select(metalog.EventQuery{})); len(got) != 1 {
		t.Errorf("events: %v", got)
	}
}

// checkDoneOnce repeats the first command with its id: it is done exactly once,
// then or now.
func checkDoneOnce(t *testing.T, s *storetest.Store, there bool) {
	t.Helper()
	for i, repeated := range []bool{there, true} {
		result, err := s.CreateTopic(t.Context(), newTopic("first"), metalog.WithCommandID("id"))
		if err != nil || result.Repeated != repeated || result.Seq != 2 {
			t.Errorf("retry %d: %+v, %v", i+1, result, err)
		}
	}
	if got := s.Select(metalog.EventQuery{Types: []string{"TopicCreated"}}); len(got) != 1 {
		t.Errorf("created %d times", len(got))
	}
}

// A store that stops while rows wait to be flushed, which now never will be, can
// still be closed.
func TestFailedAppendWithFullMemory(t *testing.T) {
	t.Parallel()
	f := openFaulty(t, func(o *metalog.Options) { o.MaxPendingBytes = 1 })
	f.Reopen() // nothing waits to be flushed now
	f.arm()
	first := f.submit(t, newTopic("first"))
	<-f.log.entered
	second := f.submit(t, newTopic("second"))
	f.submit(t, metalog.UpdateTopic{Name: "second"})
	f.log.outcome <- failsNotPersisted
	for _, p := range []*metalog.Pending{first, second} {
		if _, err := p.Wait(); err == nil {
			t.Error("an append that failed was told as done")
		}
	}
	f.repair()
}

// An event that can't be applied stops the store: that command and all after it
// fail, what was being appended before completes, and nothing of it is logged.
func TestFailedApply(t *testing.T) {
	t.Parallel()
	f := openFaulty(t)
	f.arm()
	first := f.submit(t, newTopic("first"))
	<-f.log.entered
	broken := f.submit(t, metalog.Misapplied{})
	after, err := f.Submit(t.Context(), newTopic("after"))
	if err == nil { // else it was refused at once
		_, err = after.Wait()
	}
	if !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("after it: %v", err)
	}
	f.log.outcome <- succeeds
	if _, err := first.Wait(); err != nil {
		t.Errorf("before it: %v", err)
	}
	if _, err := broken.Wait(); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("it: %v", err)
	}
	if _, err := f.GetTopic(t.Context(), "first"); err != nil {
		t.Error(err)
	}
	f.repair()
	if got := f.Seq(); got != 2 {
		t.Errorf("opened again: seq %d, want 2", got)
	}
	f.Must(newTopic("after"))
}

// A caller that gives up is told the truth: not done when nobody had taken the
// command, in doubt when it was on its way.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	f := openFaulty(t)
	f.arm()
	taken := f.submit(t, newTopic("taken"), metalog.WithCommandID("id"))
	<-f.log.entered
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := taken.GiveUp(ended); !errors.Is(err, metalog.ErrOutcomeUnknown) {
		t.Errorf("taken: %v", err)
	}
	f.log.outcome <- succeeds
	if _, err := taken.Wait(); err != nil {
		t.Error(err)
	}
	if result, err := taken.GiveUp(ended); err != nil || result.Seq == 0 {
		t.Errorf("answered before the caller looked: %+v, %v", result, err)
	}
}

// The sequencer is held up in the clock, so that what follows stays in the queue.
func TestGiveUpBeforeTaken(t *testing.T) {
	t.Parallel()
	hold := make(chan chan struct{}, 1)
	s := storetest.Open(t, func(o *metalog.Options) {
		clock := o.Clock
		o.Clock = func() time.Time {
			select {
			case release := <-hold:
				<-release
			default:
			}
			return clock()
		}
	})
	release := make(chan struct{})
	hold <- release
	first, err := s.Submit(t.Context(), newTopic("first"))
	if err != nil {
		t.Fatal(err)
	}
	queued, err := s.Submit(t.Context(), newTopic("queued"))
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := queued.GiveUp(ended); !errors.Is(err, metalog.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("in the queue: %v", err)
	}
	close(release)
	if _, err := first.Wait(); err != nil {
		t.Error(err)
	}
	s.Must(newTopic("last"))
	if _, err := s.GetTopic(t.Context(), "queued"); !errors.Is(err, metalog.ErrNotFound) {
		t.Errorf("it was done: %v", err)
	}
}

// Close does what was taken before, and refuses what comes after.
func TestCloseWithWorkUnderWay(t *testing.T) {
	t.Parallel()
	f := openFaulty(t)
	f.arm()
	var taken []*metalog.Pending
	taken = append(taken, f.submit(t, newTopic("a")))
	<-f.log.entered
	for _, name := range []string{"b", "c", "d"} {
		taken = append(taken, f.submit(t, newTopic(name)))
	}
	closed := make(chan error)
	go func() { closed <- f.Close() }()
	f.log.outcome <- succeeds
	<-f.log.entered // b to d, which have gathered meanwhile
	f.log.outcome <- succeeds
	if err := <-closed; err != nil {
		t.Error(err)
	}
	for _, p := range taken {
		if _, err := p.Wait(); err != nil {
			t.Errorf("taken before: %v", err)
		}
	}
	if _, err := f.CreateTopic(t.Context(), newTopic("late")); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("after: %v", err)
	}
	if _, err := metalog.Collect(f.ListTopics(t.Context())); !errors.Is(err, metalog.ErrUnavailable) {
		t.Errorf("a read after: %v", err)
	}
	f.Options.WrapLog(nil)
	f.Reopen()
	if list, err := metalog.Collect(f.ListTopics(t.Context())); err != nil || len(list) != 4 {
		t.Errorf("%+v, %v", list, err)
	}
}
