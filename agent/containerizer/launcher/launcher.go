// Package launcher is the posix launcher that the containerizers share: it starts the first process of a
// container in a session of its own, so that it outlives the agent, finds it again after a
// restart, and ends the whole process tree.
//
// Comes in: a Spec and a Program. Goes out: a running process and one Termination when it has ended
// and nothing of its tree lives any more. It never decides what runs.
package launcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/proctree"
	"stoa/internal/mesos/mesospb"
)

// maxTerminated bounds how many terminations are kept for a Wait that comes late.
const maxTerminated = 4096

// killTimeout bounds how long the end of a process tree is waited for. Only processes in
// uninterruptible sleep (a dead NFS server) get this far.
const killTimeout = time.Minute

// ErrUnknown is the original's text for a container that does not exist.
var ErrUnknown = errors.New("Unknown container")

// Config is what the launcher needs.
type Config struct {
	// RuntimeDir is --runtime_dir. Below containers/ it gets one directory per container, by which
	// containers are found that the agent no longer knows of. Empty: no such search.
	RuntimeDir string
	// Executable is the binary that is started again; empty means the running one.
	Executable string
	// SwitchUser is --switch_user: run containers as the Spec's user.
	SwitchUser bool
	// Ended, if set, is called after the process tree of a container that ran is gone and before
	// its Termination is given, which it may amend. The context bounds it.
	Ended  func(ctx context.Context, spec containerizer.Spec, termination *containerizer.Termination)
	Logger *slog.Logger
}

// Launcher starts and supervises first processes. Its methods may be called from any goroutine.
type Launcher struct {
	config Config
	logger *slog.Logger

	mu         sync.Mutex
	containers map[string]*container
	// terminated keeps the ends of containers for a Wait that comes late, oldest first in order.
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
	// released is true once the first process was let go.
	released bool
	// recovered is true if an earlier run of the agent launched it.
	recovered bool
	resources []*mesospb.Resource
}

// New makes a launcher. It fails if the configuration cannot work.
func New(config Config) (*Launcher, error) {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Executable == "" {
		executable, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("launcher: find the running binary: %w", err)
		}
		config.Executable = executable
	}
	if config.RuntimeDir != "" {
		if err := os.MkdirAll(filepath.Join(config.RuntimeDir, "containers"), 0o755); err != nil {
			return nil, fmt.Errorf("launcher: --runtime_dir: %w", err)
		}
	}
	return &Launcher{
		config:     config,
		logger:     config.Logger,
		containers: make(map[string]*container),
		terminated: make(map[string]containerizer.Termination),
	}, nil
}

// Has tells whether the container is launching or running.
func (l *Launcher) Has(id *mesospb.ContainerID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.containers[id.GetValue()]
	return ok
}

// Update notes new resources after change, called with the sandbox, the old and the new ones,
// carried them out.
func (l *Launcher) Update(id *mesospb.ContainerID, resources []*mesospb.Resource, change func(spec containerizer.Spec, before, after []*mesospb.Resource) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	box, ok := l.containers[id.GetValue()]
	if !ok {
		return ErrUnknown
	}
	if change != nil {
		if err := change(box.spec, box.resources, resources); err != nil {
			return err
		}
	}
	box.resources = resources
	return nil
}

// Wait returns a channel that gives the container's Termination once. The ends of the last few thousand
// containers are kept, so Wait may come late; an unknown container gives nil.
func (l *Launcher) Wait(id *mesospb.ContainerID) <-chan containerizer.Termination {
	l.mu.Lock()
	defer l.mu.Unlock()
	ch := make(chan containerizer.Termination, 1)
	if box, ok := l.containers[id.GetValue()]; ok {
		box.waiters = append(box.waiters, ch)
		return ch
	}
	if termination, ok := l.terminated[id.GetValue()]; ok {
		ch <- termination
		close(ch)
		return ch
	}
	return nil
}

// Destroy ends the container's processes and returns when none is left and its Termination
// was given. An unknown container is no error.
func (l *Launcher) Destroy(ctx context.Context, id *mesospb.ContainerID) error {
	l.mu.Lock()
	box, ok := l.containers[id.GetValue()]
	if !ok {
		l.mu.Unlock()
		return nil
	}
	box.destroyed = true
	cancel := box.cancel
	l.mu.Unlock()

	if cancel != nil {
		cancel()
	}
	select {
	case <-box.running:
	case <-ctx.Done():
		return fmt.Errorf("destroy container %s: %w", box.id, ctx.Err())
	}
	l.mu.Lock()
	root, started := box.root, box.started
	l.mu.Unlock()
	if root.PID > 0 {
		if box.recovered && ended(root.PID, started) {
			// Not the agent's child: its pid may be another process's by now.
			root.PID = 0
		}
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

// Status tells the container's id and the pid of its first process.
func (l *Launcher) Status(id *mesospb.ContainerID) (*mesospb.ContainerStatus, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	box, ok := l.containers[id.GetValue()]
	if !ok {
		return nil, ErrUnknown
	}
	status := &mesospb.ContainerStatus{ContainerId: &mesospb.ContainerID{Value: proto.String(box.id)}}
	if box.root.PID > 0 {
		status.ExecutorPid = proto.Uint32(uint32(box.root.PID))
	}
	return status, nil
}

// add registers a container, or tells that it exists already.
func (l *Launcher) add(box *container) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.containers[box.id]; ok {
		return fmt.Errorf("Container '%s' already started", box.id)
	}
	l.containers[box.id] = box
	return nil
}

// finish gives the Termination to everyone who waits and forgets the container.
func (l *Launcher) finish(box *container, termination containerizer.Termination) {
	if l.config.Ended != nil && box.released {
		ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
		l.config.Ended(ctx, box.spec, &termination)
		cancel()
	}
	l.removeRuntimeDir(box.id)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.containers, box.id)
	l.keepTermination(box.id, termination)
	for _, ch := range box.waiters {
		ch <- termination
		close(ch)
	}
	box.waiters = nil
	close(box.ended)
}

// keepTermination needs l.mu.
func (l *Launcher) keepTermination(id string, termination containerizer.Termination) {
	if _, ok := l.terminated[id]; !ok {
		l.order = append(l.order, id)
	}
	l.terminated[id] = termination
	for len(l.order) > maxTerminated {
		delete(l.terminated, l.order[0])
		l.order = l.order[1:]
	}
}
