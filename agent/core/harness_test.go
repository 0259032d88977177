package core

import (
	"encoding/binary"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

const (
	masterUPID = "master@127.0.0.1:5050"
	selfUPID   = "slave(1)@127.0.0.1:5051"
	agentName  = "M-S0"
)

// tb is what testing.T and rapid.T have in common.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// harness feeds a core and looks at what it wants.
type harness struct {
	t       tb
	core    *Core
	now     time.Time
	ids     int
	effects []Effect
	// deaf turns off the answers that edges would give at once.
	deaf bool
}

func newHarness(t tb, change func(*Options)) *harness {
	t.Helper()
	h := &harness{t: t, now: time.Unix(1_700_000_000, 0)}
	options := Options{
		Version: "1.11.0", UPID: selfUPID, Endpoint: "127.0.0.1:5051", IP: "127.0.0.1",
		Sandbox: func(r RunID) string { return "/sandbox/" + r.Container },
		PIDFile: func(r RunID) string { return "/meta/" + r.Container + "/forked.pid" },
		Executable: func(name string) (string, error) {
			return "/opt/bin/" + name, nil
		},
		LauncherDir: "/opt/bin", SandboxDirectory: "/mnt/mesos/sandbox", SwitchUser: true,
		RecoveryTimeout: 15 * time.Minute, ExecutorRegistrationTimeout: time.Minute,
		ExecutorReregistrationTimeout: 2 * time.Second, ExecutorShutdownGracePeriod: 5 * time.Second,
		RegistrationBackoffFactor: time.Second, MaxCompletedExecutors: 150,
		Random: func() float64 { return 0.5 },
	}
	options.NewUUID = func() []byte {
		h.ids++
		b := make([]byte, 16)
		b[6], b[8] = 0x40, 0x80
		binary.BigEndian.PutUint32(b[12:], uint32(h.ids))
		return b
	}
	options.NewContainerID = func() string {
		h.ids++
		return fmt.Sprintf("container-%d", h.ids)
	}
	if change != nil {
		change(&options)
	}
	h.core = New(options, h.now)
	return h
}

func agentInfo() *mesospb.AgentInfo {
	scalar := func(name string, v float64) *mesospb.Resource {
		return &mesospb.Resource{Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &v}}
	}
	return &mesospb.AgentInfo{
		Hostname: proto.String("host"), Port: proto.Int32(5051), Checkpoint: proto.Bool(true),
		Resources: []*mesospb.Resource{scalar("cpus", 4), scalar("mem", 4096), scalar("disk", 8192)},
	}
}

// step feeds one event and answers what the edges would answer at once.
func (h *harness) step(e Event) []Effect {
	h.t.Helper()
	effects := h.core.Step(h.now, e)
	h.effects = append(h.effects, effects...)
	if h.deaf {
		return effects
	}
	for _, effect := range effects {
		switch effect := effect.(type) {
		case PrepareSandbox:
			h.step(SandboxReady{Run: effect.Run})
		case UpdateContainer:
			h.step(ContainerUpdated{Run: effect.Run, Token: effect.Token})
		case QueryStatus:
			h.step(ContainerStatus{Run: effect.Run, Status: &mesospb.ContainerStatus{
				ContainerId: &mesospb.ContainerID{Value: proto.String(effect.Run.Container)}, ExecutorPid: proto.Uint32(42),
			}})
		case RecoverContainers:
			h.step(ContainersRecovered{})
		}
	}
	return effects
}

// wait lets time pass, stopping at every timer on the way.
func (h *harness) wait(d time.Duration) {
	h.t.Helper()
	end := h.now.Add(d)
	for {
		due, ok := h.core.NextTimer()
		if !ok || due.After(end) {
			h.now = end
			return
		}
		h.now = due
		h.step(Tick{})
	}
}

// take returns and forgets the effects so far.
func (h *harness) take() []Effect {
	all := h.effects
	h.effects = nil
	return all
}

func (h *harness) message(m proto.Message) []Effect {
	return h.step(Message{From: masterUPID, Body: m})
}

// registered brings a new agent to the state RUNNING.
func registered(t tb, change func(*Options)) *harness {
	t.Helper()
	h := newHarness(t, change)
	h.step(Recovered{Info: agentInfo()})
	h.step(MasterDetected{UPID: masterUPID})
	h.wait(2 * time.Second)
	h.message(&internalpb.SlaveRegisteredMessage{SlaveId: &mesospb.AgentID{Value: proto.String(agentName)}})
	if h.core.state != Running {
		t.Fatalf("the agent is %s", h.core.state)
	}
	return h
}

func testFramework(checkpoint bool) *mesospb.FrameworkInfo {
	return &mesospb.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("f"), Id: &mesospb.FrameworkID{Value: proto.String("F")},
		Checkpoint: &checkpoint, Roles: []string{"*"},
		Capabilities: []*mesospb.FrameworkInfo_Capability{
			{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			{Type: mesospb.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
		},
	}
}

func commandTask(id string) *mesospb.TaskInfo {
	return &mesospb.TaskInfo{
		Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: proto.String(agentName)},
		Resources: []*mesospb.Resource{{
			Name: proto.String("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(0.5)},
			AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
		}},
		Command: &mesospb.CommandInfo{Value: proto.String("sleep 1")},
	}
}

func (h *harness) runTask(f *mesospb.FrameworkInfo, task *mesospb.TaskInfo) {
	h.message(&internalpb.RunTaskMessage{
		Framework: f, Task: task, Pid: proto.String(noUPID), LaunchExecutor: proto.Bool(true),
	})
}

// subscribe makes the executor subscribe and returns its stream's number.
func (h *harness) subscribe(framework, executor string, s *executorpb.Call_Subscribe) uint64 {
	h.t.Helper()
	if s == nil {
		s = &executorpb.Call_Subscribe{}
	}
	h.ids++
	var stream uint64
	for _, effect := range h.step(ExecutorCall{Call: uint64(h.ids), Body: &executorpb.Call{
		FrameworkId: &mesospb.FrameworkID{Value: &framework}, ExecutorId: &mesospb.ExecutorID{Value: &executor},
		Type: executorpb.Call_SUBSCRIBE.Enum(), Subscribe: s,
	}}) {
		if accept, ok := effect.(Accept); ok {
			stream = accept.Stream
		}
	}
	if stream == 0 {
		h.t.Fatalf("the executor %s was not accepted", executor)
	}
	return stream
}

func (h *harness) update(framework, executor, task string, state mesospb.TaskState, uuid []byte) {
	h.ids++
	h.step(ExecutorCall{Call: uint64(h.ids), Body: &executorpb.Call{
		FrameworkId: &mesospb.FrameworkID{Value: &framework}, ExecutorId: &mesospb.ExecutorID{Value: &executor},
		Type: executorpb.Call_UPDATE.Enum(), Update: &executorpb.Call_Update{Status: &mesospb.TaskStatus{
			TaskId: &mesospb.TaskID{Value: &task}, ExecutorId: &mesospb.ExecutorID{Value: &executor}, State: &state,
			Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: uuid,
		}},
	}})
}

func (h *harness) acknowledge(framework, task string, uuid []byte) {
	h.message(&internalpb.StatusUpdateAcknowledgementMessage{
		SlaveId: &mesospb.AgentID{Value: proto.String(agentName)}, FrameworkId: &mesospb.FrameworkID{Value: &framework},
		TaskId: &mesospb.TaskID{Value: &task}, Uuid: uuid,
	})
}

// of returns the effects of one type.
func of[E Effect](effects []Effect) []E {
	var list []E
	for _, effect := range effects {
		if e, ok := effect.(E); ok {
			list = append(list, e)
		}
	}
	return list
}

// sent returns the messages of one type that went to the master.
func sent[M proto.Message](effects []Effect) []M {
	var list []M
	for _, send := range of[Send](effects) {
		if m, ok := send.Body.(M); ok {
			list = append(list, m)
		}
	}
	return list
}

// events are the types of the events that went to executors, in order.
func events(effects []Effect) []string {
	var list []string
	for _, e := range of[SendEvent](effects) {
		list = append(list, e.Event.GetType().String())
	}
	return list
}

func (h *harness) terminated(run RunID, t *containerizer.Termination) {
	h.step(ContainerTerminated{Run: run, Termination: t})
}

// running starts a command task and lets its executor subscribe.
func (h *harness) running(f *mesospb.FrameworkInfo, task string) RunID {
	h.t.Helper()
	return h.runningTask(f, commandTask(task))
}

func (h *harness) runningTask(f *mesospb.FrameworkInfo, task *mesospb.TaskInfo) RunID {
	h.t.Helper()
	h.take()
	h.runTask(f, task)
	launches := of[Launch](h.effects)
	if len(launches) != 1 {
		h.t.Fatalf("%d containers launched", len(launches))
	}
	h.step(ContainerLaunched{Run: launches[0].Run})
	h.subscribe(f.GetId().GetValue(), task.GetTaskId().GetValue(), nil)
	return launches[0].Run
}
