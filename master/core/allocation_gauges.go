package core

import (
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/roles"
	"stoa/master/allocator"
)

// allocationGauges adds what the allocator knows of each role, under the names of the
// original's metrics (src/master/allocator/mesos/metrics.cpp, sorter/drf/metrics.cpp).
func (c *Core) allocationGauges(m map[string]float64) {
	offered := c.offeredSpare()
	for _, r := range c.alloc.Roles() {
		m["allocator/mesos/offer_filters/roles/"+r.Role+"/active"] = float64(r.Filters)
		if r.Frameworks > 0 {
			m["allocator/mesos/roles/"+r.Role+"/shares/dominant"] = r.DominantShare
		}
		prefix := "allocator/mesos/quota/roles/" + r.Role + "/resources/"
		// What is offered only is not consumed yet.
		for name, amount := range r.Consumed.Subtract(offered[r.Role]).All() {
			m[prefix+name+"/consumed"] = amount.Float()
		}
		quotaGauges(m, prefix, r)
	}
}

func quotaGauges(m map[string]float64, prefix string, r allocator.RoleView) {
	named := make(map[string]bool)
	for name, amount := range r.Quota.Guarantees.All() {
		m[prefix+name+"/guarantee"] = amount.Float()
		named[name] = true
	}
	for name, amount := range r.Quota.Limits.All() {
		m[prefix+name+"/limit"] = amount.Float()
		named[name] = true
	}
	for name := range named {
		m[prefix+name+"/offered_or_allocated"] = r.Held.Get(name).Float()
	}
}

// offeredSpare is what is out in offers to each role and those below it, of what counts
// against quotas while it is held.
func (c *Core) offeredSpare() map[string]resources.Quantities {
	sum := make(map[string]resources.Quantities)
	for _, o := range c.outOffers {
		spare := o.Resources.Filter(func(r resources.Resource) bool {
			return r.IsUnreserved() && !r.IsRevocable()
		}).ScalarQuantities()
		for _, role := range append(roles.Ancestors(o.Role), o.Role) {
			sum[role] = sum[role].Add(spare)
		}
	}
	return sum
}
