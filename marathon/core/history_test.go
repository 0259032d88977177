package core_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/event"
	"stoa/marathon/group"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"

	"pgregory.net/rapid"
)

// checkConverged says that, after a quiet time, everything is as the tree wants it.
// Apps in mixed had a deployment cancelled, which leaves instances of older versions.
func checkConverged(t *rapid.T, w *world, mixed map[id.Path]bool) {
	t.Helper()
	v := w.core.View()
	for _, d := range v.Deployments {
		t.Errorf("deployment %s is still in step %d of %d", d.Plan.ID, d.Step, len(d.Plan.Steps))
	}
	wanted := 0
	for a := range v.Root.AllApps() {
		wanted += a.Instances
		running := w.running(a.ID)
		if len(running) != a.Instances || w.live(a.ID) != a.Instances || len(v.Instances[a.ID]) != a.Instances {
			t.Errorf("%s: %d run, %d live, %d instances, want %d", a.ID, len(running), w.live(a.ID), len(v.Instances[a.ID]), a.Instances)
		}
		for _, task := range running {
			if got := task.info.GetCommand().GetValue(); got != a.Cmd && !mixed[a.ID] {
				t.Errorf("%s runs %q, want %q", a.ID, got, a.Cmd)
			}
			if task.unacked != nil {
				t.Errorf("an update of %s was never acknowledged", task.info.GetTaskId().GetValue())
			}
		}
	}
	live := 0
	for _, task := range w.tasks {
		if task.live() {
			live++
		}
	}
	if live != wanted {
		t.Errorf("%d tasks live, want %d", live, wanted)
	}
	if q := w.core.Queue(w.now); len(q) != 0 {
		t.Errorf("still waiting: %+v", q)
	}
}

// Whatever is asked for, in whatever order, with tasks that fail and a process that
// dies at any moment: in the end there is what was asked for last, and at no moment a
// task that the store does not know.
func TestAnyHistoryEndsWhereItShould(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"))
		for n := range rapid.IntRange(1, 3).Draw(t, "agents") {
			w.addAgent(fmt.Sprintf("host-%d", n), 8, 8000)
		}
		w.connect()
		flaky := rapid.IntRange(0, 30).Draw(t, "percent of tasks that fail")
		w.behave = func(task *task) {
			if w.random.IntN(100) < flaky {
				task.next = mesospb.TaskState_TASK_FAILED
			}
		}
		mixed := map[id.Path]bool{}
		apps := []id.Path{"/a", "/g/b", "/g/c"}
		actions := rapid.IntRange(1, 25).Draw(t, "actions")
		for n := range actions {
			appID := rapid.SampledFrom(apps).Draw(t, "app")
			old := w.core.Root().App(appID)
			kind := rapid.SampledFrom([]string{
				"define", "scale", "restart", "delete", "rollback", "cancel", "kill", "wipe", "fail", "crash", "crash soon",
				"disconnect", "time", "time",
			}).Draw(t, "kind")
			if w.crashAfter < 0 && rapid.IntRange(0, 9).Draw(t, "crash in between") == 0 {
				w.crashAfter = rapid.IntRange(0, 40).Draw(t, "effects until the crash")
			}
			force := rapid.Bool().Draw(t, "force")
			// A forced change that does not restart an app itself leaves what a cancelled
			// restart has not replaced yet.
			cancelled := func(change func() error, replaces bool) {
				before := w.core.View().Deployments
				if change() != nil {
					return
				}
				for _, d := range before {
					for _, affected := range d.Plan.Affected() {
						mixed[affected] = mixed[affected] || force
					}
				}
				if replaces {
					mixed[appID] = false
				}
			}
			update := func(change func(*group.Root, timestamp.Timestamp) (*group.Root, error), replaces bool) {
				cancelled(func() error { _, err := w.tryUpdate(force, change); return err }, replaces)
			}
			switch kind {
			case "define":
				a := simple(appID, rapid.IntRange(0, 5).Draw(t, "instances"))
				a.Cmd = fmt.Sprintf("sleep %d", n+1)
				a.UpgradeStrategy = app.UpgradeStrategy{
					MinimumHealthCapacity: rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "min"),
					MaximumOverCapacity:   rapid.SampledFrom([]float64{0, 0.2, 1}).Draw(t, "max"),
				}
				if appID == "/g/c" {
					a.Dependencies = []id.Path{"/g/b"}
				}
				update(put(a), true)
			case "scale":
				if old != nil {
					update(put(old.WithInstances(rapid.IntRange(0, 6).Draw(t, "instances"))), false)
				}
			case "restart":
				if old != nil {
					update(restart(appID), old.Instances > 0)
				}
			case "delete":
				if old != nil {
					update(remove(appID), true)
				}
			case "rollback", "cancel":
				if ds := w.core.View().Deployments; len(ds) > 0 {
					for _, affected := range ds[0].Plan.Affected() {
						mixed[affected] = true
					}
					_, _, _ = w.core.DeleteDeployment(ds[0].Plan.ID, kind == "cancel", w.now)
					w.pump()
				}
			case "kill", "wipe":
				if is := w.instances(appID); len(is) > 0 {
					w.core.KillInstances([]string{is[w.random.IntN(len(is))].ID}, kind == "wipe", w.now)
					w.pump()
				}
			case "fail":
				if running := w.running(appID); len(running) > 0 {
					w.status(running[w.random.IntN(len(running))], mesospb.TaskState_TASK_FAILED)
					w.pump()
				}
			case "crash":
				w.crash()
			case "crash soon":
				w.crashAfter = rapid.IntRange(0, 15).Draw(t, "effects until the crash")
			case "disconnect":
				w.connected = false
				w.core.Disconnected(w.now)
				w.pass(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
				if !w.connected {
					w.connect()
				}
			case "time":
				w.pass(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
			}
		}
		flaky = 0
		w.crashAfter = -1
		// Long enough for the longest delay that failures can have built up, for what
		// a lost kill waits for, and for the periodic comparison of counts.
		w.pass(12 * time.Minute)
		w.checkAllKnown()
		checkConverged(t, w, mixed)
	})
}

// A rolling restart without failures keeps within its bounds at every moment.
func TestRollingRestartKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"))
		w.addAgent("host-0", 100, 100000)
		w.connect()
		n := rapid.IntRange(1, 12).Draw(t, "instances")
		minHC := rapid.SampledFrom([]float64{0, 0.07, 0.3, 0.5, 0.9, 1}).Draw(t, "minimumHealthCapacity")
		maxOC := rapid.SampledFrom([]float64{0, 0.1, 0.15, 0.5, 1}).Draw(t, "maximumOverCapacity")
		a := simple("/a", n)
		a.UpgradeStrategy = app.UpgradeStrategy{MinimumHealthCapacity: minHC, MaximumOverCapacity: maxOC}
		w.update(false, put(a))
		w.pass(10 * time.Second)
		minHealthy := int(math.Ceil(float64(n) * minHC))
		maxCapacity := int(float64(n) * (1 + maxOC))
		if minHealthy == maxCapacity {
			maxCapacity++
		}
		w.observe = func() {
			if got := len(w.running("/a")); got < minHealthy {
				t.Fatalf("%d run, fewer than %d", got, minHealthy)
			}
			if got := w.live("/a"); got > maxCapacity {
				t.Fatalf("%d live, more than %d", got, maxCapacity)
			}
		}
		rounds := rapid.IntRange(1, 3).Draw(t, "changes")
		for round := range rounds {
			next := *w.core.Root().App("/a")
			next.Cmd = fmt.Sprintf("sleep %d", 2000+round)
			w.update(true, put(&next))
			crash := rapid.IntRange(-1, 40).Draw(t, "effects until a crash")
			w.crashAfter = crash
			w.pass(time.Duration(rapid.IntRange(0, 3000).Draw(t, "ms")) * time.Millisecond)
		}
		w.crashAfter = -1
		w.pass(5 * time.Minute)
		checkConverged(t, w, nil)
	})
}

// The same for apps whose health is checked: only what is healthy counts.
func TestRollingRestartWithHealthChecksKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, rapid.Uint64().Draw(t, "seed"))
		w.addAgent("host-0", 100, 100000)
		w.connect()
		n := rapid.IntRange(1, 8).Draw(t, "instances")
		minHC := rapid.SampledFrom([]float64{0, 0.5, 0.8, 1}).Draw(t, "minimumHealthCapacity")
		maxOC := rapid.SampledFrom([]float64{0, 0.25, 1}).Draw(t, "maximumOverCapacity")
		a := simple("/a", n)
		index := 0
		a.HealthChecks = []app.HealthCheck{{
			Protocol: app.HealthTCP, PortIndex: &index, Interval: time.Second, Timeout: time.Second, GracePeriod: time.Minute,
		}}
		a.UpgradeStrategy = app.UpgradeStrategy{MinimumHealthCapacity: minHC, MaximumOverCapacity: maxOC}
		w.update(false, put(a))
		healthy := func() {
			for n := 0; len(w.core.View().Deployments) > 0; n++ {
				if n > 200 {
					t.Fatal("the deployment does not end")
				}
				w.answerProbes()
				w.pass(200 * time.Millisecond)
			}
		}
		healthy()
		minHealthy := int(math.Ceil(float64(n) * minHC))
		maxCapacity := int(float64(n) * (1 + maxOC))
		if minHealthy == maxCapacity {
			maxCapacity++
		}
		w.observe = func() {
			alive := 0
			for _, i := range w.instances("/a") {
				task := w.tasks[i.Task().ID]
				if task != nil && task.state == mesospb.TaskState_TASK_RUNNING && len(w.core.View().Health[i.ID]) > 0 {
					alive++
				}
			}
			if alive < minHealthy {
				t.Fatalf("%d are healthy, fewer than %d", alive, minHealthy)
			}
			if got := w.live("/a"); got > maxCapacity {
				t.Fatalf("%d live, more than %d", got, maxCapacity)
			}
		}
		next := *w.core.Root().App("/a")
		next.Cmd = "sleep 2000"
		w.update(true, put(&next))
		healthy()
		w.observe = nil
		w.pass(5 * time.Minute)
		checkConverged(t, w, nil)
	})
}

// answerProbes lets every task that runs pass its checks.
func (w *world) answerProbes() {
	for key := range w.probes {
		w.core.HealthResult(probeSuccess(key), w.now)
	}
	w.pump()
}

func TestEventsOfARollingRestartAreInOrder(t *testing.T) {
	w := connected(t)
	w.update(false, put(simple("/a", 1)))
	w.pass(10 * time.Second)
	w.events = nil
	w.update(false, restart("/a"))
	w.pass(10 * time.Second)
	var deployment []string
	for _, e := range w.events {
		switch e.(type) {
		case event.GroupChangeSuccess, event.DeploymentStep, event.DeploymentSuccess:
			deployment = append(deployment, e.Type())
		}
	}
	want := fmt.Sprint([]string{
		event.TypeGroupChangeSuccess, event.TypeDeploymentInfo, event.TypeDeploymentStepSuccess, event.TypeDeploymentSuccess,
	})
	if fmt.Sprint(deployment) != want {
		t.Errorf("events %v, want %v", deployment, want)
	}
	if w.count(event.TypeStatusUpdate) < 2 {
		t.Errorf("events %v", w.eventTypes())
	}
}

func probeSuccess(key core.ProbeKey) core.ProbeResult { return core.ProbeResult{Key: key} }
