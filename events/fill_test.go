package events

import (
	"fmt"
	"reflect"
	"strings"
)

// filled returns an event of type t with all fields set, to the same values each
// time.
func filled(t Type) Event {
	event := registry[t].fresh()
	var f filler
	f.fill(reflect.ValueOf(event).Elem(), "")
	return event
}

// filler sets values, each to another one.
type filler struct{ n int64 }

var entityRefType = reflect.TypeFor[EntityRef]()

func (f *filler) fill(v reflect.Value, name string) {
	f.n++
	if v.Type() == entityRefType {
		v.Set(reflect.ValueOf(EntityRef{KindTopic, fmt.Sprint("topic-", f.n)}))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), name)
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.Name != "_" {
				f.fill(v.Field(i), field.Name)
			}
		}
	case reflect.Map:
		f.fillMap(v, name)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fillElements(v, name)
	case reflect.Array:
		f.fillElements(v, name)
	default:
		f.fillScalar(v, name)
	}
}

func (f *filler) fillElements(v reflect.Value, name string) {
	for i := range v.Len() {
		f.fill(v.Index(i), name)
	}
}

func (f *filler) fillMap(v reflect.Value, name string) {
	v.Set(reflect.MakeMap(v.Type()))
	for range 2 {
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key, name)
		f.fill(value, name)
		v.SetMapIndex(key, value)
	}
}

func (f *filler) fillScalar(v reflect.Value, name string) {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(fmt.Sprint(strings.ToLower(name), "-", f.n))
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(f.n)
	case v.CanUint():
		v.SetUint(uint64(f.n))
	default:
		panic(fmt.Sprintf("%s: don't know how to fill a %s", name, v.Type()))
	}
}

// recordOf returns a record with an empty event of type t and a filled one that
// it caused: what is left out when it is zero shows in the first.
func recordOf(t Type) *Record {
	return &Record{
		Seq:  7,
		Time: 1_700_000_000_000_000_001,
		Prev: Hash{0xab, 31: 0xcd},
		Meta: Meta{Actor: "alice"},
		Facts: []Fact{
			{Event: registry[t].fresh(), Cause: NoCause},
			{Event: filled(t), Derived: true, Cause: 0},
		},
	}
}

// fullRecord returns a record whose envelope has everything set.
func fullRecord() *Record {
	return &Record{
		Seq:  1 << 40,
		Time: 1_700_000_000_000_000_001,
		Prev: Hash{0xab, 31: 0xcd},
		Meta: Meta{
			CommandID:   "command-1",
			CommandHash: []byte{1, 2, 3},
			Actor:       "alice",
			Cause:       &Position{Seq: 6, Index: 2},
			Reason:      "a reason",
		},
		Facts: []Fact{
			{Event: filled(TypeTopicDeleted), Cause: NoCause},
			{Event: filled(TypeSegmentRemoved), Derived: true, Cause: 0},
			{Event: filled(TypeOffsetDeleted), Derived: true, Cause: NoCause},
		},
	}
}
