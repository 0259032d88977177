package core

import (
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/event"
	"stoa/marathon/id"
	"stoa/marathon/instance"
)

// ProbeKey names one health check of one task.
type ProbeKey struct {
	TaskID string
	// Index is the check's place in the app's definition.
	Index int
}

// Probe is a health check for Marathon to perform.
type Probe struct {
	Key   ProbeKey
	Check app.HealthCheck
	Host  string
	Port  int
}

// ProbeResult is the outcome of one performance.
type ProbeResult struct {
	Key ProbeKey
	// Cause is empty for a success.
	Cause string
}

// taskChecks is what is known of the health of one task.
type taskChecks struct {
	instanceID string
	results    []instance.Health
	probing    bool
}

// settleChecks starts the checks of tasks that run and stops those of others.
func (c *Core) settleChecks(s *appState, now time.Time) {
	specs := c.specsAtOnce()
	readiness := c.awaited(s.id)
	for _, e := range s.instances {
		t := e.Task()
		if t == nil {
			continue
		}
		if e.State.Condition != instance.Running {
			c.pauseChecks(t.ID)
			c.stopReadiness(t.ID)
			continue
		}
		c.startChecks(e.Instance, specs(e.Instance), t)
		if readiness != nil {
			c.startReadiness(e.Instance, readiness, t)
		}
	}
}

// startChecks starts those of a task; a is the definition of its instance.
func (c *Core) startChecks(i *instance.Instance, a *app.App, t *instance.Task) {
	if a == nil || len(a.HealthChecks) == 0 {
		return
	}
	tc := c.checks[t.ID]
	if tc != nil && tc.probing {
		return
	}
	if tc == nil {
		tc = &taskChecks{instanceID: i.ID, results: make([]instance.Health, len(a.HealthChecks))}
		c.checks[t.ID] = tc
		c.seedMesosHealth(a, t, tc)
	}
	// Something may change in the number of ports or addresses only with the task.
	tc.probing = true
	for n, h := range a.HealthChecks {
		if !h.Protocol.ByMarathon() {
			continue
		}
		host, port := probeTarget(a, t, h)
		if host == "" || port == 0 {
			// A container without an address yet: the next status update may bring it.
			tc.probing = false
			continue
		}
		c.effect(StartProbe{Probe{Key: ProbeKey{t.ID, n}, Check: h, Host: host, Port: port}})
	}
}

// seedMesosHealth takes up, after a restart, what the last stored status said about
// checks that the executor performs.
func (c *Core) seedMesosHealth(a *app.App, t *instance.Task, tc *taskChecks) {
	if t.Status == nil || t.Status.Healthy == nil {
		return
	}
	for n, h := range a.HealthChecks {
		if h.Protocol.ByMarathon() {
			continue
		}
		at := instance.StatusTime(t.Status)
		if t.Status.GetHealthy() {
			tc.results[n] = tc.results[n].Succeeded(at)
		} else {
			tc.results[n].LastFailure = at
		}
	}
}

func probeTarget(a *app.App, t *instance.Task, h app.HealthCheck) (host string, port int) {
	if h.Port != nil {
		return instance.EffectiveAddress(a, t.Network), *h.Port
	}
	ports := instance.PortAssignments(a, t.Network)
	index := 0
	if h.PortIndex != nil {
		index = *h.PortIndex
	}
	if index < 0 || index >= len(ports) {
		return "", 0
	}
	return ports[index].Address, ports[index].Port
}

// pauseChecks ends the probes of a task but keeps what they told.
func (c *Core) pauseChecks(taskID string) {
	tc := c.checks[taskID]
	if tc == nil || !tc.probing {
		return
	}
	tc.probing = false
	for n := range tc.results {
		c.effect(StopProbe{ProbeKey{taskID, n}})
	}
}

func (c *Core) stopChecks(taskID string) {
	if tc := c.checks[taskID]; tc != nil {
		c.pauseChecks(taskID)
		delete(c.checks, taskID)
		c.view.health = nil
	}
}

// HealthResult takes the outcome of a probe.
func (c *Core) HealthResult(r ProbeResult, now time.Time) {
	tc := c.checks[r.Key.TaskID]
	if tc == nil || r.Key.Index >= len(tc.results) {
		return
	}
	if e := c.instances[tc.instanceID]; e != nil && e.State.Condition == instance.Running {
		c.recordHealth(e.Instance, tc, r.Key.Index, r.Cause, now)
	}
}

// mesosHealth takes what the executor reported with a status update.
func (c *Core) mesosHealth(instanceID string, status *mesospb.TaskStatus, now time.Time) {
	e := c.instances[instanceID]
	if e == nil || e.State.Condition != instance.Running {
		return
	}
	a, t := c.spec(e.Instance), e.TaskByID(status.GetTaskId().GetValue())
	if a == nil || t == nil {
		return
	}
	c.startChecks(e.Instance, a, t)
	tc := c.checks[t.ID]
	if tc == nil {
		return
	}
	cause := ""
	if !status.GetHealthy() {
		cause = "health check reported unhealthy by the executor"
	}
	for n, h := range a.HealthChecks {
		if !h.Protocol.ByMarathon() {
			c.recordHealth(e.Instance, tc, n, cause, now)
		}
	}
}

// recordHealth judges one result. Original: core/health/impl/HealthCheckActor.scala.
func (c *Core) recordHealth(i *instance.Instance, tc *taskChecks, index int, cause string, now time.Time) {
	a, t := c.spec(i), i.Task()
	if a == nil || t == nil || index >= len(a.HealthChecks) {
		return
	}
	check := a.HealthChecks[index]
	before, healthBefore := tc.results[index], instance.Aggregate(tc.results)
	if cause == "" {
		tc.results[index] = before.Succeeded(now)
	} else {
		next, counts, kill := before.Failed(check, cause, t.StartedAt, now)
		if !counts {
			return
		}
		tc.results[index] = next
		c.publish(event.FailedHealthCheck{AppID: i.AppID, InstanceID: i.ID, Check: check}, now)
		if kill {
			c.killUnhealthy(i, t, cause, now)
		}
	}
	c.view.health = nil
	if alive := tc.results[index].Alive(); alive != before.Alive() {
		c.publish(event.HealthStatusChanged{
			AppID: i.AppID, InstanceID: i.ID, Version: i.Version, Alive: alive,
		}, now)
	}
	if healthy := instance.Aggregate(tc.results); !sameHealth(healthy, healthBefore) {
		c.publish(event.InstanceHealthChanged{Instance: i, Healthy: healthy}, now)
		c.touch(i.AppID)
	}
}

func sameHealth(a, b *bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// killUnhealthy kills a task whose checks failed too often. Its instance stays, so
// that the next incarnation is launched, without delay.
func (c *Core) killUnhealthy(i *instance.Instance, t *instance.Task, cause string, now time.Time) {
	c.publish(event.UnhealthyInstanceKill{Instance: i, Version: t.Version, Reason: cause}, now)
	c.putFailure(i, *t, "TASK_KILLED", "Task was killed since health check failed. Reason: "+cause, now)
	c.kill(i, t.ID, now)
}

// health is the health of an instance over all its checks; nil when it is not known.
func (c *Core) health(i *instance.Instance) *bool {
	t := i.Task()
	if t == nil {
		return nil
	}
	if tc := c.checks[t.ID]; tc != nil {
		return instance.Aggregate(tc.results)
	}
	return i.State.Healthy
}

// installChecks tells about the health checks of the apps there are, at the start.
func (c *Core) installChecks(now time.Time) {
	for a := range c.root.AllApps() {
		c.installFor(a, now)
	}
}

func (c *Core) installFor(a *app.App, now time.Time) {
	k := specKey{a.ID, a.Version()}
	if c.installed[k] || len(a.HealthChecks) == 0 {
		return
	}
	c.installed[k] = true
	for _, h := range a.HealthChecks {
		c.publish(event.AddHealthCheck{AppID: a.ID, Version: a.Version(), Check: h}, now)
	}
}

// uninstall tells that the checks of an app, for versions that keep does not want, are
// over.
func (c *Core) uninstall(appID id.Path, keep func(specKey) bool, now time.Time) {
	for k := range c.installed {
		if k.app == appID && !keep(k) {
			delete(c.installed, k)
			c.publish(event.RemoveHealthCheck{AppID: appID}, now)
		}
	}
}
