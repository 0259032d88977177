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
