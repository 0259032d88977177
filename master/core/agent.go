package core

import (
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Agent is one agent that is registered with this master, connected or not.
type Agent struct {
	// ID is the agent id as text, for example `<master id>-S0`.
	ID string
	// Info is what the agent said of itself, with its id set and its resources in
	// the form with stacked reservations.
	Info *mesospb.AgentInfo
	// PID is the agent's libprocess address (UPID text), where messages go.
	PID string
	// IP is the address part of PID.
	IP string
	// Version is the agent's version text, for example `1.11.0`.
	Version string
	// Capabilities are what the agent can do; CapabilityList is the same as it was sent.
	Capabilities   AgentCapabilities
	CapabilityList []*mesospb.AgentInfo_Capability

	// Registered is when the agent got its id or was re-admitted first;
	// Reregistered is zero until it came back once.
	Registered   time.Time
	Reregistered time.Time

	// Connected is false after the agent's connection broke, until it re-registers.
	Connected bool
	// Active is false while nothing of the agent may be offered.
	Active bool
	// Deactivated says that an operator took the agent out of the offers; Drain is
	// set while it is being emptied.
	Deactivated bool
	Drain       *mesospb.DrainInfo
	// DrainStart is when this master told the agent to drain; zero for never.
	DrainStart time.Time

	// Total is everything the agent has: its static resources with the
	// checkpointed reservations and volumes in place, plus oversubscribed ones.
	Total resources.Resources
	// Checkpointed are the dynamic reservations and persistent volumes.
	Checkpointed resources.Resources
	// Oversubscribed are the revocable resources of the last UpdateSlaveMessage.
	Oversubscribed resources.Resources
	// Offered is the sum of the offers that are out; Used, by framework, that of the
	// tasks and executors.
	Offered resources.Resources
	Used    map[string]resources.Resources

	// ResourceVersion changes each time the agent changes its resources by itself;
	// launches carry it back so that stale ones are refused. Nil for old agents.
	ResourceVersion *mesospb.UUID

	// Tasks and Executors are by framework id, then by task or executor id.
	Tasks     map[string]map[string]*Task
	Executors map[string]map[string]*Executor
	Offers    map[string]*Offer
	// InverseOffers are those about the agent; nil for none yet.
	InverseOffers map[string]*InverseOffer
	// Operations are by the text of their uuid.
	Operations map[string]*Operation

	// killed are tasks to kill again when the agent comes back.
	killed map[taskKey]struct{}
	// observer pings the agent.
	observer *observer
	// reregisterTimer runs while the agent is disconnected.
	reregisterTimer *timer

	rev uint64
}

// Revision grows with every change of the agent or of what is on it.
func (a *Agent) Revision() uint64 { return a.rev }

// Hostname is the agent's own name for its machine.
func (a *Agent) Hostname() string { return a.Info.GetHostname() }

// String is the form of log lines and error texts: `<id> at <pid> (<hostname>)`.
func (a *Agent) String() string { return a.ID + " at " + a.PID + " (" + a.Hostname() + ")" }

func (a *Agent) task(framework, task string) *Task { return a.Tasks[framework][task] }

func (a *Agent) executor(framework, executor string) *Executor {
	return a.Executors[framework][executor]
}

// RecoveredAgent is an agent of the registry that has not come back since this
// master started.
type RecoveredAgent struct {
	ID          string
	Info        *mesospb.AgentInfo
	Drain       *mesospb.DrainInfo
	Deactivated bool
}

// DepartedAgent is an agent the registry remembers as unreachable or gone.
type DepartedAgent struct {
	ID          string
	Time        *mesospb.TimeInfo
	Drain       *mesospb.DrainInfo
	Deactivated bool
}

// AgentCapabilities is the set of things an agent can do (AgentInfo.Capability).
type AgentCapabilities struct {
	MultiRole             bool
	HierarchicalRole      bool
	ReservationRefinement bool
	ResourceProvider      bool
	ResizeVolume          bool
	OperationFeedback     bool
	Draining              bool
	TaskResourceLimits    bool
}

func agentCapabilities(list []*mesospb.AgentInfo_Capability) AgentCapabilities {
	var c AgentCapabilities
	for _, one := range list {
		switch one.GetType() {
		case mesospb.AgentInfo_Capability_MULTI_ROLE:
			c.MultiRole = true
		case mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE:
			c.HierarchicalRole = true
		case mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT:
			c.ReservationRefinement = true
		case mesospb.AgentInfo_Capability_RESOURCE_PROVIDER:
			c.ResourceProvider = true
		case mesospb.AgentInfo_Capability_RESIZE_VOLUME:
			c.ResizeVolume = true
		case mesospb.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK:
			c.OperationFeedback = true
		case mesospb.AgentInfo_Capability_AGENT_DRAINING:
			c.Draining = true
		case mesospb.AgentInfo_Capability_TASK_RESOURCE_LIMITS:
			c.TaskResourceLimits = true
		}
	}
	return c
}
