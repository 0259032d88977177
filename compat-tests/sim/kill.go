package sim

import (
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

func (a *Agent) killTask(m *internalpb.KillTaskMessage) {
	a.counts.Kills++
	f := a.frameworks[m.GetFrameworkId().GetValue()]
	if f == nil {
		return
	}
	id := m.GetTaskId().GetValue()
	t := f.tasks[id]
	if t == nil {
		a.drop(f, id, nil, lost(f.info), mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "Cannot find executor")
		return
	}
	a.kill(t)
	a.endGroup(t)
}

// kill begins the end of a task.
func (a *Agent) kill(t *task) {
	if t.killing || t.dropped || terminal(t.state) {
		return
	}
	t.killing = true
	if capable(t.f.info, mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE) {
		a.say(t, mesospb.TaskState_TASK_KILLING, "")
	}
	if a.b.KillAfter > 0 {
		a.set(a.b.KillAfter, timer{alarm: alarmKilled, task: t})
		return
	}
	a.killed(t)
}

func (a *Agent) killed(t *task) {
	if t.f.tasks[t.id] == t && !terminal(t.state) {
		a.say(t, mesospb.TaskState_TASK_KILLED, "Command terminated with signal Terminated")
	}
}

// shutdownExecutor ends an executor, or the command executor of a task, with all of
// its tasks.
func (a *Agent) shutdownExecutor(m *internalpb.ShutdownExecutorMessage) {
	f := a.frameworks[m.GetFrameworkId().GetValue()]
	if f == nil {
		return
	}
	id := m.GetExecutorId().GetValue()
	if e := f.executors[id]; e != nil {
		a.endExecutor(f, e)
	} else if t := f.tasks[id]; t != nil && t.e == nil {
		a.kill(t)
	}
}

func (a *Agent) endExecutor(f *framework, e *executor) {
	for _, t := range f.list() {
		if t.e == e && !terminal(t.state) {
			t.killing = true
			a.killed(t)
		}
		if t.e == e {
			t.e = nil // its end is told here, not with the last acknowledgement
		}
	}
	a.exited(f, e.info.GetExecutorId().GetValue(), 0)
	a.removeIdle(f)
}
