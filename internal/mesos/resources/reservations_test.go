package resources_test

import (
	"testing"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

func TestReservationsArePushedAndPopped(t *testing.T) {
	rs := parse(t, "cpus:1;mem:5;cpus(ads):2")
	pushed, err := parse(t, "cpus:1;mem:5").PushReservation(dynamic("ads", "ops"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "cpus(reservations: [(DYNAMIC,ads,ops)]):1; mem(reservations: [(DYNAMIC,ads,ops)]):5"; pushed.String() != want {
		t.Error(pushed)
	}
	refined, err := pushed.PushReservation(dynamic("ads/web", ""))
	if err != nil {
		t.Fatal(err)
	}
	if !refined.PopReservation().Equal(pushed) || refined.PopReservation().PopReservation().String() != "cpus:1; mem:5" {
		t.Error(refined)
	}
	if _, err := pushed.PushReservation(dynamic("other", "")); err == nil {
		t.Error("another role is no refinement")
	}
	if got := rs.ToUnreserved().String(); got != "cpus:3; mem:5" {
		t.Error(got)
	}
	ancestor, err := refined.ReservationAncestor(pushed)
	if err != nil || !ancestor.Equal(pushed) {
		t.Errorf("%v, %v", ancestor, err)
	}
}

func TestFiltersByRole(t *testing.T) {
	rs := all(t,
		scalar("cpus", 1),
		reserved(scalar("cpus", 2), static("ads")),
		reserved(scalar("cpus", 4), dynamic("ads/web", "")),
		reserved(scalar("cpus", 8), dynamic("ops", "")),
		revocable(scalar("cpus", 16)),
		ports(1, 2),
	)
	for name, c := range map[string]struct {
		got  resources.Resources
		want resources.Scalar
	}{
		"unreserved":          {rs.Unreserved(), 17_000},
		"reserved":            {rs.Reserved(), 14_000},
		"reserved to ads":     {rs.ReservedTo("ads"), 2_000},
		"reserved below ads":  {rs.ReservedToSubtree("ads"), 6_000},
		"for ads":             {rs.AllocatableTo("ads"), 19_000},
		"for ads/web":         {rs.AllocatableTo("ads/web"), 23_000},
		"for others":          {rs.AllocatableTo("others"), 17_000},
		"revocable":           {rs.Revocable(), 16_000},
		"not revocable":       {rs.NonRevocable(), 15_000},
		"scalars":             {rs.Scalars(), 31_000},
		"named":               {rs.Named("ports"), 0},
		"by role ads":         {rs.ByReservation()["ads"], 2_000},
		"allocated below ads": {rs.Allocate("ads/web").AllocatedToSubtree("ads"), 31_000},
		"allocated below web": {rs.Allocate("ads/web").AllocatedToSubtree("web"), 0},
		"by allocation":       {rs.Allocate("x").ByAllocation()["x"], 31_000},
	} {
		if c.got.Cpus() != c.want {
			t.Errorf("%s: %v, want %v cpus", name, c.got, c.want)
		}
	}
	if got := rs.Allocate("x").Unallocate(); !got.Equal(rs) {
		t.Error(got)
	}
}

func TestFindPrefersTheTargetsRole(t *testing.T) {
	rs := parse(t, "cpus(ads):1;cpus:2;cpus(ops):4;mem:10")
	for text, want := range map[string]string{
		"cpus(ads):1":       "cpus(reservations: [(STATIC,ads)]):1",
		"cpus(ads):2":       "cpus(reservations: [(STATIC,ads)]):1; cpus:1",
		"cpus:2;mem:1":      "cpus:2; mem:1",
		"cpus(ads):5;mem:4": "cpus(reservations: [(STATIC,ads)]):1; cpus:2; cpus(reservations: [(STATIC,ops)]):2; mem:4",
	} {
		found, ok := rs.Find(parse(t, text))
		if !ok || found.String() != want {
			t.Errorf("Find(%s) = %v, %v, want %s", text, found, ok, want)
		}
	}
	if found, ok := rs.Find(parse(t, "cpus:8")); ok {
		t.Errorf("there are no 8 cpus: %v", found)
	}
}

func TestOperationsConvertResources(t *testing.T) {
	agent := parse(t, "cpus:4;mem:100;disk:200")
	reserve := &mesospb.Offer_Operation{
		Type:    mesospb.Offer_Operation_RESERVE.Enum(),
		Reserve: &mesospb.Offer_Operation_Reserve{Resources: []*mesospb.Resource{reserved(scalar("disk", 150), dynamic("ads", "ops"))}},
	}
	create := func(p *mesospb.Resource) *mesospb.Offer_Operation {
		return &mesospb.Offer_Operation{
			Type:   mesospb.Offer_Operation_CREATE.Enum(),
			Create: &mesospb.Offer_Operation_Create{Volumes: []*mesospb.Resource{p}},
		}
	}
	destroy := func(p *mesospb.Resource) *mesospb.Offer_Operation {
		return &mesospb.Offer_Operation{
			Type:    mesospb.Offer_Operation_DESTROY.Enum(),
			Destroy: &mesospb.Offer_Operation_Destroy{Volumes: []*mesospb.Resource{p}},
		}
	}
	apply := func(rs resources.Resources, op *mesospb.Offer_Operation, want string) resources.Resources {
		t.Helper()
		got, err := rs.ApplyOperation(op)
		if err != nil {
			t.Fatal(err)
		}
		if !got.ToUnreserved().Scalars().Named("cpus").Equal(agent.Named("cpus")) || got.Disk() != agent.Disk() {
			t.Fatalf("amounts changed: %v", got)
		}
		if got.String() != want {
			t.Fatalf("\n got %v\nwant %s", got, want)
		}
		return got
	}
	withReserved := apply(agent, reserve, "cpus:4; mem:100; disk:50; disk(reservations: [(DYNAMIC,ads,ops)]):150")
	v := volume(64, "id", "data", dynamic("ads", "ops"))
	withVolume := apply(withReserved, create(v), "cpus:4; mem:100; disk:50; disk(reservations: [(DYNAMIC,ads,ops)]):86; disk(reservations: [(DYNAMIC,ads,ops)])[id:data]:64")

	grow := &mesospb.Offer_Operation{
		Type:       mesospb.Offer_Operation_GROW_VOLUME.Enum(),
		GrowVolume: &mesospb.Offer_Operation_GrowVolume{Volume: v, Addition: reserved(scalar("disk", 6), dynamic("ads", "ops"))},
	}
	grown := apply(withVolume, grow, "cpus:4; mem:100; disk:50; disk(reservations: [(DYNAMIC,ads,ops)]):80; disk(reservations: [(DYNAMIC,ads,ops)])[id:data]:70")
	shrink := &mesospb.Offer_Operation{
		Type:         mesospb.Offer_Operation_SHRINK_VOLUME.Enum(),
		ShrinkVolume: &mesospb.Offer_Operation_ShrinkVolume{Volume: volume(70, "id", "data", dynamic("ads", "ops")), Subtract: scalar("disk", 6).Scalar},
	}
	apply(grown, shrink, "cpus:4; mem:100; disk:50; disk(reservations: [(DYNAMIC,ads,ops)]):86; disk(reservations: [(DYNAMIC,ads,ops)])[id:data]:64")
	if got, err := withVolume.ApplyOperation(destroy(v)); err != nil || !got.Equal(withReserved) {
		t.Errorf("%v, %v", got, err)
	}
	unreserve := &mesospb.Offer_Operation{
		Type:      mesospb.Offer_Operation_UNRESERVE.Enum(),
		Unreserve: &mesospb.Offer_Operation_Unreserve{Resources: []*mesospb.Resource{reserved(scalar("disk", 150), dynamic("ads", "ops"))}},
	}
	if got, err := withReserved.ApplyOperation(unreserve); err != nil || !got.Equal(agent) {
		t.Errorf("%v, %v", got, err)
	}

	_, err := agent.ApplyOperation(create(v))
	if want := "cpus:4; mem:100; disk:200 does not contain disk(reservations: [(DYNAMIC,ads,ops)]):64"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	shared := sharedVolume(64, "id", "data", dynamic("ads", "ops"))
	twice := withReserved.Subtract(all(t, reserved(scalar("disk", 64), dynamic("ads", "ops")))).Add(all(t, shared, shared))
	_, err = twice.ApplyOperation(destroy(shared))
	if want := "Persistent volume disk(reservations: [(DYNAMIC,ads,ops)])[id:data]<SHARED>:64 cannot be removed due to additional shared copies"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for kind, want := range map[mesospb.Offer_Operation_Type]string{
		mesospb.Offer_Operation_LAUNCH:  "Cannot get conversions: Operation not supported",
		mesospb.Offer_Operation_UNKNOWN: "Cannot get conversions: Unknown operation",
	} {
		if _, err := agent.ApplyOperation(&mesospb.Offer_Operation{Type: kind.Enum()}); err == nil || err.Error() != want {
			t.Errorf("%v: %v", kind, err)
		}
	}
}

func TestCheckpointedResourcesAreLaidOverTheAgents(t *testing.T) {
	agent := parse(t, "cpus:4;cpus(ads):2;disk:200")
	kept := all(t,
		reserved(scalar("cpus", 1), dynamic("ops", "")),
		reserved(scalar("cpus", 1), static("ads"), dynamic("ads/web", "")),
		sharedVolume(64, "id", "data", dynamic("ops", "")),
	)
	got, err := agent.ApplyCheckpointed(kept)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Contains(kept) || got.Cpus() != 6000 || got.Disk() != 200_000 || got.Unreserved().Cpus() != 3000 {
		t.Error(got)
	}
	if _, err := parse(t, "cpus:1").ApplyCheckpointed(kept); err == nil {
		t.Error("an agent that shrank below what it promised must be told")
	}
	if _, err := agent.ApplyCheckpointed(parse(t, "cpus:1")); err == nil || err.Error() != "Unexpected checkpointed resources cpus:1" {
		t.Error(err)
	}
}
