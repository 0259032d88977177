package agent_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// patience is how long a test waits for what has to happen.
const patience = 30 * time.Second

// fakeMaster speaks a master's side of the protocol over real sockets: it registers
// agents, pings them and notes what they say. It acknowledges updates unless told not to.
type fakeMaster struct {
	t         *testing.T
	transport *libprocess.Transport
	address   string
	stop      context.CancelFunc
	stopped   chan struct{}

	// assign is the id that a new agent gets; default test-S0. Set it before agents come.
	assign string

	mutex    sync.Mutex
	agent    libprocess.UPID
	agentID  string
	messages []proto.Message
	changed  chan struct{}
	hold     bool
}

var masterMessages = map[string]func() proto.Message{
	"mesos.internal.RegisterSlaveMessage":         func() proto.Message { return &internalpb.RegisterSlaveMessage{} },
	"mesos.internal.ReregisterSlaveMessage":       func() proto.Message { return &internalpb.ReregisterSlaveMessage{} },
	"mesos.internal.UnregisterSlaveMessage":       func() proto.Message { return &internalpb.UnregisterSlaveMessage{} },
	"mesos.internal.StatusUpdateMessage":          func() proto.Message { return &internalpb.StatusUpdateMessage{} },
	"mesos.internal.UpdateSlaveMessage":           func() proto.Message { return &internalpb.UpdateSlaveMessage{} },
	"mesos.internal.ExitedExecutorMessage":        func() proto.Message { return &internalpb.ExitedExecutorMessage{} },
	"mesos.internal.ExecutorToFrameworkMessage":   func() proto.Message { return &internalpb.ExecutorToFrameworkMessage{} },
	"mesos.internal.UpdateOperationStatusMessage": func() proto.Message { return &internalpb.UpdateOperationStatusMessage{} },
	"mesos.internal.PongSlaveMessage":             func() proto.Message { return &internalpb.PongSlaveMessage{} },
}

func newFakeMaster(t *testing.T, address string) *fakeMaster {
	t.Helper()
	listener, err := net.Listen("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &fakeMaster{
		t: t, address: listener.Addr().String(), stop: stop, stopped: make(chan struct{}),
		transport: libprocess.New(libprocess.Config{Listener: listener}), changed: make(chan struct{}),
	}
	m.transport.Spawn("master", m)
	m.transport.Spawn("slave-observer(1)", m)
	go func() {
		defer close(m.stopped)
		_ = m.transport.Run(ctx)
	}()
	t.Cleanup(m.close)
	return m
}

func (m *fakeMaster) close() {
	m.stop()
	<-m.stopped
}

func (m *fakeMaster) Exited(libprocess.UPID) {}

func (m *fakeMaster) Receive(message libprocess.Message) {
	make := masterMessages[message.Name]
	if make == nil {
		m.t.Errorf("the agent sent an unexpected %s", message.Name)
		return
	}
	body := make()
	if err := proto.Unmarshal(message.Body, body); err != nil {
		m.t.Errorf("the agent's %s cannot be parsed: %v", message.Name, err)
		return
	}
	m.mutex.Lock()
	m.messages = append(m.messages, body)
	close(m.changed)
	m.changed = makeChannel()
	hold := m.hold
	m.mutex.Unlock()
	connection := &internalpb.MasterSlaveConnection{TotalPingTimeoutSeconds: proto.Float64(60)}
	switch body := body.(type) {
	case *internalpb.RegisterSlaveMessage:
		id := m.assign
		if id == "" {
			id = "test-S0"
		}
		m.know(message.From, id)
		m.ping(true)
		m.send(&internalpb.SlaveRegisteredMessage{SlaveId: &mesospb.AgentID{Value: &id}, Connection: connection})
	case *internalpb.ReregisterSlaveMessage:
		m.know(message.From, body.GetSlave().GetId().GetValue())
		m.ping(true)
		m.send(&internalpb.SlaveReregisteredMessage{SlaveId: body.GetSlave().GetId(), Connection: connection})
	case *internalpb.StatusUpdateMessage:
		if !hold {
			m.acknowledge(body.GetUpdate())
		}
	}
}

func makeChannel() chan struct{} { return make(chan struct{}) }

func (m *fakeMaster) know(from libprocess.UPID, id string) {
	m.mutex.Lock()
	m.agent, m.agentID = from, id
	m.mutex.Unlock()
	m.transport.Link(m.transport.UPID("master"), from)
}

func (m *fakeMaster) send(body proto.Message) {
	m.mutex.Lock()
	to := m.agent
	m.mutex.Unlock()
	m.transport.SendProto(m.transport.UPID("master"), to, body)
}

func (m *fakeMaster) ping(connected bool) {
	m.mutex.Lock()
	to := m.agent
	m.mutex.Unlock()
	m.transport.SendProto(m.transport.UPID("slave-observer(1)"), to, &internalpb.PingSlaveMessage{Connected: &connected})
}

func (m *fakeMaster) acknowledge(u *internalpb.StatusUpdate) {
	m.send(&internalpb.StatusUpdateAcknowledgementMessage{
		SlaveId: u.GetSlaveId(), FrameworkId: u.GetFrameworkId(), TaskId: u.GetStatus().GetTaskId(), Uuid: u.GetUuid(),
	})
}

// holdAcknowledgements leaves updates unacknowledged from now on, or no longer.
func (m *fakeMaster) holdAcknowledgements(hold bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.hold = hold
}

// await waits until find says that the messages so far hold what the test wants.
func (m *fakeMaster) await(what string, find func([]proto.Message) bool) {
	m.t.Helper()
	deadline := time.After(patience)
	for {
		m.mutex.Lock()
		found, changed := find(slices.Clone(m.messages)), m.changed
		m.mutex.Unlock()
		if found {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			m.mutex.Lock()
			defer m.mutex.Unlock()
			for _, message := range m.messages {
				m.t.Logf("%s %v", message.ProtoReflect().Descriptor().Name(), message)
			}
			m.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// first waits for the first message of a type, counted from the message number skip.
func first[M proto.Message](m *fakeMaster, skip int) M {
	m.t.Helper()
	var found M
	m.await(fmt.Sprintf("%T", found), func(all []proto.Message) bool {
		for _, message := range all[min(skip, len(all)):] {
			if one, ok := message.(M); ok {
				found = one
				return true
			}
		}
		return false
	})
	return found
}

func (m *fakeMaster) count() int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return len(m.messages)
}

// updates are the distinct updates of a task so far, in order.
func updates(all []proto.Message, task string) []*internalpb.StatusUpdate {
	var list []*internalpb.StatusUpdate
	seen := map[string]bool{}
	for _, message := range all {
		u, ok := message.(*internalpb.StatusUpdateMessage)
		if ok && u.GetUpdate().GetStatus().GetTaskId().GetValue() == task && !seen[string(u.GetUpdate().GetUuid())] {
			seen[string(u.GetUpdate().GetUuid())] = true
			list = append(list, u.GetUpdate())
		}
	}
	return list
}

// awaitState waits until a task has reported the state and returns all its updates.
func (m *fakeMaster) awaitState(task string, state mesospb.TaskState) []*internalpb.StatusUpdate {
	m.t.Helper()
	var list []*internalpb.StatusUpdate
	m.await(task+" "+state.String(), func(all []proto.Message) bool {
		list = updates(all, task)
		return slices.ContainsFunc(list, func(u *internalpb.StatusUpdate) bool { return u.GetStatus().GetState() == state })
	})
	return list
}

func states(list []*internalpb.StatusUpdate) []string {
	var names []string
	for _, u := range list {
		names = append(names, u.GetStatus().GetState().String())
	}
	return names
}

// framework is a checkpointing HTTP framework, as Marathon is one.
func framework(id string) *mesospb.FrameworkInfo {
	return &mesospb.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("test"), Id: &mesospb.FrameworkID{Value: &id},
		FailoverTimeout: proto.Float64(600), Checkpoint: proto.Bool(true), Roles: []string{"*"},
		Capabilities: []*mesospb.FrameworkInfo_Capability{
			{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()},
			{Type: mesospb.FrameworkInfo_Capability_PARTITION_AWARE.Enum()},
		},
	}
}

func scalar(name string, value float64) *mesospb.Resource {
	return &mesospb.Resource{
		Name: &name, Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: &value},
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
	}
}

// run launches a command task.
func (m *fakeMaster) run(f *mesospb.FrameworkInfo, id, command string) {
	m.mutex.Lock()
	agent := m.agentID
	m.mutex.Unlock()
	m.send(&internalpb.RunTaskMessage{
		Framework: f, Pid: proto.String("@0.0.0.0:0"), LaunchExecutor: proto.Bool(true),
		Task: &mesospb.TaskInfo{
			Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: &agent},
			Resources: []*mesospb.Resource{scalar("cpus", 0.1), scalar("mem", 32)},
			Command:   &mesospb.CommandInfo{Value: &command, Shell: proto.Bool(true)},
		},
	})
}

func (m *fakeMaster) kill(f *mesospb.FrameworkInfo, task string) {
	m.send(&internalpb.KillTaskMessage{FrameworkId: f.GetId(), TaskId: &mesospb.TaskID{Value: &task}})
}
