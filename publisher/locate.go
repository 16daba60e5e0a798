package publisher

import (
	"context"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/metalog/metalog/events"
)

// place is where reading a stream begins.
type place struct {
	streamSeq uint64          // of the first message to read
	next      events.Position // the first event wanted; zero: whichever comes first
}

// locator finds places in a stream as it was when the locator was made.
type locator struct {
	stream jetstream.Stream
	state  jetstream.StreamState
	origin provenance
}

// newLocator takes the stream as its cached info shows it.
func newLocator(stream jetstream.Stream) (locator, error) {
	info := stream.CachedInfo()
	from, err := originOf(info.Config)
	return locator{stream, info.State, from}, err
}

func (l locator) empty() bool { return l.state.Msgs == 0 }

func (l locator) read(ctx context.Context, streamSeq uint64) (*Message, error) {
	raw, err := l.stream.GetMsg(ctx, streamSeq)
	if err != nil {
		return nil, retry("stream message %d: %w", streamSeq, err)
	}
	return parseHeaders(raw.Header, streamSeq)
}

// search returns the sequence of the first message for which wanted holds, given
// that it then holds for all after it; one beyond the last if for none. It reads
// a number of messages that grows with the logarithm of the stream's length.
func (l locator) search(ctx context.Context, wanted func(*Message) bool) (uint64, error) {
	if l.empty() {
		return l.state.LastSeq + 1, nil
	}
	var failed error
	n := sort.Search(int(l.state.LastSeq-l.state.FirstSeq+1), func(i int) bool {
		if failed != nil {
			return true
		}
		m, err := l.read(ctx, l.state.FirstSeq+uint64(i))
		if err != nil {
			failed = err
			return true
		}
		return wanted(m)
	})
	return l.state.FirstSeq + uint64(n), failed
}

// first returns the position of the stream's first event, or where it will be.
func (l locator) first(ctx context.Context) (events.Position, error) {
	if l.empty() {
		return events.Position{Seq: l.origin.start}, nil
	}
	m, err := l.read(ctx, l.state.FirstSeq)
	if err != nil {
		return events.Position{}, err
	}
	return m.First(), nil
}

// start returns the place at the stream's first message that is there on purpose.
func (l locator) start(ctx context.Context) (place, error) {
	return l.position(ctx, events.Position{Seq: l.origin.start})
}

// end returns the place after the stream's last message.
func (l locator) end(ctx context.Context) (place, error) {
	at := place{streamSeq: l.state.LastSeq + 1, next: events.Position{Seq: l.origin.start}}
	if l.empty() {
		return at, nil
	}
	last, err := l.read(ctx, l.state.LastSeq)
	if err != nil {
		return at, err
	}
	at.next = last.Next()
	return at, nil
}

// time returns the place of the first record at or after t.
func (l locator) time(ctx context.Context, t time.Time) (place, error) {
	from := events.TimeOf(t)
	if first, err := l.first(ctx); err != nil {
		return place{}, err
	} else if start := (events.Position{Seq: l.origin.start}); before(start, first) {
		return place{}, gap(start, first)
	}
	seq, err := l.search(ctx, func(m *Message) bool { return m.Time >= from && m.Seq >= l.origin.start })
	if err != nil {
		return place{}, err
	}
	if seq > l.state.LastSeq {
		return l.end(ctx)
	}
	m, err := l.read(ctx, seq)
	if err != nil {
		return place{}, err
	}
	return place{streamSeq: seq, next: m.First()}, nil
}

// position returns the place of the event at from, which is in the stream or the
// next to come. A stream whose front is missing will be filled again: a GapError.
func (l locator) position(ctx context.Context, from events.Position) (place, error) {
	first, err := l.first(ctx)
	if err != nil {
		return place{}, err
	}
	if before(from, first) {
		return place{}, gap(from, first)
	}
	seq, err := l.search(ctx, func(m *Message) bool { return before(from, m.Next()) })
	return place{streamSeq: seq, next: from}, err
}

// hashOf returns the hash of record seq. found is false when the stream does not
// have it.
func (l locator) hashOf(ctx context.Context, seq uint64) (hash events.Hash, found bool, err error) {
	at, err := l.search(ctx, func(m *Message) bool { return m.Seq >= seq })
	if err != nil || at > l.state.LastSeq {
		return hash, false, err
	}
	m, err := l.read(ctx, at)
	if err != nil {
		return hash, false, err
	}
	return m.Hash, m.Seq == seq, nil
}
