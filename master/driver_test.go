package master

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"stoa/internal/auth/crammd5"
	"stoa/internal/mesos/driverpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/peer"

	"google.golang.org/protobuf/proto"
)

func TestReplayTestFramework(t *testing.T) {
	m := startMaster(t, t.TempDir())
	a, d := startAgent(t, m), startDriver(t, m, "")
	c := readConversation(t, "driver-test-framework.json")
	// The agent of the recording had registered before, and another framework had an
	// executor there.
	run := message(t, "mesos.internal.RunTaskMessage", firstTo(c, "mesos.internal.RunTaskMessage")).(*internalpb.RunTaskMessage)
	a.send(&internalpb.RegisterSlaveMessage{
		Slave: &mesospb.AgentInfo{
			Hostname: proto.String("agent1.rec"), Port: proto.Int32(int32(a.address().Port())),
			Resources: parse(t, "cpus:3.9;mem:4064;disk:8192;ports:[31000-31999]"), Checkpoint: proto.Bool(true),
			Attributes: []*mesospb.Attribute{{Name: proto.String("rack"), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: proto.String("r1")}}},
		},
		Version: proto.String("1.12.0"), AgentCapabilities: agentCapabilities, ResourceVersionUuid: run.ResourceVersionUuids[0].Uuid,
	})
	a.expect(&internalpb.SlaveRegisteredMessage{})

	d.id = &mesospb.FrameworkID{Value: proto.String(m.Info().GetId() + "-0000")}

	c.replay(t, m, a, d)
}

func TestReplayMasterFailoverOfDriver(t *testing.T) {
	m := startMaster(t, t.TempDir(), func(c *Config) {
		c.Core.AgentPingTimeout = 2 * time.Second
		c.Core.MaxAgentPingTimeouts = 2
	})
	readConversation(t, "driver-master-failover.json").replay(t, m, startAgent(t, m), startDriver(t, m, "scheduler-a424eb7d-90a2-43af-b14d-357ff2328e89"))
}

// askingDrivers is a master that wants to know who drivers are.
func askingDrivers(c *Config) {
	c.AuthenticatePeers = peer.Authentication{Drivers: true, Secrets: map[string]string{"fwp": "the secret"}}
}

func TestReplayDriverAuthenticates(t *testing.T) {
	m := startMaster(t, t.TempDir(), askingDrivers)
	d := startDriver(t, m, "scheduler-9bbafc46-2d03-40fe-a9e2-ef4653effa04")
	d.authenticatee().secret = "the secret"
	readConversation(t, "driver-authenticates.json").replay(t, m, nil, d)
	if text := m.get("/frameworks"); !strings.Contains(text, `"principal":"fwp"`) {
		t.Errorf("/frameworks: %s", text)
	}
}

func TestReplayDriverThatIsNotBelieved(t *testing.T) {
	m := startMaster(t, t.TempDir(), askingDrivers)
	readConversation(t, "driver-not-authenticated.json").replay(t, m, nil, startDriver(t, m, "scheduler-3ddcdc35-0fce-4e6d-a972-8b5fc8785948"))
	d := startDriver(t, m, "scheduler-02e1cb5e-acd9-407a-9fb3-9610b971741a")
	d.authenticatee().secret = "a wrong one"
	readConversation(t, "driver-wrong-secret.json").replay(t, m, nil, d)
	// One that proved to be somebody else cannot be fwp either.
	other := startMaster(t, t.TempDir(), func(c *Config) {
		askingDrivers(c)
		c.AuthenticatePeers.Secrets["somebody"] = "s"
	})
	d = startDriver(t, other, "scheduler-1")
	d.authenticatee().secret = "s"
	_, hello := crammd5.NewClient(d.self.String(), "somebody", "s")
	d.proof.say(hello)
	d.proof.next(&internalpb.AuthenticationMechanismsMessage{})
	d.proof.say(&internalpb.AuthenticationStartMessage{Mechanism: proto.String(crammd5.Mechanism)})
	d.proof.next(&internalpb.AuthenticationStepMessage{})
	d.proof.say(&internalpb.AuthenticationStepMessage{Data: []byte("somebody")})
	d.proof.next(&internalpb.AuthenticationCompletedMessage{})
	d.send(&driverpb.Call{Type: schedulerpb.Call_SUBSCRIBE.Enum(), Subscribe: &driverpb.Call_Subscribe{FrameworkInfo: &mesospb.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("x"), Principal: proto.String("fwp"),
	}}})
	d.expectError("Framework principal 'fwp' does not match authenticated principal 'somebody'")
}

func firstTo(c *conversation, name string) string {
	for _, step := range c.Steps {
		if step.To != "" && step.Name == name {
			return step.BodyHex
		}
	}
	return ""
}

// subscribe subscribes the driver's framework, as id if it is not nil.
func (d *fakeDriver) subscribe(id *mesospb.FrameworkID, force bool) {
	d.send(&driverpb.Call{
		Type: schedulerpb.Call_SUBSCRIBE.Enum(), FrameworkId: id,
		Subscribe: &driverpb.Call_Subscribe{
			FrameworkInfo: &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("old school"), FailoverTimeout: proto.Float64(600), Checkpoint: proto.Bool(true), Id: id},
			Force:         &force,
		},
	})
}

func (m *testMaster) get(path string) string {
	m.t.Helper()
	response, err := m.http.Get(m.url(path))
	if err != nil {
		m.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		m.t.Fatalf("%s: %s, %v", path, response.Status, err)
	}
	return string(text)
}

// The process of a scheduler ends: the master notices by its connection and keeps the
// framework for the next instance. That one is told of by its own address.
func TestDriverProcessEnds(t *testing.T) {
	m := startMaster(t, t.TempDir())
	a := startAgent(t, m)
	a.register(parse(t, "cpus:4;mem:4096"))
	d := startDriver(t, m, "scheduler-1")
	d.subscribe(nil, false)
	var registered internalpb.FrameworkRegisteredMessage
	d.expect(&registered)
	d.id = registered.FrameworkId
	show := func(pid string) string {
		return fmt.Sprintf(`"name":"old school","pid":%q,"used_resources":{"disk":0.0,"mem":0.0,"gpus":0.0,"cpus":0.0}`, pid)
	}
	for _, path := range []string{"/state", "/frameworks", "/state-summary"} {
		if text := m.get(path); !strings.Contains(text, show(d.self.String())) || !strings.Contains(text, `"active":true,"connected":true,"recovered":false`) {
			t.Errorf("%s: %s", path, text)
		}
	}
	d.stop()
	for end := time.Now().Add(deadline); !strings.Contains(m.get("/frameworks"), `"active":false,"connected":false,"recovered":false`); {
		if time.Now().After(end) {
			t.Fatalf("the framework is still connected: %s", m.get("/frameworks"))
		}
	}

	next := startDriver(t, m, "scheduler-2")
	next.subscribe(d.id, true)
	var again internalpb.FrameworkRegisteredMessage
	next.expect(&again)
	if again.FrameworkId.GetValue() != d.id.GetValue() {
		t.Errorf("registered as %s", again.FrameworkId)
	}
	var told internalpb.UpdateFrameworkMessage
	a.expect(&told)
	if told.GetPid() != next.self.String() {
		t.Errorf("the agent was told of %q", told.GetPid())
	}
	// A third one is at the next address before the second ends.
	third := startDriver(t, m, "scheduler-3")
	third.subscribe(d.id, false)
	third.expectError("Framework failed over")
	third.subscribe(d.id, true)
	third.expect(&again)
	next.expectError("Framework failed over")
	if text := m.get("/frameworks"); !strings.Contains(text, show(third.self.String())) {
		t.Errorf("/frameworks: %s", text)
	}
}

// oldDriver sends as libmesos did before 0.22: HTTP/1.0 requests with chunked bodies and
// the sender in the User-Agent only, one after the other, without waiting.
type oldDriver struct {
	*fakeDriver
	conn net.Conn
}

func startOldDriver(t *testing.T, m *testMaster) *oldDriver {
	t.Helper()
	d := startDriver(t, m, "scheduler(1)")
	conn, err := net.Dial("tcp", m.Address().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &oldDriver{fakeDriver: d, conn: conn}
}

func (d *oldDriver) send(messages ...proto.Message) {
	d.t.Helper()
	var text strings.Builder
	for _, m := range messages {
		body, err := proto.Marshal(m)
		if err != nil {
			d.t.Fatal(err)
		}
		fmt.Fprintf(&text, "POST /master/%s HTTP/1.0\r\nUser-Agent: libprocess/%s\r\nConnection: Keep-Alive\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
			m.ProtoReflect().Descriptor().FullName(), d.self, len(body), body)
	}
	if _, err := io.WriteString(d.conn, text.String()); err != nil {
		d.t.Fatal(err)
	}
}

// The life of a framework on a driver from before there were calls.
func TestOldDriver(t *testing.T) {
	m := startMaster(t, t.TempDir())
	a, d := startAgent(t, m), startOldDriver(t, m)
	agent := &mesospb.AgentID{Value: proto.String(a.register(parse(t, "cpus:4;mem:4096")))}
	info := func(id *mesospb.FrameworkID) *mesospb.FrameworkInfo {
		return &mesospb.FrameworkInfo{User: proto.String("root"), Name: proto.String("ancient"), FailoverTimeout: proto.Float64(600), Id: id}
	}
	d.send(&internalpb.SubmitSchedulerRequest{Name: proto.String("x")},
		&internalpb.ReregisterFrameworkMessage{Framework: info(nil), Failover: proto.Bool(true)},
		&internalpb.RegisterFrameworkMessage{Framework: info(&mesospb.FrameworkID{Value: proto.String("x")})})
	var submitted internalpb.SubmitSchedulerResponse
	if d.expect(&submitted); submitted.Okay == nil || submitted.GetOkay() {
		t.Errorf("answer %v", &submitted)
	}
	d.expectError("Re-registering without an 'id'")
	d.expectError("Registering with 'id' already set")

	d.send(&internalpb.RegisterFrameworkMessage{Framework: info(&mesospb.FrameworkID{Value: proto.String("")})})
	var registered internalpb.FrameworkRegisteredMessage
	d.expect(&registered)
	id := registered.FrameworkId
	var offers internalpb.ResourceOffersMessage
	d.expect(&offers)
	offer := offers.Offers[0]
	if len(offers.Offers) != 1 || offers.Pids[0] != a.self.String() || offer.AllocationInfo != nil || offer.Resources[0].AllocationInfo != nil || offer.Resources[0].GetRole() != "*" || offer.Resources[0].Reservations != nil {
		t.Errorf("offers: %v", &offers)
	}

	executor := &mesospb.ExecutorInfo{ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, FrameworkId: id, Command: &mesospb.CommandInfo{Value: proto.String("./run")}}
	one := &mesospb.TaskInfo{
		Name: proto.String("a"), TaskId: &mesospb.TaskID{Value: proto.String("a")}, AgentId: agent, Executor: executor,
		Resources: []*mesospb.Resource{
			{Name: proto.String("cpus"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(1)}, Role: proto.String("*")},
			{Name: proto.String("mem"), Type: mesospb.Value_SCALAR.Enum(), Scalar: &mesospb.Value_Scalar{Value: proto.Float64(64)}, Role: proto.String("*")},
		},
	}
	d.send(&internalpb.LaunchTasksMessage{FrameworkId: id, Tasks: []*mesospb.TaskInfo{one}, Filters: &mesospb.Filters{RefuseSeconds: proto.Float64(0)}, OfferIds: []*mesospb.OfferID{offer.Id}})
	var run internalpb.RunTaskMessage
	a.expect(&run)
	if run.GetPid() != d.self.String() || run.Framework.Id.GetValue() != id.GetValue() || !run.GetLaunchExecutor() {
		t.Errorf("launch: %v", &run)
	}
	d.expect(&offers)
	d.send(&internalpb.LaunchTasksMessage{FrameworkId: id, Filters: &mesospb.Filters{RefuseSeconds: proto.Float64(3600)}, OfferIds: []*mesospb.OfferID{offers.Offers[0].Id}})

	uuid := []byte("0123456789abcdef")
	uuid[6], uuid[8] = 0x40, 0x80
	a.send(&internalpb.StatusUpdateMessage{Pid: proto.String(a.self.String()), Update: &internalpb.StatusUpdate{
		FrameworkId: id, SlaveId: agent, ExecutorId: executor.ExecutorId, Timestamp: proto.Float64(1.5), Uuid: uuid, LatestState: mesospb.TaskState_TASK_RUNNING.Enum(),
		Status: &mesospb.TaskStatus{TaskId: one.TaskId, AgentId: agent, State: mesospb.TaskState_TASK_RUNNING.Enum(), Uuid: uuid},
	}})
	var update internalpb.StatusUpdateMessage
	if d.expect(&update); update.GetPid() != a.self.String() || string(update.Update.Uuid) != string(uuid) {
		t.Errorf("update: %v", &update)
	}
	d.send(&internalpb.StatusUpdateAcknowledgementMessage{SlaveId: agent, FrameworkId: id, TaskId: one.TaskId, Uuid: uuid},
		&internalpb.FrameworkToExecutorMessage{SlaveId: agent, FrameworkId: id, ExecutorId: executor.ExecutorId, Data: []byte("hi")},
		&internalpb.ResourceRequestMessage{FrameworkId: id},
		&internalpb.KillTaskMessage{FrameworkId: id, TaskId: one.TaskId, KillPolicy: &mesospb.KillPolicy{}},
		&internalpb.ReconcileTasksMessage{FrameworkId: id, Statuses: []*mesospb.TaskStatus{{TaskId: one.TaskId, State: mesospb.TaskState_TASK_RUNNING.Enum()}}})
	a.expect(&internalpb.StatusUpdateAcknowledgementMessage{})
	var hi internalpb.FrameworkToExecutorMessage
	if a.expect(&hi); string(hi.Data) != "hi" {
		t.Errorf("message: %v", &hi)
	}
	var kill internalpb.KillTaskMessage
	if a.expect(&kill); kill.KillPolicy != nil || kill.TaskId.GetValue() != "a" {
		t.Errorf("kill: %v", &kill)
	}
	if d.expect(&update); update.Update.Uuid == nil || len(update.Update.Uuid) != 0 || update.Pid != nil || update.Update.Status.GetMessage() != "Reconciliation: Latest task state" {
		t.Errorf("reconciled: %v", &update)
	}
	d.send(&internalpb.ReviveOffersMessage{FrameworkId: id})
	d.expect(&offers)
	// abort(), and a driver that starts again at the same address.
	d.send(&internalpb.DeactivateFrameworkMessage{FrameworkId: id})
	d.expect(&internalpb.RescindResourceOfferMessage{})
	d.send(&internalpb.ReregisterFrameworkMessage{Framework: info(id), Failover: proto.Bool(false)})
	d.expect(&internalpb.FrameworkReregisteredMessage{})
	d.send(&internalpb.UnregisterFrameworkMessage{FrameworkId: id})
	a.expect(&internalpb.ShutdownFrameworkMessage{})
	d.send(&internalpb.ReregisterFrameworkMessage{Framework: info(id), Failover: proto.Bool(true)})
	d.expectError("Framework has been removed")
	// The answers to all of it came back on the connection, and it is still open.
	d.conn.SetReadDeadline(time.Now().Add(deadline))
	answers, buffer := "", make([]byte, 4096)
	for strings.Count(answers, "202 Accepted") < 15 {
		n, err := d.conn.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", answers, err)
		}
		answers += string(buffer[:n])
	}
}
