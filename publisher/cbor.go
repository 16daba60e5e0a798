package publisher

import (
	"encoding/json"
	"errors"
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

func decodeCBOR(data []byte) ([]events.EventView, error) {
	var list []cborEvent
	if err := events.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	views := make([]events.EventView, len(list))
	for i, e := range list {
		var err error
		if views[i], err = e.view(); err != nil {
			return nil, err
		}
	}
	return views, nil
}

func (e cborEvent) view() (events.EventView, error) {
	entity, errEntity := events.ParseEntityRef(e.Entity)
	payload, errPayload := emptyEvent(e.Type)
	if err := errors.Join(errEntity, errPayload); err != nil {
		return events.EventView{}, err
	}
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

// emptyEvent returns an empty event of the named type. A view knows its
// payload's type by the name, so that an empty view gives one.
func emptyEvent(name string) (events.Event, error) {
	empty, err := json.Marshal(map[string]any{"type": name, "entity": events.KindCluster, "payload": struct{}{}})
	if err != nil {
		return nil, err
	}
	var view events.EventView
	err = json.Unmarshal(empty, &view)
	return view.Payload, err
}
