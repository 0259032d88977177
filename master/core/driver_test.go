package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

func driverAt(n int) string { return fmt.Sprintf("scheduler-%d@10.0.1.%d:4000", n, n) }

// subscription is a SUBSCRIBE of the n-th driver, as framework id if it is not empty.
func subscription(n int, id string, change ...func(*DriverCall)) DriverCall {
	info := frameworkInfo()
	e := DriverCall{PID: driverAt(n), Call: &schedulerpb.Call{
		Type: schedulerpb.Call_SUBSCRIBE.Enum(), Subscribe: &schedulerpb.Call_Subscribe{FrameworkInfo: info},
	}}
	if id != "" {
		info.Id = &mesospb.FrameworkID{Value: &id}
		e.Call.FrameworkId = info.Id
	}
	for _, f := range change {
		f(&e)
	}
	return e
}

func force(e *DriverCall) { e.Force = true }
func old(e *DriverCall)   { e.Old = true }

// subscribeDriver subscribes the n-th driver as a new framework and returns its id.
func (w *world) subscribeDriver(n int, change ...func(*DriverCall)) string {
	w.t.Helper()
	w.step(subscription(n, "", change...))
	return first[*internalpb.FrameworkRegisteredMessage](w, w.sent[driverAt(n)]).GetFrameworkId().GetValue()
}

// heard is what was sent to the n-th driver, in short, and forgets it.
func (w *world) heard(n int) string {
	w.t.Helper()
	var out []string
	for _, m := range w.take(driverAt(n)) {
		if err := proto.CheckInitialized(m); err != nil {
			w.t.Errorf("to the driver: %v", err)
		}
		text := strings.TrimSuffix(string(m.ProtoReflect().Descriptor().Name()), "Message")
		switch m := m.(type) {
		case *internalpb.FrameworkRegisteredMessage:
			text += " " + m.GetFrameworkId().GetValue()
		case *internalpb.FrameworkReregisteredMessage:
			text += " " + m.GetFrameworkId().GetValue()
		case *internalpb.FrameworkErrorMessage:
			text += " " + m.GetMessage()
		case *internalpb.ResourceOffersMessage:
			text += " " + strings.Join(m.GetPids(), " ")
		case *internalpb.StatusUpdateMessage:
			text += " " + m.GetUpdate().GetStatus().GetState().String()
		case *internalpb.LostSlaveMessage:
			text += " " + m.GetSlaveId().GetValue()
		}
		out = append(out, strings.ReplaceAll(text, masterID, "M"))
	}
	return strings.Join(out, ", ")
}

func (w *world) hears(n int, want string) {
	w.t.Helper()
	if got := w.heard(n); got != want {
		w.t.Errorf("driver %d heard %q, want %q", n, got, want)
	}
}

// What the master answers to a subscription depends on what it knows of the framework
// and of the address.
func TestAnswersToDriverSubscriptions(t *testing.T) {
	registered := "FrameworkRegistered M-0000"
	reregistered := "FrameworkReregistered M-0000"
	for _, c := range []struct {
		name      string
		history   func(w *world, f string)
		event     DriverCall
		want      string
		toTheOld  string
		framework string // who is at the address afterwards
	}{
		{name: "retry of the first one", event: subscription(1, ""), want: registered, framework: "-0000"},
		{name: "the same driver again", event: subscription(1, masterID+"-0000"), want: reregistered, framework: "-0000"},
		{name: "the same driver insists", event: subscription(1, masterID+"-0000", force), want: registered, framework: "-0000"},
		{name: "another instance", event: subscription(2, masterID+"-0000", force), want: registered, toTheOld: "FrameworkError Framework failed over", framework: "-0000"},
		{name: "another instance that was cut off", event: subscription(2, masterID+"-0000"), want: "FrameworkError Framework failed over"},
		{name: "another instance after the link broke", history: func(w *world, f string) { w.step(PeerExited{PID: driverAt(1)}) },
			event: subscription(2, masterID+"-0000", force), want: registered, framework: "-0000"},
		{name: "the same driver after the link broke", history: func(w *world, f string) { w.step(PeerExited{PID: driverAt(1)}) },
			event: subscription(1, masterID+"-0000"), want: reregistered, framework: "-0000"},
		{name: "a new framework where one was lost", history: func(w *world, f string) { w.step(PeerExited{PID: driverAt(1)}) },
			event: subscription(1, ""), want: "FrameworkRegistered M-0001", framework: "-0001"},
		{name: "another framework's address", event: subscription(1, "other"), want: "", framework: "-0000"},
		{name: "an id from before", event: subscription(2, "from-before"), want: "FrameworkRegistered from-before", framework: "from-before"},
		{name: "torn down", history: func(w *world, f string) { w.step(Teardown{Framework: f}) },
			event: subscription(1, masterID+"-0000", force), want: "FrameworkError Framework has been removed"},
		{name: "not valid", event: subscription(2, "", func(e *DriverCall) { e.Call.Subscribe.FrameworkInfo.Role = proto.String("/a") }),
			want: "FrameworkError 'FrameworkInfo.role' is not a valid role: Role '/a' cannot start with a slash"},
		{name: "role of nobody suppressed", event: subscription(2, "", func(e *DriverCall) { e.Call.Subscribe.SuppressedRoles = []string{"b"} }),
			want: "FrameworkError Suppressed roles { b } are not contained in the set of roles"},
		{name: "two ids", event: subscription(2, "", func(e *DriverCall) { e.Call.FrameworkId = &mesospb.FrameworkID{Value: proto.String("x")} }), want: ""},
		{name: "refused by its message", event: subscription(2, "", func(e *DriverCall) { e.Refusal = "Re-registering without an 'id'" }),
			want: "FrameworkError Re-registering without an 'id'"},
		{name: "not authenticated", event: subscription(2, "", func(e *DriverCall) { e.Unauthenticated = true }),
			want: "FrameworkError Framework at " + driverAt(2) + " is not authenticated"},
		{name: "another principal", event: subscription(2, "", func(e *DriverCall) {
			e.Principal, e.Call.Subscribe.FrameworkInfo.Principal = "a", proto.String("b")
		}), want: "FrameworkError Framework principal 'b' does not match authenticated principal 'a'"},
		{name: "changed principal", event: subscription(1, masterID+"-0000", func(e *DriverCall) { e.Principal = "a" }),
			want: "FrameworkError Changing framework's principal is not allowed.", framework: "-0000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			f := w.subscribeDriver(1)
			if c.history != nil {
				c.history(w, f)
			}
			w.take(driverAt(1))
			w.links = make(map[string]int)
			w.step(c.event)
			if got := w.heard(slices.Index([]string{driverAt(1), driverAt(2)}, c.event.PID) + 1); got != c.want {
				t.Errorf("answer %q, want %q", got, c.want)
			}
			if c.toTheOld != "" {
				w.hears(1, c.toTheOld)
			}
			got := ""
			if here := w.c.byDriver[c.event.PID]; here != nil {
				got = here.ID
				if here.PID != c.event.PID || here.State != Active {
					t.Errorf("the framework is at %s, %v", here.PID, here.State)
				}
			}
			if got != c.framework && got != masterID+c.framework {
				t.Errorf("framework %q is at the address, want %q", got, c.framework)
			}
			if subscribed := strings.HasPrefix(c.want, "FrameworkR"); subscribed && c.name != "retry of the first one" && w.links[c.event.PID] != 1 {
				t.Errorf("linked %d times", w.links[c.event.PID])
			}
		})
	}
}

func TestDriverWithAPrincipalOwnsItsFramework(t *testing.T) {
	w := newWorld(t)
	f := w.subscribeDriver(1, func(e *DriverCall) { e.Principal = "marathon" })
	if got := w.c.known[f].Info.GetPrincipal(); got != "marathon" {
		t.Errorf("principal %q", got)
	}
}

// A broken link is an ended scheduler, unless it comes back in time. One that lives
// cannot know of it: it is told, and told again when it goes on talking.
func TestDriverThatIsLost(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribeDriver(1)
	w.running(f, agent, "a", 1)
	w.heard(1)
	w.step(PeerExited{PID: driverAt(1)})
	w.hears(1, "FrameworkError Framework disconnected, RescindResourceOffer")
	if k := w.c.known[f]; k.State != Disconnected || k.PID != driverAt(1) || len(k.Tasks) != 1 {
		t.Fatalf("state %v at %s", k.State, k.PID)
	}
	w.step(PeerExited{PID: driverAt(1)})
	w.hears(1, "")
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()})
	w.hears(1, "FrameworkError Framework disconnected")
	w.update(1, f, agent, "a", mesospb.TaskState_TASK_FINISHED)
	w.hears(1, "")

	w.advance(599*time.Second, pidOf(1))
	w.step(subscription(1, f))
	w.hears(1, "FrameworkReregistered M-0000, ResourceOffers "+pidOf(1))
	if m := first[*internalpb.UpdateFrameworkMessage](w, w.take(pidOf(1))); m.GetPid() != driverAt(1) {
		t.Errorf("agents were told %q", m.GetPid())
	}
	w.advance(3600*time.Second, pidOf(1))
	if w.c.known[f] == nil {
		t.Fatal("removed though it is back")
	}
	w.step(PeerExited{PID: driverAt(1)})
	w.advance(600*time.Second, pidOf(1))
	if w.c.known[f] != nil || w.c.byDriver[driverAt(1)] != nil {
		t.Fatal("not removed")
	}
	first[*internalpb.ShutdownFrameworkMessage](w, w.take(pidOf(1)))
	if done := w.c.Snapshot(nil).Completed; len(done) != 1 || done[0].PID != driverAt(1) {
		t.Errorf("completed: %+v", done)
	}
}

// Messages from before there were calls are carried out for a disconnected framework:
// stop() of the scheduler must end it.
func TestOldDriverStopsThoughItIsLost(t *testing.T) {
	w := newWorld(t)
	f := w.subscribeDriver(1, old)
	w.step(PeerExited{PID: driverAt(1)})
	w.step(DriverCall{PID: driverAt(1), Old: true, Call: &schedulerpb.Call{Type: schedulerpb.Call_TEARDOWN.Enum(), FrameworkId: &mesospb.FrameworkID{Value: &f}}})
	if w.c.known[f] != nil {
		t.Error("the framework is still there")
	}
}

// The second instance takes tasks and offers over. The first is told once; then what it
// says, and that it ends, has no meaning.
func TestDriverFailsOver(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribeDriver(1)
	w.running(f, agent, "a", 1)
	w.heard(1)
	w.step(subscription(2, f, force))
	w.hears(1, "FrameworkError Framework failed over")
	w.hears(2, "FrameworkRegistered M-0000, ResourceOffers "+pidOf(1))
	if m := first[*internalpb.UpdateFrameworkMessage](w, w.take(pidOf(1))); m.GetPid() != driverAt(2) {
		t.Errorf("agents were told %q", m.GetPid())
	}
	kill := &schedulerpb.Call{
		Type: schedulerpb.Call_KILL.Enum(), FrameworkId: &mesospb.FrameworkID{Value: &f},
		Kill: &schedulerpb.Call_Kill{TaskId: &mesospb.TaskID{Value: proto.String("a")}},
	}
	w.step(DriverCall{PID: driverAt(1), Call: kill})
	w.step(DriverDeactivate{PID: driverAt(1), Framework: f})
	w.step(PeerExited{PID: driverAt(1)})
	w.hears(1, "")
	if sent := w.take(pidOf(1)); len(sent) != 0 || w.c.known[f].State != Active {
		t.Errorf("agents were told %v, state %v", sent, w.c.known[f].State)
	}
	w.step(DriverCall{PID: driverAt(2), Call: kill})
	first[*internalpb.KillTaskMessage](w, w.take(pidOf(1)))
}

// abort() of a driver leaves its tasks and its connection, and ends its offers.
func TestDriverAborts(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribeDriver(1)
	w.running(f, agent, "a", 1)
	w.heard(1)
	w.step(DriverDeactivate{PID: driverAt(1), Framework: f})
	w.hears(1, "RescindResourceOffer")
	w.addAgent(2, small)
	w.update(1, f, agent, "a", mesospb.TaskState_TASK_FINISHED)
	w.hears(1, "StatusUpdate TASK_FINISHED")
	v := w.c.Snapshot(nil).Frameworks[0]
	if v.State != Inactive || !v.Connected() || v.PID != driverAt(1) {
		t.Errorf("state %v at %s", v.State, v.PID)
	}
	w.step(subscription(1, f))
	if got := w.heard(1); !strings.HasPrefix(got, "FrameworkReregistered M-0000, ResourceOffers") {
		t.Errorf("heard %s", got)
	}
}

// A framework may move between a driver and the HTTP API.
func TestDriverMovesToHTTPAndBack(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	f := w.subscribeDriver(1)
	w.heard(1)
	info := frameworkInfo()
	info.Id = &mesospb.FrameworkID{Value: &f}
	if got := w.subscribe(7, info); got != f {
		t.Fatalf("subscribed as %q", got)
	}
	w.hears(1, "FrameworkError Framework failed over")
	if m := first[*internalpb.UpdateFrameworkMessage](w, w.take(pidOf(1))); m.GetPid() != noPID {
		t.Errorf("agents were told %q", m.GetPid())
	}
	w.takeEvents(7)
	w.step(subscription(1, f))
	w.hears(1, "FrameworkError Framework failed over")
	w.step(subscription(1, f, force))
	w.hears(1, "FrameworkRegistered M-0000, ResourceOffers "+pidOf(1))
	if e := w.takeEvents(7); len(e) != 1 || e[0].GetError().GetMessage() != "Framework failed over" || !w.closed[7] {
		t.Errorf("old stream: %v", e)
	}
	if a := w.answerTo(Call{Call: &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum(), FrameworkId: info.Id}, StreamUUID: "stream-7", HasStreamUUID: true}); a.Status != 403 || a.Body != "Framework is not connected via HTTP" {
		t.Errorf("answer %+v", a)
	}
}

func (w *world) answerTo(e Call) Answer {
	w.ids++
	e.Request = RequestID(w.ids)
	w.step(e)
	return w.answers[e.Request]
}

// What drivers are told of a task, by whom: the address says where an acknowledgement
// would go.
func TestStatusUpdatesOfDrivers(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribeDriver(1)
	offer := w.c.outOffers[sortedKeys(w.c.outOffers)[0]]
	w.accept(f, []string{offer.ID}, 0, launchOp(task("a", agent, "cpus:1;mem:64"), task("b", "elsewhere", "cpus:1;mem:64")))
	run := first[*internalpb.RunTaskMessage](w, w.take(pidOf(1)))
	if run.GetPid() != driverAt(1) {
		t.Errorf("the agent has %q as the driver", run.GetPid())
	}
	refused := first[*internalpb.StatusUpdateMessage](w, w.take(driverAt(1)))
	if u := refused.GetUpdate(); refused.GetPid() != "@0.0.0.0:0" || u.Uuid != nil || u.GetStatus().GetState() != mesospb.TaskState_TASK_ERROR ||
		u.GetStatus().GetSource() != mesospb.TaskStatus_SOURCE_MASTER || u.GetTimestamp() != seconds(w.now) || u.GetStatus().GetTimestamp() != seconds(w.now) ||
		u.GetSlaveId().GetValue() != "elsewhere" || u.GetFrameworkId().GetValue() != f {
		t.Errorf("refused: %v", refused)
	}

	uuid := w.update(1, f, agent, "a", mesospb.TaskState_TASK_RUNNING)
	forwarded := first[*internalpb.StatusUpdateMessage](w, w.take(driverAt(1)))
	if u := forwarded.GetUpdate(); forwarded.GetPid() != pidOf(1) || string(u.GetUuid()) != string(uuid) || u.GetLatestState() != mesospb.TaskState_TASK_RUNNING {
		t.Errorf("forwarded: %v", forwarded)
	}
	w.acknowledge(f, agent, "a", uuid)
	if ack := first[*internalpb.StatusUpdateAcknowledgementMessage](w, w.take(pidOf(1))); string(ack.GetUuid()) != string(uuid) {
		t.Errorf("acknowledged: %v", ack)
	}

	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{}})
	known := first[*internalpb.StatusUpdateMessage](w, w.take(driverAt(1)))
	if u := known.GetUpdate(); known.Pid != nil || u.Uuid != nil || u.GetStatus().GetReason() != mesospb.TaskStatus_REASON_RECONCILIATION || u.GetStatus().ExecutorId != nil {
		t.Errorf("reconciled: %v", known)
	}

	w.step(PeerExited{PID: pidOf(1)})
	w.advance(time.Minute * 20)
	w.hears(1, "RescindResourceOffer, StatusUpdate TASK_LOST, LostSlave M-S0")
}

// Drivers from before 0.23 cannot read an update without a uuid.
func TestOldDriversGetAnEmptyUUID(t *testing.T) {
	w := newWorld(t)
	f := w.subscribeDriver(1, old)
	w.heard(1)
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_KILL.Enum(), Kill: &schedulerpb.Call_Kill{TaskId: &mesospb.TaskID{Value: proto.String("x")}}})
	m := first[*internalpb.StatusUpdateMessage](w, w.take(driverAt(1)))
	if u := m.GetUpdate(); u.Uuid == nil || len(u.Uuid) != 0 || m.Pid != nil || u.GetStatus().GetState() != mesospb.TaskState_TASK_LOST {
		t.Errorf("update: %v", m)
	}
}

// Messages between executors and drivers that came by way of the master.
func TestExecutorsOfDrivers(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribeDriver(1)
	one := task("a", agent, "cpus:1;mem:64")
	one.Executor = &mesospb.ExecutorInfo{ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, Command: one.Command}
	one.Command = nil
	w.accept(f, []string{sortedKeys(w.c.outOffers)[0]}, 0, launchOp(one))
	w.take(driverAt(1))
	w.take(pidOf(1))
	framework, executor, id := &mesospb.FrameworkID{Value: &f}, one.Executor.ExecutorId, &mesospb.AgentID{Value: &agent}
	said := &internalpb.ExecutorToFrameworkMessage{SlaveId: id, FrameworkId: framework, ExecutorId: executor, Data: []byte("hi")}
	ended := &internalpb.ExitedExecutorMessage{SlaveId: id, FrameworkId: framework, ExecutorId: executor, Status: proto.Int32(256)}
	for _, m := range []proto.Message{said, ended} {
		w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: proto.Clone(m)})
	}
	got := w.take(driverAt(1))
	if len(got) < 2 || !proto.Equal(got[0], said) || !proto.Equal(got[1], ended) {
		t.Errorf("the driver got %v", got)
	}
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_MESSAGE.Enum(), Message: &schedulerpb.Call_Message{AgentId: id, ExecutorId: executor, Data: []byte("ho")}})
	want := &internalpb.FrameworkToExecutorMessage{SlaveId: id, FrameworkId: framework, ExecutorId: executor, Data: []byte("ho")}
	if got := first[*internalpb.FrameworkToExecutorMessage](w, w.take(pidOf(1))); !proto.Equal(got, want) {
		t.Errorf("the agent got %v", got)
	}
}

// Drivers know nothing of operation feedback; what asks for it ends them.
func TestDriverAsksForOperationFeedback(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	f := w.subscribeDriver(1)
	w.heard(1)
	w.accept(f, []string{sortedKeys(w.c.outOffers)[0]}, 3600, &mesospb.Offer_Operation{
		Type: mesospb.Offer_Operation_RESERVE.Enum(), Id: &mesospb.OperationID{Value: proto.String("x")},
		Reserve: &mesospb.Offer_Operation_Reserve{Resources: res("cpus:1")},
	})
	w.hears(1, "FrameworkError The 'id' field was set in an offer operation, but operation feedback is not supported for the SchedulerDriver API; please use the HTTP scheduler API for this feature")
	for _, call := range []*schedulerpb.Call{
		{Type: schedulerpb.Call_RECONCILE_OPERATIONS.Enum(), ReconcileOperations: &schedulerpb.Call_ReconcileOperations{}},
		{Type: schedulerpb.Call_UNKNOWN.Enum()},
		{},
	} {
		w.call(f, call)
	}
	w.hears(1, "")
}

func TestDriverUpdatesItsFramework(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	f := w.subscribeDriver(1)
	w.heard(1)
	w.take(pidOf(1))
	update := func(change func(*mesospb.FrameworkInfo)) {
		info := frameworkInfo()
		info.Id = &mesospb.FrameworkID{Value: &f}
		change(info)
		w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &schedulerpb.Call_UpdateFramework{FrameworkInfo: info}})
	}
	update(func(i *mesospb.FrameworkInfo) { i.Name = proto.String("renamed") })
	w.hears(1, "")
	if m := first[*internalpb.UpdateFrameworkMessage](w, w.take(pidOf(1))); m.GetFrameworkInfo().GetName() != "renamed" || m.GetPid() != driverAt(1) {
		t.Errorf("agents were told %v", m)
	}
	update(func(i *mesospb.FrameworkInfo) { i.User = proto.String("nobody") })
	w.hears(1, "FrameworkError FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; attempted to update from 'root' to 'nobody'")
}

// After a failover the master knows a framework from its agents, as one without an
// address, until its driver comes.
func TestDriverOfRecoveredFramework(t *testing.T) {
	w := newWorld(t)
	info := frameworkInfo()
	info.Id = &mesospb.FrameworkID{Value: proto.String("f")}
	p := newTask(&Framework{ID: "f", Info: info}, task("a", "S0", "cpus:1;mem:64"))
	w.reregister(1, reregistration(1, "S0", small, []*mesospb.FrameworkInfo{info}, p))
	w.update(1, "f", "S0", "a", mesospb.TaskState_TASK_RUNNING)
	w.step(subscription(1, "f"))
	if got := w.heard(1); !strings.HasPrefix(got, "FrameworkRegistered f") {
		t.Errorf("heard %s", got)
	}
	if m := first[*internalpb.UpdateFrameworkMessage](w, w.take(pidOf(1))); m.GetPid() != driverAt(1) {
		t.Errorf("agents were told %v", m)
	}
	if k := w.c.known["f"]; len(k.Tasks) != 1 || k.State != Active {
		t.Errorf("state %v, %d tasks", k.State, len(k.Tasks))
	}
}

// Every event has its message, or is one that drivers do not know.
func TestEventsAsMessages(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.c.known[w.subscribeDriver(1)]
	offer, here, away := &mesospb.OfferID{Value: proto.String("o")}, &mesospb.AgentID{Value: &agent}, &mesospb.AgentID{Value: proto.String("x")}
	for _, c := range []struct {
		event *schedulerpb.Event
		want  proto.Message
	}{
		{&schedulerpb.Event{Type: schedulerpb.Event_INVERSE_OFFERS.Enum(), InverseOffers: &schedulerpb.Event_InverseOffers{InverseOffers: []*mesospb.InverseOffer{{Id: offer, AgentId: here}, {Id: offer, AgentId: away}}}},
			&internalpb.InverseOffersMessage{InverseOffers: []*mesospb.InverseOffer{{Id: offer, AgentId: here}, {Id: offer, AgentId: away}}, Pids: []string{pidOf(1), noPID}}},
		{&schedulerpb.Event{Type: schedulerpb.Event_RESCIND.Enum(), Rescind: &schedulerpb.Event_Rescind{OfferId: offer}},
			&internalpb.RescindResourceOfferMessage{OfferId: offer}},
		{&schedulerpb.Event{Type: schedulerpb.Event_RESCIND_INVERSE_OFFER.Enum(), RescindInverseOffer: &schedulerpb.Event_RescindInverseOffer{InverseOfferId: offer}},
			&internalpb.RescindInverseOfferMessage{InverseOfferId: offer}},
		{&schedulerpb.Event{Type: schedulerpb.Event_FAILURE.Enum(), Failure: &schedulerpb.Event_Failure{AgentId: here}},
			&internalpb.LostSlaveMessage{SlaveId: here}},
		{&schedulerpb.Event{Type: schedulerpb.Event_ERROR.Enum(), Error: &schedulerpb.Event_Error{Message: proto.String("m")}},
			&internalpb.FrameworkErrorMessage{Message: proto.String("m")}},
		{&schedulerpb.Event{Type: schedulerpb.Event_UPDATE_OPERATION_STATUS.Enum(), UpdateOperationStatus: &schedulerpb.Event_UpdateOperationStatus{}}, nil},
		{&schedulerpb.Event{Type: schedulerpb.Event_HEARTBEAT.Enum()}, nil},
	} {
		if got := w.c.driverMessage(f, c.event); !proto.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.event.GetType(), got, c.want)
		}
	}
}

// Calls that cannot be of use are counted where the original counts them.
func TestUselessCallsOfDriversAreCounted(t *testing.T) {
	w := newWorld(t)
	f := w.subscribeDriver(1)
	acknowledge := &schedulerpb.Call_Acknowledge{
		AgentId: &mesospb.AgentID{Value: proto.String("s")}, TaskId: &mesospb.TaskID{Value: proto.String("t")}, Uuid: []byte("not one"),
	}
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), Acknowledge: acknowledge})
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum()})
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_MESSAGE.Enum()})
	stranger := &schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), FrameworkId: &mesospb.FrameworkID{Value: proto.String("x")}, Acknowledge: acknowledge}
	stranger.Acknowledge.Uuid = w.uuid()
	w.step(DriverCall{PID: driverAt(1), Old: true, Call: stranger})
	w.step(DriverDeactivate{PID: driverAt(1), Framework: "x"})
	for name, want := range map[string]float64{
		"invalid_status_update_acknowledgements":           2,
		"invalid_operation_status_update_acknowledgements": 1,
		"invalid_framework_to_executor_messages":           1,
		"messages_deactivate_framework":                    1,
		"messages_register_framework":                      1,
	} {
		if got := w.c.Counters()["master/"+name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}
