package core

import "slices"

// ordered is a map that remembers the order in which its keys came.
type ordered[V any] struct {
	keys   []string
	values map[string]V
}

func (o *ordered[V]) get(key string) (V, bool) {
	v, ok := o.values[key]
	return v, ok
}

func (o *ordered[V]) has(key string) bool {
	_, ok := o.values[key]
	return ok
}

func (o *ordered[V]) put(key string, v V) {
	if o.values == nil {
		o.values = map[string]V{}
	}
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = v
}

func (o *ordered[V]) remove(key string) {
	if _, ok := o.values[key]; !ok {
		return
	}
	delete(o.values, key)
	i := slices.Index(o.keys, key)
	o.keys = slices.Delete(o.keys, i, i+1)
}

func (o *ordered[V]) len() int { return len(o.keys) }

// list returns the values in order; it may be changed while it is walked.
func (o *ordered[V]) list() []V {
	list := make([]V, 0, len(o.keys))
	for _, key := range o.keys {
		list = append(list, o.values[key])
	}
	return list
}
