package resources_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// The messages the tests speak about.

func scalar(name string, value float64) *mesospb.Resource {
	return &mesospb.Resource{
		Name:   proto.String(name),
		Type:   mesospb.Value_SCALAR.Enum(),
		Scalar: &mesospb.Value_Scalar{Value: proto.Float64(value)},
	}
}

func ports(spans ...uint64) *mesospb.Resource {
	var rs resources.Ranges
	for i := 0; i < len(spans); i += 2 {
		rs = append(rs, resources.Range{Begin: spans[i], End: spans[i+1]})
	}
	return &mesospb.Resource{
		Name:   proto.String("ports"),
		Type:   mesospb.Value_RANGES.Enum(),
		Ranges: rs.Proto(),
	}
}

func set(name string, items ...string) *mesospb.Resource {
	return &mesospb.Resource{
		Name: proto.String(name),
		Type: mesospb.Value_SET.Enum(),
		Set:  &mesospb.Value_Set{Item: items},
	}
}

func static(role string) *mesospb.Resource_ReservationInfo {
	return &mesospb.Resource_ReservationInfo{
		Type: mesospb.Resource_ReservationInfo_STATIC.Enum(),
		Role: proto.String(role),
	}
}

func dynamic(role, principal string, labels ...string) *mesospb.Resource_ReservationInfo {
	r := &mesospb.Resource_ReservationInfo{
		Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(),
		Role: proto.String(role),
	}
	if principal != "" {
		r.Principal = proto.String(principal)
	}
	for i := 0; i < len(labels); i += 2 {
		if r.Labels == nil {
			r.Labels = &mesospb.Labels{}
		}
		r.Labels.Labels = append(r.Labels.Labels, &mesospb.Label{Key: &labels[i], Value: &labels[i+1]})
	}
	return r
}

func reserved(p *mesospb.Resource, stack ...*mesospb.Resource_ReservationInfo) *mesospb.Resource {
	p = proto.Clone(p).(*mesospb.Resource)
	p.Reservations = append(p.Reservations, stack...)
	return p
}

func revocable(p *mesospb.Resource) *mesospb.Resource {
	p = proto.Clone(p).(*mesospb.Resource)
	p.Revocable = &mesospb.Resource_RevocableInfo{}
	return p
}

func volume(megabytes float64, id, path string, stack ...*mesospb.Resource_ReservationInfo) *mesospb.Resource {
	p := reserved(scalar("disk", megabytes), stack...)
	p.Disk = &mesospb.Resource_DiskInfo{
		Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: proto.String(id)},
		Volume:      &mesospb.Volume{ContainerPath: proto.String(path), Mode: mesospb.Volume_RW.Enum()},
	}
	return p
}

func sharedVolume(megabytes float64, id, path string, stack ...*mesospb.Resource_ReservationInfo) *mesospb.Resource {
	p := volume(megabytes, id, path, stack...)
	p.Shared = &mesospb.Resource_SharedInfo{}
	return p
}

func diskFrom(megabytes float64, kind mesospb.Resource_DiskInfo_Source_Type, root, id string) *mesospb.Resource {
	p := scalar("disk", megabytes)
	source := &mesospb.Resource_DiskInfo_Source{Type: kind.Enum()}
	switch {
	case root == "":
	case kind == mesospb.Resource_DiskInfo_Source_PATH:
		source.Path = &mesospb.Resource_DiskInfo_Source_Path{Root: &root}
	default:
		source.Mount = &mesospb.Resource_DiskInfo_Source_Mount{Root: &root}
	}
	if id != "" {
		source.Id = &id
	}
	p.Disk = &mesospb.Resource_DiskInfo{Source: source}
	return p
}

func mount(megabytes float64, root string) *mesospb.Resource {
	return diskFrom(megabytes, mesospb.Resource_DiskInfo_Source_MOUNT, root, "")
}

// all is the valid sum of the messages.
func all(t interface {
	Helper()
	Fatal(...any)
}, list ...*mesospb.Resource) resources.Resources {
	t.Helper()
	rs, err := resources.FromProto(list)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func parse(t *testing.T, text string) resources.Resources {
	t.Helper()
	rs, err := resources.Parse(text, "*")
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	return rs
}

// someResource draws a resource that adds up: no mounts, no volumes.
var someResource = rapid.Custom(func(t *rapid.T) *mesospb.Resource {
	var p *mesospb.Resource
	switch rapid.IntRange(0, 4).Draw(t, "type") {
	case 0, 1, 2:
		name := rapid.SampledFrom([]string{"cpus", "mem", "disk"}).Draw(t, "name")
		p = scalar(name, float64(rapid.Int64Range(0, 100_000).Draw(t, "thousandths"))/1000)
	case 3:
		p = ports()
		p.Ranges = someRanges.Draw(t, "ports").Coalesced().Proto()
	default:
		p = set("zones", rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4, rapid.ID).Draw(t, "items")...)
	}
	switch rapid.IntRange(0, 5).Draw(t, "reservation") {
	case 0:
		p = reserved(p, static("ads"))
	case 1:
		p = reserved(p, dynamic("ads", "ops"))
	case 2:
		p = reserved(p, dynamic("ads", "ops"), dynamic("ads/web", "", "k", "v"))
	}
	if rapid.IntRange(0, 7).Draw(t, "revocable") == 0 {
		p = revocable(p)
	}
	return p
})

// someResources draws a collection of resources that add up.
var someResources = rapid.Custom(func(t *rapid.T) resources.Resources {
	return all(t, rapid.SliceOfN(someResource, 0, 8).Draw(t, "list")...)
})

// someScalars draws a collection of scalars only: with those, taking away undoes
// adding. A set or ranges that overlap lose what both have.
var someScalars = rapid.Custom(func(t *rapid.T) resources.Resources {
	return someResources.Draw(t, "all").Scalars()
})
