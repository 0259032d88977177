package core

import (
	"log/slog"
	"time"

	"stoa/internal/auth"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/allocator"
)

// Defaults and limits of the original's src/master/constants.hpp and flags.cpp.
const (
	DefaultAgentPingTimeout       = 15 * time.Second
	DefaultMaxAgentPingTimeouts   = 5
	DefaultAgentReregisterTimeout = 10 * time.Minute
	DefaultAllocationInterval     = time.Second
	DefaultHeartbeatInterval      = 15 * time.Second
	DefaultMaxCompletedFrameworks = 50
	DefaultMaxCompletedTasks      = 1000
	DefaultMaxUnreachableTasks    = 1000
	DefaultMaxRemovedAgents       = 100000
	DefaultRegistryGCInterval     = 15 * time.Minute
	DefaultRegistryMaxAgentAge    = 14 * 24 * time.Hour
	DefaultRegistryMaxAgentCount  = 102400
	defaultRefuse                 = 5 * time.Second
	maxRefuse                     = 365 * 24 * time.Hour
)

// Config is what a Core needs to know before its first event. Zero values of
// durations and counts mean the defaults above.
type Config struct {
	// Master describes this master to schedulers; its Id is the prefix of every
	// framework, agent and offer id given out.
	Master *mesospb.MasterInfo

	// AgentPingTimeout is the time between two pings to one agent, and
	// MaxAgentPingTimeouts the number of them in a row without an answer that
	// makes the agent unreachable.
	AgentPingTimeout     time.Duration
	MaxAgentPingTimeouts int
	// AgentReregisterTimeout is how long a disconnected agent, or one known from
	// the registry after a failover, may take to come back before it is marked
	// unreachable.
	AgentReregisterTimeout time.Duration

	// AgentRemovalInterval is the time between two agents that are marked unreachable
	// (`--agent_removal_rate_limit`); zero lets any number of them go at once.
	AgentRemovalInterval time.Duration
	// RecoveryAgentRemovalLimit is the share of the registry's agents, 0 to 1, that may
	// be missing after a failover; with more missing the master ends. A negative number
	// allows none, zero means 1.
	RecoveryAgentRemovalLimit float64

	// AllocationInterval is the shortest life of a decline filter, and the time
	// after which resources that were declined without a filter are offered again.
	AllocationInterval time.Duration
	// OfferTimeout is how long an offer may stay unanswered before it is
	// rescinded; zero means for ever.
	OfferTimeout time.Duration
	// HeartbeatInterval is the time between two HEARTBEAT events of a stream.
	HeartbeatInterval time.Duration

	// RootSubmissions allows frameworks whose user is root.
	RootSubmissions bool
	// Roles is the whitelist of `--roles`; nil allows every role.
	Roles []string
	// Authorizer says what principals may do; nil allows all.
	Authorizer *auth.Authorizer
	// Weights are the fair-share weights of roles; a missing role weighs 1.
	Weights map[string]float64
	// FilterGPUResources hides agents that have GPUs from frameworks that did not
	// say GPU_RESOURCES.
	FilterGPUResources bool
	// RoleSorter and FrameworkSorter say who is offered resources first.
	RoleSorter, FrameworkSorter allocator.Sorter
	// MinAllocatable are amounts of which an offer must have at least one set in full;
	// nil means 0.01 cpus, or 32 MB of mem.
	MinAllocatable []resources.Quantities
	// AllocatorRecoveryFactor and AllocatorRecoveryTimeout say how long a new master
	// with quotas waits for the agents it knows of before it offers anything; zero means
	// 0.8 of them, and 10 minutes, and a factor below zero no wait.
	AllocatorRecoveryFactor  float64
	AllocatorRecoveryTimeout time.Duration
	// OfferConstraintLimits bound the regular expressions of offer constraints; zero
	// values do not.
	OfferConstraintLimits allocator.RegexLimits
	// FairSharingExcludedResources are resource names that do not count in a share.
	FairSharingExcludedResources []string
	// RateLimits say how many messages of drivers are taken in per second
	// ([CheckRateLimits]); nil is no limit.
	RateLimits *mesospb.RateLimits
	// RequireAgentDomain refuses agents without a fault domain.
	RequireAgentDomain bool

	// MaxCompletedFrameworks, MaxCompletedTasks (per framework) and
	// MaxUnreachableTasks (per framework) bound the histories; a negative number
	// keeps none.
	MaxCompletedFrameworks int
	MaxCompletedTasks      int
	MaxUnreachableTasks    int

	// RegistryGCInterval, RegistryMaxAgentAge and RegistryMaxAgentCount say when
	// unreachable and gone agents are forgotten, oldest first.
	RegistryGCInterval    time.Duration
	RegistryMaxAgentAge   time.Duration
	RegistryMaxAgentCount int

	// MaxWatchers bounds the operators' streams of news; the oldest is closed to make
	// room for a new one.
	MaxWatchers int

	// NewUUID returns 16 random bytes with the marks of a version 4 UUID. It is a
	// value of the caller so that histories can be replayed.
	NewUUID func() []byte

	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	duration := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	count := func(n *int, def int) {
		switch {
		case *n == 0:
			*n = def
		case *n < 0:
			*n = 0
		}
	}
	duration(&c.AgentPingTimeout, DefaultAgentPingTimeout)
	count(&c.MaxAgentPingTimeouts, DefaultMaxAgentPingTimeouts)
	duration(&c.AgentReregisterTimeout, DefaultAgentReregisterTimeout)
	switch {
	case c.RecoveryAgentRemovalLimit == 0:
		c.RecoveryAgentRemovalLimit = 1
	case c.RecoveryAgentRemovalLimit < 0:
		c.RecoveryAgentRemovalLimit = 0
	}
	duration(&c.AllocationInterval, DefaultAllocationInterval)
	duration(&c.HeartbeatInterval, DefaultHeartbeatInterval)
	count(&c.MaxCompletedFrameworks, DefaultMaxCompletedFrameworks)
	count(&c.MaxCompletedTasks, DefaultMaxCompletedTasks)
	count(&c.MaxUnreachableTasks, DefaultMaxUnreachableTasks)
	duration(&c.RegistryGCInterval, DefaultRegistryGCInterval)
	duration(&c.RegistryMaxAgentAge, DefaultRegistryMaxAgentAge)
	count(&c.RegistryMaxAgentCount, DefaultRegistryMaxAgentCount)
	count(&c.MaxWatchers, DefaultMaxWatchers)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
