package validation

import (
	"errors"
	"fmt"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Group checks a LAUNCH_GROUP operation. Each of its tasks has its executor filled in.
func (l *Launch) Group(e *mesospb.ExecutorInfo, group *mesospb.TaskGroupInfo) error {
	for _, t := range group.GetTasks() {
		if err := l.groupTask(t); err != nil {
			return fmt.Errorf("Task '%s' is invalid: %w", t.GetTaskId().GetValue(), err)
		}
	}
	return first(
		func() error { return l.groupExecutor(e, group) },
		func() error { return l.groupCgroups(e, group) },
	)
}

func (l *Launch) groupTask(t *mesospb.TaskInfo) error {
	if err := l.task(t); err != nil {
		return err
	}
	if t.Executor == nil {
		return errors.New("'TaskInfo.executor' must be set")
	}
	if c := t.Container; c != nil {
		kind := t.GetHealthCheck().GetType()
		if len(c.GetNetworkInfos()) > 0 && (kind == mesospb.HealthCheck_HTTP || kind == mesospb.HealthCheck_TCP) {
			return errors.New("HTTP and TCP health checks are not supported for nested containers not joining parent's network")
		}
		if c.GetType() == mesospb.ContainerInfo_DOCKER {
			return errors.New("Docker ContainerInfo is not supported on the task")
		}
	}
	if len(t.GetLimits()) > 0 && sharesCgroups(t.Container) {
		return errors.New("Resource limits may only be set for tasks within a task group when the 'share_cgroups' field is set to 'false'.")
	}
	return nil
}

func (l *Launch) groupExecutor(e *mesospb.ExecutorInfo, group *mesospb.TaskGroupInfo) error {
	if err := l.executorFor(e); err != nil {
		return err
	}
	if e.Type == nil {
		return errors.New("'ExecutorInfo.type' must be set")
	}
	if e.GetType() == mesospb.ExecutorInfo_UNKNOWN {
		return errors.New("Unknown executor type")
	}
	if e.Container != nil && e.Container.GetType() == mesospb.ContainerInfo_DOCKER {
		return errors.New("Docker ContainerInfo is not supported on the executor")
	}
	id := e.GetExecutorId().GetValue()
	for _, t := range group.GetTasks() {
		if t.Executor != nil && !SameExecutor(t.Executor, e) {
			return fmt.Errorf("The `ExecutorInfo` of task '%s' is different from executor '%s'", t.GetTaskId().GetValue(), id)
		}
	}
	if err := executorMinimum(e); err != nil {
		return err
	}
	its := resources.New(e.GetResources()...)
	all, tasks := its, resources.Resources{}
	parts := make([]resources.Resources, 0, len(group.GetTasks())+1)
	texts := make([]string, 0, len(group.GetTasks()))
	for _, t := range group.GetTasks() {
		rs := resources.New(t.GetResources()...)
		parts, texts = append(parts, rs), append(texts, rs.String())
		all, tasks = all.Add(rs), tasks.Add(rs)
	}
	if err := uniquePersistence(all); err != nil {
		return wrap("Task group and executor use duplicate persistence ID: ", err)
	}
	if err := notMixedRevocable(all); err != nil {
		return wrap("Task group and executor mix revocable and non-revocable resources: ", err)
	}
	if overlap(append(parts, its)...) {
		return fmt.Errorf("There are overlapping resources in the task group's task resources %s and/or executor resources %s", list(texts), its)
	}
	total := tasks
	if l.Executor(id) == nil {
		total = tasks.Add(its)
	}
	if !l.Available.Contains(total) {
		return fmt.Errorf("Total resources %s required by task group and its executor are more than available %s", total, l.Available)
	}
	if e.Command != nil {
		if err := CommandInfo(e.Command); err != nil {
			return fmt.Errorf("Executor '%s'contains an invalid command: %w", id, err)
		}
	}
	return nil
}

// groupCgroups checks that all tasks under one executor share their cgroups with
// it, or that none does.
func (l *Launch) groupCgroups(e *mesospb.ExecutorInfo, group *mesospb.TaskGroupInfo) error {
	if asksToShareCgroups(e.Container) {
		return errors.New("The 'share_cgroups' field cannot be set to 'true' on executor containers")
	}
	var containers []*mesospb.ContainerInfo
	for _, t := range group.GetTasks() {
		containers = append(containers, t.Container)
	}
	if len(containers) == 0 {
		return nil
	}
	for _, c := range append(containers, l.OnExecutor(e.GetExecutorId().GetValue())...) {
		if sharesCgroups(c) != sharesCgroups(containers[0]) {
			return errors.New("If set, the value of 'share_cgroups' must be the same for all tasks in each task group and under a single executor")
		}
	}
	return nil
}
