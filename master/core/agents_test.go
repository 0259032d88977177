package core

import (
	"errors"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

// running launches a task on the n-th agent and has it run, acknowledged.
func (w *world) running(framework, agent, id string, n int) {
	w.t.Helper()
	f := w.c.known[framework]
	var offer string
	for _, o := range w.c.outOffers {
		if o.Framework == f && o.Agent.ID == agent {
			offer = o.ID
		}
	}
	w.accept(framework, []string{offer}, 0, launchOp(task(id, agent, "cpus:1;mem:64")))
	uuid := w.update(n, framework, agent, id, mesospb.TaskState_TASK_RUNNING)
	w.acknowledge(framework, agent, id, uuid)
	w.take(pidOf(n))
	w.takeEvents(f.Stream)
}

func reregistration(n int, agent, text string, frameworks []*mesospb.FrameworkInfo, tasks ...*mesospb.Task) *internalpb.ReregisterSlaveMessage {
	info := agentInfo(n, text)
	info.Id = &mesospb.AgentID{Value: &agent}
	return &internalpb.ReregisterSlaveMessage{
		Slave: info, Version: proto.String("1.11.0"), AgentCapabilities: allCapabilities,
		ResourceVersionUuid: version0, Frameworks: frameworks, Tasks: tasks,
	}
}

func (w *world) reregister(n int, m *internalpb.ReregisterSlaveMessage) []proto.Message {
	w.t.Helper()
	w.step(AgentMessage{From: pidOf(n), IP: ipOf(n), Message: proto.Clone(m)})
	return w.take(pidOf(n))
}

func reported(framework, agent, id, text string, state mesospb.TaskState) *mesospb.Task {
	t := &mesospb.Task{
		Name: proto.String(id), TaskId: &mesospb.TaskID{Value: &id}, FrameworkId: &mesospb.FrameworkID{Value: &framework},
		AgentId: &mesospb.AgentID{Value: &agent}, State: state.Enum(), Resources: res(text),
	}
	for _, r := range t.Resources {
		r.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: proto.String("*")}
	}
	return t
}

func TestAgentIsPingedAtOnceAndEveryPeriod(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	if len(w.pings[pidOf(1)]) != 1 {
		t.Fatalf("pings at registration: %v", w.pings[pidOf(1)])
	}
	w.advance(time.Minute, pidOf(1))
	if got := w.pings[pidOf(1)]; len(got) != 5 || !got[4] {
		t.Errorf("pings after a minute: %v", got)
	}
}

func TestRegistrationIsRepeatedNotDoubled(t *testing.T) {
	w := newWorld(t)
	id := w.addAgent(1, small)
	if again := w.addAgent(1, small); again != id {
		t.Errorf("second registration got %s, not %s", again, id)
	}
	if len(w.c.registered) != 1 {
		t.Errorf("%d agents", len(w.c.registered))
	}
}

func TestRegistrationWaitsForTheRegistry(t *testing.T) {
	w := newWorld(t)
	w.holdWrites = true
	register := AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.RegisterSlaveMessage{
		Slave: agentInfo(1, small), Version: proto.String("1.11.0"), AgentCapabilities: allCapabilities,
	}}
	w.step(register, register)
	if len(w.take(pidOf(1))) != 0 || len(w.writes) != 1 {
		t.Fatalf("before the write: %d writes", len(w.writes))
	}
	w.releaseWrites()
	w.flush()
	if got := w.take(pidOf(1)); len(got) != 1 {
		t.Errorf("after the write: %v", got)
	}
}

func TestFailedRegistryWriteEndsTheMaster(t *testing.T) {
	w := newWorld(t)
	w.holdWrites = true
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.RegisterSlaveMessage{Slave: agentInfo(1, small), Version: proto.String("1.11.0")}})
	w.step(Written{Write: w.writes[0].Write, Err: errors.New("disk full")})
	if w.aborted == nil || len(w.take(pidOf(1))) != 0 {
		t.Errorf("aborted: %v", w.aborted)
	}
}

func TestRegistrationsThatAreIgnored(t *testing.T) {
	for name, spoil := range map[string]func(*internalpb.RegisterSlaveMessage){
		"old version":   func(m *internalpb.RegisterSlaveMessage) { m.Version = proto.String("0.28.2") },
		"no version":    func(m *internalpb.RegisterSlaveMessage) { m.Version = nil },
		"bad version":   func(m *internalpb.RegisterSlaveMessage) { m.Version = proto.String("one") },
		"bad resources": func(m *internalpb.RegisterSlaveMessage) { m.Slave.Resources[0].Scalar.Value = proto.Float64(-1) },
		"domain":        func(m *internalpb.RegisterSlaveMessage) { m.Slave.Domain = &mesospb.DomainInfo{} },
		"no checkpointing": func(m *internalpb.RegisterSlaveMessage) {
			m.Slave.Checkpoint = nil
			m.CheckpointedResources = res("cpus(ops):1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := &internalpb.RegisterSlaveMessage{Slave: agentInfo(1, small), Version: proto.String("1.11.0"), AgentCapabilities: allCapabilities}
			spoil(m)
			w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: m})
			if got := w.take(pidOf(1)); len(got) != 0 || len(w.c.registered) != 0 {
				t.Errorf("answered %v", got)
			}
		})
	}
}

// Five pings without an answer: tasks become unreachable for a framework that knows
// the word and lost for one that does not; when the agent is back they run.
func TestUnreachableAndBack(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	aware := w.subscribe(1, frameworkInfo(mesospb.FrameworkInfo_Capability_PARTITION_AWARE))
	w.running(aware, agent, "a", 1)
	legacy := w.subscribe(2, frameworkInfo())
	for _, o := range w.c.known[aware].Offers {
		w.decline(aware, o.ID, 100000)
	}
	w.running(legacy, agent, "b", 1)

	w.advance(74 * time.Second)
	if len(w.c.registered) != 1 {
		t.Fatal("unreachable too early")
	}
	w.advance(time.Second)
	if len(w.c.registered) != 0 || w.c.unreachable[agent] == nil {
		t.Fatal("not unreachable after five pings")
	}
	check := func(s StreamID, state mesospb.TaskState) {
		t.Helper()
		var kinds []schedulerpb.Event_Type
		for _, e := range w.takeEvents(s) {
			kinds = append(kinds, e.GetType())
			if st := e.GetUpdate().GetStatus(); st != nil {
				if st.GetState() != state || st.GetReason() != mesospb.TaskStatus_REASON_AGENT_REMOVED || st.GetMessage() != "health check timed out" || st.UnreachableTime == nil {
					t.Errorf("status: %v", st)
				}
			}
		}
		if n := len(kinds); n < 2 || kinds[n-1] != schedulerpb.Event_FAILURE {
			t.Errorf("events: %v", kinds)
		}
	}
	check(1, mesospb.TaskState_TASK_UNREACHABLE)
	check(2, mesospb.TaskState_TASK_LOST)
	if w.c.known[aware].Unreachable.Len() != 1 || !w.c.known[aware].Used.Empty() {
		t.Error("the unreachable task is not remembered")
	}

	// What it says before it is back counts for nothing.
	w.update(1, aware, agent, "a", mesospb.TaskState_TASK_FINISHED)
	if got := w.takeEvents(1); len(got) != 0 {
		t.Errorf("update of an unreachable agent: %v", got)
	}
	answers := w.reregister(1, reregistration(1, agent, small,
		[]*mesospb.FrameworkInfo{w.c.known[aware].Info, w.c.known[legacy].Info},
		reported(aware, agent, "a", "cpus:1;mem:64", mesospb.TaskState_TASK_RUNNING),
		reported(legacy, agent, "b", "cpus:1;mem:64", mesospb.TaskState_TASK_RUNNING)))
	if back := first[*internalpb.SlaveReregisteredMessage](w, answers); back.GetConnection().GetTotalPingTimeoutSeconds() != 75 || len(back.Reconciliations) != 0 {
		t.Errorf("answer: %v", back)
	}
	if len(answers) != 3 { // and both frameworks
		t.Errorf("answers: %v", answers)
	}
	for s, id := range map[StreamID]string{1: "a", 2: "b"} {
		events := w.takeEvents(s)
		st := events[0].GetUpdate().GetStatus()
		if st.GetState() != mesospb.TaskState_TASK_RUNNING || st.GetTaskId().GetValue() != id ||
			st.GetReason() != mesospb.TaskStatus_REASON_AGENT_REREGISTERED || st.GetMessage() != "Unreachable agent re-reregistered" {
			t.Errorf("status: %v", st)
		}
	}
	if w.c.known[aware].Unreachable.Len() != 0 || len(w.c.known[aware].Tasks) != 1 || len(w.c.known[legacy].Tasks) != 1 {
		t.Error("the tasks are not back")
	}
	if got := w.c.registered[agent].Used[aware].Unallocate().String(); got != "cpus:1; mem:64" {
		t.Errorf("used: %s", got)
	}
}

func TestAnswerInTimeKeepsTheAgent(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	w.advance(70 * time.Second)
	w.step(Pong{Observer: w.numbers[pidOf(1)]})
	w.advance(60 * time.Second)
	if len(w.c.registered) != 1 {
		t.Error("the agent answered, but is unreachable")
	}
}

// A broken connection: offers go, tasks of frameworks that do not checkpoint are
// lost, the others' stay; the next ping says so; after ten minutes it is over.
func TestAgentDisconnects(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	keeps := w.subscribe(1, frameworkInfo())
	w.running(keeps, agent, "a", 1)
	for _, o := range w.c.known[keeps].Offers {
		w.decline(keeps, o.ID, 100000)
	}
	info := frameworkInfo(mesospb.FrameworkInfo_Capability_PARTITION_AWARE)
	info.Checkpoint = nil
	loses := w.subscribe(2, info)
	w.running(loses, agent, "b", 1)
	rest := len(w.c.known[loses].Offers)

	w.step(PeerExited{PID: pidOf(1)})
	if got := w.takeStatuses(1); len(got) != 0 {
		t.Errorf("the checkpointing framework hears %v", got)
	}
	events := w.takeEvents(2)
	if len(events) != rest+1 || rest != 1 || events[0].GetType() != schedulerpb.Event_RESCIND {
		t.Fatalf("events: %v", events)
	}
	if st := events[1].GetUpdate().GetStatus(); st.GetState() != mesospb.TaskState_TASK_LOST || st.GetReason() != mesospb.TaskStatus_REASON_AGENT_DISCONNECTED || st.GetMessage() != "Agent host1 disconnected" {
		t.Errorf("status: %v", st)
	}
	w.advance(15*time.Second, pidOf(1))
	if got := w.pings[pidOf(1)]; got[len(got)-1] {
		t.Errorf("pings: %v", got)
	}
	// A kill waits for the agent.
	w.call(keeps, &schedulerpb.Call{Type: schedulerpb.Call_KILL.Enum(), Kill: &schedulerpb.Call_Kill{TaskId: &mesospb.TaskID{Value: proto.String("a")}}})
	if got := w.take(pidOf(1)); len(got) != 0 {
		t.Errorf("sent to a disconnected agent: %v", got)
	}
	answers := w.reregister(1, reregistration(1, agent, small, []*mesospb.FrameworkInfo{w.c.known[keeps].Info},
		reported(keeps, agent, "a", "cpus:1;mem:64", mesospb.TaskState_TASK_RUNNING)))
	first[*internalpb.SlaveReregisteredMessage](w, answers)
	first[*internalpb.KillTaskMessage](w, answers)
	if !w.c.registered[agent].Active || len(w.c.known[loses].Offers) != 1 {
		t.Error("the agent is not offered again")
	}

	w.step(PeerExited{PID: pidOf(1)})
	w.takeEvents(1)
	w.advance(10*time.Minute, pidOf(1))
	st := w.takeStatuses(1)
	if len(st) != 1 || st[0].GetMessage() != "agent did not reregister within 10mins after disconnecting" {
		t.Errorf("statuses: %v", st)
	}
}

func TestAgentUnregisters(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo(mesospb.FrameworkInfo_Capability_PARTITION_AWARE))
	w.running(f, agent, "a", 1)
	w.step(AgentMessage{From: pidOf(2), IP: ipOf(2), Message: &internalpb.UnregisterSlaveMessage{SlaveId: &mesospb.AgentID{Value: &agent}}})
	if len(w.c.registered) != 1 {
		t.Fatal("another process unregistered the agent")
	}
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.UnregisterSlaveMessage{SlaveId: &mesospb.AgentID{Value: &agent}}})
	st := w.takeStatuses(1)
	if len(st) != 1 || st[0].GetState() != mesospb.TaskState_TASK_LOST || st[0].GetMessage() != "Agent host1 removed: the agent unregistered" {
		t.Errorf("statuses: %v", st)
	}
	if again := w.addAgent(1, small); again == agent {
		t.Error("the id was given out again")
	}
}

// An agent that comes back without a task the master sent it is asked about it.
func TestReregistrationReconciles(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	w.running(f, agent, "a", 1)
	answers := w.reregister(1, reregistration(1, agent, small, nil))
	back := first[*internalpb.SlaveReregisteredMessage](w, answers)
	if len(back.Reconciliations) != 1 || back.Reconciliations[0].Framework == nil || back.Reconciliations[0].Statuses[0].GetTaskId().GetValue() != "a" {
		t.Errorf("answer: %v", back)
	}
}

func TestAnotherMachineWithTheSameIDIsShutDown(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	answers := w.reregister(2, reregistration(2, agent, small, nil))
	if m := first[*internalpb.ShutdownMessage](w, answers); m.GetMessage() != "Agent attempted to reregister with different IP / hostname" {
		t.Errorf("answer: %v", m)
	}
}

// A new master knows agents from the registry, and frameworks and tasks from agents.
func TestMasterRestart(t *testing.T) {
	old := "old-master-S0"
	info := agentInfo(1, small)
	info.Id = &mesospb.AgentID{Value: &old}
	w := newWorldAfter(t, Recovery{Agents: []*internalpb.Registry_Slave{{Info: info}}})
	f := "old-master-0000"
	finfo := frameworkInfo()
	finfo.Id = &mesospb.FrameworkID{Value: &f}

	// While the agent is away, nobody knows what became of its tasks.
	w.subscribe(9, frameworkInfo())
	w.takeEvents(9)
	w.call(w.c.byStream[9].ID, &schedulerpb.Call{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{
		Tasks: []*schedulerpb.Call_Reconcile_Task{{TaskId: &mesospb.TaskID{Value: proto.String("x")}}},
	}})
	if got := w.takeEvents(9); len(got) != 0 {
		t.Errorf("reconciled: %v", got)
	}

	answers := w.reregister(1, reregistration(1, old, small, []*mesospb.FrameworkInfo{finfo},
		reported(f, old, "a", "cpus:1;mem:64", mesospb.TaskState_TASK_RUNNING)))
	if len(answers) != 1 {
		t.Errorf("answers: %v", answers)
	}
	if got := w.c.known[f]; got == nil || got.State != Recovered || len(got.Tasks) != 1 {
		t.Fatalf("framework: %+v", got)
	}
	if a := w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_SUPPRESS.Enum()}); a.Status != 403 || a.Body != "Framework is not subscribed" {
		t.Errorf("call of a recovered framework: %+v", a)
	}
	if got := w.subscribe(1, proto.Clone(finfo).(*mesospb.FrameworkInfo)); got != f {
		t.Errorf("the framework got the id %q", got)
	}
	first[*internalpb.UpdateFrameworkMessage](w, w.take(pidOf(1)))
	for _, o := range w.c.byStream[9].Offers {
		w.decline(w.c.byStream[9].ID, o.ID, 1e6)
	}
	var offered string
	for _, o := range w.takeOffers(1) {
		offered = text(o.Resources)
	}
	if offered != "ports:[31000-31999]; cpus:3; mem:4032; disk:8192" {
		t.Errorf("offered: %s", offered)
	}
}

func TestRecoveredAgentThatDoesNotReturn(t *testing.T) {
	old := "old-master-S0"
	info := agentInfo(1, small)
	info.Id = &mesospb.AgentID{Value: &old}
	w := newWorldAfter(t, Recovery{Agents: []*internalpb.Registry_Slave{{Info: info}}})
	f := w.subscribe(1, frameworkInfo(mesospb.FrameworkInfo_Capability_PARTITION_AWARE))
	w.advance(10 * time.Minute)
	events := w.takeEvents(1)
	if len(events) != 2 || events[1].GetFailure().GetAgentId().GetValue() != old {
		t.Fatalf("events: %v", events)
	}
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{
		Tasks: []*schedulerpb.Call_Reconcile_Task{{TaskId: &mesospb.TaskID{Value: proto.String("x")}, AgentId: &mesospb.AgentID{Value: &old}}},
	}})
	st := w.takeStatuses(1)
	if len(st) != 1 || st[0].GetState() != mesospb.TaskState_TASK_UNREACHABLE || st[0].UnreachableTime == nil {
		t.Errorf("statuses: %v", st)
	}
	// Two weeks later it is forgotten.
	w.advance(15 * 24 * time.Hour)
	if len(w.c.unreachable) != 0 {
		t.Error("the registry still lists the agent")
	}
}

func TestOversubscribedResources(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w.subscribe(1, frameworkInfo(mesospb.FrameworkInfo_Capability_REVOCABLE_RESOURCES))
	w.takeEvents(1)
	revocable := res("cpus:2")
	revocable[0].Revocable = &mesospb.Resource_RevocableInfo{}
	update := func(list []*mesospb.Resource) {
		w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.UpdateSlaveMessage{
			SlaveId: &mesospb.AgentID{Value: &agent}, UpdateOversubscribedResources: proto.Bool(true), OversubscribedResources: list,
		}})
	}
	update(revocable)
	if got := w.takeOffers(1); len(got) != 1 || text(got[0].Resources) != "cpus{REV}:2" {
		t.Errorf("offers: %v", got)
	}
	update(nil)
	if got := w.takeEvents(1); len(got) != 1 || got[0].GetType() != schedulerpb.Event_RESCIND {
		t.Errorf("events: %v", got)
	}
}
