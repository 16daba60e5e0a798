package publisher

import (
	"github.com/metalog/metalog/events"
)

// order checks that messages follow on one another in the log, and drops what a
// refilled stream repeats.
type order struct {
	at       Checkpoint  // how far it has come; its parts are zero as long as they don't matter
	filtered bool        // messages in between may be missing
	since    events.Time // of the first record wanted; it may be still to come
}

// accept returns m with the events from at.Next on; nil if it has none of them. It
// is a GapError when events before m are missing, a ForkError when m's record is
// not the one that was seen under its seq, and ErrConflict for another log. A
// message of a later epoch than the stream had is to be looked at by a new
// session.
func (o *order) accept(m *Message) (*Message, error) {
	switch {
	case m.LogID != o.at.LogID:
		return nil, otherLog(m, o.at.LogID)
	case m.Epoch > o.at.Epoch:
		return nil, retry("epoch %d of the log began, after epoch %d", m.Epoch, o.at.Epoch)
	case m.Seq == o.at.Last.Seq && m.Hash != o.at.Last.Hash:
		return nil, fork(o.at.Last, m.Seq-1, "the stream has hash %s for it, not %s", m.Hash, o.at.Last.Hash)
	}
	if next := o.at.Next; next.Seq != 0 {
		if !before(next, m.Next()) {
			return nil, nil
		}
		if before(next, m.First()) && !o.filtered {
			return nil, gap(next, m.First())
		}
		m.skipTo(next)
	}
	m.streamEpoch = o.at.Epoch
	o.at = m.Checkpoint()
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
