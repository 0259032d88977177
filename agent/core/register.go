package core

import (
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Capabilities are what this agent can do, as it tells the master.
var capabilityTypes = [...]mesospb.AgentInfo_Capability_Type{
	mesospb.AgentInfo_Capability_MULTI_ROLE,
	mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE,
	mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT,
	mesospb.AgentInfo_Capability_RESOURCE_PROVIDER,
	mesospb.AgentInfo_Capability_RESIZE_VOLUME,
	mesospb.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK,
	mesospb.AgentInfo_Capability_AGENT_DRAINING,
	mesospb.AgentInfo_Capability_TASK_RESOURCE_LIMITS,
}

// Capabilities returns what this agent tells the master it can do.
func Capabilities() []*mesospb.AgentInfo_Capability {
	var list []*mesospb.AgentInfo_Capability
	for _, t := range capabilityTypes {
		list = append(list, &mesospb.AgentInfo_Capability{Type: t.Enum()})
	}
	return list
}

// masterDetected begins registration with a new leader (Slave::detected).
func (c *Core) masterDetected(ev MasterDetected) {
	if c.state == Recovering {
		return
	}
	c.disconnect()
	c.master, c.masterHostname = ev.UPID, ev.Hostname
	if ev.UPID == "" {
		c.note("Lost leading master")
		return
	}
	c.note("New master detected", "master", ev.UPID)
	if c.state == Terminating {
		return
	}
	if c.changed && !ev.Update {
		c.exit("Agent state changed on restart, but the detected master lacks the AGENT_UPDATE capability. Refusing to connect.")
		return
	}
	c.scheduleRegistration(max(c.options.RegistrationBackoffFactor, 0), c.options.RegistrationBackoffFactor*2)
}

// disconnect stops everything that needs a registered agent.
func (c *Core) disconnect() {
	if c.state == Running {
		c.state = Disconnected
	}
	c.cancel(&c.registerTimer)
	c.pauseStreams()
}

// redetect forgets the master and looks for it anew.
func (c *Core) redetect() {
	c.disconnect()
	c.master = ""
	c.emit(Detect{})
}

// scheduleRegistration tries to register after a random part of delay; next is the
// range of the delay after that.
func (c *Core) scheduleRegistration(delay, next time.Duration) {
	c.cancel(&c.registerTimer)
	wait := time.Duration(float64(delay) * c.options.Random())
	if delay >= registerRetryMin {
		wait = max(wait, registerPause)
	}
	c.registerTimer = c.after(wait, func() {
		c.registerTimer = 0
		if c.master == "" || c.state != Disconnected {
			return
		}
		c.register()
		limit := min(max(next, registerRetryMin), registerRetryMax)
		c.scheduleRegistration(limit, limit*2)
	})
}

// register sends one registration attempt.
func (c *Core) register() {
	c.emit(LinkMaster{UPID: c.master})
	version := c.options.Version
	if c.info.GetId() == nil {
		m := &internalpb.RegisterSlaveMessage{
			Slave:                 c.info,
			Version:               &version,
			CheckpointedResources: c.checkpointed.Proto(),
			AgentCapabilities:     Capabilities(),
			ResourceVersionUuid:   &mesospb.UUID{Value: c.resourceVersion},
		}
		m = proto.Clone(m).(*internalpb.RegisterSlaveMessage)
		downgrade(m)
		c.emit(Send{To: c.master, Body: m})
		return
	}
	m := &internalpb.ReregisterSlaveMessage{
		Slave:                 c.info,
		Version:               &version,
		CheckpointedResources: c.checkpointed.Proto(),
		AgentCapabilities:     Capabilities(),
		ResourceVersionUuid:   &mesospb.UUID{Value: c.resourceVersion},
	}
	for _, f := range c.frameworkList() {
		m.Frameworks = append(m.Frameworks, f.info)
		staging := func(task *mesospb.TaskInfo) {
			m.Tasks = append(m.Tasks, newTask(task, mesospb.TaskState_TASK_STAGING, f.id))
		}
		for _, l := range f.pending {
			if !l.killed {
				for _, task := range l.tasks() {
					staging(task)
				}
			}
		}
		for _, e := range f.executors.list() {
			m.Tasks = append(m.Tasks, e.launched.list()...)
			m.Tasks = append(m.Tasks, e.terminated.list()...)
			for _, task := range e.queued.list() {
				staging(task)
			}
			if !e.generated && e.state != ExecutorTerminated {
				info := e.info
				if info.FrameworkId == nil {
					info = proto.Clone(info).(*mesospb.ExecutorInfo)
					info.FrameworkId = f.info.GetId()
				}
				m.ExecutorInfos = append(m.ExecutorInfos, info)
			}
		}
	}
	for _, f := range c.completed {
		archive := &internalpb.Archive_Framework{FrameworkInfo: f.info}
		if f.pid != "" {
			archive.Pid = proto.String(f.pid)
		}
		for _, e := range f.completedExecutors {
			archive.Tasks = append(archive.Tasks, e.terminated.list()...)
			archive.Tasks = append(archive.Tasks, e.completed...)
		}
		m.CompletedFrameworks = append(m.CompletedFrameworks, archive)
	}
	m = proto.Clone(m).(*internalpb.ReregisterSlaveMessage)
	downgrade(m)
	c.emit(Send{To: c.master, Body: m})
}

// downgrade puts the resources of a message into the old format where that can
// be: AgentInfo always, the rest unless one of them has stacked reservations.
func downgrade(m proto.Message) {
	switch m := m.(type) {
	case *internalpb.RegisterSlaveMessage:
		_ = resources.DowngradeAll(m.Slave)
	case *internalpb.ReregisterSlaveMessage:
		_ = resources.DowngradeAll(m.Slave)
	}
	trial := proto.Clone(m)
	if resources.DowngradeAll(trial) == nil {
		proto.Reset(m)
		proto.Merge(m, trial)
	}
}

// registered makes the agent a member of the cluster (Slave::registered).
func (c *Core) registered(id *mesospb.AgentID, connection *internalpb.MasterSlaveConnection) {
	c.setPingTimeout(connection)
	switch c.state {
	case Disconnected:
		if c.info.GetId() != nil && c.info.GetId().GetValue() != id.GetValue() {
			c.wrongID("Registered", id)
			return
		}
		c.note("Registered with master", "master", c.master, "agent", id.GetValue())
		c.state = Running
		c.cancel(&c.registerTimer)
		info := proto.Clone(c.info).(*mesospb.AgentInfo)
		info.Id = id
		c.info = info
		c.emit(SaveAgent{Info: info})
		c.resumeStreams()
		c.restartPingTimer()
	case Running:
		if c.info.GetId().GetValue() != id.GetValue() {
			c.wrongID("Registered", id)
			return
		}
	default:
		return
	}
	c.sendUpdateAgent()
}

// reregistered ends a re-registration (Slave::reregistered).
func (c *Core) reregistered(m *internalpb.SlaveReregisteredMessage) {
	if c.info.GetId().GetValue() != m.GetSlaveId().GetValue() {
		c.wrongID("Re-registered", m.GetSlaveId())
		return
	}
	c.setPingTimeout(m.GetConnection())
	switch c.state {
	case Disconnected:
		c.note("Re-registered with master", "master", c.master)
		c.state = Running
		c.cancel(&c.registerTimer)
		if c.changed {
			// The master knows the new AgentInfo now.
			c.changed = false
			c.emit(SaveAgent{Info: c.info})
		}
		c.resumeStreams()
		c.restartPingTimer()
	case Running:
	default:
		return
	}
	c.sendUpdateAgent()
	for _, reconcile := range m.GetReconciliations() {
		f := c.frameworks[reconcile.GetFrameworkId().GetValue()]
		for _, status := range reconcile.GetStatuses() {
			task := status.GetTaskId().GetValue()
			if f != nil && f.hasTask(task) {
				continue
			}
			c.warn("Agent reconciling task that it does not know", "task", task, "framework", reconcile.GetFrameworkId().GetValue())
			u := c.newUpdate(reconcile.GetFrameworkId().GetValue(), task,
				lost(reconcile.GetFramework(), mesospb.TaskState_TASK_DROPPED),
				mesospb.TaskStatus_REASON_RECONCILIATION, "Reconciliation: task unknown to the agent")
			key := streamKey{reconcile.GetFrameworkId().GetValue(), task}
			s := c.streams[key]
			if s == nil {
				s = &stream{key: key}
				c.addStream(s)
			}
			c.streamUpdate(s, u)
		}
	}
}

func (c *Core) wrongID(how string, got *mesospb.AgentID) {
	c.exit(how + " but got wrong id: " + got.GetValue() + " (expected: " + c.info.GetId().GetValue() + "). Committing suicide")
}

func (c *Core) setPingTimeout(connection *internalpb.MasterSlaveConnection) {
	c.pingTimeout = defaultPingTimeout
	if connection != nil && connection.TotalPingTimeoutSeconds != nil {
		c.pingTimeout = time.Duration(connection.GetTotalPingTimeoutSeconds()) * time.Second
	}
}

// sendUpdateAgent tells the master about operations; it must follow every registration.
func (c *Core) sendUpdateAgent() {
	m := &internalpb.UpdateSlaveMessage{
		SlaveId:                       c.info.GetId(),
		UpdateOversubscribedResources: proto.Bool(false),
		Operations:                    &internalpb.UpdateSlaveMessage_Operations{},
		ResourceVersionUuid:           &mesospb.UUID{Value: c.resourceVersion},
		ResourceProviders:             &internalpb.UpdateSlaveMessage_ResourceProviders{},
	}
	for _, o := range c.operations {
		m.Operations.Operations = append(m.Operations.Operations, o.message)
	}
	c.emit(Send{To: c.master, Body: m})
	for _, o := range c.operations {
		c.forwardOperation(o, updateRetryMin)
	}
}

// ping answers the master's liveness check in every state.
func (c *Core) ping(from string, connected bool) {
	c.emit(Send{To: from, Body: &internalpb.PongSlaveMessage{}})
	if !connected && c.state == Running {
		c.note("Master marked the agent as disconnected but the agent considers itself registered! Forcing re-registration.")
		c.redetect()
	}
	c.restartPingTimer()
}

func (c *Core) restartPingTimer() {
	c.cancel(&c.pingTimer)
	c.pingTimer = c.after(c.pingTimeout, func() {
		c.pingTimer = 0
		if c.state == Running {
			c.note("No pings from master received in time", "timeout", c.pingTimeout.String())
			c.redetect()
		}
	})
}

// masterExited registers again at once when the connection to the master is
// lost. The original waits for the next missed pings; a master that has only been
// restarted would be without its agents for that long. An agent that authenticates
// does so anew, also if it was not registered yet: the next master at this address knows
// nothing of it.
func (c *Core) masterExited(ev MasterExited) {
	if ev.UPID != c.master || c.state != Running && (c.state != Disconnected || !c.options.Authenticates) {
		return
	}
	c.warn("Master disconnected! Registering again", "master", c.master)
	c.redetect()
}
