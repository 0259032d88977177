// Package mesos is the Mesos containerizer with the posix launcher: containers are plain
// process trees, each in its own session, with the sandbox as working directory.
//
// Comes in: a Spec. Goes out: a running executor that outlives the agent, and one Termination when its
// first process has ended and nothing of its tree lives any more.
package mesos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/proctree"
	"stoa/agent/fetcher"
	"stoa/internal/mesos/mesospb"
)

// maxTerminated bounds how many terminations are kept for a Wait that has not come yet.
const maxTerminated = 4096

// killTimeout bounds how long the end of a process tree is waited for. Only processes in
// uninterruptible sleep (a dead NFS server) get this far.
const killTimeout = time.Minute

// Config is what the containerizer needs.
type Config struct {
	// LauncherDir is --launcher_dir. If it holds a program mesos-executor, that runs command tasks;
	// otherwise the binary's own executor does.
	LauncherDir string
	// WorkDir is --work_dir; persistent volumes are linked from there. Optional.
	WorkDir string
	// RuntimeDir is --runtime_dir. Below containers/ it gets one directory per container, by which
	// containers are found that the agent no longer knows of. Empty: no such search.
	RuntimeDir string
	// Executable is the binary that is started again for the built-in executors; empty means the
	// running one.
	Executable string
	// SwitchUser is --switch_user: run executors as the Spec's user.
	SwitchUser bool
	// Isolation is --isolation, split at the commas. Only posix/rlimits changes what is done.
	Isolation []string
	// Fetcher fetches the URIs. Required.
	Fetcher *fetcher.Fetcher
	Logger  *slog.Logger
}

// Containerizer implements containerizer.Containerizer with plain processes.
type Containerizer struct {
	config Config
	logger *slog.Logger

	mu         sync.Mutex
	containers map[string]*container
	// terminated keeps the ends of containers nobody waited for, oldest first in order.
	terminated map[string]containerizer.Termination
	order      []string
}

// container is one container that was launched or recovered and has not ended.
type container struct {
	id      string
	spec    containerizer.Spec
	cancel  context.CancelFunc // ends a launch under way
	root    proctree.Root
	started uint64        // start time of the first process
	running chan struct{} // closed when the launch is over, well or not
	ended   chan struct{} // closed after the Termination was given
	waiters []chan containerizer.Termination

	destroyed bool
	resources []*mesospb.Resource
}

var _ containerizer.Containerizer = (*Containerizer)(nil)

// New makes a containerizer. It fails if the configuration cannot work.
func New(config Config) (*Containerizer, error) {
	if config.Fetcher == nil {
		return nil, errors.New("mesos containerizer: a fetcher is required")
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Executable == "" {
		executable, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("mesos containerizer: find the running binary: %w", err)
		}
		config.Executable = executable
	}
	if config.RuntimeDir != "" {
		if err := os.MkdirAll(filepath.Join(config.RuntimeDir, "containers"), 0o755); err != nil {
			return nil, fmt.Errorf("mesos containerizer: --runtime_dir: %w", err)
		}
	}
	return &Containerizer{
		config:     config,
		logger:     config.Logger.With("containerizer", "mesos"),
		containers: make(map[string]*container),
		terminated: make(map[string]containerizer.Termination),
	}, nil
}

// Update changes the resources of a running container: persistent volumes are linked into the
// sandbox or taken away. Processor and memory are not limited by this containerizer.
func (c *Containerizer) Update(_ context.Context, id *mesospb.ContainerID, resources []*mesospb.Resource) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	box, ok := c.containers[id.GetValue()]
	if !ok {
		return errors.New("Unknown container")
	}
	if err := c.linkVolumes(box.spec.Sandbox, box.resources, resources); err != nil {
		return err
	}
	box.resources = resources
	return nil
}

// Wait returns a channel that gives the container's Termination once. The end of a container that
// nobody waited for is kept, so Wait may come late; after that the container is unknown.
func (c *Containerizer) Wait(id *mesospb.ContainerID) <-chan containerizer.Termination {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan containerizer.Termination, 1)
	if box, ok := c.containers[id.GetValue()]; ok {
		box.waiters = append(box.waiters, ch)
		return ch
	}
	if termination, ok := c.terminated[id.GetValue()]; ok {
		ch <- termination
		close(ch)
		return ch
	}
	return nil
}

// Destroy ends the container's processes and returns when none is left.
func (c *Containerizer) Destroy(ctx context.Context, id *mesospb.ContainerID) error {
	c.mu.Lock()
	box, ok := c.containers[id.GetValue()]
	if !ok {
		c.mu.Unlock()
		return nil
	}
	box.destroyed = true
	cancel := box.cancel
	c.mu.Unlock()

	if cancel != nil {
		cancel()
	}
	select {
	case <-box.running:
	case <-ctx.Done():
		return fmt.Errorf("destroy container %s: %w", box.id, ctx.Err())
	}
	c.mu.Lock()
	root := box.root
	c.mu.Unlock()
	if root.PID > 0 {
		if err := root.Kill(ctx); err != nil {
			return fmt.Errorf("destroy container %s: %w", box.id, err)
		}
	}
	select {
	case <-box.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("destroy container %s: %w", box.id, ctx.Err())
	}
}

// add registers a container, or tells that it exists already.
func (c *Containerizer) add(box *container) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.containers[box.id]; ok {
		return fmt.Errorf("Container '%s' already started", box.id)
	}
	c.containers[box.id] = box
	return nil
}

// finish gives the Termination to everyone who waits and forgets the container. The
// runtime directory goes before, so that a crash in between cannot lose an orphan.
func (c *Containerizer) finish(box *container, termination containerizer.Termination) {
	c.removeRuntimeDir(box.id)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.containers, box.id)
	if len(box.waiters) == 0 {
		c.keepTermination(box.id, termination)
	}
	for _, ch := range box.waiters {
		ch <- termination
		close(ch)
	}
	box.waiters = nil
	close(box.ended)
}

// keepTermination needs c.mu.
func (c *Containerizer) keepTermination(id string, termination containerizer.Termination) {
	if _, ok := c.terminated[id]; !ok {
		c.order = append(c.order, id)
	}
	c.terminated[id] = termination
	for len(c.order) > maxTerminated {
		delete(c.terminated, c.order[0])
		c.order = c.order[1:]
	}
}
