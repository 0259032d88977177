package allocator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// The original's scenarios about agents, reservations, volumes and what is converted, by
// its names (hierarchical_allocator_tests.cpp).
func TestAgentScenarios(t *testing.T) {
	text := func(name, value string) *mesospb.Attribute {
		return &mesospb.Attribute{Name: &name, Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: &value}}
	}
	shared := func(roles ...string) FrameworkOptions {
		o := multi(roles...)
		o.Shared = true
		return o
	}
	for name, play := range map[string]func(*scenario){
		"Reservations": func(s *scenario) {
			s.agent("s1", "cpus(role1):2;mem(role1):1024")
			s.agent("s2", "cpus(role2):2;mem(role2):1024;cpus:1;mem:1024")
			s.join("f1", multi("role1"))
			s.gives(get("f1/role1@s1", "cpus(role1):2;mem(role1):1024"), get("f1/role1@s2", "cpus:1;mem:1024"))
			s.join("f2", multi("role2"))
			s.gives(get("f2/role2@s2", "cpus(role2):2;mem(role2):1024"))
		},
		"RecoverResources": func(s *scenario) {
			s.agent("s1", "cpus(role1):1;cpus:1;mem:512;mem(role1):1024")
			s.join("f", multi("role1"))
			s.gives(get("f/role1@s1", "cpus(role1):1;cpus:1;mem:512;mem(role1):1024"))
			s.back(get("f/role1@s1", "cpus(role1):1;mem(role1):1024"))
			s.gives(get("f/role1@s1", "cpus(role1):1;mem(role1):1024"))
			s.back(get("f/role1@s1", "cpus:1;mem:512"))
			s.gives(get("f/role1@s1", "cpus:1;mem:512"))
		},
		"AddResourceProvider": func(s *scenario) {
			s.AddFramework("f1", multi("role1"))
			s.AddFramework("f2", multi("role2"))
			s.agent("s1", "cpus:1;mem:100;disk:10")
			s.AddResources("s1", parse("cpus:2;mem:200;disk:20"), map[string]resources.Resources{"f1": parse("cpus:2;mem:200;disk:20").Allocate("role1")})
			s.ActivateFramework("f2")
			s.gives(get("f2/role2@s1", "cpus:1;mem:100;disk:10"))
			s.ActivateFramework("f1")
			s.agent("s2", "cpus:1;mem:100;disk:10")
			s.gives(get("f2/role2@s2", "cpus:1;mem:100;disk:10"))
		},
		"AddResourceProviderOverallocated": func(s *scenario) {
			s.agent("s1", "cpus:2;mem:200;disk:20")
			s.AddFramework("f", multi("role"))
			s.AddResources("s1", resources.Resources{}, map[string]resources.Resources{"f": parse("cpus:1;mem:100;disk:10").Allocate("role")})
			s.ActivateFramework("f")
			s.gives(get("f/role@s1", "cpus:1;mem:100;disk:10"))
		},
		"UpdateAllocation": func(s *scenario) {
			s.agent("s1", "cpus(role1):100;mem(role1):1024;disk(role1):1024;ports(role1):[31000-32000]")
			s.join("f", multi("role1"))
			made := s.gives(get("f/role1@s1", "cpus(role1):100;mem(role1):1024;disk(role1):1024;ports(role1):[31000-32000]"))
			disk, volume := parse("disk(role1):5"), volumeOf("role1", "id1", 5, false)
			s.Convert("f", "s1", disk.Allocate("role1"), volume.Allocate("role1"))
			now := made[0].Resources.Unallocate().Subtract(disk).Add(volume)
			s.back(part{"f/role1@s1", now})
			s.gives(part{"f/role1@s1", now})
		},
		"UpdateAllocationRemoveResources": func(s *scenario) {
			s.agent("s1", "cpus:100;mem:1024;disk:1024")
			s.join("f", multi("role1"))
			s.gives(get("f/role1@s1", "cpus:100;mem:1024;disk:1024"))
			s.Convert("f", "s1", parse("disk:1024").Allocate("role1"), resources.Resources{})
			s.back(get("f/role1@s1", "cpus:100;mem:1024"))
			s.gives(get("f/role1@s1", "cpus:100;mem:1024"))
		},
		"UpdateAllocationSharedPersistentVolume": func(s *scenario) {
			s.agent("s1", "cpus(role1):100;mem(role1):1024;disk(role1):1024")
			s.join("f", shared("role1"))
			made := s.gives(get("f/role1@s1", "cpus(role1):100;mem(role1):1024;disk(role1):1024"))
			disk, volume := parse("disk(role1):5"), volumeOf("role1", "id1", 5, true)
			s.Convert("f", "s1", disk.Allocate("role1"), volume.Allocate("role1"))
			now := made[0].Resources.Unallocate().Subtract(disk).Add(volume)
			s.back(part{"f/role1@s1", now})
			s.gives(part{"f/role1@s1", now})
			// Destroyed again, all is as before.
			s.Convert("f", "s1", volume.Allocate("role1"), disk.Allocate("role1"))
			s.back(part{"f/role1@s1", made[0].Resources.Unallocate()})
			s.gives(part{"f/role1@s1", made[0].Resources.Unallocate()})
		},
		"SharedResourcesCapability": func(s *scenario) {
			volume := volumeOf("role1", "id1", 5, true)
			s.AddAgent("s1", modern, parse("cpus:4;mem:1024").Add(volume), nil)
			s.join("f1", multi("role1"))
			s.gives(get("f1/role1@s1", "cpus:4;mem:1024"))
			s.back(get("f1/role1@s1", "cpus:4;mem:1024"))
			s.Suppress("f1", nil)
			s.join("f2", shared("role1"))
			s.gives(part{"f2/role1@s1", parse("cpus:4;mem:1024").Add(volume)})
		},
		"AllocateSharedResources": func(s *scenario) {
			s.join("f1", shared("role1"))
			s.join("f2", shared("role1"))
			s.agent("s1", "cpus:4;mem:1024;disk(role1):2048")
			s.gives(get("f1/role1@s1", "cpus:4;mem:1024;disk(role1):2048"))
			volume := volumeOf("role1", "id1", 5, true)
			s.Convert("f1", "s1", parse("disk(role1):5").Allocate("role1"), volume.Allocate("role1"))
			// f1 goes on using the volume; it is offered nonetheless.
			s.back(get("f1/role1@s1", "cpus:3;mem:1019;disk(role1):2043"))
			s.gives(part{"f2/role1@s1", parse("cpus:3;mem:1019;disk(role1):2043").Add(volume)})
		},
		"a shared resource alone is for another one with each interval": func(s *scenario) {
			volume := volumeOf("r", "id1", 64, true)
			s.cfg.MinAllocatable = []resources.Quantities{quantitiesFrom("disk:1")}
			s.AddAgent("s1", modern, volume, nil)
			s.join("f1", shared("r"))
			s.join("f2", shared("r"))
			s.gives(part{"f1/r@s1", volume})
			s.gives()
			s.interval()
			s.gives(part{"f2/r@s1", volume})
			s.gives()
		},
		"a task more holds a shared resource": func(s *scenario) {
			volume := volumeOf("r", "id1", 64, true)
			s.AddAgent("s1", modern, parse("cpus:1;mem:64").Add(volume), nil)
			s.join("f", shared("r"))
			s.gives(part{"f/r@s1", parse("cpus:1;mem:64").Add(volume)})
			s.Convert("f", "s1", resources.Resources{}, volume.Allocate("r"))
			if got := s.Held("s1")["f"].Unallocate(); !got.Equal(parse("cpus:1;mem:64").Add(volume).Add(volume)) {
				s.t.Errorf("f holds %s", got)
			}
			if got := s.frameworks["f"].members["r"].allocated.get("disk"); got != 64000 {
				s.t.Errorf("f's disk counts %v", got)
			}
			s.back(part{"f/r@s1", volume})
			s.back(part{"f/r@s1", volume})
			if got := s.frameworks["f"].members["r"].allocated.get("disk"); got != 0 {
				s.t.Errorf("f's disk counts %v though it has none", got)
			}
		},
		"UpdateAvailableSuccess": func(s *scenario) {
			s.agent("s1", "cpus:100;mem:1024")
			plain := parse("cpus:25;mem:512")
			reserved := reservedTo("role1", dynamic, plain)
			if err := s.ConvertAvailable("s1", resources.Conversion{Consumed: plain, Converted: reserved}); err != nil {
				s.t.Fatal(err)
			}
			s.join("f", multi("role1"))
			s.gives(part{"f/role1@s1", parse("cpus:75;mem:512").Add(reserved)})
		},
		"UpdateAvailableFail": func(s *scenario) {
			s.agent("s1", "cpus:100;mem:1024")
			s.join("f", multi("role1"))
			s.gives(get("f/role1@s1", "cpus:100;mem:1024"))
			plain := parse("cpus:25;mem:512")
			err := s.ConvertAvailable("s1", resources.Conversion{Consumed: plain, Converted: reservedTo("role1", dynamic, plain)})
			if err == nil || !strings.HasSuffix(err.Error(), " does not contain cpus:25; mem:512") {
				s.t.Error(err)
			}
		},
		"UpdateSlaveOversubscribedResources": func(s *scenario) {
			able := multi("role1")
			able.Revocable = true
			s.join("f", able)
			s.agent("s1", "cpus:100;mem:1024")
			s.gives(get("f/role1@s1", "cpus:100;mem:1024"))
			s.UpdateAgent("s1", modern, parse("cpus:100;mem:1024").Add(revocable("cpus:10")))
			s.gives(part{"f/role1@s1", revocable("cpus:10")})
			s.UpdateAgent("s1", modern, parse("cpus:100;mem:1024").Add(revocable("cpus:12")))
			s.gives(part{"f/role1@s1", revocable("cpus:2")})
			s.UpdateAgent("s1", modern, parse("cpus:100;mem:1024").Add(revocable("cpus:5")))
			s.gives()
		},
		"UpdateSlaveTotalResources": func(s *scenario) {
			s.join("f", multi("role1"))
			s.agent("s1", "cpus:10;mem:1024")
			s.gives(get("f/role1@s1", "cpus:10;mem:1024"))
			s.UpdateAgent("s1", modern, parse("cpus:15;mem:1536"))
			s.gives(get("f/role1@s1", "cpus:5;mem:512"))
			s.UpdateAgent("s1", modern, parse("cpus:5;mem:512"))
			s.gives()
			// What is given back beyond what there is now is not offered.
			s.back(get("f/role1@s1", "cpus:10;mem:1024"))
			s.gives()
			s.back(get("f/role1@s1", "cpus:5;mem:512"))
			s.gives(get("f/role1@s1", "cpus:5;mem:512"))
		},
		"UpdateSlaveCapabilities": func(s *scenario) {
			s.join("f", multi("a/b"))
			s.AddAgent("s1", AgentOptions{MultiRole: true}, parse("cpus:1;mem:64"), nil)
			s.gives()
			s.UpdateAgent("s1", modern, parse("cpus:1;mem:64"))
			s.gives(get("f/a/b@s1", "cpus:1;mem:64"))
		},
		"NonScalarReservationTrackingMESOS_9555": func(s *scenario) {
			s.quota("r", "cpus:1")
			s.agent("s1", "cpus:1;mem:64;ports(r):[1-10]")
			s.agent("s2", "cpus:1;mem:64;ports(r):[1-10]")
			s.RemoveAgent("s1")
			s.RemoveAgent("s2")
			s.SetQuota("r", Quota{})
			if len(s.Roles()) != 0 {
				s.t.Errorf("roles are left: %v", s.Roles())
			}
		},
		"OversubscribedNotAllocated": func(s *scenario) {
			s.join("f", multi("role1"))
			s.AddAgent("s1", modern, revocable("cpus:10;mem:64"), nil)
			s.gives()
		},
		"RecoverOversubscribedResources": func(s *scenario) {
			able := multi("role1")
			able.Revocable = true
			s.join("f", able)
			s.AddAgent("s1", modern, parse("cpus:100;mem:1024").Add(revocable("cpus:10")), nil)
			all := parse("cpus:100;mem:1024").Add(revocable("cpus:10"))
			s.gives(part{"f/role1@s1", all})
			some := parse("cpus:6").Add(revocable("cpus:5"))
			s.back(part{"f/role1@s1", some})
			s.gives(part{"f/role1@s1", some})
		},
		"Whitelist": func(s *scenario) {
			s.SetWhitelist([]string{"dummy-host"})
			s.join("f", multi("*"))
			host := modern
			host.Hostname = "host1"
			s.AddAgent("s1", host, parse("cpus:2;mem:1024"), nil)
			s.gives()
			s.SetWhitelist([]string{"host1", "dummy-host"})
			s.gives(get("f/*@s1", "cpus:2;mem:1024"))
			s.SetWhitelist([]string{})
			s.back(get("f/*@s1", "cpus:2;mem:1024"))
			s.gives()
			s.SetWhitelist(nil)
			s.gives(get("f/*@s1", "cpus:2;mem:1024"))
		},
		"OfferAncestorReservationsToDescendantChild": func(s *scenario) {
			s.join("f", multi("a/b/c"))
			s.agent("s1", "cpus(a):1;mem(a):512")
			s.gives(get("f/a/b/c@s1", "cpus(a):1;mem(a):512"))
			s.agent("s2", "cpus:2;mem:1024;cpus(a/b):4;mem(a/b):2048;cpus(a/b/c/d):1;mem(x):64")
			s.gives(get("f/a/b/c@s2", "cpus:2;mem:1024;cpus(a/b):4;mem(a/b):2048"))
		},
		"refined reservations for who understands them": func(s *scenario) {
			refined := reservedTo("a/b", dynamic, parse("cpus(a):1;mem(a):64"))
			s.AddAgent("s1", modern, refined, nil)
			s.join("old", multi("a/b"))
			s.gives()
			able := multi("a/b", "a")
			able.Refined = true
			s.join("new", able)
			s.gives(part{"new/a/b@s1", refined})
		},
		"RemoveFilters": func(s *scenario) {
			s.join("f", multi("r"))
			s.agent("s1", "cpus:2;mem:1024")
			s.gives(get("f/r@s1", "cpus:2;mem:1024"))
			s.declines(get("f/r@s1", "cpus:2;mem:1024"), day)
			named := modern
			named.Hostname = "other"
			s.UpdateAgent("s1", named, parse("cpus:2;mem:1024"))
			s.gives()
			named.Attributes = []*mesospb.Attribute{text("rack", "1"), text("zone", "2")}
			s.UpdateAgent("s1", named, parse("cpus:2;mem:1024"))
			s.gives(get("f/r@s1", "cpus:2;mem:1024"))
			s.declines(get("f/r@s1", "cpus:2;mem:1024"), day)
			named.Attributes = slices.Clone(named.Attributes)
			slices.Reverse(named.Attributes)
			s.UpdateAgent("s1", named, parse("cpus:2;mem:1024"))
			s.gives() // the same in another order
		},
		"DeactivatedAgent": func(s *scenario) {
			s.join("f", multi("r"))
			s.uses("s1", "cpus:2;mem:1024", get("f/r", "cpus:1"))
			s.DeactivateAgent("s1")
			s.gives()
			s.back(get("f/r@s1", "cpus:1"))
			s.gives()
			s.ActivateAgent("s1")
			s.gives(get("f/r@s1", "cpus:2;mem:1024"))
		},
		"an agent comes again under its id": func(s *scenario) {
			s.join("f", multi("r"))
			s.agent("s1", "cpus:2;mem:1024")
			s.gives(get("f/r@s1", "cpus:2;mem:1024"))
			s.agent("s1", "cpus:1;mem:64")
			s.gives(get("f/r@s1", "cpus:1;mem:64"))
			if got := s.pool.total.get("cpus"); got != 1000 {
				s.t.Errorf("the cluster has %v cpus", got)
			}
		},
		"nothing is known": func(s *scenario) {
			s.RemoveAgent("s1")
			s.UpdateAgent("s1", modern, parse("cpus:1"))
			s.AddResources("s1", parse("cpus:1"), nil)
			s.ActivateAgent("s1")
			s.Recover("f", "s1", parse("cpus:1").Allocate("r"))
			s.Decline(s.now, "f", "s1", parse("cpus:1").Allocate("r"), 0)
			s.Convert("f", "s1", parse("cpus:1").Allocate("r"), resources.Resources{})
			s.RemoveFramework("f")
			s.Revive("f", nil)
			s.Suppress("f", nil)
			s.UpdateFramework("f", multi("r"))
			s.DeactivateFramework("f")
			s.SetUnavailability("s1", nil)
			s.AnswerInverseOffer(s.now, "f", "s1", nil, 0)
			s.agent("s1", "cpus:1;mem:64")
			s.Recover("f", "s1", parse("cpus:1").Allocate("r"))
			s.gives()
			s.join("f", multi("r"))
			s.Recover("f", "s1", parse("cpus:1").Allocate("r")) // it holds nothing
			s.Recover("f", "s1", parse("cpus:1").Allocate("q"))
			s.gives(get("f/r@s1", "cpus:1;mem:64"))
			s.Recover("f", "s1", parse("cpus:5;disk:1").Allocate("r")) // more than it holds
			s.gives(get("f/r@s1", "cpus:1"))
		},
	} {
		t.Run(name, func(t *testing.T) { play(begin(t)) })
	}
}

// A framework that no longer subscribes to a role keeps what it holds there, and counts
// in the role until it is back.
func TestLeavingARoleKeepsWhatIsHeld(t *testing.T) {
	s := begin(t)
	s.join("f", multi("a", "b"))
	s.Suppress("f", []string{"b"})
	s.agent("s1", "cpus:2;mem:1024")
	s.gives(get("f/a@s1", "cpus:2;mem:1024"))
	s.UpdateFramework("f", multi("b"))
	s.back(get("f/a@s1", "mem:1024"))
	s.gives(get("f/b@s1", "mem:1024"))
	if s.roles["a"] == nil {
		t.Fatal("role a is gone, though f holds cpus in it")
	}
	s.back(get("f/a@s1", "cpus:2"))
	if s.roles["a"] != nil {
		t.Error("role a is left")
	}
	s.gives(get("f/b@s1", "cpus:2"))
}

// A new description that suppresses a role no longer revives it: its filters go.
func TestUpdateThatEndsSuppressionRevives(t *testing.T) {
	s := begin(t)
	s.join("f", multi("r"))
	s.agent("s1", "cpus:2;mem:1024")
	s.gives(get("f/r@s1", "cpus:2;mem:1024"))
	s.declines(get("f/r@s1", "cpus:2;mem:1024"), day)
	suppressed := multi("r")
	suppressed.Suppressed = map[string]bool{"r": true}
	s.UpdateFramework("f", suppressed)
	s.gives()
	s.UpdateFramework("f", multi("r"))
	s.gives(get("f/r@s1", "cpus:2;mem:1024"))
}

// Many declines of ever more of one agent leave one filter.
func TestFiltersDoNotPileUp(t *testing.T) {
	s := begin(t)
	s.join("f", multi("r"))
	s.agent("s1", "cpus:100;mem:6400")
	made := s.gives(get("f/r@s1", "cpus:100;mem:6400"))
	rest := made[0].Resources
	for range 50 {
		some := parse("cpus:1;mem:64").Allocate("r")
		rest = rest.Subtract(some)
		s.Recover("f", "s1", some)
		for _, one := range s.Run(s.now) {
			s.Decline(s.now, "f", "s1", one.Resources, time.Hour)
		}
	}
	if n := len(s.deadlines.list); n != 1 {
		t.Errorf("%d filters", n)
	}
	if got := s.Roles()[0].Filters; got != 1 {
		t.Errorf("role r counts %d filters", got)
	}
}
