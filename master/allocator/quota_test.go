package allocator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stoa/internal/mesos/resources"
)

const day = 24 * time.Hour

// The quota scenarios of the original, by its names (hierarchical_allocator_tests.cpp).
func TestQuotaScenarios(t *testing.T) {
	for name, play := range map[string]func(*scenario){
		"QuotaProvidesGuarantee": func(s *scenario) {
			s.join("f1", multi("quota"))
			s.quota("quota", "cpus:2;mem:1024")
			s.join("f2", multi("plain"))
			s.agent("s1", "cpus:1;mem:512")
			s.gives(get("f1/quota@s1", "cpus:1;mem:512"))
			s.agent("s2", "cpus:1;mem:512")
			s.gives(get("f1/quota@s2", "cpus:1;mem:512"))
			// What is declined stays free for the guarantee.
			s.declines(get("f1/quota@s2", "cpus:1;mem:512"), 2*time.Second)
			s.gives()
			s.interval()
			s.gives()
			s.interval()
			s.gives(get("f1/quota@s2", "cpus:1;mem:512"))
		},
		"QuotaProvidesLimit": func(s *scenario) {
			s.join("f1", multi("*"))
			s.guarantee("*", "", "cpus:0;mem:0;disk:0")
			s.agent("s1", "cpus:2;mem:1024;disk:1024")
			s.gives()
			s.join("f2", multi("plain"))
			s.gives(get("f2/plain@s1", "cpus:2;mem:1024;disk:1024"))
			s.guarantee("*", "", "cpus:1;mem:512;disk:512")
			s.agent("s2", "cpus:2;mem:1024;disk:1024")
			s.gives(get("f1/*@s2", "cpus:1;mem:512;disk:512"), get("f2/plain@s2", "cpus:1;mem:512;disk:512"))
		},
		"RemoveQuota": func(s *scenario) {
			s.quota("quota", "cpus:2;mem:1024")
			s.join("f1", multi("quota"))
			s.join("f2", multi("plain"))
			for _, id := range []string{"s1", "s2"} {
				s.uses(id, "cpus:1;mem:512", get("f1/quota", "cpus:1;mem:512"))
			}
			s.SetQuota("quota", Quota{})
			s.gives()
			s.back(get("f1/quota@s1", "cpus:1;mem:512"))
			s.gives(get("f2/plain@s1", "cpus:1;mem:512"))
		},
		"MultipleFrameworksInRoleWithQuota": func(s *scenario) {
			s.quota("quota", "cpus:10;mem:5120")
			s.join("f1", multi("quota"))
			s.agent("s1", "cpus:1;mem:512")
			s.gives(get("f1/quota@s1", "cpus:1;mem:512"))
			s.join("f2", multi("quota"))
			s.agent("s2", "cpus:2;mem:1024")
			s.gives(get("f2/quota@s2", "cpus:2;mem:1024"))
			s.agent("s3", "cpus:1;mem:512")
			s.gives(get("f1/quota@s3", "cpus:1;mem:512"))
			s.agent("s4", "cpus:2;mem:1024")
			s.gives(get("f2/quota@s4", "cpus:2;mem:1024")) // as much as f1, with fewer offers
			// The other one of the role has what one declines.
			s.declines(get("f2/quota@s4", "cpus:2;mem:1024"), day)
			s.gives(get("f1/quota@s4", "cpus:2;mem:1024"))
		},
		"QuotaAllocationGranularity": func(s *scenario) {
			s.join("f1", multi("quota"))
			s.quota("quota", "cpus:0.5;mem:200")
			s.agent("s1", "cpus:1;mem:512")
			s.gives(get("f1/quota@s1", "cpus:0.5;mem:200"))
			s.join("f2", multi("plain"))
			s.gives(get("f2/plain@s1", "cpus:0.5;mem:312"))
		},
		"QuotaAllocationGranularityUnchoppableResource": func(s *scenario) {
			s.quota("quota", "cpus:2;mem:2048;disk:150")
			total := parse("cpus:0.5;mem:512").Add(mount(100))
			s.AddAgent("s1", modern, total, nil)
			s.join("f", multi("quota"))
			s.gives(part{"f/quota@s1", total})
			s.AddAgent("s2", modern, total, nil)
			s.gives(get("f/quota@s2", "cpus:0.5;mem:512"))
			s.agent("s3", "cpus:2;mem:2048;disk:150")
			s.gives(get("f/quota@s3", "cpus:1;mem:1024;disk:50"))
		},
		"QuotaAllocationMultipleDisk": func(s *scenario) {
			s.quota("quota", "cpus:1;mem:512;disk:100")
			total := parse("cpus:1;mem:512;disk:50").Add(mount(50))
			s.AddAgent("s1", modern, total, nil)
			s.join("f", multi("quota"))
			s.gives(part{"f/quota@s1", total})
		},
		"QuotaRoleAllocateNonQuotaResource": func(s *scenario) {
			const size = "cpus:1;mem:1024;ports:[31000-32000]"
			s.quota("one", "cpus:2")
			s.agent("s1", size)
			s.join("f", multi("one"))
			s.gives(get("f/one@s1", size))
			s.quota("two", "mem:1024")
			s.agent("s2", size)
			s.gives(get("f/one@s2", "cpus:1;ports:[31000-32000]")) // the mem is for the other role
			s.agent("s3", size)
			s.gives(get("f/one@s3", "mem:1024;ports:[31000-32000]"))
		},
		"DRFWithQuota": func(s *scenario) {
			s.quota("quota", "cpus:0.25;mem:128")
			s.join("f1", multi("quota"))
			s.join("f2", multi("plain"))
			s.uses("s1", "cpus:1;mem:512", get("f1/quota", "cpus:0.25;mem:128"))
			s.gives(get("f2/plain@s1", "cpus:0.75;mem:384"))
			s.agent("s2", "cpus:1;mem:512")
			s.gives(get("f2/plain@s2", "cpus:1;mem:512"))
		},
		"QuotaAgainstStarvation": func(s *scenario) {
			s.join("f1", multi("quota"))
			s.join("f2", multi("plain"))
			s.uses("s1", "cpus:1;mem:512", get("f1/quota", "cpus:1;mem:512"))
			s.agent("s2", "cpus:1;mem:512")
			s.gives(get("f2/plain@s2", "cpus:1;mem:512"))
			s.quota("quota", "cpus:2;mem:1024")
			s.back(get("f2/plain@s2", "cpus:1;mem:512"))
			s.gives(get("f1/quota@s2", "cpus:1;mem:512"))
		},
		"QuotaAbsentFrameworkWholeAgent": func(s *scenario) {
			s.quota("quota", "cpus:2;mem:1024")
			s.join("f", multi("plain"))
			s.agent("s1", "cpus:2;mem:1024")
			s.gives()
			s.agent("s2", "cpus:2;mem:1024")
			s.gives(get("f/plain@s2", "cpus:2;mem:1024"))
		},
		"an agent is cut for what is held back": func(s *scenario) {
			s.quota("quota", "cpus:2;mem:1024")
			s.join("f", multi("plain"))
			s.agent("s1", "cpus:3;mem:1024;disk:10;ports:[1-2]")
			s.gives(get("f/plain@s1", "cpus:1;disk:10;ports:[1-2]"))
			// As the guarantee goes, so does what was held back for it.
			s.SetQuota("quota", Quota{})
			s.gives(get("f/plain@s1", "cpus:2;mem:1024"))
		},
		"MultiQuotaAbsentFrameworks": func(s *scenario) {
			s.agent("s1", "cpus:2;mem:2048")
			s.quota("one", "cpus:1;mem:1024")
			s.quota("two", "cpus:2;mem:2048")
			s.join("f", multi("two"))
			s.gives(get("f/two@s1", "cpus:2;mem:2048"))
		},
		"MultiQuotaWithFrameworks": func(s *scenario) {
			s.quota("one", "cpus:1;mem:200")
			s.quota("two", "cpus:2;mem:2000")
			s.join("f1", multi("one"))
			s.join("f2", multi("two"))
			s.uses("s1", "cpus:1;mem:1024", get("f1/one", "cpus:1;mem:1024"))
			s.uses("s2", "cpus:1;mem:1024", get("f2/two", "cpus:1;mem:1024"))
			s.agent("s3", "cpus:2;mem:2048")
			s.gives(get("f2/two@s3", "cpus:1;mem:976"))
		},
		"ReservationWithinQuota": func(s *scenario) {
			s.quota("quota", "cpus:2;mem:256")
			s.join("f1", multi("quota"))
			s.join("f2", multi("plain"))
			s.uses("s1", "cpus:8;mem(quota):256", get("f1/quota", "cpus:2;mem(quota):256"))
			s.gives(get("f2/plain@s1", "cpus:6"))
			s.agent("s2", "cpus:4")
			s.gives(get("f2/plain@s2", "cpus:4"))
		},
		"QuotaSetAsideReservedResources": func(s *scenario) {
			s.agent("s1", "cpus:4;mem:512")
			s.agent("s2", "cpus:4;mem:512")
			plain := parse("cpus:4;mem:512")
			reserved := reservedTo("plain", dynamic, plain)
			if err := s.ConvertAvailable("s2", resources.Conversion{Consumed: plain, Converted: reserved}); err != nil {
				s.t.Fatal(err)
			}
			s.quota("quota", "cpus:4;mem:512")
			s.join("f1", multi("quota"))
			s.gives(part{"f1/quota@s1", plain})
			s.declines(part{"f1/quota@s1", plain}, day)
			s.gives()
			s.join("f2", multi("plain"))
			s.gives(part{"f2/plain@s2", reserved})
			s.declines(part{"f2/plain@s2", reserved}, day)
			s.interval()
			s.gives()
		},
		"DisproportionateQuotaVsAllocation": func(s *scenario) {
			s.quota("quota", "cpus:4;mem:1024")
			s.join("f", multi("quota"))
			s.agent("s1", "cpus:2;mem:1024")
			s.gives(get("f/quota@s1", "cpus:2;mem:1024"))
			s.agent("s2", "cpus:2;mem:1024")
			s.gives(get("f/quota@s2", "cpus:2"))
		},
		"QuotaWithAncestorReservations": func(s *scenario) {
			s.quota("quota", "cpus:1;mem:1024")
			s.agent("s1", "cpus(a):1;mem(a):1024")
			s.join("f1", multi("a/b"))
			s.gives(get("f1/a/b@s1", "cpus(a):1;mem(a):1024"))
			s.join("f2", multi("plain"))
			s.gives()
			s.agent("s2", "cpus:1;mem:1024")
			s.gives()
			s.agent("s3", "cpus:1;mem:1024")
			s.gives(get("f2/plain@s3", "cpus:1;mem:1024"))
		},
		"QuotaWithNestedRoleReservation": func(s *scenario) {
			s.quota("a", "cpus:2;mem:200")
			s.agent("s1", "cpus(a/b):1;mem(a/b):100")
			s.agent("s2", "cpus:10;mem:1000")
			s.join("f", multi("a"))
			s.gives(get("f/a@s2", "cpus:1;mem:100"))
		},
		"QuotaWithNestedRoleAllocation": func(s *scenario) {
			s.join("f1", multi("a/b"))
			s.agent("s1", "cpus:1;mem:1024")
			s.gives(get("f1/a/b@s1", "cpus:1;mem:1024"))
			s.quota("a", "cpus:1;mem:1024")
			s.join("f2", multi("a"))
			s.agent("s2", "cpus:1;mem:1024")
			// The role is at its limits; the one below it is not bound by them.
			s.gives(get("f1/a/b@s2", "cpus:1;mem:1024"))
		},
		"QuotaHeadroomWithNestedRoleAllocation": func(s *scenario) {
			s.join("f1", multi("a/b"))
			s.agent("s1", "cpus:1;mem:100")
			s.gives(get("f1/a/b@s1", "cpus:1;mem:100"))
			s.join("f2", multi("a"))
			s.agent("s2", "cpus:1;mem:100")
			s.gives(get("f2/a@s2", "cpus:1;mem:100"))
			s.quota("quota", "cpus:1;mem:100")
			s.agent("s3", "cpus:1;mem:100")
			s.gives()
			s.agent("s4", "cpus:1;mem:100")
			if made := s.Run(s.now); len(made) != 1 {
				s.t.Errorf("allocations: %v", made)
			}
		},
		"QuotaAccountingReserveAllocatedResources": func(s *scenario) {
			s.quota("quota", "cpus:10;mem:1024")
			s.join("f", multi("quota"))
			s.agent("s1", "cpus:5;mem:512")
			made := s.gives(get("f/quota@s1", "cpus:5;mem:512"))
			s.Convert("f", "s1", made[0].Resources, reservedTo("quota", dynamic, made[0].Resources))
			s.agent("s2", "cpus:10;mem:1024")
			s.gives(get("f/quota@s2", "cpus:5;mem:512"))
		},
		"QuotaAccountingUnreserveAllocatedResources": func(s *scenario) {
			s.quota("quota", "cpus:1;mem:1024")
			s.join("f", multi("quota"))
			s.agent("s1", "cpus(quota):1;mem(quota):1024")
			made := s.gives(get("f/quota@s1", "cpus(quota):1;mem(quota):1024"))
			s.agent("s2", "cpus:1;mem:1024")
			s.gives()
			s.Convert("f", "s1", made[0].Resources, made[0].Resources.PopReservation())
			s.interval()
			s.gives()
		},
		"a bad quota gives no more than its limit": func(s *scenario) {
			s.guarantee("quota", "cpus:4", "cpus:1")
			s.join("f", multi("quota"))
			s.agent("s1", "cpus:4;mem:10")
			s.gives(get("f/quota@s1", "cpus:1;mem:10"))
		},
	} {
		t.Run(name, func(t *testing.T) { play(begin(t)) })
	}
}

// Reservations count as consumption, held or not, whoever made them.
func TestReservationsInQuota(t *testing.T) {
	for kind, reserve := range reservationKinds {
		for name, play := range map[string]func(s *scenario, of func(role, text string) resources.Resources){
			"ReservationUnallocated": func(s *scenario, of func(role, text string) resources.Resources) {
				reserved := of("quota", "cpus:1;mem:1024")
				s.AddAgent("s1", modern, reserved, nil)
				s.quota("quota", "cpus:1;mem:1024")
				s.join("f", multi("quota"))
				s.gives(part{"f/quota@s1", reserved})
				s.declines(part{"f/quota@s1", reserved}, day)
				s.agent("s2", "cpus:1;mem:1024")
				s.gives()
			},
			"ReservationAllocated": func(s *scenario, of func(role, text string) resources.Resources) {
				reserved := of("quota", "cpus:1;mem:1024")
				s.AddAgent("s1", modern, reserved, nil)
				s.quota("quota", "cpus:2;mem:2048")
				s.join("f", multi("quota"))
				s.gives(part{"f/quota@s1", reserved})
				s.agent("s2", "cpus:1;mem:1024")
				s.gives(get("f/quota@s2", "cpus:1;mem:1024"))
				s.agent("s3", "cpus:1;mem:1024")
				s.gives()
			},
			"NonQuotaRoleReservationWithQuotaRole": func(s *scenario, of func(role, text string) resources.Resources) {
				reserved, free := of("plain", "cpus:2;mem:2048"), parse("cpus:2;mem:2048")
				s.AddAgent("s1", modern, free.Add(reserved), nil)
				s.quota("quota", "cpus:2;mem:2048")
				s.join("f1", multi("quota"))
				s.gives(part{"f1/quota@s1", free})
				s.declines(part{"f1/quota@s1", free}, day)
				s.join("f2", multi("plain"))
				s.gives(part{"f2/plain@s1", reserved})
			},
			"SharedAllocatedResourceQuotaAccounting": func(s *scenario, of func(role, text string) resources.Resources) {
				s.quota("quota", "cpus:3;mem:2048;disk:100")
				reserved := of("quota", "cpus:2;mem:1024;disk:50")
				s.AddAgent("s1", modern, reserved, nil)
				able := multi("quota")
				able.Shared = true
				s.join("f", able)
				s.gives(part{"f/quota@s1", reserved})
				disk := of("quota", "disk:50")
				volume := volumeOf("quota", "id1", 50, true)
				s.Convert("f", "s1", disk.Allocate("quota"), volume.Allocate("quota"))
				part1 := of("quota", "cpus:1;mem:512")
				s.back(part{"f/quota@s1", part1})
				s.gives(part{"f/quota@s1", part1.Add(volume)})
				// The volume is held twice and counts once.
				s.agent("s2", "cpus:1;mem:1024;disk:50")
				s.gives(get("f/quota@s2", "cpus:1;mem:1024;disk:50"))
				s.agent("s3", "cpus:0.5;mem:512;disk:50")
				s.gives()
			},
			"QuotaHeadroomWhenReservationsExceedQuota": func(s *scenario, of func(role, text string) resources.Resources) {
				s.quota("with", "cpus:1;mem:1024")
				s.quota("without", "cpus:1;mem:1024")
				s.AddAgent("s1", modern, of("with", "cpus:2;mem:2048"), nil)
				s.agent("s2", "cpus:1;mem:1024")
				s.join("f", multi("plain"))
				s.gives()
				s.agent("s3", "cpus:1;mem:1024")
				s.gives(get("f/plain@s3", "cpus:1;mem:1024"))
			},
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				play(begin(t), func(role, text string) resources.Resources { return reservedTo(role, reserve, parse(text)) })
			})
		}
	}
}

// What quotas keep from a framework comes to it, within an interval, when there is room
// again; meanwhile nothing is looked at.
func TestWithheldResourcesComeWhenThereIsRoom(t *testing.T) {
	for name, play := range map[string]func(*scenario){
		"under a limit": func(s *scenario) {
			s.guarantee("r", "", "cpus:2")
			s.join("f", multi("r"))
			s.agent("s1", "cpus:2;mem:64")
			s.gives(get("f/r@s1", "cpus:2;mem:64"))
			s.agent("s2", "cpus:2;mem:64")
			s.gives(get("f/r@s2", "mem:64"))
			// The task's cpus are on an agent that goes.
			s.RemoveAgent("s1")
			s.gives()
			s.interval()
			s.gives(get("f/r@s2", "cpus:2"))
		},
		"beside a guarantee": func(s *scenario) {
			s.guarantee("r", "cpus:2", "")
			s.join("f", multi("plain"))
			s.agent("s1", "cpus:2")
			s.gives()
			s.uses("s2", "cpus:2", get("g/r", "cpus:2")) // g is not known yet
			s.gives()
			s.AddFramework("g", multi("r"))
			s.gives()
			s.interval()
			s.gives(get("f/plain@s1", "cpus:2"))
		},
		"for a guarantee": func(s *scenario) {
			s.guarantee("r", "cpus:2", "")
			s.guarantee("absent", "cpus:2", "")
			s.join("f", multi("r"))
			s.agent("s1", "cpus:2")
			s.gives(get("f/r@s1", "cpus:2"))
			s.agent("s2", "cpus:2")
			s.gives() // for the role that is not there
			s.RemoveAgent("s1")
			s.gives()
			s.interval()
			s.gives(get("f/r@s2", "cpus:2"))
		},
	} {
		t.Run(name, func(t *testing.T) { play(begin(t)) })
	}
}

// One freed task of a role at its limit, in a cluster where much is kept from the role,
// is one agent's work, now and with the next interval.
func TestOneFreedTaskUnderAQuotaIsOneAgentsWork(t *testing.T) {
	s := begin(t)
	s.guarantee("r", "", "cpus:100;mem:6400")
	s.quota("absent", "cpus:1000")
	s.join("f", multi("r"))
	s.join("g", multi("plain"))
	for i := range 500 {
		s.agent(fmt.Sprint("s", i), "cpus:4;mem:64")
	}
	made := s.Run(s.now)
	held := slices.IndexFunc(made, func(one Allocation) bool { return one.Resources.Cpus() >= 1000 })
	if len(s.withheld.list) < 100 {
		t.Fatalf("only %d agents have something that is kept back", len(s.withheld.list))
	}
	for s.interval(); s.Pending(s.now); s.interval() {
		s.Run(s.now)
	}
	one := made[held]
	task := parse("cpus:1").Allocate(one.Role)
	s.Recover(one.Framework, one.Agent, task)
	if len(s.marked) != 1 {
		t.Errorf("%d agents to look at", len(s.marked))
	}
	s.gives(part{place2(one), parse("cpus:1")})
	if !s.Next().IsZero() {
		t.Error("all that is kept back is looked at again")
	}
}
