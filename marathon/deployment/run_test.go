package deployment_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stoa/marathon/app"
	"stoa/marathon/deployment"
	"stoa/marathon/instance"
)

// The worked examples of the original's arithmetic, and its edges.
func TestStrategy(t *testing.T) {
	for _, c := range []struct {
		n            int
		minHC, maxOC float64
		resident     bool
		current      int
		healthy      int
		want         deployment.Strategy
	}{
		{1, 1, 1, false, 1, 1, deployment.Strategy{MinHealthy: 1, MaxCapacity: 2, KillNow: 0}},
		{1, 1, 0, false, 1, 1, deployment.Strategy{MinHealthy: 1, MaxCapacity: 2, KillNow: 0}},
		{1, 0, 0, false, 1, 1, deployment.Strategy{MinHealthy: 0, MaxCapacity: 1, KillNow: 1}},
		{1, 0.5, 0, true, 1, 1, deployment.Strategy{MinHealthy: 1, MaxCapacity: 1, KillNow: 1}},
		{3, 0.5, 0, false, 3, 3, deployment.Strategy{MinHealthy: 2, MaxCapacity: 3, KillNow: 1}},
		{10, 1, 0, false, 10, 10, deployment.Strategy{MinHealthy: 10, MaxCapacity: 11, KillNow: 0}},
		{10, 0.5, 0.2, false, 10, 10, deployment.Strategy{MinHealthy: 5, MaxCapacity: 12, KillNow: 5}},
		{4, 1, 1, false, 4, 4, deployment.Strategy{MinHealthy: 4, MaxCapacity: 8, KillNow: 0}},
		{100, 0.07, 1, false, 100, 100, deployment.Strategy{MinHealthy: 8, MaxCapacity: 200, KillNow: 92}},
		{100, 1, 0.15, false, 100, 100, deployment.Strategy{MinHealthy: 100, MaxCapacity: 114, KillNow: 0}},
		{2, 1, 1, false, 4, 4, deployment.Strategy{MinHealthy: 2, MaxCapacity: 4, KillNow: 2}},
		// Nothing is healthy: nothing is killed, unless there are too many.
		{4, 1, 1, false, 4, 0, deployment.Strategy{MinHealthy: 4, MaxCapacity: 8, KillNow: 0}},
		{4, 1, 0, false, 4, 0, deployment.Strategy{MinHealthy: 4, MaxCapacity: 4, KillNow: 0}},
		{4, 1, 1, false, 6, 0, deployment.Strategy{MinHealthy: 4, MaxCapacity: 8, KillNow: 2}},
	} {
		u := app.UpgradeStrategy{MinimumHealthCapacity: c.minHC, MaximumOverCapacity: c.maxOC}
		if got := deployment.NewStrategy(u, c.resident, c.n, c.current, c.healthy); got != c.want {
			t.Errorf("n=%d min=%v max=%v current=%d healthy=%d: %+v, want %+v", c.n, c.minHC, c.maxOC, c.current, c.healthy, got, c.want)
		}
	}
}

// present makes an instance; its name says what it is like.
func present(name string, condition instance.Condition, started int) *instance.Instance {
	i := instance.NewScheduled(name, "/a", "*", 0, time.Unix(0, 0))
	i.State.Condition = condition
	if started > 0 {
		i.State.ActiveSince = time.Unix(int64(started), 0)
	}
	i.Tasks = []instance.Task{{ID: name, Condition: condition, StagedAt: time.Unix(int64(started), 0)}}
	return i
}

func names(is []*instance.Instance) []string {
	var out []string
	for _, i := range is {
		out = append(out, i.ID)
	}
	return out
}

func TestProposition(t *testing.T) {
	all := func() []*instance.Instance {
		return []*instance.Instance{
			present("oldest", instance.Running, 10),
			present("middle", instance.Running, 20),
			present("youngest", instance.Running, 30),
			present("staging", instance.Staging, 40),
			present("starting", instance.Starting, 41),
			present("waiting", instance.Scheduled, 0),
			present("lost", instance.Unreachable, 5),
			present("given up", instance.UnreachableInactive, 6),
		}
	}
	for _, c := range []struct {
		wanted    int
		sentenced []string
		selection app.KillSelection
		kill      []string
		start     int
	}{
		{7, nil, app.YoungestFirst, nil, 0},
		{9, nil, app.YoungestFirst, nil, 2},
		{6, nil, app.YoungestFirst, []string{"lost"}, 0},
		{4, nil, app.YoungestFirst, []string{"lost", "staging", "starting"}, 0},
		{3, nil, app.YoungestFirst, []string{"lost", "staging", "starting", "youngest"}, 0},
		{3, nil, app.OldestFirst, []string{"lost", "staging", "starting", "oldest"}, 0},
		{0, nil, app.OldestFirst, []string{"lost", "staging", "starting", "oldest", "middle", "youngest", "waiting"}, 0},
		{6, []string{"oldest"}, app.YoungestFirst, []string{"oldest"}, 0},
		{7, []string{"oldest"}, app.YoungestFirst, []string{"oldest"}, 1},
		{5, []string{"oldest", "nobody"}, app.YoungestFirst, []string{"oldest", "lost"}, 0},
	} {
		a := &app.App{KillSelection: c.selection}
		p := deployment.Propose(a, all(), c.sentenced, c.wanted, deployment.Observer{})
		if got := names(p.Decommission); !slices.Equal(got, c.kill) || p.Start != c.start {
			t.Errorf("to %d without %v: kill %v, start %d, want %v, %d", c.wanted, c.sentenced, got, p.Start, c.kill, c.start)
		}
	}
}

func TestStopWaitsForTheEndOfAllThatCanBeReached(t *testing.T) {
	run := deployment.NewRun(deployment.Action{Kind: deployment.Stop, App: &app.App{ID: "/a"}})
	running, lost := present("r", instance.Running, 1), present("l", instance.Unreachable, 1)
	d := run.Advance([]*instance.Instance{running, lost}, deployment.Observer{})
	if fmt.Sprint(d.SetGoals) != "[{r Decommissioned} {l Decommissioned}]" || d.Done {
		t.Fatalf("first %+v", d)
	}
	for _, i := range []*instance.Instance{running, lost} {
		i.State.Goal = instance.GoalDecommissioned
	}
	if d := run.Advance([]*instance.Instance{running, lost}, deployment.Observer{}); d.Done || len(d.SetGoals) > 0 {
		t.Fatalf("while one runs: %+v", d)
	}
	if d := run.Advance([]*instance.Instance{lost}, deployment.Observer{}); !d.Done || !d.ResetDelay {
		t.Fatalf("in the end: %+v", d)
	}
}
