package core

import (
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

// agentExited takes in that an agent's connection broke: nothing of it is offered
// until it re-registers, and the tasks of frameworks that do not checkpoint are
// lost, for their executors do not outlive the agent's process.
func (c *Core) agentExited(pid string) {
	a := c.byPID[pid]
	if a == nil || !a.Connected {
		return
	}
	c.log.Info("agent disconnected", "agent", a.ID, "agent_pid", pid)
	a.Connected = false
	c.deactivateAgent(a)
	frameworks := make(map[string]bool)
	for id := range a.Tasks {
		frameworks[id] = true
	}
	for id := range a.Executors {
		frameworks[id] = true
	}
	for _, id := range sortedKeys(frameworks) {
		if f := c.known[id]; f != nil && !f.Info.GetCheckpoint() {
			c.loseTasks(f, a)
		}
	}
	a.reregisterTimer = c.after(c.cfg.AgentReregisterTimeout, func(time.Time) { c.absent(a) })
	c.touch(nil, a)
}

// absent marks an agent unreachable that did not come back after its connection broke.
func (c *Core) absent(a *Agent) {
	away := func() bool { return !a.Connected && c.registered[a.ID] == a }
	if !away() {
		return
	}
	c.count("slave_unreachable_scheduled")
	c.acquire(&c.removals, func() {
		if !away() {
			c.count("slave_unreachable_canceled")
			return
		}
		c.count("slave_unreachable_completed")
		c.markUnreachable(a, "agent did not reregister within "+durationText(c.cfg.AgentReregisterTimeout)+" after disconnecting")
	})
}

// deactivateAgent has nothing of an agent offered, and takes back what is.
func (c *Core) deactivateAgent(a *Agent) {
	a.Active = false
	c.alloc.DeactivateAgent(a.ID)
	for _, id := range sortedKeys(a.Offers) {
		c.rescind(a.Offers[id])
	}
	c.rescindInverseOffers(a)
	c.touch(nil, a)
}

// loseTasks ends what a framework has on a disconnected agent.
func (c *Core) loseTasks(f *Framework, a *Agent) {
	for _, id := range sortedKeys(a.Tasks[f.ID]) {
		t := a.Tasks[f.ID][id]
		status := c.masterStatus(t.Proto.TaskId, t.Proto.AgentId, mesospb.TaskState_TASK_LOST,
			mesospb.TaskStatus_REASON_AGENT_DISCONNECTED, "Agent "+a.Hostname()+" disconnected")
		c.endTask(t, status, false)
	}
	for _, e := range a.Executors[f.ID] {
		c.removeExecutor(e)
	}
}

// endTask gives a task its last status here, removes it, and tells the framework.
func (c *Core) endTask(t *Task, status *mesospb.TaskStatus, unreachable bool) {
	status.ExecutorId = t.Proto.ExecutorId
	c.updateTask(t, status.GetState(), status)
	c.removeTask(t, unreachable)
	c.emitStatus(t.Framework, status)
}

// unregister removes an agent that says good-bye.
func (c *Core) unregister(from string, m *internalpb.UnregisterSlaveMessage) {
	a := c.registered[m.GetSlaveId().GetValue()]
	if a == nil || a.PID != from {
		c.log.Warn("agent asked to be unregistered, but it is not the one that is registered", "agent", m.GetSlaveId().GetValue(), "agent_pid", from)
		return
	}
	c.removeAgent(a, unregistered)
}

// Causes of removals. The original counts the first two.
const (
	unregistered = "the agent unregistered"
	replaced     = "a new agent registered at the same address"
	broughtDown  = "Operator initiated 'Machine DOWN'"
)

// removeAgent ends an agent for good; its id will not be taken back as known.
func (c *Core) removeAgent(a *Agent, cause string) {
	if _, busy := c.leaving[a.ID]; busy {
		return
	}
	c.leaving[a.ID] = beingRemoved
	c.log.Info("removing agent", "agent", a.ID, "cause", cause)
	c.store(func() {
		delete(c.leaving, a.ID)
		c.count("slave_removals")
		switch cause {
		case unregistered:
			c.count("slave_removals/reason_unregistered")
		case replaced:
			c.count("slave_removals/reason_registered")
		}
		c.dropAgent(a, func(t *Task) {
			status := c.masterStatus(t.Proto.TaskId, t.Proto.AgentId, mesospb.TaskState_TASK_LOST,
				mesospb.TaskStatus_REASON_AGENT_REMOVED, "Agent "+a.Hostname()+" removed: "+cause)
			c.endTask(t, status, false)
		})
		c.announce(AgentRemoved{a.ID})
	}, DropAgent{a.ID})
}

// markUnreachable moves an agent to the unreachable ones: it may come back.
func (c *Core) markUnreachable(a *Agent, why string) {
	if _, busy := c.leaving[a.ID]; busy {
		return
	}
	if _, busy := c.reregistering[a.ID]; busy {
		return
	}
	c.leaving[a.ID] = becomingUnreachable
	c.log.Warn("marking agent unreachable", "agent", a.ID, "hostname", a.Hostname(), "reason", why)
	d := &DepartedAgent{ID: a.ID, Time: c.timeInfo()}
	c.store(func() {
		delete(c.leaving, a.ID)
		c.count("slave_removals")
		c.count("slave_removals/reason_unhealthy")
		d.Drain, d.Deactivated = a.Drain, a.Deactivated
		c.unreachable[a.ID] = d
		c.tellOperations(a, mesospb.OperationState_OPERATION_UNREACHABLE, "Agent was marked unreachable")
		c.dropAgent(a, func(t *Task) {
			state := mesospb.TaskState_TASK_LOST
			if t.Framework.Capabilities.PartitionAware {
				state = mesospb.TaskState_TASK_UNREACHABLE
			}
			status := c.masterStatus(t.Proto.TaskId, t.Proto.AgentId, state, mesospb.TaskStatus_REASON_AGENT_REMOVED, why)
			status.UnreachableTime = d.Time
			c.endTask(t, status, true)
		})
	}, c.ledger.lose(a.ID, d.Time)...)
}

// dropAgent takes an agent out of the cluster, with everything on it.
func (c *Core) dropAgent(a *Agent, end func(*Task)) {
	for _, framework := range sortedKeys(a.Tasks) {
		for _, id := range sortedKeys(a.Tasks[framework]) {
			end(a.Tasks[framework][id])
		}
	}
	for _, list := range a.Executors {
		for _, e := range list {
			c.removeExecutor(e)
		}
	}
	for _, id := range sortedKeys(a.Offers) {
		c.rescind(a.Offers[id])
	}
	c.rescindInverseOffers(a)
	c.maintenance.view = nil
	for _, id := range sortedKeys(a.Operations) {
		c.removeOperation(a.Operations[id])
	}
	c.alloc.RemoveAgent(a.ID)
	c.timers.stop(a.reregisterTimer)
	c.unobserve(a)
	delete(c.registered, a.ID)
	if c.byPID[a.PID] == a {
		delete(c.byPID, a.PID)
	}
	c.removed.add(a.ID)
	c.touch(nil, a)
	c.agentLost(a.ID)
}

// agentLost tells every connected framework.
func (c *Core) agentLost(id string) {
	event := &schedulerpb.Event{
		Type:    schedulerpb.Event_FAILURE.Enum(),
		Failure: &schedulerpb.Event_Failure{AgentId: &mesospb.AgentID{Value: proto.String(id)}},
	}
	for _, framework := range sortedKeys(c.known) {
		if f := c.known[framework]; f.Connected() {
			c.emit(f, event)
		}
	}
}
