// Package e2e tries the whole binary as a new user would: `stoa local` and its
// pieces as processes, apps posted with HTTP, tasks as real processes.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stoa/compat-tests/cluster"
)

// binary is the stoa binary under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "stoa-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "stoa")
		build := exec.Command("go", "build", "-o", binary, "stoa/cmd/stoa")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build the binary: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// patience bounds every wait. It says how long a broken cluster may keep the test
// waiting, not how fast a good one is.
const patience = 60 * time.Second

// logBuffer keeps what the daemons log, for a failing test.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newLog(t *testing.T) *logBuffer {
	l := &logBuffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log("what the daemons logged:\n" + l.String())
		}
	})
	return l
}

// startLocal starts a cluster in dir and waits until it can launch tasks. At the
// end of the test every task and process is gone.
func startLocal(t *testing.T, dir string, args ...string) *cluster.Local {
	t.Helper()
	l, err := cluster.StartLocal(t.Context(), cluster.Options{
		Binary: binary, WorkDir: dir, Log: newLog(t), Args: append([]string{"--verbose", "--resources=cpus:4;mem:4096;disk:4096"}, args...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := l.Interrupt(ctx); err != nil && !killed(err) {
			t.Errorf("stoa local: %v", err)
		}
	})
	until(t, "the cluster is ready", func() error { return l.Ready(t.Context()) })
	return l
}

func killed(err error) bool {
	exit, ok := err.(*exec.ExitError)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled()
}

func until(t *testing.T, what string, f func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := cluster.Until(ctx, f); err != nil {
		t.Fatalf("waiting until %s: %v", what, err)
	}
}

// send makes a request and fails the test on another status than want.
func send(t *testing.T, want int, method, url, body string) cluster.Answer {
	t.Helper()
	a, err := cluster.Do(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != want {
		t.Fatalf("%s %s: status %d, want %d: %s", method, url, a.Status, want, a.Body)
	}
	return a
}

func settled(t *testing.T, l *cluster.Local, app string, n int) []cluster.Task {
	t.Helper()
	until(t, fmt.Sprintf("%s has %d running tasks", app, n), func() error { return l.Settled(t.Context(), app, n) })
	tasks, err := l.Tasks(t.Context(), app)
	if err != nil {
		t.Fatal(err)
	}
	return tasks
}

// processesWith lists the live processes that have text in their environment.
func processesWith(t *testing.T, text string) []int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, d := range dirs {
		env, err := os.ReadFile(filepath.Join(d, "environ"))
		if err != nil || !bytes.Contains(env, []byte(text)) {
			continue
		}
		var pid int
		if _, err := fmt.Sscan(filepath.Base(d), &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// shellOf is the pid of the task's own process: the one whose command line has cmd.
func shellOf(t *testing.T, task cluster.Task, cmd string) int {
	t.Helper()
	for _, pid := range processesWith(t, "MESOS_TASK_ID="+task.ID) {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if strings.Contains(string(line), cmd) && strings.HasPrefix(string(line), "/bin/sh") || strings.HasPrefix(string(line), "sh\x00") {
			return pid
		}
	}
	t.Fatalf("no process of task %s runs %q", task.ID, cmd)
	return 0
}

const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
