package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"stoa/agent/containerizer"
	"stoa/agent/core"
	"stoa/internal/mesos/mesospb"
)

// containers runs the blocking calls to the containerizers, each in a goroutine of its
// own, and posts their results.
type containers struct {
	all  []containerizer.Containerizer
	post func(core.Event)
	// ctx ends with the agent.
	ctx     context.Context
	working *sync.WaitGroup

	mutex sync.Mutex
	// owners knows which containerizer has a container.
	owners map[string]containerizer.Containerizer
	// updates holds the updates of a container that wait for the one before them.
	updates map[string][]core.UpdateContainer
}

func newContainers(ctx context.Context, all []containerizer.Containerizer, post func(core.Event), working *sync.WaitGroup) *containers {
	return &containers{
		all: all, post: post, ctx: ctx, working: working,
		owners:  map[string]containerizer.Containerizer{},
		updates: map[string][]core.UpdateContainer{},
	}
}

func (c *containers) owner(run core.RunID) containerizer.Containerizer {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.owners[run.Container]
}

func (c *containers) setOwner(run core.RunID, owner containerizer.Containerizer) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if owner == nil {
		delete(c.owners, run.Container)
	} else {
		c.owners[run.Container] = owner
	}
}

// launch asks one containerizer after the other.
func (c *containers) launch(e core.Launch) {
	c.working.Go(func() {
		for _, one := range c.all {
			c.setOwner(e.Run, one)
			err := one.Launch(c.ctx, e.Spec)
			if errors.Is(err, containerizer.ErrNotSupported) {
				continue
			}
			if err != nil {
				c.post(core.ContainerLaunched{Run: e.Run, Error: err.Error()})
				c.end(e.Run, one, &containerizer.Termination{})
				return
			}
			c.post(core.ContainerLaunched{Run: e.Run})
			c.await(e.Run, one.Wait(containerOf(e.Run)))
			return
		}
		c.setOwner(e.Run, nil)
		c.post(core.ContainerLaunched{Run: e.Run, Unsupported: true})
		c.post(core.ContainerTerminated{Run: e.Run})
	})
}

// await posts the container's end, from the channel that Wait gave; it returns early
// when the agent ends.
func (c *containers) await(run core.RunID, ended <-chan containerizer.Termination) {
	if ended == nil {
		c.setOwner(run, nil)
		c.post(core.ContainerTerminated{Run: run})
		return
	}
	select {
	case t, ok := <-ended:
		c.setOwner(run, nil)
		if !ok {
			c.post(core.ContainerTerminated{Run: run, Termination: &containerizer.Termination{}})
			return
		}
		c.post(core.ContainerTerminated{Run: run, Termination: &t})
	case <-c.ctx.Done():
	}
}

// end makes sure that nothing is left of a container that failed to start.
func (c *containers) end(run core.RunID, owner containerizer.Containerizer, t *containerizer.Termination) {
	_ = owner.Destroy(context.WithoutCancel(c.ctx), containerOf(run))
	c.setOwner(run, nil)
	c.post(core.ContainerTerminated{Run: run, Termination: t})
}

// recover takes over the containers of an earlier run. Which containerizer has one
// shows in who can wait for it.
func (c *containers) recover(e core.RecoverContainers, runs []core.RunID, failed func(error)) {
	c.working.Go(func() {
		for _, one := range c.all {
			if err := one.Recover(c.ctx, e.Known); err != nil {
				failed(fmt.Errorf("cannot recover containers: %w", err))
				return
			}
		}
		// Owners are known before anybody asks to destroy one.
		found := make([]<-chan containerizer.Termination, len(runs))
		for i, run := range runs {
			for _, one := range c.all {
				if found[i] = one.Wait(containerOf(run)); found[i] != nil {
					c.setOwner(run, one)
					break
				}
			}
		}
		c.post(core.ContainersRecovered{})
		for i, run := range runs {
			c.working.Go(func() { c.await(run, found[i]) })
		}
	})
}

// update changes a container's resources; updates of one container keep their order.
func (c *containers) update(e core.UpdateContainer) {
	c.mutex.Lock()
	queue := c.updates[e.Run.Container]
	c.updates[e.Run.Container] = append(queue, e)
	c.mutex.Unlock()
	if len(queue) > 0 {
		return
	}
	c.working.Go(func() {
		for {
			c.mutex.Lock()
			next := c.updates[e.Run.Container][0]
			c.mutex.Unlock()
			result := core.ContainerUpdated{Run: next.Run, Token: next.Token}
			if owner := c.owner(next.Run); owner == nil {
				result.Error = "Unknown container"
			} else if err := owner.Update(c.ctx, containerOf(next.Run), next.Resources); err != nil {
				result.Error = err.Error()
			}
			c.post(result)
			c.mutex.Lock()
			rest := c.updates[e.Run.Container][1:]
			if len(rest) == 0 {
				delete(c.updates, e.Run.Container)
				c.mutex.Unlock()
				return
			}
			c.updates[e.Run.Container] = rest
			c.mutex.Unlock()
		}
	})
}

func (c *containers) status(run core.RunID) {
	c.working.Go(func() {
		var status *mesospb.ContainerStatus
		if owner := c.owner(run); owner != nil {
			status, _ = owner.Status(c.ctx, containerOf(run))
		}
		c.post(core.ContainerStatus{Run: run, Status: status})
	})
}

// destroy ends a container, also while the agent itself ends.
func (c *containers) destroy(run core.RunID, failed func(error)) {
	owner := c.owner(run)
	if owner == nil {
		return
	}
	c.working.Go(func() {
		if err := owner.Destroy(context.WithoutCancel(c.ctx), containerOf(run)); err != nil {
			failed(fmt.Errorf("cannot destroy container %s: %w", run.Container, err))
		}
	})
}

func containerOf(run core.RunID) *mesospb.ContainerID {
	return &mesospb.ContainerID{Value: &run.Container}
}
