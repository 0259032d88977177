package core

import (
	"slices"
	"strings"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

// enqueue gives a launch to an executor that exists.
func (c *Core) enqueue(f *framework, e *executor, l *launch) {
	if e.state == ExecutorTerminating || e.state == ExecutorTerminated {
		c.drop(f, l, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "Executor "+strings.ToLower(e.state.String()), false)
		return
	}
	for _, task := range l.tasks() {
		if e.checkpoint {
			c.emit(SaveTask{Run: e.run, Task: newTask(task, mesospb.TaskState_TASK_STAGING, f.id)})
		}
		e.queued.put(task.GetTaskId().GetValue(), task)
		c.note("Queued task", "task", task.GetTaskId().GetValue(), "executor", e.run.Executor, "framework", f.id)
	}
	if l.group != nil {
		e.queuedGroups = append(e.queuedGroups, l.group)
	}
	if e.state == ExecutorRunning {
		if l.group != nil {
			c.deliver(f, e, &delivery{groups: []*mesospb.TaskGroupInfo{l.group}})
		} else {
			c.deliver(f, e, &delivery{tasks: []*mesospb.TaskInfo{l.task}})
		}
	}
}

// deliver hands queued tasks to a running executor once its container has the
// resources for them.
func (c *Core) deliver(f *framework, e *executor, d *delivery) {
	want := e.resources()
	if len(e.deliveries) == 0 && want.Equal(e.allocated) {
		c.delivered(f, e, d)
		return
	}
	c.nextToken++
	d.token = c.nextToken
	e.deliveries = append(e.deliveries, d)
	e.allocated = want
	c.emit(UpdateContainer{Run: e.run, Token: d.token, Resources: want.Proto()})
}

// containerUpdated goes on with the tasks that waited for the update (Slave::___run).
func (c *Core) containerUpdated(ev ContainerUpdated) {
	f, e := c.findRun(ev.Run)
	if e == nil {
		return
	}
	i := slices.IndexFunc(e.deliveries, func(d *delivery) bool { return d.token == ev.Token })
	if ev.Error != "" {
		if e.state == ExecutorTerminated || i < 0 && !e.incomplete() {
			return // The container went away with its last task.
		}
		c.warn("Failed to update resources for container", "container", e.run.Container, "error", ev.Error)
		c.emit(Destroy{Run: e.run})
		e.ending = &containerizer.Termination{
			State:   lost(f.info, mesospb.TaskState_TASK_GONE).Enum(),
			Reason:  mesospb.TaskStatus_REASON_CONTAINER_UPDATE_FAILED.Enum(),
			Message: "Failed to update resources for container: " + ev.Error,
		}
	}
	if i < 0 {
		return
	}
	d := e.deliveries[i]
	e.deliveries = slices.Delete(e.deliveries, i, i+1)
	if ev.Error == "" && !f.terminating && e.state == ExecutorRunning {
		c.delivered(f, e, d)
	}
}

// delivered sends the tasks that are still wanted.
func (c *Core) delivered(f *framework, e *executor, d *delivery) {
	launch := func(task *mesospb.TaskInfo) {
		id := task.GetTaskId().GetValue()
		e.dequeue(id)
		e.launched.put(id, newTask(task, mesospb.TaskState_TASK_STAGING, f.id))
	}
	for _, task := range d.tasks {
		id := task.GetTaskId().GetValue()
		if !e.queued.has(id) {
			continue // killed meanwhile
		}
		launch(task)
		c.note("Sending queued task to executor", "task", id, "executor", e.run.Executor, "framework", f.id)
		event := eventOf(executorpb.Event_LAUNCH)
		event.Launch = &executorpb.Event_Launch{Task: task}
		c.send(f, e, event)
	}
	for _, group := range d.groups {
		if !slices.ContainsFunc(group.GetTasks(), func(t *mesospb.TaskInfo) bool {
			return e.queued.has(t.GetTaskId().GetValue())
		}) {
			continue
		}
		for _, task := range group.GetTasks() {
			launch(task)
		}
		event := eventOf(executorpb.Event_LAUNCH_GROUP)
		event.LaunchGroup = &executorpb.Event_LaunchGroup{TaskGroup: group}
		c.send(f, e, event)
	}
}
