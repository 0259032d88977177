package core

import (
	"log/slog"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/allocator"

	"google.golang.org/protobuf/proto"
)

// Core is the master's state. One goroutine owns it; see the package comment.
type Core struct {
	cfg   Config
	log   *slog.Logger
	alloc *allocator.Allocator

	// now is the time of the event being handled.
	now    time.Time
	out    []Effect
	timers timers
	rev    uint64
	failed bool

	// Counters of the ids given out by this master.
	frameworks, agents, offers, observers uint64
	writes                                uint64

	registered  map[string]*Agent // by id
	byPID       map[string]*Agent
	byObserver  map[int]*Agent
	recovered   map[string]*RecoveredAgent
	unreachable map[string]*DepartedAgent
	gone        map[string]*DepartedAgent
	removed     *recent[string]
	// registering and reregistering are agents whose registry write runs, by UPID
	// and by id; leaving those that are being marked unreachable, or removed.
	registering   map[string]struct{}
	reregistering map[string]struct{}
	leaving       map[string]departure
	// expected is how many agents the registry held at the start; drained are agents
	// whose drain may be over.
	expected    int
	drained     map[string]struct{}
	ledger      ledger
	maintenance maintenance
	removals    limiter
	rates       rates
	// unreachableTasks are, by agent and framework, the tasks remembered there.
	unreachableTasks map[string]map[string][]string

	known     map[string]*Framework // by id, completed ones excluded
	byStream  map[StreamID]*Framework
	byDriver  map[string]*Framework // by the UPID of the driver
	completed []*Framework          // oldest first
	outOffers map[string]*Offer
	// quotas are by role; a role may be there with a quota of nothing.
	quotas   map[string]Quota
	written  map[WriteID]func(error)
	counts   counters
	watchers watchers
}

// New returns a Core that knows what the registry held.
func New(now time.Time, cfg Config, recovery Recovery) *Core {
	cfg = cfg.withDefaults()
	weights := make(map[string]float64, len(cfg.Weights))
	for role, w := range cfg.Weights {
		weights[role] = w
	}
	if len(recovery.Weights) > 0 {
		clear(weights) // the registry's weights replace those of the flag
		for _, w := range recovery.Weights {
			weights[w.GetRole()] = w.GetWeight()
		}
	}
	cfg.Weights = weights
	c := &Core{
		cfg: cfg,
		log: cfg.Logger,
		alloc: allocator.New(allocator.Config{
			Interval:        cfg.AllocationInterval,
			Weights:         weights,
			RoleSorter:      cfg.RoleSorter,
			FrameworkSorter: cfg.FrameworkSorter,
			ExcludedNames:   cfg.FairSharingExcludedResources,
			FilterGPU:       cfg.FilterGPUResources,
			MasterDomain:    cfg.Master.GetDomain(),
			MinAllocatable:  cfg.MinAllocatable,
			RecoveryFactor:  cfg.AllocatorRecoveryFactor,
			RecoveryTimeout: cfg.AllocatorRecoveryTimeout,
			Seed:            uint64(now.UnixNano()),
		}),
		now:              now,
		registered:       make(map[string]*Agent),
		byPID:            make(map[string]*Agent),
		byObserver:       make(map[int]*Agent),
		recovered:        make(map[string]*RecoveredAgent),
		unreachable:      make(map[string]*DepartedAgent),
		gone:             make(map[string]*DepartedAgent),
		removed:          newRecent[string](DefaultMaxRemovedAgents),
		registering:      make(map[string]struct{}),
		reregistering:    make(map[string]struct{}),
		leaving:          make(map[string]departure),
		drained:          make(map[string]struct{}),
		ledger:           newLedger(),
		maintenance:      newMaintenance(),
		removals:         limiter{every: cfg.AgentRemovalInterval},
		rates:            newRates(cfg.RateLimits),
		unreachableTasks: make(map[string]map[string][]string),
		known:            make(map[string]*Framework),
		byStream:         make(map[StreamID]*Framework),
		byDriver:         make(map[string]*Framework),
		outOffers:        make(map[string]*Offer),
		written:          make(map[WriteID]func(error)),
		counts:           make(counters),
	}
	c.recover(recovery)
	return c
}

// Revision grows with every change of the state.
func (c *Core) Revision() uint64 { return c.rev }

// Step takes in one event. What follows from it comes with the next Flush.
func (c *Core) Step(now time.Time, event Event) {
	if now.After(c.now) {
		c.now = now
	}
	if c.failed {
		return
	}
	for t := c.timers.due(c.now); t != nil; t = c.timers.due(c.now) {
		t.do(c.now)
	}
	switch e := event.(type) {
	case AgentMessage:
		c.agentMessage(e)
	case Pong:
		c.pong(e.Observer)
	case PeerExited:
		if c.byDriver[e.PID] != nil {
			c.hearEnd(e.PID, func() { c.driverExited(e.PID) })
		} else {
			c.agentExited(e.PID)
		}
	case Subscribe:
		c.subscribe(e)
	case DriverCall:
		c.hear(e.PID, e.Message, func() { c.driverCall(e) })
	case DriverDeactivate:
		c.hear(e.PID, "mesos.internal.DeactivateFrameworkMessage", func() { c.driverDeactivate(e) })
	case StreamClosed:
		c.streamClosed(e.Stream)
	case Call:
		c.call(e)
	case Watch:
		c.watch(e.Stream)
	case WatchEnded:
		c.unwatch(e.Stream)
	case Teardown:
		c.operatorTeardown(e)
	case operatorCall:
		e.carryOut(c)
	case Written:
		c.writeDone(e)
	case Tick:
	}
	c.finishDrains()
}

// Flush makes offers of what became free and returns all effects since the last
// Flush.
func (c *Core) Flush(now time.Time) []Effect {
	if now.After(c.now) {
		c.now = now
	}
	if !c.failed {
		c.allocate()
	}
	out := c.out
	c.out = nil
	return out
}

// Next is when the core wants a Tick if nothing happens before, zero for never.
func (c *Core) Next() time.Time {
	next, other := c.timers.next(), c.alloc.Next()
	if next.IsZero() || !other.IsZero() && other.Before(next) {
		return other
	}
	return next
}

func (c *Core) effect(e Effect) { c.out = append(c.out, e) }

func (c *Core) send(to string, m proto.Message) { c.effect(Send{To: to, Message: m}) }

// sendAgent sends a message with resources to an agent, in the form the agent
// understands. The message is the caller's own. It is dropped, with a warning,
// when an old agent could not understand it.
func (c *Core) sendAgent(a *Agent, m proto.Message) {
	if !a.Capabilities.ReservationRefinement {
		m = proto.Clone(m)
		if err := resources.DowngradeAll(m); err != nil {
			c.log.Warn("not sent: the agent does not know refined reservations", "agent", a.ID, "message", string(m.ProtoReflect().Descriptor().Name()))
			return
		}
	}
	c.send(a.PID, m)
}

// emit tells a framework's scheduler something, in the words of the stream it reads
// or of the messages its driver knows.
func (c *Core) emit(f *Framework, e *schedulerpb.Event) {
	switch {
	case f.Stream != 0:
		f.countEvent(e)
		c.effect(Emit{Stream: f.Stream, Event: e})
	case f.PID != "":
		if m := c.driverMessage(f, e); m != nil {
			f.countEvent(e)
			c.send(f.PID, m)
		}
	}
}

// store asks for a registry write and goes on with then once it is durable.
func (c *Core) store(then func(), changes ...Change) {
	if len(changes) == 0 {
		then()
		return
	}
	c.ledger.follow(changes)
	c.writes++
	id := WriteID(c.writes)
	c.written[id] = func(err error) {
		if err != nil {
			c.failed = true
			c.effect(Abort{Err: err})
			return
		}
		then()
	}
	c.effect(Write{Write: id, Changes: changes})
}

func (c *Core) writeDone(e Written) {
	if then := c.written[e.Write]; then != nil {
		delete(c.written, e.Write)
		then(e.Err)
	}
}

func (c *Core) after(d time.Duration, do func(time.Time)) *timer {
	return c.timers.set(c.now.Add(d), do)
}

// touch notes a change of a framework, an agent, or both.
func (c *Core) touch(f *Framework, a *Agent) {
	c.rev++
	if f != nil {
		f.rev = c.rev
	}
	if a != nil {
		a.rev = c.rev
	}
}

// seconds is the wire form of a time: unix seconds with microseconds.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

func (c *Core) timeInfo() *mesospb.TimeInfo {
	return &mesospb.TimeInfo{Nanoseconds: proto.Int64(c.now.UnixNano())}
}

// recent is a bounded set of the newest values.
type recent[T comparable] struct {
	max   int
	order []T
	set   map[T]struct{}
}

func newRecent[T comparable](max int) *recent[T] {
	return &recent[T]{max: max, set: make(map[T]struct{})}
}

func (r *recent[T]) has(v T) bool { _, ok := r.set[v]; return ok }

func (r *recent[T]) remove(v T) { delete(r.set, v) }

func (r *recent[T]) add(v T) {
	if r.has(v) {
		return
	}
	r.set[v] = struct{}{}
	r.order = append(r.order, v)
	for len(r.order) > r.max {
		delete(r.set, r.order[0])
		r.order = r.order[1:]
	}
}
