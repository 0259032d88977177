package launcher

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/proctree"
)

// Recover takes a known container over if its first process still lives. Otherwise it ends what is left of
// it and gives a Termination without a wait status.
func (l *Launcher) Recover(ctx context.Context, recovered containerizer.Recovered) {
	box := &container{
		id:        recovered.Spec.ID.GetValue(),
		spec:      recovered.Spec,
		running:   make(chan struct{}),
		ended:     make(chan struct{}),
		recovered: true,
		released:  true,
		resources: recovered.Spec.Resources,
	}
	close(box.running)
	box.root = proctree.Root{Mark: Mark(recovered.Spec)}
	if first, ok := identify(recovered); ok {
		box.root.PID = first.PID
		box.root.Since = first.Started
		box.started = first.Started
	}
	if err := l.add(box); err != nil {
		return
	}
	if box.root.PID == 0 {
		// The executor is gone, but what it started may not be.
		if err := box.root.Kill(ctx); err != nil {
			l.logger.Error("processes of a container that ended are left", "container", box.id, "error", err)
		}
		l.finish(box, containerizer.Termination{})
		return
	}
	l.logger.Info("container recovered", "container", box.id, "pid", box.root.PID)
	go l.superviseRecovered(box)
}

// identify finds the container's first process. A pid alone proves nothing after a reboot or a
// long time, so the process must also carry the sandbox's path in its environment. (That
// of the original's launch helper has it, too.)
func identify(recovered containerizer.Recovered) (proctree.Process, bool) {
	if recovered.PID <= 1 || recovered.Spec.Sandbox == "" {
		return proctree.Process{}, false
	}
	first, err := proctree.Lookup(recovered.PID)
	if err != nil || first.Dead() || !proctree.EnvironContains(recovered.PID, recovered.Spec.Sandbox) {
		return proctree.Process{}, false
	}
	return first, true
}

// superviseRecovered waits for a first process that is not the agent's child. Its
// wait status is nobody's to read.
func (l *Launcher) superviseRecovered(box *container) {
	awaitExit(context.Background(), box.root.PID, box.started)
	// The pid was reaped by init and may be anyone's by now; the mark is enough.
	l.killLeftovers(box.id, proctree.Root{Mark: box.root.Mark, Since: box.root.Since})
	l.finish(box, containerizer.Termination{})
}

func (l *Launcher) runtimeDir(id string) string {
	if l.config.RuntimeDir == "" {
		return ""
	}
	return filepath.Join(l.config.RuntimeDir, "containers", id)
}

func (l *Launcher) runtimePIDFile(id string) string {
	if l.config.RuntimeDir == "" {
		return ""
	}
	return filepath.Join(l.runtimeDir(id), "pid")
}

func (l *Launcher) removeRuntimeDir(id string) {
	if dir := l.runtimeDir(id); dir != "" {
		if err := os.RemoveAll(dir); err != nil {
			l.logger.Error("remove the runtime directory of a container", "container", id, "error", err)
		}
	}
}

// RemoveOrphans ends what runs for containers of the runtime directory that are not among the known ids.
func (l *Launcher) RemoveOrphans(ctx context.Context, known map[string]bool) error {
	if l.config.RuntimeDir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(l.config.RuntimeDir, "containers"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		id := entry.Name()
		if known[id] || !entry.IsDir() {
			continue
		}
		l.mu.Lock()
		_, running := l.containers[id]
		l.mu.Unlock()
		if running {
			continue
		}
		data, err := os.ReadFile(l.runtimePIDFile(id))
		if err != nil {
			// Another program's directory, or one that never got a pid.
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
		if err != nil {
			continue
		}
		root := proctree.Root{}
		if proctree.EnvironContains(pid, "/"+id) {
			root.PID = pid
		}
		root.Mark, _ = proctree.FindMark("MESOS_DIRECTORY=", "/"+id)
		l.logger.Info("ending an orphan container", "container", id, "pid", pid)
		if err := root.Kill(ctx); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		l.removeRuntimeDir(id)
	}
	return nil
}
