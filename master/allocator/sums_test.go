package allocator

import (
	"slices"

	"stoa/internal/mesos/resources"

	"pgregory.net/rapid"
)

// check compares the sums that are kept with what they are sums of.
func (a *Allocator) check(r *rapid.T) {
	var total quantities
	var headroom resources.Quantities
	for id, ag := range a.agents {
		total.plus(scalarsOf(ag.total))
		var taken resources.Resources
		for f, rs := range ag.held {
			taken = taken.Add(rs.Unallocate().Merged())
			var of resources.Resources
			for _, m := range a.frameworks[f].members {
				of = of.Add(m.held[id])
			}
			if !of.Equal(rs) {
				r.Fatalf("agent %s: %s holds %s there, %s in its roles", id, f, rs, of)
			}
		}
		if !taken.Equal(ag.taken) {
			r.Fatalf("agent %s: %s is held, %s counted", id, taken, ag.taken)
		}
		available := ag.total.NonShared().Subtract(taken.NonShared()).Add(ag.total.Shared())
		if !available.Equal(ag.available) {
			r.Fatalf("agent %s: %s is available, %s counted", id, available, ag.available)
		}
		if offerable := ag.active && ag.listed && !available.Empty(); offerable != a.free.has(ag) {
			r.Fatalf("agent %s: free is %v, available %s", id, a.free.has(ag), available)
		}
		headroom = headroom.Add(spareOf(available))
	}
	for _, one := range total {
		if a.pool.total.get(one.name) != one.amount {
			r.Fatalf("the pool has %v of %s, the agents %v", a.pool.total.get(one.name), one.name, one.amount)
		}
	}
	if !headroom.Equal(a.headroom) {
		r.Fatalf("headroom is %s, counted %s", headroom, a.headroom)
	}
	var required resources.Quantities
	inDeficit := 0
	for _, node := range a.roles {
		deficit := node.quota.Guarantees.Subtract(node.consumed())
		if !deficit.Equal(node.deficit) {
			r.Fatalf("role %s is short of %s, counted %s", node.path, deficit, node.deficit)
		}
		if !deficit.Empty() {
			inDeficit++
		}
		if node.parent == a.root {
			required = required.Add(deficit)
		}
	}
	if !required.Equal(a.required) || inDeficit != a.inDeficit {
		r.Fatalf("guarantees need %s of %d roles, counted %s of %d", required, inDeficit, a.required, a.inDeficit)
	}
	a.checkRole(r, a.root)
}

// checkRole compares what is counted for a role and those below it.
func (a *Allocator) checkRole(r *rapid.T, node *role) {
	clients := 0
	for _, m := range node.members {
		same(r, "member "+m.name, allocatedTo(m), m.allocated)
		in := slices.ContainsFunc(node.clients.entries, func(e entry[*member]) bool { return e.item == m })
		if m.client != in {
			r.Fatalf("member %s of %s is not where it belongs", m.name, node.path)
		}
	}
	below := node.membersBelow()
	for _, m := range below {
		if m.client {
			clients++
		}
	}
	if node.self != nil {
		var own []*member
		for _, m := range node.members {
			own = append(own, m)
		}
		same(r, "frameworks of role "+node.path, allocatedTo(own...), node.self.allocated)
	}
	for _, child := range node.byName {
		a.checkRole(r, child)
	}
	if clients != node.leaves {
		r.Fatalf("role %s counts %d clients, it has %d", node.path, node.leaves, clients)
	}
	if node == a.root {
		return
	}
	same(r, "role "+node.path, allocatedTo(below...), node.allocated)
	var spare, reserved resources.Quantities
	for _, m := range below {
		for _, rs := range m.held {
			spare = spare.Add(spareOf(rs))
		}
	}
	for _, ag := range a.agents {
		reserved = reserved.Add(ag.total.ReservedToSubtree(node.path).ScalarQuantities())
	}
	if !spare.Equal(node.spareHeld) || !reserved.Equal(node.reserved) {
		r.Fatalf("role %s holds %s and has reserved %s, counted %s and %s", node.path, spare, reserved, node.spareHeld, node.reserved)
	}
	if !a.needed(node) {
		r.Fatalf("role %s is needed by nobody", node.path)
	}
}

func (r *role) membersBelow() []*member {
	var list []*member
	for _, m := range r.members {
		list = append(list, m)
	}
	for _, child := range r.byName {
		list = append(list, child.membersBelow()...)
	}
	return list
}

// allocatedTo are the scalars that members hold together; a shared resource counts
// once on each agent.
func allocatedTo(members ...*member) quantities {
	byAgent := make(map[string]resources.Resources)
	for _, m := range members {
		for id, rs := range m.held {
			byAgent[id] = byAgent[id].Add(rs.Unallocate().Merged())
		}
	}
	var sum quantities
	for _, rs := range byAgent {
		sum.plus(scalarsOf(rs))
	}
	return sum
}

func same(r *rapid.T, what string, a, b quantities) {
	for _, one := range append(a.clone(), b...) {
		if a.get(one.name) != b.get(one.name) {
			r.Fatalf("%s: %v held, %v counted", what, a, b)
		}
	}
}
