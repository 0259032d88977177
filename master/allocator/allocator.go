package allocator

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Defaults of the original's src/master/constants.hpp and flags.cpp.
const (
	DefaultRecoveryFactor  = 0.8
	DefaultRecoveryTimeout = 10 * time.Minute
)

// Config is what an Allocator needs to know before its first event.
type Config struct {
	// Interval is the shortest life of a decline filter, and the time between two
	// looks at what quotas kept from somebody (`--allocation_interval`).
	Interval time.Duration
	// Weights are the weights of roles; a missing one is 1.
	Weights map[string]float64
	// RoleSorter and FrameworkSorter say who is served first (`--role_sorter`,
	// `--framework_sorter`).
	RoleSorter, FrameworkSorter Sorter
	// ExcludedNames are resource names that do not count in a share
	// (`--fair_sharing_excluded_resource_names`).
	ExcludedNames []string
	// FilterGPU hides agents with GPUs from frameworks that do not ask for them.
	FilterGPU bool
	// MasterDomain is where this master is; nil for nowhere.
	MasterDomain *mesospb.DomainInfo
	// MinAllocatable are the sets of which an offer must have at least one in full
	// (`--min_allocatable_resources`); nil means the original's: 0.01 cpus, or 32 MB
	// of mem.
	MinAllocatable []resources.Quantities
	// RecoveryFactor and RecoveryTimeout say how long [Allocator.HoldOff] waits for
	// agents; zero means the defaults, a factor below zero no wait (`--allocator_agent_recovery_factor`,
	// `--allocator_recovery_timeout`).
	RecoveryFactor  float64
	RecoveryTimeout time.Duration
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
	random     *rand.Rand
	whitelist  map[string]struct{} // nil for everybody
	frameworks map[string]*framework
	agents     map[string]*agent
	// orphans are, by framework that is not known yet, the agents on which it
	// holds something.
	orphans map[string]map[string]*agent
	// constrained are the frameworks with offer constraints.
	constrained map[string]*framework

	root    *role
	roles   map[string]*role // by path
	weights map[string]float64
	lots    []lot // of the random role sorter; nil when they must be made anew
	pool    pool

	deadlines deadlines
	pause     pause

	// free are the active agents with something to offer; marked those of them to
	// look at in the next run. withheld are free agents of which a quota kept
	// something from somebody, later those with a shared resource that somebody else
	// is to have with the next interval, inverse those that may need inverse offers.
	free, withheld, later, inverse agents
	marked                         []*agent
	nextLook                       *deadline // at withheld and later

	// headroom is what nobody holds of spare resources in the whole cluster; required
	// the part of it that is needed for guarantees that are not met, of inDeficit
	// roles.
	headroom, required resources.Quantities
	inDeficit          int
	surplus            resources.Quantities
	surplusKnown       bool
	surplusMoved       bool // since quotas were last asked whether they ease
	// cutSurplus is the least surplus there was when something was withheld; eased
	// are roles that have more room since; quotasEased says that withheld agents are
	// to be looked at again.
	cutSurplus  quantities
	eased       []*role
	quotasEased bool
}

// New returns an empty Allocator.
func New(cfg Config) *Allocator {
	if cfg.MinAllocatable == nil {
		cfg.MinAllocatable = []resources.Quantities{
			resources.QuantitiesOf(map[string]resources.Scalar{"cpus": 10}),
			resources.QuantitiesOf(map[string]resources.Scalar{"mem": 32000}),
		}
	}
	cfg.RecoveryFactor = cmp.Or(cfg.RecoveryFactor, DefaultRecoveryFactor)
	cfg.RecoveryTimeout = cmp.Or(cfg.RecoveryTimeout, DefaultRecoveryTimeout)
	a := &Allocator{
		cfg:         cfg,
		random:      rand.New(rand.NewPCG(cfg.Seed, 1)),
		frameworks:  make(map[string]*framework),
		agents:      make(map[string]*agent),
		orphans:     make(map[string]map[string]*agent),
		constrained: make(map[string]*framework),
		root:        newRole("", "", nil, 1),
		roles:       make(map[string]*role),
		weights:     make(map[string]float64),
		pool:        pool{excluded: cfg.ExcludedNames, epoch: 1},
		free:        agents{kind: inFree},
		withheld:    agents{kind: inWithheld},
		later:       agents{kind: inLater},
		inverse:     agents{kind: inInverse},
	}
	for role, weight := range cfg.Weights {
		a.SetWeight(role, weight)
	}
	return a
}

// Next is when Run has something to do though nothing happens before, zero for
// never.
func (a *Allocator) Next() time.Time { return a.deadlines.next() }

// Pending says whether Run has something to do now.
func (a *Allocator) Pending(now time.Time) bool {
	if a.deadlines.due(now) {
		return true
	}
	return !a.pause.paused() && (len(a.marked) > 0 || len(a.inverse.list) > 0 || a.quotasMayEase())
}

// severalMembers is how many members an agent is marked for before it is marked for
// everybody: a longer list would cost more than it saves.
const severalMembers = 16

// mark has the next run look at an agent.
func (a *Allocator) mark(ag *agent) {
	if a.free.has(ag) {
		ag.all = true
		ag.wanting = ag.wanting[:0]
		a.noteMarked(ag)
	}
}

// markFor has the next run look whether an agent has something for a member. All
// others have had what they may have of it.
func (a *Allocator) markFor(ag *agent, m *member) {
	if !a.free.has(ag) || ag.all || slices.Contains(ag.wanting, m) {
		return
	}
	if len(ag.wanting) == severalMembers {
		a.mark(ag)
		return
	}
	ag.wanting = append(ag.wanting, m)
	a.noteMarked(ag)
}

func (a *Allocator) noteMarked(ag *agent) {
	if !ag.marked {
		ag.marked = true
		a.marked = append(a.marked, ag)
	}
}

// markDemand has the next run look at every agent with something to offer: the
// member's demand is new.
func (a *Allocator) markDemand(m *member) {
	if !m.client {
		return
	}
	for _, ag := range a.free.list {
		a.markFor(ag, m)
	}
}

// sortMarked undoes the order of a map, which is not a caller's to repeat.
func (a *Allocator) sortMarked() {
	slices.SortFunc(a.marked, func(x, y *agent) int { return cmp.Compare(x.id, y.id) })
}

// Run allocates what is free on the marked agents and returns the allocations,
// in the order in which they were made.
func (a *Allocator) Run(now time.Time) []Allocation {
	a.deadlines.run(now)
	if a.pause.paused() {
		return nil
	}
	made := a.allocate(a.takeMarked())
	a.lookAgain(now)
	return made
}

// takeMarked returns the marked agents that have something to offer.
func (a *Allocator) takeMarked() []*agent {
	todo := a.marked
	a.marked = nil
	return slices.DeleteFunc(todo, func(ag *agent) bool {
		ag.marked = false
		if a.root.leaves > 0 && a.free.has(ag) {
			return false
		}
		ag.unmark()
		return true
	})
}

// quotasMayEase says whether something happened that may have made room for what quotas
// keep from somebody.
func (a *Allocator) quotasMayEase() bool {
	return len(a.withheld.list) > 0 && !a.quotasEased && (len(a.eased) > 0 || a.surplusMoved)
}

// lookAgain sees to it that, an interval from now, a run looks at agents that no event
// will mark.
func (a *Allocator) lookAgain(now time.Time) {
	if a.quotasMayEase() && a.quotasEase() {
		a.quotasEased = true
	}
	if a.nextLook != nil || len(a.later.list) == 0 && !a.quotasEased {
		return
	}
	a.nextLook = a.deadlines.set(now.Add(a.cfg.Interval), func() {
		a.nextLook = nil
		for _, ag := range a.later.take() {
			a.mark(ag)
		}
		if a.quotasEased {
			a.releaseWithheld()
		}
	})
}
