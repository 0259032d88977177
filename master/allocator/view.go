package allocator

import (
	"maps"
	"slices"

	"stoa/internal/mesos/resources"
)

// RoleView is what the allocator knows of a role, for metrics and for people.
type RoleView struct {
	Role   string
	Weight float64
	Quota  Quota
	// Frameworks are those that are subscribed to the role, or hold something in it.
	Frameworks int
	// Filters counts what the role's frameworks declined and are not offered now.
	Filters int
	// DominantShare is the largest part of any resource of the cluster that the role
	// itself holds, over its weight. Roles below do not count. It is 0 without frameworks.
	DominantShare float64
	// Held are the scalars that the role itself holds, offered or used.
	Held resources.Quantities
	// Reserved is what agents have reserved to the role or below it; Consumed that and
	// what they hold that is neither reserved nor revocable.
	Reserved, Consumed resources.Quantities
}

// Roles returns all roles that a framework, a reservation, a quota, a weight or a role
// below them gives a reason to exist, in the order of their names.
func (a *Allocator) Roles() []RoleView {
	list := make([]RoleView, 0, len(a.roles))
	for _, path := range slices.Sorted(maps.Keys(a.roles)) {
		r := a.roles[path]
		v := RoleView{
			Role:       path,
			Weight:     r.weight,
			Quota:      r.quota,
			Frameworks: len(r.members),
			Reserved:   r.reserved,
			Consumed:   r.consumed(),
		}
		own := &r.rank
		if r.self != nil {
			own = &r.self.rank
		}
		if len(r.members) > 0 {
			v.DominantShare = a.pool.share(own)
		}
		held := make(map[string]resources.Scalar, len(own.allocated))
		for _, one := range own.allocated {
			held[one.name] = one.amount
		}
		v.Held = resources.QuantitiesOf(held)
		for _, m := range r.members {
			v.Filters += len(m.filters)
		}
		list = append(list, v)
	}
	return list
}

// Excluded returns, for each role that a framework is subscribed to, the agents that its
// offer constraints exclude, in order of their ids (the original's `offer_constraints_debug`).
func (a *Allocator) Excluded(framework string) map[string][]string {
	f := a.frameworks[framework]
	if f == nil {
		return nil
	}
	excluded := make(map[string][]string)
	for role, m := range f.members {
		if !m.subscribed {
			continue
		}
		excluded[role] = []string{}
		for id, ag := range a.agents {
			if a.excludes(m, ag) {
				excluded[role] = append(excluded[role], id)
			}
		}
		slices.Sort(excluded[role])
	}
	return excluded
}
