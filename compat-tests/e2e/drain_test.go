package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"
	"testing"

	"stoa/compat-tests/cluster"
)

// drainState is how the one agent of a cluster stands to draining.
type drainState struct {
	ID                  string
	Active, Deactivated bool
	DrainInfo           *struct{ State string } `json:"drain_info"`
}

func (d drainState) String() string {
	text, _ := json.Marshal(d)
	return string(text)
}

func agentOf(ctx context.Context, l *cluster.Local) (drainState, error) {
	v, err := cluster.Get[struct{ Slaves []drainState }](ctx, l.Master+"/slaves")
	if err == nil && len(v.Slaves) != 1 {
		err = fmt.Errorf("%d agents", len(v.Slaves))
	}
	if err != nil {
		return drainState{}, err
	}
	return v.Slaves[0], nil
}

func untilAgent(t *testing.T, p *pieces, what string, is func(drainState) bool) drainState {
	t.Helper()
	var last drainState
	until(t, "the agent is "+what, func() (err error) {
		if last, err = agentOf(t.Context(), p.Local); err == nil && !is(last) {
			err = fmt.Errorf("it is %s", last)
		}
		return err
	})
	return last
}

// An agent is drained of a task that does not want to end, through the death of the
// agent and of the master, and taken back.
func TestAnAgentIsDrained(t *testing.T) {
	p := startPieces(t)
	send(t, 201, post, p.Marathon+"/v2/apps", `{"id":"stubborn","cmd":"trap 'echo no' TERM; while :; do sleep 0.1; done","cpus":0.1,"mem":10,"taskKillGracePeriodSeconds":50}`)
	before := settled(t, p.Local, "stubborn", 1)[0]
	agent := untilAgent(t, p, "active", func(d drainState) bool { return d.Active })
	drain := func(grace int) {
		t.Helper()
		send(t, 200, post, p.Master+"/api/v1", fmt.Sprintf(`{"type":"DRAIN_AGENT","drain_agent":{"agent_id":{"value":%q},"max_grace_period":{"seconds":%d}}}`, agent.ID, grace))
	}
	draining := func(d drainState) bool {
		return !d.Active && d.Deactivated && d.DrainInfo != nil && d.DrainInfo.State == "DRAINING"
	}
	drain(1000)
	untilAgent(t, p, "draining", draining)

	for _, one := range []struct {
		piece string
		which **cluster.Daemon
		start func(*testing.T)
	}{{"agent", &p.agent, p.startAgent}, {"master", &p.master, p.startMaster}} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_ = (*one.which).Signal(ctx, syscall.SIGKILL)
		one.start(t)
		untilAgent(t, p, "draining after the death of the "+one.piece, draining)
		until(t, "the agent knows of it after the death of the "+one.piece, func() error {
			v, err := cluster.Get[struct {
				DrainConfig *struct{} `json:"drain_config"`
			}](t.Context(), p.Agent+"/state")
			if err == nil && v.DrainConfig == nil {
				err = fmt.Errorf("no drain_config")
			}
			return err
		})
		if err := syscall.Kill(shellOf(t, before, "sleep 0.1"), 0); err != nil {
			t.Fatalf("the task ended with the %s: %v", one.piece, err)
		}
	}

	// Now it must go, and nothing takes its place until the agent is back.
	drain(1)
	untilAgent(t, p, "drained", func(d drainState) bool { return d.DrainInfo != nil && d.DrainInfo.State == "DRAINED" })
	until(t, "the task is gone", func() error {
		if pids := processesWith(t, "MESOS_TASK_ID="+before.ID); len(pids) > 0 {
			return fmt.Errorf("processes %v", pids)
		}
		return nil
	})
	app, err := p.App(t.Context(), "stubborn")
	if err != nil || app.TasksRunning != 0 {
		t.Errorf("%d tasks run on a drained agent; %v", app.TasksRunning, err)
	}
	send(t, 200, put, p.Marathon+"/v2/apps/stubborn?force=true", `{"cmd":"sleep 1000","taskKillGracePeriodSeconds":1}`)
	send(t, 200, post, p.Master+"/api/v1", fmt.Sprintf(`{"type":"REACTIVATE_AGENT","reactivate_agent":{"agent_id":{"value":%q}}}`, agent.ID))
	if after := settled(t, p.Local, "stubborn", 1)[0]; after.ID == before.ID {
		t.Errorf("task %s is back", after.ID)
	}
}
