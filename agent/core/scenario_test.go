package core

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

func TestUpdateIsDurableBeforeItIsAcknowledgedOrForwarded(t *testing.T) {
	h := registered(t, nil)
	f := testFramework(true)
	h.running(f, "t")
	h.take()
	h.update("F", "t", "t", mesospb.TaskState_TASK_RUNNING, h.core.options.NewUUID())
	var order []string
	for _, effect := range h.take() {
		switch e := effect.(type) {
		case SaveUpdate:
			order = append(order, "save")
		case Send:
			order = append(order, "forward")
		case SendEvent:
			order = append(order, strings.ToLower(e.Event.GetType().String()))
		}
	}
	if diff := cmp.Diff([]string{"save", "forward", "acknowledged"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestCommandTaskFromLaunchToCleanup(t *testing.T) {
	h := registered(t, nil)
	f := testFramework(true)
	run := h.running(f, "t")
	effects := h.take()
	if diff := cmp.Diff([]string{"SUBSCRIBED", "LAUNCH"}, events(effects)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	spec := of[Launch](effects)[0].Spec
	if spec.Task == nil || spec.User != "root" || spec.Sandbox != "/sandbox/"+run.Container || spec.PIDFile == "" {
		t.Errorf("spec: %+v", spec)
	}
	var cpus float64
	for _, r := range spec.Resources {
		if r.GetName() == "cpus" {
			cpus = r.GetScalar().GetValue()
		}
	}
	if cpus != 0.6 {
		t.Errorf("the container gets %v cpus: the task's and the executor's are 0.6", cpus)
	}
	wantEnv := map[string]string{
		"LIBPROCESS_PORT": "0", "MESOS_FRAMEWORK_ID": "F", "MESOS_EXECUTOR_ID": "t", "MESOS_DIRECTORY": spec.Sandbox,
		"MESOS_SLAVE_ID": agentName, "MESOS_SLAVE_PID": selfUPID, "MESOS_AGENT_ENDPOINT": "127.0.0.1:5051",
		"MESOS_CHECKPOINT": "1", "MESOS_HTTP_COMMAND_EXECUTOR": "0", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
		"MESOS_RECOVERY_TIMEOUT": "15mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs",
	}
	if diff := cmp.Diff(wantEnv, spec.Environment); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}

	uuid := h.core.options.NewUUID()
	h.update("F", "t", "t", mesospb.TaskState_TASK_FINISHED, uuid)
	h.terminated(run, &containerizer.Termination{})
	if len(of[SaveCompleted](h.take())) != 0 {
		t.Error("the run is over before its last update was acknowledged")
	}
	h.acknowledge("F", "t", uuid)
	effects = h.take()
	if len(of[SaveCompleted](effects)) != 1 || len(of[CloseUpdates](effects)) != 1 {
		t.Errorf("cleanup: %v", effects)
	}
	v := h.core.View()
	if len(v.Frameworks) != 0 || len(v.Completed) != 1 || len(v.Completed[0].CompletedExecutors[0].Completed) != 1 {
		t.Errorf("view: %+v", v)
	}
	if exited := sent[*internalpb.ExitedExecutorMessage](effects); len(exited) != 0 {
		t.Errorf("the end of a command executor was reported: %v", exited)
	}
}

func TestUpdatesGoOneByOneAndAreRepeated(t *testing.T) {
	h := registered(t, nil)
	f := testFramework(true)
	h.running(f, "t")
	h.take()
	one, two := h.core.options.NewUUID(), h.core.options.NewUUID()
	h.update("F", "t", "t", mesospb.TaskState_TASK_STARTING, one)
	h.update("F", "t", "t", mesospb.TaskState_TASK_RUNNING, two)
	updates := sent[*internalpb.StatusUpdateMessage](h.take())
	if len(updates) != 1 || updates[0].GetUpdate().GetStatus().GetState() != mesospb.TaskState_TASK_STARTING ||
		updates[0].GetPid() != selfUPID || updates[0].GetUpdate().GetLatestState() != mesospb.TaskState_TASK_STARTING {
		t.Fatalf("updates: %v", updates)
	}
	// Repeated after 10, 20, 40 ... seconds, at most 10 minutes. The master's pings don't matter here.
	h.core.pingTimeout = 24 * time.Hour
	h.step(Message{From: "slave-observer(1)@127.0.0.1:5050", Body: &internalpb.PingSlaveMessage{Connected: proto.Bool(true)}})
	var gaps []time.Duration
	last := h.now
	for len(gaps) < 8 {
		due, _ := h.core.NextTimer()
		h.wait(due.Sub(h.now))
		if again := sent[*internalpb.StatusUpdateMessage](h.take()); len(again) == 1 {
			gaps = append(gaps, h.now.Sub(last))
			last = h.now
			if again[0].GetUpdate().GetLatestState() != mesospb.TaskState_TASK_RUNNING {
				t.Errorf("latest state: %v", again[0])
			}
		}
	}
	want := []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second,
		320 * time.Second, 600 * time.Second, 600 * time.Second}
	if diff := cmp.Diff(want, gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	h.acknowledge("F", "t", two) // not the one on its way
	if len(sent[*internalpb.StatusUpdateMessage](h.take())) != 0 {
		t.Error("an acknowledgement for another update was accepted")
	}
	h.acknowledge("F", "t", one)
	updates = sent[*internalpb.StatusUpdateMessage](h.take())
	if len(updates) != 1 || updates[0].GetUpdate().GetStatus().GetState() != mesospb.TaskState_TASK_RUNNING {
		t.Errorf("after the acknowledgement: %v", updates)
	}
}

func TestHowExecutorsEnd(t *testing.T) {
	aware := testFramework(true)
	legacy := proto.Clone(aware).(*mesospb.FrameworkInfo)
	legacy.Capabilities = legacy.Capabilities[:1]
	for _, c := range []struct {
		name      string
		framework *mesospb.FrameworkInfo
		end       func(h *harness, run RunID)
		state     mesospb.TaskState
		reason    mesospb.TaskStatus_Reason
		message   string
	}{
		{"exit", aware, func(h *harness, run RunID) { h.terminated(run, &containerizer.Termination{}) },
			mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "Executor terminated"},
		{"unknown container", aware, func(h *harness, run RunID) { h.terminated(run, nil) },
			mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED, "Abnormal executor termination: unknown container"},
		{"memory limit", aware, func(h *harness, run RunID) {
			h.terminated(run, &containerizer.Termination{
				State: mesospb.TaskState_TASK_FAILED.Enum(), Reason: mesospb.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY.Enum(),
				Message: "Memory limit exceeded",
			})
		}, mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_CONTAINER_LIMITATION_MEMORY, "Memory limit exceeded"},
		{"launch failure", aware, func(h *harness, run RunID) {
			h.step(ContainerLaunched{Run: run, Error: "Failed to fetch all URIs for container 'c': exited with status 1"})
			h.terminated(run, &containerizer.Termination{})
		}, mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED,
			"Failed to launch container: Failed to fetch all URIs for container 'c': exited with status 1"},
		{"no registration", aware, func(h *harness, run RunID) {
			h.wait(time.Minute)
			if destroyed := of[Destroy](h.effects); len(destroyed) != 1 {
				h.t.Errorf("destroyed: %v", destroyed)
			}
			h.terminated(run, &containerizer.Termination{})
		}, mesospb.TaskState_TASK_FAILED, mesospb.TaskStatus_REASON_EXECUTOR_REGISTRATION_TIMEOUT, "Executor did not register within 1mins"},
		{"no update of resources", legacy, func(h *harness, run RunID) {
			h.deaf = true
			h.subscribe("F", "t", nil)
			h.core.frameworks["F"].executors.values["t"].ending = nil
			h.step(ContainerUpdated{Run: run, Token: 0, Error: "no such cgroup"})
			h.deaf = false
			h.terminated(run, &containerizer.Termination{})
		}, mesospb.TaskState_TASK_LOST, mesospb.TaskStatus_REASON_CONTAINER_UPDATE_FAILED,
			"Failed to update resources for container: no such cgroup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := registered(t, nil)
			h.take()
			h.runTask(c.framework, commandTask("t"))
			run := of[Launch](h.effects)[0].Run
			c.end(h, run)
			updates := sent[*internalpb.StatusUpdateMessage](h.take())
			if len(updates) != 1 {
				t.Fatalf("updates: %v", updates)
			}
			s := updates[0].GetUpdate().GetStatus()
			if s.GetState() != c.state || s.GetReason() != c.reason || s.GetMessage() != c.message ||
				s.GetSource() != mesospb.TaskStatus_SOURCE_AGENT || s.GetExecutorId().GetValue() != "t" {
				t.Errorf("status: %v", s)
			}
		})
	}
}

func TestTheFirstTerminalUpdateCounts(t *testing.T) {
	h := registered(t, nil)
	run := h.running(testFramework(true), "t")
	h.take()
	h.deaf = true // the container's status is not there yet
	finished := h.core.options.NewUUID()
	h.update("F", "t", "t", mesospb.TaskState_TASK_FINISHED, finished)
	h.terminated(run, &containerizer.Termination{})
	h.step(ContainerStatus{Run: run})
	h.step(ContainerStatus{Run: run})
	updates := sent[*internalpb.StatusUpdateMessage](h.take())
	if len(updates) != 1 || updates[0].GetUpdate().GetStatus().GetState() != mesospb.TaskState_TASK_FINISHED {
		t.Errorf("updates: %v", updates)
	}
}

func TestKillBeforeTheExecutorIsThere(t *testing.T) {
	for name, before := range map[string]func(h *harness){
		"while the sandbox is made": func(h *harness) { h.deaf = true },
		"while the executor starts": func(*harness) {},
	} {
		t.Run(name, func(t *testing.T) {
			h := registered(t, nil)
			h.take()
			before(h)
			h.runTask(testFramework(true), commandTask("t"))
			prepared := of[PrepareSandbox](h.effects)[0].Run
			h.message(&internalpb.KillTaskMessage{FrameworkId: testFramework(true).Id, TaskId: commandTask("t").TaskId})
			updates := sent[*internalpb.StatusUpdateMessage](h.effects)
			if len(updates) != 1 || updates[0].GetUpdate().GetStatus().GetState() != mesospb.TaskState_TASK_KILLED ||
				updates[0].GetUpdate().GetStatus().GetReason() != mesospb.TaskStatus_REASON_TASK_KILLED_DURING_LAUNCH ||
				updates[0].GetUpdate().GetStatus().GetMessage() != "Killed before delivery to the executor" {
				t.Fatalf("updates: %v", updates)
			}
			if h.deaf {
				h.deaf = false
				h.step(SandboxReady{Run: prepared})
				effects := h.take()
				if len(of[Launch](effects)) != 0 || len(sent[*internalpb.ExitedExecutorMessage](effects)) != 1 {
					t.Errorf("after the sandbox was made: %v", effects)
				}
				return
			}
			h.take()
			stream := h.subscribe("F", "t", nil)
			if diff := cmp.Diff([]string{"SHUTDOWN"}, events(h.take())); diff != "" || stream == 0 {
				t.Errorf("events of the executor (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExecutorsAreDestroyedAfterTheirGracePeriod(t *testing.T) {
	h := registered(t, nil)
	run := h.running(testFramework(true), "t")
	h.take()
	h.message(&internalpb.ShutdownExecutorMessage{FrameworkId: testFramework(true).Id, ExecutorId: &mesospb.ExecutorID{Value: proto.String("t")}})
	if diff := cmp.Diff([]string{"SHUTDOWN"}, events(h.take())); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	h.wait(4 * time.Second)
	if len(of[Destroy](h.take())) != 0 {
		t.Error("destroyed too early")
	}
	h.wait(time.Second)
	if d := of[Destroy](h.take()); len(d) != 1 || d[0].Run != run {
		t.Errorf("destroyed: %v", d)
	}
}

func TestExecutorTasksAndMasterExpectations(t *testing.T) {
	f := testFramework(true)
	task := func(id string) *mesospb.TaskInfo {
		info := commandTask(id)
		info.Command = nil
		info.Executor = &mesospb.ExecutorInfo{
			ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, FrameworkId: f.Id,
			Command: &mesospb.CommandInfo{Value: proto.String("./executor")},
		}
		return info
	}
	send := func(h *harness, id string, expect *bool) {
		h.message(&internalpb.RunTaskMessage{Framework: f, Task: task(id), LaunchExecutor: expect})
	}
	dropped := func(effects []Effect) string {
		var texts []string
		for _, m := range sent[*internalpb.StatusUpdateMessage](effects) {
			if m.GetUpdate().GetStatus().GetState() == mesospb.TaskState_TASK_DROPPED {
				texts = append(texts, m.GetUpdate().GetStatus().GetMessage())
			}
		}
		return strings.Join(texts, "|")
	}
	h := registered(t, nil)
	h.take()
	send(h, "early", proto.Bool(false))
	if got := dropped(h.take()); got != "No executor is expected to launch and there is none running" {
		t.Errorf("no executor: %q", got)
	}
	send(h, "t1", proto.Bool(true))
	run := of[Launch](h.effects)[0].Run
	h.subscribe("F", "e", nil)
	h.take()
	send(h, "t2", proto.Bool(false))
	if diff := cmp.Diff([]string{"LAUNCH"}, events(h.take())); diff != "" {
		t.Errorf("second task of the executor (-want +got):\n%s", diff)
	}
	send(h, "t3", proto.Bool(true))
	effects := h.take()
	if got := dropped(effects); got != "Master wants to launch executor, but one already exists" {
		t.Errorf("unexpected executor: %q", got)
	}
	if diff := cmp.Diff([]string{"SHUTDOWN"}, events(effects)); diff != "" {
		t.Errorf("the executor is shut down (-want +got):\n%s", diff)
	}
	h.terminated(run, &containerizer.Termination{WaitStatus: new(int)})
	effects = h.take()
	exited := sent[*internalpb.ExitedExecutorMessage](effects)
	if len(exited) != 1 || exited[0].GetStatus() != 0 || len(sent[*internalpb.StatusUpdateMessage](effects)) != 2 {
		t.Errorf("end of the executor: %v", effects)
	}
}

func TestOutdatedResourceVersionDropsTheTask(t *testing.T) {
	h := registered(t, nil)
	h.take()
	h.message(&internalpb.RunTaskMessage{
		Framework: testFramework(true), Task: commandTask("t"), LaunchExecutor: proto.Bool(true),
		ResourceVersionUuids: []*internalpb.ResourceVersionUUID{{Uuid: &mesospb.UUID{Value: []byte("0123456789abcdef")}}},
	})
	updates := sent[*internalpb.StatusUpdateMessage](h.take())
	if len(updates) != 1 || updates[0].GetUpdate().GetStatus().GetMessage() != "Task assumes outdated resource state" {
		t.Errorf("updates: %v", updates)
	}
}

func TestIDsThatLeaveTheWorkDirectoryAreRefused(t *testing.T) {
	for _, id := range []string{"..", "a/b", "", "x\x00"} {
		h := registered(t, nil)
		h.take()
		h.runTask(testFramework(true), commandTask(id))
		if effects := h.take(); len(of[PrepareSandbox](effects)) != 0 {
			t.Errorf("task id %q: %v", id, effects)
		}
	}
}

func TestFrameworkShutdownEndsEverythingQuietly(t *testing.T) {
	h := registered(t, nil)
	run := h.running(testFramework(true), "t")
	h.take()
	h.message(&internalpb.ShutdownFrameworkMessage{FrameworkId: testFramework(true).Id})
	h.update("F", "t", "t", mesospb.TaskState_TASK_KILLED, h.core.options.NewUUID())
	h.terminated(run, &containerizer.Termination{})
	effects := h.take()
	if len(sent[*internalpb.StatusUpdateMessage](effects)) != 0 {
		t.Errorf("updates of a framework that is gone: %v", effects)
	}
	if diff := cmp.Diff([]string{"SHUTDOWN", "ACKNOWLEDGED"}, events(effects)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if v := h.core.View(); len(v.Frameworks) != 0 || len(v.Completed) != 1 {
		t.Errorf("view: %+v", v)
	}
}

func TestWhoeverIsInAHurryDoesNotWaitForTheGracePeriod(t *testing.T) {
	h := registered(t, nil)
	task := commandTask("t")
	task.KillPolicy = &mesospb.KillPolicy{GracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(int64(time.Hour))}}
	run := h.runningTask(testFramework(true), task)
	h.step(Hurry{})
	if destroyed := of[Destroy](h.take()); len(destroyed) != 0 {
		t.Fatalf("destroyed without a shutdown: %v", destroyed)
	}
	h.step(Shutdown{Reason: "test"})
	h.wait(time.Minute)
	if destroyed := of[Destroy](h.take()); len(destroyed) != 0 {
		t.Fatalf("destroyed within the grace period: %v", destroyed)
	}
	h.step(Hurry{})
	if destroyed := of[Destroy](h.take()); len(destroyed) != 1 || destroyed[0].Run != run {
		t.Errorf("destroyed: %v", destroyed)
	}
}

func TestReconciliationReportsUnknownTasks(t *testing.T) {
	h := registered(t, nil)
	h.step(MasterExited{UPID: masterUPID})
	h.step(MasterDetected{UPID: masterUPID})
	h.wait(time.Second)
	h.take()
	h.message(&internalpb.SlaveReregisteredMessage{
		SlaveId: &mesospb.AgentID{Value: proto.String(agentName)},
		Reconciliations: []*internalpb.ReconcileTasksMessage{{
			FrameworkId: testFramework(true).Id, Framework: testFramework(true),
			Statuses: []*mesospb.TaskStatus{{TaskId: &mesospb.TaskID{Value: proto.String("gone")}, State: mesospb.TaskState_TASK_RUNNING.Enum()}},
		}},
	})
	updates := sent[*internalpb.StatusUpdateMessage](h.take())
	if len(updates) != 1 || updates[0].GetUpdate().GetStatus().GetState() != mesospb.TaskState_TASK_DROPPED ||
		updates[0].GetUpdate().GetStatus().GetReason() != mesospb.TaskStatus_REASON_RECONCILIATION {
		t.Errorf("updates: %v", updates)
	}
}

func TestDrainKillsEverything(t *testing.T) {
	h := registered(t, nil)
	run := h.running(testFramework(true), "t")
	h.take()
	h.message(&internalpb.DrainSlaveMessage{Config: &mesospb.DrainConfig{
		MaxGracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(7e9)}, MarkGone: proto.Bool(true),
	}})
	kills := of[SendEvent](h.take())
	if len(kills) != 1 || kills[0].Event.GetKill().GetKillPolicy().GetGracePeriod().GetNanoseconds() != 7e9 {
		t.Fatalf("kills: %v", kills)
	}
	h.runTask(testFramework(true), commandTask("late"))
	updates := sent[*internalpb.StatusUpdateMessage](h.take())
	if len(updates) != 1 || updates[0].GetUpdate().GetStatus().GetMessage() != "Task was received while agent was already draining" {
		t.Errorf("a late task: %v", updates)
	}
	uuid := h.core.options.NewUUID()
	h.update("F", "t", "t", mesospb.TaskState_TASK_KILLED, uuid)
	updates = sent[*internalpb.StatusUpdateMessage](h.take())
	if s := updates[0].GetUpdate().GetStatus(); s.GetState() != mesospb.TaskState_TASK_GONE_BY_OPERATOR || s.GetReason() != mesospb.TaskStatus_REASON_AGENT_DRAINING {
		t.Errorf("status: %v", s)
	}
	h.terminated(run, &containerizer.Termination{})
	h.acknowledge("F", "t", uuid)
	if saves := of[SaveDrain](h.take()); len(saves) != 1 || saves[0].Config != nil {
		t.Errorf("the end of draining: %v", saves)
	}
}

func TestAnExecutorThatSubscribesTwiceKeepsOneStream(t *testing.T) {
	h := registered(t, nil)
	h.running(testFramework(true), "t")
	first := h.core.frameworks["F"].executors.values["t"].stream
	h.take()
	h.subscribe("F", "t", &executorpb.Call_Subscribe{UnacknowledgedTasks: []*mesospb.TaskInfo{commandTask("t")}})
	effects := h.take()
	if closed := of[CloseStream](effects); len(closed) != 1 || closed[0].Stream != first {
		t.Errorf("closed: %v", closed)
	}
	if diff := cmp.Diff([]string{"SUBSCRIBED"}, events(effects)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	h.step(StreamClosed{Stream: first}) // the news of the old one comes late
	if h.core.frameworks["F"].executors.values["t"].stream == 0 {
		t.Error("the new stream was forgotten")
	}
}
