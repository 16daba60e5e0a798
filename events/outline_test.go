package events

import (
	"errors"
	"reflect"
	"testing"
)

// outlined returns records of all types, alone and together.
func outlined(t testing.TB) map[string]*Record {
	t.Helper()
	records := map[string]*Record{"envelope": fullRecord()}
	all := fullRecord()
	all.Facts = nil
	for _, typ := range Types() {
		records[typ.String()] = recordOf(typ)
		all.Facts = append(all.Facts, Fact{Event: filled(typ), Derived: len(all.Facts) > 0, Cause: len(all.Facts) - 1})
	}
	records["all types"] = all
	return records
}

func TestOutlineShowsWhatTheRecordHas(t *testing.T) {
	var o Outline // the same one again and again: nothing of the last may be left
	for name, rec := range outlined(t) {
		if err := o.Read(encode(t, rec)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(o.Facts) != len(rec.Facts) || !reflect.DeepEqual(o.Cause, rec.Meta.Cause) {
			t.Fatalf("%s: %d events because of %v, want %d because of %v", name, len(o.Facts), o.Cause, len(rec.Facts), rec.Meta.Cause)
		}
		for i := range rec.Facts {
			got, err := o.View(i)
			if want := rec.View(i); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, event %d: %+v, %v\nwant %+v", name, i, got, err, want)
			}
		}
	}
}

func TestPlaceOfHighRateEvents(t *testing.T) {
	found := 0
	for _, typ := range Types() {
		if !typ.HighRate() {
			continue
		}
		found++
		var o Outline
		rec := recordOf(typ)
		rec.Facts[0].Event = filled(typ)
		if err := o.Read(encode(t, rec)); err != nil {
			t.Fatal(err)
		}
		quick, err := o.Place(0)
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		decoded, err := o.placeOfOther(0)
		if err != nil || quick != decoded || quick == (Place{}) {
			t.Errorf("%s: %+v, decoded %+v, %v", typ, quick, decoded, err)
		}
	}
	if found != 2 {
		t.Errorf("%d types of a high rate; Place knows two", found)
	}
}

func TestOutlineOfSomethingElse(t *testing.T) {
	data := encode(t, fullRecord())
	for n := range data {
		var o Outline
		if err := o.Read(data[:n]); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("the first %d of %d bytes: %v, want ErrCorrupt", n, len(data), err)
		}
	}
	var o Outline
	if err := o.Read(append(data, 0)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte more: %v, want ErrCorrupt", err)
	}
}

func TestEveryEventIsIdentified(t *testing.T) {
	for _, typ := range Types() {
		e := filled(typ)
		identified, ok := e.(Identified)
		if !ok {
			if typ != TypeCascadeCompleted {
				t.Errorf("%s tells nothing of its identity", typ)
			}
			continue
		}
		if id := identified.Identity(); id.Kind != e.Entity().Kind {
			t.Errorf("%s is of %+v, its entity is %s", typ, id, e.Entity())
		}
	}
}

func FuzzOutline(f *testing.F) {
	for _, rec := range outlined(f) {
		f.Add(encode(f, rec))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, err := DecodeRecord(data)
		var o Outline
		if outlineErr := o.Read(data); err == nil && outlineErr != nil {
			t.Fatalf("a record has no outline: %v", outlineErr)
		} else if outlineErr != nil {
			return
		}
		for i := range o.Facts {
			view, viewErr := o.View(i)
			if err == nil && (viewErr != nil || !reflect.DeepEqual(view, rec.View(i))) {
				t.Fatalf("event %d: %+v, %v, want %+v", i, view, viewErr, rec.View(i))
			}
			if o.Facts[i].Type.HighRate() {
				_, _ = o.Place(i)
			}
		}
	})
}
