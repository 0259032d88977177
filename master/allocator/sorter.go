package allocator

import (
	"cmp"
	"slices"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Sorter is how roles, or the frameworks of a role, take turns.
type Sorter int

const (
	// DRF lets the one go first that is furthest below its fair share: dominant
	// resource fairness.
	DRF Sorter = iota
	// Random draws lots, with chances as the weights are.
	Random
)

// rank is how far a role or framework stands from its fair share. Its order is
// the original's (src/master/allocator/mesos/sorter/drf): smaller dominant share
// first, then fewer allocations so far, then name.
type rank struct {
	name        string
	weight      float64
	allocated   quantities
	allocations uint64
	// shared holds, by agent, the shared resources held there. Each counts once in
	// allocated, however many hold it.
	shared map[*agent]resources.Resources
	moved  bool // its place in its sorted list may be wrong
}

func (r *rank) ranking() *rank { return r }

// holding is a part of what somebody holds on an agent, in the forms in which it is
// counted.
type holding struct {
	agent  *agent
	plain  quantities           // scalars that are not shared
	shared resources.Resources  // shared scalars, allocated to nobody
	spare  resources.Quantities // what counts against a quota
}

func holdingOf(ag *agent, rs resources.Resources) holding {
	h := holding{agent: ag, plain: make(quantities, 0, rs.Len())}
	shared, spare := false, false
	for r := range rs.All() {
		switch {
		case r.Type() != mesospb.Value_SCALAR:
		case r.IsShared():
			shared = true
		default:
			h.plain.add(r.Name(), r.Scalar())
			spare = spare || isSpare(r)
		}
	}
	if shared {
		h.shared = rs.Filter(func(r resources.Resource) bool {
			return r.IsShared() && r.Type() == mesospb.Value_SCALAR
		}).Unallocate().Merged()
	}
	if spare {
		h.spare = spareOf(rs)
	}
	return h
}

func (r *rank) add(h holding) {
	r.allocated.plus(h.plain)
	if h.shared.Empty() {
		return
	}
	have := r.shared[h.agent]
	for one := range h.shared.All() {
		if have.Count(one) == 0 {
			r.allocated.add(one.Name(), one.Scalar())
		}
	}
	if r.shared == nil {
		r.shared = make(map[*agent]resources.Resources)
	}
	r.shared[h.agent] = have.Add(h.shared)
}

func (r *rank) remove(h holding) {
	r.allocated.minus(h.plain)
	if h.shared.Empty() {
		return
	}
	left := r.shared[h.agent].Subtract(h.shared)
	for one := range h.shared.All() {
		if left.Count(one) == 0 {
			r.allocated.add(one.Name(), -one.Scalar())
		}
	}
	if left.Empty() {
		delete(r.shared, h.agent)
	} else {
		r.shared[h.agent] = left
	}
}

// pool is what shares are shares of: the scalars of the whole cluster.
type pool struct {
	total    quantities
	excluded []string
	// counted are the amounts of total that make a share.
	counted quantities
	// epoch changes with total, so that old shares are recognised.
	epoch uint64
}

func (p *pool) change(plus, minus quantities) {
	p.total.plus(plus)
	p.total.minus(minus)
	p.counted = p.counted[:0]
	for _, one := range p.total {
		if one.amount > 0 && !slices.Contains(p.excluded, one.name) {
			p.counted = append(p.counted, one)
		}
	}
	p.epoch++
}

// share is the largest part of any resource that the rank holds, over its weight.
func (p *pool) share(r *rank) float64 {
	var share float64
	for _, one := range r.allocated {
		if one.amount <= 0 {
			continue
		}
		if total := p.counted.get(one.name); total > 0 {
			share = max(share, float64(one.amount)/float64(total))
		}
	}
	return share / r.weight
}

// ranked is a role or a member of one.
type ranked interface {
	comparable
	ranking() *rank
}

// entry is a place in a sorted list, with the keys beside it so that a search stays
// within the list.
type entry[T ranked] struct {
	share       float64
	allocations uint64
	item        T
}

func compareEntries[T ranked](a, b entry[T]) int {
	if a.share != b.share {
		return cmp.Compare(a.share, b.share)
	}
	if a.allocations != b.allocations {
		return cmp.Compare(a.allocations, b.allocations)
	}
	return cmp.Compare(a.item.ranking().name, b.item.ranking().name)
}

// sorted keeps items in rank order. A change of a rank only takes note of the item;
// it is put in its place when the order is asked for.
type sorted[T ranked] struct {
	entries []entry[T]
	moved   []T
	epoch   uint64
}

func (s *sorted[T]) insert(item T) {
	s.entries = append(s.entries, entry[T]{item: item})
	s.change(item)
}

func (s *sorted[T]) remove(item T) {
	s.entries = slices.DeleteFunc(s.entries, func(e entry[T]) bool { return e.item == item })
	s.moved = slices.DeleteFunc(s.moved, func(one T) bool { return one == item })
	item.ranking().moved = false
}

// change takes note that the rank of an item of the list changed.
func (s *sorted[T]) change(item T) {
	if r := item.ranking(); !r.moved {
		r.moved = true
		s.moved = append(s.moved, item)
	}
}

// order returns the entries in rank order. They stay as they are until the next
// call of order, insert or remove.
func (s *sorted[T]) order(p *pool) []entry[T] {
	switch {
	case s.epoch != p.epoch || len(s.moved) > 1:
		for i := range s.entries {
			if e := &s.entries[i]; s.epoch != p.epoch || e.item.ranking().moved {
				e.refresh(p)
			}
		}
		slices.SortFunc(s.entries, compareEntries[T])
	case len(s.moved) == 1:
		s.place(s.moved[0], p)
	default:
		return s.entries
	}
	for _, item := range s.moved {
		item.ranking().moved = false
	}
	clear(s.moved)
	s.moved, s.epoch = s.moved[:0], p.epoch
	return s.entries
}

func (e *entry[T]) refresh(p *pool) {
	r := e.item.ranking()
	e.share, e.allocations = p.share(r), r.allocations
}

// place moves the one item that is not in its place there.
func (s *sorted[T]) place(item T, p *pool) {
	at := slices.IndexFunc(s.entries, func(e entry[T]) bool { return e.item == item })
	e := s.entries[at]
	e.refresh(p)
	if before, _ := slices.BinarySearchFunc(s.entries[:at], e, compareEntries[T]); before < at {
		copy(s.entries[before+1:at+1], s.entries[before:at])
		at = before
	} else if after, _ := slices.BinarySearchFunc(s.entries[at+1:], e, compareEntries[T]); after > 0 {
		copy(s.entries[at:at+after], s.entries[at+1:at+1+after])
		at += after
	}
	s.entries[at] = e
}
