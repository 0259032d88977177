package core

import (
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// removeFramework ends a framework for good: its tasks are killed on every agent,
// and it moves to the completed ones.
func (c *Core) removeFramework(f *Framework) {
	if f.State == Completed {
		return
	}
	c.timers.stop(f.failoverTimer)
	c.deactivateFramework(f, c.discard, c.discardInverseOffer)
	for _, id := range sortedKeys(c.registered) {
		c.send(c.registered[id].PID, &internalpb.ShutdownFrameworkMessage{FrameworkId: f.Info.Id})
	}
	killed := func(p *mesospb.Task) *mesospb.TaskStatus {
		status := c.masterStatus(p.TaskId, p.AgentId, mesospb.TaskState_TASK_KILLED,
			mesospb.TaskStatus_REASON_FRAMEWORK_REMOVED, "Framework "+f.ID+" removed")
		status.ExecutorId = p.ExecutorId
		return status
	}
	for _, id := range sortedKeys(f.Tasks) {
		t := f.Tasks[id]
		c.updateTask(t, mesospb.TaskState_TASK_KILLED, killed(t.Proto))
		c.removeTask(t, false)
	}
	for _, p := range f.Unreachable.All() {
		f.Unreachable.remove(p.GetTaskId().GetValue())
		status := killed(p)
		p = copyTask(p)
		if !Terminal(p.GetState()) {
			p.State = status.State
		}
		p.Statuses = append(p.Statuses[:len(p.Statuses):len(p.Statuses)], status)
		f.CompletedTasks.add(p)
	}
	for _, list := range f.Executors {
		for _, e := range list {
			c.removeExecutor(e)
		}
	}
	for _, id := range sortedKeys(f.Operations) {
		c.removeOperation(f.Operations[id])
	}
	c.detach(f)
	f.State = Completed
	f.Unregistered = c.now
	c.alloc.RemoveFramework(f.ID)
	delete(c.known, f.ID)
	c.forgetMessages(f)
	if c.cfg.MaxCompletedFrameworks > 0 {
		c.completed = append(c.completed, f)
		if extra := len(c.completed) - c.cfg.MaxCompletedFrameworks; extra > 0 {
			c.completed = append([]*Framework(nil), c.completed[extra:]...)
		}
	}
	c.touch(f, nil)
	c.announce(FrameworkRemoved{f.Info})
}

// completedFramework returns the completed framework of that id, or nil.
func (c *Core) completedFramework(id string) *Framework {
	for _, f := range c.completed {
		if f.ID == id {
			return f
		}
	}
	return nil
}

func (c *Core) operatorTeardown(e Teardown) {
	f := c.known[e.Framework]
	if f == nil {
		c.answer(e.Request, 400, "No framework found with specified ID")
		return
	}
	c.log.Info("framework torn down by an operator", "framework", f.ID)
	c.removeFramework(f)
	c.answer(e.Request, 200, "")
}
