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

// start returns the place at the stream's first message.
func (l locator) start(context.Context) (place, error) {
	return place{streamSeq: max(1, l.state.FirstSeq)}, nil
}

// end returns the place after the stream's last message.
func (l locator) end(ctx context.Context) (place, error) {
	at := place{streamSeq: l.state.LastSeq + 1}
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
	seq, err := l.search(ctx, func(m *Message) bool { return m.Time >= from })
	if err != nil {
		return place{}, err
	}
	if l.empty() || seq > l.state.LastSeq {
		return l.end(ctx)
	}
	m, err := l.read(ctx, seq)
	if err != nil {
		return place{}, err
	}
	return place{streamSeq: seq, next: m.First()}, nil
}

// position returns the place of the event at from. It is ErrOutOfRange when the
// stream begins after it.
func (l locator) position(ctx context.Context, from events.Position) (place, error) {
	if !l.empty() {
		first, err := l.read(ctx, l.state.FirstSeq)
		if err != nil {
			return place{}, err
		}
		if before(from, first.First()) {
			return place{}, events.Errorf(events.CodeOutOfRange, "event %s is not in the stream any more, it begins at %s; start there, or from a snapshot", from, first.First())
		}
	}
	seq, err := l.search(ctx, func(m *Message) bool { return before(from, m.Next()) })
	return place{streamSeq: max(1, seq), next: from}, err
}

// checkReached is ErrOutOfRange when from is further than one beyond the
// stream's last event.
func (l locator) checkReached(ctx context.Context, from events.Position) error {
	end, err := l.end(ctx)
	if err != nil {
		return err
	}
	if end.next.Seq == 0 {
		end.next = events.Position{Seq: 1}
	}
	if before(end.next, from) {
		return events.Errorf(events.CodeOutOfRange, "event %s is not in the stream yet, the next one there is %s; start there, or try again when it is published", from, end.next)
	}
	return nil
}
