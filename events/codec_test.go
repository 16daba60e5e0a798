package events

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

func encode(t testing.TB, rec *Record) []byte {
	t.Helper()
	data, err := AppendRecord(nil, rec)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRoundTrip(t *testing.T) {
	records := map[string]*Record{"envelope": fullRecord()}
	for _, typ := range Types() {
		records[typ.String()] = recordOf(typ)
	}
	for name, rec := range records {
		t.Run(name, func(t *testing.T) {
			data := encode(t, rec)
			got, err := DecodeRecord(data)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, rec) {
				t.Errorf("decoded:\n%+v\nwant:\n%+v", got, rec)
			}
			if again := encode(t, got); !bytes.Equal(again, data) {
				t.Errorf("encoded again: %x, want %x", again, data)
			}
		})
	}
}

func TestAppendRecordKeepsWhatIsThere(t *testing.T) {
	rec := fullRecord()
	got, err := AppendRecord([]byte("before"), rec)
	if err != nil {
		t.Fatal(err)
	}
	if want := append([]byte("before"), encode(t, rec)...); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestPeekRecord(t *testing.T) {
	rec := recordOf(TypeTopicCreated)
	wire := wireOf(rec)
	events := wire[5].([]any)
	events[0].([]any)[0] = 9999 // a type that only a newer metalog knows
	seq, at, prev, err := PeekRecord(generic(t, wire))
	if err != nil || seq != rec.Seq || at != rec.Time || prev != rec.Prev {
		t.Errorf("got %d, %v, %v, %v", seq, at, prev, err)
	}
	if _, _, _, err := PeekRecord([]byte{0x80}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an empty array: %v, want ErrCorrupt", err)
	}
}

// wireOf returns a record of one TopicPurged as its envelope's elements, for a
// test to spoil.
func wireOf(rec *Record) []any {
	payload := map[int]any{1: "orders", 2: bytes.Repeat([]byte{7}, 16)}
	event := []any{TypeTopicPurged, 1, 0, NoCause, payload}
	return []any{recordVersion, rec.Seq, rec.Time, rec.Prev[:], map[int]any{3: "alice"}, []any{event}}
}

// generic encodes without the rules of this package's codec.
func generic(t testing.TB, v any) []byte {
	t.Helper()
	data, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The places in wireOf.
const (
	inEnvelopeVersion = iota
	inEnvelopeSeq
	inEnvelopeTime
	inEnvelopePrev
	inEnvelopeMeta
	inEnvelopeEvents
)

const (
	inEventType = iota
	inEventVersion
	inEventFlags
	inEventCause
	inEventPayload
)

func TestDecodeRefuses(t *testing.T) {
	type array = []any
	payload := func(_, event array) map[int]any { return event[inEventPayload].(map[int]any) }
	for name, spoil := range map[string]func(wire, event array) any{
		"record version 0":        func(w, _ array) any { w[inEnvelopeVersion] = 0; return w },
		"record version 2":        func(w, _ array) any { w[inEnvelopeVersion] = 2; return w },
		"seq 0":                   func(w, _ array) any { w[inEnvelopeSeq] = 0; return w },
		"seq below 0":             func(w, _ array) any { w[inEnvelopeSeq] = -1; return w },
		"time as text":            func(w, _ array) any { w[inEnvelopeTime] = "2026-01-01T00:00:00Z"; return w },
		"time as float":           func(w, _ array) any { w[inEnvelopeTime] = 1.5; return w },
		"unknown meta field":      func(w, _ array) any { w[inEnvelopeMeta] = map[int]any{99: 1}; return w },
		"meta field by name":      func(w, _ array) any { w[inEnvelopeMeta] = map[string]any{"Actor": "bob"}; return w },
		"cause of three":          func(w, _ array) any { w[inEnvelopeMeta] = map[int]any{4: array{1, 2, 3}}; return w },
		"no events":               func(w, _ array) any { w[inEnvelopeEvents] = array{}; return w },
		"envelope too short":      func(w, _ array) any { return w[:inEnvelopeEvents] },
		"envelope too long":       func(w, _ array) any { return append(w, 1) },
		"envelope as map":         func(w, _ array) any { return map[int]any{1: w} },
		"event too short":         func(w, e array) any { w[inEnvelopeEvents] = array{e[:inEventPayload]}; return w },
		"event too long":          func(w, e array) any { w[inEnvelopeEvents] = array{append(e, 1)}; return w },
		"type 0":                  func(w, e array) any { e[inEventType] = 0; return w },
		"unknown type":            func(w, e array) any { e[inEventType] = 9999; return w },
		"type beyond 16 bits":     func(w, e array) any { e[inEventType] = int(TypeTopicPurged) + 1<<16; return w },
		"schema version 0":        func(w, e array) any { e[inEventVersion] = 0; return w },
		"unknown schema version":  func(w, e array) any { e[inEventVersion] = 2; return w },
		"unknown flag":            func(w, e array) any { e[inEventFlags] = 2; return w },
		"flag beyond 8 bits":      func(w, e array) any { e[inEventFlags] = 256; return w },
		"cause is itself":         func(w, e array) any { e[inEventCause] = 0; return w },
		"cause below -1":          func(w, e array) any { e[inEventCause] = -2; return w },
		"payload as text":         func(w, e array) any { e[inEventPayload] = "orders"; return w },
		"payload as array":        func(w, e array) any { e[inEventPayload] = array{"orders"}; return w },
		"unknown payload field":   func(w, e array) any { payload(w, e)[99] = 1; return w },
		"text as number":          func(w, e array) any { payload(w, e)[1] = 5; return w },
		"text that is not UTF-8":  func(w, e array) any { payload(w, e)[1] = cbor.RawMessage{0x61, 0xff}; return w },
		"tag":                     func(w, e array) any { payload(w, e)[1] = cbor.Tag{Number: 32, Content: "orders"}; return w },
		"indefinite length text":  func(w, e array) any { payload(w, e)[1] = cbor.RawMessage{0x7f, 0x61, 'a', 0xff}; return w },
		"indefinite length map":   func(w, e array) any { e[inEventPayload] = cbor.RawMessage{0xbf, 0xff}; return w },
		"key twice":               func(w, e array) any { e[inEventPayload] = cbor.RawMessage{0xa2, 1, 0x61, 'a', 1, 0x61, 'b'}; return w },
		"nested too deep":         func(w, e array) any { payload(w, e)[1] = cbor.RawMessage(deep(20)); return w },
		"array longer than limit": func(w, _ array) any { w[inEnvelopeEvents] = make(array, 1<<16+1); return w },
	} {
		t.Run(name, func(t *testing.T) {
			wire := wireOf(recordOf(TypeTopicPurged))
			if _, err := DecodeRecord(generic(t, wire)); err != nil {
				t.Fatalf("the sound record: %v", err)
			}
			event := wire[inEnvelopeEvents].([]any)[0].([]any)
			got, err := DecodeRecord(generic(t, spoil(wire, event)))
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %+v, error %v, want ErrCorrupt", got, err)
			}
		})
	}
}

func deep(levels int) []byte {
	return append(bytes.Repeat([]byte{0x81}, levels), 0)
}

func TestDecodeRefusesBytes(t *testing.T) {
	sound := encode(t, fullRecord())
	for name, data := range map[string][]byte{
		"nothing":        nil,
		"zeros":          make([]byte, 64),
		"trailing byte":  append(slices.Clone(sound), 0),
		"record twice":   append(slices.Clone(sound), sound...),
		"over the limit": make([]byte, MaxRecordBytes+1),
	} {
		if _, err := DecodeRecord(data); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: error %v, want ErrCorrupt", name, err)
		}
	}
	for n := range sound {
		if _, err := DecodeRecord(sound[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d of %d bytes: error %v, want ErrCorrupt", n, len(sound), err)
		}
	}
}

func TestUnknownIsNamed(t *testing.T) {
	wire := wireOf(recordOf(TypeTopicPurged))
	wire[inEnvelopeEvents].([]any)[0].([]any)[inEventType] = 9999
	_, err := DecodeRecord(generic(t, wire))
	for _, want := range []string{"seq 7", "event 0", "type 9999", "newer metalog"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestLimits(t *testing.T) {
	event := func(size int) Fact {
		return Fact{Event: &ImportStarted{Source: strings.Repeat("x", size)}, Cause: NoCause}
	}
	overhead := len(mustMarshal(t, &ImportStarted{Source: strings.Repeat("x", MaxEventBytes/2)})) - MaxEventBytes/2
	largest := MaxEventBytes - overhead
	for name, tc := range map[string]struct {
		facts []Fact
		want  error
	}{
		"largest event":     {[]Fact{event(largest)}, nil},
		"event over limit":  {[]Fact{event(largest + 1)}, ErrTooLarge},
		"record over limit": {[]Fact{event(largest), event(largest)}, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			rec := &Record{Seq: 1, Facts: tc.facts}
			got, err := AppendRecord([]byte("before"), rec)
			if !errors.Is(err, tc.want) {
				t.Fatalf("error %v, want %v", err, tc.want)
			}
			if err != nil && string(got) != "before" {
				t.Errorf("dst has %d bytes, want it as it was", len(got))
			}
		})
	}
}

func mustMarshal(t testing.TB, v any) []byte {
	t.Helper()
	data, err := Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestUnmarshalIsStrict(t *testing.T) {
	type row struct {
		N uint64 `cbor:"1,keyasint"`
	}
	var got row
	if err := Unmarshal(mustMarshal(t, row{N: 5}), &got); err != nil || got.N != 5 {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := Unmarshal(generic(t, map[int]any{1: 5, 2: 6}), &got); err == nil {
		t.Error("an unknown field was taken")
	}
}

// What decodes can be encoded, and is the same then.
func FuzzDecodeRecord(f *testing.F) {
	for _, typ := range Types() {
		f.Add(encode(f, recordOf(typ)))
	}
	f.Add(encode(f, fullRecord()))
	f.Add(binary.BigEndian.AppendUint64(nil, 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, err := DecodeRecord(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v, want ErrCorrupt", err)
			}
			return
		}
		canonical, err := AppendRecord(nil, rec)
		if errors.Is(err, ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeRecord(canonical)
		if err != nil {
			t.Fatal(err)
		}
		if twice := encode(t, again); !bytes.Equal(twice, canonical) {
			t.Errorf("encoded twice: %x, then %x", canonical, twice)
		}
		seq, at, prev, err := PeekRecord(canonical)
		if err != nil || seq != rec.Seq || at != rec.Time || prev != rec.Prev {
			t.Errorf("peeked %d, %d, %v, %v, decoded %d, %d, %v", seq, at, prev, err, rec.Seq, rec.Time, rec.Prev)
		}
	})
}
