// Package command is the command executor, the process `mesos-executor`: it runs the one
// command of a task that brings no executor of its own.
//
// Comes in: events of the agent, the end of the task, results of checks. Goes out: status updates
// and signals to the task. It outlives its agent and comes back to the next one. It never starts a second
// task.
package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	ossignal "os/signal"
	"runtime"
	"syscall"
	"time"

	"stoa/agent/containerizer/launch"
	"stoa/agent/executor/glog"
	"stoa/agent/executor/session"
	"stoa/agent/health"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

// Name is the argv[0] under which the binary is the command executor.
const Name = "mesos-executor"

// version is the release whose executor this one behaves like.
const version = "1.11.0"

// Main is the process `mesos-executor`. Its arguments are the original's flags, of which none changes
// what it does here. It returns the exit status. ctx only ends in tests.
func Main(ctx context.Context, _ []string, env []string) int {
	_, env, err := launch.Await(env)
	if errors.Is(err, launch.ErrAbandoned) {
		return 1
	}
	// It mostly waits, and there is one for every task of the machine.
	runtime.GOMAXPROCS(1)
	logger := glog.New(os.Stderr)
	var environment session.Environment
	if err == nil {
		environment, err = session.ReadEnvironment(env)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// The session of the agent may end; this process goes on. Handlers, unlike ignored
	// signals, are not inherited by the task.
	ignored := make(chan os.Signal, 1)
	ossignal.Notify(ignored, syscall.SIGHUP, syscall.SIGPIPE)
	defer ossignal.Stop(ignored)
	terminate := make(chan os.Signal, 1)
	ossignal.Notify(terminate, syscall.SIGTERM, syscall.SIGINT)
	defer ossignal.Stop(terminate)

	logger.Info("Version: " + version)
	return newExecutor(environment, logger).run(ctx, terminate)
}

// executor owns the core and carries out its effects, in one goroutine.
type executor struct {
	core    *core
	env     session.Environment
	logger  *slog.Logger
	session *session.Session
	// events are functions for the loop. Only the loop calls them.
	events chan func(now time.Time) []effect
	done   chan struct{}

	task       *taskProcess
	stopProbes context.CancelFunc
	code       *int
}

func newExecutor(env session.Environment, logger *slog.Logger) *executor {
	e := &executor{
		core:   newCore(env),
		env:    env,
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
		case start:
			e.start(ctx, effect.task)
		case probe:
			e.probe(ctx, effect.task)
		case stopProbes:
			if e.stopProbes != nil {
				e.stopProbes()
			}
		case signal:
			e.task.signal(effect.signal, e.logger)
		case exit:
			if e.code == nil {
				e.code = &effect.code
			}
		}
	}
}

func (e *executor) start(ctx context.Context, task *mesospb.TaskInfo) {
	process, err := run(task, e.env.Rest, e.logger, func(pid int, how session.Exit) {
		e.post(func(now time.Time) []effect { return e.core.exited(now, pid, how) })
	})
	e.task = process
	e.carryOut(ctx, e.core.started(time.Now(), process.pid, err))
}

// probe starts the task's check and health check. Their results come back to the loop.
func (e *executor) probe(ctx context.Context, task *mesospb.TaskInfo) {
	ctx, e.stopProbes = context.WithCancel(ctx)
	runtime := health.Plain{Environment: e.env.Rest, Output: os.Stderr}
	if task.GetCheck() != nil {
		p, err := health.ForCheck(task.GetCheck())
		if err != nil {
			e.logger.Error(fmt.Sprintf("Failed to create checker: %v", err))
		} else {
			go p.Run(ctx, runtime, func(status *mesospb.CheckStatusInfo, err error) {
				if err != nil {
					e.logger.Warn(fmt.Sprintf("%s check for task '%s' failed: %v", p.Kind(), task.GetTaskId().GetValue(), err))
				}
				e.post(func(now time.Time) []effect { return e.core.checkResult(now, status) })
			})
		}
	}
	if task.GetHealthCheck() != nil {
		p, err := health.ForHealthCheck(task.GetHealthCheck())
		if err != nil {
			e.logger.Error(fmt.Sprintf("Failed to create health checker: %v", err))
			return
		}
		go p.Run(ctx, runtime, func(status *mesospb.CheckStatusInfo, err error) {
			if err == nil {
				err = health.Healthy(status)
			}
			e.post(func(now time.Time) []effect { return e.core.healthResult(now, err) })
		})
	}
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
func (h handler) Disconnected(err error) {
	h.e.logger.Info(fmt.Sprintf("Disconnected from agent: %v", err))
}
