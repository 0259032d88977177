package metrics

import (
	"iter"
	"maps"
	"slices"
)

// Set holds metrics by the original's names. The zero value is empty.
type Set struct {
	values   map[string]float64
	counters map[string]struct{}
}

// Gauge sets a metric that goes up and down.
func (s *Set) Gauge(name string, value float64) {
	if s.values == nil {
		s.values = make(map[string]float64, 256)
	}
	s.values[name] = value
}

// Counter sets a metric that only grows.
func (s *Set) Counter(name string, value float64) {
	s.Gauge(name, value)
	if s.counters == nil {
		s.counters = make(map[string]struct{}, 256)
	}
	s.counters[name] = struct{}{}
}

// Add adds to a gauge, which is 0 if it was not set.
func (s *Set) Add(name string, value float64) { s.Gauge(name, s.values[name]+value) }

// Get returns a metric, and whether it is there.
func (s *Set) Get(name string) (float64, bool) {
	v, ok := s.values[name]
	return v, ok
}

// Len is how many metrics there are.
func (s *Set) Len() int { return len(s.values) }

// All visits the metrics in the order of their names.
func (s *Set) All() iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for _, name := range slices.Sorted(maps.Keys(s.values)) {
			if !yield(name, s.values[name]) {
				return
			}
		}
	}
}

// IsCounter says whether a metric was set as a counter.
func (s *Set) IsCounter(name string) bool {
	_, ok := s.counters[name]
	return ok
}
