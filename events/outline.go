package events

import (
	"slices"

	"github.com/google/uuid"
)

// Outline is a record of which only the envelope is read: who looks for few
// events among many decodes only those. The bytes must have been checked, as a
// frame's are: here only the shape is. It keeps the bytes that it was read from.
type Outline struct {
	Seq   uint64
	Time  Time
	Cause *Position // of the record: Meta.Cause
	Facts []RawFact
	meta  []byte
}

// RawFact is an event of an [Outline].
type RawFact struct {
	Type    Type
	Derived bool
	Cause   int // index in the record, or NoCause
	version uint16
	payload []byte
}

// Read reads the outline of an encoded record, in place of what o was before.
func (o *Outline) Read(data []byte) error {
	p := peeker{data: data}
	seq, at, _, err := p.envelope()
	if err != nil {
		return err
	}
	*o = Outline{Seq: seq, Time: at, Facts: o.Facts[:0]}
	o.meta = p.item()
	o.Cause = metaCause(o.meta)
	count := p.head(cborArray)
	for range count {
		if p.bad {
			break
		}
		o.Facts = append(o.Facts, p.fact())
	}
	if p.bad || count == 0 || p.left() != 0 {
		return Errorf(CodeCorrupt, "seq %d: not a record", seq)
	}
	return nil
}

// fact reads an event but for its payload.
func (p *peeker) fact() (f RawFact) {
	fields := p.head(cborArray)
	f.Type = Type(p.head(cborUint))
	f.version = uint16(p.head(cborUint))
	flags := p.head(cborUint)
	f.Derived, f.Cause = flags&flagDerived != 0, int(p.int64())
	f.payload = p.item()
	p.bad = p.bad || fields != 5 || flags&^flagDerived != 0 || f.Cause < NoCause
	return f
}

// metaCause finds the cause in an encoded Meta; nil if there is none.
func metaCause(meta []byte) *Position {
	const key = 4 // of Meta.Cause
	p := peeker{data: meta}
	for range p.head(cborMap) {
		if p.bad {
			break
		}
		if p.head(cborUint) != key {
			p.skip()
			continue
		}
		p.head(cborArray)
		at := &Position{Seq: p.head(cborUint), Index: int(p.int64())}
		if p.bad {
			return nil
		}
		return at
	}
	return nil
}

// CauseOf returns the position of the event that caused fact i, or nil.
func (o *Outline) CauseOf(i int) *Position {
	if cause := o.Facts[i].Cause; cause != NoCause {
		return &Position{Seq: o.Seq, Index: cause}
	}
	return o.Cause
}

// Meta decodes what the record says of where it came from.
func (o *Outline) Meta() (m Meta, err error) {
	if err := decodeStrict(o.meta, &m); err != nil {
		return m, Errorf(CodeCorrupt, "seq %d: meta: %w", o.Seq, err)
	}
	return m, nil
}

// Event decodes event i.
func (o *Outline) Event(i int) (Event, error) {
	f := &o.Facts[i]
	event, err := decodeEvent(f.Type, f.version, f.payload)
	if err != nil {
		return nil, Errorf(CodeCorrupt, "seq %d, event %d: %w", o.Seq, i, err)
	}
	return event, nil
}

// View decodes event i with what the record says of it.
func (o *Outline) View(i int) (EventView, error) {
	meta, err := o.Meta()
	if err != nil {
		return EventView{}, err
	}
	event, err := o.Event(i)
	if err != nil {
		return EventView{}, err
	}
	f := o.Facts[i]
	return EventView{
		Seq: o.Seq, Index: i, Type: f.Type.String(), Time: o.Time, Actor: meta.Actor,
		Cause: o.CauseOf(i), Derived: f.Derived, Entity: event.Entity(), Payload: event,
	}, nil
}

// Clone returns a copy of the outline that is not changed by the next Read. It
// shares the bytes.
func (o *Outline) Clone() *Outline {
	c := *o
	c.Facts = slices.Clone(o.Facts)
	return &c
}

// HighRate reports whether there is an event of the type for about each thing
// that the platform's clients do, so that a log has far more of these than of
// all others: commits of offsets, and high watermarks. All other types are
// indexed by the history of their entity.
func (t Type) HighRate() bool {
	return t == TypeOffsetCommitted || t == TypeHighWatermarkAdvanced
}

// Place tells what an event of a high rate is about.
type Place struct {
	GroupID   uint64 // of OffsetCommitted; else 0
	TopicID   uuid.UUID
	Partition int32
}

// Place reads what event i, whose type is of a high rate, is about, without
// decoding it.
func (o *Outline) Place(i int) (Place, error) {
	f := &o.Facts[i]
	if f.version != 1 {
		return o.placeOfOther(i)
	}
	p := peeker{data: f.payload}
	var at Place
	p.head(cborMap)
	if f.Type == TypeOffsetCommitted {
		p.skipField(1)
		p.key(2)
		at.GroupID = p.head(cborUint)
		p.skipField(3)
		p.key(4)
		at.TopicID = p.uuid()
		p.key(5)
	} else {
		p.skipField(1)
		p.key(2)
		at.TopicID = p.uuid()
		p.key(3)
	}
	at.Partition = int32(p.int64())
	if p.bad {
		return Place{}, Errorf(CodeCorrupt, "seq %d, event %d, %s: payload", o.Seq, i, f.Type)
	}
	return at, nil
}

// placeOfOther is Place of a version whose bytes Place does not know.
func (o *Outline) placeOfOther(i int) (Place, error) {
	event, err := o.Event(i)
	if err != nil {
		return Place{}, err
	}
	switch e := event.(type) {
	case *OffsetCommitted:
		return Place{e.GroupID, e.TopicID, e.Partition}, nil
	case *HighWatermarkAdvanced:
		return Place{TopicID: e.TopicID, Partition: e.Partition}, nil
	}
	return Place{}, Errorf(CodeInvalid, "%s is no event of a high rate", event.Type())
}
