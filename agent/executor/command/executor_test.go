package command_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"stoa/agent/executor/executortest"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

// TestRecordedExchange plays the original agent's events and expects the original executor's calls,
// byte for byte but for times and uuids.
func TestRecordedExchange(t *testing.T) {
	data, err := os.ReadFile("testdata/recorded-executor-api.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded struct {
		Executors map[string]struct{ Calls, Events []string }
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	for id, exchange := range recorded.Executors {
		t.Run(id, func(t *testing.T) {
			agent := executortest.New(t)
			p := startExecutor(t, agent, id)
			agent.AwaitSubscribe(1)
			for _, event := range exchange.Events {
				raw, err := hex.DecodeString(event)
				if err != nil {
					t.Fatal(err)
				}
				decoded := new(executorpb.Event)
				if err := proto.Unmarshal(raw, decoded); err != nil {
					t.Fatal(err)
				}
				switch decoded.GetType() {
				case executorpb.Event_ACKNOWLEDGED: // ours have other uuids
					continue
				case executorpb.Event_KILL:
					agent.AwaitState(mesospb.TaskState_TASK_RUNNING)
				}
				agent.SendRaw(raw)
			}
			if code := p.awaitExit(); code != 0 {
				t.Errorf("exit status %d, want 0", code)
			}
			_, got := agent.Calls()
			var want [][]byte
			for _, call := range exchange.Calls {
				raw, err := hex.DecodeString(call)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, raw)
			}
			if diff := cmp.Diff(normalise(t, want), normalise(t, got)); diff != "" {
				t.Errorf("calls (-recorded +ours):\n%s", diff)
			}
		})
	}
}

// normalise blanks what differs from run to run and gives the bytes as hex.
func normalise(t *testing.T, calls [][]byte) []string {
	t.Helper()
	var texts []string
	for _, raw := range calls {
		call := new(executorpb.Call)
		if err := proto.Unmarshal(raw, call); err != nil {
			t.Fatal(err)
		}
		if status := call.GetUpdate().GetStatus(); status != nil {
			if len(status.GetUuid()) != 16 || status.GetTimestamp() < 1e9 {
				t.Errorf("status without uuid or time: %v", status)
			}
			status.Uuid = make([]byte, 16)
			status.Timestamp = proto.Float64(1)
		}
		data, err := proto.Marshal(call)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, fmt.Sprintf("%x %v", data, call))
	}
	return texts
}

func TestOutcomesAreWordedAsRecorded(t *testing.T) {
	argv := shell("argv", "/bin/echo")
	argv.Command.Shell = proto.Bool(false)
	argv.Command.Arguments = []string{"echo", "a b", "c"}
	missing := shell("noexist", "/no/such/bin")
	missing.Command.Shell = proto.Bool(false)
	limited := shell("maxtime", "sleep 100")
	limited.MaxCompletionTime = &mesospb.DurationInfo{Nanoseconds: proto.Int64(200_000_000)}
	for _, test := range []struct {
		task    *mesospb.TaskInfo
		state   mesospb.TaskState
		message string
		reason  *mesospb.TaskStatus_Reason
		stdout  string
	}{
		{shell("exit0", "echo out; echo err >&2; exit 0"), mesospb.TaskState_TASK_FINISHED, "Command exited with status 0", nil, "out\n"},
		{shell("exit3", "exit 3"), mesospb.TaskState_TASK_FAILED, "Command exited with status 3", nil, ""},
		{shell("sig9", "kill -9 $$"), mesospb.TaskState_TASK_FAILED, "Command terminated with signal Killed", nil, ""},
		{shell("sig15", "kill -TERM $$"), mesospb.TaskState_TASK_FAILED, "Command terminated with signal Terminated", nil, ""},
		{shell("sig11", "ulimit -c 0; kill -SEGV $$"), mesospb.TaskState_TASK_FAILED, "Command terminated with signal Segmentation fault", nil, ""},
		{shell("noexist-shell", "/no/such/bin"), mesospb.TaskState_TASK_FAILED, "Command exited with status 127", nil, ""},
		{missing, mesospb.TaskState_TASK_FAILED, "Command exited with status 1", nil, ""},
		{argv, mesospb.TaskState_TASK_FINISHED, "Command exited with status 0", nil, "a b c\n"},
		{limited, mesospb.TaskState_TASK_FAILED, "Command terminated with signal Terminated", mesospb.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED.Enum(), ""},
	} {
		id := test.task.GetTaskId().GetValue()
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			agent, p := launched(t, test.task, mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE)
			if code := p.awaitExit(); code != 0 {
				t.Errorf("exit status %d, want 0", code)
			}
			last := agent.AwaitStatus(3)
			want := []*mesospb.TaskStatus{
				{State: mesospb.TaskState_TASK_STARTING.Enum()},
				{State: mesospb.TaskState_TASK_RUNNING.Enum()},
				{State: test.state.Enum(), Message: proto.String(test.message), Reason: test.reason},
			}
			for i, status := range []*mesospb.TaskStatus{agent.AwaitStatus(1), agent.AwaitStatus(2), last} {
				want[i].TaskId = test.task.TaskId
				want[i].ExecutorId = &mesospb.ExecutorID{Value: proto.String(id)}
				want[i].Source = mesospb.TaskStatus_SOURCE_EXECUTOR.Enum()
				if diff := cmp.Diff(want[i], status, protocmp.Transform(), protocmp.IgnoreFields(&mesospb.TaskStatus{}, "uuid", "timestamp")); diff != "" {
					t.Errorf("status %d (-want +got):\n%s", i, diff)
				}
			}
			if got := p.read("stdout"); got != test.stdout {
				t.Errorf("stdout %q, want %q", got, test.stdout)
			}
			if id == "noexist" && !strings.Contains(p.read("stderr"), "Failed to execute '/no/such/bin'") {
				t.Errorf("stderr does not say what could not be executed:\n%s", p.read("stderr"))
			}
		})
	}
}

func TestTaskSeesItsEnvironmentAndNotTheExecutorsToken(t *testing.T) {
	task := shell("env", "env; pwd")
	task.Command.Environment = &mesospb.Environment{Variables: []*mesospb.Environment_Variable{
		{Name: proto.String("FOO"), Value: proto.String("bar baz")},
		{Name: proto.String("EMPTY"), Value: proto.String("")},
		{Name: proto.String("MESOS_CHECKPOINT"), Value: proto.String("overridden")},
	}}
	_, p := launched(t, task)
	p.awaitExit()
	out := "\n" + p.read("stdout")
	for _, line := range []string{"FOO=bar baz", "EMPTY=", "MESOS_ALLOCATION_ROLE=*", "MESOS_SANDBOX=" + p.sandbox, "MESOS_CHECKPOINT=overridden", p.sandbox} {
		if !strings.Contains(out, "\n"+line+"\n") {
			t.Errorf("no line %q in:\n%s", line, out)
		}
	}
	if strings.Contains(out, "TOKEN") {
		t.Errorf("the task sees the executor's token:\n%s", out)
	}
	if !strings.Contains(p.read("stderr"), "Overwriting environment variable 'MESOS_CHECKPOINT'") {
		t.Errorf("no word of the overwritten variable:\n%s", p.read("stderr"))
	}
}

func TestKillSendsTermAndTheCommandMayCleanUp(t *testing.T) {
	task := shell("clean", "trap 'echo bye; exit 0' TERM; echo ready; while true; do sleep 0.05; done")
	agent, p := launched(t, task, mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE)
	p.awaitFile("stdout")
	agent.AwaitStatus(2)
	agent.Kill(task, nil)
	statuses := agent.AwaitState(mesospb.TaskState_TASK_KILLED)
	p.awaitExit()
	if got := states(statuses); got != "TASK_STARTING TASK_RUNNING TASK_KILLING TASK_KILLED" {
		t.Errorf("states: %s", got)
	}
	if message := statuses[3].GetMessage(); message != "Command exited with status 0" {
		t.Errorf("message %q", message)
	}
	if out := p.read("stdout"); out != "ready\nbye\n" {
		t.Errorf("stdout %q", out)
	}
}

func TestKillEscalatesAfterTheGracePeriod(t *testing.T) {
	ignoring := "trap '' TERM; echo ready; while true; do sleep 0.05; done"
	policy := func(d time.Duration) *mesospb.KillPolicy {
		return &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(d.Nanoseconds())}}
	}
	t.Run("of the task", func(t *testing.T) {
		t.Parallel()
		task := shell("policy", ignoring)
		task.KillPolicy = policy(300 * time.Millisecond)
		agent, p := launched(t, task)
		p.awaitFile("stdout")
		agent.Kill(task, nil)
		expectKilled(t, agent.AwaitState(mesospb.TaskState_TASK_KILLED))
	})
	t.Run("of the call", func(t *testing.T) {
		t.Parallel()
		task := shell("override", ignoring)
		task.KillPolicy = policy(time.Hour)
		agent, p := launched(t, task)
		p.awaitFile("stdout")
		agent.Kill(task, policy(100*time.Millisecond))
		expectKilled(t, agent.AwaitState(mesospb.TaskState_TASK_KILLED))
	})
	t.Run("shortened by a second kill", func(t *testing.T) {
		t.Parallel()
		task := shell("shorter", ignoring)
		agent, p := launched(t, task)
		p.awaitFile("stdout")
		agent.Kill(task, policy(time.Hour))
		agent.Kill(task, policy(100*time.Millisecond))
		expectKilled(t, agent.AwaitState(mesospb.TaskState_TASK_KILLED))
		if strings.Count(p.read("stderr"), "Sent SIGTERM") != 1 {
			t.Errorf("not exactly one SIGTERM:\n%s", p.read("stderr"))
		}
	})
	t.Run("of a shutdown", func(t *testing.T) {
		t.Parallel()
		task := shell("shutdown", ignoring)
		agent := executortest.New(t)
		p := startExecutor(t, agent, "shutdown", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=2200ms")
		agent.AwaitSubscribe(1)
		agent.Subscribed(framework(), executorInfo("shutdown"))
		agent.Launch(task)
		p.awaitFile("stdout")
		agent.Send(&executorpb.Event{Type: executorpb.Event_SHUTDOWN.Enum()})
		expectKilled(t, agent.AwaitState(mesospb.TaskState_TASK_KILLED))
		if code := p.awaitExit(); code != 0 {
			t.Errorf("exit status %d", code)
		}
	})
}

// TestKillReachesTheWholeTree has a task with a child in the background, one in another session, and one
// that was adopted by init.
func TestKillReachesTheWholeTree(t *testing.T) {
	task := shell("tree", `trap '' TERM
sh -c 'trap "" TERM; echo $$ > child; while :; do sleep 0.05; done' &
setsid sh -c 'trap "" TERM; echo $$ > session; while :; do sleep 0.05; done' &
(setsid sh -c 'trap "" TERM; echo $$ > adopted; while :; do sleep 0.05; done' &)
while :; do sleep 0.05; done`)
	agent, p := launched(t, task)
	var pids []int
	for _, name := range []string{"child", "session", "adopted"} {
		pid, err := strconv.Atoi(strings.TrimSpace(p.awaitFile(name)))
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	agent.Kill(task, &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(1)}})
	agent.AwaitState(mesospb.TaskState_TASK_KILLED)
	p.awaitExit()
	for _, pid := range pids {
		awaitGone(t, pid)
	}
}

// TestAgentRestart takes the agent away while the task runs and ends, and expects every update that was not
// acknowledged from the new subscription.
func TestAgentRestart(t *testing.T) {
	task := shell("restart", "until test -e go; do sleep 0.05; done; exit 5")
	agent := executortest.New(t)
	agent.Acknowledge = false
	p := startExecutor(t, agent, "restart")
	agent.AwaitSubscribe(1)
	agent.Subscribed(framework(), executorInfo("restart"))
	agent.Launch(task)
	agent.AwaitState(mesospb.TaskState_TASK_RUNNING)

	agent.Stop()
	if err := os.WriteFile(filepath.Join(p.sandbox, "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p.awaitText("stderr", "Command exited with status 5")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	agent.Start()

	subscribe := agent.AwaitSubscribe(2).GetSubscribe()
	var updates []*mesospb.TaskStatus
	for _, update := range subscribe.GetUnacknowledgedUpdates() {
		updates = append(updates, update.GetStatus())
	}
	if got := states(updates); got != "TASK_STARTING TASK_RUNNING TASK_FAILED" {
		t.Errorf("unacknowledged updates: %s", got)
	}
	if len(subscribe.GetUnacknowledgedTasks()) != 1 || subscribe.GetUnacknowledgedTasks()[0].GetTaskId().GetValue() != "restart" {
		t.Errorf("unacknowledged tasks: %v", subscribe.GetUnacknowledgedTasks())
	}
	agent.Subscribed(framework(), executorInfo("restart"))
	agent.AcknowledgeAll()
	if code := p.awaitExit(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

func TestAcknowledgedUpdatesAreNotSentAgain(t *testing.T) {
	task := shell("acked", "sleep 1000")
	agent, _ := launched(t, task)
	agent.AwaitState(mesospb.TaskState_TASK_RUNNING)
	// The acknowledgement of RUNNING is on the stream before this.
	agent.Launch(shell("second", "true"))
	second := agent.AwaitStatus(3)
	if got := second.GetMessage(); got != `Attempted to run multiple tasks using a "command" executor` || second.GetState() != mesospb.TaskState_TASK_FAILED {
		t.Errorf("second task: %v", second)
	}
	agent.Stop()
	agent.Start()
	subscribe := agent.AwaitSubscribe(2).GetSubscribe()
	for _, update := range subscribe.GetUnacknowledgedUpdates() {
		if update.GetStatus().GetTaskId().GetValue() == "acked" {
			t.Errorf("sent again: %v", update.GetStatus())
		}
	}
	if len(subscribe.GetUnacknowledgedTasks()) != 0 {
		t.Errorf("unacknowledged tasks: %v", subscribe.GetUnacknowledgedTasks())
	}
}

func TestAgentThatDoesNotCheckpointTakesTheTaskWithIt(t *testing.T) {
	task := shell("orphan", "echo $$ > pid; exec sleep 1000")
	agent := executortest.New(t)
	p := startExecutor(t, agent, "orphan", "MESOS_CHECKPOINT=0")
	agent.AwaitSubscribe(1)
	agent.Subscribed(framework(), executorInfo("orphan"))
	agent.Launch(task)
	pid, err := strconv.Atoi(strings.TrimSpace(p.awaitFile("pid")))
	if err != nil {
		t.Fatal(err)
	}
	agent.AwaitState(mesospb.TaskState_TASK_RUNNING)
	agent.Stop()
	if code := p.awaitExit(); code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
	awaitGone(t, pid)
}

// TestAgentThatStaysAwayTakesTheTaskWithIt: a checkpointing agent is waited for, but not for ever.
func TestAgentThatStaysAwayTakesTheTaskWithIt(t *testing.T) {
	agent := executortest.New(t)
	p := startExecutor(t, agent, "lost", "MESOS_RECOVERY_TIMEOUT=300ms")
	agent.AwaitSubscribe(1)
	agent.Subscribed(framework(), executorInfo("lost"))
	agent.Launch(shell("lost", "echo $$ > pid; exec sleep 1000"))
	pid, err := strconv.Atoi(strings.TrimSpace(p.awaitFile("pid")))
	if err != nil {
		t.Fatal(err)
	}
	agent.AwaitState(mesospb.TaskState_TASK_RUNNING)
	agent.Stop()
	if code := p.awaitExit(); code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
	awaitGone(t, pid)
	if !strings.Contains(p.read("stderr"), "recovery timeout of 300ms exceeded") {
		t.Errorf("stderr does not say why:\n%s", p.read("stderr"))
	}
}

func TestAgentThatStillRecoversIsAskedAgain(t *testing.T) {
	agent := executortest.New(t)
	agent.Refuse(3)
	p := startExecutor(t, agent, "patient")
	agent.AwaitSubscribe(1)
	agent.Subscribed(framework(), executorInfo("patient"))
	agent.Launch(shell("patient", "true"))
	agent.AwaitState(mesospb.TaskState_TASK_FINISHED)
	if code := p.awaitExit(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

func TestKillBeforeTheTaskEndsTheExecutor(t *testing.T) {
	agent := executortest.New(t)
	p := startExecutor(t, agent, "early")
	agent.AwaitSubscribe(1)
	agent.Subscribed(framework(), executorInfo("early"))
	agent.Kill(shell("early", ""), nil)
	if code := p.awaitExit(); code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
}

func TestHealthCheckThatFailsKillsTheTask(t *testing.T) {
	task := shell("unhealthy", "sleep 1000")
	task.HealthCheck = &mesospb.HealthCheck{
		Type: mesospb.HealthCheck_COMMAND.Enum(), Command: &mesospb.CommandInfo{Value: proto.String("echo bad; exit 7")},
		DelaySeconds: proto.Float64(0), IntervalSeconds: proto.Float64(0.02), TimeoutSeconds: proto.Float64(10),
		ConsecutiveFailures: proto.Uint32(2), GracePeriodSeconds: proto.Float64(0),
	}
	agent, p := launched(t, task, mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE)
	statuses := agent.AwaitState(mesospb.TaskState_TASK_KILLED)
	p.awaitExit()
	if got := states(statuses); got != "TASK_STARTING TASK_RUNNING TASK_RUNNING TASK_RUNNING TASK_KILLING TASK_KILLED" {
		t.Fatalf("states: %s", got)
	}
	for _, i := range []int{2, 3} {
		if s := statuses[i]; s.Healthy == nil || s.GetHealthy() || s.GetReason() != mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED {
			t.Errorf("status %d: %v", i, s)
		}
	}
	if s := statuses[4]; s.Healthy != nil {
		t.Errorf("TASK_KILLING: %v", s)
	}
	if s := statuses[5]; s.Healthy == nil || s.GetHealthy() || s.GetMessage() != "Command terminated with signal Terminated" {
		t.Errorf("TASK_KILLED: %v", s)
	}
	if !strings.Contains(p.read("stderr"), "bad\n") {
		t.Error("what the check printed is not in stderr")
	}
}

// TestHTTPHealthAndTCPCheck probes a server of the test's own.
func TestHTTPHealthAndTCPCheck(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/health", http.StatusFound)
		case "/health":
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	port := server.Listener.Addr().(*net.TCPAddr).Port
	task := shell("web", "sleep 1000")
	task.HealthCheck = &mesospb.HealthCheck{
		Type:         mesospb.HealthCheck_HTTP.Enum(),
		Http:         &mesospb.HealthCheck_HTTPCheckInfo{Scheme: proto.String("https"), Port: proto.Uint32(uint32(port)), Path: proto.String("/moved")},
		DelaySeconds: proto.Float64(0), IntervalSeconds: proto.Float64(0.02),
	}
	task.Check = &mesospb.CheckInfo{
		Type: mesospb.CheckInfo_TCP.Enum(), Tcp: &mesospb.CheckInfo_Tcp{Port: proto.Uint32(uint32(port))},
		DelaySeconds: proto.Float64(0), IntervalSeconds: proto.Float64(0.02),
	}
	agent, _ := launched(t, task)
	first := agent.AwaitStatus(1)
	empty := &mesospb.CheckStatusInfo{Type: mesospb.CheckInfo_TCP.Enum(), Tcp: &mesospb.CheckStatusInfo_Tcp{}}
	if !proto.Equal(first.GetCheckStatus(), empty) {
		t.Errorf("check status before any result: %v", first.GetCheckStatus())
	}
	// One update each, in any order; the later one holds both results.
	agent.AwaitStatus(3)
	last := agent.AwaitStatus(4)
	if !last.GetHealthy() || !last.GetCheckStatus().GetTcp().GetSucceeded() {
		t.Errorf("last status: %v", last)
	}
	// Nothing more is reported while nothing changes: the next thing is the failed check.
	server.Close()
	next := agent.AwaitStatus(5)
	if next.GetHealthy() && next.GetCheckStatus().GetTcp().GetSucceeded() {
		t.Errorf("status without news: %v", next)
	}
}
