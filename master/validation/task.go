package validation

import (
	"errors"
	"fmt"
	"math"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Launch is what a task or task group is measured against.
type Launch struct {
	// Framework and Agent are the ids of who launches and where.
	Framework, Agent string
	// Limits says that the agent can hold tasks to resource limits.
	Limits bool
	// Taken and Unreachable say that the framework has a task of that id, or had one
	// on an agent that is unreachable.
	Taken, Unreachable func(task string) bool
	// Executor is the framework's executor of that id on the agent, or nil.
	Executor func(id string) *mesospb.ExecutorInfo
	// OnExecutor are the containers of the framework's tasks under an executor on the
	// agent; an element is nil for a task without container.
	OnExecutor func(id string) []*mesospb.ContainerInfo
	// Available is what is left of the offers.
	Available resources.Resources
}

// Task checks a task of a LAUNCH operation.
func (l *Launch) Task(t *mesospb.TaskInfo) error {
	if err := l.task(t); err != nil {
		return err
	}
	if err := l.taskExecutor(t); err != nil {
		return err
	}
	if !sharesCgroups(t.GetContainer()) {
		return errors.New("Only tasks in a task group may have 'share_cgroups' set to 'false'")
	}
	return nil
}

// task checks what LAUNCH and LAUNCH_GROUP have in common.
func (l *Launch) task(t *mesospb.TaskInfo) error {
	id := t.GetTaskId().GetValue()
	if err := ids.Validate(id); err != nil {
		return err
	}
	if l.Taken(id) {
		return fmt.Errorf("Task has duplicate ID: %s", id)
	}
	if l.Unreachable(id) {
		return fmt.Errorf("Task reuses the ID of an unreachable task: %s", id)
	}
	if agent := t.GetAgentId().GetValue(); agent != l.Agent {
		return fmt.Errorf("Task uses invalid agent %s while agent %s is expected", agent, l.Agent)
	}
	if t.GetKillPolicy().GetGracePeriod().GetNanoseconds() < 0 {
		return errors.New("Task's 'kill_policy.grace_period' must be non-negative")
	}
	if t.GetMaxCompletionTime().GetNanoseconds() < 0 {
		return errors.New("Task's `max_completion_time` must be non-negative")
	}
	if t.Check != nil {
		if err := CheckInfo(t.Check); err != nil {
			return wrap("Task uses invalid check: ", err)
		}
	}
	if t.HealthCheck != nil {
		if err := HealthCheck(t.HealthCheck); err != nil {
			return wrap("Task uses invalid health check: ", err)
		}
	}
	if err := taskResources(t); err != nil {
		return err
	}
	if t.Command != nil {
		if err := CommandInfo(t.Command); err != nil {
			return wrap("Task's `CommandInfo` is invalid: ", err)
		}
	}
	if t.Container != nil {
		if err := ContainerInfo(t.Container); err != nil {
			return wrap("Task's `ContainerInfo` is invalid: ", err)
		}
	}
	return l.limits(t)
}

func taskResources(t *mesospb.TaskInfo) error {
	if len(t.GetResources()) == 0 {
		return errors.New("Task uses no resources")
	}
	if err := Resources(t.GetResources()); err != nil {
		return wrap("Task uses invalid resources: ", err)
	}
	rs := resources.New(t.GetResources()...)
	if err := uniquePersistence(rs); err != nil {
		return wrap("Task uses duplicate persistence ID: ", err)
	}
	if err := allocatedToOneRole(rs); err != nil {
		return wrap("Invalid task resources: ", err)
	}
	return wrap("Task mixes revocable and non-revocable resources: ", notMixedRevocable(rs))
}

func (l *Launch) limits(t *mesospb.TaskInfo) error {
	limits := t.GetLimits()
	if len(limits) == 0 {
		return nil
	}
	if !l.Limits {
		return errors.New("Agent is not capable of handling task resource limits")
	}
	cpus, mem := limits["cpus"], limits["mem"]
	for name := range limits {
		if name != "cpus" && name != "mem" {
			return errors.New("Only cpus and mem may be included in a task's resource limits")
		}
	}
	rs := resources.New(t.GetResources()...)
	if cpus != nil {
		request, ok := rs.Scalar("cpus")
		if !ok {
			return errors.New("When a CPU limit is specified, a CPU request must also be specified")
		}
		if cpus.GetValue() < request.Float() {
			return errors.New("The cpu limit must be greater than or equal to the cpu request")
		}
	}
	if mem != nil {
		request, ok := rs.Scalar("mem")
		if !ok {
			return errors.New("When a memory limit is specified, a memory request must also be specified")
		}
		if v := mem.GetValue(); !math.IsInf(v, 0) && v < request.Float() {
			return errors.New("The memory limit must be greater than or equal to the memory request")
		}
	}
	return nil
}

// taskExecutor checks who runs the task, and that there is enough for both.
func (l *Launch) taskExecutor(t *mesospb.TaskInfo) error {
	e := t.Executor
	if (e != nil) == (t.Command != nil) {
		return errors.New("Task should have at least one (but not both) of CommandInfo or ExecutorInfo present")
	}
	own := resources.New(t.GetResources()...)
	total, both := own, own
	if e != nil {
		if err := l.executorFor(e); err != nil {
			return err
		}
		if e.Type != nil && e.GetType() != mesospb.ExecutorInfo_CUSTOM {
			return errors.New("'ExecutorInfo.type' must be 'CUSTOM'")
		}
		if e.Command == nil {
			return errors.New("'ExecutorInfo.command' must be set")
		}
		its := resources.New(e.GetResources()...)
		if !its.Shared().Empty() {
			return fmt.Errorf("Executor resources %s should not contain any shared resources", its)
		}
		if asksToShareCgroups(e.Container) {
			return errors.New("The 'share_cgroups' field cannot be set to 'true' on executor containers")
		}
		both = own.Add(its)
		if l.Executor(e.GetExecutorId().GetValue()) == nil {
			total = both
		}
		if overlap(own, its) {
			return fmt.Errorf("There are overlapping resources in the task resources %s and executor resources %s", own, its)
		}
	}
	if err := uniquePersistence(both); err != nil {
		return wrap("Task and its executor use duplicate persistence ID: ", err)
	}
	if err := notMixedRevocable(both); err != nil {
		return wrap("Task and its executor mix revocable and non-revocable resources: ", err)
	}
	if !l.Available.Contains(total) {
		return fmt.Errorf("Total resources %s required by task and its executor is more than available %s", total, l.Available)
	}
	return nil
}
