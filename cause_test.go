package metalog_test

import (
	"testing"

	"github.com/metalog/metalog"
	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/internal/storetest"
)

// TestCauseIsBefore: a command can't be given because of what has not happened.
func TestCauseIsBefore(t *testing.T) {
	s := storetest.Open(t)
	s.Must(metalog.CreateGroup{ID: "a"}, metalog.WithCause(events.Position{Seq: 1}))
	for _, cause := range []events.Position{{}, {Seq: 3}, {Seq: 4}, {Seq: 1, Index: -1}} {
		s.Refused(metalog.ErrInvalid, metalog.CreateGroup{ID: "b"}, metalog.WithCause(cause))
	}
	tree := s.Record(2)
	if len(tree) != 1 || tree[0].Cause == nil || tree[0].Cause.Seq != 1 {
		t.Errorf("the record was caused by %+v", tree)
	}
}
