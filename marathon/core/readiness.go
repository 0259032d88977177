package core

import (
	"time"

	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/instance"
)

// ReadinessProbe asks a new task, until it says yes, whether it may take the place of
// an old one.
type ReadinessProbe struct {
	TaskID string
	Check  app.ReadinessCheck
	Host   string
	Port   int
}

// ReadinessResult is one answer.
type ReadinessResult struct {
	TaskID string
	Name   string
	Ready  bool
	// Response is nil unless the check preserves it.
	Response *ReadinessResponse
}

// ReadinessResponse is an answer in HTTP's terms.
type ReadinessResponse struct {
	Status      int
	ContentType string
	Body        string
}

// readinessState is what is known of one task while a deployment waits for it.
type readinessState struct {
	instanceID string
	asking     bool
	result     ReadinessResult
}

// awaited is the definition that a deployment is about to bring up, if its tasks are
// asked whether they are ready.
func (c *Core) awaited(appID id.Path) *app.App {
	r := c.locks[appID]
	if r == nil {
		return nil
	}
	run := r.actions[appID]
	if run == nil || len(run.Action.App.ReadinessChecks) == 0 {
		return nil
	}
	return run.Action.App
}

// startReadiness begins to ask a running task of the awaited version.
func (c *Core) startReadiness(i *instance.Instance, a *app.App, t *instance.Task) {
	if a.Version() != i.Version || c.readiness[t.ID] != nil {
		return
	}
	check := a.ReadinessChecks[0]
	for _, p := range instance.PortAssignments(a, t.Network) {
		if p.Name == check.PortName && p.Address != "" {
			c.readiness[t.ID] = &readinessState{
				instanceID: i.ID, asking: true, result: ReadinessResult{TaskID: t.ID, Name: check.Name},
			}
			c.effect(StartReadiness{ReadinessProbe{TaskID: t.ID, Check: check, Host: p.Address, Port: p.Port}})
			return
		}
	}
}

// stopReadiness forgets a task; when it runs again, it is asked again.
func (c *Core) stopReadiness(taskID string) {
	s := c.readiness[taskID]
	if s == nil {
		return
	}
	if s.asking {
		c.effect(StopReadiness{taskID})
	}
	delete(c.readiness, taskID)
	c.view.deployments = nil
}

// ReadinessResult takes an answer. Once a task is ready it is not asked again.
func (c *Core) ReadinessResult(r ReadinessResult, now time.Time) {
	s := c.readiness[r.TaskID]
	if s == nil || s.result.Ready {
		return
	}
	s.result = r
	c.view.deployments = nil
	if r.Ready {
		s.asking = false
		c.effect(StopReadiness{r.TaskID})
		if e := c.instances[s.instanceID]; e != nil {
			c.touch(e.AppID)
		}
	}
}
