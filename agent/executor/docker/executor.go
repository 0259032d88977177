// Package docker is the docker executor, the process `mesos-docker-executor`: it runs the
// container of one task through the engine and reports on it.
//
// Comes in: events of the agent and what becomes of the container. Goes out: status updates and requests to
// the engine. It outlives its agent, and the container outlives nobody: whoever ends
// this process removes the container. It never pulls images.
package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	ossignal "os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"stoa/agent/containerizer/docker/engine"
	"stoa/agent/containerizer/launch"
	"stoa/agent/executor/glog"
	"stoa/agent/executor/session"
	"stoa/agent/health"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

// Name is the argv[0] under which the binary is the docker executor.
const Name = "mesos-docker-executor"

// Main is the process `mesos-docker-executor`; args are its flags. It returns the exit status. ctx
// only ends in tests.
func Main(ctx context.Context, args, env []string) int {
	_, env, err := launch.Await(env)
	if errors.Is(err, launch.ErrAbandoned) {
		return 1
	}
	// It mostly waits, and there is one for every task of the machine.
	runtime.GOMAXPROCS(1)
	logger := glog.New(os.Stderr)
	var flags settings
	if err == nil {
		flags, err = readFlags(args)
	}
	var docker *engine.Engine
	if err == nil {
		docker, err = engine.New(flags.socket)
	}
	var environment session.Environment
	if err == nil && !flags.only {
		environment, err = session.ReadEnvironment(env)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer docker.Close()
	// The session of the agent may end; this process goes on.
	ignored := make(chan os.Signal, 1)
	ossignal.Notify(ignored, syscall.SIGHUP, syscall.SIGPIPE)
	defer ossignal.Stop(ignored)
	terminate := make(chan os.Signal, 1)
	ossignal.Notify(terminate, syscall.SIGTERM, syscall.SIGINT)
	defer ossignal.Stop(terminate)

	if flags.only {
		return runOnly(ctx, docker, flags, env, logger, terminate)
	}
	// The deprecated flag still counts if it is the longer one.
	grace := max(environment.ShutdownGracePeriod, flags.stopTimeout)
	return newExecutor(environment, flags, docker, grace, logger).run(ctx, terminate)
}

// executor owns the core and carries out its effects, in one goroutine.
type executor struct {
	core    *core
	env     session.Environment
	flags   settings
	docker  *engine.Engine
	logger  *slog.Logger
	session *session.Session
	// events are functions for the loop. Only the loop calls them.
	events chan func(now time.Time) []effect
	done   chan struct{}

	// pid is the container's first process once it runs.
	pid        int
	stopProbes context.CancelFunc
	stopping   context.CancelFunc
	code       *int
}

func newExecutor(env session.Environment, flags settings, docker *engine.Engine, grace time.Duration, logger *slog.Logger) *executor {
	e := &executor{
		core:   newCore(env, grace),
		env:    env,
		flags:  flags,
		docker: docker,
		logger: logger,
		events: make(chan func(time.Time) []effect, 16),
		done:   make(chan struct{}),
	}
	e.session = session.New(env, handler{e}, logger)
	return e
}

// run is the loop.
func (e *executor) run(ctx context.Context, terminate <-chan os.Signal) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(e.done)
	go func() {
		if err := e.session.Run(ctx); errors.Is(err, session.ErrAgentGone) {
			e.logger.Info(fmt.Sprintf("Disconnected from agent: %v; Shutting down", err))
			e.post(e.core.agentGone)
		}
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for e.code == nil {
		next := time.Hour
		if deadline := e.core.deadline(); !deadline.IsZero() {
			next = time.Until(deadline)
		}
		timer.Reset(next)
		var effects []effect
		select {
		case <-ctx.Done():
			return 1
		case <-terminate:
			effects = e.core.shutdown(time.Now())
		case event := <-e.events:
			effects = event(time.Now())
		case <-timer.C:
			effects = e.core.tick(time.Now())
		}
		e.carryOut(ctx, effects)
	}
	return *e.code
}

// post hands a function to the loop; it is dropped once the loop has ended.
func (e *executor) post(event func(now time.Time) []effect) {
	select {
	case e.events <- event:
	case <-e.done:
	}
}

func (e *executor) carryOut(ctx context.Context, effects []effect) {
	for _, effect := range effects {
		switch effect := effect.(type) {
		case say:
			e.logger.Info(effect.text)
		case send:
			e.session.Send(effect.call)
		case run:
			e.start(ctx, effect.task)
		case probe:
			e.probe(ctx, effect.task)
		case stopProbes:
			if e.stopProbes != nil {
				e.stopProbes()
			}
		case stop:
			e.stop(ctx, effect.grace)
		case exit:
			if e.code == nil {
				e.code = &effect.code
			}
		}
	}
}

// start runs the container and sees it to its end, in a goroutine.
func (e *executor) start(ctx context.Context, task *mesospb.TaskInfo) {
	options, err := engine.NewOptions(engine.Request{
		Name:            e.flags.container,
		Container:       task.GetContainer(),
		Command:         task.GetCommand(),
		Sandbox:         e.flags.sandbox,
		MappedDirectory: e.flags.mapped,
		Resources:       append(task.GetResources()[:len(task.GetResources()):len(task.GetResources())], task.GetExecutor().GetResources()...),
		Limits:          task.GetLimits(),
		Environment:     e.flags.taskEnvironment,
		Volumes:         e.flags.volumes,
		EnableCFS:       e.flags.enableCFS,
		DNS:             e.flags.dns,
	})
	if err != nil {
		e.carryOut(ctx, e.core.failed(time.Now(), "Failed to create docker run options: "+err.Error()))
		return
	}
	go func() {
		running, err := e.docker.Run(ctx, options, os.Stdout, os.Stderr)
		if err != nil {
			status := 125
			if failure := (*engine.RunError)(nil); errors.As(err, &failure) {
				status = failure.Status
			}
			fmt.Fprintf(os.Stderr, "docker: %v.\n", strings.TrimRight(err.Error(), "."))
			e.post(func(now time.Time) []effect { return e.core.refused(now, status, err) })
			return
		}
		pid := e.inspect(ctx)
		status, err := running.Wait(ctx, func() bool { return pid > 1 && syscall.Kill(pid, 0) == nil })
		e.post(func(now time.Time) []effect {
			if err != nil {
				return e.core.failed(now, err.Error())
			}
			return e.core.exited(now, status)
		})
	}()
}

// inspectInterval is the pause between two attempts to inspect the container after its start.
const inspectInterval = 500 * time.Millisecond

// inspect tells the core that the container runs and gives its pid.
func (e *executor) inspect(ctx context.Context) int {
	for {
		container, err := e.docker.Inspect(ctx, e.flags.container)
		switch {
		case err == nil && container.Started:
			addresses := addressesOf(container)
			e.post(func(now time.Time) []effect {
				e.pid = container.PID
				return e.core.running(now, container.JSON, addresses)
			})
			return container.PID
		case engine.IsNotFound(err):
			// It ended and removed itself already.
			return 0
		case err != nil:
			e.logger.Error(fmt.Sprintf("Failed to inspect container '%s': %v", e.flags.container, err))
		}
		timer := time.NewTimer(inspectInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0
		case <-timer.C:
		}
	}
}

func addressesOf(container engine.Container) []*mesospb.NetworkInfo_IPAddress {
	var addresses []*mesospb.NetworkInfo_IPAddress
	if container.IPAddress != "" {
		addresses = append(addresses, &mesospb.NetworkInfo_IPAddress{IpAddress: &container.IPAddress})
	}
	if container.IP6Address != "" {
		addresses = append(addresses, &mesospb.NetworkInfo_IPAddress{
			Protocol: mesospb.NetworkInfo_IPv6.Enum(), IpAddress: &container.IP6Address,
		})
	}
	return addresses
}

// stopReserve is what the engine gets beyond the grace period to answer.
const stopReserve = 30 * time.Second

func (e *executor) stop(ctx context.Context, grace time.Duration) {
	if e.stopping != nil {
		e.stopping()
	}
	ctx, cancel := context.WithTimeout(ctx, grace+stopReserve)
	e.stopping = cancel
	go func() {
		defer cancel()
		err := e.docker.Stop(ctx, e.flags.container, grace)
		if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
			e.post(func(now time.Time) []effect { return e.core.stopFailed(now, err) })
		}
	}()
}

// probe starts the task's health check. Its results come back to the loop.
func (e *executor) probe(ctx context.Context, task *mesospb.TaskInfo) {
	p, err := health.ForHealthCheck(task.GetHealthCheck())
	if err != nil {
		e.logger.Error(fmt.Sprintf("Failed to create health checker: %v", err))
		return
	}
	ctx, e.stopProbes = context.WithCancel(ctx)
	go p.Run(ctx, inside{e.docker, e.flags.container, e.pid}, func(status *mesospb.CheckStatusInfo, err error) {
		if err == nil {
			err = health.Healthy(status)
		}
		e.post(func(now time.Time) []effect { return e.core.healthResult(now, err) })
	})
}

// handler passes what the session says to the loop.
type handler struct{ e *executor }

// Connecting waits for the loop's answer.
func (h handler) Connecting() *executorpb.Call_Subscribe {
	answer := make(chan *executorpb.Call_Subscribe, 1)
	h.e.post(func(time.Time) []effect {
		answer <- h.e.core.updates.Subscribe()
		return nil
	})
	select {
	case subscribe := <-answer:
		return subscribe
	case <-h.e.done:
		return &executorpb.Call_Subscribe{}
	}
}

// Event passes an event on.
func (h handler) Event(event *executorpb.Event) {
	h.e.post(func(now time.Time) []effect { return h.e.core.event(now, event) })
}

// Disconnected only logs: updates are kept until the agent is back.
func (h handler) Disconnected(error) { h.e.logger.Info("Disconnected from the agent") }
