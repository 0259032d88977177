package core

import (
	"fmt"
	"strconv"
	"strings"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/allocator"

	"google.golang.org/protobuf/proto"
)

// agentMessage takes in a message of an agent. Most of what is wrong with one is
// answered with silence, as the original does: agents know retries, not refusals.
func (c *Core) agentMessage(e AgentMessage) {
	switch m := e.Message.(type) {
	case *internalpb.AuthenticateMessage:
		c.count("messages_authenticate")
	case *internalpb.RegisterSlaveMessage:
		c.count("messages_register_slave")
		c.register(e.From, e.IP, e.Principal, m)
	case *internalpb.ReregisterSlaveMessage:
		c.count("messages_reregister_slave")
		c.reregister(e.From, e.IP, e.Principal, m)
	case *internalpb.UnregisterSlaveMessage:
		c.count("messages_unregister_slave")
		c.unregister(e.From, m)
	case *internalpb.UpdateSlaveMessage:
		c.count("messages_update_slave")
		c.updateAgent(m)
	case *internalpb.StatusUpdateMessage:
		c.count("messages_status_update")
		c.statusUpdate(m)
	case *internalpb.ExitedExecutorMessage:
		c.count("messages_exited_executor")
		c.executorExited(m)
	case *internalpb.ExecutorToFrameworkMessage:
		c.count("messages_executor_to_framework")
		c.executorMessage(m)
	case *internalpb.UpdateOperationStatusMessage:
		c.count("messages_operation_status_update")
		c.operationStatus(m)
	}
}

// register admits a new agent.
func (c *Core) register(from, ip, principal string, m *internalpb.RegisterSlaveMessage) {
	log := c.log.With("agent_pid", from, "hostname", m.GetSlave().GetHostname())
	if err := validateRegister(m); err != nil {
		log.Warn("agent registration ignored: it is not valid", "error", err)
		return
	}
	if _, busy := c.registering[from]; busy {
		log.Info("agent registration ignored: one is in progress")
		return
	}
	if c.maintenance.down(machineAt(m.GetSlave().GetHostname(), ip)) {
		log.Warn("agent registration refused: its machine is down for maintenance")
		c.shutdownAgent(from, machineDown)
		return
	}
	if err := c.admissible(m.GetSlave(), m.GetVersion()); err != nil {
		log.Warn("agent registration ignored", "error", err)
		return
	}
	resources.UpgradeAll(m)
	if err := c.unauthorizedAgent(principal, "register", m.GetSlave()); err != nil {
		log.Warn("agent registration refused", "error", err)
		return
	}
	if old := c.byPID[from]; old != nil {
		if old.Connected {
			log.Info("agent is registered already, told again", "agent", old.ID)
			c.send(from, &internalpb.SlaveRegisteredMessage{
				SlaveId:    &mesospb.AgentID{Value: proto.String(old.ID)},
				Connection: c.connection(),
			})
			return
		}
		c.removeAgent(old, replaced)
	}
	id := ids.Agent(c.cfg.Master.GetId(), c.agents)
	c.agents++
	info := m.GetSlave()
	info.Id = &mesospb.AgentID{Value: proto.String(id)}
	a, err := c.newAgent(from, ip, info, m.GetVersion(), m.GetAgentCapabilities(), m.GetCheckpointedResources(), m.GetResourceVersionUuid())
	if err != nil {
		log.Warn("agent registration ignored: its checkpointed resources do not fit its resources", "error", err)
		return
	}
	c.registering[from] = struct{}{}
	c.store(func() {
		delete(c.registering, from)
		c.count("slave_registrations")
		c.addAgent(a)
		log.Info("agent registered", "agent", id, "resources", a.Total.String())
		c.send(a.PID, &internalpb.SlaveRegisteredMessage{SlaveId: a.Info.Id, Connection: c.connection()})
	}, c.ledger.admit(info))
}

// connection tells an agent after how long without a ping to doubt its master.
func (c *Core) connection() *internalpb.MasterSlaveConnection {
	total := c.cfg.AgentPingTimeout.Seconds() * float64(c.cfg.MaxAgentPingTimeouts)
	return &internalpb.MasterSlaveConnection{TotalPingTimeoutSeconds: &total}
}

// admissible says what keeps an agent out.
func (c *Core) admissible(info *mesospb.AgentInfo, version string) error {
	major, err := majorVersion(version)
	if err != nil {
		return fmt.Errorf("cannot read its version: %w", err)
	}
	if major < 1 {
		return fmt.Errorf("its version is %s, the oldest supported one is 1.0.0", version)
	}
	if info.Domain != nil && c.cfg.Master.Domain == nil {
		return fmt.Errorf("it has a fault domain, but this master has none: start the master with --domain")
	}
	if c.cfg.RequireAgentDomain && info.Domain == nil {
		return fmt.Errorf("it has no fault domain, and --require_agent_domain is set: start the agent with --domain")
	}
	return nil
}

// majorVersion reads `major[.minor[.patch]][-label][+build]`.
func majorVersion(text string) (int, error) {
	core, _, _ := strings.Cut(text, "+")
	core, _, _ = strings.Cut(core, "-")
	parts := strings.Split(core, ".")
	if len(parts) > 3 {
		return 0, fmt.Errorf("version %q has %d components, at most 3 are expected", text, len(parts))
	}
	major := 0
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 32)
		if err != nil {
			return 0, fmt.Errorf("version %q: %q is not a number", text, part)
		}
		if i == 0 {
			major = int(n)
		}
	}
	return major, nil
}

func validateAgentInfo(info *mesospb.AgentInfo) error {
	if info.Id != nil {
		if err := ids.Validate(info.GetId().GetValue()); err != nil {
			return err
		}
	}
	return resources.ValidateAll(info.GetResources())
}

func validateRegister(m *internalpb.RegisterSlaveMessage) error {
	if err := validateAgentInfo(m.GetSlave()); err != nil {
		return err
	}
	if len(m.GetCheckpointedResources()) > 0 && !m.GetSlave().GetCheckpoint() {
		return fmt.Errorf("Checkpointed resources provided when checkpointing is not enabled")
	}
	return resources.ValidateAll(m.GetCheckpointedResources())
}

// newAgent makes an Agent that is not known to anything yet.
func (c *Core) newAgent(pid, ip string, info *mesospb.AgentInfo, version string, capabilities []*mesospb.AgentInfo_Capability, checkpointed []*mesospb.Resource, resourceVersion *mesospb.UUID) (*Agent, error) {
	a := &Agent{
		ID:              info.GetId().GetValue(),
		Info:            info,
		PID:             pid,
		IP:              ip,
		Version:         version,
		Capabilities:    agentCapabilities(capabilities),
		CapabilityList:  capabilities,
		Registered:      c.now,
		Connected:       true,
		Active:          true,
		Checkpointed:    resources.New(checkpointed...),
		ResourceVersion: resourceVersion,
		Used:            make(map[string]resources.Resources),
		Tasks:           make(map[string]map[string]*Task),
		Executors:       make(map[string]map[string]*Executor),
		Offers:          make(map[string]*Offer),
		Operations:      make(map[string]*Operation),
		killed:          make(map[taskKey]struct{}),
	}
	total, err := resources.New(info.GetResources()...).ApplyCheckpointed(a.Checkpointed)
	if err != nil {
		return nil, err
	}
	a.Total = total
	return a, nil
}

// addAgent makes an agent part of the cluster, with the tasks and executors that
// were put on it before.
func (c *Core) addAgent(a *Agent) {
	c.registered[a.ID] = a
	c.byPID[a.PID] = a
	c.effect(Link{To: a.PID})
	c.observe(a)
	c.alloc.AddAgent(a.ID, allocatorAgent(a), a.Total, a.Used)
	if a.Deactivated {
		a.Active = false
		c.alloc.DeactivateAgent(a.ID)
	}
	if c.watching() {
		c.announce(AgentAdded{viewAgent(a)})
	}
	c.touch(nil, a)
	c.arrive(a)
}

func allocatorAgent(a *Agent) allocator.AgentOptions {
	return allocator.AgentOptions{
		Hostname:         a.Hostname(),
		Domain:           a.Info.GetDomain(),
		MultiRole:        a.Capabilities.MultiRole,
		HierarchicalRole: a.Capabilities.HierarchicalRole,
		Attributes:       a.Info.GetAttributes(),
	}
}
