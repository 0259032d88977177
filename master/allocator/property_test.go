package allocator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// history is a random life of a cluster. It keeps what was given out by itself and
// compares after every step.
type history struct {
	*Allocator
	now time.Time
	out []Allocation
}

// run runs the allocator and checks what it gave out against the quotas.
func (h *history) run(r *rapid.T) {
	missing := h.required.Subtract(h.headroom)
	made := h.Run(h.now)
	given := make(map[string]resources.Quantities)
	for _, one := range made {
		given[one.Role] = given[one.Role].Add(spareOf(one.Resources))
	}
	for path, q := range given {
		node := h.roles[path]
		consumed := node.consumed()
		for other, q := range given {
			if strings.HasPrefix(other, path+"/") {
				consumed = consumed.Subtract(q) // a role below may go over
			}
		}
		for name := range q.All() {
			if limit, ok := node.quota.Limits.Get(name); ok && consumed.Get(name) > limit {
				r.Fatalf("role %s was given %s and consumes %s now, over its limits %s", path, q, consumed, node.quota.Limits)
			}
		}
	}
	if now := h.required.Subtract(h.headroom); !missing.Contains(now) {
		r.Fatalf("guarantees missed %s before, %s after a run", missing, now)
	}
	h.keep(made)
}

func (h *history) keep(made []Allocation) {
	for _, one := range made {
		if one.Resources.Empty() || len(one.Resources.ByAllocation()) != 1 || one.Resources.ByAllocation()[one.Role].Empty() {
			panic(fmt.Sprintf("strange allocation %v", one))
		}
	}
	h.out = append(h.out, made...)
}

func (h *history) check(r *rapid.T) {
	for id, ag := range h.agents {
		var given resources.Resources
		for _, one := range h.out {
			if one.Agent == id {
				given = given.Add(one.Resources.Unallocate())
			}
		}
		if !given.Equal(ag.taken) {
			r.Fatalf("agent %s: given out %s, counted %s", id, given, ag.taken)
		}
		if !ag.total.Contains(given.NonShared()) && !h.shrunk(id) {
			r.Fatalf("agent %s has %s, given out %s", id, ag.total, given)
		}
	}
	h.Allocator.check(r)
}

// shrunk says whether the agent once had more than it has.
func (h *history) shrunk(id string) bool { return strings.HasSuffix(id, "4") }

// settled says that a run from scratch, over all agents, gives nothing more than the
// runs over what changed did.
func (h *history) settled(r *rapid.T) {
	for range 2 {
		h.now = h.now.Add(h.cfg.Interval)
		h.run(r)
	}
	for _, ag := range h.free.list {
		if ag.shared.Empty() {
			h.mark(ag) // a shared resource is for the next one with every run
		}
	}
	if more := h.Run(h.now); len(more) > 0 {
		r.Fatalf("a run over all agents could still allocate %v", more)
	}
}

// pick takes one of what was given out.
func (h *history) pick(r *rapid.T) (Allocation, bool) {
	if len(h.out) == 0 {
		return Allocation{}, false
	}
	i := rapid.IntRange(0, len(h.out)-1).Draw(r, "which")
	one := h.out[i]
	h.out = slices.Delete(h.out, i, i+1)
	return one, true
}

func (h *history) drop(gone func(Allocation) bool) { h.out = slices.DeleteFunc(h.out, gone) }

var (
	sizes = []string{
		"cpus:4;mem:512;ports:[1-100]", "cpus:1;mem:64", "cpus(a):2;mem(a):64;cpus:1", "mem:16;disk:10",
		"cpus:2;mem:100;cpus(a/x):1;gpus:1", "cpus:8;mem(b):600",
	}
	roleSets = [][]string{{"a"}, {"b"}, {"a", "a/x"}, {"a/x", "a/y/z"}, {"c"}, {"a", "b", "c"}, {}}
	quotas   = []string{"", "cpus:1", "cpus:5;mem:700", "mem:100", "cpus:3;disk:5"}
)

func drawQuota(r *rapid.T) Quota {
	q := Quota{Guarantees: quantitiesFrom(rapid.SampledFrom(quotas).Draw(r, "guarantees"))}
	limits, err := resources.ParseLimits(rapid.SampledFrom(quotas).Draw(r, "limits"))
	if err != nil {
		panic(err)
	}
	q.Limits = limits
	return q
}

func quantitiesFrom(text string) resources.Quantities {
	q, err := resources.ParseQuantities(text)
	if err != nil {
		panic(err)
	}
	return q
}

// volumeOf is a persistent volume on disk that is reserved to a role.
func volumeOf(role, id string, megabytes float64, shared bool) resources.Resources {
	p := &mesospb.Resource{
		Name:   proto.String("disk"),
		Type:   mesospb.Value_SCALAR.Enum(),
		Scalar: &mesospb.Value_Scalar{Value: &megabytes},
		Reservations: []*mesospb.Resource_ReservationInfo{
			{Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &role},
		},
		Disk: &mesospb.Resource_DiskInfo{
			Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: &id},
			Volume:      &mesospb.Volume{ContainerPath: proto.String("data"), Mode: mesospb.Volume_RW.Enum()},
		},
	}
	if shared {
		p.Shared = &mesospb.Resource_SharedInfo{}
	}
	rs := resources.New(p)
	if rs.Empty() {
		panic("not a volume")
	}
	return rs
}

func drawTotal(r *rapid.T) resources.Resources {
	total := parse(rapid.SampledFrom(sizes).Draw(r, "size"))
	if rapid.IntRange(0, 3).Draw(r, "volume") == 0 {
		total = total.Add(volumeOf("a", "v", 100, true))
	}
	if rapid.IntRange(0, 3).Draw(r, "revocable") == 0 {
		total = total.Add(revocable("cpus:3"))
	}
	return total
}

func revocable(text string) resources.Resources {
	var list []*mesospb.Resource
	for _, one := range parse(text).Proto() {
		one = proto.Clone(one).(*mesospb.Resource)
		one.Revocable = &mesospb.Resource_RevocableInfo{}
		list = append(list, one)
	}
	return resources.New(list...)
}

// Whatever happens: nothing is given out twice, everything comes back, limits hold,
// guarantees keep what they need, nothing lies about that somebody may have, and all
// the sums that are kept are right.
func TestRandomHistories(t *testing.T) {
	sorters := []Sorter{DRF, Random}
	rapid.Check(t, func(r *rapid.T) {
		h := &history{now: t0, Allocator: fresh(func(c *Config) {
			c.Seed = rapid.Uint64().Draw(r, "seed")
			c.FilterGPU = true
			c.RoleSorter = rapid.SampledFrom(sorters).Draw(r, "role sorter")
			c.FrameworkSorter = rapid.SampledFrom(sorters).Draw(r, "framework sorter")
		})}
		name := func(kind string) string { return fmt.Sprint(kind, rapid.IntRange(0, 4).Draw(r, kind)) }
		flag := func(what string) bool { return rapid.Bool().Draw(r, what) }
		framework := func() FrameworkOptions {
			f := multi(rapid.SampledFrom(roleSets).Draw(r, "roles")...)
			f.Shared, f.Revocable, f.GPU = flag("shared"), flag("revocable"), flag("gpu")
			return f
		}
		options := func() AgentOptions {
			o := modern
			o.HierarchicalRole = rapid.IntRange(0, 3).Draw(r, "flat") > 0
			o.Hostname = name("host")
			return o
		}
		r.Repeat(map[string]func(*rapid.T){
			"": func(r *rapid.T) {
				h.run(r)
				h.check(r)
			},
			"interval": func(r *rapid.T) {
				h.settled(r)
				h.compareAnew(r.Fatalf)
			},
			"agent": func(r *rapid.T) {
				id := name("s")
				h.drop(func(one Allocation) bool { return one.Agent == id })
				h.AddAgent(id, options(), drawTotal(r), nil)
			},
			"update agent": func(r *rapid.T) { h.UpdateAgent("s4", options(), drawTotal(r)) },
			"remove agent": func(r *rapid.T) {
				id := name("s")
				h.drop(func(one Allocation) bool { return one.Agent == id })
				h.RemoveAgent(id)
			},
			"agent active": func(r *rapid.T) {
				if id := name("s"); flag("on") {
					h.ActivateAgent(id)
				} else {
					h.DeactivateAgent(id)
				}
			},
			"whitelist": func(r *rapid.T) {
				if flag("any") {
					h.SetWhitelist(nil)
				} else {
					h.SetWhitelist([]string{"host0", "host1", "host2"})
				}
			},
			"framework": func(r *rapid.T) {
				id := name("f")
				h.AddFramework(id, framework())
				h.ActivateFramework(id)
			},
			"remove framework": func(r *rapid.T) {
				id := name("f")
				h.drop(func(one Allocation) bool { return one.Framework == id })
				h.RemoveFramework(id)
			},
			"deactivate": func(r *rapid.T) { h.DeactivateFramework(name("f")) },
			"suppress":   func(r *rapid.T) { h.Suppress(name("f"), nil) },
			"revive":     func(r *rapid.T) { h.Revive(name("f"), nil) },
			"quota":      func(r *rapid.T) { h.SetQuota(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "role"), drawQuota(r)) },
			"weight": func(r *rapid.T) {
				h.SetWeight(rapid.SampledFrom([]string{"a", "b", "a/x"}).Draw(r, "role"), rapid.SampledFrom([]float64{1, 2, 0.5}).Draw(r, "weight"))
			},
			"recover": func(r *rapid.T) {
				if one, ok := h.pick(r); ok {
					h.Recover(one.Framework, one.Agent, one.Resources)
				}
			},
			"recover a part": func(r *rapid.T) {
				if one, ok := h.pick(r); ok {
					part := one.Resources.Filter(func(resources.Resource) bool { return flag("this") })
					h.Recover(one.Framework, one.Agent, part)
					if one.Resources = one.Resources.Subtract(part); !one.Resources.Empty() {
						h.out = append(h.out, one)
					}
				}
			},
			"decline": func(r *rapid.T) {
				if one, ok := h.pick(r); ok {
					wait := time.Duration(rapid.IntRange(0, 100).Draw(r, "wait")) * time.Second
					h.Decline(h.now, one.Framework, one.Agent, one.Resources, wait)
				}
			},
			"reserve": func(r *rapid.T) {
				one, ok := h.pick(r)
				if !ok {
					return
				}
				consumed := one.Resources.Filter(isSpare)
				converted, err := consumed.PushReservation(&mesospb.Resource_ReservationInfo{
					Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &one.Role,
				})
				if err != nil {
					r.Fatal(err)
				}
				h.Convert(one.Framework, one.Agent, consumed, converted)
				one.Resources = one.Resources.Subtract(consumed).Add(converted)
				h.out = append(h.out, one)
			},
			"time": func(r *rapid.T) {
				h.now = h.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(r, "ms")) * time.Millisecond)
			},
		})
	})
}

// A role with a framework that takes everything has its guarantees as far as agents
// have what it takes.
func TestGuaranteesAreMetWhenPossible(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		a := fresh(func(c *Config) {
			c.Seed = rapid.Uint64().Draw(r, "seed")
			c.MinAllocatable = []resources.Quantities{}
		})
		for i, role := range []string{"a", "b", "c", "d"} {
			if rapid.Bool().Draw(r, "guaranteed") {
				cpus := rapid.IntRange(1, 12).Draw(r, "cpus")
				a.SetQuota(role, Quota{Guarantees: quantitiesFrom(fmt.Sprintf("cpus:%d;mem:%d", cpus, 10*cpus))})
			}
			for range rapid.IntRange(0, 2).Draw(r, "frameworks") {
				a.join(fmt.Sprint("f", i), multi(role))
			}
		}
		var out []Allocation
		for i := range rapid.IntRange(1, 20).Draw(r, "events") {
			if len(out) > 0 && rapid.Bool().Draw(r, "back") {
				k := rapid.IntRange(0, len(out)-1).Draw(r, "which")
				a.Recover(out[k].Framework, out[k].Agent, out[k].Resources)
				out = slices.Delete(out, k, k+1)
			} else {
				a.agent(fmt.Sprint("s", i), rapid.SampledFrom([]string{"cpus:4;mem:40", "cpus:1;mem:100", "mem:7"}).Draw(r, "size"))
			}
			out = append(out, a.Run(t0.Add(time.Duration(i)*time.Minute))...)
			for _, node := range a.roles {
				if len(node.clients.entries) == 0 {
					continue
				}
				for name := range node.deficit.All() {
					if free := a.headroom.Get(name); free > 0 {
						r.Fatalf("role %s is short of %s while %s %s is free", node.path, node.deficit, free, name)
					}
				}
			}
		}
	})
}

// With everything taken in small pieces, what roles have comes to be as their weights
// are.
func TestSharesConverge(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		weights := map[string]float64{}
		var sum float64
		for _, role := range []string{"a", "b", "c"} {
			weights[role] = float64(rapid.IntRange(1, 9).Draw(r, role))
			sum += weights[role]
		}
		// Below a, two frameworks' roles share what a has.
		weights["a/x"], weights["a/y"] = 3, 1
		a := fresh(func(c *Config) { c.Weights = weights })
		for _, role := range []string{"a/x", "a/y", "b", "c"} {
			a.join("f "+role, multi(role))
			a.join("g "+role, multi(role))
		}
		const pieces = 600
		count := map[string]float64{}
		for i := range pieces {
			a.agent(fmt.Sprint("s", i), "cpus:1;mem:100")
			for _, one := range a.Run(t0) {
				count[one.Role]++
				count[one.Framework]++
			}
		}
		expected := map[string]float64{
			"b": pieces * weights["b"] / sum, "c": pieces * weights["c"] / sum,
			"a/x": pieces * weights["a"] / sum * 3 / 4, "a/y": pieces * weights["a"] / sum / 4,
		}
		for _, role := range slices.Sorted(maps.Keys(expected)) {
			// As the cluster grows, a share moves by less than one piece per role.
			if d := count[role] - expected[role]; d > 4 || d < -4 {
				r.Errorf("role %s has %v pieces, %v are its share", role, count[role], expected[role])
			}
			if d := count["f "+role] - count["g "+role]; d > 1 || d < -1 {
				r.Errorf("frameworks of role %s have %v and %v pieces", role, count["f "+role], count["g "+role])
			}
		}
	})
}
