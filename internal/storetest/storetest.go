package storetest

import (
	"errors"
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
)

// Store is a store under test. Its methods end the test when something is not
// as they expect.
type Store struct {
	*metalog.Store
	// Options are what it was opened with, and will be by Reopen.
	Options metalog.Options
	Clock   *Clock
	tb      testing.TB
}

// Open opens a store in a new directory. Nothing happens in it by itself (no
// sweeps, and the disk's reserve is off) unless change sets it so. When the test
// ends the store is closed and verified: see [Verify].
func Open(tb testing.TB, change ...func(*metalog.Options)) *Store {
	tb.Helper()
	s := &Store{Clock: new(Clock), tb: tb}
	s.Options = metalog.Options{
		Path:          tb.TempDir(),
		MinFreeBytes:  -1,
		SweepInterval: -1,
		Clock:         s.Clock.Now,
		NewID:         new(ids).next,
	}
	for _, f := range change {
		f(&s.Options)
	}
	s.open()
	tb.Cleanup(s.finish)
	return s
}

// OpenWith opens a store in a directory that has one, as Open does in a new one.
func OpenWith(tb testing.TB, opts metalog.Options, clock *Clock) *Store {
	tb.Helper()
	s := &Store{Options: opts, Clock: clock, tb: tb}
	s.open()
	tb.Cleanup(s.finish)
	return s
}

func (s *Store) open() {
	s.tb.Helper()
	store, err := metalog.Open(s.tb.Context(), s.Options)
	if err != nil {
		s.tb.Fatalf("open: %v", err)
	}
	s.Store = store
}

// Reopen closes the store and opens it again.
func (s *Store) Reopen() {
	s.tb.Helper()
	s.MustClose()
	s.open()
}

// MustClose closes the store.
func (s *Store) MustClose() {
	s.tb.Helper()
	if err := s.Close(); err != nil {
		s.tb.Fatalf("close: %v", err)
	}
}

func (s *Store) finish() {
	if err := s.Close(); err != nil {
		s.tb.Errorf("close: %v", err)
	}
	if !s.tb.Failed() {
		Verify(s.tb, s.Options)
	}
}

// Must does a command that has to write a record.
func (s *Store) Must(cmd metalog.Command, opts ...metalog.CommandOption) metalog.Result {
	s.tb.Helper()
	result, err := s.Execute(s.tb.Context(), cmd, metalog.NewCommandOptions(opts...))
	if err != nil {
		s.tb.Fatalf("%s: %v", cmd.Op(), err)
	}
	if result.Unchanged || result.Repeated {
		s.tb.Fatalf("%s wrote nothing: %+v", cmd.Op(), result)
	}
	return result
}

// Unchanged does a command that has nothing to do.
func (s *Store) Unchanged(cmd metalog.Command, opts ...metalog.CommandOption) {
	s.tb.Helper()
	before := s.Seq()
	result, err := s.Execute(s.tb.Context(), cmd, metalog.NewCommandOptions(opts...))
	if err != nil {
		s.tb.Fatalf("%s: %v", cmd.Op(), err)
	}
	if after := s.Seq(); !result.Unchanged || after != before {
		s.tb.Fatalf("%s changed something: %+v, seq %d → %d", cmd.Op(), result, before, after)
	}
}

// Refused does a command that has to be rejected with an error of want's code,
// and returns the error. Nothing may be appended.
func (s *Store) Refused(want error, cmd metalog.Command, opts ...metalog.CommandOption) error {
	s.tb.Helper()
	before := s.Seq()
	_, err := s.Execute(s.tb.Context(), cmd, metalog.NewCommandOptions(opts...))
	if !errors.Is(err, want) {
		s.tb.Fatalf("%s: got %v, want an error of code %s", cmd.Op(), err, events.CodeOf(want))
	}
	if after := s.Seq(); after != before {
		s.tb.Fatalf("%s was refused, but seq went from %d to %d", cmd.Op(), before, after)
	}
	return err
}

// MustInfo reads the info.
func (s *Store) MustInfo() metalog.Info {
	s.tb.Helper()
	info, err := s.Info(s.tb.Context())
	if err != nil {
		s.tb.Fatalf("info: %v", err)
	}
	return info
}

// Seq is the last seq in the log.
func (s *Store) Seq() uint64 { return s.Log().Head().Seq }

// Select reads the events that a query selects.
func (s *Store) Select(query metalog.EventQuery) []events.EventView {
	s.tb.Helper()
	var list []events.EventView
	for e, err := range s.Events(s.tb.Context(), query) {
		if err != nil {
			s.tb.Fatalf("events: %v", err)
		}
		list = append(list, e)
	}
	return list
}

// Record reads the events of one record.
func (s *Store) Record(seq uint64) []events.EventView {
	s.tb.Helper()
	return s.Select(metalog.EventQuery{From: seq, To: seq})
}
