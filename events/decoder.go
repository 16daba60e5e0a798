package events

import (
	"hash/maphash"
	"math"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
)

// Decoder decodes records one after the other, for one goroutine. It makes of any
// bytes what [DecodeRecord] makes of them; names that come again are one string. The
// zero value is ready.
//
// A record is decoded by hand as long as it is what AppendRecord writes: the frozen
// envelope, and the payloads that come by the million. The codec decodes the other
// payloads, and all of a record in which anything is otherwise, so that what is
// accepted, what it means, and how it is refused stays up to the codec.
type Decoder struct {
	records int
	names   []string // by hash; a power of two

	// Of the record that is decoded: events that stand side by side, made at once.
	committed []OffsetCommitted
	advanced  []HighWatermarkAdvanced
}

const (
	fewNames  = 8       // for some records
	manyNames = 1 << 12 // for a log
	manyAfter = 64      // records
	// maxSideBySide bounds what an event that is kept keeps of others.
	maxSideBySide = 64
)

// Decode is [DecodeRecord]. The record keeps nothing of data.
func (d *Decoder) Decode(data []byte) (*Record, error) {
	switch d.records {
	case 0:
		d.names = make([]string, fewNames)
	case manyAfter:
		d.names = make([]string, manyNames)
	}
	d.records++
	if rec := d.written(data); rec != nil {
		return rec, nil
	}
	return decodeAny(data)
}

// written decodes a record that is as AppendRecord writes it, or returns nil.
func (d *Decoder) written(data []byte) *Record {
	if len(data) > MaxRecordBytes {
		return nil
	}
	p := peeker{data: data}
	rec := &Record{}
	var err error
	if rec.Seq, rec.Time, rec.Prev, err = p.envelope(); err != nil {
		return nil
	}
	d.meta(&p, &rec.Meta)
	n := p.head(cborArray)
	if p.bad || n == 0 || n > MaxRecordEvents {
		return nil
	}
	d.committed, d.advanced = nil, nil
	rec.Facts = make([]Fact, n)
	for i := range rec.Facts {
		if !d.fact(&p, rec.Facts[:i+1], int(n)-i) {
			return nil
		}
	}
	if p.left() > 0 {
		return nil
	}
	return rec
}

func (d *Decoder) meta(p *peeker, m *Meta) {
	var last uint64
	for range p.head(cborMap) {
		field := p.head(cborUint)
		if field <= last { // in order, each once
			p.bad = true
		}
		switch last = field; field {
		case 1:
			m.CommandID = string(p.text())
		case 2:
			m.CommandHash = append(m.CommandHash, p.string(cborBytes)...)
			p.bad = p.bad || m.CommandHash == nil
		case 3:
			m.Actor = d.name(p)
		case 4:
			m.Cause = p.position()
		case 5:
			m.Reason = string(p.text())
		default:
			p.bad = true
		}
		if p.bad {
			return
		}
	}
}

// fact decodes the last of facts, of which left are still to come with it.
func (d *Decoder) fact(p *peeker, facts []Fact, left int) bool {
	index := len(facts) - 1
	f := &facts[index]
	fields, t, version, flags := p.head(cborArray), p.head(cborUint), p.head(cborUint), p.head(cborUint)
	f.Cause = int(p.int(NoCause, int64(index)-1))
	if p.bad || fields != 5 || t > math.MaxUint16 || version > math.MaxUint16 || flags > flagDerived {
		return false
	}
	f.Derived = flags == flagDerived
	if version == frequentVersion {
		f.Event = d.frequent(p, Type(t), left)
	}
	if p.bad {
		return false
	}
	if f.Event != nil {
		return true
	}
	var payload cbor.RawMessage
	rest, err := decMode.UnmarshalFirst(p.data[p.at:], &payload)
	if err != nil {
		return false
	}
	p.at = len(p.data) - len(rest)
	f.Event, err = decodeEvent(Type(t), uint16(version), payload)
	return err == nil
}

// frequentVersion is the schema version of the payloads that are decoded by hand. A
// type that gets another one leaves them.
const frequentVersion = 1

// frequent decodes the payload of a type that is frequent in logs. It is nil for
// any other type.
func (d *Decoder) frequent(p *peeker, t Type, left int) Event {
	switch t {
	case TypeOffsetCommitted:
		e := next(&d.committed, left)
		fields := p.head(cborMap)
		d.offsetRef(p, &e.OffsetRef)
		d.offsetInfo(p, &e.OffsetInfo, fields-5)
		return e
	case TypeOffsetDeleted:
		return &OffsetDeleted{d.wholeOffsetRef(p)}
	case TypeOffsetExpired:
		return &OffsetExpired{d.wholeOffsetRef(p)}
	case TypeHighWatermarkAdvanced:
		e := next(&d.advanced, left)
		p.bad = p.head(cborMap) != 5 || p.bad
		d.highWatermark(p, e)
		return e
	}
	return nil
}

// next takes an event off those that were made side by side, or makes more.
func next[T any](made *[]T, left int) *T {
	if len(*made) == 0 {
		*made = make([]T, min(left, maxSideBySide))
	}
	e := &(*made)[0]
	*made = (*made)[1:]
	return e
}

func (d *Decoder) offsetRef(p *peeker, ref *OffsetRef) {
	p.key(1)
	ref.Group = d.name(p)
	p.key(2)
	ref.GroupID = p.head(cborUint)
	p.key(3)
	ref.Topic = d.name(p)
	p.key(4)
	ref.TopicID = p.uuid()
	p.key(5)
	ref.Partition = p.int32()
}

// wholeOffsetRef decodes a payload that is nothing else.
func (d *Decoder) wholeOffsetRef(p *peeker) (ref OffsetRef) {
	p.bad = p.head(cborMap) != 5 || p.bad
	d.offsetRef(p, &ref)
	return ref
}

// offsetInfo decodes two fields, or three with metadata.
func (d *Decoder) offsetInfo(p *peeker, info *OffsetInfo, fields uint64) {
	p.key(6)
	info.Offset = p.int64()
	p.key(7)
	info.LeaderEpoch = p.int32()
	switch fields {
	case 2:
	case 3:
		p.key(8)
		info.Metadata = string(p.text())
	default:
		p.bad = true
	}
}

func (d *Decoder) highWatermark(p *peeker, e *HighWatermarkAdvanced) {
	p.key(1)
	e.Topic = d.name(p)
	p.key(2)
	e.TopicID = p.uuid()
	p.key(3)
	e.Partition = p.int32()
	p.key(4)
	e.HighWatermark = p.int64()
	p.key(5)
	e.LeaderEpoch = p.int32()
}

var nameSeed = maphash.MakeSeed()

// name reads a text that is likely to have come before. Where it goes in the table
// differs from run to run, what is returned does not.
func (d *Decoder) name(p *peeker) string {
	b := p.string(cborText)
	known := &d.names[maphash.Bytes(nameSeed, b)&uint64(len(d.names)-1)]
	if *known == string(b) { // which is valid, or empty
		return *known
	}
	if !utf8.Valid(b) {
		p.bad = true
		return ""
	}
	*known = string(b)
	return *known
}
