package core

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// ExecutorState is where an executor is in its life.
type ExecutorState int

// States of an executor, as in the original.
const (
	ExecutorRegistering ExecutorState = iota
	ExecutorRunning
	ExecutorTerminating
	ExecutorTerminated
)

func (s ExecutorState) String() string {
	return [...]string{"REGISTERING", "RUNNING", "TERMINATING", "TERMINATED"}[s]
}

// executor is one run of one executor. Task messages are never changed in
// place once they are here, so that a View can share them.
type executor struct {
	run        RunID
	info       *mesospb.ExecutorInfo
	generated  bool
	checkpoint bool
	directory  string
	user       string
	state      ExecutorState

	// How it is reached: stream is an HTTP event stream, pid a v0 executor's UPID.
	// Neither is set until it subscribes. http says that it is known
	// to use HTTP, as after recovery.
	stream    uint64
	heartbeat uint64
	pid       string
	http      bool

	queued       ordered[*mesospb.TaskInfo]
	queuedGroups []*mesospb.TaskGroupInfo
	launched     ordered[*mesospb.Task]
	terminated   ordered[*mesospb.Task]
	// completed is bounded, oldest first.
	completed []*mesospb.Task

	// updates wait for the container's status, in order.
	updates []*statusUpdate
	// deliveries wait for the container to have the resources of new tasks.
	deliveries []*delivery
	// allocated is what the container was last given.
	allocated resources.Resources
	// ending is what is known of its end before the container says so.
	ending *containerizer.Termination
	// frozen is the view of an executor that does not change any more.
	frozen *ExecutorView
}

// delivery is tasks on their way to a running executor.
type delivery struct {
	token  uint64
	tasks  []*mesospb.TaskInfo
	groups []*mesospb.TaskGroupInfo
}

func (e *executor) incomplete() bool {
	return e.queued.len() > 0 || e.launched.len() > 0 || e.terminated.len() > 0
}

// everSentTask is false for an executor whose every task was killed before delivery.
func (e *executor) everSentTask() bool {
	if e.launched.len() > 0 {
		return true
	}
	for _, task := range append(e.terminated.list(), e.completed...) {
		for _, status := range task.GetStatuses() {
			if status.GetSource() == mesospb.TaskStatus_SOURCE_EXECUTOR {
				return true
			}
		}
	}
	return false
}

// resources are what the executor and its live tasks hold.
func (e *executor) resources() resources.Resources {
	sum := resources.New(e.info.GetResources()...)
	for _, task := range e.queued.list() {
		sum = sum.Add(resources.New(task.GetResources()...))
	}
	for _, task := range e.launched.list() {
		sum = sum.Add(resources.New(task.GetResources()...))
	}
	return sum
}

func (e *executor) queuedGroup(task string) *mesospb.TaskGroupInfo {
	for _, group := range e.queuedGroups {
		for _, t := range group.GetTasks() {
			if t.GetTaskId().GetValue() == task {
				return group
			}
		}
	}
	return nil
}

// dequeue takes a task out of the queue, and its group once all of that is out.
func (e *executor) dequeue(task string) *mesospb.TaskInfo {
	info, _ := e.queued.get(task)
	e.queued.remove(task)
	group := e.queuedGroup(task)
	if group == nil {
		return info
	}
	for _, t := range group.GetTasks() {
		if e.queued.has(t.GetTaskId().GetValue()) {
			return info
		}
	}
	i := slices.Index(e.queuedGroups, group)
	e.queuedGroups = slices.Delete(e.queuedGroups, i, i+1)
	return info
}

// complete moves a terminated task whose last update is acknowledged to the history.
func (c *Core) complete(e *executor, task string) {
	t, _ := e.terminated.get(task)
	e.terminated.remove(task)
	e.completed = append(e.completed, t)
	if len(e.completed) > maxCompletedTasks {
		e.completed = slices.Delete(e.completed, 0, len(e.completed)-maxCompletedTasks)
	}
	if e.checkpoint {
		c.emit(Collect{Task: TaskID{e.run, task}, Scope: ScopeTask, Meta: true})
	}
}

// findRun returns the executor if that very run of it is still here.
func (c *Core) findRun(run RunID) (*framework, *executor) {
	f := c.frameworks[run.Framework]
	if f == nil {
		return nil, nil
	}
	e, _ := f.executors.get(run.Executor)
	if e == nil || e.run != run {
		return f, nil
	}
	return f, e
}

// send gives an event to the executor in the way it understands.
func (c *Core) send(f *framework, e *executor, event *executorpb.Event) {
	switch {
	case e.stream != 0:
		c.emit(SendEvent{Stream: e.stream, Event: event})
	case e.pid != "":
		if m := c.driverMessage(f, e, event); m != nil {
			c.emit(Send{To: e.pid, Body: m})
		}
	default:
		c.warn("Unable to send event to executor: unknown connection type", "executor", e.run.Executor,
			"framework", e.run.Framework, "event", event.GetType().String())
	}
}

// driverMessage is the event as the v0 executor driver expects it (src/exec/exec.cpp of the original).
func (c *Core) driverMessage(f *framework, e *executor, event *executorpb.Event) proto.Message {
	switch event.GetType() {
	case executorpb.Event_SUBSCRIBED:
		return &internalpb.ExecutorRegisteredMessage{
			ExecutorInfo:  e.info,
			FrameworkId:   f.info.GetId(),
			FrameworkInfo: f.info,
			SlaveId:       c.info.GetId(),
			SlaveInfo:     c.info,
		}
	case executorpb.Event_LAUNCH:
		pid := f.pid
		if pid == "" {
			pid = noUPID
		}
		return &internalpb.RunTaskMessage{Framework: f.info, Task: event.GetLaunch().GetTask(), Pid: &pid}
	case executorpb.Event_KILL:
		return &internalpb.KillTaskMessage{FrameworkId: f.info.GetId(), TaskId: event.GetKill().GetTaskId(),
			KillPolicy: event.GetKill().GetKillPolicy()}
	case executorpb.Event_ACKNOWLEDGED:
		return &internalpb.StatusUpdateAcknowledgementMessage{SlaveId: c.info.GetId(), FrameworkId: f.info.GetId(),
			TaskId: event.GetAcknowledged().GetTaskId(), Uuid: event.GetAcknowledged().GetUuid()}
	case executorpb.Event_MESSAGE:
		return &internalpb.FrameworkToExecutorMessage{SlaveId: c.info.GetId(), FrameworkId: f.info.GetId(),
			ExecutorId: e.info.GetExecutorId(), Data: event.GetMessage().GetData()}
	case executorpb.Event_SHUTDOWN:
		return &internalpb.ShutdownExecutorMessage{}
	}
	return nil
}

func eventOf(t executorpb.Event_Type) *executorpb.Event { return &executorpb.Event{Type: &t} }

// shutdownExecutor asks the executor to end and destroys its container when it does not.
func (c *Core) shutdownExecutor(f *framework, e *executor) {
	c.note("Shutting down executor", "executor", e.run.Executor, "framework", f.id)
	e.state = ExecutorTerminating
	c.send(f, e, eventOf(executorpb.Event_SHUTDOWN))
	grace := c.options.ExecutorShutdownGracePeriod
	if d := e.info.GetShutdownGracePeriod(); d != nil {
		grace = time.Duration(d.GetNanoseconds())
	}
	run := e.run
	c.after(grace, func() {
		if _, e := c.findRun(run); e != nil && e.state == ExecutorTerminating {
			c.note("Killing executor", "executor", run.Executor, "framework", run.Framework)
			c.emit(Destroy{Run: run})
		}
	})
}

// removeExecutor cleans up after an executor that has terminated.
func (c *Core) removeExecutor(f *framework, e *executor) {
	c.note("Cleaning up executor", "executor", e.run.Executor, "framework", f.id)
	if e.checkpoint {
		c.emit(SaveCompleted{Run: e.run})
	}
	c.emit(Collect{Task: TaskID{RunID: e.run}, Scope: ScopeRun, Work: true, Meta: e.checkpoint})
	if !slices.ContainsFunc(f.pending, func(l *launch) bool {
		return l.executor.GetExecutorId().GetValue() == e.run.Executor
	}) {
		c.emit(Collect{Task: TaskID{RunID: e.run}, Scope: ScopeExecutor, Work: true, Meta: e.checkpoint})
	}
	c.closeStream(e)
	f.executors.remove(e.run.Executor)
	c.rememberExecutor(f, e)
}

// rememberExecutor puts an executor that is over into the history.
func (c *Core) rememberExecutor(f *framework, e *executor) {
	e.frozen = e.view()
	f.completedExecutors = append(f.completedExecutors, e)
	if limit := c.options.MaxCompletedExecutors; len(f.completedExecutors) > limit {
		f.completedExecutors = slices.Delete(f.completedExecutors, 0, len(f.completedExecutors)-limit)
	}
}

func (c *Core) closeStream(e *executor) {
	c.cancel(&e.heartbeat)
	if e.stream != 0 {
		c.emit(CloseStream{Stream: e.stream})
		e.stream = 0
	}
}

// container is the Wait result of a run as updates need it.
func containerID(run RunID) *mesospb.ContainerID {
	return &mesospb.ContainerID{Value: proto.String(run.Container)}
}
