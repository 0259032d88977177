package core_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/internal/store"
	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/event"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/launch"
	"stoa/marathon/storage"
	"stoa/marathon/timestamp"

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
	answered  int
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

// makeOffers offers every agent's free resources, if anyone wants them.
func (w *world) makeOffers() bool {
	if !w.connected || !w.wanting["*"] {
		return false
	}
	var offers []*mesospb.Offer
	for _, a := range w.agents {
		if w.filtered[a.id] || w.offered(a) {
			continue
		}
		o := w.offer(a)
		w.offers[o.GetId().GetValue()] = a
		offers = append(offers, o)
	}
	if len(offers) == 0 {
		return false
	}
	w.core.Offers(offers, w.now)
	return true
}

func (w *world) offered(a *agent) bool {
	for _, o := range w.offers {
		if o == a {
			return true
		}
	}
	return false
}

func (w *world) offer(a *agent) *mesospb.Offer {
	w.offerNo++
	cpus, mem := a.cpus, a.mem
	taken := map[uint64]bool{}
	for _, t := range a.used {
		for _, r := range t.info.Resources {
			switch r.GetName() {
			case "cpus":
				cpus -= r.GetScalar().GetValue()
			case "mem":
				mem -= r.GetScalar().GetValue()
			case "ports":
				for _, rg := range r.GetRanges().GetRange() {
					for p := rg.GetBegin(); p <= rg.GetEnd(); p++ {
						taken[p] = true
					}
				}
			}
		}
	}
	o := &mesospb.Offer{
		Id:             &mesospb.OfferID{Value: proto.String(fmt.Sprintf("offer-%d", w.offerNo))},
		AgentId:        &mesospb.AgentID{Value: proto.String(a.id)},
		Hostname:       proto.String(a.host),
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
	}
	scalar := func(name string, v float64) {
		if v > 0.0005 {
			o.Resources = append(o.Resources, &mesospb.Resource{
				Name: proto.String(name), Type: mesospb.Value_SCALAR.Enum(),
				Scalar: &mesospb.Value_Scalar{Value: proto.Float64(float64(int64(v*1000+0.5)) / 1000)}, Role: proto.String("*"),
			})
		}
	}
	scalar("cpus", cpus)
	scalar("mem", mem)
	scalar("disk", 10000)
	ports := &mesospb.Value_Ranges{}
	for p := a.ports[0]; p <= a.ports[1]; p++ {
		if taken[p] {
			continue
		}
		if n := len(ports.Range); n > 0 && ports.Range[n-1].GetEnd()+1 == p {
			ports.Range[n-1].End = proto.Uint64(p)
		} else {
			ports.Range = append(ports.Range, &mesospb.Value_Range{Begin: proto.Uint64(p), End: proto.Uint64(p)})
		}
	}
	o.Resources = append(o.Resources, &mesospb.Resource{
		Name: proto.String("ports"), Type: mesospb.Value_RANGES.Enum(), Ranges: ports, Role: proto.String("*"),
	})
	var names []string
	for name := range a.attribute {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		o.Attributes = append(o.Attributes, &mesospb.Attribute{
			Name: proto.String(name), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: proto.String(a.attribute[name])},
		})
	}
	return o
}

// master takes a call the way a master does.
func (w *world) master(call *schedulerpb.Call) {
	switch call.GetType() {
	case schedulerpb.Call_ACCEPT:
		offerID := call.GetAccept().GetOfferIds()[0].GetValue()
		a := w.offers[offerID]
		delete(w.offers, offerID)
		for _, op := range call.GetAccept().GetOperations() {
			for _, info := range op.GetLaunch().GetTaskInfos() {
				w.launch(a, info)
			}
		}
	case schedulerpb.Call_DECLINE:
		for _, o := range call.GetDecline().GetOfferIds() {
			if a := w.offers[o.GetValue()]; a != nil {
				delete(w.offers, o.GetValue())
				w.filtered[a.id] = true
			}
		}
	case schedulerpb.Call_REVIVE:
		clear(w.filtered)
		for _, role := range call.GetRevive().GetRoles() {
			w.wanting[role] = true
		}
	case schedulerpb.Call_SUPPRESS:
		for _, role := range call.GetSuppress().GetRoles() {
			delete(w.wanting, role)
		}
	case schedulerpb.Call_KILL:
		w.kill(call.GetKill())
	case schedulerpb.Call_ACKNOWLEDGE:
		if t := w.tasks[call.GetAcknowledge().GetTaskId().GetValue()]; t != nil {
			if t.unacked != nil && string(t.unacked.GetUuid()) == string(call.GetAcknowledge().GetUuid()) {
				t.unacked = nil
			}
		}
	case schedulerpb.Call_RECONCILE:
		w.reconcile(call.GetReconcile())
	}
}

func (w *world) launch(a *agent, info *mesospb.TaskInfo) {
	taskID := info.GetTaskId().GetValue()
	if a == nil {
		w.status(&task{info: info}, mesospb.TaskState_TASK_DROPPED)
		return
	}
	if w.tasks[taskID] != nil {
		w.t.Fatalf("task id %s was used before", taskID)
	}
	t := &task{
		info: info, agent: a, state: mesospb.TaskState_TASK_STAGING,
		next: mesospb.TaskState_TASK_RUNNING, nextAt: w.now.Add(time.Duration(w.random.IntN(2000)) * time.Millisecond),
		env: map[string]string{},
	}
	command := info.GetCommand()
	for _, v := range command.GetEnvironment().GetVariables() {
		t.env[v.GetName()] = v.GetValue()
	}
	if w.behave != nil {
		w.behave(t)
	}
	w.tasks[taskID] = t
	a.used[taskID] = t
	w.changed()
}

func (w *world) changed() {
	if w.observe != nil {
		w.observe()
	}
}

func (w *world) kill(k *schedulerpb.Call_Kill) {
	t := w.tasks[k.GetTaskId().GetValue()]
	switch {
	case t == nil || !t.live():
		w.queueUpdate(&mesospb.TaskStatus{
			TaskId: k.TaskId, State: mesospb.TaskState_TASK_UNKNOWN.Enum(), AgentId: k.AgentId,
		})
	case t.next != mesospb.TaskState_TASK_KILLED:
		t.next = mesospb.TaskState_TASK_KILLED
		t.nextAt = w.now.Add(time.Duration(w.random.IntN(1000)) * time.Millisecond)
	}
}

func (w *world) reconcile(r *schedulerpb.Call_Reconcile) {
	if len(r.GetTasks()) == 0 {
		for _, taskID := range w.sortedTasks() {
			if t := w.tasks[taskID]; t.live() {
				w.queueUpdate(&mesospb.TaskStatus{
					TaskId: t.info.TaskId, State: t.state.Enum(), AgentId: t.info.AgentId,
					Reason: mesospb.TaskStatus_REASON_RECONCILIATION.Enum(),
				})
			}
		}
		return
	}
	for _, asked := range r.GetTasks() {
		state := mesospb.TaskState_TASK_GONE
		if t := w.tasks[asked.GetTaskId().GetValue()]; t != nil && (t.live() || t.state == mesospb.TaskState_TASK_UNREACHABLE) {
			state = t.state
		}
		w.queueUpdate(&mesospb.TaskStatus{
			TaskId: asked.TaskId, State: state.Enum(), AgentId: asked.AgentId,
			Reason: mesospb.TaskStatus_REASON_RECONCILIATION.Enum(),
		})
	}
}

// queueUpdate delivers an update of the master's own after the present effect.
func (w *world) queueUpdate(s *mesospb.TaskStatus) {
	w.queue = append(w.queue, core.Answer{Do: func() { w.core.Update(s, w.now) }})
}

// status lets a task turn to a state and delivers the update.
func (w *world) status(t *task, state mesospb.TaskState) {
	t.state = state
	w.offerNo++
	s := &mesospb.TaskStatus{
		TaskId: t.info.TaskId, State: state.Enum(), AgentId: t.info.AgentId,
		Uuid: []byte(fmt.Sprintf("uuid-%d", w.offerNo)), Timestamp: proto.Float64(float64(w.now.UnixMilli()) / 1000),
	}
	if !t.live() && t.agent != nil {
		delete(t.agent.used, t.info.GetTaskId().GetValue())
		delete(w.filtered, t.agent.id)
	}
	t.unacked = s
	w.changed()
	if w.connected {
		w.core.Update(s, w.now)
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

// update changes the tree and fails the test when that is refused.
func (w *world) update(force bool, change func(*group.Root, timestamp.Timestamp) (*group.Root, error)) core.Deployed {
	w.t.Helper()
	d, err := w.tryUpdate(force, change)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) tryUpdate(force bool, change func(*group.Root, timestamp.Timestamp) (*group.Root, error)) (core.Deployed, error) {
	d, err := w.core.UpdateRoot(core.Update{Change: change, GroupID: id.Root, Force: force}, w.now)
	w.pump()
	return d, err
}

// put is a change that defines an app.
func put(a *app.App) func(*group.Root, timestamp.Timestamp) (*group.Root, error) {
	return func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		fresh := *a
		fresh.VersionInfo = app.OnlyVersion(version)
		if old := root.App(a.ID); old != nil {
			fresh.VersionInfo = old.VersionInfo
		}
		return root.WithApp(&fresh, version), nil
	}
}

func remove(appID id.Path) func(*group.Root, timestamp.Timestamp) (*group.Root, error) {
	return func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		return root.WithoutApp(appID, version), nil
	}
}

func restart(appID id.Path) func(*group.Root, timestamp.Timestamp) (*group.Root, error) {
	return func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		return root.WithApp(root.App(appID).MarkedForRestart(), version), nil
	}
}

// simple is an app as the API would make it of {"id":…, "cmd":…, "instances":…}.
func simple(appID id.Path, instances int) *app.App {
	return &app.App{
		ID: appID, Cmd: "sleep 1000", Instances: instances,
		Resources:       app.Resources{CPUs: 0.1, Mem: 10},
		PortDefinitions: []app.PortDefinition{{Name: "default", Protocol: app.TCP}},
		Backoff:         app.Backoff{Backoff: time.Second, Factor: 1.15, MaxLaunchDelay: 5 * time.Minute},
		UpgradeStrategy: app.UpgradeStrategy{MinimumHealthCapacity: 1, MaximumOverCapacity: 1},
		Networks:        []app.Network{{Mode: app.NetworkHost}},
		KillSelection:   app.YoungestFirst,
		Role:            "*",
	}
}

// running lists the tasks of an app that run, oldest first.
func (w *world) running(appID id.Path) []*task {
	var out []*task
	for _, taskID := range w.sortedTasks() {
		if t := w.tasks[taskID]; t.state == mesospb.TaskState_TASK_RUNNING && t.appID() == appID {
			out = append(out, t)
		}
	}
	return out
}

func (w *world) live(appID id.Path) int {
	n := 0
	for _, t := range w.tasks {
		if t.live() && t.appID() == appID {
			n++
		}
	}
	return n
}

func (w *world) instances(appID id.Path) []*instance.Instance { return w.core.View().Instances[appID] }

func (w *world) eventTypes() []string {
	var out []string
	for _, e := range w.events {
		out = append(out, e.Type())
	}
	return out
}

func (w *world) count(types ...string) int {
	n := 0
	for _, e := range w.events {
		if slices.Contains(types, e.Type()) {
			n++
		}
	}
	return n
}

// memory is a store.Store that forgets with the process.
type memory struct{ records map[string][]byte }

func newMemory() *memory { return &memory{records: map[string][]byte{}} }

func (m *memory) Get(_ context.Context, key string) (store.Record, error) {
	v, ok := m.records[key]
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	return store.Record{Key: key, Value: v, Version: 1}, nil
}

func (m *memory) List(_ context.Context, prefix string) ([]store.Record, error) {
	var out []store.Record
	for key, v := range m.records {
		if strings.HasPrefix(key, prefix) {
			out = append(out, store.Record{Key: key, Value: v, Version: 1})
		}
	}
	slices.SortFunc(out, func(a, b store.Record) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}

func (m *memory) Apply(_ context.Context, ops ...store.Op) ([]int64, error) {
	versions := make([]int64, len(ops))
	for n, op := range ops {
		if op.Delete {
			delete(m.records, op.Key)
			continue
		}
		m.records[op.Key] = op.Value
		versions[n] = 1
	}
	return versions, nil
}

func (m *memory) Close() error { return nil }
