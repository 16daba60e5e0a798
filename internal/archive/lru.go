package archive

import (
	"container/list"
	"sync"
)

// lru keeps what was used last, up to a number of things. It is safe for concurrent
// use.
type lru[K comparable, V any] struct {
	limit int

	mu      sync.Mutex
	entries map[K]*list.Element // guarded by mu
	used    *list.List          // of entry; the last used in front; guarded by mu
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

func newLRU[K comparable, V any](limit int) *lru[K, V] {
	return &lru[K, V]{limit: limit, entries: map[K]*list.Element{}, used: list.New()}
}

func (l *lru[K, V]) get(key K) (value V, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[key]
	if !ok {
		return value, false
	}
	l.used.MoveToFront(e)
	return e.Value.(entry[K, V]).value, true
}

func (l *lru[K, V]) add(key K, value V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.entries[key]; ok {
		e.Value = entry[K, V]{key, value}
		l.used.MoveToFront(e)
		return
	}
	l.entries[key] = l.used.PushFront(entry[K, V]{key, value})
	if l.used.Len() > l.limit {
		oldest := l.used.Back()
		l.used.Remove(oldest)
		delete(l.entries, oldest.Value.(entry[K, V]).key)
	}
}

func (l *lru[K, V]) remove(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.entries[key]; ok {
		l.used.Remove(e)
		delete(l.entries, key)
	}
}
