package core

import (
	"encoding/hex"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// View is the agent's state at one moment, for readers in other goroutines. Nothing
// in it ever changes.
type View struct {
	State AgentState
	// Info lacks an id before the first registration.
	Info           *mesospb.AgentInfo
	StartTime      float64
	MasterHostname string
	// Registered says that a master counts on this agent.
	Registered bool
	// Total is what the agent offers, with its reservations and volumes.
	Total      resources.Resources
	Drain      *mesospb.DrainConfig
	DrainStart time.Time
	Operations []*mesospb.Operation

	Frameworks []*FrameworkView
	Completed  []*FrameworkView

	Metrics        Metrics
	RecoveryErrors int
	// RecoveryTime is how long recovery took; 0 while it goes on.
	RecoveryTime time.Duration
}

// FrameworkView is one framework in a View.
type FrameworkView struct {
	ID                 string
	Info               *mesospb.FrameworkInfo
	PID                string
	Terminating        bool
	Pending            []*mesospb.TaskInfo
	Executors          []*ExecutorView
	CompletedExecutors []*ExecutorView
}

// ExecutorView is one run of an executor in a View.
type ExecutorView struct {
	Run        RunID
	Info       *mesospb.ExecutorInfo
	Generated  bool
	Directory  string
	State      ExecutorState
	Queued     []*mesospb.TaskInfo
	Launched   []*mesospb.Task
	Terminated []*mesospb.Task
	Completed  []*mesospb.Task
}

// Allocated is what running executors and tasks hold, with allocation info. Readers add it
// up, not the core.
func (v *View) Allocated() resources.Resources {
	var sum resources.Resources
	for _, f := range v.Frameworks {
		for _, e := range f.Executors {
			sum = sum.Add(e.Resources())
		}
		for _, task := range f.Pending {
			sum = sum.Add(resources.New(task.GetResources()...))
		}
	}
	return sum
}

// Resources are the executor's and its live tasks'.
func (e *ExecutorView) Resources() resources.Resources {
	sum := resources.New(e.Info.GetResources()...)
	for _, task := range e.Queued {
		sum = sum.Add(resources.New(task.GetResources()...))
	}
	for _, task := range e.Launched {
		sum = sum.Add(resources.New(task.GetResources()...))
	}
	return sum
}

// Metrics counts what happened since the agent started.
type Metrics struct {
	TasksFinished, TasksFailed, TasksKilled, TasksLost, TasksGone int
	ExecutorsTerminated                                           int
	ValidStatusUpdates, InvalidStatusUpdates                      int
	ValidFrameworkMessages, InvalidFrameworkMessages              int
	ContainerLaunchErrors                                         int
}

func (m *Metrics) terminal(state mesospb.TaskState) {
	switch state {
	case mesospb.TaskState_TASK_FINISHED:
		m.TasksFinished++
	case mesospb.TaskState_TASK_FAILED:
		m.TasksFailed++
	case mesospb.TaskState_TASK_KILLED:
		m.TasksKilled++
	case mesospb.TaskState_TASK_LOST:
		m.TasksLost++
	case mesospb.TaskState_TASK_GONE:
		m.TasksGone++
	}
}

// Ready says whether executors may subscribe: it is false while the agent cannot know them yet.
func (c *Core) Ready() bool { return c.reconnect }

// View returns the present state. It is the same pointer until something happens.
func (c *Core) View() *View {
	if !c.dirty {
		return c.cachedView
	}
	c.dirty = false
	v := &View{
		State:          c.state,
		Info:           c.info,
		StartTime:      seconds(c.startTime),
		MasterHostname: c.masterHostname,
		Registered:     c.state == Running,
		Total:          c.total,
		Drain:          c.drain,
		DrainStart:     c.drainStart,
		Metrics:        c.metrics,
		RecoveryErrors: c.recoveryErrors,
		RecoveryTime:   c.recoveryTime,
	}
	if c.master == "" {
		v.MasterHostname = ""
	}
	for _, o := range c.operations {
		v.Operations = append(v.Operations, o.message)
	}
	for _, f := range c.frameworkList() {
		v.Frameworks = append(v.Frameworks, c.frameworkView(f))
	}
	for _, f := range c.completed {
		v.Completed = append(v.Completed, c.frameworkView(f))
	}
	c.cachedView = v
	return v
}

func (c *Core) frameworkView(f *framework) *FrameworkView {
	v := &FrameworkView{ID: f.id, Info: f.info, PID: f.pid, Terminating: f.terminating}
	for _, l := range f.pending {
		if !l.killed {
			v.Pending = append(v.Pending, l.tasks()...)
		}
	}
	for _, e := range f.executors.list() {
		v.Executors = append(v.Executors, e.view())
	}
	for _, e := range f.completedExecutors {
		v.CompletedExecutors = append(v.CompletedExecutors, e.frozen)
	}
	return v
}

func (e *executor) view() *ExecutorView {
	return &ExecutorView{
		Run: e.run, Info: e.info, Generated: e.generated, Directory: e.directory, State: e.state,
		Queued: e.queued.list(), Launched: e.launched.list(),
		Terminated: e.terminated.list(), Completed: append([]*mesospb.Task(nil), e.completed...),
	}
}

// uuidText is the 8-4-4-4-12 text of a UUID; other lengths are plain hex.
func uuidText(b []byte) string {
	s := hex.EncodeToString(b)
	if len(s) != 32 {
		return s
	}
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// MultiRole says whether the framework uses roles instead of role.
func (f *FrameworkView) MultiRole() bool {
	return capable(f.Info, mesospb.FrameworkInfo_Capability_MULTI_ROLE)
}

// StagingTask is a task that has not reached its executor, as the APIs show it.
func StagingTask(info *mesospb.TaskInfo, framework string) *mesospb.Task {
	return newTask(info, mesospb.TaskState_TASK_STAGING, framework)
}
