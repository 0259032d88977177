package allocator

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"stoa/internal/mesos/resources"

	"pgregory.net/rapid"
)

// The order that is kept is the order that sorting anew gives.
func TestSortedKeepsOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := &pool{epoch: 1}
		p.change(quantities{{"cpus", 100_000}, {"mem", 1_000_000}}, nil)
		var s sorted[*role]
		var all []*role
		for i := range rapid.IntRange(1, 30).Draw(r, "items") {
			one := newRole(fmt.Sprint("r", i), fmt.Sprint("r", i), nil, float64(rapid.IntRange(1, 3).Draw(r, "weight")))
			all = append(all, one)
			s.insert(one)
		}
		for range rapid.IntRange(1, 30).Draw(r, "rounds") {
			for range rapid.IntRange(0, 3).Draw(r, "changes") {
				one := rapid.SampledFrom(all).Draw(r, "which")
				if rapid.IntRange(0, 9).Draw(r, "out") == 0 && len(all) > 1 {
					s.remove(one)
					all = slices.DeleteFunc(all, func(other *role) bool { return other == one })
					continue
				}
				one.allocated = quantities{{"cpus", 1000 * scalar(r, 5)}, {"mem", 10_000 * scalar(r, 5)}}
				one.allocations += uint64(rapid.IntRange(0, 1).Draw(r, "more"))
				s.change(one)
			}
			if rapid.IntRange(0, 4).Draw(r, "grow") == 0 {
				p.change(quantities{{"cpus", 1000 * scalar(r, 100)}}, nil)
			}
			var got []string
			for _, e := range s.order(p) {
				got = append(got, e.item.name)
			}
			slices.SortFunc(all, func(a, b *role) int {
				return cmp.Or(cmp.Compare(p.share(a.ranking()), p.share(b.ranking())), cmp.Compare(a.allocations, b.allocations), cmp.Compare(a.name, b.name))
			})
			var want []string
			for _, one := range all {
				want = append(want, one.name)
			}
			if !slices.Equal(got, want) {
				r.Fatalf("order is %v, it must be %v", got, want)
			}
		}
	})
}

func scalar(r *rapid.T, most int) (s resources.Scalar) {
	return resources.Scalar(rapid.IntRange(0, most).Draw(r, "amount"))
}

// With lots, a role comes first as often as its weight is of those beside it, and what
// is below a role shares the role's chances.
func TestLotsFollowWeights(t *testing.T) {
	a := fresh(func(c *Config) {
		c.RoleSorter, c.FrameworkSorter = Random, Random
		c.Weights = map[string]float64{"a": 2, "a/x": 3}
		c.Seed = 7
	})
	for _, role := range []string{"a", "a/x", "b", "c/d"} {
		a.join("f "+role, multi(role))
		a.join("g "+role, multi(role))
	}
	const draws = 20000
	first, frameworks := map[string]float64{}, map[string]float64{}
	for range draws {
		a.eachRole(func(r *role) bool {
			first[r.path]++
			a.eachClient(r, func(m *member) bool {
				frameworks[m.name]++
				return false
			})
			return false
		})
	}
	// a has 2 of 4, of which a/x has 3 of 4; b and c have 1 of 4 each.
	for role, part := range map[string]float64{"a": 0.125, "a/x": 0.375, "b": 0.25, "c/d": 0.25} {
		if got := first[role] / draws; got < part-0.02 || got > part+0.02 {
			t.Errorf("role %s comes first in %.3f of the draws, its chance is %.3f", role, got, part)
		}
		if got := frameworks["f "+role] / first[role]; got < 0.45 || got > 0.55 {
			t.Errorf("framework f comes first in %.3f of the draws of role %s", got, role)
		}
	}
}

// UpdateWeight: six agents, three roles of weights 1, 2 and 3.
func TestWeightsChange(t *testing.T) {
	s := begin(t)
	s.SetWeight("role2", 2)
	s.join("f1", multi("role1"))
	s.join("f2", multi("role2"))
	count := func(from int) map[string]int {
		got := map[string]int{}
		for i := range 6 {
			s.agent(fmt.Sprintf("s%d", from+i), "cpus:2;mem:1024")
			for _, one := range s.Run(s.now) {
				got[one.Framework]++
			}
		}
		return got
	}
	if got := count(0); got["f1"] != 2 || got["f2"] != 4 {
		t.Errorf("agents: %v", got)
	}
	s.SetWeight("role1", 2)
	s.SetWeight("role3", 1)
	// Equal weights: what role1 lacks comes to it.
	if got := count(6); got["f1"] != 4 || got["f2"] != 2 {
		t.Errorf("agents: %v", got)
	}
	s.SetWeight("role1", 0) // not a weight
	if got := s.roles["role1"].weight; got != 1 {
		t.Errorf("role1 weighs %v", got)
	}
	s.SetWeight("nobody", 3)
	s.SetWeight("nobody", 1)
	if s.roles["nobody"] != nil {
		t.Error("a role without a reason is left")
	}
}

// NestedRoleDRF: siblings compete at their level.
func TestNestedRolesShareTheirPlace(t *testing.T) {
	s := begin(t)
	s.agent("s1", "cpus:10;mem:10240")
	s.join("f1", multi("a/b"))
	s.gives(get("f1/a/b@s1", "cpus:10;mem:10240"))
	s.join("f2", multi("a/c"))
	s.join("f3", multi("d/e"))
	s.agent("s2", "cpus:6;mem:6144")
	s.gives(get("f3/d/e@s2", "cpus:6;mem:6144")) // a has something already
	s.agent("s3", "cpus:2;mem:2048")
	s.gives(get("f3/d/e@s3", "cpus:2;mem:2048"))
	s.join("f4", multi("d"))
	s.agent("s4", "cpus:1;mem:1024")
	s.gives(get("f4/d@s4", "cpus:1;mem:1024")) // d is poorer than a, and its own place poorer than d/e
	s.agent("s5", "cpus:5;mem:5120")
	s.gives(get("f4/d@s5", "cpus:5;mem:5120"))
	s.agent("s6", "cpus:1;mem:1024")
	s.gives(get("f2/a/c@s6", "cpus:1;mem:1024"))
	s.RemoveFramework("f4")
	if n := len(s.roles["d"].children.entries); n != 2 {
		t.Errorf("role d has %d places", n)
	}
}
