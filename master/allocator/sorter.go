package allocator

import (
	"cmp"
	"slices"
)

// rank is how far a role or framework stands from its fair share. Its order is
// the original's (src/master/allocator/mesos/sorter/drf): smaller dominant share
// first, then fewer allocations so far, then name.
type rank struct {
	name        string
	weight      float64
	allocated   quantities
	allocations uint64
	share       float64
}

func compareRank(a, b *rank) int {
	if c := cmp.Compare(a.share, b.share); c != 0 {
		return c
	}
	if c := cmp.Compare(a.allocations, b.allocations); c != 0 {
		return c
	}
	return cmp.Compare(a.name, b.name)
}

// pool is what shares are shares of: the scalars of the whole cluster.
type pool struct {
	total    quantities
	excluded []string
	// epoch changes with total, so that old shares are recognised.
	epoch uint64
}

func (p *pool) grow(q quantities)   { p.total.plus(q); p.epoch++ }
func (p *pool) shrink(q quantities) { p.total.minus(q); p.epoch++ }

// share is the largest part of any resource that the rank holds, over its weight.
func (p *pool) share(r *rank) float64 {
	var share float64
	for _, one := range r.allocated {
		if one.amount <= 0 || slices.Contains(p.excluded, one.name) {
			continue
		}
		if total := p.total.get(one.name); total > 0 {
			share = max(share, float64(one.amount)/float64(total))
		}
	}
	return share / r.weight
}

// sorted keeps members in rank order. Changes only mark it; the order is made
// again when it is asked for.
type sorted[T any] struct {
	members []T
	rank    func(T) *rank
	dirty   bool
	epoch   uint64
}

func (s *sorted[T]) insert(member T) {
	s.members = append(s.members, member)
	s.dirty = true
}

func (s *sorted[T]) remove(is func(T) bool) { s.members = slices.DeleteFunc(s.members, is) }

// order returns the members in rank order. The slice is valid until the next change.
func (s *sorted[T]) order(p *pool) []T {
	if s.epoch != p.epoch {
		for _, m := range s.members {
			r := s.rank(m)
			r.share = p.share(r)
		}
		s.epoch, s.dirty = p.epoch, true
	}
	if s.dirty {
		slices.SortFunc(s.members, func(a, b T) int { return compareRank(s.rank(a), s.rank(b)) })
		s.dirty = false
	}
	return s.members
}

// changed takes note of a new allocation of a member.
func (s *sorted[T]) changed(r *rank, p *pool) {
	if s.epoch == p.epoch {
		r.share = p.share(r)
	}
	s.dirty = true
}
