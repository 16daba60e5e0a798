package replay

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/metalog/metalog/events"
)

// ledger notes, while events of an entity go by, which of them gave each field its
// value.
type ledger struct {
	fold    fold
	existed bool
	deleted *events.EventView // nil: it is there
	fields  []ledgerField     // in the order of the entity's JSON
}

type ledgerField struct {
	name  string
	value json.RawMessage
	by    events.EventView
}

// take applies the next event.
func (l *ledger) take(e events.EventView) error {
	was := l.fold.object() != nil
	l.fold.apply(e)
	now := l.fold.object()
	switch {
	case now != nil && !was:
		l.existed, l.deleted, l.fields = true, nil, nil
	case now == nil && was:
		l.deleted = &e
		return nil
	case now == nil:
		return nil
	}
	return l.update(now, e)
}

// update takes the fields of what the entity is now. Those that have another value
// than before have it from e.
func (l *ledger) update(object any, e events.EventView) error {
	fields, err := flatten(object)
	if err != nil {
		return err
	}
	before := l.fields
	l.fields = make([]ledgerField, 0, len(fields))
	for _, f := range fields {
		f.by = e
		if i := slices.IndexFunc(before, func(old ledgerField) bool { return old.name == f.name }); i >= 0 && bytes.Equal(before[i].value, f.value) {
			f.by = before[i].by
		}
		l.fields = append(l.fields, f)
	}
	return nil
}

// set changes one field.
func (l *ledger) set(name string, value any, by events.EventView) error {
	encoded, err := json.Marshal(value)
	if err != nil {
		return err
	}
	for i := range l.fields {
		if l.fields[i].name == name {
			l.fields[i].value, l.fields[i].by = encoded, by
		}
	}
	return nil
}

func (l *ledger) by(name string) (by events.EventView) {
	for _, f := range l.fields {
		if f.name == name {
			by = f.by
		}
	}
	return by
}

// flatten lists the fields of a JSON object in their order; those of configs and
// attributes one by one, as config.KEY.
func flatten(object any) (fields []ledgerField, err error) {
	all, err := events.JSONFields(object)
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.Name != "config" && f.Name != "attributes" {
			fields = append(fields, ledgerField{name: f.Name, value: f.Value})
			continue
		}
		keys, err := events.JSONFields(f.Value)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			fields = append(fields, ledgerField{name: f.Name + "." + k.Name, value: k.Value})
		}
	}
	return fields, nil
}
