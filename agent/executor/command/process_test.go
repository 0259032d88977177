package command_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer/proctree"
	"stoa/agent/executor/executortest"
	"stoa/agent/executor/reexec"
	"stoa/internal/mesos/mesospb"
)

// TestMain lets the test binary be the executor, as the agent starts the product's binary.
func TestMain(m *testing.M) {
	if program := reexec.Lookup(os.Args[0]); program != nil {
		os.Exit(program(context.Background(), os.Args[1:], os.Environ()))
	}
	os.Exit(m.Run())
}

// process is a real command executor.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	sandbox string
	ended   chan error
}

// startExecutor runs the executor against the agent, in a session of its own, with its output in
// the sandbox. Extra entries are added to its environment.
func startExecutor(t *testing.T, agent *executortest.Agent, id string, extra ...string) *process {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sandbox := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(sandbox, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	cmd := &exec.Cmd{
		Path: executable,
		Args: []string{"mesos-executor", "--launcher_dir=/usr/libexec/mesos"},
		Dir:  sandbox,
		Env: append([]string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"MESOS_FRAMEWORK_ID=616ecf2a-55d2-4d15-855f-b4f02a7cc0a2-0000",
			"MESOS_EXECUTOR_ID=" + id,
			"MESOS_DIRECTORY=" + sandbox,
			"MESOS_SANDBOX=" + sandbox,
			"MESOS_SLAVE_ID=616ecf2a-55d2-4d15-855f-b4f02a7cc0a2-S0",
			"MESOS_SLAVE_PID=slave(1)@" + agent.Address(),
			"MESOS_AGENT_ENDPOINT=" + agent.Address(),
			"MESOS_CHECKPOINT=1",
			"MESOS_RECOVERY_TIMEOUT=15mins",
			"MESOS_SUBSCRIPTION_BACKOFF_MAX=200ms",
			"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secs",
			"MESOS_EXECUTOR_AUTHENTICATION_TOKEN=secret",
		}, extra...),
		Stdout:      open("stdout"),
		Stderr:      open("stderr"),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, sandbox: sandbox, ended: make(chan error, 1)}
	go func() { p.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), executortest.Patience)
		defer cancel()
		if err := (proctree.Root{PID: cmd.Process.Pid, Mark: "MESOS_DIRECTORY=" + sandbox}).Kill(ctx); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("stderr of the executor:\n%s", p.read("stderr"))
		}
	})
	return p
}

func (p *process) read(name string) string {
	data, err := os.ReadFile(filepath.Join(p.sandbox, name))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

// awaitFile waits until a file of the sandbox has a whole line.
func (p *process) awaitFile(name string) string {
	p.t.Helper()
	return p.awaitText(name, "\n")
}

func (p *process) awaitText(name, text string) string {
	p.t.Helper()
	deadline := time.Now().Add(executortest.Patience)
	for time.Now().Before(deadline) {
		if content := p.read(name); strings.Contains(content, text) {
			return content
		}
		time.Sleep(5 * time.Millisecond)
	}
	p.t.Fatalf("%s never held %q: %s", name, text, p.read(name))
	return ""
}

// awaitExit waits for the executor's own end and gives its exit status.
func (p *process) awaitExit() int {
	p.t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(executortest.Patience):
		p.t.Fatal("the executor did not exit")
		return 0
	}
}

func shell(id, command string) *mesospb.TaskInfo {
	return &mesospb.TaskInfo{
		Name:    proto.String(id),
		TaskId:  &mesospb.TaskID{Value: proto.String(id)},
		AgentId: &mesospb.AgentID{Value: proto.String("616ecf2a-55d2-4d15-855f-b4f02a7cc0a2-S0")},
		Command: &mesospb.CommandInfo{Value: proto.String(command)},
		Resources: []*mesospb.Resource{{
			Name: proto.String("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(0.1)},
			AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
		}},
	}
}

func framework(capabilities ...mesospb.FrameworkInfo_Capability_Type) *mesospb.FrameworkInfo {
	info := &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("test")}
	for _, c := range capabilities {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return info
}

func executorInfo(id string) *mesospb.ExecutorInfo {
	return &mesospb.ExecutorInfo{ExecutorId: &mesospb.ExecutorID{Value: proto.String(id)}}
}

// launched starts an executor, subscribes it and gives it the task.
func launched(t *testing.T, task *mesospb.TaskInfo, capabilities ...mesospb.FrameworkInfo_Capability_Type) (*executortest.Agent, *process) {
	t.Helper()
	agent := executortest.New(t)
	p := startExecutor(t, agent, task.GetTaskId().GetValue())
	agent.AwaitSubscribe(1)
	agent.Subscribed(framework(capabilities...), executorInfo(task.GetTaskId().GetValue()))
	agent.Launch(task)
	return agent, p
}

func expectKilled(t *testing.T, statuses []*mesospb.TaskStatus) {
	t.Helper()
	if message := statuses[len(statuses)-1].GetMessage(); message != "Command terminated with signal Killed" {
		t.Errorf("message %q", message)
	}
}

func states(statuses []*mesospb.TaskStatus) string {
	var names []string
	for _, status := range statuses {
		names = append(names, status.GetState().String())
	}
	return strings.Join(names, " ")
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(executortest.Patience)
	for time.Now().Before(deadline) {
		if p, err := proctree.Lookup(pid); err != nil || p.Dead() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}
