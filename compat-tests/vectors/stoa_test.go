package vectors_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"stoa/compat-tests/cluster"
	"stoa/compat-tests/replay"
)

// patience bounds the waits for processes; a good one takes a fraction of it.
const patience = 60 * time.Second

// build makes the binary under test.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "stoa")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "stoa/cmd/stoa").CombinedOutput(); err != nil {
		t.Fatalf("building the binary: %v\n%s", err, out)
	}
	return binary
}

// logs keeps what a process logs, for a failing test.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) tell(t *testing.T) {
	if t.Failed() && os.Getenv("STOA_TEST_LOGS") != "" {
		l.mu.Lock()
		defer l.mu.Unlock()
		t.Log("what the processes logged:\n" + l.text.String())
	}
}

// replayAll does every scenario that fits what the runner has.
func replayAll(t *testing.T, runner *replay.Runner) {
	for _, scenario := range load(t) {
		t.Run(filepath.ToSlash(scenario.Path), func(t *testing.T) {
			report := runner.Run(t.Context(), scenario)
			if report.Skipped != "" {
				t.Skip(report.Skipped)
			}
			if report.Failed() {
				t.Errorf("%s:\n%s", scenario.Name, report)
			}
		})
	}
}

func TestStoaLocalAnswersLikeTheOriginals(t *testing.T) {
	log := new(logs)
	local, err := cluster.StartLocal(t.Context(), cluster.Options{
		Binary:  build(t),
		WorkDir: t.TempDir(),
		Args:    []string{"--verbose", "--resources=cpus:4;mem:4096;disk:4096;ports:[31000-32000]"},
		Log:     log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := local.Interrupt(ctx); err != nil {
			t.Errorf("stopping: %v", err)
		}
		log.tell(t)
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := cluster.Until(ctx, func() error { return local.Ready(ctx) }); err != nil {
		t.Fatal(err)
	}
	replayAll(t, &replay.Runner{
		Servers: map[string]string{"master": local.Master, "agent": local.Agent, "marathon": local.Marathon},
		Has:     []string{"agent", "tasks"},
	})
}

func TestALoneMasterAnswersLikeTheOriginal(t *testing.T) {
	binary := build(t)
	log := new(logs)
	port := freePort(t)
	master, err := cluster.StartDaemon(binary, log, "master", "--ip=127.0.0.1", fmt.Sprintf("--port=%d", port), "--work_dir="+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := master.Signal(ctx, syscall.SIGTERM); err != nil {
			t.Errorf("stopping: %v", err)
		}
		log.tell(t)
	})
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = cluster.Until(ctx, func() error {
		answer, err := cluster.Do(ctx, http.MethodGet, base+"/health", "")
		if err == nil && answer.Status != http.StatusOK {
			err = fmt.Errorf("status %d", answer.Status)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	replayAll(t, &replay.Runner{Servers: map[string]string{"master": base}, Has: []string{"alone"}})
}

// freePort is a port that was free a moment ago: the daemon does not say which one
// it chose by itself.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func TestALoneMarathonWithCallbacksAnswersLikeTheOriginal(t *testing.T) {
	loneMarathon(t, "callbacks", "--event_subscriber=http_callback")
}

func TestALoneMarathonForClientsOf14AnswersLikeTheOriginal(t *testing.T) {
	loneMarathon(t, "level-1.4", "--api_compat_level=1.4")
}

// loneMarathon replays the scenarios that need one thing against a Marathon without a
// master that was started with the flags for it.
func loneMarathon(t *testing.T, need string, flags ...string) {
	log := new(logs)
	port := freePort(t)
	args := append([]string{
		"--master=127.0.0.1:1", "--http_address=127.0.0.1", fmt.Sprintf("--http_port=%d", port),
		"--hostname=127.0.0.1", "--work_dir=" + t.TempDir(),
	}, flags...)
	marathon, err := cluster.StartDaemon(build(t), log, "marathon", args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := marathon.Signal(ctx, syscall.SIGTERM); err != nil {
			t.Errorf("stopping: %v", err)
		}
		log.tell(t)
	})
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = cluster.Until(ctx, func() error {
		answer, err := cluster.Do(ctx, http.MethodGet, base+"/ping", "")
		if err == nil && answer.Status != http.StatusOK {
			err = fmt.Errorf("status %d", answer.Status)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	runner := &replay.Runner{Servers: map[string]string{"marathon": base}, Has: []string{need}}
	found := false
	for _, scenario := range load(t) {
		if !slices.Contains(scenario.Needs, need) {
			continue
		}
		found = true
		if report := runner.Run(t.Context(), scenario); report.Skipped != "" || report.Failed() {
			t.Errorf("%s: %s\n%s", scenario.Name, report.Skipped, report)
		}
	}
	if !found {
		t.Errorf("no scenario needs %s", need)
	}
}
