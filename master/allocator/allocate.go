package allocator

import (
	"slices"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// run is one round of allocation.
type run struct {
	*Allocator
	made []Allocation
	// places says where in made the first stage put what.
	places map[place]int
	// shared are, by agent, the shared resources that somebody was given: each goes to
	// one framework per run.
	shared map[*agent]resources.Resources
}

type place struct {
	member *member
	agent  *agent
}

// step says how a walk over roles and members goes on.
type step int

const (
	nextMember step = iota
	nextRole
	nextAgent
)

// allocate shares out agents, in two stages (the original's hierarchical.cpp): first what
// brings roles nearer to their guarantees, then the rest, as far as no limit is passed
// and nothing is missing for other roles' guarantees.
func (a *Allocator) allocate(todo []*agent) []Allocation {
	if len(todo) == 0 {
		return nil
	}
	x := &run{Allocator: a}
	for _, ag := range todo {
		if ag.all {
			a.withheld.drop(ag)
		}
	}
	a.shuffle(todo)
	if a.inDeficit > 0 {
		for _, ag := range todo {
			x.visit(ag, inDeficit, x.guarantee)
		}
		// The first stage takes more from the front of the list.
		a.shuffle(todo)
	}
	for _, ag := range todo {
		x.visit(ag, anyRole, x.share)
		ag.unmark()
	}
	return x.made
}

// unmark forgets for whom the agent was to be looked at.
func (ag *agent) unmark() {
	ag.all = false
	clear(ag.wanting)
	ag.wanting = ag.wanting[:0]
}

func (a *Allocator) shuffle(list []*agent) {
	a.random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

func anyRole(*role) bool { return true }

// inDeficit says whether a role has guarantees that are not met.
func inDeficit(r *role) bool { return !r.deficit.Empty() }

// visit has serve give something of an agent to the members for whom the agent is
// marked, in their order, in the roles that concern.
func (x *run) visit(ag *agent, concern func(*role) bool, serve func(*member, *agent) step) {
	if ag.available.Empty() {
		return
	}
	if !ag.all && len(ag.wanting) == 1 {
		if m := ag.wanting[0]; m.client && concern(m.role) {
			serve(m, ag)
		}
		return
	}
	x.eachRole(func(r *role) bool {
		if !concern(r) {
			return true
		}
		last := nextMember
		x.eachClient(r, func(m *member) bool {
			if !ag.all && !slices.Contains(ag.wanting, m) {
				return true
			}
			last = serve(m, ag)
			return last == nextMember
		})
		return last != nextAgent
	})
}

// guarantee is the first stage: a member gets what its role is guaranteed and does not
// have, and with it all that is the role's own or can't have a quota, and what is to
// spare.
func (x *run) guarantee(m *member, ag *agent) step {
	r := m.role
	if r.deficit.Empty() {
		return nextRole
	}
	available, verdict := x.eligible(m, ag)
	if available.Empty() {
		return verdict
	}
	spare := available.Filter(isSpare)
	guaranteed := x.underLimits(r, spare.ShrinkToQuantities(r.deficit, x.random.Shuffle), resources.Resources{})
	if guaranteed.Empty() {
		// The role's reservations alone come with the second stage.
		return nextMember
	}
	more := x.besideGuarantees(x.underLimits(r, spare.Subtract(guaranteed), guaranteed), resources.Quantities{})
	own := available.Filter(func(one resources.Resource) bool {
		return one.IsReservedTo(r.path) || one.Type() != mesospb.Value_SCALAR || one.IsRevocable()
	})
	return x.offer(m, ag, guaranteed.Add(own).Add(more))
}

// share is the second stage: a member gets all it may have.
func (x *run) share(m *member, ag *agent) step {
	available, verdict := x.eligible(m, ag)
	if available.Empty() {
		return verdict
	}
	spare := available.Filter(isSpare)
	allowed, kept := x.quotaBounds(m.role, spare)
	if spare.Len() < available.Len() {
		// Reservations, ranges, sets and revocable resources come first: that is how the
		// original's offers list them.
		rest := available.Filter(func(one resources.Resource) bool { return !isSpare(one) })
		allowed = rest.Add(allowed)
	}
	next := x.offer(m, ag, allowed)
	x.withhold(m.role, ag, kept)
	return next
}

// eligible is the part of an agent that a member can use at all. When it is empty, the
// step says where to go on.
func (x *run) eligible(m *member, ag *agent) (resources.Resources, step) {
	none := resources.Resources{}
	if x.excludes(m, ag) {
		return none, nextMember
	}
	available := ag.available.AllocatableTo(m.role.path)
	if given, ok := x.shared[ag]; ok {
		available = available.Subtract(given)
	}
	if available.Empty() {
		return none, nextRole
	}
	if !x.suits(m, ag) {
		return none, nextMember
	}
	available = m.strip(available)
	if !x.enough(m, available) {
		return none, nextMember
	}
	return available, nextMember
}

// suits says whether the framework can use the agent at all.
func (a *Allocator) suits(m *member, ag *agent) bool {
	o := &m.framework.options
	switch {
	case o.MultiRole && !ag.options.MultiRole:
		return false
	case m.role.parent != a.root && !ag.options.HierarchicalRole:
		return false
	case a.cfg.FilterGPU && !o.GPU && ag.hasGPU:
		return false
	case !o.RegionAware && ag.remote:
		return false
	}
	return true
}

// strip leaves out what the framework does not understand.
func (m *member) strip(rs resources.Resources) resources.Resources {
	o := &m.framework.options
	if o.Shared && o.Revocable && o.Refined {
		return rs
	}
	return rs.Filter(func(r resources.Resource) bool {
		return (o.Shared || !r.IsShared()) &&
			(o.Revocable || !r.IsRevocable()) &&
			(o.Refined || !r.HasRefinedReservations())
	})
}

// enough says whether rs is worth an offer.
func (a *Allocator) enough(m *member, rs resources.Resources) bool {
	if rs.Empty() {
		return false
	}
	sets, own := m.framework.options.MinAllocatable[m.role.path]
	if !own {
		sets = a.cfg.MinAllocatable
	}
	if len(sets) == 0 {
		return true
	}
	for _, set := range sets {
		if meets(rs, set) {
			return true
		}
	}
	return false
}

// offer allocates rs, unless it is too little or declined.
func (x *run) offer(m *member, ag *agent, rs resources.Resources) step {
	if !x.enough(m, rs) || m.filtered(ag, rs) {
		return nextMember
	}
	allocated := rs.Allocate(m.role.path)
	x.holdParts(m, ag, allocated, rs)
	x.served(m)
	x.note(m, ag, allocated)
	if !ag.shared.Empty() {
		if shared := rs.Shared(); !shared.Empty() {
			if x.shared == nil {
				x.shared = make(map[*agent]resources.Resources)
			}
			x.shared[ag] = x.shared[ag].Add(shared)
			x.later.put(ag)
		}
	}
	x.account(ag)
	if ag.available.Empty() {
		return nextAgent
	}
	return nextMember
}

// note adds to what is returned; the stages' parts for one member on one agent make one
// allocation.
func (x *run) note(m *member, ag *agent, allocated resources.Resources) {
	where := place{m, ag}
	if at, ok := x.places[where]; ok {
		x.made[at].Resources = x.made[at].Resources.Add(allocated)
		return
	}
	if x.inDeficit > 0 {
		if x.places == nil {
			x.places = make(map[place]int)
		}
		x.places[where] = len(x.made)
	}
	x.made = append(x.made, Allocation{m.framework.id, ag.id, m.role.path, allocated})
}
