package core

import (
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

func TestSubscriptionsThatAreRefused(t *testing.T) {
	multi := mesospb.FrameworkInfo_Capability_MULTI_ROLE
	role := func(r string) *mesospb.FrameworkInfo {
		info := frameworkInfo()
		info.Role = &r
		return info
	}
	for _, c := range []struct {
		want string
		info *mesospb.FrameworkInfo
	}{
		{"'FrameworkInfo.role' is not a valid role: Role component 'a b' is invalid because it contains backspace or whitespace", role("a b")},
		{"'FrameworkInfo.role' is not a valid role: Role '/a' cannot start with a slash", role("/a")},
		{"'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable", &mesospb.FrameworkInfo{User: proto.String("u"), Name: proto.String("n"), Roles: []string{"a"}}},
		{"'FrameworkInfo.roles' contains duplicate items: { a }", inRoles(frameworkInfo(), "a", "a")},
		{"'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable", func() *mesospb.FrameworkInfo {
			info := role("a")
			info.Capabilities = []*mesospb.FrameworkInfo_Capability{{Type: &multi}}
			return info
		}()},
		{"The framework failover_timeout (1e+300) is invalid", func() *mesospb.FrameworkInfo {
			info := frameworkInfo()
			info.FailoverTimeout = proto.Float64(1e300)
			return info
		}()},
		{"Roles { a, c } are not present in the master's --roles", inRoles(frameworkInfo(), "c", "b", "a")},
		{"User 'root' is not allowed to run frameworks without --root_submissions set", frameworkInfo()},
	} {
		w := newWorld(t, func(cfg *Config) { cfg.Roles = []string{"b"}; cfg.RootSubmissions = false })
		if w.subscribe(1, c.info) != "" || !w.closed[1] {
			t.Errorf("not refused: %s", c.want)
			continue
		}
		if e := w.takeEvents(1); len(e) != 1 || e[0].GetError().GetMessage() != c.want {
			t.Errorf("events %v, want %s", e, c.want)
		}
	}
}

func TestSubscribedThenHeartbeats(t *testing.T) {
	w := newWorld(t)
	w.subscribe(1, frameworkInfo())
	w.advance(31 * time.Second)
	var kinds []schedulerpb.Event_Type
	for _, e := range w.events[1] {
		kinds = append(kinds, e.GetType())
	}
	if len(kinds) != 4 || kinds[0] != schedulerpb.Event_SUBSCRIBED || kinds[1] != schedulerpb.Event_HEARTBEAT || kinds[3] != schedulerpb.Event_HEARTBEAT {
		t.Errorf("events: %v", kinds)
	}
}

// A second subscription takes the framework over: the first stream gets an error and
// ends, its offers are worthless, its stream id too; tasks stay.
func TestFrameworkFailsOver(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	w.running(f, agent, "a", 1)
	info := frameworkInfo()
	info.Id = &mesospb.FrameworkID{Value: &f}
	info.Name = proto.String("renamed")
	info.User = proto.String("other")
	if got := w.subscribe(2, info); got != f {
		t.Fatalf("id: %q", got)
	}
	old := w.takeEvents(1)
	if len(old) != 1 || old[0].GetError().GetMessage() != "Framework failed over" || !w.closed[1] {
		t.Errorf("old stream: %v", old)
	}
	first[*internalpb.UpdateFrameworkMessage](w, w.take(pidOf(1)))
	if k := w.c.known[f]; k.Info.GetName() != "renamed" || k.Info.GetUser() != "root" || len(k.Tasks) != 1 || len(k.Offers) != 1 {
		t.Errorf("framework: %v", k.Info)
	}
	w.step(Call{Request: 77, StreamUUID: "stream-1", HasStreamUUID: true, Call: &schedulerpb.Call{
		Type: schedulerpb.Call_SUPPRESS.Enum(), FrameworkId: &mesospb.FrameworkID{Value: &f},
	}})
	want := "The stream ID 'stream-1' included in this request didn't match the stream ID currently associated with framework ID " + f
	if a := w.answers[77]; a.Status != 400 || a.Body != want {
		t.Errorf("answer: %+v", a)
	}
	// The end of the old stream's connection says nothing about the framework.
	w.step(StreamClosed{Stream: 1})
	if w.c.known[f].State != Active {
		t.Error("the framework is disconnected")
	}
}

func TestFailoverTimeout(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	w.running(f, agent, "a", 1)
	w.step(StreamClosed{Stream: 1})
	if k := w.c.known[f]; k.State != Disconnected || len(k.Offers) != 0 {
		t.Fatalf("state %v", k.State)
	}
	if a := w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}); a.Status != 403 {
		t.Errorf("answer: %+v", a)
	}
	w.advance(599*time.Second, pidOf(1))
	if w.c.known[f] == nil {
		t.Fatal("removed too early")
	}
	w.advance(2*time.Second, pidOf(1))
	done := w.c.completedFramework(f)
	if w.c.known[f] != nil || done == nil {
		t.Fatal("not removed")
	}
	first[*internalpb.ShutdownFrameworkMessage](w, w.take(pidOf(1)))
	last := done.CompletedTasks.All()[0]
	if last.GetState() != mesospb.TaskState_TASK_KILLED || last.Statuses[len(last.Statuses)-1].GetMessage() != "Framework "+f+" removed" {
		t.Errorf("task: %v", last)
	}
	info := frameworkInfo()
	info.Id = &mesospb.FrameworkID{Value: &f}
	w.subscribe(2, info)
	if e := w.takeEvents(2); len(e) != 1 || e[0].GetError().GetMessage() != "Framework has been removed" {
		t.Errorf("events: %v", e)
	}
	if a := w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()}); a.Status != 400 || a.Body != "Framework cannot be found" {
		t.Errorf("answer: %+v", a)
	}
}

func TestResubscriptionStopsTheTimeout(t *testing.T) {
	w := newWorld(t)
	f := w.subscribe(1, frameworkInfo())
	w.step(StreamClosed{Stream: 1})
	w.advance(300 * time.Second)
	info := frameworkInfo()
	info.Id = &mesospb.FrameworkID{Value: &f}
	w.subscribe(2, info)
	w.advance(3600 * time.Second)
	if w.c.known[f] == nil {
		t.Error("removed though it is back")
	}
}

// An id this master never saw is taken as it is.
func TestUnknownFrameworkIDIsKept(t *testing.T) {
	w := newWorld(t)
	info := frameworkInfo()
	info.Id = &mesospb.FrameworkID{Value: proto.String("from-before")}
	if got := w.subscribe(1, info); got != "from-before" {
		t.Errorf("id: %q", got)
	}
}

func TestTeardownEndsTheStream(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	if a := w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_TEARDOWN.Enum()}); a.Status != 202 || !w.closed[1] {
		t.Errorf("answer %+v, closed %v", a, w.closed[1])
	}
	w.step(Teardown{Request: 5, Framework: f})
	if a := w.answers[5]; a.Status != 400 || a.Body != "No framework found with specified ID" {
		t.Errorf("answer: %+v", a)
	}
}

func TestSuppressAndRevive(t *testing.T) {
	w := newWorld(t)
	f := w.subscribe(1, inRoles(frameworkInfo(), "a", "b"), "a")
	w.addAgent(1, small)
	if o := w.takeOffers(1); len(o) != 1 || o[0].GetAllocationInfo().GetRole() != "b" {
		t.Fatalf("offers: %v", o)
	}
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_SUPPRESS.Enum()})
	w.addAgent(2, small)
	if o := w.takeOffers(1); len(o) != 0 {
		t.Errorf("offers: %v", o)
	}
	// A role that is not the framework's spoils the call.
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum(), Revive: &schedulerpb.Call_Revive{Roles: []string{"a", "c"}}})
	if o := w.takeOffers(1); len(o) != 0 {
		t.Errorf("offers: %v", o)
	}
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum(), Revive: &schedulerpb.Call_Revive{Roles: []string{"a"}}})
	if o := w.takeOffers(1); len(o) != 1 || o[0].GetAllocationInfo().GetRole() != "a" {
		t.Errorf("offers: %v", o)
	}
}

func TestDeclinedOfferReturnsAfterItsFilter(t *testing.T) {
	for _, c := range []struct {
		refuse float64
		after  time.Duration
	}{{0, time.Second}, {0.2, time.Second}, {5, 5 * time.Second}, {-1, 5 * time.Second}} {
		w := newWorld(t)
		w.addAgent(1, small)
		f := w.subscribe(1, frameworkInfo())
		w.decline(f, w.takeOffers(1)[0].GetId().GetValue(), c.refuse)
		w.advance(c.after - time.Millisecond)
		if o := w.takeOffers(1); len(o) != 0 {
			t.Errorf("refused for %v s, offered again too early", c.refuse)
		}
		w.advance(time.Millisecond)
		if o := w.takeOffers(1); len(o) != 1 {
			t.Errorf("refused for %v s, not offered again after %v", c.refuse, c.after)
		}
	}
}

func TestOfferTimeout(t *testing.T) {
	w := newWorld(t, func(cfg *Config) { cfg.OfferTimeout = 30 * time.Second })
	w.addAgent(1, small)
	w.subscribe(1, frameworkInfo())
	w.takeEvents(1)
	w.advance(30*time.Second, pidOf(1))
	e := w.takeEvents(1)
	if len(e) != 2 || e[0].GetType() != schedulerpb.Event_RESCIND || e[1].GetType() != schedulerpb.Event_OFFERS {
		t.Errorf("events: %v", e)
	}
}

func TestKillOfUnknownTaskIsReconciled(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo(mesospb.FrameworkInfo_Capability_PARTITION_AWARE))
	w.takeEvents(1)
	for _, c := range []struct {
		agent   *string
		state   mesospb.TaskState
		message string
	}{
		{nil, mesospb.TaskState_TASK_UNKNOWN, "Reconciliation: Task is unknown"},
		{&agent, mesospb.TaskState_TASK_GONE, "Reconciliation: Task is unknown to the agent"},
		{proto.String("zz"), mesospb.TaskState_TASK_UNKNOWN, "Reconciliation: Task is unknown"},
	} {
		kill := &schedulerpb.Call_Kill{TaskId: &mesospb.TaskID{Value: proto.String("x")}}
		if c.agent != nil {
			kill.AgentId = &mesospb.AgentID{Value: c.agent}
		}
		w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_KILL.Enum(), Kill: kill})
		st := w.takeStatuses(1)
		if len(st) != 1 || st[0].GetState() != c.state || st[0].GetMessage() != c.message || st[0].GetReason() != mesospb.TaskStatus_REASON_RECONCILIATION {
			t.Errorf("statuses: %v", st)
		}
		if (st[0].AgentId == nil) != (c.agent == nil) {
			t.Errorf("agent of the answer: %v", st[0].AgentId)
		}
	}
}

func TestImplicitReconciliationTellsTheUnacknowledgedState(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	w.running(f, agent, "a", 1)
	w.update(1, f, agent, "a", mesospb.TaskState_TASK_FINISHED)
	w.takeEvents(1)
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{}})
	st := w.takeStatuses(1)
	if len(st) != 1 || st[0].GetState() != mesospb.TaskState_TASK_FINISHED || st[0].Uuid != nil || st[0].GetMessage() != "Reconciliation: Latest task state" {
		t.Errorf("statuses: %v", st)
	}
}

func TestUpdateFramework(t *testing.T) {
	w := newWorld(t)
	w.addAgent(1, small)
	f := w.subscribe(1, inRoles(frameworkInfo(), "a"))
	w.takeEvents(1)
	update := func(change func(*mesospb.FrameworkInfo)) Answer {
		info := inRoles(frameworkInfo(), "b")
		info.Id = &mesospb.FrameworkID{Value: &f}
		change(info)
		return w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &schedulerpb.Call_UpdateFramework{FrameworkInfo: info}})
	}
	if a := update(func(i *mesospb.FrameworkInfo) { i.User = proto.String("nobody") }); a.Status != 400 ||
		a.Body != "FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; attempted to update from 'root' to 'nobody'" {
		t.Errorf("answer: %+v", a)
	}
	if a := update(func(*mesospb.FrameworkInfo) {}); a.Status != 200 || a.Body != "" {
		t.Errorf("answer: %+v", a)
	}
	e := w.takeEvents(1)
	if len(e) != 2 || e[0].GetType() != schedulerpb.Event_RESCIND || e[1].GetOffers().Offers[0].GetAllocationInfo().GetRole() != "b" {
		t.Errorf("events: %v", e)
	}
}

func TestHistoriesAreBounded(t *testing.T) {
	w := newWorld(t, func(cfg *Config) { cfg.MaxCompletedFrameworks = 2; cfg.MaxCompletedTasks = 3 })
	agent := w.addAgent(1, small)
	var ids []string
	for i := range 4 {
		f := w.subscribe(StreamID(i+1), frameworkInfo())
		ids = append(ids, f)
		for n := range 5 {
			id := string(rune('a' + n))
			w.running(f, agent, id, 1)
			w.acknowledge(f, agent, id, w.update(1, f, agent, id, mesospb.TaskState_TASK_FINISHED))
		}
		w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_TEARDOWN.Enum()})
	}
	if len(w.c.completed) != 2 || w.c.completed[1].ID != ids[3] || w.c.completedFramework(ids[0]) != nil {
		t.Errorf("%d completed frameworks", len(w.c.completed))
	}
	var kept string
	for _, p := range w.c.completed[1].CompletedTasks.All() {
		kept += p.GetTaskId().GetValue()
	}
	if kept != "cde" {
		t.Errorf("kept tasks %s", kept)
	}
}
