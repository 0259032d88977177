package core

import (
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/roles"
)

// What roles hold, for the calls about quotas (src/master/master.cpp,
// RoleResourceBreakdown). Each of these looks at every agent: they are for operators'
// calls, which are few.

// consumed is what a role and those below it consume of its quota: what their tasks
// and executors hold, and what is reserved to them and held by nobody.
func (c *Core) consumed(role string) resources.Quantities {
	var sum resources.Quantities
	for _, a := range c.registered {
		reserved := a.Total.ReservedToSubtree(role).Quantities()
		var used resources.Quantities
		for _, rs := range a.Used {
			sum = sum.Add(rs.AllocatedToSubtree(role).Quantities())
			used = used.Add(rs.ReservedToSubtree(role).Quantities())
		}
		sum = sum.Add(reserved.Subtract(used))
	}
	return sum
}

// offered is what is out in offers to a role and those below it.
func (c *Core) offered(role string) resources.Quantities {
	var sum resources.Quantities
	for _, o := range c.outOffers {
		if o.Role == role || roles.IsStrictSubroleOf(o.Role, role) {
			sum = sum.Add(o.Resources.Quantities())
		}
	}
	return sum
}

// tracked says whether a framework is in a role: it is subscribed to it, or holds
// something of it.
func (c *Core) tracked(f *Framework, role string) bool {
	if f.Subscribed(role) {
		return true
	}
	for r := range f.Used.All() {
		if r.AllocationRole() == role {
			return true
		}
	}
	return false
}
