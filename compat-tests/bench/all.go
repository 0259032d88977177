package bench

import (
	"context"

	"stoa/compat-tests/sim"
	"stoa/internal/mesos/mesospb"
)

// Bench is one subject of measurement.
type Bench struct {
	Name string
	Run  func(context.Context, *Environment) error
}

// All are the benchmarks, in the order in which they run.
var All = []Bench{
	{"tasks", tasks},
	{"state", func(ctx context.Context, e *Environment) error {
		return e.StateLatency(ctx, Load{Agents: 100, Frameworks: 20, PerAgent: 10, Clients: 50})
	}},
	{"state-large", func(ctx context.Context, e *Environment) error {
		return e.StateLatency(ctx, Load{Agents: 10_000, Frameworks: 1, PerAgent: 10, Clients: 50})
	}},
	{"memory", func(ctx context.Context, e *Environment) error { return e.Memory(ctx, 10_000, 10) }},
	{"marathon-instances", func(ctx context.Context, e *Environment) error {
		return e.MarathonLaunch(ctx, Apps{Agents: 1000, Apps: 1, Instances: 10_000})
	}},
	{"marathon-apps", func(ctx context.Context, e *Environment) error {
		return e.MarathonLaunch(ctx, Apps{Agents: 1000, Apps: 5000, Instances: 2})
	}},
}

func tasks(ctx context.Context, e *Environment) error {
	both := []sim.State{{State: mesospb.TaskState_TASK_STARTING}, {State: mesospb.TaskState_TASK_RUNNING}}
	for _, r := range []Rate{
		{Agents: 1000, Addresses: 1, Schedulers: 1, Tasks: 10_000},
		{Agents: 1000, Addresses: 100, Schedulers: 1, Tasks: 10_000},
		{Agents: 1000, Addresses: 1, Schedulers: 10, Tasks: 50_000},
		{Agents: 1000, Addresses: 1, Schedulers: 1, Tasks: 10_000, States: both},
	} {
		if err := e.TaskRate(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
