package publisher

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

func TestOrder(t *testing.T) {
	message := func(seq uint64, index, count, of int) *Message {
		return &Message{LogID: testLogID, Seq: seq, Index: index, Of: of, count: count, Hash: events.Hash{byte(seq)}, Events: make([]events.EventView, count)}
	}
	rewritten := message(5, 0, 2, 2)
	rewritten.Hash = events.Hash{99}
	foreign := message(6, 0, 1, 1)
	foreign.LogID = uuid.Max
	tests := []struct {
		name     string
		filtered bool
		then     *Message // after all of record 5, which has two events
		first    int      // index of the first event delivered, -1 for none
		err      error
	}{
		{"the next record", false, message(6, 0, 1, 3), 0, nil},
		{"the same record again", false, message(5, 0, 2, 2), -1, nil},
		{"an earlier record", false, message(2, 0, 1, 1), -1, nil},
		{"a gap", false, message(7, 0, 1, 1), 0, events.ErrCorrupt},
		{"a gap in a record", false, message(6, 1, 1, 2), 0, events.ErrCorrupt},
		{"a gap when filtered", true, message(7, 1, 1, 2), 1, nil},
		{"a rewritten record", false, rewritten, 0, events.ErrCorrupt},
		{"a rewritten record when filtered", true, rewritten, 0, events.ErrCorrupt},
		{"another log", false, foreign, 0, events.ErrConflict},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := order{at: Checkpoint{LogID: testLogID, Epoch: 1}, filtered: test.filtered}
			if m, err := o.accept(message(5, 0, 2, 2)); m == nil || err != nil {
				t.Fatalf("first message: %v, %v", m, err)
			}
			got, err := o.accept(test.then)
			if test.err != nil {
				if !errors.Is(err, test.err) {
					t.Errorf("error %v, want %v", err, test.err)
				}
				return
			}
			if first := firstIndex(got); err != nil || first != test.first {
				t.Errorf("delivered from %d (%v), want %d", first, err, test.first)
			}
		})
	}
}

func firstIndex(m *Message) int {
	if m == nil {
		return -1
	}
	return m.Index
}

// A refill may cut a record's run in other places.
func TestOrderSkipsEventsOfAnOverlappingMessage(t *testing.T) {
	o := order{at: Checkpoint{LogID: testLogID, Epoch: 1, Next: events.Position{Seq: 3, Index: 2}}}
	m, err := o.accept(&Message{LogID: testLogID, Seq: 3, Index: 1, Of: 5, count: 4, Events: make([]events.EventView, 4)})
	if err != nil || m == nil || m.Index != 2 || len(m.Events) != 3 || m.Next() != (events.Position{Seq: 4}) {
		t.Errorf("accept: %+v, %v, want events 2 to 4", m, err)
	}
}
