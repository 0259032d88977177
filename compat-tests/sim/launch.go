package sim

import (
	"bytes"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// launch is a task or a group that the master wants run.
type launch struct {
	f *framework
	// executor is nil for a command task.
	executor *mesospb.ExecutorInfo
	tasks    []*mesospb.TaskInfo
	group    bool
	// wanted is launch_executor: whether the master expects the executor to be new;
	// nil from masters that don't say.
	wanted   *bool
	versions []*internalpb.ResourceVersionUUID
}

func (a *Agent) runTask(m *internalpb.RunTaskMessage) {
	t := m.GetTask()
	if (t.GetExecutor() == nil) == (t.GetCommand() == nil) || m.GetFramework().GetId() == nil ||
		t.GetAgentId().GetValue() != a.info.Id.GetValue() {
		a.counts.Ignored++
		return
	}
	a.launch(launch{
		f: a.addFramework(m.GetFramework()), executor: t.GetExecutor(), tasks: []*mesospb.TaskInfo{t},
		wanted: m.LaunchExecutor, versions: m.GetResourceVersionUuids(),
	})
}

func (a *Agent) runTaskGroup(m *internalpb.RunTaskGroupMessage) {
	list := m.GetTaskGroup().GetTasks()
	if len(list) == 0 || m.GetFramework().GetId() == nil {
		a.counts.Ignored++
		return
	}
	for _, t := range list {
		if t.GetAgentId().GetValue() != a.info.Id.GetValue() {
			a.counts.Ignored++
			return
		}
	}
	a.launch(launch{
		f: a.addFramework(m.GetFramework()), executor: m.GetExecutor(), tasks: list, group: true,
		wanted: m.LaunchExecutor, versions: m.GetResourceVersionUuids(),
	})
}

// launch decides as Slave::__run does, and starts.
func (a *Agent) launch(l launch) {
	for _, v := range l.versions {
		if v.GetResourceProviderId() == nil && !bytes.Equal(v.GetUuid().GetValue(), a.version) {
			a.refuse(l, mesospb.TaskStatus_REASON_INVALID_OFFERS, "Task assumes outdated resource state")
			return
		}
	}
	var e *executor
	if l.executor != nil {
		id := l.executor.GetExecutorId().GetValue()
		e = l.f.executors[id]
		switch {
		case l.wanted != nil && l.expectsNew() && e != nil:
			a.refuse(l, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "Master wants to launch executor, but one already exists")
			a.endExecutor(l.f, e)
			return
		case l.wanted != nil && !l.expectsNew() && e == nil:
			a.refuse(l, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "No executor is expected to launch and there is none running")
			return
		case e == nil:
			e = &executor{info: l.executor, container: a.containerID()}
			if e.info.FrameworkId == nil {
				e.info.FrameworkId = l.f.info.GetId()
			}
			l.f.executors[id] = e
		}
	}
	var members []*task
	for _, info := range l.tasks {
		id := info.GetTaskId().GetValue()
		if l.f.tasks[id] != nil {
			a.counts.Ignored++ // The same message twice.
			continue
		}
		members = append(members, a.addTask(l.f, e, info, l.group))
	}
	for _, t := range members {
		if l.group {
			t.group = members
		}
		a.plan(t)
	}
}

// expectsNew says whether the master takes the executor to be new.
func (l launch) expectsNew() bool { return l.wanted != nil && *l.wanted }

// refuse drops what was to be launched.
func (a *Agent) refuse(l launch, reason mesospb.TaskStatus_Reason, message string) {
	for _, info := range l.tasks {
		executor := &mesospb.ExecutorID{Value: info.TaskId.Value} // the command executor's
		if l.executor != nil {
			executor = l.executor.ExecutorId
		}
		if l.f.tasks[info.GetTaskId().GetValue()] == nil {
			a.drop(l.f, info.GetTaskId().GetValue(), executor, lost(l.f.info), reason, message)
		}
	}
	if l.executor != nil && l.expectsNew() && l.f.executors[l.executor.GetExecutorId().GetValue()] == nil {
		a.exited(l.f, l.executor.GetExecutorId().GetValue(), -1)
	}
	a.removeIdle(l.f)
}

// drop reports a task that this agent does not run.
func (a *Agent) drop(f *framework, id string, executor *mesospb.ExecutorID, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, message string) {
	a.counts.Dropped++
	t := &task{f: f, id: id, number: a.number(), dropped: true, executorID: executor, state: mesospb.TaskState_TASK_STAGING}
	f.tasks[id] = t
	a.counts.Tasks++
	a.report(t, &mesospb.TaskStatus{
		State: &state, Reason: &reason, Message: &message, Source: mesospb.TaskStatus_SOURCE_AGENT.Enum(),
	})
}

// containerStatus is that of a task: its own container, or one inside the executor's.
func (a *Agent) containerStatus(e *executor, group bool) *mesospb.ContainerStatus {
	a.pids++
	s := &mesospb.ContainerStatus{
		NetworkInfos: []*mesospb.NetworkInfo{{IpAddresses: []*mesospb.NetworkInfo_IPAddress{{
			IpAddress: proto.String(a.self.Addr.Addr().String()),
		}}}},
		ExecutorPid: proto.Uint32(a.pids),
	}
	switch {
	case e == nil:
		s.ContainerId = a.containerID()
	case group:
		s.ContainerId = a.containerID()
		s.ContainerId.Parent = e.container
	default:
		s.ContainerId = e.container
	}
	return s
}

func (a *Agent) containerID() *mesospb.ContainerID {
	return &mesospb.ContainerID{Value: proto.String(ids.UUID(a.uuid()).String())}
}
