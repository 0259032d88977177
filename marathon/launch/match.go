package launch

import (
	"math/rand/v2"
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/instance"
)

// Reason says why an instance cannot use an offer.
type Reason string

// The reasons in the order in which offers are judged.
// Original: mesosphere/mesos/NoOfferMatchReason.scala.
const (
	UnfulfilledRole                 Reason = "UnfulfilledRole"
	UnfulfilledConstraint           Reason = "UnfulfilledConstraint"
	NoCorrespondingReservationFound Reason = "NoCorrespondingReservationFound"
	AgentMaintenance                Reason = "AgentMaintenance"
	InsufficientCpus                Reason = "InsufficientCpus"
	InsufficientMemory              Reason = "InsufficientMemory"
	InsufficientDisk                Reason = "InsufficientDisk"
	InsufficientGpus                Reason = "InsufficientGpus"
	InsufficientPorts               Reason = "InsufficientPorts"
	DeclinedScarceResources         Reason = "DeclinedScarceResources"
)

// Funnel is every reason, in that order.
var Funnel = [...]Reason{
	UnfulfilledRole, UnfulfilledConstraint, NoCorrespondingReservationFound, AgentMaintenance, InsufficientCpus,
	InsufficientMemory, InsufficientDisk, InsufficientGpus, InsufficientPorts, DeclinedScarceResources,
}

// Settings are the flags that matching and task building depend on.
type Settings struct {
	// AcceptedRolesDefault is any, unreserved or reserved.
	AcceptedRolesDefault string
	// Maintenance refuses agents whose maintenance has begun or begins within Draining.
	Maintenance bool
	Draining    time.Duration
	// GPUsRestricted keeps apps without GPUs off agents that have some.
	GPUsRestricted bool
	BridgeName     string
	EnvPrefix      string
	// Executor is the one of apps that name none: //cmd or a path.
	Executor string
}

// Matcher finds places for instances. It is not safe for concurrent use.
type Matcher struct {
	settings Settings
	random   *rand.Rand
	patterns patterns
}

// NewMatcher makes a matcher; random is the source of port numbers.
func NewMatcher(settings Settings, random *rand.Rand) *Matcher {
	return &Matcher{settings: settings, random: random, patterns: patterns{}}
}

// Request asks for a place for one instance.
type Request struct {
	App      *app.App
	Instance *instance.Instance
	// Siblings gives all instances of the app; those that count for constraints are
	// picked here. It is called only when there are constraints.
	Siblings func() []*instance.Instance
	// LocalRegion is the master's region, empty when it has none.
	LocalRegion string
	// EnforceRole is that of the app's top-level group.
	EnforceRole bool
}

// Launch is an instance that found its place.
type Launch struct {
	Info  *mesospb.TaskInfo
	Task  instance.Task
	Agent *instance.AgentInfo
}

// Match takes what the instance needs out of the pool, or gives the reasons why it
// cannot; an offer of another region is refused without a reason.
// Original: mesosphere/mesos/ResourceMatcher.scala.
func (m *Matcher) Match(pool *Pool, req Request, now time.Time) (*Launch, []Reason) {
	a := req.App
	accepted := m.acceptedRoles(a)
	needs := []struct {
		name   string
		amount int64
		reason Reason
	}{
		{"cpus", millis(a.Resources.CPUs), InsufficientCpus},
		{"mem", millis(a.Resources.Mem), InsufficientMemory},
		{"gpus", int64(a.Resources.GPUs) * 1000, InsufficientGpus},
		{"disk", millis(a.Resources.Disk), InsufficientDisk},
	}
	var reasons []Reason
	for _, need := range needs {
		if need.amount > pool.available(need.name, accepted) {
			reasons = append(reasons, need.reason)
		}
	}
	if !pool.offers(accepted) {
		reasons = append(reasons, UnfulfilledRole)
	}
	if a.IsResident() {
		// Its tasks run on reserved volumes only, and no offer carries any: reservations
		// are not made yet. Running it without its volumes would lose what it writes.
		reasons = append(reasons, NoCorrespondingReservationFound)
	}
	if len(reasons) > 0 {
		return nil, reasons
	}
	if !regionFits(a, pool.Offer, req.LocalRegion) {
		return nil, nil
	}
	if !m.constraintsMet(pool, req) {
		return nil, []Reason{UnfulfilledConstraint}
	}
	if m.settings.Maintenance && inMaintenance(pool.Offer, m.settings.Draining, now) {
		return nil, []Reason{UnfulfilledConstraint, AgentMaintenance}
	}
	if m.wastesGPUs(a, pool) {
		return nil, []Reason{DeclinedScarceResources}
	}
	hostPorts, ports, ok := pool.findPorts(a, accepted, m.random)
	if !ok {
		return nil, []Reason{InsufficientPorts}
	}
	var taken []*mesospb.Resource
	for _, need := range needs {
		taken = append(taken, pool.take(need.name, need.amount, accepted)...)
	}
	taken = append(taken, pool.takePorts(ports)...)
	return m.build(pool.Offer, req, taken, hostPorts, now), nil
}

func (m *Matcher) acceptedRoles(a *app.App) []string {
	if len(a.AcceptedResourceRoles) > 0 {
		return a.AcceptedResourceRoles
	}
	switch m.settings.AcceptedRolesDefault {
	case "unreserved":
		return []string{"*"}
	case "reserved":
		return []string{a.Role}
	default:
		return []string{a.Role, "*"}
	}
}

// regionFits keeps apps in the master's region unless they say something about regions
// or zones themselves.
func regionFits(a *app.App, offer *mesospb.Offer, local string) bool {
	region := offer.GetDomain().GetFaultDomain().GetRegion().GetName()
	if region == "" || region == local {
		return true
	}
	return slices.ContainsFunc(a.Constraints, func(c app.Constraint) bool {
		return c.Field == "@region" || c.Field == "@zone"
	})
}

// constraintsMet compares with the instances that are placed under the present
// configuration: those of an older one are about to go, and must not block their own
// replacement.
func (m *Matcher) constraintsMet(pool *Pool, req Request) bool {
	if len(req.App.Constraints) == 0 {
		return true
	}
	var placed []location
	for _, i := range req.Siblings() {
		if i.Agent == nil || i.State.Condition.Lost() || i.Scheduled() || i.Version < req.App.VersionInfo.ConfigVersion() {
			continue
		}
		placed = append(placed, instanceLocation(i))
	}
	here := offerLocation(pool.Offer)
	for _, c := range req.App.Constraints {
		if !m.patterns.meets(c, here, placed) {
			return false
		}
	}
	return true
}

// inMaintenance says that the agent's maintenance window has begun, or begins within
// the draining time, and has not ended. Original: mesosphere/mesos/Availability.scala.
func inMaintenance(offer *mesospb.Offer, draining time.Duration, now time.Time) bool {
	u := offer.GetUnavailability()
	if u.GetStart() == nil {
		return false
	}
	start := time.Unix(0, u.GetStart().GetNanoseconds())
	if !now.After(start.Add(-draining)) {
		return false
	}
	return u.GetDuration() == nil || !now.After(start.Add(time.Duration(u.GetDuration().GetNanoseconds())))
}

func (m *Matcher) wastesGPUs(a *app.App, pool *Pool) bool {
	if pool.gpus == 0 || a.Resources.GPUs > 0 {
		return false
	}
	switch behaviour, _ := a.Label("GPU_SCHEDULING_BEHAVIOR"); behaviour {
	case "restricted":
		return true
	case "unrestricted":
		return false
	default:
		return m.settings.GPUsRestricted
	}
}
