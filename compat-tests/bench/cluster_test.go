package bench

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"stoa/compat-tests/cluster"
	"stoa/compat-tests/sim"
	"stoa/internal/mesos/mesospb"
)

// small is a cluster with a master in this process and simulated agents at several
// addresses, all over sockets.
func small(t *testing.T, o sim.Options) (*loaded, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	e := &Environment{Dir: t.TempDir(), Out: io.Discard, Log: io.Discard}
	c, err := e.newCluster(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	})
	return c, ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryTaskRunsOnceAndEndsOnce(t *testing.T) {
	c, ctx := small(t, sim.Options{Count: 50, PerAddress: 20, RegistrationBackoff: -1})
	s := c.schedulers(ctx, 1, SchedulerOptions{Tasks: 1000, PerOffer: 20})[0]
	must(t, s.AwaitRunning(ctx))
	must(t, c.settled(ctx, 1000))

	for i := range 400 {
		s.Kill(fmt.Sprintf("%s-%d", s.o.Name, i+1))
	}
	must(t, s.Await(ctx, func(counts map[mesospb.TaskState]int) bool {
		return counts[mesospb.TaskState_TASK_KILLED] == 400 && counts[mesospb.TaskState_TASK_RUNNING] == 600
	}))
	must(t, c.settled(ctx, 600))

	s.Teardown()
	must(t, c.reach(ctx, 0))
	must(t, c.settled(ctx, 0))
}

func TestFailuresReachTheScheduler(t *testing.T) {
	c, ctx := small(t, sim.Options{
		Count: 10, PerAddress: 5, RegistrationBackoff: -1, Fail: 0.3, Seed: 3, States: []sim.State{{State: mesospb.TaskState_TASK_RUNNING}},
	})
	s := c.schedulers(ctx, 1, SchedulerOptions{Tasks: 200, PerOffer: 20})[0]
	// Every task fails or not before its TASK_RUNNING is acknowledged.
	must(t, cluster.Until(ctx, func() error {
		if counts := c.agents.Counts(); counts.Launched != 200 || counts.Acknowledged != counts.Updates {
			return fmt.Errorf("not all is told and acknowledged: %+v", counts)
		}
		return nil
	}))
	counts := c.agents.Counts()
	must(t, s.Await(ctx, func(states map[mesospb.TaskState]int) bool {
		return states[mesospb.TaskState_TASK_FAILED] == counts.Updates-200 && states[mesospb.TaskState_TASK_RUNNING] == counts.Running
	}))
	if counts.Running == 200 || counts.Running == 0 {
		t.Errorf("%d of 200 tasks run", counts.Running)
	}
	must(t, c.settled(ctx, counts.Running))
}

func TestTasksSurviveARestartOfTheMaster(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	e := &Environment{Dir: t.TempDir(), Out: io.Discard, Log: io.Discard}
	m, err := e.startMaster(ctx)
	must(t, err)
	a, err := startAgents(ctx, m.Address, sim.Options{Count: 20, PerAddress: 10, RegistrationBackoff: -1})
	must(t, err)
	c := &loaded{e: e, master: m, agents: a}
	defer func() {
		if err := c.stop(); err != nil {
			t.Error(err)
		}
	}()
	s := c.schedulers(ctx, 1, SchedulerOptions{Tasks: 200, PerOffer: 10})[0]
	must(t, s.AwaitRunning(ctx))
	must(t, c.settled(ctx, 200))

	must(t, m.Restart())
	must(t, cluster.Until(ctx, func() error {
		if counts := a.Counts(); counts.Registrations != 40 || counts.Registered != 20 {
			return fmt.Errorf("not all agents came back: %+v", counts)
		}
		return nil
	}))
	must(t, c.settled(ctx, 200))
}

func TestMarathonOnSimulatedAgents(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	e := &Environment{Dir: t.TempDir(), Out: io.Discard, Log: io.Discard}
	must(t, e.MarathonLaunch(ctx, Apps{Agents: 20, Apps: 20, Instances: 10}))
}
