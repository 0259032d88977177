package core

import (
	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/internal/flags"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// recover takes up what an earlier run of the agent left (Slave::recover).
func (c *Core) recover(ev Recovered) {
	saved := ev.Saved
	c.recoveryErrors = saved.Errors
	info := proto.Clone(ev.Info).(*mesospb.AgentInfo)
	resources.UpgradeAll(info)
	c.checkpointed = resources.New(saved.Resources...)
	total, err := resources.New(info.GetResources()...).ApplyCheckpointed(c.checkpointed)
	if err != nil {
		c.exit("Checkpointed resources " + c.checkpointed.String() + " are incompatible with agent resources " +
			resources.New(info.GetResources()...).String() + ": " + err.Error())
		return
	}
	c.total = total
	c.info = info
	if saved.Info != nil {
		info.Id = saved.Info.GetId()
		c.changed = ev.Changed
		c.drain = saved.Drain
		c.recoverOperations(saved.Operations)
		for _, f := range saved.Frameworks {
			c.recoverFramework(f)
		}
	}
	var known []containerizer.Recovered
	for _, f := range c.frameworkList() {
		for _, e := range f.executors.list() {
			if e.state == ExecutorTerminated {
				continue
			}
			known = append(known, containerizer.Recovered{
				PID: c.savedPID(saved, e.run),
				Spec: containerizer.Spec{
					ID: containerID(e.run), Framework: f.info, Executor: e.info, Task: nil,
					Resources: e.allocated.Proto(), Sandbox: e.directory, User: e.user,
					Environment: c.environment(f, e), PIDFile: c.options.PIDFile(e.run),
				},
			})
		}
	}
	c.emit(RecoverContainers{Known: known})
}

func (c *Core) savedPID(saved Saved, run RunID) int {
	for _, f := range saved.Frameworks {
		if f.ID != run.Framework {
			continue
		}
		for i := range f.Executors {
			if e := &f.Executors[i]; e.ID == run.Executor {
				if r := e.Run(run.Container); r != nil {
					return r.ForkedPID
				}
			}
		}
	}
	return 0
}

func (c *Core) recoverFramework(saved SavedFramework) {
	collect := func() {
		c.emit(Collect{Task: TaskID{RunID: RunID{Framework: saved.ID}}, Scope: ScopeFramework, Work: true, Meta: true})
	}
	if saved.Info == nil || len(saved.Executors) == 0 {
		collect()
		return
	}
	info := proto.Clone(saved.Info).(*mesospb.FrameworkInfo)
	f := c.addFramework(info, saved.PID)
	for i := range saved.Executors {
		c.recoverExecutor(f, &saved.Executors[i])
	}
	c.removeIfIdle(f)
}

func (c *Core) recoverExecutor(f *framework, saved *SavedExecutor) {
	run := saved.Run(saved.Latest)
	if run == nil || saved.Info == nil {
		c.warn("Skipping recovery of executor because its latest run or info cannot be recovered", "executor", saved.ID)
		c.emit(Collect{Task: TaskID{RunID: RunID{Framework: f.id, Executor: saved.ID}}, Scope: ScopeExecutor, Work: true, Meta: true})
		return
	}
	for _, old := range saved.Runs {
		if old.ID != saved.Latest {
			c.emit(Collect{Task: TaskID{RunID: RunID{f.id, saved.ID, old.ID}}, Scope: ScopeRun, Work: true, Meta: true})
		}
	}
	info := proto.Clone(saved.Info).(*mesospb.ExecutorInfo)
	resources.UpgradeAll(info)
	injectAllocation(f.info, info.GetResources())
	id := RunID{f.id, saved.ID, saved.Latest}
	e := &executor{
		run:        id,
		info:       info,
		generated:  saved.Generated,
		checkpoint: true,
		directory:  c.options.Sandbox(id),
		user:       c.user(f, info),
		pid:        run.LibprocessPID,
		http:       run.HTTP,
	}
	for _, task := range run.Tasks {
		c.recoverTask(f, e, task, run.Completed)
	}
	e.allocated = e.resources()
	c.emit(Attach{Run: id})
	if !run.Completed {
		f.executors.put(saved.ID, e)
		return
	}
	e.state = ExecutorTerminated
	for _, task := range e.launched.list() {
		e.launched.remove(task.GetTaskId().GetValue())
		e.terminated.put(task.GetTaskId().GetValue(), task)
	}
	c.emit(Collect{Task: TaskID{RunID: id}, Scope: ScopeRun, Work: true, Meta: true})
	c.emit(Collect{Task: TaskID{RunID: id}, Scope: ScopeExecutor, Work: true, Meta: true})
	c.rememberExecutor(f, e)
}

// recoverTask replays a task's updates, for its state and for the stream of those that
// are not acknowledged.
func (c *Core) recoverTask(f *framework, e *executor, saved SavedTask, over bool) {
	if saved.Info == nil {
		c.warn("Skipping recovery of task because its info cannot be recovered", "task", saved.ID)
		return
	}
	task := proto.Clone(saved.Info).(*mesospb.Task)
	resources.UpgradeAll(task)
	injectAllocation(f.info, task.GetResources())
	e.launched.put(saved.ID, task)
	for _, u := range saved.Updates {
		if problem := c.updateTask(f, e, u.GetStatus()); problem != "" {
			c.warn("Failed to update state of recovered task", "task", saved.ID, "error", problem)
			continue
		}
		if isTerminal(u.GetStatus().GetState()) {
			if saved.Acks[string(u.GetUuid())] {
				c.complete(e, saved.ID)
			}
			break
		}
	}
	if over || len(saved.Updates) == 0 {
		return
	}
	s := &stream{key: streamKey{f.id, saved.ID}, run: e.run, checkpoint: true}
	c.addStream(s)
	for _, u := range saved.Updates {
		if s.received[string(u.GetUuid())] {
			continue
		}
		s.push(u)
		if saved.Acks[string(u.GetUuid())] {
			s.pop()
		}
	}
	if s.terminated {
		delete(c.streams, s.key)
	}
}

// containersRecovered lets executors come back (Slave::_recover).
func (c *Core) containersRecovered() {
	if c.state != Recovering || c.exited {
		return
	}
	c.reconnect = true
	for _, f := range c.frameworkList() {
		for _, e := range f.executors.list() {
			switch {
			case c.options.Cleanup && e.state == ExecutorRegistering:
				if e.pid != "" || e.http {
					c.shutdownExecutor(f, e)
				} else {
					c.emit(Destroy{Run: e.run})
				}
			case e.pid != "":
				c.emit(Send{To: e.pid, Body: &internalpb.ReconnectExecutorMessage{SlaveId: c.info.GetId()}})
			}
		}
	}
	if c.options.Cleanup || len(c.frameworks) == 0 {
		c.finishRecovery()
		return
	}
	c.after(c.options.ExecutorReregistrationTimeout, c.reregistrationTimeout)
	c.checkRecovered()
}

// checkRecovered ends the wait for executors early when all are back or gone.
func (c *Core) checkRecovered() {
	if c.state != Recovering || !c.reconnect || c.options.Cleanup {
		return
	}
	for _, f := range c.frameworks {
		for _, e := range f.executors.list() {
			if e.state == ExecutorRegistering {
				return
			}
		}
	}
	c.finishRecovery()
}

// reregistrationTimeout ends executors that did not come back (Slave::reregisterExecutorTimeout).
func (c *Core) reregistrationTimeout() {
	if c.state != Recovering {
		return
	}
	for _, f := range c.frameworkList() {
		for _, e := range f.executors.list() {
			if e.state != ExecutorRegistering {
				continue
			}
			c.note("Killing un-reregistered executor", "executor", e.run.Executor, "framework", f.id)
			c.emit(Destroy{Run: e.run})
			e.state = ExecutorTerminating
			e.ending = &containerizer.Termination{
				State:   lost(f.info, mesospb.TaskState_TASK_GONE).Enum(),
				Reason:  mesospb.TaskStatus_REASON_EXECUTOR_REREGISTRATION_TIMEOUT.Enum(),
				Message: "Executor did not reregister within " + flags.FormatDuration(c.options.ExecutorReregistrationTimeout),
			}
		}
	}
	c.finishRecovery()
}

// finishRecovery begins the search for a master (Slave::__recover).
func (c *Core) finishRecovery() {
	c.note("Finished recovery")
	c.recoveryTime = c.now.Sub(c.startTime)
	c.emit(SaveBootID{})
	c.emit(CollectOldAgents{})
	if c.options.Cleanup {
		c.state = Terminating
		c.endIfDone()
		return
	}
	c.state = Disconnected
	if c.drain != nil {
		c.startDrain(c.drain)
	}
	c.emit(Detect{})
}
