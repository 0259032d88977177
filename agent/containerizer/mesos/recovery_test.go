package mesos_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/agent/containerizer/proctree"
	"stoa/internal/mesos/mesospb"
)

// agentName is the argv[0] under which the test binary is an agent that launches one container and
// then waits to be killed.
const agentName = "test-agent"

// agentTask is what the test agent is asked to do.
type agentTask struct {
	RuntimeDir, Sandbox, PIDFile, ID, Command string
}

func (a agentTask) spec() containerizer.Spec {
	return containerizer.Spec{
		ID:          &mesospb.ContainerID{Value: proto.String(a.ID)},
		Executor:    &mesospb.ExecutorInfo{Command: &mesospb.CommandInfo{Value: proto.String(a.Command)}},
		Sandbox:     a.Sandbox,
		PIDFile:     a.PIDFile,
		Environment: map[string]string{"MESOS_DIRECTORY": a.Sandbox},
	}
}

// runAgent launches the container of AGENT_TASK, says so, and waits to be killed.
func runAgent() int {
	var task agentTask
	if err := json.Unmarshal([]byte(os.Getenv("AGENT_TASK")), &task); err != nil {
		return 1
	}
	c, err := build(task.RuntimeDir, nil)
	if err == nil {
		err = c.Launch(context.Background(), task.spec())
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("launched")
	time.Sleep(time.Hour)
	return 0
}

// launchedByDeadAgent has another process launch the container and kills it.
func launchedByDeadAgent(t *testing.T, runtimeDir, command string) containerizer.Spec {
	t.Helper()
	spec := specFor(t, command)
	task := agentTask{RuntimeDir: runtimeDir, Sandbox: spec.Sandbox, PIDFile: spec.PIDFile, ID: spec.ID.GetValue(), Command: command}
	encoded, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	agent := &exec.Cmd{Path: executable, Args: []string{agentName}, Env: append(os.Environ(), "AGENT_TASK="+string(encoded)), Stderr: os.Stderr}
	out, err := agent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 256)
	n, _ := out.Read(line)
	_ = agent.Process.Kill()
	_ = agent.Wait()
	if string(line[:n]) != "launched\n" {
		t.Fatalf("the agent says %q", line[:n])
	}
	return task.spec()
}

func pidOf(t *testing.T, spec containerizer.Spec) int {
	t.Helper()
	data, err := os.ReadFile(spec.PIDFile)
	if err != nil {
		t.Fatal(err)
	}
	return number(t, string(data))
}

func TestContainersOutliveTheAgentAndAreRecovered(t *testing.T) {
	runtimeDir := t.TempDir()
	known := launchedByDeadAgent(t, runtimeDir, "echo up; until test -e go; do sleep 0.02; done; exit 7")
	orphan := launchedByDeadAgent(t, runtimeDir, "(setsid sh -c 'echo $$ > adopted; sleep 1000' &); sleep 1000")
	gone := launchedByDeadAgent(t, runtimeDir, "(setsid sh -c 'echo $$ > adopted; sleep 1000' &); until test -s adopted; do sleep 0.01; done; exit 0")
	awaitLine(t, known, "stdout")
	adopted := []int{number(t, awaitLine(t, orphan, "adopted")), number(t, awaitLine(t, gone, "adopted"))}
	awaitGone(t, pidOf(t, gone))

	c := newContainerizer(t, runtimeDir)
	destroyLater(t, c, known)
	err := c.Recover(t.Context(), []containerizer.Recovered{
		{Spec: known, PID: pidOf(t, known)},
		{Spec: gone, PID: pidOf(t, gone)},
	})
	if err != nil {
		t.Fatal(err)
	}
	awaitGone(t, pidOf(t, orphan))
	for _, pid := range adopted {
		awaitGone(t, pid)
	}
	if termination := awaitEnd(t, c, gone.ID); termination.WaitStatus != nil {
		t.Errorf("termination of a container that ended meanwhile: %+v", termination)
	}
	status, err := c.Status(t.Context(), known.ID)
	if err != nil || int(status.GetExecutorPid()) != pidOf(t, known) {
		t.Errorf("status %v, %v", status, err)
	}
	if err := os.WriteFile(filepath.Join(known.Sandbox, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if termination := awaitEnd(t, c, known.ID); termination.WaitStatus != nil {
		t.Errorf("nobody can know this wait status: %+v", termination)
	}
	entries, err := os.ReadDir(filepath.Join(runtimeDir, "containers"))
	if err != nil || len(entries) != 0 {
		t.Errorf("left in the runtime directory: %v, %v", entries, err)
	}
}

// TestRecoveryDoesNotTouchAStranger gives a container the pid of a process that has nothing to do with it.
func TestRecoveryDoesNotTouchAStranger(t *testing.T) {
	stranger := exec.Command("sleep", "1000")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	c := newContainerizer(t, t.TempDir())
	spec := specFor(t, "true")
	if err := c.Recover(t.Context(), []containerizer.Recovered{{Spec: spec, PID: stranger.Process.Pid}}); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, c, spec.ID)
	if p, err := proctree.Lookup(stranger.Process.Pid); err != nil || p.Dead() {
		t.Error("the stranger was killed")
	}
}
