package views

import "github.com/metalog/metalog/events"

// kept is what a writer has decoded of topics and groups, by name: nearly every
// command names one. Whatever changes such a row drops it first. Who gets a kept
// value shares it, and must not write to what it refers to.
type kept struct {
	topics keptRows[events.Topic]
	groups keptRows[events.Group]
}

// maxKept bounds what is kept of a kind: a few MiB.
const maxKept = 1 << 14

// keptRows are rows by name. The zero value is empty.
type keptRows[T any] struct{ byName map[string]T }

// get returns the row of that name, which find reads when it is not kept.
func (k *keptRows[T]) get(name string, find func(string) (T, error)) (T, error) {
	if row, ok := k.byName[name]; ok {
		return row, nil
	}
	row, err := find(name)
	if err != nil {
		return row, err
	}
	if k.byName == nil || len(k.byName) >= maxKept {
		k.byName = make(map[string]T)
	}
	k.byName[name] = row
	return row, nil
}

func (k *keptRows[T]) drop(name string) { delete(k.byName, name) }
