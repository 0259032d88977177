package instance

import (
	"math"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/id"
	"stoa/marathon/timestamp"

	"google.golang.org/protobuf/proto"
)

// MaxStatusMessage is how much of a status message is kept, in characters.
const MaxStatusMessage = 10000

// Effect says what a change did to an instance.
type Effect int

const (
	// Noop: nothing changed that anyone has to know or store.
	Noop Effect = iota
	// Changed: the new value replaces the old one.
	Changed
	// Expunged: the instance is gone; the value is its last state, for the events.
	Expunged
)

// Outcome is the result of a change.
type Outcome struct {
	Effect   Effect
	Instance *Instance
	// StateChanged says that the condition or the goal is another one than before.
	StateChanged bool
	// HealthChanged says that the health that Mesos reports is another one than before.
	HealthChanged bool
	// Task is the task that a status update changed; nil for other changes.
	Task *Task
}

// NewScheduled makes an instance that waits for its first offer.
func NewScheduled(instanceID string, appID id.Path, role string, version timestamp.Timestamp, now time.Time) *Instance {
	return &Instance{
		ID: instanceID, AppID: appID, Role: role, Version: version,
		State: State{Condition: Scheduled, Since: now, Goal: GoalRunning},
	}
}

// Provision turns a scheduled instance into one whose launch has been decided: it
// has an agent and a new task, and takes on the version it is launched with.
func (i *Instance) Provision(agent *AgentInfo, task Task, now time.Time) *Instance {
	next := *i
	next.Agent = agent
	next.Version = task.Version
	next.State = State{Condition: Provisioned, Since: now, Goal: i.State.Goal}
	next.Tasks = []Task{task}
	return &next
}

// SetGoal changes what the instance is meant to become. A decommissioned instance
// stays so. When nothing of the instance is alive, decommissioning expunges it.
// Original: InstanceUpdater.changeGoal.
func (i *Instance) SetGoal(goal Goal) Outcome {
	if i.State.Goal == goal || i.State.Goal == GoalDecommissioned {
		return Outcome{Effect: Noop, Instance: i}
	}
	next := *i
	next.State.Goal = goal
	out := Outcome{Effect: Changed, Instance: &next, StateChanged: true}
	if next.finished() {
		out.Effect = Expunged
	}
	return out
}

// Reschedule makes a stopped instance wait for an offer again, with a new version.
func (i *Instance) Reschedule(version timestamp.Timestamp, now time.Time) *Instance {
	next := *i
	next.Version = version
	next.State = State{Condition: Scheduled, Since: now, Goal: GoalRunning}
	return &next
}

// Expunge gives the last state of an instance that is to be forgotten whatever its
// task does.
func (i *Instance) Expunge() Outcome {
	next := *i
	next.State.Condition = Killed
	return Outcome{Effect: Expunged, Instance: &next, StateChanged: true}
}

// finished says that nothing of a decommissioned instance is left to wait for.
func (i *Instance) finished() bool {
	if i.State.Goal != GoalDecommissioned {
		return false
	}
	for n := range i.Tasks {
		if !i.Tasks[n].Condition.Terminal() {
			return false
		}
	}
	return true
}

// Update applies a status update to the task it names; a status for another task
// than those of the instance is a Noop, the caller decides what to do about it.
// Original: Task.update and InstanceUpdater.mesosUpdate.
func (i *Instance) Update(status *mesospb.TaskStatus, strategy app.UnreachableStrategy, now time.Time) Outcome {
	old := i.TaskByID(status.GetTaskId().GetValue())
	if old == nil {
		return Outcome{Effect: Noop, Instance: i}
	}
	condition := ConditionOf(status)
	task, changed := old.update(condition, status, now)
	if !changed && (condition != Unreachable || i.State.Condition == UnreachableInactive || old.Condition.Terminal()) {
		return Outcome{Effect: Noop, Instance: i}
	}
	return i.withTask(task, strategy, now)
}

// CheckUnreachable looks at an unreachable instance again as time has passed: it
// may have become inactive, or be old enough to be expunged.
func (i *Instance) CheckUnreachable(strategy app.UnreachableStrategy, now time.Time) Outcome {
	if c := i.State.Condition; c != Unreachable && c != UnreachableInactive || i.Task() == nil {
		return Outcome{Effect: Noop, Instance: i}
	}
	return i.withTask(*i.Task(), strategy, now)
}

// NextUnreachableCheck says when CheckUnreachable will next change something; zero
// when it never will.
func (i *Instance) NextUnreachableCheck(strategy app.UnreachableStrategy) time.Time {
	var next time.Time
	if strategy.Disabled {
		return next
	}
	for n := range i.Tasks {
		t := &i.Tasks[n]
		if t.Condition != Unreachable && t.Condition != UnreachableInactive || t.Status == nil {
			continue
		}
		at := t.unreachableSince().Add(strategy.ExpungeAfter)
		if i.State.Condition == Unreachable {
			at = t.unreachableSince().Add(strategy.InactiveAfter)
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

func (i *Instance) withTask(task Task, strategy app.UnreachableStrategy, now time.Time) Outcome {
	next := *i
	next.Tasks = append([]Task(nil), i.Tasks...)
	for n := range next.Tasks {
		if next.Tasks[n].ID == task.ID {
			next.Tasks[n] = task
		}
	}
	next.State = nextState(i.State, next.Tasks, strategy, now)
	out := Outcome{
		Effect:        Changed,
		Instance:      &next,
		Task:          &task,
		StateChanged:  next.State.Condition != i.State.Condition,
		HealthChanged: !equalHealth(next.State.Healthy, i.State.Healthy),
	}
	switch {
	case !strategy.Disabled && anyUnreachableFor(next.Tasks, strategy.ExpungeAfter, now):
		out.Effect = Expunged
	case next.finished():
		out.Effect = Expunged
	case !out.StateChanged && !out.HealthChanged && sameTask(i.TaskByID(task.ID), &task):
		return Outcome{Effect: Noop, Instance: i}
	}
	return out
}

func sameTask(a, b *Task) bool {
	return a != nil && a.Condition == b.Condition && a.Status == b.Status && a.StartedAt.Equal(b.StartedAt)
}

// update gives the task after a status update, and whether it is another one.
func (t *Task) update(condition Condition, status *mesospb.TaskStatus, now time.Time) (Task, bool) {
	// A terminal task has told its story; what comes later (the master's answer to a
	// kill of a task that ended meanwhile) is less distinct.
	if t.Condition.Terminal() {
		return *t, false
	}
	next := *t
	switch {
	case condition == Running && t.StartedAt.IsZero():
		next.StartedAt = now
		next.Network.IPAddresses = addressesOf(status)
	case condition.Terminal():
	case t.Status != nil && !newsIn(t.Status, status):
		return *t, false
	default:
		next.Network.IPAddresses = addressesOf(status)
	}
	next.Condition = condition
	next.Status = trimmed(status)
	return next, true
}

// newsIn says that an update changes the state, the health or the check result.
func newsIn(current, update *mesospb.TaskStatus) bool {
	if current.GetState() != update.GetState() {
		return true
	}
	if update.Healthy != nil && (current.Healthy == nil || current.GetHealthy() != update.GetHealthy()) {
		return true
	}
	return update.CheckStatus != nil && !proto.Equal(current.CheckStatus, update.CheckStatus)
}

func trimmed(status *mesospb.TaskStatus) *mesospb.TaskStatus {
	message := status.GetMessage()
	if len(message) <= MaxStatusMessage && status.Data == nil {
		return status
	}
	status = proto.Clone(status).(*mesospb.TaskStatus)
	// Executors may send any amount of data; nothing here ever reads it.
	status.Data = nil
	if r := []rune(message); len(r) > MaxStatusMessage {
		status.Message = proto.String(string(r[:MaxStatusMessage]))
	}
	return status
}

func addressesOf(status *mesospb.TaskStatus) []IPAddress {
	var out []IPAddress
	for _, network := range status.GetContainerStatus().GetNetworkInfos() {
		for _, ip := range network.GetIpAddresses() {
			protocol := "IPv4"
			if ip.GetProtocol() == mesospb.NetworkInfo_IPv6 {
				protocol = "IPv6"
			}
			out = append(out, IPAddress{Address: ip.GetIpAddress(), Protocol: protocol})
		}
	}
	return out
}

// rank orders conditions: the instance has the one of its tasks that comes first.
// Original: Instance.InstanceState.conditionHierarchy.
var rank = map[Condition]int{
	Error: 1, Failed: 2, Gone: 3, Dropped: 4, Unreachable: 5, Killing: 6, Starting: 7,
	Staging: 8, Unknown: 9, Provisioned: 10, Running: 11, Finished: 12, Killed: 13,
}

func nextState(old State, tasks []Task, strategy app.UnreachableStrategy, now time.Time) State {
	condition := Unknown
	best := math.MaxInt
	var activeSince time.Time
	for n := range tasks {
		t := &tasks[n]
		if r := rank[t.Condition]; r < best {
			best, condition = r, t.Condition
		}
		if !t.StartedAt.IsZero() && (activeSince.IsZero() || t.StartedAt.Before(activeSince)) {
			activeSince = t.StartedAt
		}
	}
	if condition == Unreachable && !strategy.Disabled && anyUnreachableFor(tasks, strategy.InactiveAfter, now) {
		condition = UnreachableInactive
	}
	healthy := healthOf(tasks)
	if condition == old.Condition && equalHealth(healthy, old.Healthy) {
		return old
	}
	return State{Condition: condition, Since: now, ActiveSince: activeSince, Healthy: healthy, Goal: old.Goal}
}

// healthOf is true when some running task is healthy and none is pending or
// unhealthy, false when one is unhealthy, nil when nothing was reported.
func healthOf(tasks []Task) *bool {
	var found *bool
	for n := range tasks {
		t := &tasks[n]
		running := t.Condition == Running
		reported := running && t.Status != nil && t.Status.Healthy != nil
		switch {
		case reported && !t.Status.GetHealthy():
			return proto.Bool(false)
		case !running && t.Condition != Finished:
			return nil
		case reported:
			found = proto.Bool(true)
		}
	}
	return found
}

func equalHealth(a, b *bool) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

func anyUnreachableFor(tasks []Task, limit time.Duration, now time.Time) bool {
	for n := range tasks {
		t := &tasks[n]
		if (t.Condition == Unreachable || t.Condition == UnreachableInactive) && t.Status != nil &&
			!now.Before(t.unreachableSince().Add(limit)) {
			return true
		}
	}
	return false
}

// unreachableSince prefers the master's word on when the agent was lost.
func (t *Task) unreachableSince() time.Time {
	if u := t.Status.GetUnreachableTime(); u != nil {
		return time.Unix(0, u.GetNanoseconds()).UTC()
	}
	return StatusTime(t.Status)
}

// StatusTime is the time that a status carries.
func StatusTime(status *mesospb.TaskStatus) time.Time {
	return time.UnixMilli(int64(status.GetTimestamp() * 1000)).UTC()
}

// Lost gives the instance as it is once it is known that none of its tasks runs any
// more, without Mesos having said so for each.
func (i *Instance) Lost(now time.Time) *Instance {
	next := *i
	next.Tasks = append([]Task(nil), i.Tasks...)
	for n := range next.Tasks {
		if !next.Tasks[n].Condition.Terminal() {
			next.Tasks[n].Condition = Gone
		}
	}
	next.State = State{Condition: Gone, Since: now, Goal: i.State.Goal}
	return &next
}
