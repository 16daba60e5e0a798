package events

import "encoding/json"

// EventView is one event as people and other programs see it: on the command
// line, in messages and in the request API.
type EventView struct {
	Seq     uint64    `json:"seq"`
	Index   int       `json:"index"` // in its record
	Type    string    `json:"type"`
	Time    Time      `json:"time"`
	Actor   string    `json:"actor"`
	Cause   *Position `json:"cause"` // null: a command asked for it
	Derived bool      `json:"derived"`
	Entity  EntityRef `json:"entity"`
	Payload Event     `json:"payload"`
}

// View returns event i of the record with what the record says of it.
func (r *Record) View(i int) EventView {
	f := r.Facts[i]
	return EventView{
		Seq:     r.Seq,
		Index:   i,
		Type:    f.Event.Type().String(),
		Time:    r.Time,
		Actor:   r.Meta.Actor,
		Cause:   r.CauseOf(i),
		Derived: f.Derived,
		Entity:  f.Event.Entity(),
		Payload: f.Event,
	}
}

// UnmarshalJSON reads what encoding/json wrote of a view. The payload's type
// follows from the type's name; a field that it does not have is an error.
func (v *EventView) UnmarshalJSON(data []byte) error {
	type plain EventView
	wire := struct {
		*plain
		Payload json.RawMessage `json:"payload"`
	}{plain: (*plain)(v)}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	t, err := ParseType(v.Type)
	if err != nil {
		return err
	}
	v.Payload = New(t)
	return json.Unmarshal(wire.Payload, v.Payload)
}
