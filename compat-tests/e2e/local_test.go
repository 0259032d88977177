package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"stoa/compat-tests/cluster"
)

const seedApp = `{"id":"basic1","cmd":"while true; do echo 'Hello marathon'; sleep 5; done","cpus":0.1,"mem":10.0,"instances":1}`

// The seed: posted, running, readable, killed and back, scaled, restarted,
// suspended, deleted.
func TestFirstAppLivesAndDies(t *testing.T) {
	l := startLocal(t, t.TempDir())

	created := send(t, 201, post, l.Marathon+"/v2/apps", seedApp)
	var app struct{ ID, Version string }
	if err := json.Unmarshal(created.Body, &app); err != nil || app.ID != "/basic1" || app.Version == "" {
		t.Fatalf("POST answered %s (%v)", created.Body, err)
	}
	first := settled(t, l, "basic1", 1)[0]

	t.Run("stdout is readable through the agent", func(t *testing.T) {
		until(t, "the sandbox holds the output", func() error {
			dir, err := sandboxOf(t.Context(), l, first.ID)
			if err != nil {
				return err
			}
			out, err := cluster.Get[struct{ Data string }](t.Context(), l.Agent+"/files/read?offset=0&path="+url.QueryEscape(dir+"/stdout"))
			if err == nil && !strings.Contains(out.Data, "Hello marathon\n") {
				err = fmt.Errorf("stdout is %q", out.Data)
			}
			return err
		})
	})

	t.Run("kill -9 brings a new task", func(t *testing.T) {
		if err := syscall.Kill(shellOf(t, first, "Hello marathon"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until(t, "another task runs", func() error {
			tasks, err := l.Tasks(t.Context(), "basic1")
			if err != nil {
				return err
			}
			if len(tasks) != 1 || tasks[0].ID == first.ID || tasks[0].State != "TASK_RUNNING" {
				return fmt.Errorf("tasks %+v", tasks)
			}
			return nil
		})
		a, err := l.App(t.Context(), "basic1")
		if err != nil || a.LastTaskFailure == nil || a.LastTaskFailure.Message != "Command terminated with signal Killed" {
			t.Errorf("lastTaskFailure %+v (%v)", a.LastTaskFailure, err)
		}
	})

	t.Run("scale", func(t *testing.T) {
		send(t, 200, put, l.Marathon+"/v2/apps/basic1", `{"instances":3}`)
		tasks := settled(t, l, "basic1", 3)
		if ids := idsOf(tasks); len(ids) != 3 {
			t.Errorf("tasks %v", ids)
		}
	})

	t.Run("restart", func(t *testing.T) {
		before := settled(t, l, "basic1", 3)
		send(t, 200, post, l.Marathon+"/v2/apps/basic1/restart", "")
		until(t, "every task is new", func() error {
			now, err := l.Tasks(t.Context(), "basic1")
			if err != nil {
				return err
			}
			for _, b := range before {
				if slices.Contains(idsOf(now), b.ID) {
					return fmt.Errorf("task %s is still there", b.ID)
				}
			}
			return l.Settled(t.Context(), "basic1", 3)
		})
	})

	t.Run("suspend", func(t *testing.T) {
		tasks := settled(t, l, "basic1", 3)
		send(t, 200, put, l.Marathon+"/v2/apps/basic1", `{"instances":0}`)
		settled(t, l, "basic1", 0)
		for _, task := range tasks {
			gone(t, task.ID)
		}
	})

	t.Run("delete", func(t *testing.T) {
		send(t, 200, put, l.Marathon+"/v2/apps/basic1", `{"instances":1}`)
		task := settled(t, l, "basic1", 1)[0]
		send(t, 200, del, l.Marathon+"/v2/apps/basic1", "")
		send(t, 404, get, l.Marathon+"/v2/apps/basic1", "")
		gone(t, task.ID)
	})
}

// A web server on $PORT0: three instances get three ports, all answer, all are healthy.
func TestWebServersGetPortsAndHealthChecks(t *testing.T) {
	l := startLocal(t, t.TempDir())
	send(t, 201, post, l.Marathon+"/v2/apps", `{"id":"web","cmd":"echo hello > index.html && exec busybox httpd -f -p 127.0.0.1:$PORT0","cpus":0.1,"mem":32,"instances":3,
		"healthChecks":[{"protocol":"HTTP","path":"/","portIndex":0,"gracePeriodSeconds":30,"intervalSeconds":1,"timeoutSeconds":5}]}`)
	until(t, "three tasks are healthy", func() error {
		a, err := l.App(t.Context(), "web")
		if err == nil && a.TasksHealthy != 3 {
			err = fmt.Errorf("app %+v", a)
		}
		return err
	})
	seen := map[int]bool{}
	for _, task := range settled(t, l, "web", 3) {
		if len(task.Ports) != 1 || task.Ports[0] < 31000 || task.Ports[0] > 32000 || seen[task.Ports[0]] {
			t.Fatalf("task %s has ports %v", task.ID, task.Ports)
		}
		seen[task.Ports[0]] = true
		send(t, 200, get, fmt.Sprintf("http://%s:%d/", task.Host, task.Ports[0]), "")
	}
}

// Ctrl-C ends every task; the next start brings the app back.
func TestCtrlCAndStartAgain(t *testing.T) {
	dir := t.TempDir()
	l := startLocal(t, dir)
	send(t, 201, post, l.Marathon+"/v2/apps", `{"id":"back","cmd":"sleep 1000","cpus":0.1,"mem":10,"instances":2}`)
	before := settled(t, l, "back", 2)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := l.Interrupt(ctx); err != nil {
		t.Fatalf("after Ctrl-C: %v", err)
	}
	for _, task := range before {
		gone(t, task.ID)
	}

	again := startLocal(t, dir, samePorts(l)...)
	until(t, "two new tasks run", func() error {
		tasks, err := again.Tasks(t.Context(), "back")
		if err != nil {
			return err
		}
		for _, task := range tasks {
			if slices.Contains(idsOf(before), task.ID) {
				return fmt.Errorf("task %s is still listed", task.ID)
			}
		}
		return again.Settled(t.Context(), "back", 2)
	})
}

// A task may ask for as long as it likes to end. Nobody at a terminal waits for that: Ctrl-C
// again kills it, with all that it has started.
func TestCtrlCAgainKillsTasksThatDoNotEnd(t *testing.T) {
	l := startLocal(t, t.TempDir())
	send(t, 201, post, l.Marathon+"/v2/apps", `{"id":"stubborn","cmd":"trap '' TERM; setsid sleep 1000 & while true; do sleep 1; done",
		"cpus":0.1,"mem":10,"instances":2,"taskKillGracePeriodSeconds":300}`)
	tasks := settled(t, l, "stubborn", 2)
	until(t, "the cluster is down", func() error {
		select {
		case <-l.Done():
			return nil
		default:
			return errors.Join(errors.New("it still runs"), syscall.Kill(l.PID(), syscall.SIGINT))
		}
	})
	for _, task := range tasks {
		gone(t, task.ID)
	}
}

// kill -9 of the whole cluster: the task goes on, the next start takes it back.
func TestTasksOutliveKillNine(t *testing.T) {
	dir := t.TempDir()
	l := startLocal(t, dir)
	send(t, 201, post, l.Marathon+"/v2/apps", `{"id":"tough","cmd":"sleep 1000","cpus":0.1,"mem":10,"instances":1}`)
	before := settled(t, l, "tough", 1)[0]
	pid := shellOf(t, before, "sleep 1000")
	l.Kill()
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the task died with the cluster: %v", err)
	}

	again := startLocal(t, dir, samePorts(l)...)
	after := settled(t, again, "tough", 1)[0]
	if after.ID != before.ID {
		t.Errorf("task %s, want the old one %s", after.ID, before.ID)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("the task's process is gone: %v", err)
	}
	send(t, 200, del, again.Marathon+"/v2/apps/tough", "")
	gone(t, before.ID)
}

// The seed has typing mistakes; they get the original's answers.
func TestTypingMistakes(t *testing.T) {
	l := startLocal(t, t.TempDir())
	send(t, 422, post, l.Marathon+"/v2/apps", `{"idd":"basic1","cmd":"sleep 1","cpus":0.1,"mem":10.0,"instances":1}`)
	send(t, 400, post, l.Marathon+"/v2/apps", `{"id":"basic1" "cmd":"sleep 1"}`)
	apps, err := cluster.Get[struct{ Apps []cluster.App }](t.Context(), l.Marathon+"/v2/apps")
	if err != nil || len(apps.Apps) != 0 {
		t.Errorf("apps %+v (%v)", apps, err)
	}
}

// An app that can't start says why.
func TestFailureIsExplained(t *testing.T) {
	l := startLocal(t, t.TempDir())
	send(t, 201, post, l.Marathon+"/v2/apps", `{"id":"broken","cmd":"exit 3","cpus":0.1,"mem":10,"instances":1}`)
	until(t, "the failure is shown", func() error {
		a, err := l.App(t.Context(), "broken")
		if err == nil && (a.LastTaskFailure == nil || a.LastTaskFailure.State != "TASK_FAILED" || a.LastTaskFailure.Message != "Command exited with status 3") {
			err = fmt.Errorf("lastTaskFailure %+v", a.LastTaskFailure)
		}
		return err
	})
}

// samePorts starts a cluster where the last one was: an agent keeps its port.
func samePorts(l *cluster.Local) []string {
	port := func(base string) string { return base[strings.LastIndexByte(base, ':')+1:] }
	return []string{"--master_port=" + port(l.Master), "--agent_port=" + port(l.Agent), "--marathon_port=" + port(l.Marathon)}
}

func idsOf(tasks []cluster.Task) []string {
	var ids []string
	for _, t := range tasks {
		ids = append(ids, t.ID)
	}
	return ids
}

// gone waits until no process of the task is left.
func gone(t *testing.T, task string) {
	t.Helper()
	until(t, "no process of "+task+" is left", func() error {
		if pids := processesWith(t, task); len(pids) > 0 {
			return fmt.Errorf("processes %v", pids)
		}
		return nil
	})
}

// sandboxOf finds the task's sandbox the way the web page does: through the
// executor's directory in the agent's state.
func sandboxOf(ctx context.Context, l *cluster.Local, task string) (string, error) {
	type executor struct{ ID, Directory string }
	s, err := cluster.Get[struct {
		Frameworks []struct{ Executors []executor }
	}](ctx, l.Agent+"/state")
	if err != nil {
		return "", err
	}
	for _, f := range s.Frameworks {
		for _, e := range f.Executors {
			if e.ID == task {
				if _, err := os.Stat(filepath.Join(e.Directory, "stdout")); err != nil {
					return "", err
				}
				return e.Directory, nil
			}
		}
	}
	return "", fmt.Errorf("no executor %s in the agent's state", task)
}
