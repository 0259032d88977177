package vectors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"stoa/compat-tests/cluster"
	"stoa/compat-tests/replay"
)

// Each scenario that ends an agent for good has a master and an agent of its own. The
// agent, once told to shut down, does so.
func TestAnAgentThatIsTakenAway(t *testing.T) {
	binary := build(t)
	found := false
	for _, scenario := range load(t) {
		if !slices.Contains(scenario.Needs, "doomed-agent") {
			continue
		}
		found = true
		t.Run(filepath.ToSlash(scenario.Path), func(t *testing.T) {
			log := new(logs)
			defer log.tell(t)
			dir := t.TempDir()
			masterPort, agentPort := freePort(t), freePort(t)
			start := func(piece string, args ...string) *cluster.Daemon {
				t.Helper()
				daemon, err := cluster.StartDaemon(binary, log, piece, args...)
				if err != nil {
					t.Fatal(err)
				}
				return daemon
			}
			master := start("master", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", masterPort), "--work_dir="+filepath.Join(dir, "master"))
			agent := start("agent", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", agentPort), "--work_dir="+filepath.Join(dir, "agent"),
				fmt.Sprintf("--master=127.0.0.1:%d", masterPort), "--resources=cpus:4;mem:4096;disk:4096;ports:[31000-32000]", "--registration_backoff_factor=10ms")
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				defer cancel()
				_ = agent.Signal(ctx, syscall.SIGUSR1) // it may have ended
				if err := master.Signal(ctx, syscall.SIGTERM); err != nil {
					t.Errorf("stopping: %v", err)
				}
			})
			base := fmt.Sprintf("http://127.0.0.1:%d", masterPort)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := cluster.Until(ctx, func() error { return registered(ctx, base) }); err != nil {
				t.Fatal(err)
			}
			runner := &replay.Runner{
				Servers: map[string]string{"master": base, "agent": fmt.Sprintf("http://127.0.0.1:%d", agentPort)},
				Has:     []string{"agent", "tasks", "doomed-agent"},
			}
			if report := runner.Run(t.Context(), scenario); report.Skipped != "" || report.Failed() {
				t.Errorf("%s: %s\n%s", scenario.Name, report.Skipped, report)
			}
			select {
			case <-agent.Done():
			case <-ctx.Done():
				t.Error("the agent still runs")
			}
		})
	}
	if !found {
		t.Error("no scenario needs a doomed agent")
	}
}

// registered says whether the master has an agent.
func registered(ctx context.Context, master string) error {
	answer, err := cluster.Do(ctx, http.MethodGet, master+"/slaves", "")
	if err != nil {
		return err
	}
	var list struct{ Slaves []struct{ Active bool } }
	if err := json.Unmarshal(answer.Body, &list); err != nil {
		return fmt.Errorf("status %d: %w", answer.Status, err)
	}
	if len(list.Slaves) != 1 || !list.Slaves[0].Active {
		return fmt.Errorf("agents: %v", list.Slaves)
	}
	return nil
}
