// Package instance is what Marathon knows about one running copy of an app: where
// it was placed, what its task reported last, and what it is meant to become.
//
// Comes in: an instance, a status update or a decision, and the time. Goes out: the
// changed instance and what the change means (keep, expunge, nothing). It never
// talks to Mesos, never stores anything and never looks at a clock.
//
// An *Instance is immutable once it has been handed out: every change makes a copy,
// so that snapshots can share instances without a lock.
package instance

import (
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"
)

// Goal is what an instance is meant to become. It never returns from Decommissioned.
type Goal string

// The goals, spelled as the API and the events spell them.
const (
	// GoalRunning: the instance is kept alive; when its task ends, the next
	// incarnation is launched.
	GoalRunning Goal = "Running"
	// GoalStopped: the task is stopped but the instance is remembered.
	GoalStopped Goal = "Stopped"
	// GoalDecommissioned: the instance is removed for good once its task has ended.
	GoalDecommissioned Goal = "Decommissioned"
)

// AgentInfo is the agent that an instance was placed on, as its offer described it.
type AgentInfo struct {
	Host    string
	AgentID string
	// Region and Zone come from the offer's fault domain; empty when it had none.
	Region     string
	Zone       string
	Attributes []*mesospb.Attribute
}

// State is the condition of the instance as a whole.
type State struct {
	Condition Condition
	// Since is when Condition (or Healthy) last changed.
	Since time.Time
	// ActiveSince is when the first task started to run; zero before that.
	ActiveSince time.Time
	// Healthy is what Mesos reported about the tasks' health; nil when it said nothing.
	// Results of checks that Marathon performs itself are kept elsewhere.
	Healthy *bool
	Goal    Goal
}

// NetworkInfo is where a task can be reached.
type NetworkInfo struct {
	HostName string
	// HostPorts are the ports taken from the offer, in the order of the definition's
	// ports; entries without a host port have no place in it.
	HostPorts []int
	// IPAddresses are those that the task's last status reported.
	IPAddresses []IPAddress
}

// IPAddress is one address of a task; Protocol is IPv4 or IPv6.
type IPAddress struct {
	Address  string
	Protocol string
}

// Task is one incarnation of an instance's container as Mesos knows it.
type Task struct {
	ID string
	// Version is the version of the app definition that the task was launched with.
	Version   timestamp.Timestamp
	Condition Condition
	// StagedAt is when the launch was decided, StartedAt when it first ran (else zero).
	StagedAt  time.Time
	StartedAt time.Time
	// Status is the last status update that changed something; nil before the first.
	Status  *mesospb.TaskStatus
	Network NetworkInfo
}

// Instance is one copy of an app.
type Instance struct {
	// ID is <safe app id>.instance-<uuid>.
	ID    string
	AppID id.Path
	// Version is the version of the app definition that the instance was last
	// scheduled or launched with.
	Version timestamp.Timestamp
	// Role is the Mesos role that its resources come from.
	Role  string
	State State
	// Agent is nil until the instance has been placed once.
	Agent *AgentInfo
	// Tasks has one entry per container: exactly one for an app that has been
	// launched, none before.
	Tasks []Task
}

// Task returns the first task, which for an app is the only one, or nil before the
// first launch.
func (i *Instance) Task() *Task {
	if len(i.Tasks) == 0 {
		return nil
	}
	return &i.Tasks[0]
}

// TaskByID returns the task with this id, or nil.
func (i *Instance) TaskByID(id string) *Task {
	for n := range i.Tasks {
		if i.Tasks[n].ID == id {
			return &i.Tasks[n]
		}
	}
	return nil
}

// Scheduled says that the instance wants to be launched: it is meant to run and no
// task of it is alive. An unreachable one is not scheduled; it gets a replacement.
func (i *Instance) Scheduled() bool {
	return i.State.Goal == GoalRunning && (i.State.Condition == Scheduled || i.State.Condition.Terminal())
}

// Active says that the instance has a live task as far as anyone knows.
func (i *Instance) Active() bool { return i.State.Condition.Active() }

// Hostname returns the agent's host, or "" when the instance was never placed.
func (i *Instance) Hostname() string {
	if i.Agent == nil {
		return ""
	}
	return i.Agent.Host
}

// MesosState is the task state that the API shows for a condition: conditions that
// Mesos does not have (Scheduled, Provisioned) are shown as TASK_STAGING.
func (c Condition) MesosState() string {
	switch c {
	case Error:
		return "TASK_ERROR"
	case Failed:
		return "TASK_FAILED"
	case Finished:
		return "TASK_FINISHED"
	case Killed:
		return "TASK_KILLED"
	case Killing:
		return "TASK_KILLING"
	case Running:
		return "TASK_RUNNING"
	case Starting:
		return "TASK_STARTING"
	case Unreachable, UnreachableInactive:
		return "TASK_UNREACHABLE"
	case Gone:
		return "TASK_GONE"
	case Dropped:
		return "TASK_DROPPED"
	case Unknown:
		return "TASK_UNKNOWN"
	default:
		return "TASK_STAGING"
	}
}
