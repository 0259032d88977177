package core

import (
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/app"
	"stoa/marathon/event"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/timestamp"
)

// insert takes an instance into the state without storing it.
func (c *Core) insert(i *instance.Instance) {
	c.addRole(i.Role)
	s := c.app(i.AppID)
	if e := c.instances[i.ID]; e != nil {
		e.Instance = i
	} else {
		e = &entry{Instance: i, at: len(s.instances)}
		s.instances = append(s.instances, e)
		c.instances[i.ID] = e
	}
	c.view.markInstances(i.AppID)
	c.touch(i.AppID)
}

// put changes or adds an instance, durably.
func (c *Core) put(i *instance.Instance, now time.Time) {
	c.insert(i)
	c.write(PutInstance{i})
	c.watch(i, now)
}

// remove forgets an instance, durably.
func (c *Core) remove(i *instance.Instance) {
	e := c.instances[i.ID]
	if e == nil {
		return
	}
	for n := range e.Tasks {
		c.endTask(e.Tasks[n].ID)
	}
	delete(c.instances, i.ID)
	s := c.app(i.AppID)
	s.instances = slices.Delete(s.instances, e.at, e.at+1)
	for n := e.at; n < len(s.instances); n++ {
		s.instances[n].at = n
	}
	c.view.markInstances(i.AppID)
	c.write(DropInstance{i.ID})
	c.requestCheck(i.AppID)
}

// endTask forgets everything that is kept about a task while it lives.
func (c *Core) endTask(taskID string) {
	c.kills.drop(taskID)
	c.stopChecks(taskID)
	c.stopReadiness(taskID)
}

// watch plans to look at an instance when its state does not change for too long.
func (c *Core) watch(i *instance.Instance, now time.Time) {
	var at time.Time
	switch i.State.Condition {
	case instance.Provisioned:
		at = i.State.Since.Add(c.settings.LaunchConfirmTimeout)
	case instance.Staging, instance.Starting:
		if t := i.Task(); t != nil {
			at = t.StagedAt.Add(c.settings.LaunchTimeout)
		}
	case instance.Unreachable, instance.UnreachableInactive:
		at = i.NextUnreachableCheck(c.unreachableStrategy(i))
	}
	if !at.IsZero() {
		c.wakeAt(at, wake{kind: wakeInstance, id: i.ID})
	}
}

// lookAt is called when an instance may have been in its state for too long.
// Original: core/task/jobs/impl/OverdueInstancesActor.scala, ExpungeOverdueLostTasksActor.scala.
func (c *Core) lookAt(instanceID string, now time.Time) {
	e := c.instances[instanceID]
	if e == nil {
		return
	}
	switch e.State.Condition {
	case instance.Provisioned:
		if t := e.Task(); t != nil && !now.Before(e.State.Since.Add(c.settings.LaunchConfirmTimeout)) {
			c.kill(e.Instance, t.ID, now)
		}
	case instance.Staging, instance.Starting:
		if t := e.Task(); t != nil && !now.Before(t.StagedAt.Add(c.settings.LaunchTimeout)) {
			c.kill(e.Instance, t.ID, now)
		}
	case instance.Unreachable, instance.UnreachableInactive:
		c.apply(e.Instance, e.CheckUnreachable(c.unreachableStrategy(e.Instance), now), now)
	}
}

func (c *Core) unreachableStrategy(i *instance.Instance) app.UnreachableStrategy {
	if a := c.spec(i); a != nil {
		return a.UnreachableStrategy
	}
	return app.UnreachableStrategy{}
}

// setGoal gives an instance a new goal; an instance of which nothing is left goes.
func (c *Core) setGoal(instanceID string, goal instance.Goal, now time.Time) bool {
	e := c.instances[instanceID]
	if e == nil {
		return false
	}
	out := e.SetGoal(goal)
	if out.Effect == instance.Noop {
		return false
	}
	c.apply(e.Instance, out, now)
	return true
}

// add makes n new instances that wait for an offer.
func (c *Core) add(a *app.App, n int, now time.Time) {
	for _, i := range c.list(a.ID) {
		if n <= 0 {
			return
		}
		// Those that were stopped and kept come first.
		if i.State.Goal == instance.GoalStopped && i.State.Condition.Terminal() {
			next := i.Reschedule(a.Version(), now)
			c.put(next, now)
			c.publish(event.InstanceChanged{Instance: next}, now)
			c.demand.grew[next.Role] = true
			n--
		}
	}
	for ; n > 0; n-- {
		i := instance.NewScheduled(instance.NewID(a.ID, c.settings.NewInstanceUUID()), a.ID, a.Role, a.Version(), now)
		c.put(i, now)
		c.publish(event.InstanceChanged{Instance: i}, now)
		c.demand.grew[i.Role] = true
	}
}

// apply carries out a change of an instance, and everything that follows from it.
func (c *Core) apply(old *instance.Instance, out instance.Outcome, now time.Time) {
	next := out.Instance
	switch out.Effect {
	case instance.Noop:
		return
	case instance.Expunged:
		c.remove(old)
	case instance.Changed:
		c.put(next, now)
	}
	if out.Task != nil {
		c.publish(event.StatusUpdate{Instance: next, Task: *out.Task}, now)
		if out.Task.Condition.Terminal() {
			c.endTask(out.Task.ID)
		}
	}
	if out.StateChanged {
		c.publish(event.InstanceChanged{Instance: next}, now)
	}
	if next.State.Condition == old.State.Condition {
		return
	}
	c.conditionChanged(old, next, now)
}

// conditionChanged draws the consequences for the launch delay and the count.
func (c *Core) conditionChanged(old, next *instance.Instance, now time.Time) {
	condition := next.State.Condition
	if a := c.spec(next); a != nil {
		switch {
		case condition.CausesDelay():
			if t := next.Task(); t != nil && t.Status.GetReason() == mesospb.TaskStatus_REASON_AGENT_DRAINING {
				c.delays.Reset(a)
			} else if t != nil && t.Status != nil {
				c.delays.Failed(a, now)
				c.wakeForDelay(a, now)
			}
		case condition == instance.Staging || condition == instance.Starting || condition == instance.Running:
			c.delays.Advanced(a, now)
			c.wakeForDelay(a, now)
		case condition == instance.Killed:
			if t := next.Task(); t != nil && t.Status.GetReason() == mesospb.TaskStatus_REASON_AGENT_DRAINING {
				c.delays.Reset(a)
			}
		}
	}
	back := old.State.Condition == instance.Unreachable || old.State.Condition == instance.UnreachableInactive
	if condition.Terminal() || condition == instance.UnreachableInactive || back {
		c.requestCheck(next.AppID)
	}
	if next.Scheduled() {
		c.demand.grew[next.Role] = true
	}
}

func (c *Core) wakeForDelay(a *app.App, now time.Time) {
	if until := c.delays.Until(a, now); !until.IsZero() {
		c.wakeAt(until, wake{kind: wakeApp, id: a.ID.String()})
	}
}

// Update takes a status update from Mesos. Whatever it leads to is durable before it
// is acknowledged. Original: core/task/update/impl/TaskStatusUpdateProcessorImpl.scala.
func (c *Core) Update(status *mesospb.TaskStatus, now time.Time) {
	defer c.acknowledge(status)
	taskID := status.GetTaskId().GetValue()
	c.reconciliation.answered(taskID)
	condition := instance.ConditionOf(status)
	ended := condition.Terminal() || condition == instance.Unreachable
	parsed, err := instance.ParseTaskID(taskID)
	if err != nil {
		if !ended && condition != instance.Killing {
			c.killUnknown(status)
		}
		return
	}
	e := c.instances[parsed.InstanceID]
	switch {
	case e == nil && ended:
		c.kills.drop(taskID)
		c.publish(event.UnknownInstanceTerminated{
			InstanceID: parsed.InstanceID, AppID: parsed.AppID, Condition: condition,
		}, now)
	case e == nil || e.TaskByID(taskID) == nil:
		if !ended && condition != instance.Killing {
			c.killUnknown(status)
		}
	default:
		c.updateKnown(e.Instance, status, now)
	}
}

func (c *Core) updateKnown(i *instance.Instance, status *mesospb.TaskStatus, now time.Time) {
	out := i.Update(status, c.unreachableStrategy(i), now)
	c.apply(i, out, now)
	if out.Effect != instance.Noop && out.Task != nil {
		c.recordFailure(i, *out.Task, now)
	}
	if status.Healthy != nil {
		c.mesosHealth(i.ID, status, now)
	}
}

// acknowledge lets the agent stop repeating an update. Updates that the master makes
// itself carry no uuid and must not be acknowledged.
func (c *Core) acknowledge(status *mesospb.TaskStatus) {
	if len(status.GetUuid()) == 0 || status.AgentId == nil {
		return
	}
	c.call(&schedulerpb.Call{
		Type: schedulerpb.Call_ACKNOWLEDGE.Enum(),
		Acknowledge: &schedulerpb.Call_Acknowledge{
			AgentId: status.AgentId, TaskId: status.TaskId, Uuid: status.Uuid,
		},
	})
}

// recordFailure keeps the last failure of an app. Original: state/TaskFailure.scala.
func (c *Core) recordFailure(i *instance.Instance, t instance.Task, now time.Time) {
	switch t.Status.GetState() {
	case mesospb.TaskState_TASK_FAILED, mesospb.TaskState_TASK_ERROR, mesospb.TaskState_TASK_LOST,
		mesospb.TaskState_TASK_DROPPED, mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_GONE_BY_OPERATOR,
		mesospb.TaskState_TASK_UNKNOWN:
	default:
		return
	}
	c.putFailure(i, t, t.Status.GetState().String(), t.Status.GetMessage(), now)
}

func (c *Core) putFailure(i *instance.Instance, t instance.Task, state, message string, now time.Time) {
	if c.root.App(i.AppID) == nil {
		return
	}
	f := &TaskFailure{
		AppID: i.AppID, TaskID: t.ID, Host: i.Hostname(), State: state, Message: message,
		Version: t.Version, Timestamp: timestamp.Of(now),
	}
	if i.Agent != nil {
		f.AgentID = i.Agent.AgentID
	}
	c.failures[i.AppID] = f
	c.view.failures = nil
	c.write(PutFailure{f})
}

func (c *Core) dropFailure(appID id.Path) {
	if c.failures[appID] != nil {
		delete(c.failures, appID)
		c.view.failures = nil
		c.write(DropFailure{appID})
	}
}
