package core

import (
	"testing"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

const small = "cpus:4;mem:4096;disk:8192;ports:[31000-31999]"

// A framework subscribes, launches a task on the offer it gets at once, hears of its
// states, acknowledges them, and is offered the resources again when it is over.
func TestTaskFromOfferToEnd(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	framework := w.subscribe(1, inRoles(frameworkInfo(), "*"))
	if framework != masterID+"-0000" || agent != masterID+"-S0" {
		t.Fatalf("ids are %s and %s", framework, agent)
	}
	offers := w.takeOffers(1)
	if len(offers) != 1 || offers[0].GetId().GetValue() != masterID+"-O0" {
		t.Fatalf("offers: %v", offers)
	}
	o := offers[0]
	if got := text(o.Resources); got != "ports:[31000-31999]; cpus:4; mem:4096; disk:8192" {
		t.Errorf("offered %s", got)
	}
	for _, r := range o.Resources {
		if r.GetAllocationInfo().GetRole() != "*" || r.Role == nil || r.GetRole() != "*" {
			t.Errorf("resource %v lacks its roles", r)
		}
	}
	if o.GetUrl().GetAddress().GetIp() != "10.0.0.1" || o.GetUrl().GetPath() != "/slave(1)" || o.GetUrl().GetAddress().GetPort() != 5051 {
		t.Errorf("url is %v", o.Url)
	}

	w.accept(framework, []string{masterID + "-O0"}, 0, launchOp(task("t", agent, "cpus:1;mem:128;ports:[31000-31001]")))
	run := first[*internalpb.RunTaskMessage](w, w.take(pidOf(1)))
	if run.GetPid() != "@0.0.0.0:0" || !run.GetLaunchExecutor() || !proto.Equal(run.ResourceVersionUuids[0].Uuid, version0) || run.FrameworkId != nil {
		t.Errorf("RunTaskMessage is %v", run)
	}
	for _, r := range run.Task.Resources {
		if r.GetAllocationInfo().GetRole() != "*" || r.Role != nil {
			t.Errorf("resource %v is not in the form agents take", r)
		}
	}
	// The rest is offered again at once: something was launched.
	rest := w.takeOffers(1)
	if len(rest) != 1 || text(rest[0].Resources) != "ports:[31002-31999]; cpus:3; mem:3968; disk:8192" {
		t.Fatalf("rest: %v", rest)
	}
	w.decline(framework, rest[0].GetId().GetValue(), 3600)

	for _, state := range []mesospb.TaskState{mesospb.TaskState_TASK_STARTING, mesospb.TaskState_TASK_RUNNING, mesospb.TaskState_TASK_FINISHED} {
		uuid := w.update(1, framework, agent, "t", state)
		events := w.takeEvents(1)
		if got := events[0].GetUpdate().GetStatus(); got.GetState() != state || string(got.Uuid) != string(uuid) {
			t.Errorf("status is %v", got)
		}
		if state == mesospb.TaskState_TASK_FINISHED {
			// Its resources come back before anybody acknowledges.
			if len(events) != 2 || text(events[1].GetOffers().Offers[0].Resources) != "ports:[31000-31001]; cpus:1; mem:128" && text(events[1].GetOffers().Offers[0].Resources) != "ports:[31000-31999]; cpus:4; mem:4096; disk:8192" {
				t.Errorf("after the end: %v", events)
			}
		}
		w.acknowledge(framework, agent, "t", uuid)
		ack := first[*internalpb.StatusUpdateAcknowledgementMessage](w, w.take(pidOf(1)))
		if string(ack.Uuid) != string(uuid) || ack.GetTaskId().GetValue() != "t" {
			t.Errorf("acknowledgement is %v", ack)
		}
	}
	f := w.c.known[framework]
	if len(f.Tasks) != 0 || f.CompletedTasks.Len() != 1 || !f.Used.Empty() {
		t.Errorf("left: %d tasks, %d completed, %s used", len(f.Tasks), f.CompletedTasks.Len(), f.Used)
	}
}

// A framework that knows neither several roles nor stacked reservations sees
// neither.
func TestOfferForOldFramework(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, "cpus:2;mem:512;cpus(ops):1")
	w.subscribe(1, frameworkInfo())
	o := w.takeOffers(1)[0]
	if o.AllocationInfo != nil || len(o.Resources) != 2 {
		t.Errorf("offer: %v", o)
	}
	for _, r := range o.Resources {
		if r.AllocationInfo != nil || r.GetRole() != "*" || r.Role == nil || r.Reservations != nil {
			t.Errorf("resource: %v", r)
		}
	}
	info := frameworkInfo()
	info.Role = proto.String("ops")
	w.subscribe(2, info)
	o = w.takeOffers(2)[0]
	if len(o.Resources) != 1 || o.Resources[0].GetRole() != "ops" || o.Resources[0].Reservation != nil {
		t.Errorf("reserved offer: %v", o)
	}
}

func TestInvalidOffersLoseEveryTask(t *testing.T) {
	for name, aware := range map[string]bool{"legacy": false, "partition aware": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a1, a2 := w.addAgent(1, small), w.addAgent(2, small)
			var capabilities []mesospb.FrameworkInfo_Capability_Type
			want := mesospb.TaskState_TASK_LOST
			if aware {
				capabilities = append(capabilities, mesospb.FrameworkInfo_Capability_PARTITION_AWARE)
				want = mesospb.TaskState_TASK_DROPPED
			}
			f := w.subscribe(1, frameworkInfo(capabilities...))
			offers := w.takeOffers(1)
			ids := []string{offers[0].GetId().GetValue(), offers[1].GetId().GetValue()}
			agents := []string{offers[0].GetAgentId().GetValue(), offers[1].GetAgentId().GetValue()}

			check := func(offers []string, message string) {
				t.Helper()
				w.accept(f, offers, 5, launchOp(task("a", a1, "cpus:1"), task("b", a2, "cpus:1")))
				events := w.takeEvents(1)
				if len(events) < 2 {
					t.Fatalf("events: %v", events)
				}
				for i, id := range []string{"a", "b"} {
					s := events[i].GetUpdate().GetStatus()
					if s.GetTaskId().GetValue() != id || s.GetState() != want || s.GetReason() != mesospb.TaskStatus_REASON_INVALID_OFFERS ||
						s.GetSource() != mesospb.TaskStatus_SOURCE_MASTER || s.GetMessage() != "Task launched with invalid offers: "+message || s.Uuid != nil {
						t.Errorf("status: %v", s)
					}
				}
			}
			check(nil, "No offers specified")
			check([]string{"gone"}, "Offer gone is no longer valid")
			check([]string{ids[0], ids[1]}, "Aggregated offers must belong to one single agent. Offer "+ids[1]+" uses agent "+agents[1]+" and agent "+agents[0])
			if len(w.c.outOffers) != 2 { // both went back, and out again
				t.Errorf("%d offers are out", len(w.c.outOffers))
			}
			if w.c.outOffers[ids[0]] != nil {
				t.Error("an offer of the invalid call is still good")
			}
		})
	}
}

func TestInvalidTasksDoNotStopOthers(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	o := w.takeOffers(1)[0].GetId().GetValue()
	both := task("both", agent, "cpus:1")
	both.Executor = &mesospb.ExecutorInfo{ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, Command: both.Command}
	w.accept(f, []string{o}, 0, launchOp(
		task("bad/id", agent, "cpus:1"), task("ok", agent, "cpus:1"), task("ok", agent, "cpus:1"),
		both, task("big", agent, "cpus:100"), task("elsewhere", "other", "cpus:1"), task("ok2", agent, "cpus:1")))
	var got []string
	for _, e := range w.takeEvents(1) {
		if s := e.GetUpdate().GetStatus(); s != nil {
			if s.GetState() != mesospb.TaskState_TASK_ERROR || s.GetReason() != mesospb.TaskStatus_REASON_TASK_INVALID {
				t.Errorf("status: %v", s)
			}
			got = append(got, s.GetMessage())
		}
	}
	want := []string{
		"'bad/id' contains invalid characters",
		"Task has duplicate ID: ok",
		"Task should have at least one (but not both) of CommandInfo or ExecutorInfo present",
		"Total resources cpus(allocated: *):100 required by task and its executor is more than available ports(allocated: *):[31000-31999]; cpus(allocated: *):3; mem(allocated: *):4096; disk(allocated: *):8192",
		"Task uses invalid agent other while agent " + agent + " is expected",
	}
	if len(got) != len(want) {
		t.Fatalf("messages: %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("message %d is\n%q, not\n%q", i, got[i], want[i])
		}
	}
	if n := len(w.take(pidOf(1))); n != 2 {
		t.Errorf("%d tasks went to the agent", n)
	}
}

// Executors are charged once, and freed when they exit.
func TestExecutorIsSharedByTasks(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	withExecutor := func(id string) *mesospb.TaskInfo {
		one := task(id, agent, "cpus:1;mem:100")
		one.Executor = &mesospb.ExecutorInfo{
			ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, Command: &mesospb.CommandInfo{Value: proto.String("x")},
			Resources: res("cpus:0.5;mem:64"),
		}
		one.Command = nil
		return one
	}
	w.accept(f, []string{w.takeOffers(1)[0].GetId().GetValue()}, 0, launchOp(withExecutor("a"), withExecutor("b")))
	var fresh []bool
	for _, m := range w.take(pidOf(1)) {
		run := m.(*internalpb.RunTaskMessage)
		fresh = append(fresh, run.GetLaunchExecutor())
		if run.GetTask().GetExecutor().GetFrameworkId().GetValue() != f {
			t.Error("the executor lacks its framework id")
		}
	}
	if len(fresh) != 2 || !fresh[0] || fresh[1] {
		t.Errorf("launch_executor: %v", fresh)
	}
	if got := w.c.registered[agent].Used[f].Unallocate().String(); got != "cpus:2.5; mem:264" {
		t.Errorf("used: %s", got)
	}
	if o := w.takeOffers(1)[0]; len(o.ExecutorIds) != 1 || o.ExecutorIds[0].GetValue() != "e" {
		t.Errorf("executors of the offer: %v", o.ExecutorIds)
	}
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.ExitedExecutorMessage{
		SlaveId: &mesospb.AgentID{Value: &agent}, FrameworkId: &mesospb.FrameworkID{Value: &f},
		ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, Status: proto.Int32(9),
	}})
	failure := w.takeEvents(1)[0]
	if failure.GetType() != schedulerpb.Event_FAILURE || failure.GetFailure().GetStatus() != 9 || failure.GetFailure().GetExecutorId().GetValue() != "e" {
		t.Errorf("event: %v", failure)
	}
	if got := w.c.registered[agent].Used[f].Unallocate().String(); got != "cpus:2; mem:200" {
		t.Errorf("used: %s", got)
	}
}
