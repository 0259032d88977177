package launch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/instance"
	"stoa/marathon/launch"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func settings() launch.Settings {
	return launch.Settings{AcceptedRolesDefault: "any", Maintenance: true, GPUsRestricted: true, BridgeName: "mesos-bridge", Executor: "//cmd"}
}

func matcher(s launch.Settings) *launch.Matcher {
	return launch.NewMatcher(s, rand.New(rand.NewPCG(1, 2)))
}

func scalar(name string, value float64, role string) *mesospb.Resource {
	return &mesospb.Resource{
		Name: proto.String(name), Type: mesospb.Value_SCALAR.Enum(),
		Scalar: &mesospb.Value_Scalar{Value: proto.Float64(value)}, Role: proto.String(role),
	}
}

func ports(role string, ranges ...uint64) *mesospb.Resource {
	r := &mesospb.Resource{
		Name: proto.String("ports"), Type: mesospb.Value_RANGES.Enum(), Ranges: &mesospb.Value_Ranges{}, Role: proto.String(role),
	}
	for n := 0; n < len(ranges); n += 2 {
		r.Ranges.Range = append(r.Ranges.Range, &mesospb.Value_Range{Begin: &ranges[n], End: &ranges[n+1]})
	}
	return r
}

func offer(resources ...*mesospb.Resource) *mesospb.Offer {
	if len(resources) == 0 {
		resources = []*mesospb.Resource{
			scalar("cpus", 4, "*"), scalar("mem", 1000, "*"), scalar("disk", 1000, "*"), ports("*", 31000, 31099, 31500, 31599),
		}
	}
	return &mesospb.Offer{
		Id: &mesospb.OfferID{Value: proto.String("o")}, AgentId: &mesospb.AgentID{Value: proto.String("S0")},
		Hostname: proto.String("host-0"), AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
		Resources: resources,
	}
}

func text(name, value string) *mesospb.Attribute {
	return &mesospb.Attribute{Name: &name, Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: &value}}
}

func sleeper() *app.App {
	return &app.App{
		ID: "/shop/web", Cmd: "sleep 100", Instances: 1, Resources: app.Resources{CPUs: 0.1, Mem: 10},
		Networks: []app.Network{{Mode: app.NetworkHost}}, Role: "*", VersionInfo: app.NewConfig(1612325106007),
	}
}

func request(a *app.App, siblings ...*instance.Instance) launch.Request {
	return launch.Request{
		App:      a,
		Instance: instance.NewScheduled(instance.NewID(a.ID, "5c1d2e00-65d5-11eb-9f0a-0242ac110003"), a.ID, a.Role, a.Version(), start),
		Siblings: func() []*instance.Instance { return siblings },
	}
}

func TestReasons(t *testing.T) {
	reserved := offer(scalar("cpus", 4, "dev"), scalar("mem", 1000, "dev"), ports("dev", 31000, 31099))
	maintained := offer()
	maintained.Unavailability = &mesospb.Unavailability{
		Start: &mesospb.TimeInfo{Nanoseconds: proto.Int64(start.Add(-time.Minute).UnixNano())},
	}
	over := proto.CloneOf(maintained)
	over.Unavailability.Duration = &mesospb.DurationInfo{Nanoseconds: proto.Int64(int64(30 * time.Second))}
	elsewhere := offer()
	elsewhere.Domain = &mesospb.DomainInfo{FaultDomain: &mesospb.DomainInfo_FaultDomain{
		Region: &mesospb.DomainInfo_FaultDomain_RegionInfo{Name: proto.String("moon")},
		Zone:   &mesospb.DomainInfo_FaultDomain_ZoneInfo{Name: proto.String("a")},
	}}
	gpus := offer(scalar("cpus", 4, "*"), scalar("mem", 1000, "*"), scalar("gpus", 2, "*"))
	volume := scalar("disk", 100, "*")
	volume.Disk = &mesospb.Resource_DiskInfo{Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: proto.String("v")}}
	only := offer(scalar("cpus", 4, "*"), scalar("mem", 1000, "*"), volume)
	for _, c := range []struct {
		name  string
		app   func(*app.App)
		offer *mesospb.Offer
		want  string
	}{
		{"fits", func(*app.App) {}, offer(), "launched"},
		{"everything short", func(a *app.App) { a.Resources = app.Resources{CPUs: 5, Mem: 2000, Disk: 2000, GPUs: 1} }, offer(),
			"InsufficientCpus InsufficientMemory InsufficientGpus InsufficientDisk"},
		{"reserved for others", func(*app.App) {}, reserved, "InsufficientCpus InsufficientMemory UnfulfilledRole"},
		{"reserved for it", func(a *app.App) { a.Role = "dev" }, reserved, "launched"},
		{"only unreserved wanted", func(a *app.App) { a.Role = "dev"; a.AcceptedResourceRoles = []string{"*"} }, reserved,
			"InsufficientCpus InsufficientMemory UnfulfilledRole"},
		{"port not offered", func(a *app.App) {
			a.RequirePorts = true
			a.PortDefinitions = []app.PortDefinition{{Port: 8080, Protocol: app.TCP}}
		}, offer(), "InsufficientPorts"},
		{"constraint", func(a *app.App) {
			a.Constraints = []app.Constraint{{Field: "hostname", Operator: app.Like, Value: "host-[1-9]", HasValue: true}}
		}, offer(), "UnfulfilledConstraint"},
		{"maintenance", func(*app.App) {}, maintained, "UnfulfilledConstraint AgentMaintenance"},
		{"maintenance over", func(*app.App) {}, over, "launched"},
		{"another region", func(*app.App) {}, elsewhere, ""},
		{"another region, asked for", func(a *app.App) {
			a.Constraints = []app.Constraint{{Field: "@region", Operator: app.Is, Value: "moon", HasValue: true}}
		}, elsewhere, "launched"},
		{"gpus wasted", func(*app.App) {}, gpus, "DeclinedScarceResources"},
		{"gpus wasted by wish", func(a *app.App) {
			a.Labels = app.Map[string]{{Key: "GPU_SCHEDULING_BEHAVIOR", Value: "unrestricted"}}
		}, gpus, "launched"},
		{"gpus used", func(a *app.App) { a.Resources.GPUs = 1 }, gpus, "launched"},
		{"a resident app without a reservation", func(a *app.App) {
			a.Container = &app.Container{Type: app.ContainerMesos, Volumes: []app.Volume{{Persistent: &app.PersistentVolume{Size: 1}}}}
		}, offer(), "NoCorrespondingReservationFound"},
		{"a volume is no disk", func(a *app.App) { a.Resources.Disk = 10 }, only, "InsufficientDisk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := sleeper()
			c.app(a)
			l, reasons := matcher(settings()).Match(launch.NewPool(c.offer), request(a), start)
			var got []string
			for _, r := range reasons {
				got = append(got, string(r))
			}
			if l != nil {
				got = append(got, "launched")
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%v, want %s", got, c.want)
			}
		})
	}
}

// placed is an instance that runs somewhere under the present configuration.
func placed(a *app.App, host string, attributes ...*mesospb.Attribute) *instance.Instance {
	i := instance.NewScheduled(instance.NewID(a.ID, "00000000-0000-11f0-8000-000000000000"), a.ID, "*", a.Version(), start)
	i.State.Condition = instance.Running
	i.Agent = &instance.AgentInfo{Host: host, Attributes: attributes}
	return i
}

func TestConstraints(t *testing.T) {
	rack := func(value string) []*mesospb.Attribute { return []*mesospb.Attribute{text("rack", value)} }
	number := &mesospb.Attribute{
		Name: proto.String("n"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(0.8)},
	}
	ranges := &mesospb.Attribute{Name: proto.String("r"), Type: mesospb.Value_RANGES.Enum(), Ranges: &mesospb.Value_Ranges{
		Range: []*mesospb.Value_Range{
			{Begin: proto.Uint64(30), End: proto.Uint64(40)}, {Begin: proto.Uint64(1), End: proto.Uint64(2)},
		},
	}}
	set := &mesospb.Attribute{Name: proto.String("s"), Type: mesospb.Value_SET.Enum(), Set: &mesospb.Value_Set{Item: []string{"b", "a"}}}
	for _, c := range []struct {
		constraint string // field operator value
		attributes []*mesospb.Attribute
		placed     []string // racks, or hosts for the field hostname
		want       bool
	}{
		{"rack LIKE rack-[1-3]", rack("rack-1"), nil, true},
		{"rack LIKE rack-[1-3]", rack("rack-12"), nil, false},
		{"rack LIKE rack-[1-3]", nil, nil, false},
		{"rack LIKE a|b", rack("b"), nil, true},
		{"rack LIKE a|b", rack("bb"), nil, false},
		{"rack UNLIKE rack-[1-3]", rack("rack-1"), nil, false},
		{"rack UNLIKE rack-[1-3]", rack("rack-12"), nil, true},
		{"rack UNLIKE rack-[1-3]", nil, nil, true},
		{"rack UNLIKE", rack("x"), nil, false},
		{"rack IS rack-1", rack("rack-1"), nil, true},
		{"rack IS rack-1", rack("rack-12"), nil, false},
		{"rack IS x", nil, nil, false},
		{"n IS 0.80", []*mesospb.Attribute{number}, nil, true},
		{"n IS 0.81", []*mesospb.Attribute{number}, nil, false},
		{"r IS [1-2,30-40]", []*mesospb.Attribute{ranges}, nil, true},
		{"s IS {a,b}", []*mesospb.Attribute{set}, nil, true},
		{"hostname UNIQUE", nil, nil, true},
		{"hostname UNIQUE", nil, []string{"host-1"}, true},
		{"hostname UNIQUE", nil, []string{"host-1", "host-0"}, false},
		{"@hostname UNIQUE", nil, []string{"host-0"}, false},
		{"rack UNIQUE", nil, nil, false},
		{"rack CLUSTER", rack("a"), nil, true},
		{"rack CLUSTER", rack("a"), []string{"a", "b"}, true},
		{"rack CLUSTER", rack("b"), []string{"a", "b"}, false},
		{"rack CLUSTER b", rack("b"), []string{"a"}, true},
		{"rack CLUSTER b", rack("a"), nil, false},
		{"rack MAX_PER 2", rack("a"), []string{"a", "b"}, true},
		{"rack MAX_PER 2", rack("a"), []string{"a", "a"}, false},
		{"rack MAX_PER two", rack("a"), nil, false},
		{"rack GROUP_BY", rack("a"), nil, true},
		{"rack GROUP_BY", rack("a"), []string{"a"}, true},
		{"rack GROUP_BY", rack("a"), []string{"a", "b"}, true},
		{"rack GROUP_BY", rack("a"), []string{"a", "a", "b"}, false},
		{"rack GROUP_BY", rack("b"), []string{"a", "a", "b"}, true},
		{"rack GROUP_BY 3", rack("a"), []string{"a", "b"}, false},
		{"rack GROUP_BY 3", rack("c"), []string{"a", "b"}, true},
		{"rack GROUP_BY 3", rack("a"), []string{"a", "b", "c"}, true},
		{"rack GROUP_BY 3", nil, nil, false},
	} {
		t.Run(c.constraint+" on "+fmt.Sprint(c.placed), func(t *testing.T) {
			parts := append(strings.SplitN(c.constraint, " ", 3), "")
			a := sleeper()
			a.Constraints = []app.Constraint{{
				Field: parts[0], Operator: app.Operator(parts[1]), Value: parts[2], HasValue: len(parts) > 3,
			}}
			var siblings []*instance.Instance
			for _, where := range c.placed {
				if strings.HasSuffix(parts[0], "hostname") {
					siblings = append(siblings, placed(a, where))
				} else {
					siblings = append(siblings, placed(a, "host-9", text("rack", where)))
				}
			}
			o := offer()
			o.Attributes = c.attributes
			l, _ := matcher(settings()).Match(launch.NewPool(o), request(a, siblings...), start)
			if (l != nil) != c.want {
				t.Errorf("accepted is %v, want %v", l != nil, c.want)
			}
		})
	}
}

func TestOnlyPlacedInstancesOfThePresentConfigurationCount(t *testing.T) {
	a := sleeper()
	a.Constraints = []app.Constraint{{Field: "hostname", Operator: app.Unique}}
	a.VersionInfo = app.NewConfig(100).Scaled(200)
	for _, c := range []struct {
		name   string
		change func(*instance.Instance)
		want   bool
	}{
		{"running", func(*instance.Instance) {}, false},
		{"from before the last scaling", func(i *instance.Instance) { i.Version = 100 }, false},
		{"of an older configuration", func(i *instance.Instance) { i.Version = 99 }, true},
		{"unreachable", func(i *instance.Instance) { i.State.Condition = instance.Unreachable }, true},
		{"given up", func(i *instance.Instance) { i.State.Condition = instance.UnreachableInactive }, false},
		{"waiting", func(i *instance.Instance) { i.State.Condition = instance.Failed }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := placed(a, "host-0")
			c.change(i)
			l, _ := matcher(settings()).Match(launch.NewPool(offer()), request(a, i), start)
			if (l != nil) != c.want {
				t.Errorf("accepted is %v, want %v", l != nil, c.want)
			}
		})
	}
}

// Whatever is launched from an offer: never more than it holds, no port twice, and
// each resource described in the offer's own words.
func TestLaunchesNeverTakeMoreThanTheOffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		millis := func(label string) float64 { return float64(rapid.IntRange(0, 3000).Draw(t, label)) / 1000 }
		o := offer(
			scalar("cpus", millis("cpus *"), "*"), scalar("cpus", millis("cpus dev"), "dev"),
			scalar("mem", 1000*millis("mem"), "*"),
			ports("*", 31000, 31000+uint64(rapid.IntRange(0, 5).Draw(t, "ports"))), ports("dev", 32000, 32003, 32010, 32010),
		)
		o.AllocationInfo.Role = proto.String("dev")
		m := launch.NewMatcher(settings(), rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
		pool := launch.NewPool(o)
		used := map[string]int64{}
		usedPorts := map[uint64]bool{}
		for range rapid.IntRange(1, 8).Draw(t, "launches") {
			a := sleeper()
			a.Role = "dev"
			a.Resources = app.Resources{CPUs: millis("need cpus"), Mem: 300 * millis("need mem")}
			for range rapid.IntRange(0, 3).Draw(t, "need ports") {
				a.PortDefinitions = append(a.PortDefinitions, app.PortDefinition{Protocol: app.TCP})
			}
			l, _ := m.Match(pool, request(a), start)
			if l == nil {
				continue
			}
			var cpus float64
			found := 0
			for _, r := range l.Info.Resources {
				if s := r.GetScalar(); s != nil {
					if s.GetValue() <= 0 {
						t.Fatalf("asks for nothing: %v", r)
					}
					used[r.GetName()+r.GetRole()] += int64(s.GetValue()*1000 + 0.5)
					if r.GetName() == "cpus" {
						cpus += s.GetValue()
					}
				}
				for _, rg := range r.GetRanges().GetRange() {
					for p := rg.GetBegin(); p <= rg.GetEnd(); p++ {
						if usedPorts[p] {
							t.Fatalf("port %d taken twice", p)
						}
						if (p < 32000) != (r.GetRole() == "*") {
							t.Fatalf("port %d described as of role %s", p, r.GetRole())
						}
						usedPorts[p] = true
						found++
					}
				}
			}
			if found != len(a.PortDefinitions) || found != len(l.Task.Network.HostPorts) {
				t.Fatalf("%d ports taken, %d wanted", found, len(a.PortDefinitions))
			}
			if d := cpus - a.Resources.CPUs; d > 0.0005 || d < -0.0005 {
				t.Fatalf("%v cpus taken, %v wanted", cpus, a.Resources.CPUs)
			}
		}
		for _, r := range o.Resources {
			if s := r.GetScalar(); s != nil && used[r.GetName()+r.GetRole()] > int64(s.GetValue()*1000+0.5) {
				t.Fatalf("more %s of %s than offered", r.GetName(), r.GetRole())
			}
		}
	})
}

func TestDelay(t *testing.T) {
	a := sleeper()
	a.Backoff = app.Backoff{Backoff: time.Second, Factor: 2, MaxLaunchDelay: 3 * time.Second}
	d := launch.NewDelays()
	now := start
	left := func() time.Duration {
		if until := d.Until(a, now); !until.IsZero() {
			return until.Sub(now)
		}
		return 0
	}
	want := func(what string, w time.Duration) {
		t.Helper()
		if got := left(); got != w {
			t.Errorf("%s: %s left, want %s", what, got, w)
		}
	}
	want("nothing happened", 0)
	d.Failed(a, now)
	want("first failure", time.Second)
	now = now.Add(time.Second)
	want("after its time", 0)
	d.Failed(a, now)
	want("second failure", 2*time.Second)
	d.Failed(a, now)
	want("third failure", 3*time.Second)
	now = now.Add(time.Second)
	d.Advanced(a, now)
	want("launched", 3*time.Second)
	scaled := *a
	scaled.VersionInfo = a.VersionInfo.Scaled(a.Version() + 1)
	if d.Until(&scaled, now).IsZero() {
		t.Error("scaling lost the delay")
	}
	changed := *a
	changed.VersionInfo = app.NewConfig(a.Version() + 1)
	if !d.Until(&changed, now).IsZero() {
		t.Error("a new configuration kept the delay")
	}
	now = now.Add(14 * time.Second)
	d.Failed(a, now)
	want("a failure after a quiet time", time.Second)
	d.Reset(a)
	want("reset", 0)
}

func TestDelayNeverOverflows(t *testing.T) {
	a := sleeper()
	a.Backoff = app.Backoff{Backoff: time.Hour, Factor: 1e300, MaxLaunchDelay: 1000 * time.Hour}
	d := launch.NewDelays()
	for range 5 {
		d.Failed(a, start)
	}
	if got := d.Until(a, start).Sub(start); got != 1000*time.Hour {
		t.Errorf("delay %s", got)
	}
}

func TestKillsThatEvenOutGroups(t *testing.T) {
	a := sleeper()
	a.Constraints = []app.Constraint{{Field: "rack", Operator: app.GroupBy}}
	var all []*instance.Instance
	for n, rack := range []string{"a", "a", "a", "b", "c"} {
		i := placed(a, "h", text("rack", rack))
		i.ID = fmt.Sprintf("%s%d", rack, n)
		all = append(all, i)
	}
	chosen := launch.SelectToKill(a, all, 2)
	if len(chosen) != 2 || chosen[0].ID[0] != 'a' || chosen[1].ID[0] != 'a' {
		t.Errorf("chosen %v", chosen)
	}
	if got := launch.SelectToKill(sleeper(), all, 2); got != nil {
		t.Errorf("without a constraint: %v", got)
	}
	if got := launch.SelectToKill(a, all, 5); !slices.Equal(got, all) {
		t.Errorf("all of them: %v", got)
	}
}
