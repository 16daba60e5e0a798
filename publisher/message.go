package publisher

import (
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/metalog/metalog/events"
)

// Encoding is how payloads are written. Both hold the same list of events.
type Encoding string

// The encodings. CBOR is about half the size and the work; JSON can be read by
// people and by any NATS client.
const (
	JSON Encoding = "json"
	CBOR Encoding = "cbor"
)

// The content types of messages.
const (
	ContentJSON = "application/json"
	ContentCBOR = "application/cbor"
)

func (e Encoding) contentType() string {
	if e == CBOR {
		return ContentCBOR
	}
	return ContentJSON
}

// encoder turns records into messages.
type encoder struct {
	options    *Options
	headers    logHeaders
	maxPayload int // bytes that a payload may have
}

func newEncoder(o *Options, maxPayload int) encoder {
	return encoder{options: o, headers: logHeadersOf(o), maxPayload: maxPayload}
}

// outgoing is a message and the position after its last event.
type outgoing struct {
	msg  *nats.Msg
	next events.Position
}

// messages returns the messages of the record's events from index from on: one
// for each run of events with one subject, more where a run is over maxPayload.
func (e encoder) messages(rec *events.Record, from int) ([]outgoing, error) {
	shared := e.headers.of(rec)
	var msgs []outgoing
	for from < len(rec.Facts) {
		subject, end := e.run(rec, from)
		var err error
		if msgs, err = e.appendRun(msgs, shared, subject, rec, from, end); err != nil {
			return nil, err
		}
		from = end
	}
	return msgs, nil
}

// run returns the subject of event from and the index after the last one in a
// row that has it too.
func (e encoder) run(rec *events.Record, from int) (subject string, end int) {
	first := rec.Facts[from].Event
	of, t := first.Entity(), first.Type()
	for end = from + 1; end < len(rec.Facts); end++ {
		if next := rec.Facts[end].Event; next.Type() != t || next.Entity() != of {
			break
		}
	}
	return Subject(e.options.Cluster, of, t), end
}

// appendRun appends a message of the events from up to end, halving the run
// until each part fits.
func (e encoder) appendRun(msgs []outgoing, shared recordHeaders, subject string, rec *events.Record, from, end int) ([]outgoing, error) {
	data, err := encodeEvents(e.options.Encoding, rec, from, end)
	if err != nil {
		return nil, events.Errorf(events.CodeCorrupt, "seq %d, events %d to %d: %w", rec.Seq, from, end-1, err)
	}
	if len(data) <= e.maxPayload {
		msg := &nats.Msg{Subject: subject, Header: shared.message(rec, from, end), Data: data}
		return append(msgs, outgoing{msg, positionAfter(rec.Seq, end, len(rec.Facts))}), nil
	}
	if end-from == 1 {
		return nil, events.Errorf(events.CodeTooLarge, "event %d.%d takes %d bytes as %s, the NATS server takes %d; raise its max_payload or publish as CBOR", rec.Seq, from, len(data), e.options.Encoding, e.maxPayload)
	}
	middle := from + (end-from)/2
	if msgs, err = e.appendRun(msgs, shared, subject, rec, from, middle); err != nil {
		return nil, err
	}
	return e.appendRun(msgs, shared, subject, rec, middle, end)
}

// encodeEvents writes the events as a list.
func encodeEvents(encoding Encoding, rec *events.Record, from, end int) ([]byte, error) {
	if encoding == CBOR {
		return encodeCBOR(rec, from, end)
	}
	return encodeJSON(rec, from, end)
}

// decodeEvents reads a payload of count events of type t.
func decodeEvents(contentType string, t events.Type, count int, data []byte) (views []events.EventView, err error) {
	switch contentType {
	case ContentJSON:
		views, err = decodeJSON(t, count, data)
	case ContentCBOR:
		views, err = decodeCBOR(t, data)
	default:
		err = fmt.Errorf("content type %q is neither %s nor %s", contentType, ContentJSON, ContentCBOR)
	}
	if err == nil && len(views) != count {
		err = fmt.Errorf("%d events in the payload, %d in the header", len(views), count)
	}
	for _, v := range views {
		if err == nil && v.Type != t.String() {
			err = fmt.Errorf("%s in a message of %s", v.Type, t)
		}
	}
	return views, err
}

// parseMessage reads a whole message.
func parseMessage(subject string, h nats.Header, data []byte, streamSeq uint64) (*Message, error) {
	m, err := parseHeaders(h, streamSeq)
	if err != nil {
		return nil, err
	}
	m.Subject = subject
	t, err := events.ParseType(subject[strings.LastIndexByte(subject, '.')+1:])
	if err == nil {
		m.Events, err = decodeEvents(h.Get(HeaderContentType), t, m.count, data)
	}
	if err != nil {
		return nil, events.Errorf(events.CodeCorrupt, "stream message %d, seq %d: %w; a newer metalog may have written it", streamSeq, m.Seq, err)
	}
	return m, nil
}
