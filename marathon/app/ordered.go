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
	// Unchanged maps usually have the same order.
	if slices.Equal(a, b) {
		return true
	}
	return equalSets(a, b, itself)
}

// equalSets compares two lists without duplicates regardless of order.
func equalSets[T any, K comparable](a, b []T, key func(T) K) bool {
	if len(a) != len(b) {
		return false
	}
	keys := make(map[K]struct{}, len(a))
	for _, element := range a {
		keys[key(element)] = struct{}{}
	}
	for _, element := range b {
		if _, ok := keys[key(element)]; !ok {
			return false
		}
	}
	return true
}

// samePointee compares what two optional values hold.
func samePointee[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}
