package core_test

import (
	"context"
	"slices"
	"strings"

	"stoa/internal/store"
)

// memory is a store.Store that forgets with the process.
type memory struct{ records map[string][]byte }

func newMemory() *memory { return &memory{records: map[string][]byte{}} }

func (m *memory) Get(_ context.Context, key string) (store.Record, error) {
	v, ok := m.records[key]
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	return store.Record{Key: key, Value: v, Version: 1}, nil
}

func (m *memory) List(_ context.Context, prefix string) ([]store.Record, error) {
	var out []store.Record
	for key, v := range m.records {
		if strings.HasPrefix(key, prefix) {
			out = append(out, store.Record{Key: key, Value: v, Version: 1})
		}
	}
	slices.SortFunc(out, func(a, b store.Record) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

func (m *memory) Apply(_ context.Context, ops ...store.Op) ([]int64, error) {
	versions := make([]int64, len(ops))
	for n, op := range ops {
		if op.Delete {
			delete(m.records, op.Key)
			continue
		}
		m.records[op.Key] = op.Value
		versions[n] = 1
	}
	return versions, nil
}

func (m *memory) Close() error { return nil }
