package core

import (
	"bytes"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/internal/flags"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// runTask takes a task from the master.
func (c *Core) runTask(m *internalpb.RunTaskMessage) {
	task := proto.Clone(m.GetTask()).(*mesospb.TaskInfo)
	if (task.GetExecutor() == nil) == (task.GetCommand() == nil) {
		// The original aborts here. It must not happen with a sane master.
		c.warn("Ignoring task which has not exactly one of a command and an executor", "task", task.GetTaskId().GetValue())
		return
	}
	if m.GetFramework().GetId() == nil {
		c.warn("Ignoring task whose framework has no id", "task", task.GetTaskId().GetValue())
		return
	}
	resources.UpgradeAll(task)
	injectAllocation(m.GetFramework(), task.GetResources(), task.GetExecutor().GetResources())
	executor := c.executorInfo(m.GetFramework(), task)
	resources.UpgradeAll(executor)
	injectAllocation(m.GetFramework(), executor.GetResources())
	c.run(m.GetFramework(), m.GetPid(), &launch{
		executor:       executor,
		generated:      task.GetExecutor() == nil,
		task:           task,
		launchExecutor: m.LaunchExecutor,
		versions:       versions(m.GetResourceVersionUuids()),
	})
}

// runTaskGroup takes a task group (a pod) from the master.
func (c *Core) runTaskGroup(m *internalpb.RunTaskGroupMessage) {
	if m.GetFramework().GetId() == nil || len(m.GetTaskGroup().GetTasks()) == 0 {
		c.warn("Ignoring task group without framework id or tasks")
		return
	}
	group := proto.Clone(m.GetTaskGroup()).(*mesospb.TaskGroupInfo)
	executor := proto.Clone(m.GetExecutor()).(*mesospb.ExecutorInfo)
	resources.UpgradeAll(group)
	resources.UpgradeAll(executor)
	injectAllocation(m.GetFramework(), executor.GetResources())
	for _, task := range group.GetTasks() {
		injectAllocation(m.GetFramework(), task.GetResources(), task.GetExecutor().GetResources())
	}
	c.run(m.GetFramework(), "", &launch{
		executor:       executor,
		group:          group,
		launchExecutor: m.LaunchExecutor,
		versions:       versions(m.GetResourceVersionUuids()),
	})
}

// versions are the resource versions that a launch assumes, by provider id ("" is the agent).
func versions(list []*internalpb.ResourceVersionUUID) map[string][]byte {
	if len(list) == 0 {
		return nil
	}
	out := map[string][]byte{}
	for _, v := range list {
		out[v.GetResourceProviderId().GetValue()] = v.GetUuid().GetValue()
	}
	return out
}

// injectAllocation fills in the role of resources from masters that leave it out.
func injectAllocation(framework *mesospb.FrameworkInfo, lists ...[]*mesospb.Resource) {
	names := roles(framework)
	for _, list := range lists {
		for _, resource := range list {
			if resource.AllocationInfo == nil && len(names) == 1 {
				resource.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: proto.String(names[0])}
			}
		}
	}
}

// validIDs refuses ids that would leave the work directory. The original trusts
// the master with them.
func validIDs(framework *mesospb.FrameworkInfo, l *launch) error {
	if err := ids.Validate(framework.GetId().GetValue()); err != nil {
		return err
	}
	if err := ids.Validate(l.executor.GetExecutorId().GetValue()); err != nil {
		return err
	}
	for _, task := range l.tasks() {
		if err := ids.Validate(task.GetTaskId().GetValue()); err != nil {
			return err
		}
	}
	return nil
}

// run queues a launch until its executor's sandbox is ready (Slave::run).
func (c *Core) run(info *mesospb.FrameworkInfo, pid string, l *launch) {
	if err := validIDs(info, l); err != nil {
		c.warn("Ignoring task with an invalid id", "error", err.Error())
		return
	}
	for _, task := range l.tasks() {
		c.note("Got assigned task", "task", task.GetTaskId().GetValue(), "framework", info.GetId().GetValue())
		if task.GetAgentId().GetValue() != c.info.GetId().GetValue() {
			c.warn("Ignoring task because it was intended for another agent", "task", task.GetTaskId().GetValue(),
				"intended", task.GetAgentId().GetValue())
			return
		}
	}
	if c.state == Recovering || c.state == Terminating {
		c.warn("Ignoring task because of the agent's state", "state", c.state.String())
		return
	}
	f := c.frameworks[info.GetId().GetValue()]
	if f == nil {
		f = c.addFramework(proto.Clone(info).(*mesospb.FrameworkInfo), pid)
		c.saveFramework(f)
	}
	if message := c.unsupportedLimits(l); message != "" {
		c.drop(f, l, mesospb.TaskStatus_REASON_GC_ERROR, message, false)
		c.removeIfIdle(f)
		return
	}
	id := l.executor.GetExecutorId().GetValue()
	_, preparing := f.preparing[id]
	f.pending = append(f.pending, l)
	if preparing {
		return
	}
	if f.executors.has(id) {
		c.resume(f, l, RunID{}, "")
		c.removeIfIdle(f)
		return
	}
	run := RunID{Framework: f.id, Executor: id, Container: c.options.NewContainerID()}
	f.preparing[id] = run
	c.emit(PrepareSandbox{Run: run, User: c.user(f, l.executor)})
}

// user is the account an executor runs as; empty means the agent's own.
func (c *Core) user(f *framework, executor *mesospb.ExecutorInfo) string {
	if !c.options.SwitchUser {
		return ""
	}
	if executor.GetCommand().GetUser() != "" {
		return executor.GetCommand().GetUser()
	}
	return f.info.GetUser()
}

// unsupportedLimits says why tasks with resource limits cannot run here, or nothing.
func (c *Core) unsupportedLimits(l *launch) string {
	isolated := func(name string) bool {
		return strings.Contains(c.options.Isolation, "cgroups/"+name) || strings.Contains(c.options.Isolation, "cgroups/all")
	}
	for _, task := range l.tasks() {
		if task.GetContainer() != nil && task.GetContainer().GetType() == mesospb.ContainerInfo_DOCKER {
			continue
		}
		if task.GetLimits()["cpus"] != nil && !isolated("cpu") {
			return "CPU limits can only be set on tasks launched in Mesos containers" +
				" when the agent has loaded the 'cgroups/cpu' isolator"
		}
		if task.GetLimits()["mem"] != nil && !isolated("mem") {
			return "Memory limits can only be set on tasks launched in Mesos" +
				" containers when the agent has loaded the 'cgroups/mem' isolator"
		}
	}
	return ""
}

// sandboxReady goes on with everything that waited for this sandbox.
func (c *Core) sandboxReady(e SandboxReady) {
	f := c.frameworks[e.Run.Framework]
	if f == nil || f.preparing[e.Run.Executor] != e.Run {
		c.emit(Collect{Task: TaskID{RunID: e.Run}, Scope: ScopeRun, Work: true})
		return
	}
	delete(f.preparing, e.Run.Executor)
	for _, l := range slices.Clone(f.pending) {
		if l.executor.GetExecutorId().GetValue() != e.Run.Executor {
			continue
		}
		if e.GC && !l.killed {
			f.removePending(l)
			c.drop(f, l, mesospb.TaskStatus_REASON_GC_ERROR,
				"Could not launch the task because we failed to unschedule directories scheduled for gc", false)
			c.exitedIfExpected(f, l)
			continue
		}
		c.resume(f, l, e.Run, e.Error)
	}
	if _, used := c.findRun(e.Run); used == nil && e.Error == "" {
		c.emit(Collect{Task: TaskID{RunID: e.Run}, Scope: ScopeRun, Work: true})
	}
	c.removeIfIdle(f)
}

func (f *framework) removePending(l *launch) {
	if i := slices.Index(f.pending, l); i >= 0 {
		f.pending = slices.Delete(f.pending, i, i+1)
	}
}

// exitedIfExpected tells a master that counts on a new executor that there is none,
// so that it frees the executor's resources.
func (c *Core) exitedIfExpected(f *framework, l *launch) {
	if l.expectsExecutor() {
		c.sendExitedExecutor(f.id, l.executor.GetExecutorId().GetValue(), -1)
	}
}

// resume decides on a launch whose sandbox is ready (Slave::__run). fresh is that
// sandbox's run, problem why it could not be made.
func (c *Core) resume(f *framework, l *launch, fresh RunID, problem string) {
	f.removePending(l)
	id := l.executor.GetExecutorId().GetValue()
	if f.terminating || l.killed {
		c.note("Ignoring launch because the framework is terminating or the task was killed", "executor", id, "framework", f.id)
		c.exitedIfExpected(f, l)
		return
	}
	if reason, message := c.refuse(l); message != "" {
		c.drop(f, l, reason, message, true)
		c.exitedIfExpected(f, l)
		return
	}
	if c.state == Terminating {
		return
	}
	e, _ := f.executors.get(id)
	if l.launchExecutor != nil {
		switch {
		case l.generated && e != nil:
			c.drop(f, l, mesospb.TaskStatus_REASON_TASK_INVALID,
				"Cannot reuse an already existing executor for a command task", true)
			return
		case !l.generated && *l.launchExecutor && e != nil:
			c.drop(f, l, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED,
				"Master wants to launch executor, but one already exists", true)
			switch e.state {
			case ExecutorTerminated:
				c.sendExitedExecutor(f.id, id, -1)
			case ExecutorRegistering, ExecutorRunning:
				c.shutdownExecutor(f, e)
			}
			return
		case !l.generated && !*l.launchExecutor && e == nil:
			c.drop(f, l, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED,
				"No executor is expected to launch and there is none running", true)
			return
		}
	}
	if e == nil {
		if fresh.Container == "" {
			// The executor that was there ended before this launch came up.
			f.pending = append(f.pending, l)
			run := RunID{Framework: f.id, Executor: id, Container: c.options.NewContainerID()}
			f.preparing[id] = run
			c.emit(PrepareSandbox{Run: run, User: c.user(f, l.executor)})
			return
		}
		if problem != "" {
			c.drop(f, l, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, problem, true)
			c.exitedIfExpected(f, l)
			return
		}
		e = c.addExecutor(f, l, fresh)
	}
	c.enqueue(f, e, l)
}

// refuse says why no task of the launch may run on this agent now, or nothing.
func (c *Core) refuse(l *launch) (mesospb.TaskStatus_Reason, string) {
	if c.drain != nil {
		return mesospb.TaskStatus_REASON_AGENT_DRAINING, "Task was received while agent was already draining"
	}
	if l.versions != nil {
		for _, task := range l.tasks() {
			for _, resource := range task.GetResources() {
				provider := resource.GetProviderId().GetValue()
				if provider != "" || !bytes.Equal(l.versions[provider], c.resourceVersion) {
					return mesospb.TaskStatus_REASON_INVALID_OFFERS, "Task assumes outdated resource state"
				}
			}
		}
	}
	known := func(list []*mesospb.Resource) bool {
		need := resources.New(list...).Unallocate().Filter(resources.Resource.NeedsCheckpoint)
		for r := range need.All() {
			if !c.checkpointed.Contains(resources.Of(r)) {
				return false
			}
		}
		return true
	}
	for _, task := range l.tasks() {
		if !known(task.GetResources()) {
			return mesospb.TaskStatus_REASON_RESOURCES_UNKNOWN,
				"The checkpointed resources being used by the task or task group are unknown to the agent"
		}
	}
	if !known(l.executor.GetResources()) {
		return mesospb.TaskStatus_REASON_RESOURCES_UNKNOWN,
			"The checkpointed resources being used by the executor are unknown to the agent"
	}
	return 0, ""
}

// drop reports every task of a launch as never started.
func (c *Core) drop(f *framework, l *launch, reason mesospb.TaskStatus_Reason, message string, withExecutor bool) {
	for _, task := range l.tasks() {
		u := c.newUpdate(f.id, task.GetTaskId().GetValue(), lost(f.info, mesospb.TaskState_TASK_DROPPED), reason, message)
		if withExecutor {
			setExecutor(u, l.executor.GetExecutorId().GetValue())
		}
		c.statusUpdate(u, fromAgent)
	}
}

// addExecutor starts a new executor in the run whose sandbox is ready.
func (c *Core) addExecutor(f *framework, l *launch, run RunID) *executor {
	e := &executor{
		run:        run,
		info:       l.executor,
		generated:  l.generated,
		checkpoint: f.info.GetCheckpoint(),
		directory:  c.options.Sandbox(run),
		user:       c.user(f, l.executor),
	}
	if e.checkpoint {
		c.emit(SaveExecutor{Run: run, Info: e.info, Generated: e.generated})
	}
	f.executors.put(run.Executor, e)
	c.emit(Attach{Run: run})
	c.note("Launching executor", "executor", run.Executor, "framework", f.id, "container", run.Container)

	spec := containerizer.Spec{
		ID:          containerID(run),
		Framework:   f.info,
		Executor:    proto.Clone(e.info).(*mesospb.ExecutorInfo),
		Sandbox:     e.directory,
		User:        e.user,
		Environment: c.environment(f, e),
	}
	if spec.Executor.GetType() == mesospb.ExecutorInfo_DEFAULT && spec.Executor.Command == nil {
		spec.Executor.Command = c.defaultExecutorCommand(e.user)
	}
	if l.generated {
		spec.Task = l.task
	}
	sum := resources.New(e.info.GetResources()...)
	for _, task := range l.tasks() {
		sum = sum.Add(resources.New(task.GetResources()...))
	}
	e.allocated = sum
	spec.Resources = sum.Proto()
	if e.checkpoint {
		spec.PIDFile = c.options.PIDFile(run)
	}
	c.emit(Launch{Run: run, Spec: spec})
	c.after(c.options.ExecutorRegistrationTimeout, func() { c.registrationTimeout(run) })
	return e
}

// registrationTimeout ends an executor that never subscribed.
func (c *Core) registrationTimeout(run RunID) {
	f, e := c.findRun(run)
	if e == nil || f.terminating || e.state != ExecutorRegistering {
		return
	}
	c.note("Terminating executor because it did not register in time", "executor", run.Executor, "framework", run.Framework)
	c.emit(Destroy{Run: run})
	e.state = ExecutorTerminating
	e.ending = &containerizer.Termination{
		State:   mesospb.TaskState_TASK_FAILED.Enum(),
		Reason:  mesospb.TaskStatus_REASON_EXECUTOR_REGISTRATION_TIMEOUT.Enum(),
		Message: "Executor did not register within " + flags.FormatDuration(c.options.ExecutorRegistrationTimeout),
	}
}

// newTask is the Task of a TaskInfo (protobuf::createTask).
func newTask(info *mesospb.TaskInfo, state mesospb.TaskState, framework string) *mesospb.Task {
	task := &mesospb.Task{
		Name:        proto.String(info.GetName()),
		TaskId:      info.GetTaskId(),
		FrameworkId: &mesospb.FrameworkID{Value: &framework},
		ExecutorId:  info.GetExecutor().GetExecutorId(),
		AgentId:     info.GetAgentId(),
		State:       &state,
		Resources:   info.GetResources(),
		Labels:      info.GetLabels(),
		Discovery:   info.GetDiscovery(),
		Container:   info.GetContainer(),
		HealthCheck: info.GetHealthCheck(),
		KillPolicy:  info.GetKillPolicy(),
		Limits:      info.GetLimits(),
	}
	if info.GetCommand().GetUser() != "" {
		task.User = info.GetCommand().User
	} else if info.GetExecutor().GetCommand().GetUser() != "" {
		task.User = info.GetExecutor().GetCommand().User
	}
	return task
}
