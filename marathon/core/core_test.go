package core_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/event"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"
)

// connected is a world with one big agent and a master.
func connected(t testing.TB) *world {
	w := newWorld(t, 1)
	w.addAgent("host-0", 100, 100000)
	w.connect()
	return w
}

func TestNewAppIsLaunchedAndItsDeploymentEnds(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/web", 2)))
	w.pass(10 * time.Second)
	if n := len(w.running("/web")); n != 2 {
		t.Fatalf("%d tasks run, want 2", n)
	}
	if v := w.core.View(); len(v.Deployments) != 0 {
		t.Fatalf("deployments are left: %v", v.Deployments)
	}
	want := []string{
		event.TypeGroupChangeSuccess, event.TypeDeploymentInfo, event.TypeDeploymentStepSuccess,
		event.TypeDeploymentInfo, event.TypeInstanceChanged,
	}
	var from int
	for n, e := range w.eventTypes() {
		if e == event.TypeGroupChangeSuccess {
			from = n
			break
		}
	}
	if got := w.eventTypes()[from : from+len(want)]; !slices.Equal(got, want) {
		t.Errorf("events begin %v, want %v", got, want)
	}
	if w.count(event.TypeDeploymentSuccess) != 1 {
		t.Error("no deployment_success")
	}
	for _, task := range w.running("/web") {
		if task.unacked != nil {
			t.Errorf("update of %s was not acknowledged", task.info.GetTaskId().GetValue())
		}
	}
}

func TestManyInstancesOfOneOfferGoInOneAccept(t *testing.T) {
	w := connected(t)
	w.calls = nil
	w.update(false, put(simple("/web", 50)))
	accepts := 0
	for _, c := range w.calls {
		if c.GetType() == schedulerpb.Call_ACCEPT {
			accepts++
			if n := len(c.GetAccept().GetOperations()[0].GetLaunch().GetTaskInfos()); n != 50 {
				t.Errorf("%d tasks in the ACCEPT, want 50", n)
			}
		}
	}
	if accepts != 1 {
		t.Errorf("%d ACCEPTs, want 1", accepts)
	}
	if w.wanting["*"] {
		t.Error("offers are still wanted although nothing waits")
	}
}

func TestSameDefinitionAgainTouchesNothing(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/web", 1)))
	w.pass(10 * time.Second)
	before := w.running("/web")[0].info.GetTaskId().GetValue()
	version := w.core.Root().App("/web").Version()
	d := w.update(false, put(w.core.Root().App("/web")))
	w.pass(10 * time.Second)
	if d.DeploymentID == "" {
		t.Error("no deployment id")
	}
	if got := w.running("/web"); len(got) != 1 || got[0].info.GetTaskId().GetValue() != before {
		t.Errorf("the task was replaced")
	}
	if got := w.core.Root().App("/web").Version(); got != version {
		t.Errorf("version changed from %s to %s", version, got)
	}
}

func TestFailedTaskComesBackAfterItsDelayWithTheNextIncarnation(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/web", 1)))
	w.pass(10 * time.Second)
	first := w.running("/web")[0]
	w.status(first, mesospb.TaskState_TASK_FAILED)
	w.pump()
	if n := w.live("/web"); n != 0 {
		t.Fatalf("relaunched without delay")
	}
	w.pass(990 * time.Millisecond)
	if n := w.live("/web"); n != 0 {
		t.Fatalf("relaunched before backoffSeconds were over")
	}
	w.pass(20 * time.Millisecond)
	if n := w.live("/web"); n != 1 {
		t.Fatalf("not relaunched after backoffSeconds")
	}
	w.pass(5 * time.Second)
	i := w.instances("/web")[0]
	if want := i.ID + "._app.2"; i.Task().ID != want {
		t.Errorf("task id %s, want %s", i.Task().ID, want)
	}
	f := w.core.View().Failures["/web"]
	if f == nil || f.State != "TASK_FAILED" || f.TaskID != i.ID+"._app.1" {
		t.Errorf("last failure %+v", f)
	}
}

func TestKilledTaskComesBackAtOnce(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/web", 1)))
	w.pass(10 * time.Second)
	old := w.instances("/web")[0]
	w.core.KillInstances([]string{old.ID}, false, w.now)
	w.pass(4 * time.Second)
	now := w.instances("/web")
	if len(now) != 1 || now[0].ID != old.ID || now[0].Task().ID != old.ID+"._app.2" || now[0].State.Condition != instance.Running {
		t.Errorf("after the kill: %+v", now)
	}
}

func TestWipedInstanceIsReplacedByANewOne(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/web", 1)))
	w.pass(10 * time.Second)
	old := w.instances("/web")[0].ID
	w.core.KillInstances([]string{old}, true, w.now)
	w.pass(5 * time.Second)
	now := w.instances("/web")
	if len(now) != 1 || now[0].ID == old || now[0].State.Condition != instance.Running {
		t.Errorf("after the wipe: %+v", now)
	}
}

func TestScaleDownKillsTheYoungest(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/web", 1)))
	w.pass(10 * time.Second)
	first := w.instances("/web")[0].ID
	w.update(false, put(w.core.Root().App("/web").WithInstances(2)))
	w.pass(10 * time.Second)
	if n := len(w.running("/web")); n != 2 {
		t.Fatalf("%d tasks run, want 2", n)
	}
	w.update(false, put(w.core.Root().App("/web").WithInstances(1)))
	w.pass(10 * time.Second)
	if now := w.instances("/web"); len(now) != 1 || now[0].ID != first {
		t.Errorf("the first instance did not stay: %+v", now)
	}
	info := w.core.Root().App("/web").VersionInfo
	if info.LastConfigChangeAt == info.LastScalingAt {
		t.Error("scaling changed lastConfigChangeAt")
	}
}

func TestSuspendAndDelete(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/web", 3)))
	w.pass(10 * time.Second)
	w.update(false, put(w.core.Root().App("/web").WithInstances(0)))
	w.pass(10 * time.Second)
	if n := w.live("/web"); n != 0 {
		t.Fatalf("%d tasks live after suspend", n)
	}
	w.update(false, put(w.core.Root().App("/web").WithInstances(1)))
	w.pass(10 * time.Second)
	w.update(false, remove("/web"))
	w.pass(10 * time.Second)
	if w.live("/web") != 0 || len(w.instances("/web")) != 0 || w.core.Root().App("/web") != nil {
		t.Error("something of the app is left")
	}
	if w.count(event.TypeAppTerminated) != 1 {
		t.Error("no app_terminated_event")
	}
}

func TestConflictingChangeIsRefusedOrForced(t *testing.T) {
	w := connected(t)
	w.behave = func(t *task) { t.next = t.state } // stays staging for ever
	first := w.update(false, put(simple("/web", 1)))
	change := simple("/web", 1)
	change.Cmd = "sleep 2000"
	_, err := w.tryUpdate(false, put(change))
	var locked *core.LockedError
	if !errors.As(err, &locked) || !slices.Equal(locked.DeploymentIDs, []string{first.DeploymentID}) {
		t.Fatalf("error %v, want a lock of %s", err, first.DeploymentID)
	}
	if w.count(event.TypeGroupChangeFailed) != 1 {
		t.Error("no group_change_failed")
	}
	w.behave = nil
	w.update(true, put(change))
	w.pass(30 * time.Second)
	if n := len(w.core.View().Deployments); n != 0 {
		t.Fatalf("%d deployments left", n)
	}
	if got := w.running("/web"); len(got) != 1 || got[0].info.GetCommand().GetValue() != "sleep 2000" || w.live("/web") != 1 {
		t.Errorf("running %d, live %d", len(got), w.live("/web"))
	}
}

func TestRollbackOfAnImpossibleChange(t *testing.T) {
	for _, c := range []struct {
		name         string
		strategy     app.UpgradeStrategy
		keepsRunning bool
	}{
		{"kill first", app.UpgradeStrategy{}, false},
		{"start first", app.UpgradeStrategy{MinimumHealthCapacity: 1, MaximumOverCapacity: 1}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := connected(t)
			a := simple("/web", 2)
			a.UpgradeStrategy = c.strategy
			w.update(false, put(a))
			w.pass(10 * time.Second)
			before := w.core.Root().App("/web").Version()
			big := *w.core.Root().App("/web")
			big.Resources.CPUs = 1000
			d := w.update(false, put(&big))
			w.pass(30 * time.Second)
			if got, want := len(w.running("/web")) == 2, c.keepsRunning; got != want {
				t.Fatalf("%d old tasks run while the change waits", len(w.running("/web")))
			}
			if q := w.core.Queue(w.now); len(q) != 1 || q[0].Count == 0 || !q[0].DelayUntil.IsZero() {
				t.Errorf("queue %+v", q)
			}
			_, found, err := w.core.DeleteDeployment(d.DeploymentID, false, w.now)
			if !found || err != nil {
				t.Fatal(found, err)
			}
			w.pass(30 * time.Second)
			now := w.core.Root().App("/web")
			if now.Resources.CPUs != 0.1 || now.Version() <= before {
				t.Errorf("definition after the rollback: %v cpus, version %s", now.Resources.CPUs, now.Version())
			}
			if len(w.running("/web")) != 2 || len(w.instances("/web")) != 2 || len(w.core.View().Deployments) != 0 {
				t.Errorf("%d run, %d instances, %d deployments", len(w.running("/web")), len(w.instances("/web")), len(w.core.View().Deployments))
			}
			for _, i := range w.instances("/web") {
				if i.Version != now.Version() {
					t.Errorf("instance of version %s runs, want %s", i.Version, now.Version())
				}
			}
		})
	}
}

func TestRollbackOfACreationDeletesTheApp(t *testing.T) {
	w := connected(t)
	a := simple("/shop/web", 1)
	a.Constraints = []app.Constraint{{Field: "hostname", Operator: app.Like, Value: "nowhere", HasValue: true}}
	d := w.update(false, put(a))
	w.pass(5 * time.Second)
	if _, found, err := w.core.DeleteDeployment(d.DeploymentID, false, w.now); !found || err != nil {
		t.Fatal(found, err)
	}
	w.pass(5 * time.Second)
	if w.core.Root().App("/shop/web") != nil || w.core.Root().Find("/shop") != nil {
		t.Error("the app or its group is left")
	}
	if len(w.instances("/shop/web")) != 0 || len(w.core.View().Deployments) != 0 {
		t.Error("instances or deployments are left")
	}
}

func TestCancelledDeploymentLeavesTheDefinition(t *testing.T) {
	w := connected(t)
	a := simple("/web", 1)
	a.Constraints = []app.Constraint{{Field: "hostname", Operator: app.Like, Value: "nowhere", HasValue: true}}
	d := w.update(false, put(a))
	if _, found, err := w.core.DeleteDeployment(d.DeploymentID, true, w.now); !found || err != nil {
		t.Fatal(found, err)
	}
	w.pump()
	if w.core.Root().App("/web") == nil || len(w.core.View().Deployments) != 0 || w.count(event.TypeDeploymentFailed) != 1 {
		t.Error("want the app to stay and the deployment to fail")
	}
	if _, found, _ := w.core.DeleteDeployment(d.DeploymentID, true, w.now); found {
		t.Error("the deployment is found again")
	}
}

func TestDependenciesComeFirst(t *testing.T) {
	w := connected(t)
	var order []id.Path
	w.behave = func(t *task) { order = append(order, t.appID()) }
	w.update(false, func(root *group.Root, version timestamp.Timestamp) (*group.Root, error) {
		for _, p := range []struct{ id, needs id.Path }{{"/p/web", "/p/service"}, {"/p/service", "/p/db"}, {"/p/db", ""}} {
			a := simple(p.id, 1)
			if p.needs != "" {
				a.Dependencies = []id.Path{p.needs}
			}
			a.VersionInfo = app.OnlyVersion(version)
			root = root.WithApp(a, version)
		}
		return root, nil
	})
	w.pass(30 * time.Second)
	if want := []id.Path{"/p/db", "/p/service", "/p/web"}; !slices.Equal(order, want) {
		t.Errorf("launched %v, want %v", order, want)
	}
}

func TestUnreachableInstances(t *testing.T) {
	const never = time.Duration(-1)
	for _, c := range []struct {
		name               string
		inactive, expunge  time.Duration
		disabled           bool
		replaced, expunged time.Duration
	}{
		{"at once", 0, 0, false, 0, 0},
		{"replaced at once, kept for a minute", 0, time.Minute, false, 0, time.Minute},
		{"later", time.Minute, 2 * time.Minute, false, time.Minute, 2 * time.Minute},
		{"never", 0, 0, true, never, never},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := connected(t)
			a := simple("/web", 1)
			a.UnreachableStrategy = app.UnreachableStrategy{Disabled: c.disabled, InactiveAfter: c.inactive, ExpungeAfter: c.expunge}
			w.update(false, put(a))
			w.pass(10 * time.Second)
			lost := w.instances("/web")[0].ID
			victim := w.running("/web")[0]
			victim.next = mesospb.TaskState_TASK_UNREACHABLE
			w.status(victim, mesospb.TaskState_TASK_UNREACHABLE)
			w.pump()
			has := func(instanceID string) bool {
				return slices.ContainsFunc(w.instances("/web"), func(i *instance.Instance) bool { return i.ID == instanceID })
			}
			replaced := func() bool {
				return slices.ContainsFunc(w.instances("/web"), func(i *instance.Instance) bool { return i.ID != lost })
			}
			for at := time.Duration(0); at <= 3*time.Minute; at += 10 * time.Second {
				if want := c.replaced != never && at >= c.replaced; replaced() != want {
					t.Errorf("after %s: replaced is %v, want %v", at, !want, want)
				}
				if want := c.expunged == never || at < c.expunged; has(lost) != want {
					t.Errorf("after %s: known is %v, want %v", at, !want, want)
				}
				w.pass(10 * time.Second)
			}
		})
	}
}

func TestTaskThatComesBackBeforeItIsForgottenReplacesItsReplacement(t *testing.T) {
	w := connected(t)
	a := simple("/web", 1)
	a.UnreachableStrategy = app.UnreachableStrategy{ExpungeAfter: time.Minute}
	w.update(false, put(a))
	w.pass(10 * time.Second)
	first := w.instances("/web")[0].ID
	victim := w.running("/web")[0]
	w.status(victim, mesospb.TaskState_TASK_UNREACHABLE)
	victim.next = mesospb.TaskState_TASK_UNREACHABLE
	w.pass(20 * time.Second)
	if n := len(w.instances("/web")); n != 2 {
		t.Fatalf("%d instances, want the lost one and its replacement", n)
	}
	victim.next = mesospb.TaskState_TASK_RUNNING
	w.status(victim, mesospb.TaskState_TASK_RUNNING)
	w.pass(20 * time.Second)
	if now := w.instances("/web"); len(now) != 1 || now[0].ID != first || len(w.running("/web")) != 1 {
		t.Errorf("instances now: %+v", now)
	}
}

func TestUnknownTaskIsKilled(t *testing.T) {
	w := connected(t)
	w.calls = nil
	agentID := "agent-S0"
	taskID := "web.instance-00000001-0000-11f0-8000-000000000000._app.1"
	w.core.Update(&mesospb.TaskStatus{
		TaskId: &mesospb.TaskID{Value: &taskID}, AgentId: &mesospb.AgentID{Value: &agentID},
		State: mesospb.TaskState_TASK_RUNNING.Enum(), Uuid: []byte("u"),
	}, w.now)
	w.pump()
	var types []schedulerpb.Call_Type
	for _, c := range w.calls {
		types = append(types, c.GetType())
	}
	if !slices.Contains(types, schedulerpb.Call_KILL) || !slices.Contains(types, schedulerpb.Call_ACKNOWLEDGE) {
		t.Errorf("calls %v, want KILL and ACKNOWLEDGE", types)
	}
}

func TestKillIsRepeatedUntilTheTaskHasEnded(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/web", 1)))
	w.pass(10 * time.Second)
	w.calls = nil
	taskID := w.running("/web")[0].info.GetTaskId().GetValue()
	// The kill gets lost on the way.
	held := w.tasks[taskID]
	delete(w.tasks, taskID)
	w.core.KillInstances([]string{w.instances("/web")[0].ID}, false, w.now)
	w.core.Settle(w.now)
	kills := 0
	for _, e := range w.core.Take().After {
		if c, ok := e.(core.Call); ok && c.Call.GetType() == schedulerpb.Call_KILL {
			kills++
		}
	}
	w.tasks[taskID] = held
	w.pass(31 * time.Second)
	for _, c := range w.calls {
		if c.GetType() == schedulerpb.Call_KILL {
			kills++
		}
	}
	if kills != 2 {
		t.Errorf("%d kills, want one and its repetition", kills)
	}
	w.pass(5 * time.Second)
	if got := w.instances("/web")[0].Task().ID; got == taskID {
		t.Error("the task was not replaced")
	}
}

func TestHealthChecksGateAndKill(t *testing.T) {
	w := connected(t)
	a := simple("/web", 1)
	zero := 0
	a.HealthChecks = []app.HealthCheck{{
		Protocol: app.HealthHTTP, PortIndex: &zero, GracePeriod: 10 * time.Second, Interval: 5 * time.Second,
		Timeout: time.Second, MaxConsecutiveFailures: 3,
	}}
	w.update(false, put(a))
	w.pass(5 * time.Second)
	if len(w.probes) != 1 || len(w.core.View().Deployments) != 1 {
		t.Fatalf("%d probes, %d deployments: want the deployment to wait for the check", len(w.probes), len(w.core.View().Deployments))
	}
	var probe core.Probe
	for _, p := range w.probes {
		probe = p
	}
	i := w.instances("/web")[0]
	if probe.Host != "host-0" || probe.Port != i.Task().Network.HostPorts[0] {
		t.Errorf("probe of %s:%d", probe.Host, probe.Port)
	}
	result := func(cause string) {
		w.core.HealthResult(core.ProbeResult{Key: probe.Key, Cause: cause}, w.now)
		w.pump()
	}
	result("refused") // within the grace period
	if w.count(event.TypeFailedHealthCheck) != 0 {
		t.Error("a failure within the grace period counts")
	}
	result("")
	if len(w.core.View().Deployments) != 0 || w.count(event.TypeHealthStatusChanged) != 1 || w.count(event.TypeInstanceHealthChanged) != 1 {
		t.Errorf("after the first success: %d deployments, events %v", len(w.core.View().Deployments), w.eventTypes())
	}
	for n := 1; n <= 4; n++ {
		w.pass(time.Second)
		result("500 Internal Server Error")
		if want := n == 4; (w.count(event.TypeUnhealthyInstanceKill) == 1) != want {
			t.Errorf("after %d failures: killed is %v, want %v", n, !want, want)
		}
	}
	if f := w.core.View().Failures["/web"]; f == nil || f.State != "TASK_KILLED" {
		t.Errorf("last failure %+v", f)
	}
	w.pass(1500 * time.Millisecond)
	if now := w.instances("/web")[0]; now.ID != i.ID || now.Task().ID != i.ID+"._app.2" {
		t.Errorf("not relaunched at once: %+v", now)
	}
}

func TestReadinessChecksGate(t *testing.T) {
	w := connected(t)
	a := simple("/web", 1)
	a.ReadinessChecks = []app.ReadinessCheck{{
		Name: "ready", Protocol: "HTTP", Path: "/", PortName: "default", Interval: time.Second, Timeout: time.Second,
		HTTPStatusCodesForReady: []int{200}, PreserveLastResponse: true,
	}}
	w.update(false, put(a))
	w.pass(5 * time.Second)
	if len(w.readiness) != 1 {
		t.Fatalf("%d readiness checks", len(w.readiness))
	}
	taskID := w.instances("/web")[0].Task().ID
	w.core.ReadinessResult(core.ReadinessResult{TaskID: taskID, Name: "ready"}, w.now)
	w.pump()
	if v := w.core.View(); len(v.Deployments) != 1 || len(v.Deployments[0].Readiness["/web"]) != 1 {
		t.Fatalf("deployments %+v", v.Deployments)
	}
	w.core.ReadinessResult(core.ReadinessResult{TaskID: taskID, Name: "ready", Ready: true}, w.now)
	w.pump()
	if len(w.core.View().Deployments) != 0 || len(w.readiness) != 0 {
		t.Error("the deployment or the readiness check goes on")
	}
}

func TestDeploymentGoesOnAfterARestart(t *testing.T) {
	w := connected(t)
	a := simple("/web", 4)
	a.UpgradeStrategy = app.UpgradeStrategy{MinimumHealthCapacity: 0.5, MaximumOverCapacity: 0.5}
	w.update(false, put(a))
	w.pass(10 * time.Second)
	next := *w.core.Root().App("/web")
	next.Cmd = "sleep 2000"
	d := w.update(false, put(&next))
	w.pass(700 * time.Millisecond)
	if len(w.core.View().Deployments) != 1 {
		t.Fatal("the deployment has ended already")
	}
	launched := len(w.tasks)
	w.crash()
	if v := w.core.View(); len(v.Deployments) != 1 || v.Deployments[0].Plan.ID != d.DeploymentID {
		t.Fatalf("deployments after the restart: %+v", v.Deployments)
	}
	w.pass(30 * time.Second)
	got := w.running("/web")
	if len(got) != 4 || len(w.instances("/web")) != 4 || len(w.core.View().Deployments) != 0 {
		t.Fatalf("%d run, %d instances, %d deployments", len(got), len(w.instances("/web")), len(w.core.View().Deployments))
	}
	for _, task := range got {
		if task.info.GetCommand().GetValue() != "sleep 2000" {
			t.Error("an old task runs")
		}
	}
	if len(w.tasks) != 8 || launched > 8 {
		t.Errorf("%d tasks were launched, want 4 old and 4 new", len(w.tasks))
	}
}

func TestLaunchThatTheMasterNeverGotIsMadeAgain(t *testing.T) {
	w := connected(t)
	w.crashAfter = -1
	// Die between the store and the ACCEPT: find the effect's place first.
	_, err := w.core.UpdateRoot(core.Update{Change: put(simple("/web", 1)), GroupID: id.Root}, w.now)
	if err != nil {
		t.Fatal(err)
	}
	for len(w.tasks) == 0 && w.crashes == 0 {
		w.crashAfter = 6
		w.pump()
	}
	w.pass(time.Minute)
	if n := len(w.running("/web")); n != 1 {
		t.Errorf("%d tasks run, want 1", n)
	}
}

func TestTooManyDeployments(t *testing.T) {
	w := newWorld(t, 1)
	w.connect()
	for n := range 100 {
		w.update(false, put(simple(id.Of("a"+string(rune('a'+n/26))+string(rune('a'+n%26))), 1)))
	}
	_, err := w.tryUpdate(true, put(simple("/more", 1)))
	var many *core.TooManyDeploymentsError
	if !errors.As(err, &many) || many.Limit != 100 {
		t.Errorf("error %v", err)
	}
}
