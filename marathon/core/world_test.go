package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sort"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/core"
	"stoa/marathon/event"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/launch"
	"stoa/marathon/storage"

	"google.golang.org/protobuf/proto"
)

// failer is a test, or a check of a random history.
type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// world is everything around a core: a store, a master with agents, and time. Nothing
// in it waits: time passes when the test says so.
type world struct {
	t      failer
	core   *core.Core
	now    time.Time
	store  *memory
	random *rand.Rand

	agents []*agent
	tasks  map[string]*task
	// wanting are the roles that offers are made for; filtered are agents whose offers
	// were declined.
	wanting  map[string]bool
	filtered map[string]bool
	offers   map[string]*agent
	offerNo  int
	uuidNo   int

	queue     []core.Effect // stored, not yet carried out
	events    []event.Event
	connected bool
	probes    map[core.ProbeKey]core.Probe
	readiness map[string]core.ReadinessProbe
	calls     []*schedulerpb.Call
	// crashAfter counts down the effects until the process dies; negative is never.
	crashAfter int
	crashes    int

	// behave decides what becomes of a task when it is launched.
	behave func(*task)
	// observe is called after every change of a task.
	observe func()
}

type agent struct {
	id, host  string
	cpus, mem float64
	ports     [2]uint64
	used      map[string]*task
	attribute map[string]string
	// away is an agent that the master waits for since it began to lead.
	away bool
}

// task is a task as the master sees it.
type task struct {
	info  *mesospb.TaskInfo
	agent *agent
	state mesospb.TaskState
	// next is what the task turns to, and when.
	next   mesospb.TaskState
	nextAt time.Time
	// unacked is the update that the agent repeats until it is acknowledged.
	unacked *mesospb.TaskStatus
	env     map[string]string
}

func (t *task) live() bool {
	switch t.state {
	case mesospb.TaskState_TASK_STAGING, mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_KILLING:
		return true
	}
	return false
}

func (t *task) appID() id.Path { return id.Path(t.env["MARATHON_APP_ID"]) }

func newWorld(t failer, seed uint64) *world {
	w := &world{
		t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), store: newMemory(),
		random: rand.New(rand.NewPCG(seed, 7)),
		tasks:  map[string]*task{}, wanting: map[string]bool{}, filtered: map[string]bool{}, offers: map[string]*agent{},
		probes: map[core.ProbeKey]core.Probe{}, readiness: map[string]core.ReadinessProbe{},
		crashAfter: -1,
	}
	w.start()
	return w
}

func (w *world) addAgent(host string, cpus, mem float64) *agent {
	a := &agent{
		id: fmt.Sprintf("agent-S%d", len(w.agents)), host: host, cpus: cpus, mem: mem,
		ports: [2]uint64{31000, 32000}, used: map[string]*task{}, attribute: map[string]string{},
	}
	w.agents = append(w.agents, a)
	return a
}

func (w *world) settings() core.Settings {
	return core.Settings{
		Group:                 group.Settings{ServicePorts: group.PortRange{Min: 10000, Max: 20000}},
		Launch:                launch.Settings{AcceptedRolesDefault: "any", Maintenance: true, GPUsRestricted: true},
		Framework:             &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("marathon")},
		DefaultRole:           "*",
		MaxRunningDeployments: 100,
		MaxInstancesPerOffer:  100,
		MaxVersions:           50,
		DeclineFor:            2 * time.Minute,
		MinReviveInterval:     5 * time.Second,
		Suppress:              true,
		KillChunk:             100,
		KillRetry:             30 * time.Second,
		LaunchConfirmTimeout:  5 * time.Minute,
		LaunchTimeout:         5 * time.Minute,

		ReconciliationInitialDelay: 15 * time.Second,
		ReconciliationInterval:     10 * time.Minute,
		ScaleInitialDelay:          15 * time.Second,
		ScaleInterval:              5 * time.Minute,

		NewInstanceUUID: func() string {
			w.uuidNo++
			return fmt.Sprintf("%08x-0000-11f0-8000-000000000000", w.uuidNo)
		},
		NewDeploymentID: func() string { w.uuidNo++; return fmt.Sprintf("deployment-%d", w.uuidNo) },
		Random:          w.random,
	}
}

// start is a process that begins: it knows what the store knows.
func (w *world) start() {
	w.t.Helper()
	state, err := storage.Load(context.Background(), w.store, false)
	if err != nil {
		w.t.Fatal(err)
	}
	w.queue = nil
	w.connected = false
	w.wanting, w.filtered, w.offers = map[string]bool{}, map[string]bool{}, map[string]*agent{}
	w.probes, w.readiness = map[core.ProbeKey]core.Probe{}, map[string]core.ReadinessProbe{}
	w.core = core.New(w.settings(), state, w.now)
	w.pump()
}

// crash ends the process at once, without carrying out what is queued.
func (w *world) crash() {
	w.crashes++
	w.crashAfter = -1
	w.checkAllKnown()
	w.start()
	w.connect()
}

// checkAllKnown says that every live task is in the store: no process that begins with
// it can find a task that it does not know.
func (w *world) checkAllKnown() {
	w.t.Helper()
	state, err := storage.Load(context.Background(), w.store, false)
	if err != nil {
		w.t.Fatal(err)
	}
	known := map[string]bool{}
	for _, i := range state.Instances {
		for _, t := range i.Tasks {
			known[t.ID] = true
		}
	}
	for taskID, t := range w.tasks {
		if t.live() && !known[taskID] {
			w.t.Fatalf("task %s lives, but the store has no instance of it", taskID)
		}
	}
}

// connect subscribes; the agents repeat what was not acknowledged.
func (w *world) connect() {
	w.connected = true
	w.core.Subscribed(&schedulerpb.Event_Subscribed{
		FrameworkId: &mesospb.FrameworkID{Value: proto.String("framework-1")},
		MasterInfo:  &mesospb.MasterInfo{Hostname: proto.String("master")},
	}, "http://master:5050", w.now)
	for role := range map[string]bool{"*": true} {
		w.wanting[role] = true
	}
	w.pump()
	for _, taskID := range w.sortedTasks() {
		if t := w.tasks[taskID]; t.unacked != nil {
			w.core.Update(t.unacked, w.now)
			w.pump()
		}
	}
}

func (w *world) sortedTasks() []string {
	var ids []string
	for taskID := range w.tasks {
		ids = append(ids, taskID)
	}
	sort.Strings(ids)
	return ids
}

// pump lets the core decide, stores it and carries it out, until nothing is left.
func (w *world) pump() {
	w.t.Helper()
	for n := 0; ; n++ {
		if n > 10_000 {
			w.t.Fatal("the core never comes to rest")
		}
		w.core.Tick(w.now)
		w.core.Settle(w.now)
		effects := w.core.Take()
		ops, err := storage.Ops(effects.Writes)
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.store.Apply(context.Background(), ops...); err != nil {
			w.t.Fatal(err)
		}
		w.queue = append(w.queue, effects.After...)
		if len(w.queue) == 0 && !w.makeOffers() {
			return
		}
		for len(w.queue) > 0 {
			if w.crashAfter == 0 {
				w.crash()
				return
			}
			if w.crashAfter > 0 {
				w.crashAfter--
			}
			e := w.queue[0]
			w.queue = w.queue[1:]
			w.carryOut(e)
		}
	}
}

func (w *world) carryOut(e core.Effect) {
	switch e := e.(type) {
	case core.Call:
		w.calls = append(w.calls, e.Call)
		w.master(e.Call)
	case core.Publish:
		w.events = append(w.events, e.Event)
		event.Encode(e.Event, e.At)
	case core.StartProbe:
		w.probes[e.Probe.Key] = e.Probe
	case core.StopProbe:
		delete(w.probes, e.Key)
	case core.StartReadiness:
		w.readiness[e.Probe.TaskID] = e.Probe
	case core.StopReadiness:
		delete(w.readiness, e.TaskID)
	case core.Answer:
		e.Do()
	}
}

// pass lets time go by, from one thing that happens to the next.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	w.pump()
	for {
		next := end
		if due := w.core.Next(); !due.IsZero() && due.Before(next) {
			next = due
		}
		for _, t := range w.tasks {
			if t.live() && t.next != t.state && t.nextAt.Before(next) {
				next = t.nextAt
			}
		}
		if next.Before(w.now) {
			next = w.now
		}
		w.now = next
		for _, taskID := range w.sortedTasks() {
			t := w.tasks[taskID]
			if t.live() && t.next != t.state && !t.nextAt.After(w.now) {
				w.status(t, t.next)
				w.pump()
			}
		}
		w.pump()
		if !w.now.Before(end) {
			return
		}
	}
}
