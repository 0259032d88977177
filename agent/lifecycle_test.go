package agent_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/recordio"
)

// executorPID is the first process of the only container of an agent.
func executorPID(t *testing.T, work, task string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(work, "meta/slaves/latest/frameworks/*/executors", task, "runs/latest/pids/forked.pid"))
	if err != nil || len(found) != 1 {
		t.Fatalf("pid files: %v, %v", found, err)
	}
	content, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(content))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestKilledExecutorFailsItsTask(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	s := settings{Master: master.address, WorkDir: t.TempDir()}
	startAgent(t, s)
	first[*internalpb.UpdateSlaveMessage](master, 0)
	master.run(framework("test-0000"), "task", "sleep 1000")
	master.awaitState("task", mesospb.TaskState_TASK_RUNNING)
	if err := syscall.Kill(executorPID(t, s.WorkDir, "task"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	list := master.awaitState("task", mesospb.TaskState_TASK_FAILED)
	status := list[len(list)-1].GetStatus()
	if status.GetMessage() != "Executor terminated" || status.GetReason() != mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED ||
		status.GetSource() != mesospb.TaskStatus_SOURCE_AGENT || status.GetContainerStatus() != nil {
		t.Errorf("status: %v", status)
	}
}

func TestFailedFetchFailsTheTaskInTheOriginalsWords(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	startAgent(t, settings{Master: master.address, WorkDir: t.TempDir()})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	id := "fetch"
	master.send(&internalpb.RunTaskMessage{
		Framework: framework("test-0000"), LaunchExecutor: proto.Bool(true),
		Task: &mesospb.TaskInfo{
			Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: proto.String("test-S0")},
			Resources: []*mesospb.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
			Command: &mesospb.CommandInfo{Value: proto.String("true"),
				Uris: []*mesospb.CommandInfo_URI{{Value: proto.String("file:///nope/nope")}}},
		},
	})
	list := master.awaitState(id, mesospb.TaskState_TASK_FAILED)
	status := list[0].GetStatus()
	if !strings.HasPrefix(status.GetMessage(), "Failed to launch container: Failed to fetch all URIs for container '") ||
		!strings.HasSuffix(status.GetMessage(), "': exited with status 1") ||
		status.GetReason() != mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED {
		t.Errorf("status: %v", status)
	}
}

func TestExecutorThatDiedWithTheAgentFailsItsTask(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	s := settings{Address: freeAddress(t), Master: master.address, WorkDir: t.TempDir()}
	p := startAgentProcess(t, s)
	first[*internalpb.UpdateSlaveMessage](master, 0)
	master.run(framework("test-0000"), "task", "sleep 1000")
	master.awaitState("task", mesospb.TaskState_TASK_RUNNING)
	p.signal(syscall.SIGKILL)
	if err := syscall.Kill(executorPID(t, s.WorkDir, "task"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	before := master.count()
	startAgent(t, s)
	first[*internalpb.ReregisterSlaveMessage](master, before)
	list := master.awaitState("task", mesospb.TaskState_TASK_FAILED)
	if got := list[len(list)-1].GetStatus().GetReason(); got != mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED {
		t.Errorf("reason: %v", got)
	}
}

func TestMasterThatRestartsGetsItsAgentBack(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	startAgent(t, settings{Master: master.address, WorkDir: t.TempDir()})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	master.run(framework("test-0000"), "task", "sleep 1000")
	master.awaitState("task", mesospb.TaskState_TASK_RUNNING)
	master.close()
	next := newFakeMaster(t, master.address)
	again := first[*internalpb.ReregisterSlaveMessage](next, 0)
	if len(again.GetTasks()) != 1 || len(again.GetFrameworks()) != 1 || len(again.GetExecutorInfos()) != 0 {
		t.Errorf("re-registration: %v", again)
	}
	next.kill(framework("test-0000"), "task")
	next.awaitState("task", mesospb.TaskState_TASK_KILLED)
}

func TestCleanupEndsEverythingAndTheAgent(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	s := settings{Address: freeAddress(t), Master: master.address, WorkDir: t.TempDir()}
	a := startAgent(t, s)
	first[*internalpb.UpdateSlaveMessage](master, 0)
	master.run(framework("test-0000"), "task", "sleep 1000")
	master.awaitState("task", mesospb.TaskState_TASK_RUNNING)
	pid := executorPID(t, s.WorkDir, "task")
	a.stop()
	s.Recover = "cleanup"
	startAgent(t, s).await()
	if _, err := os.Stat("/proc/" + strconv.Itoa(pid)); err == nil {
		t.Error("the executor still runs")
	}
}

func TestTasksWithoutCheckpointsEndWithTheAgent(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	work := t.TempDir()
	a := startAgent(t, settings{Master: master.address, WorkDir: work})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	f := framework("test-0000")
	f.Checkpoint = proto.Bool(false)
	pidFile := filepath.Join(t.TempDir(), "pid")
	master.run(f, "task", "echo $$ > "+pidFile+"; exec sleep 1000")
	master.awaitState("task", mesospb.TaskState_TASK_RUNNING)
	var pid string
	eventually(t, "the task's pid", func() bool {
		content, _ := os.ReadFile(pidFile)
		pid = strings.TrimSpace(string(content))
		return pid != ""
	})
	if found, _ := filepath.Glob(filepath.Join(work, "meta/slaves/*/frameworks/*")); len(found) != 0 {
		t.Errorf("checkpoints: %v", found)
	}
	a.stop()
	eventually(t, "the end of the task", func() bool {
		_, err := os.Stat("/proc/" + pid)
		return os.IsNotExist(err)
	})
}

// eventually polls until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-tick.C
	}
}

func TestStatisticsAndContainersOfARunningTask(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	a := startAgent(t, settings{Master: master.address, WorkDir: t.TempDir()})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	master.run(framework("test-0000"), "task", "sleep 1000")
	master.awaitState("task", mesospb.TaskState_TASK_RUNNING)
	for path, want := range map[string][]string{
		"/monitor/statistics": {"executor_id", "executor_name", "framework_id", "source", "statistics"},
		"/containers":         {"container_id", "executor_id", "executor_name", "framework_id", "source", "statistics", "status"},
	} {
		code, body := get(t, a.address, path)
		var list []map[string]any
		if err := json.Unmarshal([]byte(body), &list); code != 200 || err != nil || len(list) != 1 {
			t.Fatalf("%s: %d %s", path, code, body)
		}
		if diff := cmp.Diff(want, keysInOrder(body)); diff != "" {
			t.Errorf("keys of %s (-want +got):\n%s", path, diff)
		}
		if list[0]["executor_name"] != "Command Executor (Task: task) (Command: sh -c 'sleep 1000')" {
			t.Errorf("%s: %s", path, body)
		}
	}
	if code, body := get(t, a.address, "/containers?container_id=x&executor_id=y"); code != 400 {
		t.Errorf("mixed parameters: %d %s", code, body)
	}
}

// keysInOrder are the keys of the first object of an array, at its own level.
func keysInOrder(body string) []string {
	decoder := json.NewDecoder(strings.NewReader(body))
	_, _ = decoder.Token()
	_, _ = decoder.Token()
	var keys []string
	for decoder.More() {
		key, _ := decoder.Token()
		keys = append(keys, key.(string))
		var skip json.RawMessage
		if decoder.Decode(&skip) != nil {
			break
		}
	}
	return keys
}

func TestJSONExecutorGetsItsEvents(t *testing.T) {
	master := newFakeMaster(t, "127.0.0.1:0")
	a := startAgent(t, settings{Master: master.address, WorkDir: t.TempDir()})
	first[*internalpb.UpdateSlaveMessage](master, 0)
	id := "task"
	f := framework("test-0000")
	master.send(&internalpb.RunTaskMessage{
		Framework: f, LaunchExecutor: proto.Bool(true),
		Task: &mesospb.TaskInfo{
			Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: proto.String("test-S0")},
			Resources: []*mesospb.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
			Executor: &mesospb.ExecutorInfo{
				ExecutorId: &mesospb.ExecutorID{Value: proto.String("mine")}, FrameworkId: f.Id,
				Command: &mesospb.CommandInfo{Value: proto.String("sleep 1000")},
			},
		},
	})
	post := func(body string) *http.Response {
		t.Helper()
		r, err := http.Post("http://"+a.address+"/slave(1)/api/v1/executor", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	const who = `"executor_id":{"value":"mine"},"framework_id":{"value":"test-0000"}`
	var response *http.Response
	eventually(t, "the subscription", func() bool {
		response = post(`{"type":"SUBSCRIBE","subscribe":{},` + who + `}`)
		if response.StatusCode == 200 {
			return true
		}
		response.Body.Close()
		return false
	})
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "application/json" || response.Header.Get("Mesos-Stream-Id") != "" {
		t.Errorf("headers: %v", response.Header)
	}
	records := recordio.NewReader(bufio.NewReader(response.Body), 1<<20)
	next := func() string {
		t.Helper()
		record, err := records.Next()
		if err != nil {
			t.Fatal(err)
		}
		return string(record)
	}
	if got := next(); !strings.HasPrefix(got, `{"type":"SUBSCRIBED","subscribed":{"executor_info":{"executor_id":{"value":"mine"}`) ||
		strings.Contains(got, `"checkpoint":true,"domain"`) || !strings.Contains(got, `"container_id":{"value":"`) {
		t.Errorf("first event: %s", got)
	}
	if got := next(); !strings.HasPrefix(got, `{"type":"LAUNCH","launch":{"task":{"name":"task"`) {
		t.Errorf("second event: %s", got)
	}
	update := post(`{"type":"UPDATE","update":{"status":{"task_id":{"value":"task"},"state":"TASK_RUNNING",` +
		`"source":"SOURCE_EXECUTOR","uuid":"T/9hW7+8Su+KYUWXBZwASQ=="}},` + who + `}`)
	update.Body.Close()
	if update.StatusCode != 202 {
		t.Errorf("UPDATE: %d", update.StatusCode)
	}
	if got, want := next(), `{"type":"ACKNOWLEDGED","acknowledged":{"task_id":{"value":"task"},"uuid":"T/9hW7+8Su+KYUWXBZwASQ=="}}`; got != want {
		t.Errorf("third event: %s", got)
	}
	message := post(`{"type":"MESSAGE","message":{"data":"aGVsbG8="},` + who + `}`)
	message.Body.Close()
	if m := first[*internalpb.ExecutorToFrameworkMessage](master, 0); string(m.GetData()) != "hello" {
		t.Errorf("message: %v", m)
	}
	// A second subscription ends the first one.
	second := post(`{"type":"SUBSCRIBE","subscribe":{},` + who + `}`)
	defer second.Body.Close()
	if rest, err := io.ReadAll(response.Body); err != nil || len(rest) != 0 {
		t.Errorf("the first stream went on: %q, %v", rest, err)
	}
}
