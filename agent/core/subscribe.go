package core

import (
	"net/http"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// executorCall answers a call of the v1 executor API; the edge has checked
// everything that needs no knowledge of executors.
func (c *Core) executorCall(ev ExecutorCall) {
	reply := func(status int, body string) { c.emit(Reply{Call: ev.Call, Status: status, Body: body}) }
	call := ev.Body
	if c.state == Recovering && call.GetType() != executorpb.Call_SUBSCRIBE {
		reply(http.StatusServiceUnavailable, "Agent has not finished recovery")
		return
	}
	f := c.frameworks[call.GetFrameworkId().GetValue()]
	if f == nil {
		reply(http.StatusBadRequest, "Framework cannot be found")
		return
	}
	e, _ := f.executors.get(call.GetExecutorId().GetValue())
	if e == nil {
		reply(http.StatusBadRequest, "Executor cannot be found")
		return
	}
	if e.state == ExecutorRegistering && call.GetType() != executorpb.Call_SUBSCRIBE {
		reply(http.StatusForbidden, "Executor is not subscribed")
		return
	}
	switch call.GetType() {
	case executorpb.Call_SUBSCRIBE:
		c.subscribe(ev.Call, f, e, call.GetSubscribe())
	case executorpb.Call_UPDATE:
		reply(http.StatusAccepted, "")
		c.statusUpdate(c.executorUpdate(f, call.GetUpdate().GetStatus()), origin{})
	case executorpb.Call_MESSAGE:
		reply(http.StatusAccepted, "")
		c.executorMessage(f, e, call.GetMessage().GetData())
	default:
		reply(http.StatusNotImplemented, "501 Not Implemented.")
	}
}

// subscribe opens an executor's event stream (Slave::subscribe).
func (c *Core) subscribe(call uint64, f *framework, e *executor, s *executorpb.Call_Subscribe) {
	c.nextStream++
	id := c.nextStream
	c.emit(Accept{Call: call, Stream: id})
	if c.state == Terminating || f.terminating || e.state == ExecutorTerminating || e.state == ExecutorTerminated {
		c.note("Shutting down executor that subscribes while it is to end", "executor", e.run.Executor)
		c.emit(SendEvent{Stream: id, Event: eventOf(executorpb.Event_SHUTDOWN)})
		c.emit(CloseStream{Stream: id})
		return
	}
	c.closeStream(e)
	c.note("Executor subscribed", "executor", e.run.Executor, "framework", f.id)
	e.state = ExecutorRunning
	e.stream, e.http, e.pid = id, true, ""
	c.beat(e, id)
	if e.checkpoint {
		c.emit(SaveExecutorPID{Run: e.run})
	}
	for _, update := range s.GetUnacknowledgedUpdates() {
		c.statusUpdate(c.executorUpdate(f, update.GetStatus()), origin{})
	}
	known := map[string]bool{}
	for _, task := range s.GetUnacknowledgedTasks() {
		known[task.GetTaskId().GetValue()] = true
	}
	c.dropUnknown(f, e, known)
	if !e.everSentTask() && e.queued.len() == 0 {
		c.warn("Shutting down executor because all of its tasks were killed before delivery", "executor", e.run.Executor)
		c.shutdownExecutor(f, e)
		return
	}
	event := eventOf(executorpb.Event_SUBSCRIBED)
	event.Subscribed = &executorpb.Event_Subscribed{
		ExecutorInfo: e.info, FrameworkInfo: f.info, AgentInfo: c.info, ContainerId: containerID(e.run),
	}
	c.send(f, e, event)
	c.deliverQueued(f, e)
	c.checkRecovered()
}

// beat keeps an idle event stream from looking dead to what is in between.
func (c *Core) beat(e *executor, id uint64) {
	e.heartbeat = c.after(executorHeartbeat, func() {
		if e.stream == id {
			c.emit(SendEvent{Stream: id, Event: eventOf(executorpb.Event_HEARTBEAT)})
			c.beat(e, id)
		}
	})
}

// dropUnknown reports the tasks that were sent but never reached the executor, as
// when the agent was killed in between.
func (c *Core) dropUnknown(f *framework, e *executor, known map[string]bool) {
	for _, task := range e.launched.list() {
		id := task.GetTaskId().GetValue()
		if task.GetState() != mesospb.TaskState_TASK_STAGING || known[id] || e.hasUpdateFor(id) {
			continue
		}
		u := c.newUpdate(f.id, id, lost(f.info, mesospb.TaskState_TASK_DROPPED),
			mesospb.TaskStatus_REASON_AGENT_RESTARTED, "Task launched during agent restart")
		setExecutor(u, e.run.Executor)
		c.statusUpdate(u, fromAgent)
	}
}

// hasUpdateFor says whether an update of the task waits for the container's status.
func (e *executor) hasUpdateFor(task string) bool {
	for _, u := range e.updates {
		if u.update.Status.GetTaskId().GetValue() == task {
			return true
		}
	}
	return false
}

// deliverQueued hands everything queued to an executor that is ready now.
func (c *Core) deliverQueued(f *framework, e *executor) {
	d := &delivery{groups: e.queuedGroups}
	for _, task := range e.queued.list() {
		if e.queuedGroup(task.GetTaskId().GetValue()) == nil {
			d.tasks = append(d.tasks, task)
		}
	}
	c.deliver(f, e, d)
}

// streamClosed notes that an executor cannot be reached at the moment. Nothing else
// changes: it may subscribe again, and its container says when it is gone.
func (c *Core) streamClosed(ev StreamClosed) {
	for _, f := range c.frameworks {
		for _, e := range f.executors.list() {
			if e.stream == ev.Stream {
				c.note("Executor disconnected", "executor", e.run.Executor, "framework", f.id)
				c.cancel(&e.heartbeat)
				e.stream = 0
			}
		}
	}
}

// executorMessage passes an executor's message to its scheduler: straight to a v0
// driver, else through the master.
func (c *Core) executorMessage(f *framework, e *executor, data []byte) {
	if c.state != Running || f.terminating {
		c.warn("Dropping framework message from executor", "executor", e.run.Executor, "state", c.state.String())
		c.metrics.InvalidFrameworkMessages++
		return
	}
	to := f.pid
	if to == "" {
		to = c.master
	}
	c.emit(Send{To: to, Body: &internalpb.ExecutorToFrameworkMessage{
		SlaveId: c.info.GetId(), FrameworkId: f.info.GetId(), ExecutorId: e.info.GetExecutorId(), Data: data,
	}})
	c.metrics.ValidFrameworkMessages++
}

// schedulerMessage passes a scheduler's message to its executor.
func (c *Core) schedulerMessage(m *internalpb.FrameworkToExecutorMessage) {
	f := c.frameworks[m.GetFrameworkId().GetValue()]
	if c.state == Running && f != nil && !f.terminating {
		if e, _ := f.executors.get(m.GetExecutorId().GetValue()); e != nil && e.state == ExecutorRunning {
			event := eventOf(executorpb.Event_MESSAGE)
			event.Message = &executorpb.Event_Message{Data: m.GetData()}
			c.send(f, e, event)
			c.metrics.ValidFrameworkMessages++
			return
		}
	}
	c.warn("Dropping message from framework", "framework", m.GetFrameworkId().GetValue(), "executor", m.GetExecutorId().GetValue())
	c.metrics.InvalidFrameworkMessages++
}

// registerExecutor answers a v0 executor driver that starts.
func (c *Core) registerExecutor(from string, m *internalpb.RegisterExecutorMessage) {
	f := c.frameworks[m.GetFrameworkId().GetValue()]
	var e *executor
	if f != nil {
		e, _ = f.executors.get(m.GetExecutorId().GetValue())
	}
	if c.state == Recovering || c.state == Terminating || e == nil || f.terminating || e.state != ExecutorRegistering {
		c.warn("Shutting down executor that registers unexpectedly", "executor", m.GetExecutorId().GetValue(), "pid", from)
		c.emit(Send{To: from, Body: &internalpb.ShutdownExecutorMessage{}})
		return
	}
	e.state = ExecutorRunning
	e.pid = from
	if e.checkpoint {
		c.emit(SaveExecutorPID{Run: e.run, PID: from})
	}
	if !e.everSentTask() && e.queued.len() == 0 {
		c.shutdownExecutor(f, e)
		return
	}
	c.send(f, e, eventOf(executorpb.Event_SUBSCRIBED))
	c.deliverQueued(f, e)
}

// reregisterExecutor answers a v0 executor driver after the agent restarted.
func (c *Core) reregisterExecutor(from string, m *internalpb.ReregisterExecutorMessage) {
	f := c.frameworks[m.GetFrameworkId().GetValue()]
	var e *executor
	if f != nil {
		e, _ = f.executors.get(m.GetExecutorId().GetValue())
	}
	if c.state == Terminating || e == nil || f.terminating || e.state != ExecutorRegistering {
		c.warn("Shutting down executor that re-registers unexpectedly", "executor", m.GetExecutorId().GetValue(), "pid", from)
		if e != nil && e.state == ExecutorRunning {
			c.shutdownExecutor(f, e)
			return
		}
		c.emit(Send{To: from, Body: &internalpb.ShutdownExecutorMessage{}})
		return
	}
	e.state = ExecutorRunning
	e.pid = from
	c.emit(Send{To: from, Body: &internalpb.ExecutorReregisteredMessage{SlaveId: c.info.GetId(), SlaveInfo: c.info}})
	for _, u := range m.GetUpdates() {
		c.statusUpdate(proto.Clone(u).(*internalpb.StatusUpdate), origin{pid: from})
	}
	known := map[string]bool{}
	for _, task := range m.GetTasks() {
		known[task.GetTaskId().GetValue()] = true
	}
	c.dropUnknown(f, e, known)
	c.checkRecovered()
}
