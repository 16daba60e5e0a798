package events

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// payloadField is a field of a payload, as docs/record-format.md shows it.
type payloadField struct{ number, name, cborType string }

// payloadFields lists the fields of t, those of embedded structs first.
func payloadFields(t reflect.Type) []payloadField {
	var fields []payloadField
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			fields = append(fields, payloadFields(f.Type)...)
			continue
		}
		number, options, _ := strings.Cut(f.Tag.Get("cbor"), ",")
		name := jsonName(f)
		if strings.Contains(options, "omit") {
			name += "?" // left out when it is zero
		}
		fields = append(fields, payloadField{number, name, cborType(f.Type)})
	}
	return fields
}

func jsonName(f reflect.StructField) string {
	if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
		return name
	}
	return strings.ToLower(f.Name)
}

// cborType names what stands for a Go type in a payload.
func cborType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "bool"
	case reflect.Pointer:
		return cborType(t.Elem())
	case reflect.Array:
		return fmt.Sprintf("bytes[%d]", t.Len())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[" + cborType(t.Elem()) + "]"
	case reflect.Map:
		return "{" + cborType(t.Key()) + ": " + cborType(t.Elem()) + "}"
	case reflect.Struct:
		return t.Name()
	}
	return t.Kind().String()
}

func fieldList(t reflect.Type) string {
	var list []string
	for _, f := range payloadFields(t) {
		list = append(list, fmt.Sprintf("%s %s %s", f.number, f.name, f.cborType))
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

// formatTables are the tables of docs/record-format.md that follow from the code.
func formatTables() []string {
	var types strings.Builder
	types.WriteString("| type | event | version | fields |\n| --- | --- | --- | --- |\n")
	for _, typ := range Types() {
		payload := reflect.TypeOf(registry[typ].fresh()).Elem()
		fmt.Fprintf(&types, "| %d | %s | %d | %s |\n", typ, typ, schemaVersion(typ), fieldList(payload))
	}
	var nested strings.Builder
	nested.WriteString("| structure | fields |\n| --- | --- |\n")
	for _, v := range []any{Endpoint{}, EntityRef{}, Head{}, Member{}, OffsetRef{}, PartitionRef{}, PendingOffset{}, SegmentInfo{}} {
		fmt.Fprintf(&nested, "| %s | %s |\n", reflect.TypeOf(v).Name(), fieldList(reflect.TypeOf(v)))
	}
	return []string{types.String(), nested.String()}
}

func TestRecordFormatDocument(t *testing.T) {
	document, err := os.ReadFile("../docs/record-format.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range formatTables() {
		if !strings.Contains(string(document), table) {
			t.Errorf("docs/record-format.md does not have this table; put it there:\n%s", table)
		}
	}
}
