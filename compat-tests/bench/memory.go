package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stoa/compat-tests/sim"
	"stoa/internal/mesos/mesospb"
)

// Memory measures what agents and tasks cost the master in resident memory.
func (e *Environment) Memory(ctx context.Context, agents, perAgent int) (err error) {
	if e.Binary == "" {
		fmt.Fprintln(e.Out, "memory: needs the daemons as processes of their own")
		return nil
	}
	m, err := e.startMaster(ctx)
	if err != nil {
		return err
	}
	c := &loaded{e: e, master: m}
	defer func() {
		if c.agents == nil {
			err = errors.Join(err, m.Stop())
		} else {
			err = errors.Join(err, c.stop())
		}
	}()
	empty, err := m.resting(ctx)
	if err != nil {
		return err
	}
	c.agents, err = startAgents(ctx, m.Address, sim.Options{
		Count: agents, States: []sim.State{{State: mesospb.TaskState_TASK_RUNNING}}, RegistrationBackoff: -1,
	})
	if err != nil {
		return err
	}
	registered, err := m.resting(ctx)
	if err != nil {
		return err
	}
	s := c.schedulers(ctx, 1, SchedulerOptions{Tasks: agents * perAgent, PerOffer: perAgent})[0]
	if err := s.AwaitRunning(ctx); err != nil {
		return err
	}
	running, err := m.resting(ctx)
	if err != nil {
		return err
	}
	if err := c.settled(ctx, agents*perAgent); err != nil {
		return err
	}
	shown, err := m.resting(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "memory of the master, resident: empty %s; with %d agents %s (%d bytes each); with %d tasks %s (%d bytes each); after /state %s\n",
		mega(empty), agents, mega(registered), (registered-empty)/int64(agents),
		agents*perAgent, mega(running), (running-registered)/int64(agents*perAgent), mega(shown))
	return nil
}

// resting is the resident memory once it does not change any more: garbage is
// collected and given back to the system over minutes, so what counts is the lowest
// value of some quiet seconds.
func (d *Daemon) resting(ctx context.Context) (int64, error) {
	var low int64
	for range 10 {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		u, err := d.usage()
		if err != nil {
			return 0, err
		}
		if low == 0 || u.resident < low {
			low = u.resident
		}
	}
	return low, nil
}
