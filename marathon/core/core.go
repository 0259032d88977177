// Package core is Marathon without its surroundings: the wanted tree of apps, the
// instances there are, and the decisions that bring the second to the first.
//
// Comes in, through methods: changes of the tree, what Mesos says, results of health
// checks, and the time. Goes out, through Take: writes for the store, and what to do
// once they are durable (calls to Mesos, events, checks to start or stop, answers). It
// does no I/O, starts no goroutine, and never looks at a clock.
//
// Methods change state and mark what has to be looked at again; Settle looks, until
// nothing is left to decide. One goroutine owns a Core.
package core

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/launch"
	"stoa/marathon/timestamp"
)

// Settings are the flags the core depends on, and its sources of randomness.
type Settings struct {
	Group  group.Settings
	Launch launch.Settings
	// Framework is what Mesos is told about Marathon; id and roles are filled in here.
	Framework *mesospb.FrameworkInfo
	// DefaultRole is always among the framework's roles.
	DefaultRole string
	// NewGroupEnforceRole is for the tree of a store that holds none yet.
	NewGroupEnforceRole bool

	MaxRunningDeployments      int
	MaxInstancesPerOffer       int
	MaxVersions                int
	DeclineFor                 time.Duration
	MinReviveInterval          time.Duration
	Suppress                   bool
	KillChunk                  int
	KillRetry                  time.Duration
	LaunchConfirmTimeout       time.Duration
	LaunchTimeout              time.Duration
	ReconciliationInitialDelay time.Duration
	ReconciliationInterval     time.Duration
	ScaleInitialDelay          time.Duration
	ScaleInterval              time.Duration

	// NewInstanceUUID gives time-based UUIDs, NewDeploymentID random ones.
	NewInstanceUUID func() string
	NewDeploymentID func() string
	Random          *rand.Rand
}

// State is everything that is durable.
type State struct {
	FrameworkID string
	// Root is nil in a new store.
	Root      *group.Root
	Instances []*instance.Instance
	// Specs are the definitions, other than those in Root, that instances refer to.
	Specs       []*app.App
	Deployments []*deployment.Plan
	Failures    []*TaskFailure
	// Versions are the stored versions of each app, oldest first.
	Versions map[id.Path][]timestamp.Timestamp
	// History are the changes that led to Root, oldest first.
	History []RootChange
}

// Core is the state and its rules.
type Core struct {
	settings Settings
	matcher  *launch.Matcher
	delays   *launch.Delays

	root        *group.Root
	frameworkID string
	connected   bool
	masterURL   string
	region      string

	apps      map[id.Path]*appState
	instances map[string]*entry
	specs     map[specKey]*app.App
	failures  map[id.Path]*TaskFailure
	versions  map[id.Path][]timestamp.Timestamp
	history   []RootChange

	deployments []*running
	locks       map[id.Path]*running

	kills     killQueue
	checks    map[string]*taskChecks // by task id
	readiness map[string]*readinessState
	installed map[specKey]bool
	demand    demand
	// reconciliation is what the master still has to tell.
	reconciliation reconciliation
	// waiting has a record for every app with instances that want an offer.
	waiting map[id.Path]*waiting
	roles   map[string]bool
	// rolesStale says that the master has not been told of all roles.
	rolesStale bool

	dirty []id.Path
	wakes wakeHeap
	out   Effects
	view  viewCache
}

// appState is what is known of one app, whether it is in the tree or only has
// instances left.
type appState struct {
	id        id.Path
	instances []*entry
	dirty     bool
	// check asks for a comparison with the wanted count that may also end instances.
	check bool
}

type entry struct {
	*instance.Instance
	at int // place in appState.instances
}

type specKey struct {
	app     id.Path
	version timestamp.Timestamp
}

// New takes up the durable state. The first Settle, Subscribed and Tick do the rest.
func New(settings Settings, state State, now time.Time) *Core {
	c := &Core{
		settings:    settings,
		matcher:     launch.NewMatcher(settings.Launch, settings.Random),
		delays:      launch.NewDelays(),
		root:        state.Root,
		frameworkID: state.FrameworkID,
		apps:        map[id.Path]*appState{},
		instances:   map[string]*entry{},
		specs:       map[specKey]*app.App{},
		failures:    map[id.Path]*TaskFailure{},
		versions:    state.Versions,
		history:     state.History,
		locks:       map[id.Path]*running{},
		checks:      map[string]*taskChecks{},
		readiness:   map[string]*readinessState{},
		installed:   map[specKey]bool{},
		waiting:     map[id.Path]*waiting{},
		roles:       map[string]bool{},
		demand:      newDemand(),
		kills:       newKillQueue(),
	}
	if c.versions == nil {
		c.versions = map[id.Path][]timestamp.Timestamp{}
	}
	if c.root == nil {
		c.root = group.NewRoot(timestamp.Of(now), settings.NewGroupEnforceRole)
		c.write(PutTree{c.root})
	}
	for _, a := range state.Specs {
		c.specs[specKey{a.ID, a.Version()}] = a
	}
	c.addRole(settings.DefaultRole)
	for a := range c.root.AllApps() {
		c.addRole(a.Role)
		c.remember(a)
		c.touch(a.ID)
	}
	for _, f := range state.Failures {
		c.failures[f.AppID] = f
	}
	c.wakeAt(now.Add(settings.ReconciliationInitialDelay), wake{kind: wakeReconcile})
	c.wakeAt(now.Add(settings.ScaleInitialDelay), wake{kind: wakeScale})
	c.wakeAt(now.Add(sweepInterval), wake{kind: wakeSweep})
	for _, i := range state.Instances {
		c.load(i, now)
	}
	for _, plan := range state.Deployments {
		c.resume(plan)
	}
	c.rolesChanged()
	c.installChecks(now)
	return c
}

// load takes up a stored instance.
func (c *Core) load(i *instance.Instance, now time.Time) {
	if c.frameworkID == "" && i.Active() {
		// The tasks belonged to a framework that is no more: Mesos has ended them.
		i = i.Lost(now)
		c.write(PutInstance{i})
	}
	c.insert(i)
	c.watch(i, now)
}

// sweepInterval is how often what is long over is dropped from memory.
const sweepInterval = time.Minute

// Root is the present tree.
func (c *Core) Root() *group.Root { return c.root }

// app gives the state of an app, making it when there is none.
func (c *Core) app(appID id.Path) *appState {
	s := c.apps[appID]
	if s == nil {
		s = &appState{id: appID}
		c.apps[appID] = s
	}
	return s
}

// touch marks an app to be looked at by Settle.
func (c *Core) touch(appID id.Path) {
	if s := c.app(appID); !s.dirty {
		s.dirty = true
		c.dirty = append(c.dirty, appID)
	}
}

// requestCheck marks an app for a comparison that may also end surplus instances.
func (c *Core) requestCheck(appID id.Path) {
	c.touch(appID)
	c.apps[appID].check = true
}

// list gives the instances of an app in order of creation. The slice is new.
func (c *Core) list(appID id.Path) []*instance.Instance {
	s := c.apps[appID]
	if s == nil {
		return nil
	}
	out := make([]*instance.Instance, len(s.instances))
	for n, e := range s.instances {
		out[n] = e.Instance
	}
	return out
}

// remember keeps a definition for the instances that refer to it.
func (c *Core) remember(a *app.App) { c.specs[specKey{a.ID, a.Version()}] = a }

// spec gives the definition an instance was made with; the present one when that is
// not known any more, nil when the app is gone as well.
func (c *Core) spec(i *instance.Instance) *app.App {
	if a := c.specs[specKey{i.AppID, i.Version}]; a != nil {
		return a
	}
	return c.root.App(i.AppID)
}

// specsAtOnce is spec for many instances of one app in a row, which mostly have the
// same version. It is of use only while no definition changes.
func (c *Core) specsAtOnce() func(*instance.Instance) *app.App {
	var last specKey
	var found *app.App
	return func(i *instance.Instance) *app.App {
		if found == nil || last.app != i.AppID || last.version != i.Version {
			last, found = specKey{i.AppID, i.Version}, c.spec(i)
		}
		return found
	}
}

// maxPasses bounds how long Settle goes on.
const maxPasses = 1000

// Settle decides everything that is to be decided now.
func (c *Core) Settle(now time.Time) {
	// Each pass may touch apps again; a pass without work ends it. The bound guards
	// against an endless dispute between two rules, which then goes on a little later
	// instead of keeping everything else from happening.
	for pass := 0; ; pass++ {
		for len(c.dirty) > 0 {
			appID := c.dirty[0]
			c.dirty = c.dirty[1:]
			if s := c.apps[appID]; s != nil {
				s.dirty = false
				c.settleApp(s, now)
			}
		}
		if !c.advanceDeployments(now) {
			break
		}
		if pass == maxPasses {
			c.wakeAt(now.Add(100*time.Millisecond), wake{kind: wakeNothing})
			break
		}
	}
	c.sendKills(now)
	c.updateDemand(now)
}

// settleApp looks at one app.
func (c *Core) settleApp(s *appState, now time.Time) {
	c.settleGoals(s, now)
	c.settleChecks(s, now)
	a := c.root.App(s.id)
	if c.locks[s.id] == nil {
		switch {
		case a == nil:
			c.decommissionOrphans(s, now)
		default:
			c.scale(s, a, now)
		}
	} else {
		r := c.locks[s.id]
		r.stale = true
		r.touched = append(r.touched, s.id)
	}
	c.settleWaiting(s, now)
	if a == nil && len(s.instances) == 0 && c.locks[s.id] == nil {
		c.forgetApp(s.id)
	}
}

// decommissionOrphans ends instances whose app does not exist any more.
func (c *Core) decommissionOrphans(s *appState, now time.Time) {
	for _, i := range c.list(s.id) {
		c.setGoal(i.ID, instance.GoalDecommissioned, now)
	}
}

// scale brings an app that no deployment works on to its count: missing instances are
// added at once, surplus ones are ended when a check was asked for.
// Original: SchedulerActions.scale in MarathonSchedulerActor.scala.
func (c *Core) scale(s *appState, a *app.App, now time.Time) {
	p := deployment.Propose(a, c.list(s.id), nil, a.Instances, c.observer(a))
	if s.check {
		s.check = false
		for _, i := range p.Decommission {
			c.setGoal(i.ID, instance.GoalDecommissioned, now)
		}
	}
	if len(p.Decommission) == 0 {
		c.add(a, p.Start, now)
	}
}

func (c *Core) forgetApp(appID id.Path) {
	delete(c.apps, appID)
	c.delays.ResetAll(appID)
	c.dropFailure(appID)
	for k := range c.specs {
		if k.app == appID && !c.plansUse(k) {
			delete(c.specs, k)
		}
	}
}

// wake is a reason to look at something at a certain time. It may have gone by then.
type wake struct {
	at   time.Time
	kind wakeKind
	id   string
}

type wakeKind int

const (
	wakeReconcile wakeKind = iota
	wakeAsk
	wakeScale
	wakeSweep
	wakeRevive
	wakeApp
	wakeInstance
	wakeKill
	// wakeNothing only leads to the next Settle.
	wakeNothing
)

type wakeHeap []wake

func (h wakeHeap) Len() int           { return len(h) }
func (h wakeHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h wakeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push and Pop are for container/heap.
func (h *wakeHeap) Push(x any) { *h = append(*h, x.(wake)) }

// Pop removes the last one.
func (h *wakeHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

func (c *Core) wakeAt(at time.Time, w wake) {
	w.at = at
	heap.Push(&c.wakes, w)
}

// Next is when Tick has something to do; zero when never.
func (c *Core) Next() time.Time {
	if len(c.wakes) == 0 {
		return time.Time{}
	}
	return c.wakes[0].at
}

// Tick does what is due.
func (c *Core) Tick(now time.Time) {
	for len(c.wakes) > 0 && !c.wakes[0].at.After(now) {
		w := heap.Pop(&c.wakes).(wake)
		switch w.kind {
		case wakeReconcile:
			c.reconcile(false, now)
			c.wakeAt(now.Add(c.settings.ReconciliationInterval), w)
		case wakeAsk:
			c.askAgain(now)
		case wakeScale:
			for appID := range c.apps {
				c.requestCheck(appID)
			}
			c.wakeAt(now.Add(c.settings.ScaleInterval), w)
		case wakeSweep:
			c.sweep(now)
			c.wakeAt(now.Add(sweepInterval), w)
		case wakeRevive:
			c.demand.repeat(now)
		case wakeApp:
			c.grow(id.Path(w.id))
		case wakeInstance:
			c.lookAt(w.id, now)
		case wakeKill:
			c.retryKill(w.id, now)
		}
	}
}

// sweep forgets definitions that nothing refers to, and delays that are long over.
func (c *Core) sweep(now time.Time) {
	c.delays.Sweep(now)
	used := map[specKey]bool{}
	for _, e := range c.instances {
		used[specKey{e.AppID, e.Version}] = true
	}
	stale := func(k specKey) bool {
		a := c.root.App(k.app)
		return !used[k] && (a == nil || a.Version() != k.version) && !c.plansUse(k)
	}
	for k := range c.specs {
		if stale(k) {
			delete(c.specs, k)
		}
	}
	for k := range c.installed {
		if stale(k) {
			c.uninstall(k.app, func(o specKey) bool { return o != k }, now)
		}
	}
}
