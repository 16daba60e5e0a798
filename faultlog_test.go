package metalog_test

import (
	"testing"
	"time"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/eventlog"
	"github.com/metalog/metalog/internal/storetest"
)

// faultLog is a log whose appends a test holds up and fails. Once armed, each
// append tells on entered that it began, and ends as the test says on outcome.
type faultLog struct {
	eventlog.Log
	armed   chan struct{} // closed by arm
	entered chan *eventlog.Group
	outcome chan outcome
	stopped error       // the first failure; owned by whoever appends
	head    events.Head // the head as it stood at the failure
	frozen  chan struct{}
}

// outcome says what becomes of an append.
type outcome struct {
	persist bool
	err     error
}

var (
	succeeds            = outcome{persist: true}
	failsNotPersisted   = outcome{err: events.Errorf(events.CodeOutcomeUnknown, "injected: failed, not persisted")}
	failsButPersisted   = outcome{persist: true, err: events.Errorf(events.CodeOutcomeUnknown, "injected: failed but persisted")}
	failsNothingWritten = outcome{err: events.Errorf(events.CodeUnavailable, "injected: nothing was appended")}
)

func (l *faultLog) Append(g *eventlog.Group) error {
	select {
	case <-l.armed:
	default:
		return l.Log.Append(g)
	}
	if l.stopped != nil {
		return l.stopped
	}
	l.entered <- g
	o := <-l.outcome
	if o.err != nil {
		l.stopped = events.Errorf(events.CodeUnavailable, "injected: the log has stopped")
		l.head = l.Log.Head()
		close(l.frozen)
	}
	if o.persist {
		if err := l.Log.Append(g); err != nil {
			return err
		}
	}
	return o.err
}

// Head shows nothing of an append that failed, as the contract of a log says.
func (l *faultLog) Head() events.Head {
	select {
	case <-l.frozen:
		return l.head
	default:
		return l.Log.Head()
	}
}

// faultStore is a store over a faultLog.
type faultStore struct {
	*storetest.Store
	log     *faultLog
	decided chan struct{} // told each time that the sequencer has begun to decide a command
}

// openFaulty opens a store whose appends go well until arm.
func openFaulty(t *testing.T, change ...func(*metalog.Options)) *faultStore {
	t.Helper()
	f := &faultStore{decided: make(chan struct{}, 1000)}
	wrap := func(o *metalog.Options) {
		clock := o.Clock
		o.Clock = func() time.Time {
			f.decided <- struct{}{}
			return clock()
		}
		o.FlushInterval = time.Hour
		o.WrapLog(func(log eventlog.Log) eventlog.Log {
			f.log = &faultLog{
				Log: log, armed: make(chan struct{}), frozen: make(chan struct{}),
				entered: make(chan *eventlog.Group), outcome: make(chan outcome),
			}
			return f.log
		})
	}
	f.Store = storetest.Open(t, append([]func(*metalog.Options){wrap}, change...)...)
	return f
}

func (f *faultStore) arm() { close(f.log.armed) }

// submit puts a command into the queue and, when it gets so far, waits until the
// sequencer has begun to decide it: all that was submitted before is decided.
func (f *faultStore) submit(t *testing.T, cmd metalog.Command, opts ...metalog.CommandOption) *metalog.Pending {
	t.Helper()
	for len(f.decided) > 0 {
		<-f.decided
	}
	p, err := f.Submit(t.Context(), cmd, opts...)
	if err != nil {
		t.Fatal(err)
	}
	<-f.decided
	return p
}

// repair opens the store again without faults.
func (f *faultStore) repair() {
	f.MustClose()
	f.Options.WrapLog(nil)
	f.Reopen()
}
