package core

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"
)

// Snapshot is the state at one moment, for readers outside the loop. Nothing of it
// ever changes; views of objects that did not change are shared with the snapshot
// before, so their pointers may serve as cache keys.
//
// Lists are in the order in which the objects became known.
type Snapshot struct {
	// Revision is that of the core; equal revisions are equal snapshots.
	Revision uint64

	Agents []*AgentView
	// Recovered are agents of the registry that have not come back.
	Recovered []*RecoveredAgent
	// Unreachable is the number of agents that are remembered as unreachable.
	Unreachable int

	// Frameworks are all that are not completed; Completed has the oldest first.
	Frameworks []*FrameworkView
	Completed  []*FrameworkView

	// Weights are the roles' weights that were set, Whitelist the roles of --roles
	// (nil for no whitelist).
	Weights   map[string]float64
	Whitelist []string
	// Quotas are those that were set; one may hold nothing.
	Quotas map[string]Quota

	// Maintenance is the schedule and how far the machines in it are; never nil.
	Maintenance *MaintenanceView

	agents     map[string]int
	frameworks map[string]int
	completed  map[*Framework]*FrameworkView
}

// AgentView is one registered agent; see Agent for the fields.
type AgentView struct {
	ID           string
	Info         *mesospb.AgentInfo
	PID          string
	Version      string
	Capabilities []*mesospb.AgentInfo_Capability
	Registered   time.Time
	Reregistered time.Time
	Connected    bool
	Active       bool
	Deactivated  bool
	Drain        *mesospb.DrainInfo
	DrainStart   time.Time
	Total        resources.Resources
	// Used is the sum of what tasks and executors of all frameworks use.
	Used    resources.Resources
	Offered resources.Resources
	// Operations are those that are not settled yet.
	Operations []*mesospb.Operation

	revision uint64
}

// FrameworkView is one framework; see Framework for the fields.
type FrameworkView struct {
	ID           string
	Info         *mesospb.FrameworkInfo
	Roles        []string
	Capabilities FrameworkCapabilities
	State        FrameworkState
	PID          string
	Registered   time.Time
	Reregistered time.Time
	Unregistered time.Time

	Tasks          []*mesospb.Task
	Unreachable    []*mesospb.Task
	CompletedTasks []*mesospb.Task
	Executors      []ExecutorView
	Offers         []*mesospb.Offer
	InverseOffers  []*mesospb.InverseOffer
	Used           resources.Resources
	Offered        resources.Resources
	// OfferConstraints are nil for a framework that has not subscribed here.
	OfferConstraints *schedulerpb.OfferConstraints

	revision uint64
}

// ExecutorView is one executor of a framework and the agent it runs on.
type ExecutorView struct {
	Info  *mesospb.ExecutorInfo
	Agent string
}

// Connected says whether the framework can be told anything now.
func (f *FrameworkView) Connected() bool { return f.State == Active || f.State == Inactive }

// Agent returns the registered agent with an id, or nil.
func (s *Snapshot) Agent(id string) *AgentView {
	if i, ok := s.agents[id]; ok {
		return s.Agents[i]
	}
	return nil
}

// Framework returns the framework with an id that is not completed, or nil.
func (s *Snapshot) Framework(id string) *FrameworkView {
	if i, ok := s.frameworks[id]; ok {
		return s.Frameworks[i]
	}
	return nil
}

// Snapshot returns the state now. prev is the snapshot taken before, or nil: what has
// not changed since is taken over from it, so that the cost is that of the changes and of
// one pointer per agent and framework.
func (c *Core) Snapshot(prev *Snapshot) *Snapshot {
	if prev == nil {
		prev = &Snapshot{}
	} else if prev.Revision == c.rev {
		return prev
	}
	s := &Snapshot{
		Revision:    c.rev,
		Unreachable: len(c.unreachable),
		Weights:     c.cfg.Weights,
		Whitelist:   c.cfg.Roles,
		Quotas:      c.quotas,
		Maintenance: c.maintenanceView(),
	}

	s.Agents, s.agents = follow(prev.Agents, prev.agents, c.registered,
		func(v *AgentView) string { return v.ID },
		func(a *Agent, v *AgentView) *AgentView {
			if v != nil && v.revision == a.rev {
				return v
			}
			return viewAgent(a)
		})
	s.Frameworks, s.frameworks = follow(prev.Frameworks, prev.frameworks, c.known,
		func(v *FrameworkView) string { return v.ID },
		func(f *Framework, v *FrameworkView) *FrameworkView {
			if v != nil && v.revision == f.rev {
				return v
			}
			return viewFramework(f, v)
		})

	for _, id := range slices.SortedFunc(maps.Keys(c.recovered), byNumber) {
		s.Recovered = append(s.Recovered, c.recovered[id])
	}
	s.completed = make(map[*Framework]*FrameworkView, len(c.completed))
	for _, f := range c.completed {
		v := prev.completed[f]
		if v == nil || v.revision != f.rev {
			v = viewFramework(f, nil)
		}
		s.completed[f] = v
		s.Completed = append(s.Completed, v)
	}
	return s
}

// follow makes the views of a map of objects: first those that had one, in its order,
// then the new ones by their ids.
func follow[T any, V any](prev []*V, index map[string]int, now map[string]T, id func(*V) string,
	view func(T, *V) *V) ([]*V, map[string]int) {
	views := make([]*V, 0, len(now))
	for _, v := range prev {
		if object, ok := now[id(v)]; ok {
			views = append(views, view(object, v))
		}
	}
	if len(views) < len(now) {
		var fresh []string
		for id := range now {
			if _, had := index[id]; !had {
				fresh = append(fresh, id)
			}
		}
		slices.SortFunc(fresh, byNumber)
		for _, id := range fresh {
			views = append(views, view(now[id], nil))
		}
	} else if len(views) == len(prev) {
		return views, index // the same ids at the same places
	}
	places := make(map[string]int, len(views))
	for i, v := range views {
		places[id(v)] = i
	}
	return views, places
}

// byNumber orders ids that end in a number by it: "x-S9" before "x-S10".
func byNumber(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
}

func viewAgent(a *Agent) *AgentView {
	v := &AgentView{
		ID:           a.ID,
		Info:         a.Info,
		PID:          a.PID,
		Version:      a.Version,
		Capabilities: a.CapabilityList,
		Registered:   a.Registered,
		Reregistered: a.Reregistered,
		Connected:    a.Connected,
		Active:       a.Active,
		Deactivated:  a.Deactivated,
		Drain:        a.Drain,
		DrainStart:   a.DrainStart,
		Total:        a.Total,
		Offered:      a.Offered,
		revision:     a.rev,
	}
	for _, framework := range slices.Sorted(maps.Keys(a.Used)) {
		v.Used = v.Used.Add(a.Used[framework])
	}
	for _, id := range slices.Sorted(maps.Keys(a.Operations)) {
		v.Operations = append(v.Operations, a.Operations[id].Proto)
	}
	return v
}

func viewFramework(f *Framework, prev *FrameworkView) *FrameworkView {
	v := &FrameworkView{
		ID:             f.ID,
		Info:           f.Info,
		Roles:          f.Roles,
		Capabilities:   f.Capabilities,
		State:          f.State,
		PID:            f.PID,
		Registered:     f.Registered,
		Reregistered:   f.Reregistered,
		Unregistered:   f.Unregistered,
		Tasks:          make([]*mesospb.Task, 0, len(f.Tasks)),
		Unreachable:    f.Unreachable.All(),
		CompletedTasks: f.CompletedTasks.All(),
		Used:           f.Used,
		Offered:        f.Offered,
		revision:       f.rev,

		OfferConstraints: f.OfferConstraints,
	}
	old := 0
	if prev != nil {
		for _, p := range prev.Tasks {
			if t, ok := f.Tasks[p.GetTaskId().GetValue()]; ok {
				v.Tasks = append(v.Tasks, t.Proto)
			}
		}
		old = len(v.Tasks)
	}
	if old < len(f.Tasks) {
		had := make(map[string]struct{}, old)
		for _, p := range v.Tasks {
			had[p.GetTaskId().GetValue()] = struct{}{}
		}
		for id, t := range f.Tasks {
			if _, ok := had[id]; !ok {
				v.Tasks = append(v.Tasks, t.Proto)
			}
		}
		slices.SortFunc(v.Tasks[old:], func(a, b *mesospb.Task) int {
			return cmp.Compare(a.GetTaskId().GetValue(), b.GetTaskId().GetValue())
		})
	}
	for _, agent := range slices.SortedFunc(maps.Keys(f.Executors), byNumber) {
		for _, id := range slices.Sorted(maps.Keys(f.Executors[agent])) {
			v.Executors = append(v.Executors, ExecutorView{Info: f.Executors[agent][id].Info, Agent: agent})
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(f.Offers), byNumber) {
		v.Offers = append(v.Offers, f.Offers[id].Proto)
	}
	for _, id := range slices.SortedFunc(maps.Keys(f.InverseOffers), byNumber) {
		v.InverseOffers = append(v.InverseOffers, f.InverseOffers[id].Proto)
	}
	return v
}
