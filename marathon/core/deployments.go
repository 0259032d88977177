package core

import (
	"slices"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/event"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/launch"
)

// Cancelled is the reason that events give for deployments that others replaced.
const Cancelled = "The upgrade has been cancelled"

// running is a deployment on its way. Its apps are locked for others and for the
// periodic comparison of counts.
type running struct {
	plan *deployment.Plan
	// step is 1-based; 0 before the first has begun.
	step int
	// actions are those of the present step that are not done yet.
	actions map[id.Path]*deployment.Run
	// stale asks for a look at the actions of the touched apps: those whose instances
	// changed since the last one.
	stale   bool
	touched []id.Path
}

// resume takes up a deployment, new or stored.
func (c *Core) resume(plan *deployment.Plan) *running {
	r := &running{plan: plan, stale: true}
	c.deployments = append(c.deployments, r)
	for _, appID := range plan.Affected() {
		c.locks[appID] = r
		c.touch(appID)
	}
	for _, change := range plan.Apps {
		for _, a := range []*app.App{change.Old, change.New} {
			if a != nil && c.specs[specKey{a.ID, a.Version()}] == nil {
				c.remember(a)
			}
		}
	}
	c.view.deployments = nil
	return r
}

// restarts says that the deployment replaces the app's instances, now or later.
func (r *running) restarts(appID id.Path) bool {
	for n := max(0, r.step-1); n < len(r.plan.Steps); n++ {
		for _, action := range r.plan.Steps[n].Actions {
			if action.App.ID == appID && action.Kind == deployment.Restart {
				return true
			}
		}
	}
	return false
}

// present lists the actions of the present step.
func (r *running) present() []deployment.Action {
	if r.step == 0 {
		return nil
	}
	return r.plan.Steps[r.step-1].Actions
}

// advanceDeployments lets every deployment that has something new to look at go on.
func (c *Core) advanceDeployments(now time.Time) bool {
	changed := false
	for _, r := range slices.Clone(c.deployments) {
		if r.stale {
			r.stale = false
			changed = c.advance(r, now) || changed
		}
	}
	return changed
}

// advance looks at the present step, or begins the next. It returns whether anything
// was done.
func (c *Core) advance(r *running, now time.Time) bool {
	changed := false
	touched := r.touched
	r.touched = nil
	for _, appID := range touched {
		run := r.actions[appID]
		if run == nil {
			continue
		}
		a := run.Action.App
		d := run.Advance(c.list(appID), c.observer(a))
		if d.ResetDelay {
			c.delays.Reset(a)
		}
		for _, g := range d.SetGoals {
			changed = c.setGoal(g.InstanceID, g.Goal, now) || changed
		}
		if d.Start > 0 {
			c.add(a, d.Start, now)
			changed = true
		}
		if d.Done {
			delete(r.actions, appID)
			c.actionDone(run.Action, now)
			changed = true
		}
	}
	if len(r.actions) > 0 {
		return changed
	}
	if r.step > 0 {
		c.publish(event.DeploymentStep{
			Kind: event.TypeDeploymentStepSuccess, Plan: r.plan, Step: r.plan.Steps[r.step-1],
		}, now)
	}
	if r.step == len(r.plan.Steps) {
		c.publish(event.DeploymentSuccess{Plan: r.plan}, now)
		c.endDeployment(r)
		for _, appID := range r.plan.Affected() {
			c.requestCheck(appID)
		}
		return true
	}
	c.beginStep(r, now)
	return true
}

func (c *Core) beginStep(r *running, now time.Time) {
	step := r.plan.Steps[r.step]
	r.step++
	r.stale = true
	r.actions = map[id.Path]*deployment.Run{}
	c.view.deployments = nil
	c.publish(event.DeploymentStep{Kind: event.TypeDeploymentInfo, Plan: r.plan, Step: step}, now)
	for _, action := range step.Actions {
		r.actions[action.App.ID] = deployment.NewRun(action)
		if action.Kind == deployment.Stop {
			c.uninstall(action.App.ID, func(specKey) bool { return false }, now)
		} else {
			c.installFor(action.App, now)
		}
		// Readiness checks begin with the action, and so does the first look at it.
		c.touch(action.App.ID)
	}
}

func (c *Core) actionDone(action deployment.Action, now time.Time) {
	if action.Kind == deployment.Stop {
		c.delays.ResetAll(action.App.ID)
		c.publish(event.AppTerminated{AppID: action.App.ID}, now)
	}
}

// endDeployment takes a deployment off the list and its apps' locks with it.
func (c *Core) endDeployment(r *running) {
	c.deployments = slices.DeleteFunc(c.deployments, func(o *running) bool { return o == r })
	for _, appID := range r.plan.Affected() {
		if c.locks[appID] == r {
			delete(c.locks, appID)
		}
		for _, i := range c.list(appID) {
			if t := i.Task(); t != nil {
				c.stopReadiness(t.ID)
			}
		}
		c.touch(appID)
	}
	c.view.deployments = nil
	if len(r.plan.Steps) > 0 {
		c.write(DropDeployment{r.plan.ID})
	}
	for _, change := range r.plan.Apps {
		if change.New == nil {
			c.forgetVersions(change.Old.ID)
		}
	}
}

// cancel ends a deployment without undoing anything.
func (c *Core) cancel(r *running, now time.Time) {
	c.publish(event.DeploymentFailed{Plan: r.plan, Reason: Cancelled}, now)
	c.endDeployment(r)
}

// conflicts lists the running deployments that touch an app of the plan, oldest first.
func (c *Core) conflicts(plan *deployment.Plan) []*running {
	var out []*running
	for _, r := range c.deployments {
		if r.plan.ConflictsWith(plan) {
			out = append(out, r)
		}
	}
	return out
}

func (c *Core) plansUse(k specKey) bool {
	for _, r := range c.deployments {
		for _, change := range r.plan.Apps {
			for _, a := range []*app.App{change.Old, change.New} {
				if a != nil && a.ID == k.app && a.Version() == k.version {
					return true
				}
			}
		}
	}
	return false
}

// observer tells deployments about the health of an app's instances.
func (c *Core) observer(a *app.App) deployment.Observer {
	specs := c.specsAtOnce()
	return deployment.Observer{
		ConsideredHealthy: c.consideredHealthy,
		Ready:             func(i *instance.Instance) bool { return c.instanceReady(i, specs(i)) },
		Balance:           launch.SelectToKill,
	}
}

// consideredHealthy is true, whatever their state, for instances that nothing checks.
// Original: Instance.consideredHealthy.
func (c *Core) consideredHealthy(i *instance.Instance) bool {
	a := c.spec(i)
	if a == nil {
		return true
	}
	if len(a.HealthChecks) > 0 {
		h := c.health(i)
		return h != nil && *h
	}
	if a.Check != nil || len(a.ReadinessChecks) > 0 {
		return i.State.Condition == instance.Running
	}
	return true
}

// instanceReady says that an instance serves: it runs, is healthy where it has health
// checks, and has said to be ready where it is asked.
// Original: core/deployment/impl/ReadinessBehavior.scala.
func (c *Core) instanceReady(i *instance.Instance, a *app.App) bool {
	t := i.Task()
	if i.State.Condition != instance.Running || a == nil || t == nil {
		return false
	}
	if len(a.HealthChecks) > 0 {
		if h := c.health(i); h == nil || !*h {
			return false
		}
	}
	if len(a.ReadinessChecks) > 0 {
		s := c.readiness[t.ID]
		return s != nil && s.result.Ready
	}
	return true
}
