package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stoa/compat-tests/cluster"
	"stoa/compat-tests/sim"
	"stoa/internal/mesos/mesospb"
)

// Rate says what to launch to measure tasks per second.
type Rate struct {
	Agents, Addresses, Schedulers, Tasks int
	// States are what tasks report; empty is TASK_RUNNING only.
	States []sim.State
}

func (r Rate) String() string {
	return fmt.Sprintf("%d tasks, %d agents at %d address(es), %d scheduler(s), %d update(s) per task",
		r.Tasks, r.Agents, r.Addresses, r.Schedulers, max(len(r.States), 1))
}

// TaskRate measures the time from the first ACCEPT to the last TASK_RUNNING, and checks
// that every task is then in /state, once, running, and acknowledged.
func (e *Environment) TaskRate(ctx context.Context, r Rate) (err error) {
	if len(r.States) == 0 {
		r.States = []sim.State{{State: mesospb.TaskState_TASK_RUNNING}}
	}
	c, err := e.newCluster(ctx, sim.Options{
		Count: r.Agents, PerAddress: (r.Agents + r.Addresses - 1) / r.Addresses, States: r.States, RegistrationBackoff: -1,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	before, err := c.master.usage()
	if err != nil {
		return err
	}
	schedulers := c.schedulers(ctx, r.Schedulers, SchedulerOptions{Tasks: r.Tasks / r.Schedulers, PerOffer: (r.Tasks + r.Agents - 1) / r.Agents})
	var took time.Duration
	for _, s := range schedulers {
		if err := s.AwaitRunning(ctx); err != nil {
			return err
		}
	}
	first, last := schedulers[0].first, schedulers[0].last
	for _, s := range schedulers {
		if s.first.Before(first) {
			first = s.first
		}
		if s.last.After(last) {
			last = s.last
		}
	}
	took = last.Sub(first)
	n := r.Tasks / r.Schedulers * r.Schedulers
	fmt.Fprintf(e.Out, "tasks: %s: %v, %.0f tasks/s\n", r, took.Round(time.Millisecond), float64(n)/took.Seconds())
	if err := c.settled(ctx, n); err != nil {
		return err
	}
	acknowledged := time.Since(first)
	after, err := c.master.usage()
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Out, "  all acknowledged after %v; master: %v of processor time, %v per task\n", acknowledged.Round(time.Millisecond),
		after.cpu-before.cpu, ((after.cpu - before.cpu) / time.Duration(n)).Round(time.Microsecond))
	return nil
}

// loaded is a master with simulated agents and the schedulers that were started.
type loaded struct {
	e      *Environment
	master *Daemon
	agents *Agents
	stops  []func() error
}

func (e *Environment) newCluster(ctx context.Context, o sim.Options) (*loaded, error) {
	m, err := e.startMaster(ctx)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	a, err := startAgents(ctx, m.Address, o)
	if err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	fmt.Fprintf(e.Log, "%d agents registered within %v\n", o.Count, time.Since(begin))
	return &loaded{e: e, master: m, agents: a}, nil
}

func (c *loaded) stop() error {
	var errs []error
	for i := len(c.stops) - 1; i >= 0; i-- {
		errs = append(errs, c.stops[i]())
	}
	return errors.Join(append(errs, c.agents.Stop(), c.master.Stop())...)
}

// schedulers starts n of them, called b1, b2, ...
func (c *loaded) schedulers(ctx context.Context, n int, o SchedulerOptions) []*Scheduler {
	var list []*Scheduler
	o.Master = c.master.Address
	for range n {
		o.Name = fmt.Sprintf("b%d", len(c.stops)+1)
		s := NewScheduler(o)
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		c.stops = append(c.stops, func() error { cancel(); return <-done })
		list = append(list, s)
	}
	return list
}

// masterState is what /state says about tasks.
type masterState struct {
	Activated  float64 `json:"activated_slaves"`
	Frameworks []struct {
		Name  string
		Tasks []struct{ ID, State string }
	}
}

// settled waits until master and agents agree on n running tasks, each known once and
// with nothing unacknowledged.
func (c *loaded) settled(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := cluster.Until(ctx, func() error {
		counts := c.agents.Counts()
		if counts.Running != n || counts.Tasks != n || counts.Acknowledged != counts.Updates {
			return fmt.Errorf("agents: want %d running tasks with all updates acknowledged, have %+v", n, counts)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s, err := cluster.Get[masterState](ctx, "http://"+c.master.Address+"/state")
	if err != nil {
		return err
	}
	seen := make(map[string]bool, n)
	for _, f := range s.Frameworks {
		for _, t := range f.Tasks {
			if t.State != "TASK_RUNNING" || seen[f.Name+" "+t.ID] {
				return fmt.Errorf("/state: task %s of %s is %s, or there twice", t.ID, f.Name, t.State)
			}
			seen[f.Name+" "+t.ID] = true
		}
	}
	if len(seen) != n {
		return fmt.Errorf("/state has %d tasks, not %d", len(seen), n)
	}
	// An update that was repeated is acknowledged twice, and rightly so.
	if counts := c.agents.Counts(); counts.Unexpected > counts.Retries || counts.Dropped+counts.Ignored > 0 {
		return fmt.Errorf("agents got what they did not expect: %+v", counts)
	}
	return nil
}
