package publisher

import (
	"slices"

	"github.com/metalog/metalog/events"
)

// cborEvent is an event in a CBOR payload: the fields of events.EventView, with
// the event itself as it is in a record, its fields under their numbers.
type cborEvent struct {
	Seq     uint64           `cbor:"seq"`
	Index   int              `cbor:"index"`
	Type    string           `cbor:"type"`
	Time    events.Time      `cbor:"time"` // nanoseconds
	Actor   string           `cbor:"actor"`
	Cause   *events.Position `cbor:"cause"` // [seq, index]
	Derived bool             `cbor:"derived"`
	Entity  string           `cbor:"entity"`
	Payload cborPayload      `cbor:"payload"`
}

// cborPayload is an encoded event.
type cborPayload struct {
	event   events.Event // on the way out
	encoded []byte       // on the way in
}

func (p cborPayload) MarshalCBOR() ([]byte, error) { return events.Marshal(p.event) }

func (p *cborPayload) UnmarshalCBOR(data []byte) error {
	p.encoded = slices.Clone(data)
	return nil
}

func encodeCBOR(rec *events.Record, from, end int) ([]byte, error) {
	list := make([]cborEvent, 0, end-from)
	for i := from; i < end; i++ {
		list = append(list, cborView(rec.View(i)))
	}
	return events.Marshal(list)
}

func cborView(v events.EventView) cborEvent {
	return cborEvent{
		Seq:     v.Seq,
		Index:   v.Index,
		Type:    v.Type,
		Time:    v.Time,
		Actor:   v.Actor,
		Cause:   v.Cause,
		Derived: v.Derived,
		Entity:  v.Entity.String(),
		Payload: cborPayload{event: v.Payload},
	}
}

func decodeCBOR(t events.Type, data []byte) ([]events.EventView, error) {
	var list []cborEvent
	if err := events.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	views := make([]events.EventView, len(list))
	for i, e := range list {
		var err error
		if views[i], err = e.view(t); err != nil {
			return nil, err
		}
	}
	return views, nil
}

func (e cborEvent) view(t events.Type) (events.EventView, error) {
	entity, err := events.ParseEntityRef(e.Entity)
	if err != nil {
		return events.EventView{}, err
	}
	payload := events.New(t)
	return events.EventView{
		Seq:     e.Seq,
		Index:   e.Index,
		Type:    e.Type,
		Time:    e.Time,
		Actor:   e.Actor,
		Cause:   e.Cause,
		Derived: e.Derived,
		Entity:  entity,
		Payload: payload,
	}, events.Unmarshal(e.Payload.encoded, payload)
}
