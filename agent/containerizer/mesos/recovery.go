package mesos

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

// Recover takes over the known containers whose first process still lives, gives a Termination
// without a wait status to the others, and ends containers that are in the runtime
// directory only.
func (c *Containerizer) Recover(ctx context.Context, known []containerizer.Recovered) error {
	ids := make(map[string]bool, len(known))
	for _, recovered := range known {
		if errors.Is(supported(recovered.Spec), containerizer.ErrNotSupported) {
			continue
		}
		ids[recovered.Spec.ID.GetValue()] = true
		c.recover(ctx, recovered)
	}
	return c.removeOrphans(ctx, ids)
}

func (c *Containerizer) recover(ctx context.Context, recovered containerizer.Recovered) {
	box := &container{
		id:        recovered.Spec.ID.GetValue(),
		spec:      recovered.Spec,
		running:   make(chan struct{}),
		ended:     make(chan struct{}),
		resources: recovered.Spec.Resources,
	}
	close(box.running)
	box.root = proctree.Root{Mark: mark(recovered.Spec)}
	if first, ok := identify(recovered); ok {
		box.root.PID = first.PID
		box.started = first.Started
	}
	if err := c.add(box); err != nil {
		return
	}
	if box.root.PID == 0 {
		// The executor is gone, but what it started may not be.
		if err := box.root.Kill(ctx); err != nil {
			c.logger.Error("processes of a container that ended are left", "container", box.id, "error", err)
		}
		c.finish(box, containerizer.Termination{})
		return
	}
	c.logger.Info("container recovered", "container", box.id, "pid", box.root.PID)
	go c.superviseRecovered(box)
}

// identify finds the container's first process. A pid alone proves nothing after a reboot or a
// long time, so the process must also carry the sandbox's path in its environment.
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
func (c *Containerizer) superviseRecovered(box *container) {
	awaitExit(context.Background(), box.root.PID, box.started)
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	// The pid was reaped by init and may be anyone's by now; the mark is enough.
	leftover := proctree.Root{Mark: box.root.Mark}
	if err := leftover.Kill(ctx); err != nil {
		c.logger.Error("processes of a container that ended are left", "container", box.id, "error", err)
	}
	c.finish(box, containerizer.Termination{})
}

func (c *Containerizer) runtimeDir(id string) string {
	if c.config.RuntimeDir == "" {
		return ""
	}
	return filepath.Join(c.config.RuntimeDir, "containers", id)
}

func (c *Containerizer) runtimePIDFile(id string) string {
	if c.config.RuntimeDir == "" {
		return ""
	}
	return filepath.Join(c.runtimeDir(id), "pid")
}

func (c *Containerizer) removeRuntimeDir(id string) {
	if dir := c.runtimeDir(id); dir != "" {
		if err := os.RemoveAll(dir); err != nil {
			c.logger.Error("remove the runtime directory of a container", "container", id, "error", err)
		}
	}
}

// removeOrphans ends what runs for containers of the runtime directory that the agent does not know.
func (c *Containerizer) removeOrphans(ctx context.Context, known map[string]bool) error {
	if c.config.RuntimeDir == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(c.config.RuntimeDir, "containers"))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		id := entry.Name()
		if known[id] || !entry.IsDir() {
			continue
		}
		c.mu.Lock()
		_, running := c.containers[id]
		c.mu.Unlock()
		if running {
			continue
		}
		data, err := os.ReadFile(c.runtimePIDFile(id))
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
		c.logger.Info("ending an orphan container", "container", id, "pid", pid)
		if err := root.Kill(ctx); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		c.removeRuntimeDir(id)
	}
	return nil
}
