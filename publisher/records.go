package publisher

import (
	"context"
	"iter"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// Record is all events of one command.
type Record struct {
	LogID  uuid.UUID
	Seq    uint64
	Hash   events.Hash
	Time   events.Time
	Events []events.EventView

	checkpoint Checkpoint
}

// Checkpoint returns the checkpoint of a subscriber that is done with the record.
func (r *Record) Checkpoint() Checkpoint { return r.checkpoint }

// SubscribeRecords is Subscribe by whole records, for subscribers who must not
// see a part of a command's events: each record of which at least one event
// matches the filter, with all its events. To be whole they are all read, whatever
// the filter, so it saves work but no bandwidth. A start in the middle of a
// record is ErrInvalid.
func SubscribeRecords(ctx context.Context, js jetstream.JetStream, options SubscribeOptions) iter.Seq2[*Record, error] {
	filter := options.Filter
	options.Filter = Filter{}
	return func(yield func(*Record, error) bool) {
		if next := options.begin().Next; next.Index != 0 {
			yield(nil, events.Errorf(events.CodeInvalid, "subscribe: event %s is in the middle of a record; whole records begin with index 0", next))
			return
		}
		if _, err := filter.subjects(options.Cluster); err != nil {
			yield(nil, err)
			return
		}
		g := gathering{filter: filter, progress: options.Progress}
		for m, err := range Subscribe(ctx, js, options) {
			if err != nil {
				yield(nil, err)
				return
			}
			if rec := g.add(m); rec != nil && !yield(rec, nil) {
				return
			}
		}
	}
}

// gathering puts a record together.
type gathering struct {
	filter   Filter
	progress bool
	events   []events.EventView // so far
	matches  bool               // one of them does
}

// add takes the next message, and returns the record that it completes; nil if
// there is none, or no event of it matches.
func (g *gathering) add(m *Message) *Record {
	if len(g.events) == 0 && m.Index != 0 {
		return nil // new events only, and the stream ended in the midst of this record
	}
	g.events = append(g.events, m.Events...)
	g.matches = g.matches || g.filter.matches(m)
	if m.Next().Index != 0 {
		return nil
	}
	rec := &Record{LogID: m.LogID, Seq: m.Seq, Hash: m.Hash, Time: m.Time, Events: g.events, checkpoint: m.Checkpoint()}
	matches := g.matches
	g.events, g.matches = nil, false
	switch {
	case matches:
		return rec
	case g.progress && rec.Seq%progressRecords == 0:
		rec.Events = nil
		return rec
	}
	return nil
}

// progressRecords is after how many records one without events is yielded to who
// asks for progress.
const progressRecords = 10_000
