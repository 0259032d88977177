package allocator

import (
	"fmt"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

var t0 = time.Unix(1_700_000_000, 0)

func parse(text string) resources.Resources {
	rs, err := resources.Parse(text, "*")
	if err != nil {
		panic(err)
	}
	return rs
}

var modern = AgentOptions{MultiRole: true, HierarchicalRole: true}

func multi(roles ...string) FrameworkOptions { return FrameworkOptions{Roles: roles, MultiRole: true} }

func fresh(change ...func(*Config)) *Allocator {
	cfg := Config{Interval: time.Second}
	for _, f := range change {
		f(&cfg)
	}
	return New(cfg)
}

func (a *Allocator) join(id string, options FrameworkOptions) {
	a.AddFramework(id, options)
	a.ActivateFramework(id)
}

func (a *Allocator) agent(id, text string) { a.AddAgent(id, modern, parse(text), nil) }

// made runs the allocator and returns its allocations as `framework/role@agent: what`.
func made(a *Allocator, after time.Duration) []string {
	out := []string{}
	for _, one := range a.Run(t0.Add(after)) {
		out = append(out, fmt.Sprintf("%s/%s@%s: %s", one.Framework, one.Role, one.Agent, one.Resources.Unallocate()))
	}
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("allocations (-want +got):\n%s", diff)
	}
}

// UnreservedDRF: agents that come one at a time go to the poorest role, in it to the
// poorest framework.
func TestUnreservedDRF(t *testing.T) {
	a := fresh()
	a.agent("s1", "cpus:2;mem:1024")
	a.join("f1", multi("role1"))
	expect(t, made(a, 0), "f1/role1@s1: cpus:2; mem:1024")
	a.join("f2", multi("role2"))
	expect(t, made(a, 0))
	a.agent("s2", "cpus:1;mem:512")
	expect(t, made(a, 0), "f2/role2@s2: cpus:1; mem:512")
	a.agent("s3", "cpus:3;mem:2048")
	expect(t, made(a, 0), "f2/role2@s3: cpus:3; mem:2048")
	// role1 has 2/6 of the cpus, role2 4/6.
	a.join("f3", multi("role1"))
	a.agent("s4", "cpus:4;mem:4096")
	expect(t, made(a, 0), "f3/role1@s4: cpus:4; mem:4096")
	// role1 has 6/10, role2 4/10.
	a.agent("s5", "cpus:1;mem:512")
	expect(t, made(a, 0), "f2/role2@s5: cpus:1; mem:512")
	a.agent("s6", "cpus:4;mem:1024")
	expect(t, made(a, 0), "f2/role2@s6: cpus:4; mem:1024")
	// Now role1 is poorer, and in it f1.
	a.agent("s7", "cpus:1;mem:512")
	expect(t, made(a, 0), "f1/role1@s7: cpus:1; mem:512")
}

// ReservedDRF: what is reserved and allocated counts in the share.
func TestReservedDRF(t *testing.T) {
	a := fresh()
	a.agent("s1", "cpus:1;mem:1024;cpus(role1):50;mem(role1):1024")
	a.join("f1", multi("role1"))
	expect(t, made(a, 0), "f1/role1@s1: cpus(reservations: [(STATIC,role1)]):50; mem(reservations: [(STATIC,role1)]):1024; cpus:1; mem:1024")
	a.join("f2", multi("role2"))
	a.agent("s2", "cpus:2;mem:512")
	expect(t, made(a, 0), "f2/role2@s2: cpus:2; mem:512")
	a.agent("s3", "cpus:2;mem:512")
	expect(t, made(a, 0), "f2/role2@s3: cpus:2; mem:512")
}

// DRFWithFairnessExclusion: excluded names make nobody rich.
func TestFairnessExclusion(t *testing.T) {
	a := fresh(func(c *Config) { c.ExcludedNames = []string{"gpus"} })
	a.agent("s1", "cpus:2;mem:512;gpus:2")
	a.join("f1", multi("role1"))
	made(a, 0)
	a.join("f2", multi("role2"))
	a.agent("s2", "cpus:3;mem:512")
	expect(t, made(a, 0), "f2/role2@s2: cpus:3; mem:512")
	// Without the gpus role1 has 2/5, less than role2's 3/5.
	a.agent("s3", "cpus:1;mem:64")
	expect(t, made(a, 0), "f1/role1@s3: cpus:1; mem:64")
}

// NestedRoleDRF: a/b and a/c together compete as a.
func TestNestedRoles(t *testing.T) {
	a := fresh()
	a.agent("s1", "cpus:2;mem:1024")
	a.join("f1", multi("a/b"))
	expect(t, made(a, 0), "f1/a/b@s1: cpus:2; mem:1024")
	a.join("f2", multi("a/c"))
	a.join("f3", multi("d"))
	a.agent("s2", "cpus:1;mem:512")
	expect(t, made(a, 0), "f3/d@s2: cpus:1; mem:512")
	// a has 2, d has 1: d again, though a/c has nothing.
	a.agent("s3", "cpus:1;mem:512")
	got := made(a, 0)
	expect(t, got, "f3/d@s3: cpus:1; mem:512")
	// Equal now: fewer allocations first, and in a the poorest child.
	a.agent("s4", "cpus:1;mem:512")
	expect(t, made(a, 0), "f2/a/c@s4: cpus:1; mem:512")
}

// A role with frameworks of its own and sub-roles competes with its sub-roles.
func TestRoleBesideItsSubroles(t *testing.T) {
	a := fresh()
	a.join("parent", multi("a"))
	a.agent("s1", "cpus:1;mem:512")
	expect(t, made(a, 0), "parent/a@s1: cpus:1; mem:512")
	a.join("child", multi("a/b"))
	a.agent("s2", "cpus:1;mem:512")
	expect(t, made(a, 0), "child/a/b@s2: cpus:1; mem:512")
	a.RemoveFramework("child")
	a.agent("s3", "cpus:1;mem:512")
	// What the child had is free as well.
	if got := made(a, 0); len(got) != 2 {
		t.Errorf("allocations: %v", got)
	}
}

// SameShareFairness: equal shares take turns.
func TestSameShareFairness(t *testing.T) {
	a := fresh()
	a.join("f1", multi("*"))
	a.join("f2", multi("*"))
	a.agent("s1", "cpus:2;mem:1024")
	counts := map[string]int{}
	for i := range 10 {
		for _, one := range a.Run(t0.Add(time.Duration(i) * time.Second)) {
			counts[one.Framework]++
			a.Recover(one.Framework, one.Agent, one.Resources)
		}
	}
	if counts["f1"] != 5 || counts["f2"] != 5 {
		t.Errorf("allocations: %v", counts)
	}
}

// CoarseGrained: two agents, two frameworks, one whole agent each.
func TestCoarseGrained(t *testing.T) {
	a := fresh()
	a.agent("s1", "cpus:2;mem:1024")
	a.agent("s2", "cpus:2;mem:1024")
	a.AddFramework("f1", multi("r1"))
	a.AddFramework("f2", multi("r2"))
	a.ActivateFramework("f1")
	a.ActivateFramework("f2")
	got := map[string]int{}
	for _, one := range a.Run(t0) {
		got[one.Framework]++
	}
	if got["f1"] != 1 || got["f2"] != 1 {
		t.Errorf("allocations: %v", got)
	}
}

// OfferFilter: a decline hides the agent from the one framework only; more than what
// was declined is offered.
func TestOfferFilter(t *testing.T) {
	a := fresh()
	a.agent("s1", "cpus:2;mem:1024")
	a.join("f1", multi("r"))
	one := a.Run(t0)[0]
	a.Decline(t0, "f1", "s1", one.Resources, time.Hour)
	expect(t, made(a, 0))
	a.join("f2", multi("r"))
	expect(t, made(a, 0), "f2/r@s1: cpus:2; mem:1024")
	a.Recover("f2", "s1", parse("cpus:1;mem:512").Allocate("r"))
	a.Suppress("f2", nil)
	expect(t, made(a, time.Minute))
	a.UpdateAgent("s1", modern, parse("cpus:4;mem:2048"))
	expect(t, made(a, time.Minute), "f1/r@s1: cpus:3; mem:1536")
}

// SmallOfferFilterTimeout: however short, a filter lasts one allocation interval,
// and one of zero, too, lest the two sides run in circles.
func TestFilterLastsAnInterval(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Millisecond} {
		a := fresh()
		a.agent("s1", "cpus:2;mem:1024")
		a.join("f1", multi("r"))
		a.Decline(t0, "f1", "s1", a.Run(t0)[0].Resources, wait)
		expect(t, made(a, 999*time.Millisecond))
		if next := a.Next(); !next.Equal(t0.Add(time.Second)) {
			t.Errorf("next run at %v", next.Sub(t0))
		}
		expect(t, made(a, time.Second), "f1/r@s1: cpus:2; mem:1024")
		if !a.Next().IsZero() {
			t.Error("a filter is left")
		}
	}
}

// RemoveFilters: new attributes make old refusals void; so does REVIVE of the role.
func TestFiltersEnd(t *testing.T) {
	a := fresh()
	a.agent("s1", "cpus:2;mem:1024")
	a.join("f1", multi("r", "q"))
	decline := func() {
		t.Helper()
		for {
			list := a.Run(t0)
			if len(list) == 0 {
				return
			}
			for _, one := range list {
				a.Decline(t0, one.Framework, one.Agent, one.Resources, time.Hour)
			}
		}
	}
	decline()
	changed := modern
	changed.Attributes = []*mesospb.Attribute{{Name: proto.String("rack"), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: proto.String("2")}}}
	a.UpdateAgent("s1", changed, parse("cpus:2;mem:1024"))
	if got := made(a, 0); len(got) != 1 {
		t.Errorf("after new attributes: %v", got)
	}
	for _, one := range a.agents["s1"].held["f1"].ByAllocation() {
		a.Decline(t0, "f1", "s1", one, time.Hour)
	}
	decline()
	a.Revive("f1", []string{"q"})
	expect(t, made(a, 0), "f1/q@s1: cpus:2; mem:1024")
	if len(a.deadlines.list) != 1 {
		t.Errorf("%d filters left, the one of role r is expected", len(a.deadlines.list))
	}
}

// SuppressAndReviveOffersWithMultiRole.
func TestSuppressByRole(t *testing.T) {
	a := fresh()
	a.join("f1", multi("r1", "r2"))
	a.Suppress("f1", []string{"r1"})
	a.agent("s1", "cpus:2;mem:1024")
	expect(t, made(a, 0), "f1/r2@s1: cpus:2; mem:1024")
	a.Suppress("f1", nil)
	a.agent("s2", "cpus:2;mem:1024")
	expect(t, made(a, 0))
	a.Revive("f1", nil)
	if got := made(a, 0); len(got) != 1 {
		t.Errorf("allocations: %v", got)
	}
}

// DeactivateAndReactivateFramework.
func TestDeactivatedFramework(t *testing.T) {
	a := fresh()
	a.join("f1", multi("r"))
	a.DeactivateFramework("f1")
	a.agent("s1", "cpus:2;mem:1024")
	expect(t, made(a, 0))
	a.ActivateFramework("f1")
	expect(t, made(a, 0), "f1/r@s1: cpus:2; mem:1024")
}

// Reservations: to the role and the roles below it, never upward.
func TestReservations(t *testing.T) {
	a := fresh()
	a.agent("s1", "cpus(a):2;mem(a):1024")
	a.join("up", multi("b"))
	expect(t, made(a, 0))
	a.join("down", multi("a/x"))
	expect(t, made(a, 0), "down/a/x@s1: cpus(reservations: [(STATIC,a)]):2; mem(reservations: [(STATIC,a)]):1024")
	b := fresh()
	b.agent("s1", "cpus(a/x):2;mem(a/x):1024")
	b.join("f", multi("a"))
	expect(t, made(b, 0))
}

// Allocatable and FrameworkMinAllocatable.
func TestSmallestOffer(t *testing.T) {
	a := fresh()
	a.agent("s1", "cpus:0.001;mem:31;disk:1000")
	a.join("f1", multi("r"))
	expect(t, made(a, 0))
	picky := multi("r")
	picky.MinAllocatable = map[string][]resources.Quantities{"r": {}}
	a.join("f2", picky)
	expect(t, made(a, 0), "f2/r@s1: cpus:0.001; mem:31; disk:1000")

	b := fresh()
	b.agent("s1", "cpus:4;mem:31")
	picky.MinAllocatable["r"] = []resources.Quantities{quantitiesFrom("cpus:8"), quantitiesFrom("cpus:4;mem:32")}
	b.join("f", picky)
	expect(t, made(b, 0))
	b.UpdateAgent("s1", modern, parse("cpus:4;mem:32"))
	expect(t, made(b, 0), "f/r@s1: cpus:4; mem:32")
}

// DontOfferOldAgentToMultiRoleFramework, and agents without nested roles.
func TestOldAgents(t *testing.T) {
	a := fresh()
	a.AddAgent("old", AgentOptions{}, parse("cpus:1;mem:512"), nil)
	a.join("f1", multi("r"))
	expect(t, made(a, 0))
	a.AddAgent("flat", AgentOptions{MultiRole: true}, parse("cpus:1;mem:512"), nil)
	a.join("f2", FrameworkOptions{Roles: []string{"a/b"}})
	a.Suppress("f1", nil)
	expect(t, made(a, 0))
	a.join("f3", FrameworkOptions{Roles: []string{"r"}})
	if got := made(a, 0); len(got) != 2 {
		t.Errorf("allocations: %v", got)
	}
}

func TestCapabilities(t *testing.T) {
	revocable := func(text string) resources.Resources {
		var list []*mesospb.Resource
		for _, r := range parse(text).Proto() {
			r = proto.Clone(r).(*mesospb.Resource)
			r.Revocable = &mesospb.Resource_RevocableInfo{}
			list = append(list, r)
		}
		return resources.New(list...)
	}
	a := fresh(func(c *Config) { c.FilterGPU = true })
	a.AddAgent("gpu", modern, parse("cpus:1;mem:512;gpus:1"), nil)
	a.AddAgent("over", modern, revocable("cpus:8;mem:512"), nil)
	a.join("plain", multi("r"))
	expect(t, made(a, 0))
	able := multi("r")
	able.GPU, able.Revocable = true, true
	a.join("able", able)
	if got := made(a, 0); len(got) != 2 {
		t.Errorf("allocations: %v", got)
	}
}

func TestRegions(t *testing.T) {
	domain := func(region string) *mesospb.DomainInfo {
		return &mesospb.DomainInfo{FaultDomain: &mesospb.DomainInfo_FaultDomain{
			Region: &mesospb.DomainInfo_FaultDomain_RegionInfo{Name: &region},
			Zone:   &mesospb.DomainInfo_FaultDomain_ZoneInfo{Name: &region},
		}}
	}
	a := fresh(func(c *Config) { c.MasterDomain = domain("eu") })
	far := modern
	far.Domain = domain("us")
	a.AddAgent("far", far, parse("cpus:1;mem:512"), nil)
	a.join("f1", multi("r"))
	expect(t, made(a, 0))
	aware := multi("r")
	aware.RegionAware = true
	a.join("f2", aware)
	expect(t, made(a, 0), "f2/r@far: cpus:1; mem:512")
}

// FrameworkLoopMESOS_9554: one framework that cannot use the agent does not stand in
// the way of others.
func TestIncapableFrameworkIsPassedOver(t *testing.T) {
	a := fresh(func(c *Config) { c.FilterGPU = true })
	a.join("f1", multi("r"))
	able := multi("r")
	able.GPU = true
	a.join("f2", able)
	a.AddAgent("s1", modern, parse("cpus:1;mem:512;gpus:1"), nil)
	expect(t, made(a, 0), "f2/r@s1: cpus:1; mem:512; gpus:1")
}

// NoDoubleAccounting and AddAgentWithUnknownFramework: what agents bring along counts
// once, whoever is known first.
func TestUsedResourcesCountOnce(t *testing.T) {
	used := map[string]resources.Resources{"f1": parse("cpus:1;mem:512").Allocate("r1")}
	for name, frameworkFirst := range map[string]bool{"framework first": true, "agent first": false} {
		t.Run(name, func(t *testing.T) {
			a := fresh()
			if frameworkFirst {
				a.AddFramework("f1", multi("r1"))
			}
			a.AddAgent("s1", modern, parse("cpus:2;mem:1024"), used)
			if !frameworkFirst {
				a.AddFramework("f1", multi("r1"))
			}
			if got := a.frameworks["f1"].members["r1"].allocated.get("cpus"); got != 1000 {
				t.Errorf("f1 has %v cpus", got)
			}
			a.ActivateFramework("f1")
			expect(t, made(a, 0), "f1/r1@s1: cpus:1; mem:512")
		})
	}
}

// RemoveSlaveRecoverResources.
func TestRemovedAgentFreesShares(t *testing.T) {
	a := fresh()
	a.join("f1", multi("r1"))
	a.agent("s1", "cpus:2;mem:1024")
	made(a, 0)
	a.join("f2", multi("r2"))
	a.agent("s2", "cpus:1;mem:512")
	made(a, 0)
	a.RemoveAgent("s1")
	a.agent("s3", "cpus:1;mem:512")
	expect(t, made(a, 0), "f1/r1@s3: cpus:1; mem:512")
}

// UpdateWeight: a role of twice the weight gets twice as much.
func TestWeights(t *testing.T) {
	a := fresh(func(c *Config) { c.Weights = map[string]float64{"r2": 2} })
	a.join("f1", multi("r1"))
	a.join("f2", multi("r2"))
	counts := map[string]int{}
	for i := range 6 {
		a.agent(fmt.Sprint("s", i), "cpus:2;mem:1024")
		for _, one := range a.Run(t0) {
			counts[one.Framework]++
		}
	}
	if counts["f1"] != 2 || counts["f2"] != 4 {
		t.Errorf("allocations: %v", counts)
	}
}

// UpdateAllocation: a reservation made on offered resources changes hands and totals
// consistently, and comes back as a reservation.
func TestConvertedResources(t *testing.T) {
	a := fresh()
	a.agent("s1", "cpus:4;mem:512")
	a.join("f1", multi("r1"))
	made(a, 0)
	reserved, err := parse("cpus:1").PushReservation(&mesospb.Resource_ReservationInfo{
		Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: proto.String("r1"),
	})
	if err != nil {
		t.Fatal(err)
	}
	a.Convert("f1", "s1", parse("cpus:1").Allocate("r1"), reserved.Allocate("r1"))
	a.Recover("f1", "s1", reserved.Allocate("r1").Add(parse("cpus:3;mem:512").Allocate("r1")))
	a.Suppress("f1", nil)
	a.join("f2", multi("r2"))
	expect(t, made(a, 0), "f2/r2@s1: cpus:3; mem:512")
	a.Revive("f1", nil)
	expect(t, made(a, 0), "f1/r1@s1: cpus(reservations: [(DYNAMIC,r1)]):1")
}

// An event among many agents looks at what it changed only.
func TestOneEventMarksOneAgent(t *testing.T) {
	a := fresh()
	a.join("f1", multi("r"))
	for i := range 1000 {
		a.agent(fmt.Sprint("s", i), "cpus:4;mem:512")
	}
	made(a, 0)
	a.Recover("f1", "s7", parse("cpus:1").Allocate("r"))
	if len(a.marked) != 1 {
		t.Errorf("%d agents marked", len(a.marked))
	}
	expect(t, made(a, 0), "f1/r@s7: cpus:1")
}
