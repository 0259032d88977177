package allocator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stoa/internal/mesos/resources"

	"pgregory.net/rapid"
)

// check compares the sums that are kept with what they are sums of.
func (a *Allocator) check(r *rapid.T) {
	var total quantities
	for id, ag := range a.agents {
		total.plus(ag.scalars)
		var taken resources.Resources
		for f, rs := range ag.held {
			taken = taken.Add(rs.Unallocate())
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
		if ag.free != (ag.active && !ag.available().Empty()) {
			r.Fatalf("agent %s: free is %v, available %s", id, ag.free, ag.available())
		}
		if _, in := a.free[ag]; in != ag.free {
			r.Fatalf("agent %s is not where it belongs", id)
		}
	}
	for _, one := range total {
		if a.pool.total.get(one.name) != one.amount {
			r.Fatalf("the pool has %v of %s, the agents %v", a.pool.total.get(one.name), one.name, one.amount)
		}
	}
	a.checkRole(r, a.root)
}

// checkRole returns what a role and those below it hold, and their clients.
func (a *Allocator) checkRole(r *rapid.T, node *role) (quantities, int) {
	var sum quantities
	clients := 0
	for _, m := range node.members {
		var held quantities
		for _, rs := range m.held {
			held.plus(quantitiesOf(rs))
		}
		same(r, "member "+m.name, held, m.allocated)
		sum.plus(held)
		if m.client {
			clients++
		}
		if m.client != slices.Contains(node.clients.members, m) {
			r.Fatalf("member %s of %s is not where it belongs", m.name, node.path)
		}
	}
	if node.self != nil {
		same(r, "frameworks of role "+node.path, sum, node.self.allocated)
	}
	for _, child := range node.byName {
		below, n := a.checkRole(r, child)
		sum.plus(below)
		clients += n
	}
	if node != a.root {
		same(r, "role "+node.path, sum, node.allocated)
	}
	if clients != node.leaves {
		r.Fatalf("role %s counts %d clients, it has %d", node.path, node.leaves, clients)
	}
	if len(node.members) == 0 && len(node.byName) == 0 && node != a.root {
		r.Fatalf("role %s is needed by nobody", node.path)
	}
	return sum, clients
}

func same(r *rapid.T, what string, a, b quantities) {
	if !a.covers(b) || !b.covers(a) {
		r.Fatalf("%s: %v held, %v counted", what, a, b)
	}
}

// settled says that no client could be given anything more: what changed is all that
// had to be looked at.
func (a *Allocator) settled(r *rapid.T, node *role) {
	for _, m := range node.clients.members {
		for _, ag := range a.agents {
			if !ag.active || !a.suits(m, ag) {
				continue
			}
			rs := m.strip(ag.available().AllocatableTo(node.path))
			if !rs.Empty() && a.enough(m, rs) && !m.filtered(ag, rs) {
				r.Fatalf("after a run, %s in %s could still have %s of %s", m.name, node.path, rs, ag.id)
			}
		}
	}
	for _, child := range node.byName {
		a.settled(r, child)
	}
}

// Nothing is given out twice, everything comes back, nothing lies about that somebody
// wants, and all the sums are right, whatever happens.
func TestAllocatorProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a := fresh(func(c *Config) { c.Seed = rapid.Uint64().Draw(r, "seed") })
		now := t0
		var out []Allocation
		name := func(kind string) string { return fmt.Sprint(kind, rapid.IntRange(0, 4).Draw(r, kind)) }
		drop := func(keep func(Allocation) bool) {
			out = slices.DeleteFunc(out, func(one Allocation) bool { return !keep(one) })
		}
		sizes := []string{"cpus:4;mem:512;ports:[1-100]", "cpus:1;mem:64", "cpus(a):2;mem(a):64;cpus:1", "mem:16;disk:10"}
		r.Repeat(map[string]func(*rapid.T){
			"": func(r *rapid.T) {
				out = append(out, a.Run(now)...)
				for id, ag := range a.agents {
					var given resources.Resources
					for _, one := range out {
						if one.Agent == id {
							given = given.Add(one.Resources.Unallocate())
						}
					}
					if !given.Equal(ag.taken) {
						r.Fatalf("agent %s: given out %s, counted %s", id, given, ag.taken)
					}
				}
				a.check(r)
				a.settled(r, a.root)
			},
			"agent": func(r *rapid.T) {
				id := name("s")
				drop(func(one Allocation) bool { return one.Agent != id })
				options := modern
				options.HierarchicalRole = rapid.Bool().Draw(r, "nested")
				a.AddAgent(id, options, parse(rapid.SampledFrom(sizes).Draw(r, "size")), nil)
			},
			"remove agent": func(r *rapid.T) {
				id := name("s")
				drop(func(one Allocation) bool { return one.Agent != id })
				a.RemoveAgent(id)
			},
			"agent active": func(r *rapid.T) {
				if id := name("s"); rapid.Bool().Draw(r, "on") {
					a.ActivateAgent(id)
				} else {
					a.DeactivateAgent(id)
				}
			},
			"framework": func(r *rapid.T) {
				id := name("f")
				a.AddFramework(id, multi(rapid.SampledFrom([][]string{{"a"}, {"b"}, {"a", "a/x"}, {"a/x", "a/y/z"}, {}}).Draw(r, "roles")...))
				a.ActivateFramework(id)
			},
			"remove framework": func(r *rapid.T) {
				id := name("f")
				drop(func(one Allocation) bool { return one.Framework != id })
				a.RemoveFramework(id)
			},
			"deactivate": func(r *rapid.T) { a.DeactivateFramework(name("f")) },
			"suppress":   func(r *rapid.T) { a.Suppress(name("f"), nil) },
			"revive":     func(r *rapid.T) { a.Revive(name("f"), nil) },
			"recover": func(r *rapid.T) {
				if len(out) > 0 {
					i := rapid.IntRange(0, len(out)-1).Draw(r, "which")
					a.Recover(out[i].Framework, out[i].Agent, out[i].Resources)
					out = slices.Delete(out, i, i+1)
				}
			},
			"decline": func(r *rapid.T) {
				if len(out) > 0 {
					i := rapid.IntRange(0, len(out)-1).Draw(r, "which")
					wait := time.Duration(rapid.IntRange(0, 10).Draw(r, "wait")) * time.Second
					a.Decline(now, out[i].Framework, out[i].Agent, out[i].Resources, wait)
					out = slices.Delete(out, i, i+1)
				}
			},
			"time": func(r *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(r, "ms")) * time.Millisecond)
			},
		})
	})
}
