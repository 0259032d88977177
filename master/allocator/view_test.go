package allocator

import (
	"fmt"
	"testing"
	"time"

	"stoa/internal/mesos/resources"

	"github.com/google/go-cmp/cmp"
)

// text is a view in one line.
func (v RoleView) text() string {
	return fmt.Sprintf("%s weight %v, %d frameworks, %d filters, share %.3f, held %s, reserved %s, consumed %s of %s to %s",
		v.Role, v.Weight, v.Frameworks, v.Filters, v.DominantShare, v.Held, v.Reserved, v.Consumed, v.Quota.Guarantees, v.Quota.Limits)
}

func (s *scenario) shows(want ...string) {
	s.t.Helper()
	var got []string
	for _, v := range s.Roles() {
		got = append(got, v.text())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("roles (-want +got):\n%s", diff)
	}
}

// What the metrics of the original are made of: QuotaMetrics, ActiveOfferFiltersMetrics,
// DominantShareMetrics.
func TestRoleViews(t *testing.T) {
	s := begin(t)
	s.shows()
	s.SetWeight("heavy", 2.5)
	s.guarantee("quota", "cpus:1", "cpus:2;mem:512")
	s.shows(
		"heavy weight 2.5, 0 frameworks, 0 filters, share 0.000, held {}, reserved {}, consumed {} of {} to {}",
		"quota weight 1, 0 frameworks, 0 filters, share 0.000, held {}, reserved {}, consumed {} of cpus:1 to cpus:2; mem:512",
	)
	s.join("f", multi("a/b", "heavy"))
	s.Suppress("f", []string{"heavy"})
	s.agent("s1", "cpus:4;mem:1024;cpus(a):1;ports(a):[1-5]")
	s.gives(get("f/a/b@s1", "cpus:3;mem:1024;cpus(a):1;ports(a):[1-5]"))
	s.uses("s2", "cpus:5;mem:1024", get("f/heavy", "cpus:5;mem:1024"))
	s.shows(
		"a weight 1, 0 frameworks, 0 filters, share 0.000, held {}, reserved cpus:1, consumed cpus:4; mem:1024 of {} to {}",
		"a/b weight 1, 1 frameworks, 0 filters, share 0.500, held cpus:4; mem:1024, reserved {}, consumed cpus:3; mem:1024 of {} to {}",
		"heavy weight 2.5, 1 frameworks, 0 filters, share 0.200, held cpus:5; mem:1024, reserved {}, consumed cpus:5; mem:1024 of {} to {}",
		"quota weight 1, 0 frameworks, 0 filters, share 0.000, held {}, reserved {}, consumed {} of cpus:1 to cpus:2; mem:512",
	)
	s.declines(get("f/a/b@s1", "cpus:3;mem:1024;cpus(a):1;ports(a):[1-5]"), time.Hour)
	s.SetQuota("quota", Quota{})
	s.SetWeight("heavy", 1)
	s.RemoveAgent("s2")
	s.UpdateFramework("f", multi("a/b"))
	s.shows(
		"a weight 1, 0 frameworks, 0 filters, share 0.000, held {}, reserved cpus:1, consumed cpus:1 of {} to {}",
		"a/b weight 1, 1 frameworks, 1 filters, share 0.000, held {}, reserved {}, consumed {} of {} to {}",
	)
	s.RemoveFramework("f")
	s.RemoveAgent("s1")
	s.shows()
}

// DominantShareMetricsWithFairnessExclusion.
func TestDominantShareLeavesExcludedNamesOut(t *testing.T) {
	s := begin(t, func(c *Config) { c.ExcludedNames = []string{"gpus"} })
	s.join("f1", multi("roleA"))
	s.agent("s1", "cpus:2;mem:1024;gpus:1")
	s.gives(get("f1/roleA@s1", "cpus:2;mem:1024;gpus:1"))
	s.agent("s2", "cpus:2;mem:1024;gpus:7")
	if got := s.Roles()[0].DominantShare; got != 0.5 {
		t.Errorf("the share is %v", got)
	}
}

// Made anew from what is held, an allocator is as the one that got there step by step.
func (h *history) anew() *Allocator {
	a := New(h.cfg)
	for path, w := range h.weights {
		a.SetWeight(path, w)
	}
	for path, r := range h.roles {
		if !r.quota.isDefault() {
			a.SetQuota(path, r.quota)
		}
	}
	for id, f := range h.frameworks {
		a.AddFramework(id, f.options)
	}
	for id, ag := range h.agents {
		held := make(map[string]resources.Resources)
		for f, rs := range ag.held {
			held[f] = rs
		}
		a.AddAgent(id, ag.options, ag.total, held)
	}
	return a
}

func (h *history) compareAnew(fail func(string, ...any)) {
	views := func(a *Allocator) (list []string) {
		for _, v := range a.Roles() {
			v.Filters = 0
			list = append(list, v.text())
		}
		return append(list, fmt.Sprintf("headroom %s, required %s of %d roles", a.headroom, a.required, a.inDeficit))
	}
	if diff := cmp.Diff(views(h.anew()), views(h.Allocator)); diff != "" {
		fail("made anew it is different (-anew +now):\n%s", diff)
	}
}
