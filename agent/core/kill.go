package core

import (
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

const (
	killedBeforeDelivery      = "Killed before delivery to the executor"
	groupKilledBeforeDelivery = "A task within the task group was killed before delivery to the executor"
)

// killTask takes a kill from the master (Slave::killTask).
func (c *Core) killTask(m *internalpb.KillTaskMessage) {
	task := m.GetTaskId().GetValue()
	c.note("Asked to kill task", "task", task, "framework", m.GetFrameworkId().GetValue())
	if c.state == Recovering || c.state == Terminating {
		c.warn("Cannot kill task because of the agent's state", "task", task, "state", c.state.String())
		return
	}
	f := c.frameworks[m.GetFrameworkId().GetValue()]
	if f == nil || f.terminating {
		c.warn("Ignoring kill of a task of an unknown or terminating framework", "task", task)
		return
	}
	if l := f.pendingLaunch(task); l != nil {
		c.killPendingLaunch(f, l)
		c.removeIfIdle(f)
		return
	}
	e := f.executorOf(task)
	if e == nil {
		c.warn("Cannot kill task because no corresponding executor is running", "task", task)
		c.statusUpdate(c.newUpdate(f.id, task, lost(f.info, mesospb.TaskState_TASK_DROPPED),
			mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "Cannot find executor"), fromAgent)
		return
	}
	c.kill(f, e, task, m.GetKillPolicy())
}

// killPendingLaunch reports every task of an undecided launch as killed.
func (c *Core) killPendingLaunch(f *framework, l *launch) {
	message := killedBeforeDelivery
	if l.group != nil {
		message = groupKilledBeforeDelivery
	}
	for _, task := range l.tasks() {
		c.killedDuringLaunch(f, l.executor.GetExecutorId().GetValue(), task.GetTaskId().GetValue(), message)
	}
}

func (c *Core) killedDuringLaunch(f *framework, executor, task, message string) {
	u := c.newUpdate(f.id, task, mesospb.TaskState_TASK_KILLED,
		mesospb.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH, message)
	setExecutor(u, executor)
	c.statusUpdate(u, fromAgent)
}

// kill ends a task that an executor has or is about to get.
func (c *Core) kill(f *framework, e *executor, task string, policy *mesospb.KillPolicy) {
	switch e.state {
	case ExecutorTerminating, ExecutorTerminated:
		c.warn("Ignoring kill because the executor is ending", "task", task, "executor", e.run.Executor)
		return
	case ExecutorRunning:
		if !e.queued.has(task) {
			event := eventOf(executorpb.Event_KILL)
			event.Kill = &executorpb.Event_Kill{TaskId: &mesospb.TaskID{Value: &task}, KillPolicy: policy}
			c.send(f, e, event)
			return
		}
	}
	message := killedBeforeDelivery
	tasks := []string{task}
	if group := e.queuedGroup(task); group != nil {
		tasks = nil
		for _, t := range group.GetTasks() {
			tasks = append(tasks, t.GetTaskId().GetValue())
		}
		if e.state == ExecutorRegistering {
			message = groupKilledBeforeDelivery
		}
	}
	for _, id := range tasks {
		c.killedDuringLaunch(f, e.run.Executor, id, message)
	}
	if e.state == ExecutorRunning && !e.everSentTask() && e.queued.len() == 0 {
		c.warn("Shutting down executor because all of its tasks were killed before delivery", "executor", e.run.Executor)
		c.shutdownExecutor(f, e)
	}
}
