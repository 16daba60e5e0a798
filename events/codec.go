package events

import "github.com/fxamacker/cbor/v2"

// recordVersion is the version of the envelope: the arrays below. Payloads have
// versions of their own.
const recordVersion = 1

// The flags of an event in a record.
const flagDerived = 1

// wireRecord is a record's frozen envelope.
type wireRecord struct {
	_       struct{} `cbor:",toarray"`
	Version uint64
	Seq     uint64
	Time    Time
	Prev    Hash
	Meta    Meta
	Events  []wireEvent
}

type wireEvent struct {
	_       struct{} `cbor:",toarray"`
	Type    Type
	Version uint16
	Flags   uint8
	Cause   int
	Payload cbor.RawMessage
}

var (
	encMode = must(cbor.EncOptions{
		Sort:            cbor.SortCoreDeterministic,
		ShortestFloat:   cbor.ShortestFloat16,
		NaNConvert:      cbor.NaNConvert7e00,
		InfConvert:      cbor.InfConvertFloat16,
		IndefLength:     cbor.IndefLengthForbidden,
		TagsMd:          cbor.TagsForbidden,
		BinaryMarshaler: cbor.BinaryMarshalerNone, // a UUID is its 16 bytes
	}.UserBufferEncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   16,
		MaxArrayElements:  1 << 16,
		MaxMapPairs:       1 << 16,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		FieldNameMatching: cbor.FieldNameMatchingCaseSensitive,
		BinaryUnmarshaler: cbor.BinaryUnmarshalerNone,
	}.DecMode())
)

func must[M any](mode M, err error) M {
	if err != nil {
		panic(err) // wrong options above: no program gets past its start
	}
	return mode
}

// Marshal encodes v as deterministic CBOR (RFC 8949, 4.2.1), as records, rows
// and messages are.
func Marshal(v any) ([]byte, error) { return encMode.Marshal(v) }

// Unmarshal decodes what Marshal encoded. An unknown field, a tag, a duplicate
// key or bytes after the value are errors.
func Unmarshal(data []byte, v any) error { return decodeStrict(data, v) }

func decodeStrict(data []byte, v any) error { return decMode.Unmarshal(data, v) }

// DecodeRecord decodes a record. What is not a record is ErrCorrupt, and so is an
// event of an unknown type, version or field: a reader that does not know an
// event must stop, not skip it. That the bytes are the one encoding of what they
// say is not checked here; 'metalog verify' does. Who decodes many uses a [Decoder].
func DecodeRecord(data []byte) (*Record, error) {
	return new(Decoder).Decode(data)
}

// decodeAny decodes a record in whatever encoding.
func decodeAny(data []byte) (*Record, error) {
	wire, err := decodeEnvelope(data)
	if err != nil {
		return nil, err
	}
	rec := &Record{Seq: wire.Seq, Time: wire.Time, Prev: wire.Prev, Meta: wire.Meta, Facts: make([]Fact, len(wire.Events))}
	for i, w := range wire.Events {
		if rec.Facts[i], err = decodeFact(w, i); err != nil {
			return nil, Errorf(CodeCorrupt, "seq %d, event %d: %w", rec.Seq, i, err)
		}
	}
	return rec, nil
}

func decodeEnvelope(data []byte) (*wireRecord, error) {
	if len(data) > MaxRecordBytes {
		return nil, Errorf(CodeCorrupt, "record of %d bytes, the limit is %d", len(data), MaxRecordBytes)
	}
	var wire wireRecord
	if err := decodeStrict(data, &wire); err != nil {
		return nil, Errorf(CodeCorrupt, "record: %w", err)
	}
	if wire.Version != recordVersion {
		return nil, Errorf(CodeCorrupt, "record version %d is not known (newest: %d); a newer metalog wrote it", wire.Version, recordVersion)
	}
	if wire.Seq == 0 || len(wire.Events) == 0 {
		return nil, Errorf(CodeCorrupt, "record with seq %d and %d events", wire.Seq, len(wire.Events))
	}
	return &wire, nil
}

func decodeFact(w wireEvent, index int) (Fact, error) {
	if w.Flags&^flagDerived != 0 {
		return Fact{}, Errorf(CodeCorrupt, "flags %#x are not known; a newer metalog wrote it", w.Flags)
	}
	if w.Cause < NoCause || w.Cause >= index {
		return Fact{}, Errorf(CodeCorrupt, "cause %d is not before it", w.Cause)
	}
	event, err := decodeEvent(w.Type, w.Version, w.Payload)
	return Fact{Event: event, Derived: w.Flags&flagDerived != 0, Cause: w.Cause}, err
}
