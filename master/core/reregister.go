package core

import (
	"cmp"
	"fmt"
	"slices"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/validation"

	"google.golang.org/protobuf/proto"
)

// reregister takes an agent back that has an id: one that is registered here, one
// of the registry, one that was unreachable, or one nobody remembers.
func (c *Core) reregister(from, ip, principal string, m *internalpb.ReregisterSlaveMessage) {
	info := m.GetSlave()
	id := info.GetId().GetValue()
	log := c.log.With("agent", id, "agent_pid", from, "hostname", info.GetHostname())
	if err := validateReregister(m); err != nil {
		log.Warn("agent re-registration ignored: it is not valid", "error", err)
		return
	}
	if _, busy := c.reregistering[id]; busy {
		log.Info("agent re-registration ignored: one is in progress")
		return
	}
	if _, busy := c.leaving[id]; busy {
		log.Info("agent re-registration ignored: it is being marked unreachable or removed")
		return
	}
	if c.maintenance.down(machineAt(info.GetHostname(), ip)) {
		log.Warn("agent re-registration refused: its machine is down for maintenance")
		c.shutdownAgent(from, machineDown)
		return
	}
	if c.gone[id] != nil {
		log.Warn("agent re-registration refused: it was marked gone")
		c.shutdownAgent(from, goneText)
		return
	}
	if err := c.admissible(info, m.GetVersion()); err != nil {
		log.Warn("agent re-registration ignored", "error", err)
		return
	}
	resources.UpgradeAll(m)
	if err := c.unauthorizedAgent(principal, "reregister", info); err != nil {
		log.Warn("agent re-registration refused", "error", err)
		return
	}
	if a := c.registered[id]; a != nil {
		if a.IP != ip || a.Hostname() != info.GetHostname() {
			log.Warn("agent re-registration refused: another machine has this id", "expected_ip", a.IP, "expected_hostname", a.Hostname())
			c.shutdownAgent(from, "Agent attempted to reregister with different IP / hostname")
			return
		}
		c.readmit(id, proto.Equal(a.Info, info), c.ledger.admit(info), func() { c.returned(from, m) })
		return
	}
	if r := c.recovered[id]; r != nil {
		c.readmit(id, proto.Equal(r.Info, info), c.ledger.admit(info), func() { c.cameBack(from, ip, m) })
		return
	}
	c.readmit(id, false, c.ledger.admit(info), func() { c.cameBack(from, ip, m) }, DropUnreachable{id})
}

// readmit goes on with then, after a registry write unless nothing changed.
func (c *Core) readmit(id string, unchanged bool, put PutAgent, then func(), more ...Change) {
	if unchanged {
		then()
		return
	}
	c.reregistering[id] = struct{}{}
	c.store(func() {
		delete(c.reregistering, id)
		then()
	}, append([]Change{put}, more...)...)
}

func (c *Core) shutdownAgent(pid, why string) {
	c.send(pid, &internalpb.ShutdownMessage{Message: &why})
}

// returned goes on with the re-registration of an agent that is registered here.
func (c *Core) returned(from string, m *internalpb.ReregisterSlaveMessage) {
	info := m.GetSlave()
	a := c.registered[info.GetId().GetValue()]
	if a == nil {
		return // it became unreachable while the registry was written
	}
	capabilities := agentCapabilities(m.GetAgentCapabilities())
	checkpointed := a.Checkpointed
	if a.Capabilities.ResourceProvider {
		checkpointed = resources.New(m.GetCheckpointedResources()...)
	}
	total, err := resources.New(info.GetResources()...).ApplyCheckpointed(checkpointed)
	if err != nil {
		c.log.Warn("agent re-registration refused: its checkpointed resources do not fit its resources", "agent", a.ID, "error", err)
		c.shutdownAgent(from, err.Error())
		return
	}
	if a.PID != from {
		delete(c.byPID, a.PID)
		a.PID = from
		c.byPID[from] = a
	}
	c.effect(Link{To: from})
	a.Info, a.Version = info, m.GetVersion()
	a.Capabilities, a.CapabilityList = capabilities, m.GetAgentCapabilities()
	a.Checkpointed = checkpointed
	a.Total = total.Add(a.Oversubscribed)
	a.ResourceVersion = m.GetResourceVersionUuid()
	a.Reregistered = c.now
	c.alloc.UpdateAgent(a.ID, allocatorAgent(a), a.Total)
	c.reconcileAgent(a, m)
	if !a.Connected {
		c.timers.stop(a.reregisterTimer)
		a.Connected = true
		if !a.Deactivated {
			a.Active = true
			c.alloc.ActivateAgent(a.ID)
		}
	}
	c.touch(nil, a)
	c.sendDrain(a)
	c.tellFrameworks(a, m.GetFrameworks(), nil)
	if !a.Capabilities.ResourceProvider {
		c.sendAgent(a, &internalpb.CheckpointResourcesMessage{Resources: a.Checkpointed.Proto()})
	}
	c.log.Info("agent re-registered", "agent", a.ID, "agent_pid", a.PID)
}

// reconcileAgent compares what is known of an agent with what it reports, and
// tells it that it is back, with the tasks that it did not name.
func (c *Core) reconcileAgent(a *Agent, m *internalpb.ReregisterSlaveMessage) {
	reported := make(map[taskKey]bool, len(m.GetTasks()))
	for _, t := range m.GetTasks() {
		reported[taskKey{t.GetFrameworkId().GetValue(), t.GetTaskId().GetValue()}] = true
	}
	answer := &internalpb.SlaveReregisteredMessage{SlaveId: a.Info.Id, Connection: c.connection()}
	for _, framework := range sortedKeys(a.Tasks) {
		f := c.known[framework]
		if f == nil {
			continue
		}
		unknown := &internalpb.ReconcileTasksMessage{FrameworkId: f.Info.Id, Framework: f.Info}
		for _, id := range sortedKeys(a.Tasks[framework]) {
			if reported[taskKey{framework, id}] {
				continue
			}
			t := a.Tasks[framework][id]
			state := t.State()
			if t.Proto.StatusUpdateState != nil {
				state = t.Proto.GetStatusUpdateState()
			}
			c.log.Warn("agent does not know a task, asking it", "agent", a.ID, "framework", framework, "task", id)
			unknown.Statuses = append(unknown.Statuses, &mesospb.TaskStatus{
				TaskId:    t.Proto.TaskId,
				AgentId:   a.Info.Id,
				State:     state.Enum(),
				Source:    mesospb.TaskStatus_SOURCE_MASTER.Enum(),
				Message:   proto.String("Reconciliation request"),
				Reason:    mesospb.TaskStatus_REASON_RECONCILIATION.Enum(),
				Timestamp: proto.Float64(seconds(c.now)),
			})
		}
		if len(unknown.Statuses) > 0 {
			answer.Reconciliations = append(answer.Reconciliations, unknown)
		}
	}
	c.send(a.PID, answer)

	executors := make(map[taskKey]bool)
	for _, e := range m.GetExecutorInfos() {
		executors[taskKey{e.GetFrameworkId().GetValue(), e.GetExecutorId().GetValue()}] = true
	}
	for framework, list := range a.Executors {
		for id, e := range list {
			if !executors[taskKey{framework, id}] {
				c.removeExecutor(e)
			}
		}
	}
	completed := make(map[string]bool)
	for _, t := range m.GetTasks() {
		key := taskKey{t.GetFrameworkId().GetValue(), t.GetTaskId().GetValue()}
		if _, killed := a.killed[key]; killed && !Terminal(t.GetState()) {
			c.send(a.PID, &internalpb.KillTaskMessage{FrameworkId: t.FrameworkId, TaskId: t.TaskId})
		}
		completed[key.framework] = completed[key.framework] || c.completedFramework(key.framework) != nil
	}
	for _, framework := range sortedKeys(completed) {
		if completed[framework] {
			c.send(a.PID, &internalpb.ShutdownFrameworkMessage{FrameworkId: &mesospb.FrameworkID{Value: &framework}})
		}
	}
}

// cameBack goes on with the re-registration of an agent that is not registered
// here: it is made known with everything it reports.
func (c *Core) cameBack(from, ip string, m *internalpb.ReregisterSlaveMessage) {
	info := m.GetSlave()
	id := info.GetId().GetValue()
	if c.gone[id] != nil {
		c.shutdownAgent(from, goneText)
		return
	}
	if _, here := c.registered[id]; here {
		return
	}
	if old := c.byPID[from]; old != nil {
		// An agent with another id answers at this address now.
		delete(c.byPID, from)
	}
	drain, deactivated := c.standing(id)
	a, err := c.newAgent(from, ip, info, m.GetVersion(), m.GetAgentCapabilities(), m.GetCheckpointedResources(), m.GetResourceVersionUuid())
	if err != nil {
		c.log.Warn("agent re-registration refused: its checkpointed resources do not fit its resources", "agent", id, "error", err)
		c.shutdownAgent(from, err.Error())
		return
	}
	a.Reregistered = c.now
	a.Drain, a.Deactivated = drain, deactivated
	if !a.Capabilities.MultiRole {
		injectRoles(m)
	}
	recovered := c.recovered[id] != nil
	message := "Unknown agent reregistered"
	if c.unreachable[id] != nil {
		message = "Unreachable agent re-reregistered"
	}
	if !recovered {
		c.forgetUnreachableTasks(id)
	}
	delete(c.recovered, id)
	delete(c.unreachable, id)
	c.removed.remove(id)

	// Frameworks that only this agent knows come first: its tasks belong to them.
	fresh := make(map[string]bool)
	for _, one := range m.GetFrameworks() {
		framework := one.GetId().GetValue()
		if c.known[framework] == nil && c.completedFramework(framework) == nil {
			c.recoverFramework(one)
			fresh[framework] = true
		}
	}
	for _, e := range m.GetExecutorInfos() {
		if f := c.known[e.GetFrameworkId().GetValue()]; f != nil {
			c.addExecutor(f, a, e)
		}
	}
	for _, t := range m.GetTasks() {
		f := c.known[t.GetFrameworkId().GetValue()]
		if f == nil {
			continue // of a completed framework; it is told to stop below
		}
		if !recovered {
			f.Unreachable.remove(t.GetTaskId().GetValue())
			f.CompletedTasks.remove(t.GetTaskId().GetValue())
			c.reportReturn(f, t, message)
		}
		c.addReportedTask(f, a, t)
	}
	c.count("slave_reregistrations")
	c.addAgent(a)
	for _, archived := range m.GetCompletedFrameworks() {
		if f := c.known[archived.GetFrameworkInfo().GetId().GetValue()]; f != nil {
			for _, t := range archived.GetTasks() {
				f.CompletedTasks.add(t)
			}
			c.touch(f, nil)
		}
	}
	c.sendDrain(a)
	c.send(a.PID, &internalpb.SlaveReregisteredMessage{SlaveId: info.Id, Connection: c.connection()})
	c.log.Info("agent re-registered", "agent", a.ID, "agent_pid", a.PID, "hostname", a.Hostname(), "known_from_registry", recovered)
	for _, one := range m.GetFrameworks() {
		if c.completedFramework(one.GetId().GetValue()) != nil {
			c.send(a.PID, &internalpb.ShutdownFrameworkMessage{FrameworkId: one.Id})
		}
	}
	c.tellFrameworks(a, m.GetFrameworks(), fresh)
}

// reportReturn tells a framework that a task it thought out of reach is there.
func (c *Core) reportReturn(f *Framework, t *mesospb.Task, message string) {
	status := c.masterStatus(t.TaskId, t.AgentId, t.GetState(), mesospb.TaskStatus_REASON_AGENT_REREGISTERED, message)
	status.ExecutorId = t.ExecutorId
	copyHealth(status, t)
	c.emitStatus(f, status)
}

// tellFrameworks renews what an agent knows of the frameworks it named. It makes
// the agent send the status updates again that wait for an acknowledgement. Those
// learnt from this very agent (fresh) need no telling.
func (c *Core) tellFrameworks(a *Agent, infos []*mesospb.FrameworkInfo, fresh map[string]bool) {
	for _, info := range infos {
		id := info.GetId().GetValue()
		switch f := c.known[id]; {
		case f == nil && c.completedFramework(id) == nil:
			c.recoverFramework(info)
		case f != nil && !fresh[id]:
			c.sendFramework(a, f)
		}
	}
}

func (c *Core) sendFramework(a *Agent, f *Framework) {
	c.send(a.PID, &internalpb.UpdateFrameworkMessage{
		FrameworkId:   f.Info.Id,
		Pid:           f.pid(),
		FrameworkInfo: f.Info,
	})
}

func (c *Core) sendDrain(a *Agent) {
	if a.Drain == nil {
		return
	}
	// Also when it is drained: the agent knows what to make of it.
	c.send(a.PID, &internalpb.DrainSlaveMessage{Config: a.Drain.Config})
	if !a.Capabilities.ResourceProvider {
		// Others tell of their operations later, in their first UpdateSlaveMessage.
		c.checkDrained(a)
	}
}

// injectRoles fills in the role of allocation that agents without MULTI_ROLE do
// not keep: the one role of the framework.
func injectRoles(m *internalpb.ReregisterSlaveMessage) {
	roles := make(map[string]string)
	for _, info := range m.GetFrameworks() {
		if list := frameworkRoles(info); len(list) == 1 {
			roles[info.GetId().GetValue()] = list[0]
		}
	}
	for _, t := range m.GetTasks() {
		injectRole(t.GetResources(), roles[t.GetFrameworkId().GetValue()])
	}
	for _, e := range m.GetExecutorInfos() {
		injectRole(e.GetResources(), roles[e.GetFrameworkId().GetValue()])
	}
}

// injectRole sets the role of allocation where there is none.
func injectRole(list []*mesospb.Resource, role string) {
	for _, r := range list {
		if r.AllocationInfo == nil && role != "" {
			r.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: &role}
		}
	}
}

func validateReregister(m *internalpb.ReregisterSlaveMessage) error {
	info := m.GetSlave()
	if err := validateAgentInfo(info); err != nil {
		return err
	}
	if info.Id == nil {
		return fmt.Errorf("the agent has no id")
	}
	if err := resources.ValidateAll(m.GetCheckpointedResources()); err != nil {
		return err
	}
	frameworks := make(map[string]bool)
	for _, f := range m.GetFrameworks() {
		if err := validation.FrameworkInfo(f); err != nil {
			return err
		}
		id := f.GetId().GetValue()
		if frameworks[id] {
			return fmt.Errorf("Framework has a duplicate FrameworkID: '%s'", id)
		}
		frameworks[id] = true
	}
	executors := make(map[taskKey]bool)
	for _, e := range m.GetExecutorInfos() {
		if err := validation.Executor(e); err != nil {
			return err
		}
		if err := resources.ValidateAll(e.GetResources()); err != nil {
			return err
		}
		key := taskKey{e.GetFrameworkId().GetValue(), e.GetExecutorId().GetValue()}
		if !frameworks[key.framework] {
			return fmt.Errorf("Executor has an invalid FrameworkID '%s'", key.framework)
		}
		if executors[key] {
			return fmt.Errorf("Framework '%s' has a duplicate ExecutorID '%s'", key.framework, key.task)
		}
		executors[key] = true
	}
	for _, t := range m.GetTasks() {
		if err := ids.Validate(t.GetTaskId().GetValue()); err != nil {
			return fmt.Errorf("Task has an invalid TaskID: %w", err)
		}
		if t.GetAgentId().GetValue() != info.GetId().GetValue() {
			return fmt.Errorf("Task has an invalid SlaveID '%s'", t.GetAgentId().GetValue())
		}
		framework := t.GetFrameworkId().GetValue()
		if !frameworks[framework] {
			return fmt.Errorf("Task has an invalid FrameworkID '%s'", framework)
		}
		if t.ExecutorId != nil && t.GetState() == mesospb.TaskState_TASK_RUNNING && !executors[taskKey{framework, t.GetExecutorId().GetValue()}] {
			return fmt.Errorf("Task has an invalid ExecutorID '%s'", t.GetExecutorId().GetValue())
		}
		if err := resources.ValidateAll(t.GetResources()); err != nil {
			return fmt.Errorf("Task uses invalid resources: %w", err)
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func sortedByTime(m map[string]*DepartedAgent) []*DepartedAgent {
	list := make([]*DepartedAgent, 0, len(m))
	for _, d := range m {
		list = append(list, d)
	}
	slices.SortFunc(list, func(a, b *DepartedAgent) int {
		return cmp.Or(cmp.Compare(a.Time.GetNanoseconds(), b.Time.GetNanoseconds()), cmp.Compare(a.ID, b.ID))
	})
	return list
}
