package metalog

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/metalog/metalog/events"
)

// fill sets every field, those of nested structs too, to something else than zero.
func fill(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n+i)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n+1)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n+i)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n+1)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("é <" + string(rune('a'+n%26)) + "> \u2028")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(n + 1))
	default:
		v.SetInt(int64(n + 1))
	}
}

// makeEmpty sets what may be left out to what is empty but there.
func makeEmpty(v reflect.Value) {
	if v.Kind() != reflect.Pointer {
		return
	}
	v.Set(reflect.New(v.Type().Elem()))
	switch e := v.Elem(); e.Kind() {
	case reflect.Slice:
		e.Set(reflect.MakeSlice(e.Type(), 0, 0))
	case reflect.Map:
		e.Set(reflect.MakeMap(e.Type()))
	}
}

// TestCommandCodec encodes each command, with all of its fields set, with none, and
// with what is empty but there.
func TestCommandCodec(t *testing.T) {
	for op, typ := range commandTypes {
		full, empty, there := reflect.New(typ), reflect.New(typ), reflect.New(typ)
		fill(full.Elem(), 0)
		for i := range typ.NumField() {
			makeEmpty(there.Elem().Field(i))
		}
		for name, v := range map[string]reflect.Value{"full": full, "empty": empty, "there": there} {
			cmd := v.Elem().Interface().(Command)
			body, err := EncodeCommand(cmd)
			if err != nil {
				t.Fatalf("%s, %s: %v", op, name, err)
			}
			got, err := DecodeCommand(op, body)
			if err != nil {
				t.Errorf("%s, %s: %v", op, name, err)
				continue
			}
			if !reflect.DeepEqual(got, cmd) {
				t.Errorf("%s, %s:\n%+v, want\n%+v", op, name, got, cmd)
			}
		}
	}
}

func TestDecodeCommandRefuses(t *testing.T) {
	unknown, err := events.Marshal(map[string]any{"id": "g", "color": "red"})
	if err != nil {
		t.Fatal(err)
	}
	notUTF8, err := EncodeCommand(CreateGroup{ID: "a\xff"})
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string][]byte{"unknown field": unknown, "not UTF-8": notUTF8, "nothing": nil, "JSON": []byte(`{"id":"g"}`)} {
		if cmd, err := DecodeCommand("group.create", body); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v, %v", name, cmd, err)
		}
	}
	if _, err := DecodeCommand("group.burn", nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("unknown operation: %v", err)
	}
}

func BenchmarkCommandCodec(b *testing.B) {
	epoch := int32(3)
	cmd := CommitOffsets{Group: "group7", Offsets: []OffsetCommit{{Topic: "orders", TopicID: uuid.UUID{1}, Partition: 7, Offset: time.Now().Unix(), LeaderEpoch: &epoch, Metadata: "consumer-1"}}}
	b.Run("cbor", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			body, _ := EncodeCommand(cmd)
			if _, err := DecodeCommand(cmd.Op(), body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			body, _ := json.Marshal(cmd)
			if _, err := ParseCommand(cmd.Op(), body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
