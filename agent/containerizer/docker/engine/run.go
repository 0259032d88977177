package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// RunError is a container that did not begin to run. Status is the exit status that the docker command
// has in this case: 125, or 126 and 127 if the command could not be executed or found.
type RunError struct {
	Status int
	Err    error
}

func (e *RunError) Error() string { return e.Err.Error() }

// Unwrap gives the engine's error.
func (e *RunError) Unwrap() error { return e.Err }

// Running is a container with its output attached.
type Running struct {
	engine *Engine
	name   string
	output chan error
	result <-chan container.WaitResponse
	failed <-chan error
	cancel context.CancelFunc
}

// Run creates and starts a container with its output going to stdout and stderr, as an attached
// `docker run` does. The error is a *RunError. The context bounds creation and start only.
func (e *Engine) Run(ctx context.Context, options *Options, stdout, stderr io.Writer) (*Running, error) {
	created, err := e.api.ContainerCreate(ctx, options.config, options.host, options.network, nil, options.name)
	if err != nil {
		return nil, &RunError{125, err}
	}
	for _, warning := range created.Warnings {
		fmt.Fprintf(stderr, "WARNING: %s\n", warning)
	}
	background, cancel := context.WithCancel(context.Background())
	// Attached before the start, so that nothing it prints is missed.
	attached, err := e.api.ContainerAttach(background, created.ID, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		cancel()
		return nil, &RunError{125, err}
	}
	r := &Running{engine: e, name: created.ID, output: make(chan error, 1), cancel: cancel}
	go func() {
		defer attached.Close()
		var err error
		if options.config.Tty {
			_, err = io.Copy(stdout, attached.Reader)
		} else {
			_, err = stdcopy.StdCopy(stdout, stderr, attached.Reader)
		}
		r.output <- err
	}()
	condition := container.WaitConditionNextExit
	if options.host.AutoRemove {
		condition = container.WaitConditionRemoved
	}
	r.result, r.failed = e.api.ContainerWait(background, created.ID, condition)
	if err := e.api.ContainerStart(ctx, created.ID, container.StartOptions{}); err != nil {
		cancel()
		attached.Close()
		return nil, &RunError{startStatus(err), err}
	}
	return r, nil
}

// startStatus is the docker command's exit status for a failed start.
func startStatus(err error) int {
	text := err.Error()
	switch {
	case strings.Contains(text, "executable file not found"), strings.Contains(text, "no such file or directory"):
		return 127
	case strings.Contains(text, "permission denied"):
		return 126
	}
	return 125
}

// enginePollInterval is how often an engine that went away is asked for the container's state.
const enginePollInterval = time.Second

// outputPatience bounds how long output is waited for after the container's end.
const outputPatience = 5 * time.Second

// ErrExitUnknown says that the container is gone and nobody knows how it ended.
var ErrExitUnknown = errors.New("Failed to get exit status of container")

// Wait waits until the container has ended and all its output is written, and gives its exit status. While the
// engine is away it waits for it to come back, as long as alive says that the container's process lives.
func (r *Running) Wait(ctx context.Context, alive func() bool) (int, error) {
	defer r.cancel()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case response := <-r.result:
		r.drain(ctx)
		if response.Error != nil && response.Error.Message != "" {
			return 0, errors.New(response.Error.Message)
		}
		return int(response.StatusCode), nil
	case <-r.failed:
	}
	status, err := r.poll(ctx, alive)
	r.drain(ctx)
	return status, err
}

func (r *Running) drain(ctx context.Context) {
	timer := time.NewTimer(outputPatience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-r.output:
	}
}

// lostAfter is how long the engine may be away after the container's process has ended. The
// original waits as long for a docker command that misses the end.
const lostAfter = time.Minute

func (r *Running) poll(ctx context.Context, alive func() bool) (int, error) {
	var deadSince time.Time
	for {
		state, err := r.engine.Inspect(ctx, r.name)
		switch {
		case err == nil && !state.Running:
			return state.ExitCode, nil
		case IsNotFound(err):
			return 0, ErrExitUnknown
		}
		switch {
		case alive():
			deadSince = time.Time{}
		case deadSince.IsZero():
			deadSince = time.Now()
		case time.Since(deadSince) > lostAfter:
			return 0, ErrExitUnknown
		}
		timer := time.NewTimer(enginePollInterval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0, ctx.Err()
		case <-timer.C:
		}
	}
}

// killExec ends a command that took too long. The API has no call for it, but its process is one of this
// machine.
func (e *Engine) killExec(id string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if inspected, err := e.api.ContainerExecInspect(ctx, id); err == nil && inspected.Running && inspected.Pid > 1 {
		_ = syscall.Kill(inspected.Pid, syscall.SIGKILL)
	}
}

// Exec runs a command in a container and gives its exit status. Its output goes to w.
func (e *Engine) Exec(ctx context.Context, name string, argv, env []string, w io.Writer) (int, error) {
	created, err := e.api.ContainerExecCreate(ctx, name, container.ExecOptions{
		Cmd: argv, Env: env, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return 0, err
	}
	attached, err := e.api.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	if err != nil {
		return 0, err
	}
	defer attached.Close()
	stop := context.AfterFunc(ctx, attached.Close)
	defer stop()
	if _, err := stdcopy.StdCopy(w, w, attached.Reader); err != nil && ctx.Err() == nil {
		return 0, err
	}
	if ctx.Err() != nil {
		e.killExec(created.ID)
		return 0, ctx.Err()
	}
	inspected, err := e.api.ContainerExecInspect(ctx, created.ID)
	if err != nil {
		return 0, err
	}
	return inspected.ExitCode, nil
}
