package allocator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stoa/internal/mesos/allocatorpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
)

func soon(start int64) *mesospb.Unavailability {
	return &mesospb.Unavailability{Start: &mesospb.TimeInfo{Nanoseconds: &start}}
}

// asks runs the allocator and expects these inverse offers, as `framework@agent`.
func (s *scenario) asks(want ...string) []InverseOffer {
	s.t.Helper()
	s.Run(s.now)
	made := s.InverseOffers()
	got := []string{}
	for _, one := range made {
		got = append(got, fmt.Sprintf("%s@%s", one.Framework, one.Agent))
	}
	slices.Sort(got)
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("inverse offers (-want +got):\n%s", diff)
	}
	return made
}

func answer(framework string, status allocatorpb.InverseOfferStatus_Status) *allocatorpb.InverseOfferStatus {
	return &allocatorpb.InverseOfferStatus{
		Status:      status.Enum(),
		FrameworkId: &mesospb.FrameworkID{Value: &framework},
		Timestamp:   &mesospb.TimeInfo{Nanoseconds: proto.Int64(1)},
	}
}

func TestMaintenanceScenarios(t *testing.T) {
	const accept, decline = allocatorpb.InverseOfferStatus_ACCEPT, allocatorpb.InverseOfferStatus_DECLINE
	for name, play := range map[string]func(*scenario){
		"MaintenanceInverseOffers": func(s *scenario) {
			s.join("f1", multi("*"))
			s.join("f2", multi("*"))
			s.agent("s1", "cpus:2;mem:1024")
			s.agent("s2", "cpus:2;mem:1024")
			holders := map[string]string{}
			for _, one := range s.Run(s.now) {
				holders[one.Agent] = one.Framework
			}
			s.asks()
			s.SetUnavailability("s1", soon(5))
			made := s.asks(holders["s1"] + "@s1")
			if got := made[0].Unavailability.GetStart().GetNanoseconds(); got != 5 {
				s.t.Errorf("unavailable from %d on", got)
			}
			s.asks() // it is asked already
			s.SetUnavailability("s2", soon(6))
			s.asks(holders["s2"] + "@s2")
		},
		"AddAgentWithUnknownFrameworkAndMaintenance": func(s *scenario) {
			s.AddAgent("s1", modern, parse("cpus:2;mem:1024"), map[string]resources.Resources{"f1": parse("cpus:1").Allocate("*")})
			s.SetUnavailability("s1", soon(5))
			s.asks()
			s.AddFramework("f1", multi("*"))
			s.asks()
			s.ActivateFramework("f1")
			s.asks("f1@s1")
		},
		"an answer is remembered, and asked for again later": func(s *scenario) {
			s.join("f", multi("r"))
			s.uses("s1", "cpus:2;mem:1024", get("f/r", "cpus:2;mem:1024"))
			s.SetUnavailability("s1", soon(5))
			s.asks("f@s1")
			s.AnswerInverseOffer(s.now, "f", "s1", answer("f", accept), 5*time.Second)
			if got := s.InverseOfferAnswers("s1"); len(got) != 1 || got[0].GetStatus() != accept {
				s.t.Errorf("answers: %v", got)
			}
			s.now = s.now.Add(4 * time.Second)
			s.asks()
			if next := s.Next(); !next.Equal(t0.Add(5 * time.Second)) {
				s.t.Errorf("the next run is at %v", next)
			}
			s.now = s.now.Add(time.Second)
			s.asks("f@s1")
			s.AnswerInverseOffer(s.now, "f", "s1", answer("f", decline), 0)
			s.asks() // whatever it says, not within an interval
			s.interval()
			s.asks("f@s1")
			if got := s.InverseOfferAnswers("s1"); len(got) != 1 || got[0].GetStatus() != decline {
				s.t.Errorf("answers: %v", got)
			}
			// One that nobody was asked says nothing.
			s.AnswerInverseOffer(s.now, "g", "s1", answer("g", accept), 0)
			if got := s.InverseOfferAnswers("s1"); len(got) != 1 {
				s.t.Errorf("answers: %v", got)
			}
		},
		"taken back, and asked for again": func(s *scenario) {
			s.join("f", multi("r"))
			s.uses("s1", "cpus:2;mem:1024", get("f/r", "cpus:2;mem:1024"))
			s.SetUnavailability("s1", soon(5))
			s.asks("f@s1")
			s.AnswerInverseOffer(s.now, "f", "s1", nil, 0)
			s.asks()
			s.interval()
			s.asks("f@s1")
		},
		"REVIVE asks again": func(s *scenario) {
			s.join("f", multi("r"))
			s.uses("s1", "cpus:2;mem:1024", get("f/r", "cpus:2;mem:1024"))
			s.SetUnavailability("s1", soon(5))
			s.asks("f@s1")
			s.AnswerInverseOffer(s.now, "f", "s1", answer("f", accept), time.Hour)
			s.Revive("f", nil)
			s.asks("f@s1")
		},
		"another time asks again": func(s *scenario) {
			s.join("f", multi("r"))
			s.uses("s1", "cpus:2;mem:1024", get("f/r", "cpus:2;mem:1024"))
			s.SetUnavailability("s1", soon(5))
			s.asks("f@s1")
			s.AnswerInverseOffer(s.now, "f", "s1", answer("f", accept), time.Hour)
			s.SetUnavailability("s1", soon(6))
			if got := s.InverseOfferAnswers("s1"); got != nil {
				s.t.Errorf("answers: %v", got)
			}
			s.asks("f@s1")
			s.SetUnavailability("s1", nil)
			s.asks()
		},
		"who holds nothing is not asked until it does": func(s *scenario) {
			s.join("f", multi("r"))
			s.Suppress("f", nil)
			s.agent("s1", "cpus:2;mem:1024")
			s.SetUnavailability("s1", soon(5))
			s.asks()
			s.Revive("f", nil)
			s.asks("f@s1") // it was offered the agent just now
		},
		"agents and frameworks that go are forgotten": func(s *scenario) {
			s.join("f", multi("r"))
			s.join("g", multi("r"))
			s.uses("s1", "cpus:2;mem:1024", get("f/r", "cpus:1"), get("g/r", "cpus:1;mem:1024"))
			s.uses("s2", "cpus:2;mem:1024", get("f/r", "cpus:2;mem:1024"))
			s.SetUnavailability("s1", soon(5))
			s.SetUnavailability("s2", soon(5))
			s.asks("f@s1", "f@s2", "g@s1")
			s.AnswerInverseOffer(s.now, "f", "s1", answer("f", accept), time.Hour)
			s.AnswerInverseOffer(s.now, "f", "s2", answer("f", accept), time.Hour)
			s.RemoveAgent("s2")
			s.RemoveFramework("f")
			if got := s.InverseOfferAnswers("s1"); got != nil {
				s.t.Errorf("answers: %v", got)
			}
			if !s.Next().IsZero() {
				s.t.Error("something is left to be done")
			}
			s.Suppress("g", nil)
			s.join("f", multi("r"))
			s.asks("f@s1")
		},
		"a deactivated framework is not asked": func(s *scenario) {
			s.join("f", multi("r"))
			s.uses("s1", "cpus:2;mem:1024", get("f/r", "cpus:2;mem:1024"))
			s.DeactivateFramework("f")
			s.SetUnavailability("s1", soon(5))
			s.asks()
			s.ActivateFramework("f")
			s.asks("f@s1")
		},
	} {
		t.Run(name, func(t *testing.T) { play(begin(t)) })
	}
}

// A new master with quotas waits until enough of its agents are back, or long enough.
func TestHoldOff(t *testing.T) {
	for name, play := range map[string]func(*scenario){
		"enough agents": func(s *scenario) {
			s.quota("quota", "cpus:1")
			s.HoldOff(s.now, 4) // 80 % of them are 3
			s.join("f", multi("r"))
			s.agent("s1", "cpus:2;mem:64")
			s.agent("s2", "cpus:2;mem:64")
			if s.Pending(s.now) {
				s.t.Error("there is something to do")
			}
			s.gives()
			s.agent("s3", "cpus:2;mem:64")
			if !s.Pending(s.now) {
				s.t.Error("there is nothing to do")
			}
			made := s.Run(s.now)
			var sum resources.Scalar
			for _, one := range made {
				sum += one.Resources.Cpus()
			}
			if len(made) != 3 || sum != 5000 {
				s.t.Errorf("allocations: %v", made)
			}
		},
		"enough time": func(s *scenario) {
			s.quota("quota", "cpus:1")
			s.HoldOff(s.now, 4)
			s.join("f", multi("r"))
			s.agent("s1", "cpus:2;mem:64")
			s.gives()
			if next := s.Next(); !next.Equal(t0.Add(10 * time.Minute)) {
				s.t.Errorf("the next run is at %v", next)
			}
			s.now = s.Next()
			s.gives(get("f/r@s1", "cpus:1;mem:64"))
		},
		"without quotas": func(s *scenario) {
			s.HoldOff(s.now, 4)
			s.join("f", multi("r"))
			s.agent("s1", "cpus:2;mem:64")
			s.gives(get("f/r@s1", "cpus:2;mem:64"))
		},
		"without agents": func(s *scenario) {
			s.quota("quota", "cpus:1")
			s.HoldOff(s.now, 1)
			s.join("f", multi("r"))
			s.agent("s1", "cpus:2;mem:64")
			s.gives(get("f/r@s1", "cpus:1;mem:64"))
		},
	} {
		t.Run(name, func(t *testing.T) { play(begin(t)) })
	}
}
