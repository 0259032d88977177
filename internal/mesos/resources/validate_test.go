package resources_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

func with(p *mesospb.Resource, change func(*mesospb.Resource)) *mesospb.Resource {
	p = proto.Clone(p).(*mesospb.Resource)
	change(p)
	return p
}

func TestValidateGivesTheOriginalsTexts(t *testing.T) {
	cpus := scalar("cpus", 1)
	disk := scalar("disk", 1)
	oneDynamic := reserved(cpus, dynamic("ads", "ops", "k", "v"))
	for _, c := range []struct {
		want string
		p    *mesospb.Resource
	}{
		{"", cpus},
		{"", scalar("cpus", 0)},
		{"", ports(1, 5, 6, 9)},
		{"", ports(6, 9, 1, 6)}, // an overlap the original overlooks
		{"", reserved(cpus, static("ads"), dynamic("ads/web", ""))},
		{"Empty resource name", scalar("", 1)},
		{"Invalid resource type", with(cpus, func(p *mesospb.Resource) { p.Type = mesospb.Value_Type(9).Enum() })},
		{"Unsupported resource type", with(cpus, func(p *mesospb.Resource) { p.Type = mesospb.Value_TEXT.Enum() })},
		{"Invalid scalar resource", with(cpus, func(p *mesospb.Resource) { p.Scalar = nil })},
		{"Invalid scalar resource", with(cpus, func(p *mesospb.Resource) { p.Set = &mesospb.Value_Set{} })},
		{"Invalid scalar resource: value <= 0", scalar("cpus", -1)},
		{"Invalid scalar resource: value <= 0", scalar("cpus", 0.0004)},
		{"Invalid ranges resource", with(ports(1, 2), func(p *mesospb.Resource) { p.Ranges = nil })},
		{"Invalid ranges resource: begin > end", ports(5, 4)},
		{"Invalid ranges resource: overlapping ranges", ports(1, 5, 5, 9)},
		{"Invalid set resource", with(set("s"), func(p *mesospb.Resource) { p.Set = nil })},
		{"Invalid set resource: duplicated elements", set("s", "a", "b", "a")},
		{"DiskInfo should not be set for cpus resource", with(cpus, func(p *mesospb.Resource) { p.Disk = &mesospb.Resource_DiskInfo{} })},
		{"Mount should not be set for RAW disk source", diskFrom(1, mesospb.Resource_DiskInfo_Source_RAW, "/m", "")},
		{"Path should not be set for BLOCK disk source", with(diskFrom(1, mesospb.Resource_DiskInfo_Source_BLOCK, "", ""), func(p *mesospb.Resource) {
			p.Disk.Source.Path = &mesospb.Resource_DiskInfo_Source_Path{}
		})},
		{"Unsupported 'DiskInfo.Source.Type' in 'UNKNOWN'", diskFrom(1, mesospb.Resource_DiskInfo_Source_UNKNOWN, "", "")},
		{"Role '/x' cannot start with a slash", with(cpus, func(p *mesospb.Resource) { p.Role = proto.String("/x") })},
		{"'Resource.ReservationInfo.type' must not be set for the 'Resource.reservation' field", with(cpus, func(p *mesospb.Resource) {
			p.Role, p.Reservation = proto.String("ads"), static("ads")
		})},
		{"'Resource.ReservationInfo.role' must not be set for the 'Resource.reservation' field", with(cpus, func(p *mesospb.Resource) {
			p.Role, p.Reservation = proto.String("ads"), &mesospb.Resource_ReservationInfo{Role: proto.String("ads")}
		})},
		{`Invalid reservation: role "*" cannot be dynamically reserved`, with(cpus, func(p *mesospb.Resource) {
			p.Reservation = &mesospb.Resource_ReservationInfo{}
		})},
		{"Invalid reservation: 'Resource.ReservationInfo.type' field must be set.", reserved(cpus, &mesospb.Resource_ReservationInfo{Role: proto.String("a")})},
		{"Invalid reservation: 'Resource.ReservationInfo.role' field must be set.", reserved(cpus, &mesospb.Resource_ReservationInfo{Type: mesospb.Resource_ReservationInfo_STATIC.Enum()})},
		{`Invalid reservation: role "*" cannot be reserved`, reserved(cpus, static("*"))},
		{"Role component '-a' is invalid because it starts with a dash", reserved(cpus, static("-a"))},
		{"Invalid refined reservation: A refined reservation cannot be STATIC", reserved(cpus, static("a"), static("a/b"))},
		{"Invalid refined reservation: role 'b' is not a refinement of 'a'", reserved(cpus, static("a"), dynamic("b", ""))},
		{"Unsupported 'Resource.ReservationInfo.Type'", reserved(cpus, &mesospb.Resource_ReservationInfo{
			Role: proto.String("a"), Type: mesospb.Resource_ReservationInfo_UNKNOWN.Enum(),
		})},
		{"Invalid resource format: 'Resource.role' field with 'b' does not match the role 'ads' in 'Resource.reservations'", with(oneDynamic, func(p *mesospb.Resource) { p.Role = proto.String("b") })},
		{"Invalid resource format: 'Resource.reservation' must not be set if the single reservation in 'Resource.reservations' is STATIC", with(reserved(cpus, static("ads")), func(p *mesospb.Resource) {
			p.Role, p.Reservation = proto.String("ads"), &mesospb.Resource_ReservationInfo{}
		})},
		{"Invalid resource format: 'Resource.role' and 'Resource.reservation' must either be both set or both not set if the single reservation in 'Resource.reservations' is DYNAMIC", with(oneDynamic, func(p *mesospb.Resource) { p.Role = proto.String("ads") })},
		{"Invalid resource format: 'Resource.reservation.principal' field with 'x' does not match the principal 'ops' in 'Resource.reservations'", with(oneDynamic, func(p *mesospb.Resource) {
			p.Role, p.Reservation = proto.String("ads"), &mesospb.Resource_ReservationInfo{Principal: proto.String("x")}
		})},
		{"Invalid resource format: 'Resource.reservation.labels' field with '{}' does not match the labels '{k: v}' in 'Resource.reservations'", with(oneDynamic, func(p *mesospb.Resource) {
			p.Role, p.Reservation = proto.String("ads"), &mesospb.Resource_ReservationInfo{Principal: proto.String("ops")}
		})},
		{"Invalid resource format: 'Resource.role' must not be set if there is more than one reservation in 'Resource.reservations'", with(reserved(cpus, static("a"), dynamic("a/b", "")), func(p *mesospb.Resource) { p.Role = proto.String("a/b") })},
		{"Invalid resource format: 'Resource.reservation' must not be set if there is more than one reservation in 'Resource.reservations'", with(reserved(cpus, static("a"), dynamic("a/b", "")), func(p *mesospb.Resource) { p.Reservation = &mesospb.Resource_ReservationInfo{} })},
		{"Resource cpus cannot be shared", with(cpus, func(p *mesospb.Resource) { p.Shared = &mesospb.Resource_SharedInfo{} })},
		{"Only persistent volumes can be shared", with(disk, func(p *mesospb.Resource) { p.Shared = &mesospb.Resource_SharedInfo{} })},
	} {
		got := ""
		if err := resources.Validate(c.p); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%v:\n got %q\nwant %q", c.p, got, c.want)
		}
	}
}

func TestValidateAllNamesTheResource(t *testing.T) {
	err := resources.ValidateAll([]*mesospb.Resource{scalar("cpus", 1), reserved(scalar("mem", -2), static("ads"))})
	if want := "Resource 'mem(reservations: [(STATIC,ads)]):-2' is invalid: Invalid scalar resource: value <= 0"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := resources.FromProto([]*mesospb.Resource{scalar("cpus", -1)}); err == nil {
		t.Error("FromProto must refuse what is invalid")
	}
}

func TestManyOverlappingRangesAreRefused(t *testing.T) {
	var spans []uint64
	for n := uint64(0); n < 50_000; n++ {
		spans = append(spans, 10*n, 10*n+5)
	}
	if err := resources.Validate(ports(spans...)); err != nil {
		t.Error(err)
	}
	if err := resources.Validate(ports(append(spans, 3, 4)...)); err == nil {
		t.Error("an overlap among many must be found")
	}
	if err := resources.Validate(ports(append(spans, 4, 3)...)); err == nil || err.Error() != "Invalid ranges resource: begin > end" {
		t.Error(err)
	}
}
