package core

import (
	"net/http"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

const aware = mesospb.FrameworkInfo_Capability_PARTITION_AWARE

func (w *world) drain(agent string, grace time.Duration, markGone bool) Answer {
	w.t.Helper()
	return w.operate(func(id RequestID) Event {
		return DrainAgent{Request: id, Agent: agent, MarkGone: markGone, MaxGracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(int64(grace))}}
	})
}

func (w *world) deactivate(agent string) Answer {
	w.t.Helper()
	return w.operate(func(id RequestID) Event { return DeactivateAgent{Request: id, Agent: agent} })
}

func (w *world) reactivate(agent string) Answer {
	w.t.Helper()
	return w.operate(func(id RequestID) Event { return ReactivateAgent{Request: id, Agent: agent} })
}

func (w *world) markGone(agent string) Answer {
	w.t.Helper()
	return w.operate(func(id RequestID) Event { return MarkAgentGone{Request: id, Agent: agent} })
}

func (w *world) mustAnswer(a Answer, status int, body string) {
	w.t.Helper()
	if a.Status != status || a.Body != body {
		w.t.Fatalf("answer %d %q, want %d %q", a.Status, a.Body, status, body)
	}
}

// lost has an agent answer no ping until it is unreachable.
func (w *world) lost(agent string) {
	w.t.Helper()
	w.advance(2 * time.Minute)
	if w.c.unreachable[agent] == nil {
		w.t.Fatalf("%s is not unreachable", agent)
	}
}

func TestDrainKillsAndEndsWithTheLastAcknowledgement(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo(aware))
	w.running(f, agent, "t", 1)
	w.advance(time.Second, pidOf(1))
	w.takeEvents(1)
	if len(w.c.registered[agent].Offers) != 1 {
		t.Fatal("the rest of the agent is not offered")
	}

	w.holdWrites = true
	w.mustAnswer(w.drain(agent, 30*time.Second, false), 0, "")
	if a := w.c.registered[agent]; a.Deactivated || len(w.take(pidOf(1))) != 0 || len(a.Offers) != 1 {
		t.Fatal("something happened before the registry was written")
	}
	w.release()
	if a := w.answers[RequestID(w.ids)]; a.Status != http.StatusOK {
		t.Fatalf("answer %v", a)
	}
	config := first[*internalpb.DrainSlaveMessage](w, w.take(pidOf(1))).GetConfig()
	if config.GetMaxGracePeriod().GetNanoseconds() != 30e9 || config.GetMarkGone() || config.MarkGone == nil {
		t.Errorf("the agent was told %v", config)
	}
	if events := w.takeEvents(1); len(events) != 1 || events[0].GetType() != schedulerpb.Event_RESCIND {
		t.Errorf("events: %v", events)
	}
	v := w.c.Snapshot(nil).Agent(agent)
	if !v.Deactivated || v.Active || v.Drain.GetState() != mesospb.DrainState_DRAINING || !v.DrainStart.Equal(w.now) {
		t.Errorf("shown as %+v", v)
	}
	w.mustAnswer(w.reactivate(agent), http.StatusBadRequest, "Agent is still in the DRAINING state")

	uuid := w.update(1, f, agent, "t", mesospb.TaskState_TASK_KILLED)
	if w.c.registered[agent].Drain.GetState() != mesospb.DrainState_DRAINING {
		t.Fatal("drained before the framework knows")
	}
	w.acknowledge(f, agent, "t", uuid)
	if w.c.registered[agent].Drain.GetState() != mesospb.DrainState_DRAINED || w.shelf.agents[agent].GetDrainInfo().GetState() != mesospb.DrainState_DRAINED {
		t.Fatal("not drained")
	}
	w.advance(time.Minute, pidOf(1))
	if w.takeEvents(1); len(w.c.registered[agent].Offers) != 0 {
		t.Fatal("a drained agent was offered")
	}
	if !w.shelf.capabilities["AGENT_DRAINING"] {
		t.Error("an old master would read this registry")
	}

	w.mustAnswer(w.reactivate(agent), http.StatusOK, "")
	if v := w.c.Snapshot(nil).Agent(agent); v.Deactivated || !v.Active || v.Drain != nil || !v.DrainStart.IsZero() {
		t.Errorf("shown as %+v", v)
	}
	if w.advance(time.Second, pidOf(1)); len(w.c.registered[agent].Offers) != 1 {
		t.Error("not offered again")
	}
	if r := w.shelf.agents[agent]; r.DrainInfo != nil || r.GetDeactivated() || len(w.shelf.capabilities) != 0 {
		t.Errorf("the registry holds %v, %v", r, w.shelf.capabilities)
	}
	w.mustAnswer(w.reactivate(agent), http.StatusBadRequest, "Agent is not deactivated")
}

func TestDrainOfAnIdleAgentEndsAtOnce(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w.mustAnswer(w.drain(agent, 0, false), http.StatusOK, "")
	if got := w.c.registered[agent].Drain.GetState(); got != mesospb.DrainState_DRAINED {
		t.Errorf("%v", got)
	}
	// Again, with other wishes.
	w.mustAnswer(w.drain(agent, time.Second, true), http.StatusOK, "")
	if w.c.gone[agent] == nil {
		t.Error("not gone")
	}
}

func TestDrainRefused(t *testing.T) {
	w := newWorld(t)
	w.mustAnswer(w.drain("zz", 0, false), http.StatusBadRequest, "Unknown agent")
	w.mustAnswer(w.deactivate("zz"), http.StatusBadRequest, "Unknown agent")
	w.mustAnswer(w.reactivate("zz"), http.StatusBadRequest, "Agent is not deactivated")
	w.mustAnswer(w.markGone("zz"), http.StatusNotFound, "Agent 'zz' not found")

	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.RegisterSlaveMessage{
		Slave: agentInfo(1, small), Version: proto.String("1.8.0"), AgentCapabilities: allCapabilities[:3],
	}})
	old := first[*internalpb.SlaveRegisteredMessage](w, w.take(pidOf(1))).GetSlaveId().GetValue()
	w.mustAnswer(w.drain(old, 0, false), http.StatusBadRequest, "Agent "+old+" is not capable of draining")

	agent := w.addAgent(2, small)
	for _, one := range []struct {
		id   *mesospb.MachineID
		text string
	}{
		{&mesospb.MachineID{Hostname: proto.String("HOST2"), Ip: proto.String(ipOf(2))}, "HOST2 (10.0.0.2)"},
	} {
		w.mustAnswer(w.schedule(window(w.now, one.id)), http.StatusOK, "")
		w.mustAnswer(w.drain(agent, 0, false), http.StatusBadRequest, "Agent "+agent+" is part of a maintenance schedule under Machine "+one.text)
	}
	w.mustAnswer(w.schedule(), http.StatusOK, "")

	w.holdWrites = true
	w.markGone(agent)
	w.mustAnswer(w.drain(agent, 0, false), http.StatusConflict, "Agent is currently being marked gone")
	w.mustAnswer(w.markGone(agent), http.StatusServiceUnavailable, "Agent '"+agent+"' is already being transitioned to gone")
}

func TestDeactivatedAgentKeepsItsTasks(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	w.running(f, agent, "t", 1)
	w.mustAnswer(w.deactivate(agent), http.StatusOK, "")
	w.mustAnswer(w.deactivate(agent), http.StatusOK, "")
	if got := w.take(pidOf(1)); len(got) != 0 {
		t.Errorf("the agent was told %v", got)
	}
	if f := w.c.known[f]; len(f.Tasks) != 1 || len(f.Offers) != 0 {
		t.Errorf("%d tasks, %d offers", len(f.Tasks), len(f.Offers))
	}
	// It stays so when the agent reconnects, and after a failover.
	w.step(PeerExited{PID: pidOf(1)})
	w.reregister(1, reregistration(1, agent, small, nil))
	if a := w.c.registered[agent]; a.Active || !a.Connected {
		t.Error("active after it reconnected")
	}
	w = w.failover()
	if got := w.c.Snapshot(nil).Recovered; len(got) != 1 || !got[0].Deactivated {
		t.Errorf("recovered %v", got)
	}
	w.reregister(1, reregistration(1, agent, small, nil))
	if a := w.c.registered[agent]; a.Active || !a.Deactivated {
		t.Error("active after a failover")
	}
	w.mustAnswer(w.reactivate(agent), http.StatusOK, "")
	w.subscribe(1, frameworkInfo())
	if offers := w.takeOffers(1); len(offers) != 1 {
		t.Errorf("offers: %v", offers)
	}
}

func TestDisconnectedAgentIsReactivatedWhenItIsBack(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w.deactivate(agent)
	w.step(PeerExited{PID: pidOf(1)})
	w.mustAnswer(w.reactivate(agent), http.StatusOK, "")
	if w.c.registered[agent].Active {
		t.Fatal("active without a connection")
	}
	w.reregister(1, reregistration(1, agent, small, nil))
	if !w.c.registered[agent].Active {
		t.Error("not active")
	}
}

func TestDrainOfAnAgentThatIsNotBackYet(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo(aware))
	w.running(f, agent, "t", 1)
	w = w.failover()
	w.mustAnswer(w.drain(agent, time.Minute, false), http.StatusOK, "")
	w.mustAnswer(w.reactivate(agent), http.StatusBadRequest, "Agent is still in the DRAINING state")

	info := frameworkInfo(aware)
	info.Id = &mesospb.FrameworkID{Value: &f}
	messages := w.reregister(1, reregistration(1, agent, small, []*mesospb.FrameworkInfo{info}, reported(f, agent, "t", "cpus:1;mem:64", mesospb.TaskState_TASK_RUNNING)))
	// The agent hears of the drain before it hears that it is back.
	if _, ok := messages[0].(*internalpb.DrainSlaveMessage); !ok {
		t.Fatalf("told first: %T", messages[0])
	}
	first[*internalpb.SlaveReregisteredMessage](w, messages)
	if a := w.c.registered[agent]; a.Active || a.Drain.GetState() != mesospb.DrainState_DRAINING || !a.DrainStart.IsZero() {
		t.Fatalf("active %v, %v since %v", a.Active, a.Drain, a.DrainStart)
	}
	w.subscribe(2, info)
	w.acknowledge(f, agent, "t", w.update(1, f, agent, "t", mesospb.TaskState_TASK_KILLED))
	if got := w.c.registered[agent].Drain.GetState(); got != mesospb.DrainState_DRAINED {
		t.Errorf("%v", got)
	}
}

func TestDrainOfAnUnreachableAgent(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w.lost(agent)
	w.mustAnswer(w.drain(agent, time.Minute, false), http.StatusOK, "")
	if r := w.shelf.unreachable[agent]; !r.GetDeactivated() || r.GetDrainInfo().GetState() != mesospb.DrainState_DRAINING {
		t.Fatalf("the registry holds %v", r)
	}
	w = w.failover() // it lasts
	messages := w.reregister(1, reregistration(1, agent, small, nil))
	if _, ok := messages[0].(*internalpb.DrainSlaveMessage); !ok {
		t.Fatalf("told first: %T", messages[0])
	}
	if r := w.shelf.agents[agent]; !r.GetDeactivated() || r.GetDrainInfo() == nil || len(w.shelf.unreachable) != 0 {
		t.Fatalf("the registry holds %v", r)
	}
	// What operations the agent has, it says in its first update only.
	if got := w.c.registered[agent].Drain.GetState(); got != mesospb.DrainState_DRAINING {
		t.Fatalf("%v", got)
	}
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.UpdateSlaveMessage{SlaveId: &mesospb.AgentID{Value: &agent}}})
	if got := w.c.registered[agent].Drain.GetState(); got != mesospb.DrainState_DRAINED {
		t.Errorf("%v", got)
	}
}

func TestReactivationOfAnAgentThatIsAway(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w.deactivate(agent)
	w.lost(agent)
	w.mustAnswer(w.reactivate(agent), http.StatusConflict, "Agent removed while processing the call")
	if w.shelf.unreachable[agent].GetDeactivated() {
		t.Error("still deactivated")
	}
}

// Two changes of one agent's record are on their way to the registry at once.
func TestDrainWhileTheAgentChanges(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w.holdWrites = true
	w.drain(agent, time.Minute, false)
	w.step(PeerExited{PID: pidOf(1)})
	changed := reregistration(1, agent, small, nil)
	changed.Slave.Attributes = []*mesospb.Attribute{{Name: proto.String("rack"), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: proto.String("r1")}}}
	w.reregister(1, changed)
	if len(w.writes) != 2 {
		t.Fatalf("%d writes", len(w.writes))
	}
	w.release()
	r := w.shelf.agents[agent]
	if r.GetDrainInfo() == nil || !r.GetDeactivated() || len(r.GetInfo().GetAttributes()) != 1 {
		t.Errorf("the registry holds %v", r)
	}
	if a := w.c.registered[agent]; a.Active || a.Drain == nil {
		t.Error("not draining")
	}

	// And an agent that becomes unreachable while it is told to drain.
	other := w.addAgent(2, small)
	w.holdWrites = true
	w.advance(75*time.Second, pidOf(1))
	if w.c.leaving[other] != becomingUnreachable {
		t.Fatal("not on its way out")
	}
	w.mustAnswer(w.markGone(other), http.StatusServiceUnavailable, "Agent '"+other+"' is being transitioned to unreachable")
	w.drain(other, time.Minute, false)
	w.release()
	if r := w.shelf.unreachable[other]; r.GetDrainInfo() == nil || w.c.unreachable[other].Drain == nil {
		t.Errorf("the registry holds %v", r)
	}
}

func TestTeardownOfTheLastFrameworkDrains(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	w.running(f, agent, "t", 1)
	w.drain(agent, time.Minute, false)
	w.step(Teardown{Framework: f})
	if got := w.c.registered[agent].Drain.GetState(); got != mesospb.DrainState_DRAINED {
		t.Errorf("%v", got)
	}
}
