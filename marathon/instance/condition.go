package instance

import (
	"strings"

	"stoa/internal/mesos/mesospb"
)

// Condition is the state of a task or of an instance, in Marathon's words.
type Condition string

// The conditions, spelled as events spell them.
const (
	// Scheduled: wants an offer; Mesos knows nothing of it.
	Scheduled Condition = "Scheduled"
	// Provisioned: an offer was accepted for it, no status has come yet.
	Provisioned Condition = "Provisioned"
	Staging     Condition = "Staging"
	Starting    Condition = "Starting"
	Running     Condition = "Running"
	Killing     Condition = "Killing"
	// Unreachable: the agent is cut off; the task may still run.
	Unreachable Condition = "Unreachable"
	// UnreachableInactive: unreachable for so long that a replacement is started.
	UnreachableInactive Condition = "UnreachableInactive"
	Unknown             Condition = "Unknown"
	Dropped             Condition = "Dropped"
	Error               Condition = "Error"
	Failed              Condition = "Failed"
	Finished            Condition = "Finished"
	Killed              Condition = "Killed"
	Gone                Condition = "Gone"
)

// Terminal says that a task in this condition will never run again.
func (c Condition) Terminal() bool {
	switch c {
	case Error, Failed, Finished, Killed, Gone, Dropped, Unknown:
		return true
	}
	return false
}

// Active says that there is, or may be, a live task.
func (c Condition) Active() bool {
	switch c {
	case Provisioned, Staging, Starting, Running, Unreachable, Killing:
		return true
	}
	return false
}

// Lost says that nobody can tell where the task is; lost instances do not count
// for placement constraints.
func (c Condition) Lost() bool {
	switch c {
	case Unreachable, Unknown, Dropped, Gone:
		return true
	}
	return false
}

// ConsideredTerminal is the wider notion that deployments use: they do not wait for
// instances that cannot be reached.
func (c Condition) ConsideredTerminal() bool {
	return c.Terminal() || c == Unreachable || c == UnreachableInactive
}

// CausesDelay says that ending in this condition raises the launch delay of the app.
// A task that finished by itself with exit code 0 does, one that was killed does not.
func (c Condition) CausesDelay() bool {
	switch c {
	case Dropped, Error, Failed, Gone, Finished:
		return true
	}
	return false
}

// ConditionOf translates a Mesos status. TASK_LOST, which masters send to
// frameworks without PARTITION_AWARE, is translated by its reason.
// Original: core/task/TaskCondition.scala.
func ConditionOf(status *mesospb.TaskStatus) Condition {
	switch status.GetState() {
	case mesospb.TaskState_TASK_ERROR:
		return Error
	case mesospb.TaskState_TASK_FAILED:
		return Failed
	case mesospb.TaskState_TASK_FINISHED:
		return Finished
	case mesospb.TaskState_TASK_KILLED:
		return Killed
	case mesospb.TaskState_TASK_KILLING:
		return Killing
	case mesospb.TaskState_TASK_RUNNING:
		return Running
	case mesospb.TaskState_TASK_STARTING:
		return Starting
	case mesospb.TaskState_TASK_DROPPED:
		return Dropped
	case mesospb.TaskState_TASK_GONE, mesospb.TaskState_TASK_GONE_BY_OPERATOR:
		return Gone
	case mesospb.TaskState_TASK_UNKNOWN:
		return Unknown
	case mesospb.TaskState_TASK_UNREACHABLE:
		return Unreachable
	case mesospb.TaskState_TASK_LOST:
		return conditionOfLost(status)
	default:
		return Staging
	}
}

func conditionOfLost(status *mesospb.TaskStatus) Condition {
	// The master's reconciliation answer for a task it has never heard of.
	if strings.HasPrefix(status.GetMessage(), "Reconciliation: Task is unknown to the") {
		return Unknown
	}
	switch status.GetReason() {
	case mesospb.TaskStatus_REASON_TASK_UNKNOWN:
		return Unknown
	case mesospb.TaskStatus_REASON_RECONCILIATION,
		mesospb.TaskStatus_REASON_AGENT_DISCONNECTED,
		mesospb.TaskStatus_REASON_AGENT_REMOVED:
		return Unreachable
	default:
		return Gone
	}
}
