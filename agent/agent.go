// Package agent runs tasks on one machine for a Mesos master: it registers with
// the master, starts executors in containers, hands tasks to them, and forwards
// their status updates until they are acknowledged.
//
// Comes in: messages of the master (libprocess), calls of executors and readers
// (HTTP), ends of containers, time. Goes out: messages to the master and to
// executors, containers, checkpoints under --work_dir. It never chooses
// which task runs here, and never imports another piece.
//
// The decisions are in core/, which does no I/O. One loop goroutine owns the
// core; everything else translates.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/checkpoint"
	"stoa/agent/containerizer"
	"stoa/agent/core"
	"stoa/agent/gc"
	"stoa/agent/httpapi"
	"stoa/agent/peer"
	"stoa/internal/files"
	"stoa/internal/libprocess"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// Agent is one agent daemon. Make it with New, then call Run once.
type Agent struct {
	config Config
	logger *slog.Logger
	layout checkpoint.Layout
	saved  core.Recovered
	// claimed is the work directory, locked.
	claimed *os.File

	core       *core.Core
	transport  *libprocess.Transport
	peer       *peer.Peer
	executors  *httpapi.Executors
	files      *files.Files
	gc         *gc.Collector
	containers *containers
	logs       map[core.TaskID]*checkpoint.Log

	// events feeds the loop; done is closed when the loop has ended.
	events chan core.Event
	reads  chan chan *core.View
	again  chan struct{}
	done   chan struct{}
	// working counts the goroutines of one Run.
	working sync.WaitGroup
	// ready says that executors may subscribe; last is the state when the loop ended.
	ready atomic.Bool
	last  *core.View

	detecting bool
	// failed takes errors from the background that end the agent.
	failed chan error
	// refused takes the reason why a master does not want this agent.
	refused chan error

	shutdown     chan string
	shutdownOnce sync.Once
	// maxAge is what gc lets directories live at the present disk usage.
	maxAge maxAge
}

// maxEvents is how many events may wait for the loop; whoever brings more waits.
const maxEvents = 4096

// New checks the configuration, detects the machine's resources and recovers the
// checkpointed state of an earlier run from WorkDir. Nothing is
// listened to and nothing is started before Run. If it fails, the listener is closed.
func New(ctx context.Context, config Config) (a *Agent, err error) {
	defer func() {
		if err != nil && config.Listener != nil {
			config.Listener.Close()
		}
	}()
	config, err = config.withDefaults()
	if err != nil {
		return nil, err
	}
	a = &Agent{
		config:   config,
		logger:   config.Logger,
		layout:   checkpoint.Layout{Work: config.WorkDir},
		logs:     map[core.TaskID]*checkpoint.Log{},
		events:   make(chan core.Event, maxEvents),
		reads:    make(chan chan *core.View),
		again:    make(chan struct{}, 1),
		done:     make(chan struct{}),
		shutdown: make(chan string, 1),
		failed:   make(chan error, 1),
		refused:  make(chan error, 1),
		files:    files.New(),
		gc:       gc.New(config.Logger),
	}
	claimed, err := claim(config.WorkDir, config.RuntimeDir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			claimed.Close()
		}
	}()
	a.claimed = claimed
	advertise, err := a.advertise()
	if err != nil {
		return nil, err
	}
	info, err := a.describe(ctx, advertise)
	if err != nil {
		return nil, err
	}
	if err := a.recover(info); err != nil {
		return nil, err
	}
	if config.Containerizers == nil {
		if config.Containerizers, err = makeContainerizers(config); err != nil {
			return nil, err
		}
		a.config.Containerizers = config.Containerizers
	}
	a.core = core.New(a.options(advertise), time.Now())
	a.last = a.core.View()
	a.executors = httpapi.NewExecutors(a.ready.Load, a.post, a.done)
	a.transport = libprocess.New(libprocess.Config{
		Listener:  config.Listener,
		Advertise: advertise,
		Logger:    a.logger,
		HTTP: httpapi.New(httpapi.Config{
			View:       a.currentView,
			Executors:  a.executors,
			Files:      a.files,
			Containers: a,
			Build:      httpapi.Build(config.Build),
			PID:        libprocess.UPID{ID: peer.ID, Addr: advertise}.String(),
			Flags:      config.Flags,
			LogFile:    config.LogFile,
			GC:         a.gc.Counts,
			MaxAge:     a.maxAge.get,
			Process:    peer.ID,
			ReadOnly:   config.AuthenticateReadOnly,
			ReadWrite:  config.AuthenticateReadWrite,
			Authorizer: config.Authorizer,
			Logger:     a.logger,

			DisabledEndpoints: config.DisabledEndpoints,
		}),
	})
	a.peer = peer.New(a.transport, a.post, a.logger)
	if config.Authentication != nil {
		a.peer.Authenticate(*config.Authentication, func(err error) {
			select {
			case a.refused <- err:
			default:
			}
		})
	}
	return a, nil
}

// advertise is the address that goes into the agent's UPID.
func (a *Agent) advertise() (netip.AddrPort, error) {
	if a.config.Advertise.IsValid() {
		return a.config.Advertise, nil
	}
	address, err := netip.ParseAddrPort(a.config.Listener.Addr().String())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("agent: the listener has no IP address: %w", err)
	}
	ip := address.Addr().Unmap()
	if !ip.Is4() || ip.IsUnspecified() {
		return netip.AddrPort{}, fmt.Errorf("agent: peers cannot connect to %s: set --ip or --advertise_ip to an IPv4 address of this machine", address)
	}
	return netip.AddrPortFrom(ip, address.Port()), nil
}

// describe makes this run's AgentInfo, without an id.
func (a *Agent) describe(ctx context.Context, advertise netip.AddrPort) (*mesospb.AgentInfo, error) {
	total, err := agentResources(a.config.Resources, a.config.DefaultRole, inspect(a.config.WorkDir))
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	attributes, err := parseAttributes(a.config.Attributes)
	if err != nil {
		return nil, fmt.Errorf("agent: %w", err)
	}
	hostname := a.config.Hostname
	if hostname == "" {
		hostname = advertise.Addr().String()
		if !a.config.NoHostnameLookup {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			if names, err := net.DefaultResolver.LookupAddr(ctx, hostname); err == nil && len(names) > 0 {
				hostname = strings.TrimSuffix(names[0], ".")
			}
		}
	}
	return &mesospb.AgentInfo{
		Hostname:   &hostname,
		Port:       proto.Int32(int32(advertise.Port())),
		Resources:  total.Proto(),
		Attributes: attributes,
		Checkpoint: proto.Bool(true),
	}, nil
}

// recover reads what an earlier run left, and refuses it if this agent is too different.
func (a *Agent) recover(info *mesospb.AgentInfo) error {
	saved, err := checkpoint.Recover(a.layout, !a.config.Lenient)
	if err != nil {
		return a.recoveryFailed(err)
	}
	a.saved = core.Recovered{Saved: saved, Info: info}
	if saved.Info == nil {
		return nil
	}
	old := proto.Clone(saved.Info).(*mesospb.AgentInfo)
	resources.UpgradeAll(old)
	changed, err := compatible(a.config.ReconfigurationPolicy, old, info)
	if err != nil {
		if !saved.Rebooted {
			return a.recoveryFailed(err)
		}
		a.logger.Warn("Falling back to recover as a new agent", "error", err)
		if err := os.Remove(a.layout.LatestAgent()); err != nil {
			return fmt.Errorf("agent: %w", err)
		}
		a.saved.Saved = core.Saved{Rebooted: true, Resources: saved.Resources}
		return nil
	}
	a.saved.Changed = changed
	a.layout.Agent = saved.Info.GetId().GetValue()
	return nil
}

func (a *Agent) recoveryFailed(err error) error {
	return fmt.Errorf("agent: Failed to perform recovery: %w\n"+
		"If recovery failed due to a change in configuration and you want to keep the current agent id,"+
		" change --reconfiguration_policy to a more permissive value.\n"+
		"To restart this agent with a new agent id instead: rm -f %s", err, a.layout.LatestAgent())
}

func (a *Agent) options(advertise netip.AddrPort) core.Options {
	environment := map[string]string{"LIBPROCESS_IP": advertise.Addr().String()}
	for name, value := range a.config.ExecutorEnvironment {
		environment[name] = value
	}
	return core.Options{
		Version:                       a.config.Build.Version,
		UPID:                          libprocess.UPID{ID: peer.ID, Addr: advertise}.String(),
		Endpoint:                      advertise.String(),
		IP:                            advertise.Addr().String(),
		Sandbox:                       func(run core.RunID) string { return a.run(run).Sandbox() },
		PIDFile:                       func(run core.RunID) string { return a.run(run).ForkedPID() },
		Executable:                    a.executable,
		LauncherDir:                   a.config.LauncherDir,
		SandboxDirectory:              a.config.SandboxDirectory,
		Isolation:                     a.config.Flags["isolation"],
		SwitchUser:                    !a.config.KeepUser,
		HTTPCommandExecutor:           a.config.HTTPCommandExecutor,
		Environment:                   environment,
		Cleanup:                       a.config.Recover == "cleanup",
		RecoveryTimeout:               a.config.RecoveryTimeout,
		ExecutorRegistrationTimeout:   a.config.ExecutorRegistrationTimeout,
		ExecutorReregistrationTimeout: a.config.ExecutorReregistrationTimeout,
		ExecutorShutdownGracePeriod:   a.config.ExecutorShutdownGracePeriod,
		RegistrationBackoffFactor:     a.config.RegistrationBackoffFactor,
		Authenticates:                 a.config.Authentication != nil,
		MaxCompletedExecutors:         a.config.MaxCompletedExecutors,
		Random:                        rand.Float64,
		NewUUID:                       func() []byte { return ids.NewUUID().Bytes() },
		NewContainerID:                func() string { return ids.NewContainerID().GetValue() },
	}
}

// executable is the program of --launcher_dir with that name, or else the running
// binary, which answers to the name as its argv[0].
func (a *Agent) executable(name string) (string, error) {
	path := filepath.Join(a.config.LauncherDir, name)
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		return real, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return os.Executable()
}

// run gives the directories of one run.
func (a *Agent) run(run core.RunID) checkpoint.Run {
	return a.layout.Framework(run.Framework).Executor(run.Executor).Run(run.Container)
}

// Shutdown unregisters from the master, ends every executor and makes Run return
// once they are gone, as SIGUSR1 does to the original agent. The next run on the
// same WorkDir comes back with the same agent id. It may be called from any
// goroutine, more than once.
func (a *Agent) Shutdown(reason string) {
	a.shutdownOnce.Do(func() { a.shutdown <- reason })
}

// Hurry kills what a Shutdown still waits for: a task may ask for a grace period of any
// length. It may be called from any goroutine.
func (a *Agent) Hurry() { a.post(core.Hurry{}) }

// Usage gives a container's statistics; nil if they are not known.
func (a *Agent) Usage(ctx context.Context, run core.RunID) *mesospb.ResourceStatistics {
	if owner := a.containerOwner(run); owner != nil {
		if usage, err := owner.Usage(ctx, containerOf(run)); err == nil {
			return usage
		}
	}
	return nil
}

// Status gives a container's status; nil if it is not known.
func (a *Agent) Status(ctx context.Context, run core.RunID) *mesospb.ContainerStatus {
	if owner := a.containerOwner(run); owner != nil {
		if status, err := owner.Status(ctx, containerOf(run)); err == nil {
			return status
		}
	}
	return nil
}

func (a *Agent) containerOwner(run core.RunID) containerizer.Containerizer {
	if a.containers == nil {
		return nil
	}
	return a.containers.owner(run)
}
