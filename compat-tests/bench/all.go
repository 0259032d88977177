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
