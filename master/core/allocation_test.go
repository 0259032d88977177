package core

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/allocator"

	"google.golang.org/protobuf/proto"
)

// onHost are offer constraints of one role: agents of one host name.
func onHost(role, hostname string) *schedulerpb.OfferConstraints {
	return &schedulerpb.OfferConstraints{RoleConstraints: map[string]*schedulerpb.OfferConstraints_RoleConstraints{
		role: {Groups: []*schedulerpb.OfferConstraints_RoleConstraints_Group{{AttributeConstraints: []*schedulerpb.AttributeConstraint{{
			Selector: &schedulerpb.AttributeConstraint_Selector{Selector: &schedulerpb.AttributeConstraint_Selector_PseudoattributeType_{
				PseudoattributeType: schedulerpb.AttributeConstraint_Selector_HOSTNAME,
			}},
			Predicate: &schedulerpb.AttributeConstraint_Predicate{Predicate: &schedulerpb.AttributeConstraint_Predicate_TextMatches_{
				TextMatches: &schedulerpb.AttributeConstraint_Predicate_TextMatches{Regex: &hostname},
			}},
		}}}}},
	}}
}

func (w *world) offeredHosts(s StreamID) string {
	var hosts []string
	for _, o := range w.takeOffers(s) {
		hosts = append(hosts, o.GetHostname())
	}
	slices.Sort(hosts)
	return strings.Join(hosts, " ")
}

// Offer constraints of a SUBSCRIBE and of an UPDATE_FRAMEWORK decide what is offered;
// wrong ones are refused and change nothing.
func TestOfferConstraints(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.OfferConstraintLimits = allocator.RegexLimits{MaxMemory: 4096, MaxProgram: 100} })
	w.addAgent(1, small)
	w.addAgent(2, small)
	info := inRoles(frameworkInfo(), "r")
	w.step(Subscribe{Stream: 1, StreamUUID: "stream-1", Call: &schedulerpb.Call_Subscribe{FrameworkInfo: info, OfferConstraints: onHost("r", "host(1")}})
	if e := w.takeEvents(1); len(e) != 1 || e[0].GetError().GetMessage() != "Offer constraints are not valid: A role r has an invalid 'AttributeConstraint': Failed to construct regex from pattern 'host(1': missing ): host(1" {
		t.Errorf("events: %v", e)
	}
	w.step(Subscribe{Stream: 2, StreamUUID: "stream-2", Call: &schedulerpb.Call_Subscribe{FrameworkInfo: info, OfferConstraints: onHost("r", "host1")}})
	f := w.c.byStream[2].ID
	if got := w.offeredHosts(2); got != "host1" {
		t.Errorf("offers of %q", got)
	}
	if got := w.c.Snapshot(nil).Framework(f).OfferConstraints; !proto.Equal(got, onHost("r", "host1")) {
		t.Errorf("constraints: %v", got)
	}
	info.Id = &mesospb.FrameworkID{Value: &f}
	update := func(c *schedulerpb.OfferConstraints) Answer {
		return w.call(f, &schedulerpb.Call{
			Type:            schedulerpb.Call_UPDATE_FRAMEWORK.Enum(),
			UpdateFramework: &schedulerpb.Call_UpdateFramework{FrameworkInfo: info, OfferConstraints: c},
		})
	}
	w.answersWith(update(onHost("r", strings.Repeat("a", 200))), http.StatusBadRequest,
		"'UpdateFramework' call is not valid: Offer constraints are not valid: A role r has an invalid 'AttributeConstraint': Regex '"+
			strings.Repeat("a", 200)+"' is too complex: program size of 204 is larger than maximum of 100 allowed")
	w.answersWith(update(onHost("q", "host1")), http.StatusBadRequest,
		"'UpdateFramework' call is not valid: Offer constraints specify `role_constraints` for a role 'q'not contained in the set of roles")
	if got := w.offeredHosts(2); got != "" {
		t.Errorf("offers of %q", got)
	}
	w.answersWith(update(onHost("r", "host.*")), http.StatusOK, "")
	if got := w.offeredHosts(2); got != "host2" {
		t.Errorf("offers of %q", got)
	}
}

// The gauges of roles, with what is launched told from what is offered.
func TestAllocationGauges(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, "cpus:4;mem:4096;cpus(dev):2")
	w.answersWith(w.updateQuota(false, quotaConfig("dev", "cpus:1", "cpus:4;mem:1024")), http.StatusOK, "")
	f := w.subscribe(1, inRoles(frameworkInfo(), "dev", "ops"), "ops")
	offer := w.takeOffers(1)[0]
	gauges := func() map[string]float64 {
		got := w.c.Counters()
		maps.DeleteFunc(got, func(name string, _ float64) bool {
			return !strings.HasPrefix(name, "allocator/mesos/") && !strings.HasSuffix(name, "/suppressed") || name == "allocator/mesos/allocation_runs"
		})
		return got
	}
	want := map[string]float64{
		"allocator/mesos/offer_filters/roles/dev/active":                      0,
		"allocator/mesos/offer_filters/roles/ops/active":                      0,
		"allocator/mesos/roles/dev/shares/dominant":                           4.0 / 6,
		"allocator/mesos/roles/ops/shares/dominant":                           0,
		"allocator/mesos/quota/roles/dev/resources/cpus/guarantee":            1,
		"allocator/mesos/quota/roles/dev/resources/cpus/limit":                4,
		"allocator/mesos/quota/roles/dev/resources/mem/limit":                 1024,
		"allocator/mesos/quota/roles/dev/resources/cpus/offered_or_allocated": 4,
		"allocator/mesos/quota/roles/dev/resources/mem/offered_or_allocated":  1024,
		"allocator/mesos/quota/roles/dev/resources/cpus/consumed":             2, // the reservation
		"master/frameworks/test/" + f + "/roles/dev/suppressed":               0,
		"master/frameworks/test/" + f + "/roles/ops/suppressed":               1,
	}
	if got := gauges(); !maps.Equal(got, want) {
		t.Errorf("gauges with an offer:\n got %v\nwant %v", got, want)
	}
	// A task uses a part, the rest is declined.
	w.accept(f, []string{offer.GetId().GetValue()}, 60, launchOp(task("t1", agent, "cpus:1;mem:128")))
	want["allocator/mesos/quota/roles/dev/resources/cpus/consumed"] = 3
	want["allocator/mesos/quota/roles/dev/resources/mem/consumed"] = 128
	want["allocator/mesos/quota/roles/dev/resources/cpus/offered_or_allocated"] = 1
	want["allocator/mesos/quota/roles/dev/resources/mem/offered_or_allocated"] = 128
	want["allocator/mesos/roles/dev/shares/dominant"] = 1.0 / 6
	want["allocator/mesos/offer_filters/roles/dev/active"] = 1
	if got := gauges(); !maps.Equal(got, want) {
		t.Errorf("gauges with a task:\n got %v\nwant %v", got, want)
	}
}
