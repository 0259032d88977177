package agent_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"stoa/agent"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/parts"
)

// runningAgent is an agent in this process.
type runningAgent struct {
	*agent.Agent
	t       *testing.T
	address string
	stop    func()
	ended   chan error
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startAgent runs an agent until the test ends, then ends its tasks.
func startAgent(t *testing.T, s settings) *runningAgent {
	t.Helper()
	if s.Address == "" {
		s.Address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp4", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	a, err := agent.New(ctx, s.config(listener))
	if err != nil {
		t.Fatal(err)
	}
	r := &runningAgent{Agent: a, t: t, address: listener.Addr().String(), ended: make(chan error, 1)}
	r.stop = func() {
		cancel()
		r.await()
	}
	go func() {
		r.ended <- a.Run(ctx)
		close(r.ended)
	}()
	t.Cleanup(func() {
		a.Shutdown("the test is over")
		r.await()
		cancel()
	})
	return r
}

func (r *runningAgent) await() {
	select {
	case err := <-r.ended:
		if err != nil {
			r.t.Errorf("the agent ended with: %v", err)
		}
	case <-time.After(patience):
		r.t.Error("the agent does not end")
	}
}

func get(t *testing.T, address, path string) (int, string) {
	t.Helper()
	response, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestCommandTaskRunsAndItsOutputIsReadable(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	a := startAgent(t, settings{Master: master.address, WorkDir: t.TempDir()})
	first[*internalpb.UpdateSlaveMessage](master, 0)

	f := framework("test-0000")
	master.run(f, "hello", "echo hi there; exit 3")
	list := master.awaitState("hello", mesospb.TaskState_TASK_FAILED)

	want := []string{"TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"}
	if diff := cmp.Diff(want, states(list)); diff != "" {
		t.Errorf("states of the task (-want +got):\n%s", diff)
	}
	last := list[len(list)-1].GetStatus()
	if got := last.GetMessage(); got != "Command exited with status 3" {
		t.Errorf("message of the failure: %q", got)
	}
	if last.GetSource() != mesospb.TaskStatus_SOURCE_EXECUTOR || last.GetContainerStatus().GetContainerId().GetValue() == "" ||
		last.GetContainerStatus().GetNetworkInfos()[0].GetIpAddresses()[0].GetIpAddress() != "127.0.0.1" {
		t.Errorf("the agent did not complete the status: %v", last)
	}

	path := "/frameworks/test-0000/executors/hello/runs/latest/stdout"
	code, body := get(t, a.address, "/files/read?offset=0&path="+url.QueryEscape(path))
	if code != 200 || !strings.Contains(body, `hi there\n`) {
		t.Errorf("/files/read gave %d %s", code, body)
	}
	code, body = get(t, a.address, "/state")
	var state struct {
		ID         string `json:"id"`
		Frameworks []struct {
			ID string `json:"id"`
		} `json:"frameworks"`
	}
	if err := json.Unmarshal([]byte(body), &state); code != 200 || err != nil || state.ID != "test-S0" {
		t.Errorf("/state gave %d %s", code, body)
	}
}

func TestKilledTaskIsReportedKilled(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	startAgent(t, settings{Master: master.address, WorkDir: t.TempDir()})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	f := framework("test-0000")
	master.run(f, "sleeper", "sleep 1000")
	master.awaitState("sleeper", mesospb.TaskState_TASK_RUNNING)
	master.kill(f, "sleeper")
	list := master.awaitState("sleeper", mesospb.TaskState_TASK_KILLED)
	if got := list[len(list)-1].GetStatus().GetMessage(); got != "Command terminated with signal Terminated" {
		t.Errorf("message: %q", got)
	}
}

func TestTaskOutlivesAnAgentThatStops(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	s := settings{Address: freeAddress(t), Master: master.address, WorkDir: t.TempDir(), ReregistrationTimeout: 15 * time.Second}
	a := startAgent(t, s)
	first[*internalpb.UpdateSlaveMessage](master, 0)
	f := framework("test-0000")
	master.run(f, "survivor", "sleep 1000")
	master.awaitState("survivor", mesospb.TaskState_TASK_RUNNING)
	a.stop()

	before := master.count()
	startAgent(t, s)
	again := first[*internalpb.ReregisterSlaveMessage](master, before)
	if again.GetSlave().GetId().GetValue() != "test-S0" {
		t.Errorf("the agent came back as %s", again.GetSlave().GetId().GetValue())
	}
	if len(again.GetTasks()) != 1 || again.GetTasks()[0].GetState() != mesospb.TaskState_TASK_RUNNING {
		t.Fatalf("the agent came back with %v", again.GetTasks())
	}
	master.kill(f, "survivor")
	list := master.awaitState("survivor", mesospb.TaskState_TASK_KILLED)
	if diff := cmp.Diff([]string{"TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"}, states(list)); diff != "" {
		t.Errorf("states of the task (-want +got):\n%s", diff)
	}
}

// agentInProcess is an agent that can be killed.
type agentInProcess struct {
	t   *testing.T
	cmd *exec.Cmd
}

func startAgentProcess(t *testing.T, s settings) *agentInProcess {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), agentProcess+"="+string(text))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &agentInProcess{t: t, cmd: cmd}
	t.Cleanup(func() { p.signal(syscall.SIGKILL) })
	return p
}

func (p *agentInProcess) signal(s syscall.Signal) {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(s)
		_ = p.cmd.Wait()
	}
}

func TestKilledAgentLosesNothing(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	s := settings{Address: freeAddress(t), Master: master.address, WorkDir: t.TempDir(), ReregistrationTimeout: 15 * time.Second}
	p := startAgentProcess(t, s)
	first[*internalpb.UpdateSlaveMessage](master, 0)
	f := framework("test-0000")
	done := filepath.Join(t.TempDir(), "go")
	master.run(f, "stays", "sleep 1000")
	master.run(f, "ends", "while ! test -e "+done+"; do sleep 0.05; done; exit 7")
	master.awaitState("stays", mesospb.TaskState_TASK_RUNNING)
	master.awaitState("ends", mesospb.TaskState_TASK_RUNNING)
	master.run(f, "quiet", "sleep 1000")
	master.holdAcknowledgements(true)
	master.awaitState("quiet", mesospb.TaskState_TASK_STARTING)

	p.signal(syscall.SIGKILL)
	if err := os.WriteFile(done, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	master.holdAcknowledgements(false)
	before := master.count()
	p = startAgentProcess(t, s)
	again := first[*internalpb.ReregisterSlaveMessage](master, before)
	if len(again.GetTasks()) != 3 {
		t.Errorf("the agent came back with %d tasks: %v", len(again.GetTasks()), again.GetTasks())
	}
	if diff := cmp.Diff([]string{"TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"}, states(master.awaitState("ends", mesospb.TaskState_TASK_FAILED))); diff != "" {
		t.Errorf("states of the task that ended meanwhile (-want +got):\n%s", diff)
	}
	master.awaitState("quiet", mesospb.TaskState_TASK_RUNNING)
	for _, task := range []string{"stays", "quiet"} {
		master.kill(f, task)
		list := master.awaitState(task, mesospb.TaskState_TASK_KILLED)
		if diff := cmp.Diff([]string{"TASK_STARTING", "TASK_RUNNING", "TASK_KILLED"}, states(list)); diff != "" {
			t.Errorf("states of %s (-want +got):\n%s", task, diff)
		}
	}
	p.signal(syscall.SIGTERM)
}

func TestShutdownUnregistersAndEndsTasks(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	a := startAgent(t, settings{Master: master.address, WorkDir: t.TempDir()})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	f := framework("test-0000")
	pid := filepath.Join(t.TempDir(), "pid")
	master.run(f, "task", "echo $$ > "+pid+"; exec sleep 1000")
	master.awaitState("task", mesospb.TaskState_TASK_RUNNING)
	var content []byte
	eventually(t, "the task's pid", func() bool {
		content, _ = os.ReadFile(pid)
		return strings.HasSuffix(string(content), "\n")
	})
	a.Shutdown("test")
	first[*internalpb.UnregisterSlaveMessage](master, 0)
	a.await()
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(content))); err == nil {
		t.Error("the task still runs")
	}
}

func TestUnknownUserDropsTheTaskInTheOriginalsWords(t *testing.T) {
	if os.Geteuid() != 0 {
		parts.Missing(t, "root", "only root can change users")
	}
	master := newFakeMaster(t, "127.0.0.1:0")
	startAgent(t, settings{Master: master.address, WorkDir: t.TempDir()})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	f := framework("test-0000")
	f.User = proto.String("no-such-user")
	master.run(f, "nouser", "true")
	list := master.awaitState("nouser", mesospb.TaskState_TASK_DROPPED)
	status := list[0].GetStatus()
	if !strings.HasSuffix(status.GetMessage(), "Failed to chown directory to 'no-such-user': No such user 'no-such-user'") ||
		!strings.HasPrefix(status.GetMessage(), "Failed to create executor directory '") ||
		status.GetReason() != mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED {
		t.Errorf("status: %v", status)
	}
	exited := first[*internalpb.ExitedExecutorMessage](master, 0)
	if exited.GetStatus() != -1 {
		t.Errorf("exited executor: %v", exited)
	}
}

func TestTwoAgentsDoNotShareAWorkDirectory(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	s := settings{Master: master.address, WorkDir: t.TempDir()}
	startAgent(t, s)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := agent.New(t.Context(), s.config(listener)); err == nil || !strings.Contains(err.Error(), "another agent uses --work_dir") {
		t.Errorf("the second agent: %v", err)
	}
	if _, err := listener.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

func TestRunLeavesNoGoroutineBehind(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	master := newFakeMaster(t, "127.0.0.1:0")
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a, err := agent.New(ctx, settings{Master: master.address, WorkDir: t.TempDir()}.config(listener))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	first[*internalpb.UpdateSlaveMessage](master, 0)
	master.run(framework("test-0000"), "task", "sleep 1000")
	master.awaitState("task", mesospb.TaskState_TASK_RUNNING)
	a.Shutdown("test")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	cancel()
	master.close()
	goleak.VerifyNone(t, ignore)
}
