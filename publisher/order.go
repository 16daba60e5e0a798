package publisher

import (
	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// order checks that messages follow on one another in the log, and drops what a
// refilled stream repeats.
type order struct {
	logID    uuid.UUID   // of the log; zero: that of the first message
	filtered bool        // messages in between may be missing
	since    events.Time // of the first record wanted; it may be still to come

	next     events.Position // the first event wanted; zero: whichever comes first
	lastSeq  uint64          // of the last record seen, 0 for none
	lastHash events.Hash     // of that record
}

// accept returns m with the events from next on; nil if it has none of them. It
// is ErrCorrupt when events before m are missing and when m's record is not the
// one that was seen under its seq, and ErrConflict for another log.
func (o *order) accept(m *Message) (*Message, error) {
	if o.logID == uuid.Nil {
		o.logID = m.LogID
	}
	if m.LogID != o.logID {
		return nil, otherLog(m, o.logID)
	}
	if m.Seq == o.lastSeq && m.Hash != o.lastHash {
		return nil, events.Errorf(events.CodeCorrupt, "record %d is another one than was read before: the log's history was changed after seq %d; start anew from a snapshot", m.Seq, m.Seq-1)
	}
	if o.next.Seq != 0 {
		if !before(o.next, m.Next()) {
			return nil, nil
		}
		if before(o.next, m.First()) && !o.filtered {
			return nil, events.Errorf(events.CodeCorrupt, "events from %s to %s are missing in the stream; subscribe again from %s when the publisher has filled it again", o.next, m.First(), o.next)
		}
		m.skipTo(o.next)
	}
	o.next, o.lastSeq, o.lastHash = m.Next(), m.Seq, m.Hash
	if m.Time < o.since {
		return nil, nil
	}
	return m, nil
}

// skipTo drops the events before next, which is in the message or before it.
func (m *Message) skipTo(next events.Position) {
	if !before(m.First(), next) {
		return
	}
	skip := next.Index - m.Index
	m.Events, m.Index, m.count = m.Events[skip:], next.Index, m.count-skip
}
