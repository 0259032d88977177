package resources_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

func TestTakingAwayUndoesAdding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someScalars.Draw(t, "a"), someScalars.Draw(t, "b")
		if got := a.Add(b).Subtract(b); !got.Equal(a) {
			t.Fatalf("%v + %v - %v = %v", a, b, b, got)
		}
		if got := a.Subtract(a); !got.Empty() {
			t.Fatalf("%v - itself = %v", a, got)
		}
	})
}

func TestTakingAwayAPartAndAddingItBackChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, part := someResources.Draw(t, "whole"), someResources.Draw(t, "part")
		if !whole.Contains(part) {
			return
		}
		if got := whole.Subtract(part).Add(part); !got.Equal(whole) {
			t.Fatalf("%v - %v + %v = %v", whole, part, part, got)
		}
	})
}

func TestASumContainsItsParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someResources.Draw(t, "a"), someResources.Draw(t, "b")
		sum := a.Add(b)
		if !sum.Contains(a) || !sum.Contains(b) || !sum.Contains(sum) {
			t.Fatalf("%v + %v = %v", a, b, sum)
		}
		if other := b.Add(a); !other.Equal(sum) {
			t.Fatalf("%v + %v = %v one way and %v the other", a, b, sum, other)
		}
		if a.Contains(b) && b.Contains(a) != a.Equal(b) {
			t.Fatalf("%v and %v", a, b)
		}
		if !sum.Quantities().Contains(a.Quantities()) {
			t.Fatalf("quantities of %v lack some of %v", sum, a)
		}
	})
}

func TestOperationsAreOrderlyAndLeaveOperandsAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := someResources.Draw(t, "a"), someResources.Draw(t, "b")
		textA, textB := a.String(), b.String()
		_, _, _ = a.Add(b), a.Subtract(b), a.Contains(b)
		_, _, _ = a.Allocate("r"), a.ToUnreserved(), a.Filter(resources.Resource.IsRevocable)
		if a.String() != textA || b.String() != textB {
			t.Fatalf("%s and %s became %v and %v", textA, textB, a, b)
		}
		again, err := resources.FromProto(a.Proto())
		if err != nil || !again.Equal(a) {
			t.Fatalf("%v through messages is %v (%v)", a, again, err)
		}
	})
}

func TestScalarTotalsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var total resources.Resources
		var want int64
		for _, n := range rapid.SliceOfN(rapid.Int64Range(1, 10_000), 1, 50).Draw(t, "thousandths") {
			total = total.Add(resources.New(scalar("cpus", float64(n)/1000)))
			want += n
		}
		if got := total.Cpus(); int64(got) != want {
			t.Fatalf("total %v, want %d thousandths", got, want)
		}
		if total.Len() != 1 {
			t.Fatalf("%v is not one entry", total)
		}
	})
}

func TestWhatClientsWroteStaysUntilArithmeticChangesIt(t *testing.T) {
	rs := all(t, scalar("cpus", 1.0005), ports(5, 6, 7, 8))
	if got := rs.Proto()[0].GetScalar().GetValue(); got != 1.0005 {
		t.Errorf("untouched cpus are %v", got)
	}
	if got := len(rs.Proto()[1].GetRanges().GetRange()); got != 2 {
		t.Errorf("untouched ports have %d spans", got)
	}
	more := rs.Add(all(t, scalar("cpus", 1), ports(9, 9)))
	if got := more.Proto()[0].GetScalar().GetValue(); got != 2.001 {
		t.Errorf("the sum is %v", got)
	}
	if got := more.Ports().String(); got != "[5-9]" {
		t.Errorf("the union is %v", got)
	}
}

func TestEntriesOfDifferentKindsStayApart(t *testing.T) {
	cpus := scalar("cpus", 1)
	allocated := proto.Clone(cpus).(*mesospb.Resource)
	allocated.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: proto.String("ads")}
	provided := proto.Clone(cpus).(*mesospb.Resource)
	provided.ProviderId = &mesospb.ResourceProviderID{Value: proto.String("p")}
	kinds := []*mesospb.Resource{
		cpus,
		scalar("mem", 1),
		allocated,
		provided,
		revocable(cpus),
		reserved(cpus, static("ads")),
		reserved(cpus, dynamic("ads", "")),
		reserved(cpus, dynamic("ads", "ops")),
		reserved(cpus, dynamic("ads", "ops", "k", "v")),
		reserved(cpus, static("ads"), dynamic("ads/web", "")),
	}
	rs := all(t, kinds...)
	if rs.Len() != len(kinds) {
		t.Fatalf("%d kinds became %v", len(kinds), rs)
	}
	twice := rs.Add(rs)
	if twice.Len() != len(kinds) {
		t.Fatalf("twice %v is %v", rs, twice)
	}
	for _, p := range kinds {
		if got := rs.Subtract(all(t, p)); got.Len() != len(kinds)-1 {
			t.Errorf("%v without %v is %v", rs, all(t, p), got)
		}
	}
}

func TestLabelOrderAndMountPathsMakeNoDifference(t *testing.T) {
	one := reserved(scalar("cpus", 1), dynamic("ads", "", "a", "1", "b", "2"))
	other := reserved(scalar("cpus", 2), dynamic("ads", "", "b", "2", "a", "1"))
	if got := all(t, one, other); got.Len() != 1 || got.Cpus() != 3000 {
		t.Errorf("labels in another order: %v", got)
	}
	here, there := volume(64, "id", "here", static("ads")), volume(64, "id", "there", static("ads"))
	if !all(t, here).Contains(all(t, there)) {
		t.Error("the same volume mounted elsewhere is still the volume")
	}
}

func TestIndivisibleDisksAreAllOrNothing(t *testing.T) {
	raw := func(mb float64, id string) *mesospb.Resource {
		return diskFrom(mb, mesospb.Resource_DiskInfo_Source_RAW, "", id)
	}
	path := func(mb float64) *mesospb.Resource {
		return diskFrom(mb, mesospb.Resource_DiskInfo_Source_PATH, "/data", "")
	}
	for _, c := range []struct {
		name         string
		whole, part  *mesospb.Resource
		addsUp, cuts bool
	}{
		{"path", path(100), path(40), true, true},
		{"mount", mount(100, "/m"), mount(40, "/m"), false, false},
		{"block", diskFrom(100, mesospb.Resource_DiskInfo_Source_BLOCK, "", ""), diskFrom(40, mesospb.Resource_DiskInfo_Source_BLOCK, "", ""), false, false},
		{"raw without identity", raw(100, ""), raw(40, ""), true, true},
		{"raw with identity", raw(100, "x"), raw(40, "x"), false, false},
		{"volume", volume(100, "v", "p", static("r")), volume(40, "v", "p", static("r")), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole, part := all(t, c.whole), all(t, c.part)
			if got := whole.Add(whole).Len() == 1; got != c.addsUp {
				t.Errorf("adds up: %v", whole.Add(whole))
			}
			if got := whole.Contains(part); got != c.cuts {
				t.Errorf("contains a part: %v", got)
			}
			if !whole.Contains(whole) || !whole.Subtract(whole).Empty() {
				t.Errorf("as a whole: %v", whole.Subtract(whole))
			}
			if cut := whole.ShrinkToQuantities(part.Quantities(), nil); cut.Empty() == c.cuts {
				t.Errorf("shrinks to %v", cut)
			}
		})
	}
}

func TestTwoEqualVolumesAreTwo(t *testing.T) {
	one := all(t, mount(10, "/m"))
	v := volume(10, "v", "p", static("r"))
	twice := all(t, v, v)
	if twice.Len() != 2 || !twice.Contains(twice) {
		t.Fatalf("%v", twice)
	}
	if all(t, v).Contains(twice) {
		t.Error("one volume does not contain two")
	}
	if one.Equal(twice) {
		t.Error("different disks")
	}
}

func TestSharedResourcesCountTheirHolders(t *testing.T) {
	v := sharedVolume(64, "id", "data", dynamic("ads", ""))
	one := all(t, v)
	three := all(t, v, v, v)
	if three.Len() != 1 {
		t.Fatalf("%v", three)
	}
	entry := three.Proto()[0]
	if diff := cmp.Diff(v, entry, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	for r := range three.All() {
		if r.Shares() != 3 || three.Count(r) != 3 || one.Count(r) != 1 {
			t.Errorf("%d holders", r.Shares())
		}
	}
	if !three.Contains(one) || one.Contains(three) || three.Equal(one) {
		t.Error("three holders contain one, not the other way")
	}
	if got := three.Subtract(one).Subtract(one); !got.Equal(one) {
		t.Errorf("one is left of three: %v", got)
	}
	if got := three.Subtract(one).Subtract(one).Subtract(one); !got.Empty() {
		t.Errorf("nothing is left: %v", got)
	}
	if got := three.Disk(); got != 64_000 {
		t.Errorf("the disk is there once: %v", got)
	}
	if unshared := all(t, volume(64, "id", "data", dynamic("ads", ""))); unshared.Contains(one) || one.Contains(unshared) {
		t.Error("shared and not shared are different")
	}
}

func TestTakingAwayMoreThanThereIsLeavesNothing(t *testing.T) {
	if got := parse(t, "cpus:1;mem:5").Subtract(parse(t, "cpus:2")); got.String() != "mem:5" {
		t.Error(got)
	}
	if got := parse(t, "ports:[1-5]").Subtract(parse(t, "ports:[4-9]")); got.String() != "ports:[1-3]" {
		t.Error(got)
	}
	if got := parse(t, "cpus:1").Subtract(parse(t, "gpus:1")); got.String() != "cpus:1" {
		t.Error(got)
	}
}

func TestARemovedEntryIsReplacedByTheLast(t *testing.T) {
	got := parse(t, "cpus:1;mem:5;disk:7;ports:[1-2]").Subtract(parse(t, "cpus:1"))
	if got.String() != "ports:[1-2]; mem:5; disk:7" {
		t.Error(got)
	}
}

func TestInvalidAndEmptyResourcesAreLeftOut(t *testing.T) {
	rs := resources.New(scalar("cpus", -1), scalar("cpus", 0), scalar("cpus", 0.0001), scalar("", 1), ports(), scalar("mem", 1))
	if rs.String() != "mem:1" {
		t.Error(rs)
	}
	if got := (resources.Resources{}).String(); got != "{}" {
		t.Error(got)
	}
}

func TestTextForms(t *testing.T) {
	hostVolume := volume(64, "id", "data", dynamic("ads", "ops", "k", "v"))
	hostVolume.Disk.Volume.HostPath = proto.String("/host")
	csi := diskFrom(8, mesospb.Resource_DiskInfo_Source_RAW, "", "id")
	csi.Disk.Source.Vendor, csi.Disk.Source.Profile = proto.String("vendor"), proto.String("fast")
	for want, p := range map[string]*mesospb.Resource{
		"cpus:0.1":                             scalar("cpus", 0.1),
		"mem{REV}:32":                          revocable(scalar("mem", 32)),
		"cpus(reservations: [(STATIC,ads)]):1": reserved(scalar("cpus", 1), static("ads")),
		"cpus(reservations: [(STATIC,ads),(DYNAMIC,ads/web,ops)]):1":          reserved(scalar("cpus", 1), static("ads"), dynamic("ads/web", "ops")),
		"disk(reservations: [(DYNAMIC,dev,ops)])[vol1:data]:64":               volume(64, "vol1", "data", dynamic("dev", "ops")),
		"disk(reservations: [(DYNAMIC,ads,ops,{k: v})])[id:/host:data:rw]:64": hostVolume,
		"disk(reservations: [(STATIC,r)])[id:p]<SHARED>:1":                    sharedVolume(1, "id", "p", static("r")),
		"disk[MOUNT:/m]:10":           mount(10, "/m"),
		"disk[RAW(vendor,id,fast)]:8": csi,
		"ports:[1-5, 9-9]":            ports(1, 5, 9, 9),
		"zones:{a, b}":                set("zones", "a", "b"),
	} {
		if got := all(t, p).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := parse(t, "cpus:1;mem:2").Allocate("ads").String(); got != "cpus(allocated: ads):1; mem(allocated: ads):2" {
		t.Error(got)
	}
}
