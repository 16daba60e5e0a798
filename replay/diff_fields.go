package replay

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/metalog/metalog/events"
	"github.com/metalog/metalog/views"
)

// notCompared are fields that say which entity it is, or when it was last
// touched, and not what it is like.
var notCompared = map[views.Noun][]string{
	views.NounBroker:      {"id", "updated_at"},
	views.NounTopic:       {"name", "id", "updated_at"},
	views.NounPartition:   {"topic", "topic_id", "partition"},
	views.NounSegment:     {"topic", "topic_id", "id"},
	views.NounGroup:       {"id", "group_id", "updated_at"},
	views.NounOffset:      {"group", "group_id", "topic", "topic_id", "partition"},
	views.NounTransaction: {"transactional_id", "updated_at"},
}

// comparedField is a field of an entity's JSON that is compared.
type comparedField struct {
	name      string
	index     []int
	omitEmpty bool
	encode    func(reflect.Value) json.RawMessage
	// parts takes an object, or a list of objects, apart by what names each; nil:
	// the field is compared as a whole.
	parts func(reflect.Value) map[string]reflect.Value
}

// comparedFields has the fields of each entity's type, which are found once.
var comparedFields sync.Map // views.Noun → []comparedField

func fieldsOf(noun views.Noun, entity reflect.Type) []comparedField {
	if known, ok := comparedFields.Load(noun); ok {
		return known.([]comparedField)
	}
	var fields []comparedField
	for _, f := range reflect.VisibleFields(entity) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" || name == "revision" || slices.Contains(notCompared[noun], name) {
			continue
		}
		fields = append(fields, comparedField{
			name: name, index: f.Index, omitEmpty: strings.Contains(options, "omit"),
			encode: encoderOf(f.Type), parts: partsOf[f.Type],
		})
	}
	comparedFields.Store(noun, fields)
	return fields
}

func revisionOf(entity any) uint64 {
	if entity == nil {
		return 0
	}
	return reflect.ValueOf(entity).FieldByName("Revision").Uint()
}

// differingFields returns the fields in which an entity differs, in the order of
// its JSON; those of one that is not at both points are all that it has.
func differingFields(noun views.Noun, before, after any) []FieldDifference {
	b, a := reflect.ValueOf(before), reflect.ValueOf(after)
	entity := a
	if !a.IsValid() {
		entity = b
	}
	differing := []FieldDifference{}
	for _, f := range fieldsOf(noun, entity.Type()) {
		differing = f.compare(differing, f.of(b), f.of(a))
	}
	return differing
}

// of returns the field's value; an invalid one where JSON would have none.
func (f *comparedField) of(entity reflect.Value) reflect.Value {
	if !entity.IsValid() {
		return entity
	}
	value := entity.FieldByIndex(f.index)
	if f.omitEmpty && (value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0) {
		return reflect.Value{}
	}
	return value
}

func (f *comparedField) compare(differing []FieldDifference, before, after reflect.Value) []FieldDifference {
	if f.parts == nil {
		return appendDifference(differing, f.name, f.encode, before, after)
	}
	was, is := f.takeApart(before), f.takeApart(after)
	names := slices.AppendSeq(slices.Collect(maps.Keys(was)), maps.Keys(is))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		differing = appendDifference(differing, f.name+"."+name, encodeAny, was[name], is[name])
	}
	return differing
}

func (f *comparedField) takeApart(value reflect.Value) map[string]reflect.Value {
	if !value.IsValid() {
		return nil
	}
	return f.parts(value)
}

// appendDifference appends a field unless both values are written the same.
func appendDifference(differing []FieldDifference, name string, encode func(reflect.Value) json.RawMessage, before, after reflect.Value) []FieldDifference {
	switch {
	case !before.IsValid() && !after.IsValid():
		return differing
	case before.IsValid() && after.IsValid() && before.Comparable() && before.Equal(after):
		return differing
	}
	d := FieldDifference{Name: name}
	if before.IsValid() {
		d.Before = encode(before)
	}
	if after.IsValid() {
		d.After = encode(after)
	}
	if bytes.Equal(d.Before, d.After) {
		return differing
	}
	return append(differing, d)
}

// encoderOf returns how values of a type are written in JSON.
func encoderOf(t reflect.Type) func(reflect.Value) json.RawMessage {
	if t.Implements(reflect.TypeFor[json.Marshaler]()) || t.NumMethod() > 0 {
		return encodeAny // it has a form of its own
	}
	switch t.Kind() {
	case reflect.Int16, reflect.Int32, reflect.Int64:
		return func(v reflect.Value) json.RawMessage { return strconv.AppendInt(nil, v.Int(), 10) }
	case reflect.Uint64:
		return func(v reflect.Value) json.RawMessage { return strconv.AppendUint(nil, v.Uint(), 10) }
	}
	return encodeAny
}

// encodeAny writes a value as every output does: text stays readable.
func encodeAny(v reflect.Value) json.RawMessage {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v.Interface()); err != nil {
		panic(err) // entities consist of text, numbers and bytes
	}
	return bytes.TrimRight(line.Bytes(), "\n")
}

// partsOf has the types that are compared part by part.
var partsOf = map[reflect.Type]func(reflect.Value) map[string]reflect.Value{
	reflect.TypeFor[events.Config](): func(config reflect.Value) map[string]reflect.Value {
		parts := make(map[string]reflect.Value, config.Len())
		for key, value := range config.Seq2() {
			parts[key.String()] = value
		}
		return parts
	},
	reflect.TypeFor[events.Members]():         namedBy(func(m events.Member) string { return m.ID }),
	reflect.TypeFor[[]events.Endpoint]():      namedBy(func(e events.Endpoint) string { return e.Name }),
	reflect.TypeFor[[]events.PartitionRef]():  namedBy(func(p events.PartitionRef) string { return partitionName(p.Topic, p.Partition) }),
	reflect.TypeFor[[]events.PendingOffset](): namedBy(func(o events.PendingOffset) string { return o.Group + "/" + partitionName(o.Topic, o.Partition) }),
}

func partitionName(topic string, partition int32) string {
	return topic + "/" + strconv.Itoa(int(partition))
}

// namedBy takes a list apart by the names of its elements. Of elements with one
// name, which endpoints may have, the later ones are numbered.
func namedBy[T any](nameOf func(T) string) func(reflect.Value) map[string]reflect.Value {
	return func(list reflect.Value) map[string]reflect.Value {
		parts := make(map[string]reflect.Value, list.Len())
		for _, element := range list.Seq2() {
			name := nameOf(element.Interface().(T))
			unique := name
			for n := 2; parts[unique].IsValid(); n++ {
				unique = name + "#" + strconv.Itoa(n)
			}
			parts[unique] = element
		}
		return parts
	}
}
