package core

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// history is a random history of agents, frameworks, offers and failures, with what
// the outside knows.
type history struct {
	*world
	r      *rapid.T
	agents map[int]string // registered once, by number
	frames []string       // framework ids, in order of their first subscription
	stream StreamID
	tasks  int
	// acks are the acknowledgements that frameworks made, by uuid.
	acks map[string]bool
	// live are the tasks as their agents know them.
	live map[taskKey]*mesospb.Task
}

func (h *history) pick(n int, label string) int { return rapid.IntRange(0, n-1).Draw(h.r, label) }

func (h *history) addAgentAction() {
	n := h.pick(4, "agent") + 1
	h.step(AgentMessage{From: pidOf(n), IP: ipOf(n), Message: &internalpb.RegisterSlaveMessage{
		Slave: agentInfo(n, small), Version: proto.String("1.11.0"), AgentCapabilities: allCapabilities, ResourceVersionUuid: version0,
	}})
	for _, a := range h.c.registered {
		if a.PID == pidOf(n) {
			h.agents[n] = a.ID
		}
	}
}

func (h *history) subscribeAction() {
	h.stream++
	roles := [][]string{{"*"}, {"a"}, {"a", "b"}, {"a/x", "b"}}[h.pick(4, "roles")]
	info := inRoles(frameworkInfo(), roles...)
	if h.pick(2, "aware") == 1 {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: mesospb.FrameworkInfo_Capability_PARTITION_AWARE.Enum()})
	}
	info.Checkpoint = proto.Bool(h.pick(3, "checkpoint") > 0)
	if len(h.frames) > 0 && h.pick(2, "again") == 1 {
		info.Id = &mesospb.FrameworkID{Value: proto.String(h.frames[h.pick(len(h.frames), "which")])}
	}
	if h.pick(2, "driver") == 1 {
		h.subscribeDriverAction(info)
		return
	}
	if f := h.subscribe(h.stream, info); f != "" && info.Id == nil {
		h.frames = append(h.frames, f)
	}
}

// subscribeDriverAction has one of a few drivers subscribe, as the framework it says it
// is.
func (h *history) subscribeDriverAction(info *mesospb.FrameworkInfo) {
	h.step(DriverCall{
		PID: driverAt(h.pick(3, "address") + 1), Force: h.pick(2, "force") == 1, Old: h.pick(3, "old") == 0,
		Call: &schedulerpb.Call{
			Type: schedulerpb.Call_SUBSCRIBE.Enum(), FrameworkId: info.Id,
			Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: info},
		},
	})
	for id := range h.c.known {
		if !slices.Contains(h.frames, id) {
			h.frames = append(h.frames, id)
		}
	}
}

func (h *history) abortAction() {
	if f := h.someFramework(); f != nil && f.PID != "" {
		h.step(DriverDeactivate{PID: f.PID, Framework: f.ID})
	}
}

func (h *history) someFramework() *Framework {
	if len(h.frames) == 0 {
		return nil
	}
	return h.c.known[h.frames[h.pick(len(h.frames), "framework")]]
}

func (h *history) closeAction() {
	switch f := h.someFramework(); {
	case f == nil:
	case f.Stream != 0:
		h.step(StreamClosed{Stream: f.Stream})
	case f.PID != "":
		h.step(PeerExited{PID: f.PID})
	}
}

func (h *history) acceptAction() {
	f := h.someFramework()
	if f == nil || len(f.Offers) == 0 {
		return
	}
	o := f.Offers[sortedKeys(f.Offers)[h.pick(len(f.Offers), "offer")]]
	var ops []*mesospb.Offer_Operation
	for range h.pick(3, "tasks") {
		h.tasks++
		one := task(fmt.Sprint("t", h.tasks), o.Agent.ID, "cpus:1;mem:64")
		if h.pick(3, "executor") == 0 {
			one.Executor = &mesospb.ExecutorInfo{
				ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, Command: one.Command, Resources: res("cpus:0.1;mem:32"),
			}
			one.Command = nil
		}
		ops = append(ops, launchOp(one))
	}
	h.accept(f.ID, []string{o.ID}, float64(h.pick(3, "refuse")), ops...)
}

func (h *history) declineAction() {
	if f := h.someFramework(); f != nil && len(f.Offers) > 0 {
		h.decline(f.ID, sortedKeys(f.Offers)[h.pick(len(f.Offers), "offer")], float64(h.pick(20, "refuse")))
	}
}

// learn notes the launches that reached agents.
func (h *history) learn() {
	for pid, messages := range h.sent {
		for _, m := range messages {
			if err := proto.CheckInitialized(m); err != nil {
				h.r.Fatalf("to %s: %v", pid, err)
			}
			switch m := m.(type) {
			case *internalpb.ResourceOffersMessage:
				if len(m.Offers) == 0 || len(m.Offers) != len(m.Pids) {
					h.r.Fatalf("%d offers of %d agents to %s", len(m.Offers), len(m.Pids), pid)
				}
			case *internalpb.RunTaskMessage:
				if f := h.c.known[m.Framework.GetId().GetValue()]; f != nil && m.GetPid() == "" {
					h.r.Fatalf("a task without the address of its framework went to %s", pid)
				}
				p := newTask(&Framework{ID: m.Framework.GetId().GetValue(), Info: m.Framework}, m.Task)
				h.live[taskKey{m.Framework.GetId().GetValue(), m.Task.GetTaskId().GetValue()}] = p
			case *internalpb.StatusUpdateAcknowledgementMessage:
				if !h.acks[string(m.Uuid)] {
					h.r.Fatalf("an acknowledgement that no framework made went to %s", pid)
				}
			case *internalpb.ShutdownFrameworkMessage:
				for key := range h.live {
					if key.framework == m.GetFrameworkId().GetValue() {
						delete(h.live, key)
					}
				}
			}
		}
		delete(h.sent, pid)
	}
}

func (h *history) updateAction() {
	if len(h.live) == 0 {
		return
	}
	keys := make(map[string]taskKey)
	for k := range h.live {
		keys[k.framework+"/"+k.task] = k
	}
	k := keys[sortedKeys(keys)[h.pick(len(keys), "task")]]
	p := h.live[k]
	state := []mesospb.TaskState{mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_FAILED}[h.pick(3, "state")]
	n := h.numberOf(p.GetAgentId().GetValue())
	if n == 0 {
		return
	}
	p.State = state.Enum()
	uuid := h.update(n, k.framework, p.GetAgentId().GetValue(), k.task, state)
	if h.pick(3, "acknowledge") > 0 {
		h.acks[string(uuid)] = true
		h.acknowledge(k.framework, p.GetAgentId().GetValue(), k.task, uuid)
		if Terminal(state) {
			delete(h.live, k)
		}
	}
}

func (h *history) numberOf(agent string) int {
	for n, id := range h.agents {
		if id == agent {
			return n
		}
	}
	return 0
}

func (h *history) disconnectAction() {
	if n := h.pick(4, "agent") + 1; h.agents[n] != "" {
		h.step(PeerExited{PID: pidOf(n)})
	}
}

// returnAction has an agent re-register with what it has.
func (h *history) returnAction() {
	n := h.pick(4, "agent") + 1
	id := h.agents[n]
	if id == "" {
		return
	}
	frameworks := make(map[string]*mesospb.FrameworkInfo)
	var tasks []*mesospb.Task
	for k, p := range h.live {
		if p.GetAgentId().GetValue() != id {
			continue
		}
		info := inRoles(frameworkInfo(), "*")
		info.Id = &mesospb.FrameworkID{Value: proto.String(k.framework)}
		frameworks[k.framework] = info
		p = proto.Clone(p).(*mesospb.Task)
		p.ExecutorId = nil
		tasks = append(tasks, p)
	}
	var infos []*mesospb.FrameworkInfo
	for _, f := range sortedKeys(frameworks) {
		infos = append(infos, frameworks[f])
	}
	h.step(AgentMessage{From: pidOf(n), IP: ipOf(n), Message: reregistration(n, id, small, infos, tasks...)})
}

func (h *history) unregisterAction() {
	n := h.pick(4, "agent") + 1
	if id := h.agents[n]; id != "" {
		h.step(AgentMessage{From: pidOf(n), IP: ipOf(n), Message: &internalpb.UnregisterSlaveMessage{SlaveId: &mesospb.AgentID{Value: &id}}})
		if h.c.registered[id] == nil {
			delete(h.agents, n)
			for k, p := range h.live {
				if p.GetAgentId().GetValue() == id {
					delete(h.live, k)
				}
			}
		}
	}
}

func (h *history) suppressAction() {
	if f := h.someFramework(); f != nil {
		kind := []schedulerpb.Call_Type{schedulerpb.Call_SUPPRESS, schedulerpb.Call_REVIVE}[h.pick(2, "kind")]
		h.call(f.ID, &schedulerpb.Call{Type: kind.Enum()})
	}
}

func (h *history) teardownAction() {
	if f := h.someFramework(); f != nil && h.pick(3, "really") == 0 {
		h.call(f.ID, &schedulerpb.Call{Type: schedulerpb.Call_TEARDOWN.Enum()})
	}
}

func (h *history) timeAction() {
	var answering []string
	for n := range h.agents {
		if rapid.Bool().Draw(h.r, "answers") {
			answering = append(answering, pidOf(n))
		}
	}
	h.advance(time.Duration(h.pick(200, "seconds"))*time.Second, answering...)
}

// check holds the invariants against the whole state.
func (h *history) check() {
	h.learn()
	c, r := h.c, h.r
	for id, a := range c.registered {
		var offered resources.Resources
		used := make(map[string]resources.Resources)
		for oid, o := range a.Offers {
			offered = offered.Add(o.Resources)
			if c.outOffers[oid] != o || o.Framework.Offers[oid] != o || c.known[o.Framework.ID] != o.Framework {
				r.Fatalf("offer %s is not everywhere", oid)
			}
			if !a.Active || o.Framework.State != Active {
				r.Fatalf("offer %s is out for an inactive agent or framework", oid)
			}
		}
		for f, tasks := range a.Tasks {
			for tid, t := range tasks {
				if c.known[f] == nil || c.known[f].Tasks[tid] != t || t.Agent != a {
					r.Fatalf("task %s of %s is not its framework's", tid, f)
				}
				if t.holds() {
					used[f] = used[f].Add(t.Resources)
				}
			}
		}
		for f, list := range a.Executors {
			for eid, e := range list {
				if c.known[f] == nil || c.known[f].Executors[id][eid] != e {
					r.Fatalf("executor %s of %s is not its framework's", eid, f)
				}
				used[f] = used[f].Add(e.Resources)
			}
		}
		total := offered
		for f, rs := range used {
			if !rs.Equal(a.Used[f]) {
				r.Fatalf("agent %s: %s uses %s, counted %s", id, f, rs, a.Used[f])
			}
			total = total.Add(rs)
		}
		for f, rs := range a.Used {
			if !rs.Empty() && used[f].Empty() {
				r.Fatalf("agent %s: %s uses nothing, counted %s", id, f, rs)
			}
		}
		if !offered.Equal(a.Offered) {
			r.Fatalf("agent %s: offered %s, counted %s", id, offered, a.Offered)
		}
		if !a.Total.Contains(total.Unallocate().Merged()) {
			r.Fatalf("agent %s has %s and gave away %s", id, a.Total, total)
		}
		var held resources.Resources
		for _, rs := range c.alloc.Held(id) {
			held = held.Add(rs)
		}
		if !held.Equal(total) {
			r.Fatalf("agent %s: the allocator has %s given away, it is %s", id, held, total)
		}
	}
	h.checkStandings()
	for _, f := range c.known {
		var used, offered resources.Resources
		for tid, t := range f.Tasks {
			if c.registered[t.Agent.ID] != t.Agent || t.Agent.Tasks[f.ID][tid] != t {
				r.Fatalf("task %s is not its agent's", tid)
			}
			if f.Unreachable.Get(tid) != nil {
				r.Fatalf("task %s is both known and unreachable", tid)
			}
			if t.holds() {
				used = used.Add(t.Resources.Scalars())
			}
		}
		for _, list := range f.Executors {
			for _, e := range list {
				used = used.Add(e.Resources.Scalars())
			}
		}
		for _, o := range f.Offers {
			offered = offered.Add(o.Resources.Scalars())
		}
		if !used.Equal(f.Used) || !offered.Equal(f.Offered) {
			r.Fatalf("framework %s: used %s, counted %s; offered %s, counted %s", f.ID, used, f.Used, offered, f.Offered)
		}
		if f.PID != "" && (f.Stream != 0 || c.byDriver[f.PID] != f) {
			r.Fatalf("framework %s is at %s and has stream %d", f.ID, f.PID, f.Stream)
		}
		if f.PID == "" && f.Connected() != (f.Stream != 0) {
			r.Fatalf("framework %s is in state %v with stream %d", f.ID, f.State, f.Stream)
		}
	}
	for pid, f := range c.byDriver {
		if c.known[f.ID] != f || f.PID != pid {
			r.Fatalf("%s is said to be the driver of %s, which is at %q", pid, f.ID, f.PID)
		}
	}
	for _, f := range c.completed {
		if len(f.Tasks)+len(f.Offers)+f.Unreachable.Len()+len(f.Executors) != 0 || !f.Used.Empty() || !f.Offered.Empty() {
			r.Fatalf("completed framework %s still has something", f.ID)
		}
	}
}

// Whatever happens, in whatever order: what agents have is offered, used or free, and
// never two of these; every task is in one place; only frameworks acknowledge.
func TestRandomHistories(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := &history{
			world: newWorld(t), r: r, agents: make(map[int]string),
			acks: make(map[string]bool), live: make(map[taskKey]*mesospb.Task),
		}
		act := func(do func()) func(*rapid.T) { return func(*rapid.T) { do() } }
		r.Repeat(map[string]func(*rapid.T){
			"":           act(h.check),
			"agent":      act(h.addAgentAction),
			"subscribe":  act(h.subscribeAction),
			"close":      act(h.closeAction),
			"abort":      act(h.abortAction),
			"accept":     act(h.acceptAction),
			"accept 2":   act(h.acceptAction),
			"decline":    act(h.declineAction),
			"update":     act(h.updateAction),
			"update 2":   act(h.updateAction),
			"disconnect": act(h.disconnectAction),
			"return":     act(h.returnAction),
			"unregister": act(h.unregisterAction),
			"suppress":   act(h.suppressAction),
			"teardown":   act(h.teardownAction),
			"time":       act(h.timeAction),
			"operator":   act(h.operatorAction),
			"operator 2": act(h.operatorAction),
			"maintain":   act(h.maintainAction),
			"inverse":    act(h.inverseAction),
			"failover":   act(h.failoverAction),
		})
		for _, f := range h.frames {
			if h.c.known[f] != nil {
				h.step(Teardown{Framework: f})
			}
		}
		h.check()
		for id, a := range h.c.registered {
			if len(a.Used) != 0 || !a.Offered.Empty() {
				r.Fatalf("agent %s: without frameworks, %v is used and %s offered", id, a.Used, a.Offered)
			}
		}
	})
}
