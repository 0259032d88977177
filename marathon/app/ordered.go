package app

import "slices"

// Entry is one key with its value.
type Entry[V any] struct {
	Key   string `json:"k"`
	Value V      `json:"v"`
}

// Map is a small map that keeps the order in which keys were given, because clients see
// that order. Keys are unique. It is immutable by convention: With and Without copy.
type Map[V any] []Entry[V]

// Get looks up a key.
func (m Map[V]) Get(key string) (V, bool) {
	for i := range m {
		if m[i].Key == key {
			return m[i].Value, true
		}
	}
	var none V
	return none, false
}

// With gives a copy in which key has the value: at its old place, or last when it is new.
func (m Map[V]) With(key string, value V) Map[V] {
	fresh := slices.Clone(m)
	for i := range fresh {
		if fresh[i].Key == key {
			fresh[i].Value = value
			return fresh
		}
	}
	return append(fresh, Entry[V]{key, value})
}

// equalMaps compares regardless of order.
func equalMaps[V comparable](a, b Map[V]) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		// Unchanged maps usually have the same order.
		if a[i] == b[i] {
			continue
		}
		if other, ok := b.Get(a[i].Key); !ok || other != a[i].Value {
			return false
		}
	}
	return true
}

// equalSets compares two duplicate-free lists regardless of order.
func equalSets[T any](a, b []T, equal func(T, T) bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if equal(a[i], b[i]) {
			continue
		}
		if !slices.ContainsFunc(b, func(other T) bool { return equal(a[i], other) }) {
			return false
		}
	}
	return true
}

// same compares two values.
func same[T comparable](a, b T) bool { return a == b }

// samePointee compares what two optional values hold.
func samePointee[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
