package sim

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// world is one agent and the master it talks to, both without sockets.
type world struct {
	t     *testing.T
	agent *Agent
	now   time.Time
	said  []Send
}

var masterAddress = netip.MustParseAddrPort("10.0.0.1:5050")

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	o.Master, o.Count, o.RegistrationBackoff, o.Seed = masterAddress, 1, -1, 7
	b, err := newBehaviour(o)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: start}
	w.agent = newAgent(start, b, 1, libprocess.UPID{ID: "slave(1)", Addr: netip.MustParseAddrPort("10.0.0.2:5051")}, &Counts{})
	return w
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for {
		next := w.agent.Next()
		if next.IsZero() || next.After(end) {
			break
		}
		if next.After(w.now) {
			w.now = next
		}
		w.said = append(w.said, sent(w.agent.Tick(w.now))...)
	}
	w.now = end
}

func (w *world) hear(m proto.Message) {
	w.said = append(w.said, sent(w.agent.Receive(w.now, w.agent.master, m))...)
}

// next is the next message that the agent said.
func next[M proto.Message](w *world) M {
	w.t.Helper()
	for len(w.said) > 0 {
		m, ok := w.said[0].Body.(M)
		w.said = w.said[1:]
		if ok {
			return m
		}
	}
	var none M
	w.t.Fatalf("the agent says no %T", none)
	return none
}

func (w *world) silent() {
	w.t.Helper()
	if len(w.said) > 0 {
		w.t.Fatalf("the agent says %T %v", w.said[0].Body, w.said[0].Body)
	}
}

func (w *world) register() {
	w.t.Helper()
	w.pass(0)
	next[*internalpb.RegisterSlaveMessage](w)
	w.hear(&internalpb.SlaveRegisteredMessage{
		SlaveId: &mesospb.AgentID{Value: proto.String("M-S0")}, Connection: &internalpb.MasterSlaveConnection{TotalPingTimeoutSeconds: proto.Float64(75)},
	})
	next[*internalpb.UpdateSlaveMessage](w)
}

func testFramework(capabilities ...mesospb.FrameworkInfo_Capability_Type) *mesospb.FrameworkInfo {
	f := &mesospb.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("f"), Id: &mesospb.FrameworkID{Value: proto.String("M-0000")}, Roles: []string{"*"},
	}
	for _, c := range capabilities {
		f.Capabilities = append(f.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return f
}

func (w *world) run(f *mesospb.FrameworkInfo, id string, change ...func(*internalpb.RunTaskMessage)) {
	m := &internalpb.RunTaskMessage{
		Framework: f, LaunchExecutor: proto.Bool(true), Pid: proto.String("@0.0.0.0:0"),
		Task: &mesospb.TaskInfo{
			Name: &id, TaskId: &mesospb.TaskID{Value: &id}, AgentId: &mesospb.AgentID{Value: proto.String("M-S0")},
			Command: &mesospb.CommandInfo{Value: proto.String("sleep 1000")},
		},
	}
	for _, c := range change {
		c(m)
	}
	w.hear(m)
}

// update expects an update with a state and acknowledges it.
func (w *world) update(state mesospb.TaskState) *internalpb.StatusUpdate {
	w.t.Helper()
	u := next[*internalpb.StatusUpdateMessage](w).GetUpdate()
	if u.GetStatus().GetState() != state {
		w.t.Fatalf("the agent says %s, not %s", u.GetStatus().GetState(), state)
	}
	w.acknowledge(u)
	return u
}

func (w *world) acknowledge(u *internalpb.StatusUpdate) {
	w.hear(&internalpb.StatusUpdateAcknowledgementMessage{
		SlaveId: u.SlaveId, FrameworkId: u.FrameworkId, TaskId: u.GetStatus().GetTaskId(), Uuid: u.Uuid,
	})
}

func (w *world) kill(id string) {
	w.hear(&internalpb.KillTaskMessage{FrameworkId: testFramework().Id, TaskId: &mesospb.TaskID{Value: &id}})
}

const (
	starting = mesospb.TaskState_TASK_STARTING
	running  = mesospb.TaskState_TASK_RUNNING
	killing  = mesospb.TaskState_TASK_KILLING
	killed   = mesospb.TaskState_TASK_KILLED
	failed   = mesospb.TaskState_TASK_FAILED
	finished = mesospb.TaskState_TASK_FINISHED
)

func TestRegistrationIsRepeatedUntilItIsAnswered(t *testing.T) {
	w := newWorld(t, Options{})
	w.pass(10 * time.Minute)
	attempts := len(w.said)
	if attempts < 10 {
		t.Errorf("%d attempts in ten minutes", attempts)
	}
	w.said = nil
	w.hear(&internalpb.SlaveRegisteredMessage{SlaveId: &mesospb.AgentID{Value: proto.String("M-S0")}})
	next[*internalpb.UpdateSlaveMessage](w)
	w.pass(time.Minute)
	w.silent()
	if c := w.agent.counts; c.Registered != 1 || c.Registrations != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestUnacknowledgedUpdateIsRepeatedLessAndLessOften(t *testing.T) {
	w := newWorld(t, Options{})
	w.register()
	w.run(testFramework(), "a")
	u := next[*internalpb.StatusUpdateMessage](w).GetUpdate()
	for _, wait := range []time.Duration{10 * time.Second, 20 * time.Second} {
		w.pass(wait - time.Second)
		w.silent()
		w.pass(time.Second)
		again := next[*internalpb.StatusUpdateMessage](w).GetUpdate()
		if string(again.Uuid) != string(u.Uuid) || again.GetStatus().GetState() != starting || again.GetLatestState() != running {
			t.Fatalf("the repeated update is %v", again)
		}
	}
	// An acknowledgement of something else changes nothing.
	other := proto.CloneOf(u)
	other.Uuid = []byte("0123456789abcdef")
	w.acknowledge(other)
	w.silent()
	w.acknowledge(u)
	w.update(running)
	w.pass(30 * time.Second)
	w.silent()
}

func TestTaskGoesThroughItsStates(t *testing.T) {
	states, err := ParseStates("starting,running:2s,finished:1m")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Options{States: states})
	w.register()
	w.run(testFramework(), "a")
	w.update(starting)
	w.silent()
	w.pass(2 * time.Second)
	w.update(running)
	w.pass(59 * time.Second)
	w.silent()
	w.pass(time.Second)
	w.update(finished)
	if len(w.agent.frameworks) != 0 || w.agent.counts.Tasks != 0 || w.agent.counts.Running != 0 {
		t.Errorf("something is left: %+v", w.agent.counts)
	}
}

func TestPartOfTheTasksFails(t *testing.T) {
	w := newWorld(t, Options{Fail: 0.5, FailAfter: 5 * time.Second, States: []State{{State: running}}})
	w.register()
	for i := range 200 {
		w.run(testFramework(), "t"+itoa(i))
		w.update(running)
	}
	w.pass(6 * time.Second)
	n := len(w.said)
	for range n {
		w.update(failed)
	}
	if n < 60 || n > 140 || w.agent.counts.Running != 200-n {
		t.Errorf("%d of 200 failed, %d run", n, w.agent.counts.Running)
	}
}

func TestKill(t *testing.T) {
	w := newWorld(t, Options{States: []State{{State: running}}, KillAfter: 3 * time.Second})
	w.register()
	w.run(testFramework(mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE), "a")
	w.update(running)
	w.kill("a")
	w.update(killing)
	w.kill("a") // again changes nothing
	w.silent()
	w.pass(3 * time.Second)
	w.update(killed)

	// A task that is not there, of a framework that is.
	w.run(testFramework(mesospb.FrameworkInfo_Capability_PARTITION_AWARE), "b")
	w.update(running)
	w.kill("nobody")
	u := w.update(mesospb.TaskState_TASK_DROPPED)
	if u.GetStatus().GetReason() != mesospb.TaskStatus_REASON_EXECUTOR_TERMINATED || u.GetStatus().GetSource() != mesospb.TaskStatus_SOURCE_AGENT {
		t.Errorf("the update is %v", u)
	}
}

func TestKillBeforeTheTaskRuns(t *testing.T) {
	w := newWorld(t, Options{States: []State{{starting, time.Second}, {running, time.Second}}})
	w.register()
	w.run(testFramework(), "a")
	w.kill("a")
	w.update(killed)
	w.pass(time.Minute)
	w.silent()
}

func TestHealthyWhenAChecksIsThere(t *testing.T) {
	w := newWorld(t, Options{States: []State{{State: running}}})
	w.register()
	w.run(testFramework(), "a", func(m *internalpb.RunTaskMessage) { m.Task.HealthCheck = &mesospb.HealthCheck{} })
	if u := w.update(running); u.GetStatus().Healthy != nil {
		t.Error("health is known at once")
	}
	if u := w.update(running); !u.GetStatus().GetHealthy() || u.GetStatus().GetReason() != mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED {
		t.Errorf("the second update is %v", u)
	}
}

func TestOutdatedResourcesAreRefused(t *testing.T) {
	w := newWorld(t, Options{})
	w.register()
	w.run(testFramework(), "a", func(m *internalpb.RunTaskMessage) {
		m.ResourceVersionUuids = []*internalpb.ResourceVersionUUID{{Uuid: &mesospb.UUID{Value: []byte("0123456789abcdef")}}}
	})
	u := w.update(mesospb.TaskState_TASK_LOST)
	if u.GetStatus().GetReason() != mesospb.TaskStatus_REASON_INVALID_OFFERS || len(w.agent.frameworks) != 0 {
		t.Errorf("the update is %v, frameworks %v", u, w.agent.frameworks)
	}
}

// launchExecutor says what the master expects of the executor "e".
func launchExecutor(expectsNew bool) func(*internalpb.RunTaskMessage) {
	return func(m *internalpb.RunTaskMessage) {
		m.LaunchExecutor = &expectsNew
		m.Task.Command = nil
		m.Task.Executor = &mesospb.ExecutorInfo{
			ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, Command: &mesospb.CommandInfo{Value: proto.String("x")},
		}
	}
}

func TestExecutorIsSharedAndShutDown(t *testing.T) {
	w := newWorld(t, Options{States: []State{{State: running}}})
	w.register()
	f := testFramework()
	w.run(f, "a", launchExecutor(true))
	w.update(running)
	w.run(f, "b", launchExecutor(false))
	w.update(running)
	if m := w.agent.reregisterMessage(); len(m.ExecutorInfos) != 1 || m.ExecutorInfos[0].FrameworkId == nil || len(m.Tasks) != 2 {
		t.Errorf("re-registration would say %v", m)
	}
	w.hear(&internalpb.ShutdownExecutorMessage{FrameworkId: f.Id, ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}})
	if len(w.said) != 3 {
		t.Fatalf("the agent says %v", w.said)
	}
	exited := w.said[2].Body.(*internalpb.ExitedExecutorMessage)
	if exited.GetExecutorId().GetValue() != "e" {
		t.Errorf("%v", exited)
	}
	w.update(killed)
	w.update(killed)
	if len(w.agent.frameworks) != 0 {
		t.Error("the framework is still there")
	}
}

func TestMissingExecutorIsToldToTheMaster(t *testing.T) {
	w := newWorld(t, Options{})
	w.register()
	w.run(testFramework(), "a", launchExecutor(false))
	w.update(mesospb.TaskState_TASK_LOST)
	w.silent()
	w.run(testFramework(), "b", launchExecutor(true), func(m *internalpb.RunTaskMessage) {
		m.ResourceVersionUuids = []*internalpb.ResourceVersionUUID{{Uuid: &mesospb.UUID{Value: []byte("0123456789abcdef")}}}
	})
	if status := next[*internalpb.StatusUpdateMessage](w); status.GetUpdate().GetStatus().GetState() != mesospb.TaskState_TASK_LOST {
		t.Errorf("%v", status)
	}
	if exited := next[*internalpb.ExitedExecutorMessage](w); exited.GetStatus() != -1 {
		t.Errorf("%v", exited)
	}
}

func TestSilentAgentComesBackWithItsTasks(t *testing.T) {
	w := newWorld(t, Options{States: []State{{State: running}}, Silent: 1, SilentAfter: 10 * time.Second, SilentFor: time.Hour})
	w.register()
	w.run(testFramework(), "a")
	w.update(running)
	w.hear(&internalpb.PingSlaveMessage{Connected: proto.Bool(true)})
	next[*internalpb.PongSlaveMessage](w)
	w.pass(10 * time.Second)
	w.hear(&internalpb.PingSlaveMessage{Connected: proto.Bool(true)})
	w.kill("a")
	w.pass(59 * time.Minute)
	w.silent()
	if w.agent.counts.Silent != 1 {
		t.Errorf("counts %+v", w.agent.counts)
	}
	w.pass(2 * time.Minute)
	if m := next[*internalpb.ReregisterSlaveMessage](w); len(m.Tasks) != 1 || m.Tasks[0].GetState() != running {
		t.Errorf("it comes back with %v", m)
	}
}

func TestAgentRegistersAgainWhenTheMasterSaysItIsDisconnected(t *testing.T) {
	for name, event := range map[string]func(w *world){
		"ping":     func(w *world) { w.hear(&internalpb.PingSlaveMessage{Connected: proto.Bool(false)}) },
		"exited":   func(w *world) { w.said = append(w.said, sent(w.agent.Exited(w.now, w.agent.master))...) },
		"no pings": func(w *world) { w.pass(75 * time.Second) },
		"ping later": func(w *world) {
			w.pass(time.Minute)
			w.hear(&internalpb.PingSlaveMessage{Connected: proto.Bool(false)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Options{})
			w.register()
			event(w)
			w.pass(0)
			next[*internalpb.ReregisterSlaveMessage](w)
			// A task that only the master knows is reported as lost.
			w.hear(&internalpb.SlaveReregisteredMessage{
				SlaveId: &mesospb.AgentID{Value: proto.String("M-S0")},
				Reconciliations: []*internalpb.ReconcileTasksMessage{{
					FrameworkId: testFramework().Id, Framework: testFramework(mesospb.FrameworkInfo_Capability_PARTITION_AWARE),
					Statuses: []*mesospb.TaskStatus{{TaskId: &mesospb.TaskID{Value: proto.String("x")}, State: running.Enum()}},
				}},
			})
			u := w.update(mesospb.TaskState_TASK_DROPPED)
			if u.GetStatus().GetReason() != mesospb.TaskStatus_REASON_RECONCILIATION {
				t.Errorf("%v", u)
			}
		})
	}
}

func TestOthersThanTheMasterAreNotHeard(t *testing.T) {
	w := newWorld(t, Options{})
	w.register()
	stranger := libprocess.UPID{ID: MasterID, Addr: netip.MustParseAddrPort("10.0.0.9:5050")}
	if effects := w.agent.Receive(w.now, stranger, &internalpb.ShutdownMessage{}); len(effects) > 0 || w.agent.ended {
		t.Errorf("a stranger shuts the agent down: %v", effects)
	}
}

func TestShutdownEndsTheAgent(t *testing.T) {
	w := newWorld(t, Options{})
	w.register()
	w.run(testFramework(), "a")
	w.said = nil
	w.hear(&internalpb.ShutdownMessage{})
	w.pass(time.Hour)
	w.silent()
	if c := w.agent.counts; c.Ended != 1 || c.Registered != 0 || c.Tasks != 0 || c.Running != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestDrainMarksWhatItKills(t *testing.T) {
	w := newWorld(t, Options{States: []State{{State: running}}})
	w.register()
	w.run(testFramework(mesospb.FrameworkInfo_Capability_PARTITION_AWARE), "a")
	w.update(running)
	w.hear(&internalpb.DrainSlaveMessage{Config: &mesospb.DrainConfig{MarkGone: proto.Bool(true)}})
	u := w.update(mesospb.TaskState_TASK_GONE_BY_OPERATOR)
	if u.GetStatus().GetReason() != mesospb.TaskStatus_REASON_AGENT_DRAINING || w.agent.drain != nil {
		t.Errorf("%v, draining %v", u, w.agent.drain)
	}
}

func TestFrameworkEndsWithoutAWord(t *testing.T) {
	w := newWorld(t, Options{States: []State{{State: running}}})
	w.register()
	w.run(testFramework(), "a")
	w.said = nil
	w.hear(&internalpb.ShutdownFrameworkMessage{FrameworkId: testFramework().Id})
	w.pass(time.Hour / 60)
	w.silent()
	if c := w.agent.counts; c.Tasks != 0 || c.Running != 0 || len(w.agent.frameworks) != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Master: masterAddress, Count: 1}
	for text, change := range map[string]func(*Options){
		"number of agents":    func(o *Options) { o.Count = 0 },
		"master's address":    func(o *Options) { o.Master = netip.AddrPort{} },
		"from 0 to 1":         func(o *Options) { o.Fail = 1.5 },
		"not be negative":     func(o *Options) { o.KillAfter = -1 },
		"resources":           func(o *Options) { o.Resources = "cpus" },
		"no text, number":     func(o *Options) { o.Attributes = "a:{x,y}" },
		"of the form":         func(o *Options) { o.Attributes = "a" },
		"master can reach":    func(o *Options) { o.IP = netip.MustParseAddr("0.0.0.0") },
		"not 10 ports from 6": func(o *Options) { o.IP, o.Port, o.Count, o.PerAddress = netip.MustParseAddr("127.0.0.1"), 65530, 10, 1 },
	} {
		o := good
		change(&o)
		if _, err := New(o, nil); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: error %v", text, err)
		}
	}
	for _, bad := range []string{"", "nonsense", "staging", "running:x", "running:-1s", "finished,running", "running,,finished"} {
		if _, err := ParseStates(bad); err == nil {
			t.Errorf("states %q are taken", bad)
		}
	}
}

// FuzzMessages gives an agent whatever may come from the network.
func FuzzMessages(f *testing.F) {
	for _, name := range []string{"RunTaskMessage", "KillTaskMessage", "RunTaskGroupMessage", "ApplyOperationMessage", "SlaveReregisteredMessage", "PingSlaveMessage"} {
		f.Add(name, []byte{})
	}
	info := testFramework()
	body, _ := proto.Marshal(&internalpb.RunTaskMessage{Framework: info, Task: &mesospb.TaskInfo{
		Name: proto.String("a"), TaskId: &mesospb.TaskID{Value: proto.String("a")}, AgentId: &mesospb.AgentID{Value: proto.String("M-S0")},
		Command: &mesospb.CommandInfo{},
	}})
	f.Add("RunTaskMessage", body)
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		w := newWorld(t, Options{})
		w.register()
		m, _ := decode(libprocess.Message{Name: internalPrefix + name, Body: body})
		if m == nil {
			return
		}
		w.hear(m)
		w.hear(m)
		w.pass(2 * time.Minute)
	})
}
