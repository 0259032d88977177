// Package core decides what an agent does: which executors are started and
// stopped, which status update is sent when, what is kept on disk.
//
// Comes in: Events, each with the time at which it happened. Goes out: Effects
// for the agent's loop, and Views for readers. It does no I/O, starts no goroutine and
// reads no clock; one goroutine at a time may use it.
//
// The behaviour is that of src/slave/slave.cpp of the original, and of
// task_status_update_manager.cpp for update streams.
package core

import (
	"fmt"
	"log/slog"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Options are the agent's settings and its sources of randomness.
type Options struct {
	// Version is what the agent says it is, x.y.z.
	Version string
	// UPID is the agent's own "slave(1)@ip:port", Endpoint its "ip:port" and IP its address.
	UPID, Endpoint, IP string
	// Sandbox gives the path of a run's sandbox, PIDFile that of its forked.pid.
	Sandbox, PIDFile func(RunID) string
	// Executable finds a program of --launcher_dir ("mesos-executor"); the error
	// says why it cannot be used.
	Executable func(name string) (string, error)
	// LauncherDir, SandboxDirectory, Isolation and DefaultRole are the flags of these names.
	LauncherDir, SandboxDirectory, Isolation string
	// SwitchUser is --switch_user.
	SwitchUser bool
	// HTTPCommandExecutor is --http_command_executor.
	HTTPCommandExecutor bool
	// Environment goes to every executor, below what the agent sets itself.
	Environment map[string]string
	// Cleanup is --recover=cleanup.
	Cleanup bool

	RecoveryTimeout               time.Duration
	ExecutorRegistrationTimeout   time.Duration
	ExecutorReregistrationTimeout time.Duration
	ExecutorShutdownGracePeriod   time.Duration
	RegistrationBackoffFactor     time.Duration
	// Authenticates says that the agent proves to each master who it is.
	Authenticates         bool
	MaxCompletedExecutors int

	// Random returns a number in [0, 1).
	Random func() float64
	// NewUUID returns a new random UUID, 16 bytes.
	NewUUID func() []byte
	// NewContainerID returns the id of a new container.
	NewContainerID func() string
}

// AgentState is where the agent is in its life.
type AgentState int

// States of the agent, as in the original.
const (
	Recovering AgentState = iota
	Disconnected
	Running
	Terminating
)

func (s AgentState) String() string {
	return [...]string{"RECOVERING", "DISCONNECTED", "RUNNING", "TERMINATING"}[s]
}

// Limits of the original (src/slave/constants.hpp).
const (
	maxCompletedFrameworks = 50
	maxCompletedTasks      = 200
	updateRetryMin         = 10 * time.Second
	updateRetryMax         = 10 * time.Minute
	registerRetryMin       = time.Second
	registerRetryMax       = time.Minute
	// registerPause is the least time between two attempts, whatever chance says.
	registerPause      = 10 * time.Millisecond
	defaultPingTimeout = 75 * time.Second
	executorHeartbeat  = 30 * time.Minute
)

// Core is the state of one agent. Make it with New and feed it with Step.
type Core struct {
	options Options

	now     time.Time
	effects []Effect
	timers  timerHeap
	seq     uint64
	dirty   bool

	state AgentState
	// reconnect is set once executors may subscribe: recovery has come as far
	// as knowing them.
	reconnect bool
	// info is this run's AgentInfo; its Id is nil before the first registration.
	info *mesospb.AgentInfo
	// changed says that info differs from what the master knows, so that it must support that.
	changed bool

	master         string
	masterHostname string
	registerTimer  uint64
	pingTimer      uint64
	pingTimeout    time.Duration

	frameworks map[string]*framework
	order      []string // framework ids in order of arrival
	completed  []*framework

	streams map[streamKey]*stream
	paused  bool

	total            resources.Resources
	checkpointed     resources.Resources
	resourceVersion  []byte
	operations       []*operation
	drain            *mesospb.DrainConfig
	drainStart       time.Time
	nextStream       uint64
	nextToken        uint64
	recoveryErrors   int
	startTime        time.Time
	recoveryTime     time.Duration
	metrics          Metrics
	cachedView       *View
	stopping, exited bool
}

// New returns a core that waits for its Recovered event. now is the agent's start time.
func New(options Options, now time.Time) *Core {
	return &Core{
		options:         options,
		startTime:       now,
		frameworks:      map[string]*framework{},
		streams:         map[streamKey]*stream{},
		paused:          true,
		pingTimeout:     defaultPingTimeout,
		resourceVersion: options.NewUUID(),
		dirty:           true,
	}
}

// Step takes one event that happened at now and returns what is to be done. The
// returned slice is the caller's until the next Step. now must not go backwards.
func (c *Core) Step(now time.Time, event Event) []Effect {
	c.now = now
	c.effects = nil
	c.dirty = true
	switch e := event.(type) {
	case Recovered:
		c.recover(e)
	case ContainersRecovered:
		c.containersRecovered()
	case MasterDetected:
		c.masterDetected(e)
	case MasterExited:
		c.masterExited(e)
	case Message:
		c.message(e)
	case ExecutorCall:
		c.executorCall(e)
	case StreamClosed:
		c.streamClosed(e)
	case SandboxReady:
		c.sandboxReady(e)
	case ContainerLaunched:
		c.containerLaunched(e)
	case ContainerTerminated:
		c.containerTerminated(e)
	case ContainerUpdated:
		c.containerUpdated(e)
	case ContainerStatus:
		c.containerStatus(e)
	case Shutdown:
		c.shutdown("", e.Reason)
	case Hurry:
		c.hurry()
	case Stop:
		c.stop()
	case Tick:
	default:
		panic(fmt.Sprintf("core: unknown event %T", event))
	}
	c.runTimers()
	return c.effects
}

func (c *Core) emit(e Effect) { c.effects = append(c.effects, e) }

func (c *Core) note(format string, args ...any) { c.log(slog.LevelInfo, format, args...) }
func (c *Core) warn(format string, args ...any) { c.log(slog.LevelWarn, format, args...) }

func (c *Core) log(level slog.Level, message string, args ...any) {
	c.emit(Log{Level: level, Message: message, Args: args})
}

// exit ends the agent, once.
func (c *Core) exit(reason string) {
	if !c.exited {
		c.exited = true
		c.emit(Exit{Error: reason})
	}
}

// timestamp is now as the wire has it: seconds since 1970.
func (c *Core) timestamp() float64 { return seconds(c.now) }

// seconds keeps microseconds, as the original's clock does.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }
