package core

import (
	"strings"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// containerLaunched notes whether an executor's container came up (Slave::executorLaunched).
// The end of a container that did not is reported by ContainerTerminated.
func (c *Core) containerLaunched(ev ContainerLaunched) {
	f, e := c.findRun(ev.Run)
	switch {
	case ev.Unsupported:
		c.warn("None of the enabled containerizers could create the container", "container", ev.Run.Container)
		c.metrics.ContainerLaunchErrors++
	case ev.Error != "":
		c.warn("Container failed to start", "container", ev.Run.Container, "executor", ev.Run.Executor, "error", ev.Error)
		c.metrics.ContainerLaunchErrors++
		if e != nil {
			e.ending = &containerizer.Termination{
				State:   mesospb.TaskState_TASK_FAILED.Enum(),
				Reason:  mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED.Enum(),
				Message: "Failed to launch container: " + ev.Error,
			}
		}
	case e == nil || f.terminating || e.state == ExecutorTerminating:
		c.warn("Killing executor because it is not wanted any more", "executor", ev.Run.Executor)
		c.emit(Destroy{Run: ev.Run})
	}
}

// containerTerminated ends an executor (Slave::executorTerminated).
func (c *Core) containerTerminated(ev ContainerTerminated) {
	f, e := c.findRun(ev.Run)
	if e == nil || e.state == ExecutorTerminated {
		return
	}
	status := int32(-1)
	if ev.Termination != nil && ev.Termination.WaitStatus != nil {
		status = int32(*ev.Termination.WaitStatus)
	}
	c.note("Executor terminated", "executor", e.run.Executor, "framework", f.id, "status", status)
	c.metrics.ExecutorsTerminated++
	e.state = ExecutorTerminated
	e.deliveries = nil
	if f.terminating {
		for _, task := range e.launched.list() {
			id := task.GetTaskId().GetValue()
			e.launched.remove(id)
			e.terminated.put(id, task)
		}
	} else {
		for _, task := range e.launched.list() {
			c.terminatedUpdate(f, e, task.GetTaskId().GetValue(), ev.Termination)
		}
		for _, task := range e.queued.list() {
			c.terminatedUpdate(f, e, task.GetTaskId().GetValue(), ev.Termination)
		}
	}
	if !e.generated {
		c.sendExitedExecutor(f.id, e.run.Executor, status)
	}
	if c.state == Terminating || f.terminating || !e.incomplete() {
		c.removeExecutor(f, e)
	}
	c.removeIfIdle(f)
	c.checkRecovered()
}

// terminatedUpdate reports a task whose executor is gone. What the container says
// counts more than what the agent expected.
func (c *Core) terminatedUpdate(f *framework, e *executor, task string, t *containerizer.Termination) {
	state := mesospb.TaskState_TASK_FAILED
	reason := mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED
	var messages []string
	if e.ending != nil {
		if e.ending.State != nil {
			state = *e.ending.State
		}
		if e.ending.Reason != nil {
			reason = *e.ending.Reason
		}
		if e.ending.Message != "" {
			messages = append(messages, e.ending.Message)
		}
	}
	var limitation []*mesospb.Resource
	if t == nil {
		messages = append(messages, "Abnormal executor termination: unknown container")
	} else {
		if t.State != nil {
			state = *t.State
		}
		if t.Reason != nil {
			reason = *t.Reason
		}
		if t.Message != "" {
			messages = append(messages, t.Message)
		}
		limitation = t.Limitation
	}
	message := "Executor terminated"
	if len(messages) > 0 {
		message = strings.Join(messages, "; ")
	}
	u := c.newUpdate(f.id, task, state, reason, message)
	setExecutor(u, e.run.Executor)
	if len(limitation) > 0 {
		u.Status.Limitation = &mesospb.TaskResourceLimitation{Resources: limitation}
	}
	c.statusUpdate(u, fromAgent)
}

// sendExitedExecutor tells the master that an executor is gone, or never came.
func (c *Core) sendExitedExecutor(framework, executor string, status int32) {
	if c.master == "" {
		return
	}
	c.emit(Send{To: c.master, Body: &internalpb.ExitedExecutorMessage{
		SlaveId:     c.info.GetId(),
		FrameworkId: &mesospb.FrameworkID{Value: &framework},
		ExecutorId:  &mesospb.ExecutorID{Value: &executor},
		Status:      &status,
	}})
}

// shutdownFramework ends everything of a framework; its updates are not wanted any more.
func (c *Core) shutdownFramework(id string) {
	f := c.frameworks[id]
	if f == nil || f.terminating {
		return
	}
	c.note("Shutting down framework", "framework", id)
	f.terminating = true
	for _, l := range f.pending {
		l.killed = true
		c.exitedIfExpected(f, l)
	}
	f.pending = nil
	for _, e := range f.executors.list() {
		switch e.state {
		case ExecutorRegistering, ExecutorRunning:
			c.shutdownExecutor(f, e)
		case ExecutorTerminated:
			c.removeExecutor(f, e)
		}
	}
	c.removeIfIdle(f)
}

// shutdownExecutorMessage ends one executor for the master.
func (c *Core) shutdownExecutorMessage(m *internalpb.ShutdownExecutorMessage) {
	if c.state == Recovering || c.state == Disconnected {
		return
	}
	f := c.frameworks[m.GetFrameworkId().GetValue()]
	if f == nil || f.terminating {
		return
	}
	if e, _ := f.executors.get(m.GetExecutorId().GetValue()); e != nil && (e.state == ExecutorRegistering || e.state == ExecutorRunning) {
		c.shutdownExecutor(f, e)
	}
}

// shutdown ends the agent and all that runs on it. from is empty if the operator wants it:
// then the agent unregisters first.
func (c *Core) shutdown(from, message string) {
	if c.state == Terminating {
		return
	}
	if from == "" {
		c.note("Unregistering and shutting down", "reason", message)
		if c.info.GetId() != nil && c.master != "" {
			c.emit(Send{To: c.master, Body: &internalpb.UnregisterSlaveMessage{SlaveId: c.info.GetId()}})
		}
	} else {
		c.note("Agent asked to shut down by the master", "master", from, "reason", message)
	}
	c.state = Terminating
	for _, f := range c.frameworkList() {
		c.shutdownFramework(f.id)
	}
	c.endIfDone()
}

// hurry does not wait for executors that were asked to end, however long their grace period.
func (c *Core) hurry() {
	if c.state != Terminating {
		return
	}
	for _, f := range c.frameworkList() {
		for _, e := range f.executors.list() {
			if e.state == ExecutorTerminating {
				c.note("Killing executor", "executor", e.run.Executor, "framework", f.id)
				c.emit(Destroy{Run: e.run})
			}
		}
	}
}

// stop prepares for the end of the process. Executors that are checkpointed wait for the
// next one; the others could never be found again.
func (c *Core) stop() {
	c.stopping = true
	for _, f := range c.frameworkList() {
		if !f.info.GetCheckpoint() {
			c.shutdownFramework(f.id)
		}
	}
}
