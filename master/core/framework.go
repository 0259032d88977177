package core

import (
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/allocator"

	"google.golang.org/protobuf/proto"
)

// FrameworkState says how a framework stands to this master.
type FrameworkState int

const (
	// Recovered: known only from agents that re-registered after a failover.
	Recovered FrameworkState = iota
	// Active: subscribed, gets offers.
	Active
	// Inactive: connected, but asked for no more offers (a v0 driver that aborted).
	Inactive
	// Disconnected: its stream closed; the failover timeout runs.
	Disconnected
	// Completed: torn down, or its failover timeout passed.
	Completed
)

// Framework is one framework, subscribed or not.
type Framework struct {
	// ID is the framework id as text, for example `<master id>-0000`.
	ID string
	// Info is the framework's last accepted description, with its id set.
	Info *mesospb.FrameworkInfo
	// Roles are the roles it subscribed to, sorted; Suppressed those of them that
	// want no offers now.
	Roles        []string
	Suppressed   map[string]bool
	Capabilities FrameworkCapabilities
	State        FrameworkState
	// OfferConstraints say which agents it wants to be offered, as it said so; nil for
	// one that has not subscribed here. They never change in place.
	OfferConstraints *schedulerpb.OfferConstraints
	constraints      *allocator.Constraints

	// Stream is the open event stream of an HTTP framework, zero for none.
	Stream StreamID
	// StreamUUID is the Mesos-Stream-Id of that stream.
	StreamUUID string
	// PID is the address of the driver of a framework that speaks libprocess, empty for
	// an HTTP framework. It stays when the framework disconnects, until another
	// scheduler takes over.
	PID string
	// oldDriver marks a driver from before 0.24.
	oldDriver bool

	// Registered is when the framework first subscribed here (or was learnt from an
	// agent), Reregistered the last time it did so again and zero if it did not,
	// Unregistered when it ended.
	Registered   time.Time
	Reregistered time.Time
	Unregistered time.Time

	// Tasks are the tasks that are not over, and those whose end the framework has
	// not acknowledged yet.
	Tasks map[string]*Task
	// Unreachable are tasks on agents that are unreachable, oldest forgotten first.
	Unreachable *History
	// CompletedTasks are tasks that are over, oldest forgotten first.
	CompletedTasks *History
	// Executors are by agent id, then executor id.
	Executors map[string]map[string]*Executor
	Offers    map[string]*Offer
	// InverseOffers are those that it did not answer yet; nil for none yet.
	InverseOffers map[string]*InverseOffer
	Operations    map[string]*Operation
	// Used is the sum of tasks and executors, Offered that of the offers.
	Used    resources.Resources
	Offered resources.Resources

	// announced says that watchers were told of the framework.
	announced bool

	failoverTimer  *timer
	heartbeatTimer *timer
	counts         counters
	rev            uint64
}

// Revision grows with every change of the framework or of what belongs to it.
func (f *Framework) Revision() uint64 { return f.rev }

// Connected says whether the framework can be told anything now.
func (f *Framework) Connected() bool { return f.State == Active || f.State == Inactive }

// Subscribed says whether role is one of the framework's.
func (f *Framework) Subscribed(role string) bool { return slices.Contains(f.Roles, role) }

// String is the form of log lines: `<id> (<name>)`, and ` at <pid>` for a driver's.
func (f *Framework) String() string {
	s := f.ID + " (" + f.Info.GetName() + ")"
	if f.PID != "" {
		s += " at " + f.PID
	}
	return s
}

// pid is the framework's address as agents are told it.
func (f *Framework) pid() *string {
	if f.PID == "" {
		return proto.String(noPID)
	}
	return proto.String(f.PID)
}

// FrameworkCapabilities is the set of things a framework understands
// (FrameworkInfo.Capability).
type FrameworkCapabilities struct {
	RevocableResources    bool
	TaskKillingState      bool
	GPUResources          bool
	SharedResources       bool
	PartitionAware        bool
	MultiRole             bool
	ReservationRefinement bool
	RegionAware           bool
}

func frameworkCapabilities(info *mesospb.FrameworkInfo) FrameworkCapabilities {
	var c FrameworkCapabilities
	for _, one := range info.GetCapabilities() {
		switch one.GetType() {
		case mesospb.FrameworkInfo_Capability_REVOCABLE_RESOURCES:
			c.RevocableResources = true
		case mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE:
			c.TaskKillingState = true
		case mesospb.FrameworkInfo_Capability_GPU_RESOURCES:
			c.GPUResources = true
		case mesospb.FrameworkInfo_Capability_SHARED_RESOURCES:
			c.SharedResources = true
		case mesospb.FrameworkInfo_Capability_PARTITION_AWARE:
			c.PartitionAware = true
		case mesospb.FrameworkInfo_Capability_MULTI_ROLE:
			c.MultiRole = true
		case mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT:
			c.ReservationRefinement = true
		case mesospb.FrameworkInfo_Capability_REGION_AWARE:
			c.RegionAware = true
		}
	}
	return c
}

// frameworkRoles are the roles of info, sorted and without repetition. A framework
// without MULTI_ROLE has exactly one, `*` if it names none.
func frameworkRoles(info *mesospb.FrameworkInfo) []string {
	if frameworkCapabilities(info).MultiRole {
		roles := slices.Clone(info.GetRoles())
		slices.Sort(roles)
		return slices.Compact(roles)
	}
	return []string{info.GetRole()}
}
