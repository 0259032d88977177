package core

import (
	"bytes"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

// statusUpdate takes in what an agent says of a task, and hands it to the framework,
// whose acknowledgement goes back to the agent.
func (c *Core) statusUpdate(m *internalpb.StatusUpdateMessage) {
	update := m.GetUpdate()
	status := update.GetStatus()
	a := c.registered[update.GetSlaveId().GetValue()]
	if a == nil {
		c.valid(false, "status_updates")
		c.log.Warn("status update of an agent that is not registered ignored", "agent", update.GetSlaveId().GetValue(), "task", status.GetTaskId().GetValue())
		return
	}
	if _, err := ids.UUIDFromBytes(update.GetUuid()); err != nil || !bytes.Equal(update.GetUuid(), status.GetUuid()) {
		c.valid(false, "status_updates")
		c.log.Warn("status update without a usable uuid ignored", "agent", a.ID, "task", status.GetTaskId().GetValue(), "error", err)
		return
	}
	f := c.known[update.GetFrameworkId().GetValue()]
	t := a.task(update.GetFrameworkId().GetValue(), status.GetTaskId().GetValue())
	if f != nil && f.Connected() {
		if t != nil {
			p := copyTask(t.Proto)
			p.StatusUpdateState, p.StatusUpdateUuid = status.State, status.Uuid
			t.Proto = p
		}
		c.forwardUpdate(f, a, m)
	} else {
		c.log.Warn("status update for a framework that is not connected", "framework", update.GetFrameworkId().GetValue(), "task", status.GetTaskId().GetValue())
	}
	c.valid(t != nil && f != nil && f.Connected(), "status_updates")
	if t == nil {
		return
	}
	state := status.GetState()
	if update.LatestState != nil {
		state = update.GetLatestState()
	}
	c.updateTask(t, state, status)
}

// updateStatus is the status as schedulers get it: what the update knows beside it
// is filled in (the original's evolve of StatusUpdateMessage).
func updateStatus(u *internalpb.StatusUpdate) *mesospb.TaskStatus {
	s := copyStatus(u.GetStatus())
	if u.SlaveId != nil {
		s.AgentId = u.SlaveId
	}
	if u.ExecutorId != nil {
		s.ExecutorId = u.ExecutorId
	}
	s.Timestamp = u.Timestamp
	s.Uuid = u.Uuid
	return s
}

func (c *Core) emitStatus(f *Framework, s *mesospb.TaskStatus) {
	if !f.Connected() {
		return
	}
	c.emit(f, &schedulerpb.Event{
		Type:   schedulerpb.Event_UPDATE.Enum(),
		Update: &schedulerpb.Event_Update{Status: s},
	})
}

// masterStatus is a status this master makes itself. It has no uuid: nobody
// acknowledges it.
func (c *Core) masterStatus(task *mesospb.TaskID, agent *mesospb.AgentID, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, message string) *mesospb.TaskStatus {
	return &mesospb.TaskStatus{
		TaskId:    task,
		AgentId:   agent,
		State:     state.Enum(),
		Source:    mesospb.TaskStatus_SOURCE_MASTER.Enum(),
		Reason:    reason.Enum(),
		Message:   &message,
		Timestamp: proto.Float64(seconds(c.now)),
	}
}

// copyHealth adds what the newest statuses of a task say of its health.
func copyHealth(s *mesospb.TaskStatus, t *mesospb.Task) {
	if n := len(t.Statuses); n > 0 {
		s.Healthy = t.Statuses[n-1].Healthy
		s.CheckStatus = t.Statuses[n-1].CheckStatus
	}
	for i := len(t.Statuses) - 1; i >= 0; i-- {
		if t.Statuses[i].ContainerStatus != nil {
			s.ContainerStatus = t.Statuses[i].ContainerStatus
			return
		}
	}
}

// updateTask changes a task to a state and keeps the status among those of the
// task: one for each run of equal states, without its data. A task that is over
// stays over. Its resources come free with the first state that says so.
func (c *Core) updateTask(t *Task, state mesospb.TaskState, status *mesospb.TaskStatus) {
	held, before := t.holds(), t.Proto
	p := copyTask(t.Proto)
	if !Terminal(t.State()) {
		p.State = state.Enum()
	}
	kept := status
	if status.Data != nil {
		kept = copyStatus(status)
		kept.Data = nil
	}
	p.Statuses = withStatus(p.Statuses, kept)
	t.Proto = p
	if held && !t.holds() {
		c.alloc.Recover(t.Framework.ID, t.Agent.ID, t.Resources)
		c.unuse(t.Framework, t.Agent, t.Resources)
		if Terminal(t.State()) {
			c.countEnd(t.Framework, status)
		}
	}
	c.announceStatus(t, before, status)
	c.touch(t.Framework, t.Agent)
}

// withStatus is a list of statuses with one more; it takes the place of the last one
// if that has the same state.
func withStatus(list []*mesospb.TaskStatus, status *mesospb.TaskStatus) []*mesospb.TaskStatus {
	if n := len(list); n > 0 && list[n-1].GetState() == status.GetState() {
		list = list[:n-1]
	}
	return append(list[:len(list):len(list)], status)
}

// use and unuse keep the sums of what a framework has on an agent.
func (c *Core) use(f *Framework, a *Agent, rs resources.Resources) {
	a.Used[f.ID] = a.Used[f.ID].Add(rs)
	f.Used = f.Used.Add(rs.Scalars())
}

func (c *Core) unuse(f *Framework, a *Agent, rs resources.Resources) {
	if left := a.Used[f.ID].Subtract(rs); left.Empty() {
		delete(a.Used, f.ID)
	} else {
		a.Used[f.ID] = left
	}
	f.Used = f.Used.Subtract(rs.Scalars())
}

// addTask makes a task part of its framework and agent. Its resources are counted,
// unless it is over; the allocator must know them already.
func (c *Core) addTask(f *Framework, a *Agent, p *mesospb.Task) *Task {
	t := &Task{
		ID:        p.GetTaskId().GetValue(),
		Proto:     p,
		Framework: f,
		Agent:     a,
		Resources: resources.New(p.GetResources()...),
	}
	f.Tasks[t.ID] = t
	if a.Tasks[f.ID] == nil {
		a.Tasks[f.ID] = make(map[string]*Task)
	}
	a.Tasks[f.ID][t.ID] = t
	if t.holds() {
		c.use(f, a, t.Resources)
	}
	c.touch(f, a)
	c.announce(TaskAdded{t.Proto, f.Info})
	return t
}

// addReportedTask adds a task an agent brought along. A task that another agent
// has under the same id is left where it is: ids are the framework's to keep apart.
func (c *Core) addReportedTask(f *Framework, a *Agent, p *mesospb.Task) {
	if f.Tasks[p.GetTaskId().GetValue()] != nil {
		c.log.Warn("agent reports a task that another agent has", "framework", f.ID, "task", p.GetTaskId().GetValue(), "agent", a.ID)
		return
	}
	c.addTask(f, a, p)
}

// removeTask takes a task out of its framework and agent and remembers it, as
// unreachable or as completed.
func (c *Core) removeTask(t *Task, unreachable bool) {
	f, a := t.Framework, t.Agent
	if t.holds() {
		c.alloc.Recover(f.ID, a.ID, t.Resources)
		c.unuse(f, a, t.Resources)
	}
	delete(f.Tasks, t.ID)
	delete(a.Tasks[f.ID], t.ID)
	if len(a.Tasks[f.ID]) == 0 {
		delete(a.Tasks, f.ID)
	}
	delete(a.killed, taskKey{f.ID, t.ID})
	c.checkDrained(a)
	if unreachable {
		f.Unreachable.add(t.Proto)
		if c.unreachableTasks[a.ID] == nil {
			c.unreachableTasks[a.ID] = make(map[string][]string)
		}
		c.unreachableTasks[a.ID][f.ID] = append(c.unreachableTasks[a.ID][f.ID], t.ID)
	} else {
		f.CompletedTasks.add(t.Proto)
	}
	c.touch(f, a)
}

func (c *Core) addExecutor(f *Framework, a *Agent, info *mesospb.ExecutorInfo) {
	e := &Executor{
		ID:        info.GetExecutorId().GetValue(),
		Info:      info,
		Framework: f.ID,
		Agent:     a,
		Resources: resources.New(info.GetResources()...),
	}
	if a.Executors[f.ID] == nil {
		a.Executors[f.ID] = make(map[string]*Executor)
	}
	if f.Executors[a.ID] == nil {
		f.Executors[a.ID] = make(map[string]*Executor)
	}
	a.Executors[f.ID][e.ID], f.Executors[a.ID][e.ID] = e, e
	c.use(f, a, e.Resources)
	c.touch(f, a)
}

func (c *Core) removeExecutor(e *Executor) {
	a := e.Agent
	f := c.known[e.Framework]
	delete(a.Executors[e.Framework], e.ID)
	if len(a.Executors[e.Framework]) == 0 {
		delete(a.Executors, e.Framework)
	}
	c.alloc.Recover(e.Framework, a.ID, e.Resources)
	if f != nil {
		delete(f.Executors[a.ID], e.ID)
		if len(f.Executors[a.ID]) == 0 {
			delete(f.Executors, a.ID)
		}
		c.unuse(f, a, e.Resources)
	}
	c.touch(f, a)
}

// executorExited frees an executor's resources and tells the framework.
func (c *Core) executorExited(m *internalpb.ExitedExecutorMessage) {
	a := c.registered[m.GetSlaveId().GetValue()]
	if a == nil {
		return
	}
	e := a.executor(m.GetFrameworkId().GetValue(), m.GetExecutorId().GetValue())
	if e == nil {
		c.log.Warn("an executor exited that was not known", "agent", a.ID, "framework", m.GetFrameworkId().GetValue(), "executor", m.GetExecutorId().GetValue())
		return
	}
	c.removeExecutor(e)
	if f := c.known[e.Framework]; f != nil && f.Connected() {
		c.emit(f, &schedulerpb.Event{
			Type: schedulerpb.Event_FAILURE.Enum(),
			Failure: &schedulerpb.Event_Failure{
				AgentId:    m.SlaveId,
				ExecutorId: m.ExecutorId,
				Status:     m.Status,
			},
		})
	}
}

// executorMessage hands an executor's free-form message to its framework.
func (c *Core) executorMessage(m *internalpb.ExecutorToFrameworkMessage) {
	f := c.known[m.GetFrameworkId().GetValue()]
	ok := c.registered[m.GetSlaveId().GetValue()] != nil && f != nil && f.Connected()
	c.valid(ok, "executor_to_framework_messages")
	if !ok {
		return
	}
	c.emit(f, &schedulerpb.Event{
		Type: schedulerpb.Event_MESSAGE.Enum(),
		Message: &schedulerpb.Event_Message{
			AgentId:    m.SlaveId,
			ExecutorId: m.ExecutorId,
			Data:       m.Data,
		},
	})
}
