package core

import (
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// origin is where a status update comes from.
type origin struct {
	// agent is true for updates that the agent makes; nobody is acknowledged then.
	agent bool
	// pid is the UPID of a v0 executor; empty for HTTP executors.
	pid string
}

var fromAgent = origin{agent: true}

// statusUpdate is an update that waits for its container's status.
type statusUpdate struct {
	update *internalpb.StatusUpdate
	from   origin
}

// newUpdate makes an update of the agent itself (protobuf::createStatusUpdate).
func (c *Core) newUpdate(framework, task string, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, message string) *internalpb.StatusUpdate {
	uuid := c.options.NewUUID()
	now := c.timestamp()
	return &internalpb.StatusUpdate{
		FrameworkId: &mesospb.FrameworkID{Value: &framework},
		SlaveId:     c.info.GetId(),
		Timestamp:   &now,
		Uuid:        uuid,
		Status: &mesospb.TaskStatus{
			TaskId:    &mesospb.TaskID{Value: &task},
			State:     &state,
			Message:   &message,
			Source:    mesospb.TaskStatus_SOURCE_AGENT.Enum(),
			Reason:    &reason,
			AgentId:   c.info.GetId(),
			Timestamp: &now,
			Uuid:      uuid,
		},
	}
}

func setExecutor(u *internalpb.StatusUpdate, executor string) {
	u.ExecutorId = &mesospb.ExecutorID{Value: &executor}
}

// executorUpdate makes an update of what an HTTP executor reports.
func (c *Core) executorUpdate(f *framework, status *mesospb.TaskStatus) *internalpb.StatusUpdate {
	status = proto.Clone(status).(*mesospb.TaskStatus)
	if status.AgentId == nil {
		status.AgentId = c.info.GetId()
	}
	timestamp := c.timestamp()
	if status.Timestamp != nil {
		timestamp = status.GetTimestamp()
	}
	return &internalpb.StatusUpdate{
		FrameworkId: f.info.GetId(),
		ExecutorId:  status.GetExecutorId(),
		SlaveId:     c.info.GetId(),
		Status:      status,
		Timestamp:   &timestamp,
		Uuid:        status.GetUuid(),
	}
}

func isTerminal(state mesospb.TaskState) bool {
	switch state {
	case mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_FAILED, mesospb.TaskState_TASK_KILLED,
		mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_ERROR, mesospb.TaskState_TASK_DROPPED,
		mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

// statusUpdate takes an update of an executor or of the agent (Slave::statusUpdate).
// u is the core's from here on.
func (c *Core) statusUpdate(u *internalpb.StatusUpdate, from origin) {
	id := c.info.GetId().GetValue()
	if len(u.Uuid) != 16 || u.GetSlaveId().GetValue() != id || u.GetStatus().GetAgentId().GetValue() != id {
		c.warn("Ignoring status update without uuid or with another agent id", "task", u.GetStatus().GetTaskId().GetValue())
		c.metrics.InvalidStatusUpdates++
		return
	}
	status := u.Status
	status.Uuid = u.Uuid
	status.Source = mesospb.TaskStatus_SOURCE_EXECUTOR.Enum()
	if from.agent {
		status.Source = mesospb.TaskStatus_SOURCE_AGENT.Enum()
	}
	if u.ExecutorId != nil {
		status.ExecutorId = u.ExecutorId
	}
	task := status.GetTaskId().GetValue()
	c.note("Handling status update", "task", task, "state", status.GetState().String(),
		"framework", u.GetFrameworkId().GetValue())
	f := c.frameworks[u.GetFrameworkId().GetValue()]
	if f == nil {
		c.warn("Ignoring status update for unknown framework", "framework", u.GetFrameworkId().GetValue())
		c.metrics.InvalidStatusUpdates++
		return
	}
	if f.terminating {
		// Nobody wants the update any more. The original leaves the executor waiting for
		// its acknowledgement until it is killed.
		c.note("Ignoring status update for terminating framework", "framework", f.id)
		c.metrics.InvalidStatusUpdates++
		c.acknowledgeExecutor(f, f.executorOf(task), u, from)
		return
	}
	c.drainedStatus(f, status)
	if l := f.pendingLaunch(task); l != nil {
		// The other tasks of a group get updates of their own.
		c.killPending(f, l, task)
		c.metrics.ValidStatusUpdates++
		c.forwardUpdate(f, nil, u, from)
		return
	}
	e := f.executorOf(task)
	if e == nil {
		c.metrics.ValidStatusUpdates++
		c.forwardUpdate(f, nil, u, from)
		return
	}
	if !from.agent && status.GetState() == mesospb.TaskState_TASK_STAGING {
		c.warn("Received TASK_STAGING from executor which is not allowed. Shutting down the executor", "executor", e.run.Executor)
		if e.state == ExecutorRegistering || e.state == ExecutorRunning {
			c.shutdownExecutor(f, e)
		}
		return
	}
	c.metrics.ValidStatusUpdates++
	neverRan := from.agent && e.launched.has(task) &&
		(status.GetState() == mesospb.TaskState_TASK_DROPPED || status.GetState() == mesospb.TaskState_TASK_LOST)
	if e.queued.has(task) || neverRan {
		c.applyUpdate(f, e, u, from)
		return
	}
	e.updates = append(e.updates, &statusUpdate{u, from})
	if len(e.updates) == 1 {
		c.emit(QueryStatus{Run: e.run})
	}
}

// killPending takes one task of an undecided launch out. A group goes as a whole,
// but each of its tasks is reported by itself.
func (c *Core) killPending(f *framework, l *launch, task string) {
	if l.group == nil || len(l.group.GetTasks()) == 1 {
		l.killed = true
	} else {
		group := &mesospb.TaskGroupInfo{}
		for _, t := range l.group.GetTasks() {
			if t.GetTaskId().GetValue() != task {
				group.Tasks = append(group.Tasks, t)
			}
		}
		l.group = group
	}
}

// containerStatus completes the update that waited for it.
func (c *Core) containerStatus(ev ContainerStatus) {
	f, e := c.findRun(ev.Run)
	if e == nil || len(e.updates) == 0 {
		return
	}
	next := e.updates[0]
	e.updates = e.updates[1:]
	if ev.Status != nil {
		status := &mesospb.ContainerStatus{}
		if next.update.Status.ContainerStatus != nil {
			status = proto.Clone(next.update.Status.ContainerStatus).(*mesospb.ContainerStatus)
		}
		proto.Merge(status, ev.Status)
		if len(status.NetworkInfos) == 0 {
			status.NetworkInfos = []*mesospb.NetworkInfo{{
				IpAddresses: []*mesospb.NetworkInfo_IPAddress{{IpAddress: proto.String(c.options.IP)}},
			}}
		}
		next.update.Status.ContainerStatus = status
	}
	c.applyUpdate(f, e, next.update, next.from)
	if len(e.updates) > 0 {
		c.emit(QueryStatus{Run: e.run})
	}
}

// applyUpdate changes the task and passes the update on (Slave::_statusUpdate).
func (c *Core) applyUpdate(f *framework, e *executor, u *internalpb.StatusUpdate, from origin) {
	if problem := c.updateTask(f, e, u.Status); problem != "" {
		c.warn("Failed to update state of task", "task", u.Status.GetTaskId().GetValue(),
			"state", u.Status.GetState().String(), "error", problem)
		c.acknowledgeExecutor(f, e, u, from)
		return
	}
	if isTerminal(u.Status.GetState()) && e.state != ExecutorTerminated {
		if now := e.resources(); !now.Equal(e.allocated) {
			e.allocated = now
			c.emit(UpdateContainer{Run: e.run, Resources: now.Proto()})
		}
	}
	c.forwardUpdate(f, e, u, from)
}

// updateTask gives the task its new status; the text says why that cannot be.
func (c *Core) updateTask(f *framework, e *executor, status *mesospb.TaskStatus) string {
	id := status.GetTaskId().GetValue()
	terminal := isTerminal(status.GetState())
	var task *mesospb.Task
	if old, ok := e.terminated.get(id); ok {
		return "Task is already terminated with state " + old.GetState().String()
	}
	if _, ok := e.queued.get(id); ok {
		if !terminal {
			return "Cannot send non-terminal update for queued task"
		}
		task = newTask(e.dequeue(id), status.GetState(), f.id)
	} else if old, ok := e.launched.get(id); ok {
		task = shallowTask(old)
	} else {
		return "Task is unknown"
	}
	// One entry per run of equal states.
	statuses := task.Statuses
	if n := len(statuses); n > 0 && statuses[n-1].GetState() == status.GetState() {
		statuses = statuses[:n-1]
	}
	task.Statuses = append(statuses[:len(statuses):len(statuses)], status)
	task.State = status.GetState().Enum()
	if !terminal {
		e.launched.put(id, task)
		return ""
	}
	e.launched.remove(id)
	e.terminated.put(id, task)
	c.metrics.terminal(status.GetState())
	return ""
}

// shallowTask copies a task so that it can be changed; what it points to is shared.
func shallowTask(t *mesospb.Task) *mesospb.Task {
	return &mesospb.Task{
		Name: t.Name, TaskId: t.TaskId, FrameworkId: t.FrameworkId, ExecutorId: t.ExecutorId, AgentId: t.AgentId,
		State: t.State, Resources: t.Resources, Statuses: t.Statuses, StatusUpdateState: t.StatusUpdateState,
		StatusUpdateUuid: t.StatusUpdateUuid, Labels: t.Labels, Discovery: t.Discovery, Container: t.Container,
		HealthCheck: t.HealthCheck, KillPolicy: t.KillPolicy, User: t.User, Limits: t.Limits,
	}
}

// forwardUpdate puts an update into its task's stream and then acknowledges it to
// the executor. e is nil for tasks without an executor; their streams are not
// checkpointed, as they have no directory.
func (c *Core) forwardUpdate(f *framework, e *executor, u *internalpb.StatusUpdate, from origin) {
	key := streamKey{f.id, u.Status.GetTaskId().GetValue()}
	var run RunID
	if e != nil {
		run = e.run
	}
	s := c.streams[key]
	if s != nil && s.run != run {
		// A task id that is used again: nobody asks for the old task now.
		c.closeUpdates(s)
		s = nil
	}
	if s == nil {
		s = &stream{key: key, run: run, checkpoint: e != nil && e.checkpoint}
		c.addStream(s)
	}
	c.streamUpdate(s, u)
	c.acknowledgeExecutor(f, e, u, from)
}

// acknowledgeExecutor tells the executor that the agent is responsible for the update now.
func (c *Core) acknowledgeExecutor(f *framework, e *executor, u *internalpb.StatusUpdate, from origin) {
	switch {
	case from.agent:
	case from.pid != "":
		c.emit(Send{To: from.pid, Body: &internalpb.StatusUpdateAcknowledgementMessage{
			SlaveId: u.GetSlaveId(), FrameworkId: u.GetFrameworkId(), TaskId: u.Status.GetTaskId(), Uuid: u.Uuid,
		}})
	case e == nil:
		c.warn("Ignoring sending acknowledgement for status update of unknown executor", "task", u.Status.GetTaskId().GetValue())
	default:
		event := eventOf(executorpb.Event_ACKNOWLEDGED)
		event.Acknowledged = &executorpb.Event_Acknowledged{TaskId: u.Status.GetTaskId(), Uuid: u.Uuid}
		c.send(f, e, event)
	}
}
