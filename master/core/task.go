package core

import (
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// taskKey names a task: task ids are unique within a framework only.
type taskKey struct{ framework, task string }

// Task is one task the master knows of.
type Task struct {
	ID string
	// Proto is the task as APIs show it. Status changes replace it.
	Proto *mesospb.Task
	// Framework and Agent are never nil while the task is in a framework's or an
	// agent's Tasks.
	Framework *Framework
	Agent     *Agent
	// Resources are those of Proto, with their role of allocation.
	Resources resources.Resources
}

// State is the newest state the master knows, ahead of what the framework has seen.
func (t *Task) State() mesospb.TaskState { return t.Proto.GetState() }

// holds says whether the task's resources are still taken.
func (t *Task) holds() bool {
	return !Terminal(t.State()) && t.State() != mesospb.TaskState_TASK_UNREACHABLE
}

// Terminal says whether a task in state s is over for good.
func Terminal(s mesospb.TaskState) bool {
	switch s {
	case mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_FAILED,
		mesospb.TaskState_TASK_KILLED, mesospb.TaskState_TASK_ERROR,
		mesospb.TaskState_TASK_LOST, mesospb.TaskState_TASK_DROPPED,
		mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

// Executor is one executor that a framework started, or is starting, on an agent.
// The executors that agents make for command tasks are not known to the master.
type Executor struct {
	ID        string
	Info      *mesospb.ExecutorInfo
	Framework string
	Agent     *Agent
	Resources resources.Resources
}

// Offer is one offer that is out: resources of one agent, for one role of one
// framework.
type Offer struct {
	ID string
	// Proto is the offer as it was sent, except that its resources are in the form
	// with stacked reservations and always carry their role of allocation.
	Proto     *mesospb.Offer
	Framework *Framework
	Agent     *Agent
	Role      string
	Resources resources.Resources

	timer *timer
}

// Operation is one offer operation, or operator's operation, that an agent was
// asked to carry out and that is not settled yet.
type Operation struct {
	// UUID is the master's own name for the operation, as text.
	UUID  string
	Proto *mesospb.Operation
	// Framework is the framework id, empty for an operator's operation.
	Framework string
	Agent     *Agent
}
