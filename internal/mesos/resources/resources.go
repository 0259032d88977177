// Package resources is the arithmetic of what agents have and tasks use: cpus,
// mem, disk, ports and anything an operator names, with their reservations,
// volumes and allocations.
//
// Comes in: Resource messages and the text of --resources. Goes out: sums,
// differences, answers to "is this part of that", messages and texts, with the
// original's results to the last digit (src/common/resources.cpp and
// values.cpp). It does no I/O and keeps no state; every type is a value that
// nothing changes, safe to share between goroutines.
//
// Messages given to this package are kept, not copied, and those it returns are
// shared: neither may be changed afterwards.
package resources

import (
	"iter"
	"slices"

	"stoa/internal/mesos/mesospb"
)

// Resources is a collection in which entries that can be added up are added up.
// The zero value is empty. It is a value: every method returns a new one.
type Resources struct {
	list []Resource // never changed once another Resources can see it
}

// New adds up resources. Invalid and empty ones are left out, as the original's
// constructor does; both reservation formats are understood.
func New(list ...*mesospb.Resource) Resources {
	out := sum{list: make([]Resource, 0, len(list))}
	for _, p := range list {
		if Validate(p) == nil {
			r := wrap(Upgraded(p))
			out.add(&r)
		}
	}
	return out.resources()
}

// FromProto adds up resources of a message after checking every one. The error
// has the original's text "Resource '…' is invalid: …".
func FromProto(list []*mesospb.Resource) (Resources, error) {
	if err := ValidateAll(list); err != nil {
		return Resources{}, err
	}
	return New(list...), nil
}

// Of is the collection of one entry.
func Of(r Resource) Resources {
	if r.IsEmpty() {
		return Resources{}
	}
	return Resources{[]Resource{r}}
}

// Proto returns the entries as messages; an entry of a shared resource appears
// once however many holders it has. The messages are shared: read them only.
func (rs Resources) Proto() []*mesospb.Resource {
	if len(rs.list) == 0 {
		return nil
	}
	out := make([]*mesospb.Resource, len(rs.list))
	for i := range rs.list {
		out[i] = rs.list[i].Proto()
	}
	return out
}

// All visits the entries in order.
func (rs Resources) All() iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		for _, r := range rs.list {
			if !yield(r) {
				return
			}
		}
	}
}

// Len is the number of entries.
func (rs Resources) Len() int { return len(rs.list) }

// Empty says whether there is nothing in it.
func (rs Resources) Empty() bool { return len(rs.list) == 0 }

// Add returns the sum.
func (rs Resources) Add(o Resources) Resources {
	if len(o.list) == 0 {
		return rs
	}
	if len(rs.list) == 0 {
		return o
	}
	out := sum{list: append(make([]Resource, 0, len(rs.list)+len(o.list)), rs.list...)}
	for i := range o.list {
		out.add(&o.list[i])
	}
	return out.resources()
}

// Subtract returns what is left of rs without o. What rs does not have is
// ignored, and an amount below zero is nothing.
func (rs Resources) Subtract(o Resources) Resources {
	if len(o.list) == 0 || len(rs.list) == 0 {
		return rs
	}
	out := sum{list: slices.Clone(rs.list)}
	for i := range o.list {
		out.subtract(&o.list[i])
	}
	return out.resources()
}

// Contains says whether all of o is part of rs.
func (rs Resources) Contains(o Resources) bool {
	remaining := sum(rs)
	own := false
	for i := range o.list {
		part := &o.list[i]
		if !remaining.contains(part) {
			return false
		}
		// Volumes don't add up, so each must be found anew.
		if part.IsPersistentVolume() && i+1 < len(o.list) {
			if !own {
				remaining.list, own = slices.Clone(remaining.list), true
			}
			remaining.subtract(part)
		}
	}
	return true
}

// Equal says whether both hold the same, in whatever order.
func (rs Resources) Equal(o Resources) bool { return rs.Contains(o) && o.Contains(rs) }

// Count is how many holders rs has of a shared resource that equals r, 1 for
// another resource that is there, and 0 when it is not.
func (rs Resources) Count(r Resource) int {
	for i := range rs.list {
		if equal(&rs.list[i], &r) {
			return max(rs.list[i].shares, 1)
		}
	}
	return 0
}

// Match returns the entry that differs from r at most in its amount.
func (rs Resources) Match(r Resource) (Resource, bool) {
	for _, have := range rs.list {
		if sameKind(have.meta, r.meta) {
			return have, true
		}
	}
	return Resource{}, false
}

// sum is a collection under construction, with its list to itself.
type sum struct {
	list []Resource
}

func (s *sum) resources() Resources {
	if len(s.list) == 0 {
		return Resources{}
	}
	return Resources{s.list}
}

// add puts r in, into the first entry that takes it.
func (s *sum) add(r *Resource) {
	if r.IsEmpty() {
		return
	}
	for i := range s.list {
		if addable(&s.list[i], r) {
			s.list[i] = s.list[i].plus(r)
			return
		}
	}
	s.list = append(s.list, *r)
}

// subtract takes r out of the first entry it can be taken from. An entry of
// which nothing is left is replaced by the last one, as in the original: the
// order of what remains shows on the wire.
func (s *sum) subtract(r *Resource) {
	if r.IsEmpty() {
		return
	}
	for i := range s.list {
		if !subtractable(&s.list[i], r) {
			continue
		}
		rest := s.list[i].minus(r)
		if rest.scalar < 0 || rest.shares < 0 || rest.IsEmpty() {
			last := len(s.list) - 1
			s.list[i] = s.list[last]
			s.list[last] = Resource{}
			s.list = s.list[:last]
		} else {
			s.list[i] = rest
		}
		return
	}
}

func (s *sum) contains(r *Resource) bool {
	for i := range s.list {
		if contains(&s.list[i], r) {
			return true
		}
	}
	return false
}
