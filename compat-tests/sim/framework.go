package sim

import (
	"slices"
	"strconv"
	"strings"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// framework is one that has something on this agent.
type framework struct {
	id        string
	info      *mesospb.FrameworkInfo
	tasks     map[string]*task
	executors map[string]*executor
}

// executor is one that a framework brought itself, or the default executor of task
// groups. Command tasks have none here: the original makes them up.
type executor struct {
	info *mesospb.ExecutorInfo
	// container is its container's id.
	container *mesospb.ContainerID
	// tasks counts those whose end is not acknowledged.
	tasks int
}

func itoa(n int) string { return strconv.Itoa(n) }

func (a *Agent) addFramework(info *mesospb.FrameworkInfo) *framework {
	id := info.GetId().GetValue()
	f := a.frameworks[id]
	if f == nil {
		f = &framework{id: id, info: info, tasks: make(map[string]*task), executors: make(map[string]*executor)}
		a.frameworks[id] = f
	}
	return f
}

// frameworkList is in the order of the ids, so that a run can be repeated.
func (a *Agent) frameworkList() []*framework {
	list := make([]*framework, 0, len(a.frameworks))
	for _, f := range a.frameworks {
		list = append(list, f)
	}
	slices.SortFunc(list, func(x, y *framework) int { return strings.Compare(x.id, y.id) })
	return list
}

// list is in the order of the launches.
func (f *framework) list() []*task {
	list := make([]*task, 0, len(f.tasks))
	for _, t := range f.tasks {
		list = append(list, t)
	}
	slices.SortFunc(list, func(x, y *task) int { return int(int64(x.number) - int64(y.number)) })
	return list
}

func (f *framework) executorList() []*executor {
	list := make([]*executor, 0, len(f.executors))
	for _, e := range f.executors {
		list = append(list, e)
	}
	slices.SortFunc(list, func(x, y *executor) int {
		return strings.Compare(x.info.GetExecutorId().GetValue(), y.info.GetExecutorId().GetValue())
	})
	return list
}

func capable(info *mesospb.FrameworkInfo, c mesospb.FrameworkInfo_Capability_Type) bool {
	return slices.ContainsFunc(info.GetCapabilities(), func(have *mesospb.FrameworkInfo_Capability) bool { return have.GetType() == c })
}

// lost is the state of a task that never ran, for a framework.
func lost(info *mesospb.FrameworkInfo) mesospb.TaskState {
	if capable(info, mesospb.FrameworkInfo_Capability_PARTITION_AWARE) {
		return mesospb.TaskState_TASK_DROPPED
	}
	return mesospb.TaskState_TASK_LOST
}

// updateFramework takes a framework's new description and repeats its updates, since
// its scheduler may be back only now.
func (a *Agent) updateFramework(m *internalpb.UpdateFrameworkMessage) {
	f := a.frameworks[m.GetFrameworkId().GetValue()]
	if f == nil || !a.registered {
		return
	}
	if m.FrameworkInfo != nil {
		f.info = m.FrameworkInfo
	}
	for _, t := range f.list() {
		if len(t.pending) > 0 {
			t.interval = retryMin
			a.forward(t)
		}
	}
}

// shutdownFramework ends everything of a framework without a word: nobody listens.
func (a *Agent) shutdownFramework(id string) {
	if f := a.frameworks[id]; f != nil {
		a.removeFramework(f)
	}
}

func (a *Agent) removeFramework(f *framework) {
	for _, t := range f.tasks {
		a.forget(t)
	}
	clear(f.tasks)
	delete(a.frameworks, f.id)
}

// removeIdle forgets a framework that has nothing left on this agent.
func (a *Agent) removeIdle(f *framework) {
	if len(f.tasks) == 0 && len(f.executors) == 0 {
		delete(a.frameworks, f.id)
		if len(a.frameworks) == 0 {
			a.drain = nil
		}
	}
}

// exited tells the master that an executor is gone.
func (a *Agent) exited(f *framework, executor string, status int32) {
	delete(f.executors, executor)
	a.send(&internalpb.ExitedExecutorMessage{
		SlaveId: a.info.Id, FrameworkId: f.info.GetId(), ExecutorId: &mesospb.ExecutorID{Value: &executor}, Status: &status,
	})
}

// startDrain ends every task.
func (a *Agent) startDrain(config *mesospb.DrainConfig) {
	if len(a.frameworks) == 0 && len(a.operations) == 0 {
		return
	}
	a.drain = config
	for _, f := range a.frameworkList() {
		for _, t := range f.list() {
			a.kill(t)
		}
	}
}
