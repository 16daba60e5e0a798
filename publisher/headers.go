package publisher

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog/events"
)

// The headers of a message. Numbers are decimal.
const (
	HeaderLogID       = "Metalog-Log-Id" // UUID of the log
	HeaderEpoch       = "Metalog-Epoch"  // of the log that was published; goes up when a log is repaired
	HeaderSeq         = "Metalog-Seq"    // of the record
	HeaderIndex       = "Metalog-Index"  // in the record, of the message's first event
	HeaderCount       = "Metalog-Count"  // events in the message
	HeaderEvents      = "Metalog-Events" // events in the record
	HeaderHash        = "Metalog-Hash"   // SHA-256 of the record's frame, in hexadecimal
	HeaderTime        = "Metalog-Time"   // of the record, RFC 3339 with nanoseconds, UTC
	HeaderActor       = "Metalog-Actor"  // escaped as ids in subjects are, of any length; absent: none
	HeaderCause       = "Metalog-Cause"  // seq.index of the event that caused the first one; absent: none
	HeaderContentType = "Content-Type"   // ContentJSON or ContentCBOR
)

// Message is a run of consecutive events of one record.
type Message struct {
	LogID  uuid.UUID
	Epoch  uint64 // of the log, when the message was published
	Seq    uint64 // of the record
	Index  int    // in the record, of Events[0]
	Of     int    // events in the record
	Hash   events.Hash
	Time   events.Time
	Events []events.EventView

	Subject   string
	StreamSeq uint64 // of the message; a refilled stream has other ones

	count       int    // events that it stands for
	streamEpoch uint64 // of the log, when the message was read
}

// First returns the position of the first event.
func (m *Message) First() events.Position {
	return events.Position{Seq: m.Seq, Index: m.Index}
}

// Next returns the position after the last event.
func (m *Message) Next() events.Position {
	return positionAfter(m.Seq, m.Index+m.count, m.Of)
}

// positionAfter returns the position of event end of record seq, which has of
// events, or of the next record's first when there is none.
func positionAfter(seq uint64, end, of int) events.Position {
	if end == of {
		return events.Position{Seq: seq + 1}
	}
	return events.Position{Seq: seq, Index: end}
}

// before reports whether a comes before b in the log.
func before(a, b events.Position) bool {
	return a.Seq < b.Seq || a.Seq == b.Seq && a.Index < b.Index
}

// logHeaders are the values that all messages of a publisher share.
type logHeaders struct{ logID, epoch, contentType []string }

func logHeadersOf(o *Options) logHeaders {
	return logHeaders{
		logID:       []string{o.LogID.String()},
		epoch:       []string{strconv.FormatUint(o.Epoch, 10)},
		contentType: []string{o.Encoding.contentType()},
	}
}

// recordHeaders are the values that all messages of a record share.
type recordHeaders struct {
	logHeaders
	seq, events, hash, time []string
	actor                   []string // nil: none
}

func (l logHeaders) of(rec *events.Record) recordHeaders {
	h := recordHeaders{
		logHeaders: l,
		seq:        []string{strconv.FormatUint(rec.Seq, 10)},
		events:     []string{strconv.Itoa(len(rec.Facts))},
		hash:       []string{rec.Hash.String()},
		time:       []string{rec.Time.String()},
	}
	if rec.Meta.Actor != "" {
		h.actor = []string{escapeBytes(rec.Meta.Actor)}
	}
	return h
}

// headersOfMessage has room for all headers, those of the fence too.
const headersOfMessage = 13

// message returns the headers of a message of the events from up to end.
func (r recordHeaders) message(rec *events.Record, from, end int) nats.Header {
	h := make(nats.Header, headersOfMessage)
	h[HeaderLogID], h[HeaderEpoch], h[HeaderContentType] = r.logID, r.epoch, r.contentType
	h[HeaderSeq], h[HeaderEvents], h[HeaderHash], h[HeaderTime] = r.seq, r.events, r.hash, r.time
	h[HeaderIndex] = []string{strconv.Itoa(from)}
	h[HeaderCount] = []string{strconv.Itoa(end - from)}
	if r.actor != nil {
		h[HeaderActor] = r.actor
	}
	if cause := rec.CauseOf(from); cause != nil {
		h[HeaderCause] = []string{cause.String()}
	}
	return h
}

// parseHeaders reads what identifies a message. A message without valid headers
// was not written by a publisher: ErrCorrupt.
func parseHeaders(h nats.Header, streamSeq uint64) (*Message, error) {
	p := headerParser{get: h.Get}
	m := &Message{
		LogID:     p.uuid(HeaderLogID),
		Epoch:     p.number(HeaderEpoch, 64),
		Seq:       p.number(HeaderSeq, 64),
		Index:     int(p.number(HeaderIndex, 31)),
		Of:        int(p.number(HeaderEvents, 31)),
		Hash:      p.hash(HeaderHash),
		Time:      p.time(HeaderTime),
		StreamSeq: streamSeq,
		count:     int(p.number(HeaderCount, 31)),
	}
	if p.err == nil && (m.Seq == 0 || m.count == 0 || m.Index+m.count > m.Of || m.Of > events.MaxRecordEvents) {
		p.err = fmt.Errorf("seq %d with %d events from index %d of %d", m.Seq, m.count, m.Index, m.Of)
	}
	if p.err != nil {
		return nil, events.Errorf(events.CodeCorrupt, "stream message %d was not written by metalog: %w", streamSeq, p.err)
	}
	return m, nil
}

// headerParser reads named values and keeps the first error.
type headerParser struct {
	get func(name string) string
	err error
}

func (p *headerParser) note(name string, err error) {
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%s: %w", name, err)
	}
}

func (p *headerParser) number(name string, bits int) uint64 {
	n, err := strconv.ParseUint(p.get(name), 10, bits)
	p.note(name, err)
	return n
}

func (p *headerParser) uuid(name string) uuid.UUID {
	id, err := uuid.Parse(p.get(name))
	p.note(name, err)
	return id
}

func (p *headerParser) hash(name string) (h events.Hash) {
	p.note(name, h.UnmarshalText([]byte(p.get(name))))
	return h
}

func (p *headerParser) time(name string) (t events.Time) {
	p.note(name, t.UnmarshalText([]byte(p.get(name))))
	return t
}
