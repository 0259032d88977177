package core

import (
	"slices"

	"stoa/internal/mesos/mesospb"
)

// noUPID is how an absent UPID prints.
const noUPID = "@0.0.0.0:0"

// framework is one framework with something on this agent.
type framework struct {
	id   string
	info *mesospb.FrameworkInfo
	// pid is the UPID of a v0 scheduler; empty for HTTP schedulers.
	pid         string
	terminating bool

	// pending are launches whose executor is not decided yet, in order of arrival;
	// preparing holds the run whose sandbox is being made, by executor.
	pending   []*launch
	preparing map[string]RunID

	executors ordered[*executor]
	// completedExecutors is bounded, oldest first.
	completedExecutors []*executor
}

// launch is a task or a task group on its way to an executor.
type launch struct {
	executor  *mesospb.ExecutorInfo
	generated bool
	// Exactly one of task and group is set.
	task  *mesospb.TaskInfo
	group *mesospb.TaskGroupInfo
	// launchExecutor is what the master expects; nil from masters before 1.5.
	launchExecutor *bool
	versions       map[string][]byte
	// killed launches are gone for everybody but the sandbox in preparation.
	killed bool
}

func (l *launch) tasks() []*mesospb.TaskInfo {
	if l.task != nil {
		return []*mesospb.TaskInfo{l.task}
	}
	return l.group.GetTasks()
}

func (l *launch) has(task string) bool {
	return slices.ContainsFunc(l.tasks(), func(t *mesospb.TaskInfo) bool {
		return t.GetTaskId().GetValue() == task
	})
}

func (l *launch) expectsExecutor() bool { return l.launchExecutor != nil && *l.launchExecutor }

func (f *framework) capable(c mesospb.FrameworkInfo_Capability_Type) bool {
	return capable(f.info, c)
}

func capable(info *mesospb.FrameworkInfo, c mesospb.FrameworkInfo_Capability_Type) bool {
	for _, have := range info.GetCapabilities() {
		if have.GetType() == c {
			return true
		}
	}
	return false
}

// lost is the state of a task that never ran (aware is DROPPED or GONE) for this framework.
func lost(info *mesospb.FrameworkInfo, aware mesospb.TaskState) mesospb.TaskState {
	if capable(info, mesospb.FrameworkInfo_Capability_PARTITION_AWARE) {
		return aware
	}
	return mesospb.TaskState_TASK_LOST
}

// idle frameworks have nothing left on this agent.
func (f *framework) idle() bool {
	return f.executors.len() == 0 && len(f.pending) == 0 && len(f.preparing) == 0
}

// pendingLaunch finds the launch that holds a task which is not decided yet.
func (f *framework) pendingLaunch(task string) *launch {
	for _, l := range f.pending {
		if !l.killed && l.has(task) {
			return l
		}
	}
	return nil
}

// executorOf finds the executor that has the task in any way but completed.
func (f *framework) executorOf(task string) *executor {
	for _, e := range f.executors.list() {
		if e.queued.has(task) || e.launched.has(task) || e.terminated.has(task) {
			return e
		}
	}
	return nil
}

func (f *framework) hasTask(task string) bool {
	return f.pendingLaunch(task) != nil || f.executorOf(task) != nil
}

// roles are the framework's roles, from whichever field its generation uses.
func roles(info *mesospb.FrameworkInfo) []string {
	if capable(info, mesospb.FrameworkInfo_Capability_MULTI_ROLE) {
		return info.GetRoles()
	}
	return []string{info.GetRole()}
}

func (c *Core) addFramework(info *mesospb.FrameworkInfo, pid string) *framework {
	f := &framework{id: info.GetId().GetValue(), info: info, pid: pid, preparing: map[string]RunID{}}
	if pid == noUPID {
		f.pid = ""
	}
	c.frameworks[f.id] = f
	c.order = append(c.order, f.id)
	for i, old := range c.completed {
		if old.id == f.id {
			f.completedExecutors = old.completedExecutors
			c.completed = slices.Delete(c.completed, i, i+1)
			break
		}
	}
	return f
}

func (c *Core) saveFramework(f *framework) {
	if !f.info.GetCheckpoint() {
		return
	}
	pid := f.pid
	if pid == "" {
		pid = noUPID
	}
	c.emit(SaveFramework{Info: f.info, PID: pid})
}

// removeIfIdle forgets a framework with nothing left.
func (c *Core) removeIfIdle(f *framework) {
	if !f.idle() || c.frameworks[f.id] != f {
		return
	}
	c.note("Cleaning up framework", "framework", f.id)
	c.closeStreams(f)
	c.emit(Collect{Task: TaskID{RunID: RunID{Framework: f.id}}, Scope: ScopeFramework, Work: true, Meta: f.info.GetCheckpoint()})
	delete(c.frameworks, f.id)
	c.order = slices.Delete(c.order, slices.Index(c.order, f.id), slices.Index(c.order, f.id)+1)
	c.completed = append(c.completed, f)
	if len(c.completed) > maxCompletedFrameworks {
		c.completed = slices.Delete(c.completed, 0, len(c.completed)-maxCompletedFrameworks)
	}
	c.updateDrain()
	c.endIfDone()
}

// endIfDone ends a terminating agent when nothing is left on it.
func (c *Core) endIfDone() {
	if c.state == Terminating && len(c.frameworks) == 0 {
		c.exit("")
	}
}

// frameworkList is every framework in order of arrival; it may be changed while it is walked.
func (c *Core) frameworkList() []*framework {
	list := make([]*framework, 0, len(c.order))
	for _, id := range c.order {
		list = append(list, c.frameworks[id])
	}
	return list
}
