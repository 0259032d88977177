package allocator

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Config is what an Allocator needs to know before its first event.
type Config struct {
	// Interval is the shortest life of a decline filter (`--allocation_interval`).
	Interval time.Duration
	// Weights are the weights of roles; a missing one is 1.
	Weights map[string]float64
	// ExcludedNames are resource names that do not count in a share
	// (`--fair_sharing_excluded_resource_names`).
	ExcludedNames []string
	// FilterGPU hides agents with GPUs from frameworks that do not ask for them.
	FilterGPU bool
	// MasterDomain is where this master is; nil for nowhere.
	MasterDomain *mesospb.DomainInfo
	// MinAllocatable are the sets of which an offer must have at least one in full;
	// nil means the original's: 0.01 cpus, or 32 MB of mem.
	MinAllocatable []map[string]float64
	// Seed decides the order in which agents that became free together are shared out.
	Seed uint64
}

// Allocation is resources of one agent, allocated to one role of one framework.
type Allocation struct {
	Framework, Agent, Role string
	Resources              resources.Resources
}

// Allocator is the state of the allocation. It is not safe for concurrent use.
type Allocator struct {
	cfg        Config
	minimum    []quantities
	random     *rand.Rand
	frameworks map[string]*framework
	agents     map[string]*agent
	// orphans are, by framework that is not known yet, the agents on which it
	// holds something.
	orphans map[string]map[string]*agent
	root    *role
	pool    pool
	expiry  filters
	seq     uint64

	// free are the active agents with something to offer; marked those of them to
	// look at in the next run.
	free   map[*agent]struct{}
	marked []*agent
}

// New returns an empty Allocator.
func New(cfg Config) *Allocator {
	if cfg.MinAllocatable == nil {
		cfg.MinAllocatable = []map[string]float64{{"cpus": 0.01}, {"mem": 32}}
	}
	return &Allocator{
		cfg:        cfg,
		minimum:    minimums(cfg.MinAllocatable),
		random:     rand.New(rand.NewPCG(cfg.Seed, 1)),
		frameworks: make(map[string]*framework),
		agents:     make(map[string]*agent),
		orphans:    make(map[string]map[string]*agent),
		root:       newRole("", "", nil, 1),
		pool:       pool{excluded: cfg.ExcludedNames, epoch: 1},
		free:       make(map[*agent]struct{}),
	}
}

func minimums(sets []map[string]float64) []quantities {
	var out []quantities
	for _, set := range sets {
		q := quantities{}
		for name, amount := range set {
			q.add(name, resources.ScalarOf(amount))
		}
		out = append(out, q)
	}
	return out
}

// Next is when Run has something to do though nothing happens before, zero for
// never.
func (a *Allocator) Next() time.Time {
	if len(a.expiry) == 0 {
		return time.Time{}
	}
	return a.expiry[0].until
}

// Pending says whether Run has something to do now.
func (a *Allocator) Pending(now time.Time) bool {
	return len(a.marked) > 0 || len(a.expiry) > 0 && !a.expiry[0].until.After(now)
}

// refresh brings an agent that changed in or out of the free ones and has the next
// run look at it.
func (a *Allocator) refresh(ag *agent) {
	ag.free = ag.active && !ag.available().Empty()
	if ag.free {
		a.free[ag] = struct{}{}
		a.mark(ag)
	} else {
		delete(a.free, ag)
	}
}

func (a *Allocator) mark(ag *agent) {
	if ag.free && !ag.marked {
		ag.marked = true
		a.marked = append(a.marked, ag)
	}
}

// markFree has the next run look at every agent with something to offer: a demand
// is new.
func (a *Allocator) markFree() {
	if len(a.free) == 0 {
		return
	}
	from := len(a.marked)
	for ag := range a.free {
		a.mark(ag)
	}
	// A map's order is not a caller's to repeat; the shuffle below is.
	slices.SortFunc(a.marked[from:], func(x, y *agent) int {
		if x.id < y.id {
			return -1
		}
		return 1
	})
}

// Run allocates what is free on the marked agents and returns the allocations,
// in the order in which they were made.
func (a *Allocator) Run(now time.Time) []Allocation {
	a.expire(now)
	if len(a.marked) == 0 {
		return nil
	}
	todo := a.marked
	a.marked = nil
	for _, ag := range todo {
		ag.marked = false
	}
	if a.root.leaves == 0 {
		return nil
	}
	a.random.Shuffle(len(todo), func(i, j int) { todo[i], todo[j] = todo[j], todo[i] })
	var made []Allocation
	for _, ag := range todo {
		if ag.free {
			made = a.allocate(ag, made)
		}
	}
	return made
}

// allocate shares out one agent: each role, poorest first, and in it each
// framework, poorest first, takes all it may have of what is left.
func (a *Allocator) allocate(ag *agent, made []Allocation) []Allocation {
	available := ag.available()
	a.eachRole(a.root, func(r *role) bool {
		for _, m := range r.clients.order(&a.pool) {
			if !a.suits(m, ag) {
				continue
			}
			rs := m.strip(available.AllocatableTo(r.path))
			if rs.Empty() || !a.enough(m, rs) || m.filtered(ag, rs) {
				continue
			}
			allocated := ordered(rs).Allocate(r.path)
			a.book(m, ag, allocated, true)
			made = append(made, Allocation{m.framework.id, ag.id, r.path, allocated})
			// A shared resource goes to one framework per run, too.
			available = available.Subtract(rs)
			if available.Empty() {
				return false
			}
		}
		return true
	})
	if ag.free = !ag.available().Empty(); !ag.free {
		delete(a.free, ag)
	}
	return made
}

// suits says whether the framework can use the agent at all.
func (a *Allocator) suits(m *member, ag *agent) bool {
	o := &m.framework.options
	switch {
	case o.MultiRole && !ag.options.MultiRole:
		return false
	case m.role.parent != a.root && !ag.options.HierarchicalRole:
		return false
	case a.cfg.FilterGPU && !o.GPU && ag.total.Gpus() > 0:
		return false
	case !o.RegionAware && a.remote(ag):
		return false
	}
	return true
}

// remote says whether an agent is in another region than the master.
func (a *Allocator) remote(ag *agent) bool {
	region := ag.options.Domain.GetFaultDomain().GetRegion()
	own := a.cfg.MasterDomain.GetFaultDomain().GetRegion()
	return region != nil && own != nil && region.GetName() != own.GetName()
}

// strip leaves out what the framework does not understand.
func (m *member) strip(rs resources.Resources) resources.Resources {
	o := &m.framework.options
	return rs.Filter(func(r resources.Resource) bool {
		return (o.Shared || !r.IsShared()) &&
			(o.Revocable || !r.IsRevocable()) &&
			(o.Refined || !r.HasRefinedReservations())
	})
}

// enough says whether rs is worth an offer.
func (a *Allocator) enough(m *member, rs resources.Resources) bool {
	sets, own := m.framework.minimum[m.role.path]
	if !own {
		sets = a.minimum
	}
	if len(sets) == 0 {
		return true
	}
	q := quantitiesOf(rs)
	return slices.ContainsFunc(sets, q.covers)
}

// ordered puts reservations, ranges, sets and revocable resources before the
// plain scalars, which is how the original's offers list them.
func ordered(rs resources.Resources) resources.Resources {
	first := func(r resources.Resource) bool {
		return r.IsReserved() || r.Type() != mesospb.Value_SCALAR || r.IsRevocable()
	}
	head := rs.Filter(first)
	tail := rs.Filter(func(r resources.Resource) bool { return !first(r) })
	return head.Add(tail)
}

// Held returns what each framework holds on an agent, offered or used, with roles of
// allocation.
func (a *Allocator) Held(agent string) map[string]resources.Resources {
	ag := a.agents[agent]
	if ag == nil {
		return nil
	}
	return maps.Clone(ag.held)
}
