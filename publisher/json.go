package publisher

import (
	"encoding/json"
	"strconv"

	fastjson "github.com/segmentio/encoding/json"

	"github.com/metalog/metalog/events"
)

// encodeJSON writes the events from up to end, all of one entity and type, as
// encoding/json writes their views. It encodes once what they share, which is
// most of a commit of many offsets.
func encodeJSON(rec *events.Record, from, end int) ([]byte, error) {
	shared, err := sharedJSON(rec.View(from))
	if err != nil {
		return nil, err
	}
	out := []byte{'['}
	for i := from; i < end; i++ {
		if i > from {
			out = append(out, ',')
		}
		payload, err := json.Marshal(rec.Facts[i].Event)
		if err != nil {
			return nil, err
		}
		out = append(out, shared.beforeIndex...)
		out = strconv.AppendInt(out, int64(i), 10)
		out = append(out, shared.beforeCause...)
		out = appendCause(out, rec.CauseOf(i))
		out = append(out, `,"derived":`...)
		out = strconv.AppendBool(out, rec.Facts[i].Derived)
		out = append(out, shared.beforePayload...)
		out = append(out, payload...)
		out = append(out, '}')
	}
	return append(out, ']'), nil
}

func appendCause(out []byte, cause *events.Position) []byte {
	if cause == nil {
		return append(out, "null"...)
	}
	out = append(out, `{"seq":`...)
	out = strconv.AppendUint(out, cause.Seq, 10)
	out = append(out, `,"index":`...)
	out = strconv.AppendInt(out, int64(cause.Index), 10)
	return append(out, '}')
}

// shared is the text between the parts that differ.
type shared struct{ beforeIndex, beforeCause, beforePayload []byte }

func sharedJSON(v events.EventView) (s shared, err error) {
	of, err := json.Marshal(v.Entity)
	if err != nil {
		return s, err
	}
	middle, err := json.Marshal(struct {
		Type  string      `json:"type"`
		Time  events.Time `json:"time"`
		Actor string      `json:"actor"`
	}{v.Type, v.Time, v.Actor})
	if err != nil {
		return s, err
	}
	s.beforeIndex = append(strconv.AppendUint([]byte(`{"seq":`), v.Seq, 10), `,"index":`...)
	s.beforeCause = append([]byte{','}, middle[1:len(middle)-1]...)
	s.beforeCause = append(s.beforeCause, `,"cause":`...)
	s.beforePayload = append(append([]byte(`,"entity":`), of...), `,"payload":`...)
	return s, nil
}

// plainView is a view without the method that finds out its type.
type plainView events.EventView

// decodeJSON reads a list in one pass. The events to decode into are there
// before, since all events of a message have the same type. segmentio/encoding
// does it as encoding/json does, about four times as fast; it does not write all
// that encoding/json does (omitzero), so it is not used for that.
func decodeJSON(t events.Type, count int, data []byte) ([]events.EventView, error) {
	list := make([]plainView, count)
	for i := range list {
		list[i].Payload = events.New(t)
	}
	if err := fastjson.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	views := make([]events.EventView, len(list))
	for i, v := range list {
		views[i] = events.EventView(v)
	}
	return views, nil
}
