package resources_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// formats holds one resource in the format since refinement, before it, and as
// endpoints show it.
func formats() map[string][3]*mesospb.Resource {
	cpus := scalar("cpus", 1)
	role := func(p *mesospb.Resource, role string) *mesospb.Resource {
		return with(p, func(p *mesospb.Resource) { p.Role = &role })
	}
	byOps := func(p *mesospb.Resource) *mesospb.Resource {
		return with(p, func(p *mesospb.Resource) {
			p.Reservation = &mesospb.Resource_ReservationInfo{Principal: proto.String("ops")}
		})
	}
	return map[string][3]*mesospb.Resource{
		"unreserved": {cpus, role(cpus, "*"), role(cpus, "*")},
		"static":     {reserved(cpus, static("ads")), role(cpus, "ads"), role(reserved(cpus, static("ads")), "ads")},
		"dynamic": {
			reserved(cpus, dynamic("ads", "ops")),
			byOps(role(cpus, "ads")),
			byOps(role(reserved(cpus, dynamic("ads", "ops")), "ads")),
		},
	}
}

func TestReservationFormatsConvert(t *testing.T) {
	for name, f := range formats() {
		t.Run(name, func(t *testing.T) {
			for i, from := range f {
				if diff := cmp.Diff(f[0], resources.Upgraded(from), protocmp.Transform()); diff != "" {
					t.Errorf("upgrading format %d: %s", i, diff)
				}
				if err := resources.Validate(from); err != nil {
					t.Errorf("format %d is valid: %v", i, err)
				}
			}
			old := proto.Clone(f[0]).(*mesospb.Resource)
			if err := resources.Downgrade(old); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(f[1], old, protocmp.Transform()); diff != "" {
				t.Errorf("downgrading: %s", diff)
			}
			if diff := cmp.Diff(f[2], resources.ForEndpoint(f[0]), protocmp.Transform()); diff != "" {
				t.Errorf("for endpoints: %s", diff)
			}
		})
	}
}

func TestRefinedReservationsHaveNoOldFormat(t *testing.T) {
	refined := reserved(scalar("cpus", 1), static("a"), dynamic("a/b", "ops"))
	if err := resources.Downgrade(proto.Clone(refined).(*mesospb.Resource)); !errors.Is(err, resources.ErrRefined) {
		t.Error(err)
	}
	if diff := cmp.Diff(refined, resources.ForEndpoint(refined), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(refined, resources.Upgraded(refined), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestResourcesDeepInsideMessagesConvert(t *testing.T) {
	f := formats()["dynamic"]
	task := func(p *mesospb.Resource) *mesospb.Offer_Operation {
		clone := func() []*mesospb.Resource { return []*mesospb.Resource{proto.Clone(p).(*mesospb.Resource)} }
		return &mesospb.Offer_Operation{Launch: &mesospb.Offer_Operation_Launch{TaskInfos: []*mesospb.TaskInfo{{
			Resources: clone(),
			Executor:  &mesospb.ExecutorInfo{Resources: clone()},
		}}}}
	}
	op := task(f[1])
	resources.UpgradeAll(op)
	if diff := cmp.Diff(task(f[0]), op, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if err := resources.DowngradeAll(op); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(task(f[1]), op, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	refined := task(reserved(scalar("cpus", 1), static("a"), dynamic("a/b", "ops")))
	if err := resources.DowngradeAll(refined); !errors.Is(err, resources.ErrRefined) {
		t.Error(err)
	}
}
