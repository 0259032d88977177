package core_test

import (
	"errors"
	"testing"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/core"
	"stoa/marathon/event"
	"stoa/marathon/id"
)

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
