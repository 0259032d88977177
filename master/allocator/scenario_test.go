package allocator

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"google.golang.org/protobuf/proto"
)

// scenario is an allocator whose allocations are compared with what is expected, in
// whatever order resources are listed: quotas shuffle them.
type scenario struct {
	*Allocator
	t   *testing.T
	now time.Time
}

func begin(t *testing.T, change ...func(*Config)) *scenario {
	return &scenario{t: t, Allocator: fresh(change...), now: t0}
}

// part is what a framework is expected to get, as `framework/role@agent`.
type part struct {
	to   string
	what resources.Resources
}

func get(to, text string) part { return part{to, parse(text)} }

// gives runs the allocator and expects exactly these allocations, in any order.
func (s *scenario) gives(want ...part) []Allocation {
	s.t.Helper()
	made := s.Run(s.now)
	left := slices.Clone(made)
	for _, p := range want {
		at := slices.IndexFunc(left, func(one Allocation) bool {
			return p.to == place2(one) && one.Resources.Unallocate().Merged().Equal(p.what)
		})
		if at < 0 {
			s.t.Errorf("%s was not given %s", p.to, p.what)
			continue
		}
		left = slices.Delete(left, at, at+1)
	}
	for _, one := range left {
		s.t.Errorf("%s was given %s", place2(one), one.Resources.Unallocate())
	}
	return made
}

func place2(one Allocation) string {
	return fmt.Sprintf("%s/%s@%s", one.Framework, one.Role, one.Agent)
}

// interval lets an allocation interval pass.
func (s *scenario) interval() { s.now = s.now.Add(s.cfg.Interval) }

func (s *scenario) uses(agent, text string, used ...part) {
	held := make(map[string]resources.Resources)
	for _, p := range used {
		framework, role, _ := cutPlace(p.to)
		held[framework] = held[framework].Add(p.what.Allocate(role))
	}
	s.AddAgent(agent, modern, parse(text), held)
}

func cutPlace(to string) (framework, role, agent string) {
	var i int
	for i = 0; to[i] != '/'; i++ {
	}
	framework, to = to[:i], to[i+1:]
	for i = 0; i < len(to) && to[i] != '@'; i++ {
	}
	role = to[:i]
	if i < len(to) {
		agent = to[i+1:]
	}
	return framework, role, agent
}

func (s *scenario) back(p part) {
	framework, role, agent := cutPlace(p.to)
	s.Recover(framework, agent, p.what.Allocate(role))
}

func (s *scenario) declines(p part, wait time.Duration) {
	framework, role, agent := cutPlace(p.to)
	s.Decline(s.now, framework, agent, p.what.Allocate(role), wait)
}

// quota sets guarantees and limits to the same, as SET_QUOTA does.
func (s *scenario) quota(role, text string) { s.guarantee(role, text, text) }

func (s *scenario) guarantee(role, guarantees, limits string) {
	l, err := resources.ParseLimits(limits)
	if err != nil {
		s.t.Fatal(err)
	}
	s.SetQuota(role, Quota{Guarantees: quantitiesFrom(guarantees), Limits: l})
}

// reservedTo are resources with one more reservation.
func reservedTo(role string, kind mesospb.Resource_ReservationInfo_Type, rs resources.Resources) resources.Resources {
	out, err := rs.PushReservation(&mesospb.Resource_ReservationInfo{Type: kind.Enum(), Role: &role})
	if err != nil {
		panic(err)
	}
	return out
}

const (
	static  = mesospb.Resource_ReservationInfo_STATIC
	dynamic = mesospb.Resource_ReservationInfo_DYNAMIC
)

var reservationKinds = map[string]mesospb.Resource_ReservationInfo_Type{"static": static, "dynamic": dynamic}

// mount is a disk that can't be divided.
func mount(megabytes float64) resources.Resources {
	return resources.New(&mesospb.Resource{
		Name:   proto.String("disk"),
		Type:   mesospb.Value_SCALAR.Enum(),
		Scalar: &mesospb.Value_Scalar{Value: &megabytes},
		Disk: &mesospb.Resource_DiskInfo{Source: &mesospb.Resource_DiskInfo_Source{
			Type:  mesospb.Resource_DiskInfo_Source_MOUNT.Enum(),
			Mount: &mesospb.Resource_DiskInfo_Source_Mount{Root: proto.String("/mnt")},
		}},
	})
}
