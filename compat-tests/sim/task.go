package sim

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// task is one that the agent pretends to run, or refused to.
type task struct {
	f  *framework
	id string
	// number is the place in the order of launches.
	number uint64
	// info is what was launched, nil for a dropped task.
	info *mesospb.TaskInfo
	e    *executor
	// executorID is what updates name as the executor.
	executorID *mesospb.ExecutorID
	container  *mesospb.ContainerStatus
	// group are the tasks of its task group, itself included.
	group []*task

	state mesospb.TaskState
	// statuses has one entry per run of equal states, as the original's Task.
	statuses []*mesospb.TaskStatus
	// dropped tasks never ran here and are not reported at re-registration.
	dropped bool
	// next is the state that comes next in the agents' States; fails says that the
	// task ends in TASK_FAILED, killing that it was told to end.
	next           int
	fails, killing bool

	// pending are the updates that are not acknowledged, the one under way first.
	pending []*internalpb.StatusUpdate
	// sent is the generation of the timer that repeats the first.
	sent     uint32
	interval time.Duration
}

func terminal(s mesospb.TaskState) bool {
	switch s {
	case mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_FAILED, mesospb.TaskState_TASK_KILLED,
		mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_ERROR, mesospb.TaskState_TASK_DROPPED,
		mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

func (a *Agent) number() uint64 {
	a.seq++
	return a.seq
}

func (a *Agent) addTask(f *framework, e *executor, info *mesospb.TaskInfo, group bool) *task {
	t := &task{
		f: f, id: info.GetTaskId().GetValue(), number: a.number(), info: info, e: e,
		state: mesospb.TaskState_TASK_STAGING, container: a.containerStatus(e, group),
		fails: a.random.Float64() < a.b.Fail,
	}
	if e != nil {
		t.executorID = e.info.GetExecutorId()
		e.tasks++
	} else {
		t.executorID = &mesospb.ExecutorID{Value: &t.id} // the command executor's
	}
	f.tasks[t.id] = t
	a.counts.Launched++
	a.counts.Tasks++
	return t
}

// plan sets out for the task's next state, now or later.
func (a *Agent) plan(t *task) {
	for !terminal(t.state) && !t.killing && t.next < len(a.b.States) {
		if after := a.b.States[t.next].After; after > 0 {
			a.set(after, timer{alarm: alarmState, task: t})
			return
		}
		a.reach(t)
	}
	if t.next == len(a.b.States) && t.fails && !terminal(t.state) && !t.killing {
		if a.b.FailAfter > 0 {
			a.set(a.b.FailAfter, timer{alarm: alarmState, task: t})
			return
		}
		a.fail(t)
	}
}

// step is what plan put off.
func (a *Agent) step(t *task) {
	switch {
	case terminal(t.state) || t.killing:
	case t.next == len(a.b.States):
		a.fail(t)
	default:
		a.reach(t)
		a.plan(t)
	}
}

// reach puts the task into its next state.
func (a *Agent) reach(t *task) {
	state := a.b.States[t.next].State
	t.next++
	switch {
	case !terminal(state):
		a.say(t, state, "")
		if state == mesospb.TaskState_TASK_RUNNING && t.info.HealthCheck != nil {
			a.report(t, &mesospb.TaskStatus{
				State: state.Enum(), Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(), Healthy: proto.Bool(true),
				Reason: mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED.Enum(),
			})
		}
	case t.fails:
		a.fail(t)
	case state == mesospb.TaskState_TASK_FINISHED:
		a.say(t, state, "Command exited with status 0")
	default:
		a.say(t, state, "")
		a.endGroup(t)
	}
}

func (a *Agent) fail(t *task) {
	a.say(t, mesospb.TaskState_TASK_FAILED, "Command exited with status 1")
	a.endGroup(t)
}

// endGroup kills the other tasks of a task's group: they live and die together, unless
// one only finishes.
func (a *Agent) endGroup(t *task) {
	for _, other := range t.group {
		a.kill(other)
	}
}

// say reports a state as the task's executor does.
func (a *Agent) say(t *task, state mesospb.TaskState, message string) {
	s := &mesospb.TaskStatus{State: &state, Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum()}
	if message != "" {
		s.Message = &message
	}
	a.report(t, s)
}

// report completes a status and queues it as an update.
func (a *Agent) report(t *task, s *mesospb.TaskStatus) {
	s.TaskId = &mesospb.TaskID{Value: &t.id}
	s.AgentId = a.info.Id
	s.ExecutorId = t.executorID
	s.Timestamp = a.timestamp()
	s.Uuid = a.uuid()
	s.ContainerStatus = t.container
	if t.group != nil && s.GetState() != mesospb.TaskState_TASK_RUNNING {
		// A nested container's network is known only while it runs.
		s.ContainerStatus = &mesospb.ContainerStatus{ContainerId: t.container.ContainerId}
	}
	a.drained(t.f, s)
	a.change(t, s.GetState())
	if n := len(t.statuses); n > 0 && t.statuses[n-1].GetState() == s.GetState() {
		t.statuses[n-1] = s
	} else {
		t.statuses = append(t.statuses, s)
	}
	t.pending = append(t.pending, &internalpb.StatusUpdate{
		FrameworkId: t.f.info.GetId(), ExecutorId: t.executorID, SlaveId: a.info.Id,
		Status: s, Timestamp: s.Timestamp, Uuid: s.Uuid,
	})
	a.counts.Updates++
	if len(t.pending) == 1 {
		t.interval = retryMin
		a.forward(t)
	}
}

// drained marks the kills that draining causes (Slave::statusUpdate).
func (a *Agent) drained(f *framework, s *mesospb.TaskStatus) {
	if a.drain == nil || s.GetState() != mesospb.TaskState_TASK_KILLING && s.GetState() != mesospb.TaskState_TASK_KILLED {
		return
	}
	s.Reason = mesospb.TaskStatus_REASON_AGENT_DRAINING.Enum()
	if a.drain.GetMarkGone() && capable(f.info, mesospb.FrameworkInfo_Capability_PARTITION_AWARE) {
		s.State = mesospb.TaskState_TASK_GONE_BY_OPERATOR.Enum()
	}
}

// change keeps the count of running tasks.
func (a *Agent) change(t *task, state mesospb.TaskState) {
	if t.state == mesospb.TaskState_TASK_RUNNING {
		a.counts.Running--
	}
	if state == mesospb.TaskState_TASK_RUNNING {
		a.counts.Running++
	}
	t.state = state
}

// forward sends the task's first update, and again until it is acknowledged.
func (a *Agent) forward(t *task) {
	if !a.registered {
		return // Sent when the agent is back.
	}
	u := t.pending[0]
	u.LatestState = t.state.Enum()
	t.sent++
	a.set(t.interval, timer{alarm: alarmUpdate, generation: t.sent, task: t})
	// A copy, because a later state changes the queued one.
	a.send(&internalpb.StatusUpdateMessage{Pid: &a.pid, Update: &internalpb.StatusUpdate{
		FrameworkId: u.FrameworkId, ExecutorId: u.ExecutorId, SlaveId: u.SlaveId, Status: u.Status,
		Timestamp: u.Timestamp, Uuid: u.Uuid, LatestState: u.LatestState,
	}})
}

// acknowledged goes on to the task's next update.
func (a *Agent) acknowledged(m *internalpb.StatusUpdateAcknowledgementMessage) {
	f := a.frameworks[m.GetFrameworkId().GetValue()]
	var t *task
	if f != nil {
		t = f.tasks[m.GetTaskId().GetValue()]
	}
	if t == nil || len(t.pending) == 0 || !bytes.Equal(t.pending[0].Uuid, m.GetUuid()) {
		a.counts.Unexpected++
		return
	}
	a.counts.Acknowledged++
	done := terminal(t.pending[0].GetStatus().GetState())
	t.pending = t.pending[1:]
	t.sent++
	switch {
	case done:
		a.complete(t)
	case len(t.pending) > 0:
		t.interval = retryMin
		a.forward(t)
	default:
		t.pending = nil
	}
}

// complete forgets a task whose end is acknowledged, and with the last one its
// executor, if that runs nothing but task groups.
func (a *Agent) complete(t *task) {
	a.forget(t)
	delete(t.f.tasks, t.id)
	if e := t.e; e != nil {
		if e.tasks--; e.tasks == 0 && e.info.GetType() == mesospb.ExecutorInfo_DEFAULT {
			a.exited(t.f, e.info.GetExecutorId().GetValue(), 0)
		}
	}
	a.removeIdle(t.f)
}

// forget takes a task out of the counts and stops its timers.
func (a *Agent) forget(t *task) {
	a.counts.Tasks--
	a.change(t, mesospb.TaskState_TASK_UNKNOWN)
	t.sent++
	t.killing = true
	t.pending = nil
}

// message is the task as re-registration reports it (protobuf::createTask).
func (t *task) message() *mesospb.Task {
	m := &mesospb.Task{
		Name: proto.String(t.info.GetName()), TaskId: t.info.TaskId, FrameworkId: t.f.info.GetId(),
		ExecutorId: t.info.GetExecutor().GetExecutorId(), AgentId: t.info.AgentId, State: t.state.Enum(),
		Resources: t.info.Resources, Statuses: t.statuses, Labels: t.info.Labels, Discovery: t.info.Discovery,
		Container: t.info.Container, HealthCheck: t.info.HealthCheck, KillPolicy: t.info.KillPolicy, Limits: t.info.Limits,
	}
	switch {
	case t.info.GetCommand().GetUser() != "":
		m.User = t.info.Command.User
	case t.info.GetExecutor().GetCommand().GetUser() != "":
		m.User = t.info.Executor.Command.User
	}
	if len(t.pending) > 0 {
		m.StatusUpdateState = t.pending[0].GetStatus().State
		m.StatusUpdateUuid = t.pending[0].Uuid
	}
	return m
}
