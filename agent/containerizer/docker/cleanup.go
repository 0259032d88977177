package docker

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/docker/engine"
	"stoa/internal/mesos/mesospb"
)

const (
	// callReserve is what the engine gets beyond a stop timeout to answer.
	callReserve = 10 * time.Second
	// retryInterval is the pause between two attempts to reach an engine that is away.
	retryInterval = 5 * time.Second
)

// Recover takes over the known containers whose executor still lives; the others, and those that
// nobody knows, are stopped and removed. Without an engine that waits until there is one, in
// the background: the agent starts all the same.
func (c *Containerizer) Recover(ctx context.Context, known []containerizer.Recovered) error {
	ids := make(map[string]bool, len(known))
	for _, recovered := range known {
		ids[recovered.Spec.ID.GetValue()] = true
		if ours(recovered.Spec) {
			c.launcher.Recover(ctx, recovered)
		}
	}
	if err := c.launcher.RemoveOrphans(ctx, ids); err != nil {
		return err
	}
	err := c.removeOrphans(ctx)
	if err == nil {
		return nil
	}
	c.logger.Warn("the Docker engine does not answer: tasks with Docker containers fail until it does", "engine", c.docker.Host(), "error", err)
	go func() {
		for ctx.Err() == nil {
			timer := time.NewTimer(retryInterval)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			if err := c.removeOrphans(ctx); err == nil {
				c.logger.Info("the Docker engine is there", "engine", c.docker.Host())
				return
			}
		}
	}()
	return nil
}

// removeOrphans stops and removes the agent's containers that have no executor. A container that is being
// launched meanwhile has one.
func (c *Containerizer) removeOrphans(ctx context.Context) error {
	names, err := c.docker.Names(ctx, namePrefix)
	if err != nil || c.config.KeepOrphans {
		return err
	}
	for _, name := range names {
		id, ok := parseName(name)
		if !ok || c.launcher.Has(&mesospb.ContainerID{Value: proto.String(id)}) {
			continue
		}
		c.logger.Info("removing an orphan container", "name", name)
		if err := c.stopAndRemove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// parseName gives the container id in a container's name: mesos-<id>, or mesos-<agent>.<id> of
// agents before 0.23, both perhaps followed by .executor. Names with anything but a UUID are
// somebody else's.
func parseName(name string) (string, bool) {
	id, ok := strings.CutPrefix(name, namePrefix)
	if !ok {
		return "", false
	}
	id = strings.TrimSuffix(id, ".executor")
	if dot := strings.LastIndexByte(id, '.'); dot >= 0 {
		id = id[dot+1:]
	}
	if _, err := uuid.Parse(id); err != nil || len(id) != 36 {
		return "", false
	}
	return id, true
}

func (c *Containerizer) stopAndRemove(ctx context.Context, name string) error {
	if err := c.stop(ctx, name); err != nil {
		return err
	}
	return c.docker.Remove(ctx, name)
}

func (c *Containerizer) stop(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, c.config.StopTimeout+callReserve)
	defer cancel()
	if err := c.docker.Stop(ctx, name, c.config.StopTimeout); err != nil {
		return c.docker.Kill(ctx, name)
	}
	return nil
}

// ended is called when the executor process is gone: nothing may be left running of its container, which is
// removed later.
func (c *Containerizer) ended(ctx context.Context, spec containerizer.Spec, _ *containerizer.Termination) {
	name := containerName(spec.ID)
	if err := c.stop(ctx, name); err != nil {
		if engine.IsUnreachable(err) {
			c.logger.Warn("a container could not be stopped; it is when the engine is there again", "name", name, "error", err)
		} else {
			c.logger.Error("stop a container", "name", name, "error", err)
		}
		go c.removeEventually(name, retryInterval)
		return
	}
	if c.config.RemoveDelay == 0 {
		if err := c.docker.Remove(ctx, name); err != nil {
			go c.removeEventually(name, retryInterval)
		}
		return
	}
	time.AfterFunc(c.config.RemoveDelay, func() { c.removeEventually(name, 0) })
}

// maxRemovals bounds the attempts to remove a container. What is left after is an orphan for the next
// start of the agent.
const maxRemovals = 1000

func (c *Containerizer) removeEventually(name string, pause time.Duration) {
	for range maxRemovals {
		time.Sleep(pause)
		ctx, cancel := context.WithTimeout(context.Background(), c.config.StopTimeout+2*callReserve)
		err := c.stopAndRemove(ctx, name)
		cancel()
		if err == nil {
			return
		}
		pause = retryInterval
	}
	c.logger.Error("giving up on removing a container", "name", name)
}
