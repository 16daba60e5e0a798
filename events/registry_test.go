package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestRegistry(t *testing.T) {
	for _, typ := range Types() {
		event := registry[typ].fresh()
		if event.Type() != typ {
			t.Errorf("%s: a fresh event has type %d, want %d", typ, event.Type(), typ)
		}
		name := reflect.TypeOf(event).Elem().Name()
		if !strings.EqualFold(typ.String(), name) {
			t.Errorf("type %d is named %s, its struct %s", typ, typ, name)
		}
		if got, err := ParseType(typ.String()); err != nil || got != typ {
			t.Errorf("ParseType(%q) = %d, %v, want %d", typ, got, err, typ)
		}
	}
}

func TestUnknownType(t *testing.T) {
	if got := Type(9999).String(); got != "Type(9999)" {
		t.Errorf("name %q", got)
	}
	if _, err := ParseType("TopicRenamed"); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "TopicRenamed") {
		t.Errorf("error %v, want ErrInvalid naming the type", err)
	}
}

// Fields of one payload have numbers of their own, those of embedded structs too:
// where two are the same, the codec would take one of the fields for the other.
func TestFieldNumbersAreDistinct(t *testing.T) {
	for _, typ := range Types() {
		seen := map[string]string{}
		for _, f := range payloadFields(reflect.TypeOf(registry[typ].fresh()).Elem()) {
			if other, twice := seen[f.number]; twice {
				t.Errorf("%s: %s and %s both have number %s", typ, other, f.name, f.number)
			}
			seen[f.number] = f.name
		}
	}
}

// importStartedV0 stands for what ImportStarted might have been before its first
// version.
type importStartedV0 struct {
	Host string `cbor:"1,keyasint"`
	Port int    `cbor:"2,keyasint"`
}

// withOldVersion gives ImportStarted an older schema version for one test: the
// old one is 1 then, and today's is 2.
func withOldVersion(t *testing.T) {
	today := registry[TypeImportStarted]
	t.Cleanup(func() { registry[TypeImportStarted] = today })
	registry[TypeImportStarted] = describe[ImportStarted]("ImportStarted",
		upcast(func(old importStartedV0) Event {
			return &ImportStarted{Source: old.Host + ":" + string(rune('0'+old.Port))}
		}))
}

func TestUpcast(t *testing.T) {
	withOldVersion(t)
	event, err := decodeEvent(TypeImportStarted, 1, mustMarshal(t, importStartedV0{Host: "db", Port: 5}))
	if err != nil {
		t.Fatal(err)
	}
	if want := (&ImportStarted{Source: "db:5"}); !reflect.DeepEqual(event, want) {
		t.Errorf("version 1 decodes to %+v, want %+v", event, want)
	}
	today := &ImportStarted{Source: "db"}
	event, err = decodeEvent(TypeImportStarted, 2, mustMarshal(t, today))
	if err != nil || !reflect.DeepEqual(event, today) {
		t.Errorf("version 2 decodes to %+v, %v, want %+v", event, err, today)
	}
}

func TestUpcastIsStrict(t *testing.T) {
	withOldVersion(t)
	for name, tc := range map[string]struct {
		version uint16
		payload any
	}{
		"field that the old version lacks":     {1, map[int]any{1: "db", 2: 5, 3: "new"}},
		"field that only the old version has":  {2, map[int]any{1: "db", 2: 5}},
		"version beyond today's":               {3, map[int]any{1: "db"}},
		"field of another type in the old one": {1, map[int]any{1: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			if event, err := decodeEvent(TypeImportStarted, tc.version, generic(t, tc.payload)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %+v, %v, want ErrCorrupt", event, err)
			}
		})
	}
}

func TestTodaysVersionIsWritten(t *testing.T) {
	withOldVersion(t)
	data := encode(t, &Record{Seq: 1, Facts: []Fact{{Event: &ImportStarted{Source: "db"}, Cause: NoCause}}})
	wire, err := decodeEnvelope(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := wire.Events[0].Version; got != 2 {
		t.Errorf("version %d was written, want 2", got)
	}
}

func TestViewJSONRoundTrip(t *testing.T) {
	for _, typ := range Types() {
		t.Run(typ.String(), func(t *testing.T) {
			want := recordOf(typ).View(1)
			data, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var got EventView
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v (payload %+v), want %+v (payload %+v)", got, got.Payload, want, want.Payload)
			}
			if again, err := json.Marshal(got); err != nil || !bytes.Equal(again, data) {
				t.Errorf("marshalled again: %s, %v, want %s", again, err, data)
			}
		})
	}
}

func TestViewOfUnknownType(t *testing.T) {
	var view EventView
	if err := json.Unmarshal([]byte(`{"seq":1,"type":"TopicRenamed","entity":"topic/a","payload":{}}`), &view); !errors.Is(err, ErrInvalid) {
		t.Errorf("error %v, want ErrInvalid", err)
	}
}

func TestCauseOf(t *testing.T) {
	rec := fullRecord()
	for i, want := range []*Position{rec.Meta.Cause, {Seq: rec.Seq, Index: 0}, rec.Meta.Cause} {
		if got := rec.CauseOf(i); !reflect.DeepEqual(got, want) {
			t.Errorf("event %d: cause %v, want %v", i, got, want)
		}
	}
	rec.Meta.Cause = nil
	if got := rec.CauseOf(0); got != nil {
		t.Errorf("an event without a cause: %v", got)
	}
}
