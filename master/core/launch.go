package core

import (
	"stoa/internal/auth"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/validation"

	"google.golang.org/protobuf/proto"
)

// rules is what a launch is measured against now.
func (c *Core) rules(x *acceptance) *validation.Launch {
	f, a := x.framework, x.agent
	return &validation.Launch{
		Framework:   f.ID,
		Agent:       a.ID,
		Limits:      a.Capabilities.TaskResourceLimits,
		Taken:       func(id string) bool { return f.Tasks[id] != nil },
		Unreachable: func(id string) bool { return f.Unreachable.Get(id) != nil },
		Executor: func(id string) *mesospb.ExecutorInfo {
			if e := a.executor(f.ID, id); e != nil {
				return e.Info
			}
			return nil
		},
		OnExecutor: func(id string) []*mesospb.ContainerInfo {
			var list []*mesospb.ContainerInfo
			for _, t := range a.Tasks[f.ID] {
				if t.Proto.ExecutorId != nil && t.Proto.ExecutorId.GetValue() == id {
					list = append(list, t.Proto.Container)
				}
			}
			return list
		},
		Available: x.remaining.NonShared().Add(x.sharedRemaining),
	}
}

// launch sends a task to its agent, or the framework the reason why not.
func (c *Core) launch(x *acceptance, t *mesospb.TaskInfo) {
	f, a := x.framework, x.agent
	if err := c.unauthorizedOperation(f, auth.Launch(t, f.Info)); err != nil {
		c.refuseTask(f, t, mesospb.TaskState_TASK_ERROR, mesospb.TaskStatus_REASON_TASK_UNAUTHORIZED, err.Error())
		return
	}
	if err := c.rules(x).Task(t); err != nil {
		c.refuseTask(f, t, mesospb.TaskState_TASK_ERROR, mesospb.TaskStatus_REASON_TASK_INVALID, err.Error())
		return
	}
	consumed := resources.New(t.GetResources()...)
	fresh := true
	if t.Executor != nil {
		if fresh = a.executor(f.ID, t.Executor.GetExecutorId().GetValue()) == nil; fresh {
			c.addExecutor(f, a, t.Executor)
			consumed = consumed.Add(resources.New(t.Executor.GetResources()...))
		}
	}
	c.addTask(f, a, newTask(f, t))
	c.consume(x, consumed)
	c.log.Info("launching task", "framework", f.ID, "task", t.GetTaskId().GetValue(), "agent", a.ID)
	c.sendAgent(a, &internalpb.RunTaskMessage{
		Framework:            f.Info,
		Pid:                  f.pid(),
		Task:                 t,
		ResourceVersionUuids: resourceVersions(a),
		LaunchExecutor:       &fresh,
	})
}

// launchGroup sends a task group, all or nothing.
func (c *Core) launchGroup(x *acceptance, op *mesospb.Offer_Operation_LaunchGroup) {
	f, a := x.framework, x.agent
	executor, group := op.GetExecutor(), op.GetTaskGroup()
	err, reason := c.unauthorizedGroup(f, group.GetTasks()), mesospb.TaskStatus_REASON_TASK_GROUP_UNAUTHORIZED
	if err == nil {
		err, reason = c.rules(x).Group(executor, group), mesospb.TaskStatus_REASON_TASK_GROUP_INVALID
	}
	if err != nil {
		for _, t := range group.GetTasks() {
			c.refuseTask(f, t, mesospb.TaskState_TASK_ERROR, reason, err.Error())
		}
		return
	}
	var consumed resources.Resources
	fresh := a.executor(f.ID, executor.GetExecutorId().GetValue()) == nil
	if fresh {
		c.addExecutor(f, a, executor)
		consumed = resources.New(executor.GetResources()...)
	}
	for _, t := range group.GetTasks() {
		c.addTask(f, a, newTask(f, t))
		consumed = consumed.Add(resources.New(t.GetResources()...))
	}
	c.consume(x, consumed)
	c.log.Info("launching task group", "framework", f.ID, "executor", executor.GetExecutorId().GetValue(), "tasks", len(group.GetTasks()), "agent", a.ID)
	c.sendAgent(a, &internalpb.RunTaskGroupMessage{
		Framework:            f.Info,
		Executor:             executor,
		TaskGroup:            group,
		ResourceVersionUuids: resourceVersions(a),
		LaunchExecutor:       &fresh,
	})
}

// consume takes resources out of what remains. A shared resource stays: it is only
// held once more.
func (c *Core) consume(x *acceptance, consumed resources.Resources) {
	x.launched = true
	if additional := consumed.Shared().Subtract(x.remaining.Shared()); !additional.Empty() {
		c.alloc.Convert(x.framework.ID, x.agent.ID, resources.Resources{}, additional)
	}
	x.remaining = x.remaining.Subtract(consumed)
}

func resourceVersions(a *Agent) []*internalpb.ResourceVersionUUID {
	if a.ResourceVersion == nil {
		return nil
	}
	return []*internalpb.ResourceVersionUUID{{Uuid: a.ResourceVersion}}
}

// newTask is the task of a launch as the master keeps it.
func newTask(f *Framework, t *mesospb.TaskInfo) *mesospb.Task {
	p := &mesospb.Task{
		Name:        t.Name,
		TaskId:      t.TaskId,
		FrameworkId: f.Info.Id,
		AgentId:     t.AgentId,
		State:       mesospb.TaskState_TASK_STAGING.Enum(),
		Resources:   t.Resources,
		Labels:      t.Labels,
		Discovery:   t.Discovery,
		Container:   t.Container,
		HealthCheck: t.HealthCheck,
		KillPolicy:  t.KillPolicy,
		Limits:      t.Limits,
	}
	if t.Executor != nil {
		p.ExecutorId = t.Executor.ExecutorId
	}
	switch {
	case t.Command != nil && t.Command.User != nil:
		p.User = t.Command.User
	case t.GetExecutor().GetCommand() != nil && t.Executor.Command.User != nil:
		p.User = t.Executor.Command.User
	}
	return p
}

// sameFramework says whether two descriptions mean the same.
func sameFramework(a, b *mesospb.FrameworkInfo) bool { return proto.Equal(a, b) }
