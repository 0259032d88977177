package sim

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
)

// recording is what an original master and an original agent said to each other.
type recording struct {
	AgentPID string `json:"agent_pid"`
	Steps    []struct {
		ToAgent   string `json:"to_agent"`
		From      string
		FromAgent string `json:"from_agent"`
		To        string
		BodyHex   string `json:"body_hex"`
	}
}

func readRecording(t *testing.T, name string) recording {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var r recording
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func parse(t *testing.T, name, bodyHex string) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		t.Fatal(err)
	}
	body, err := hex.DecodeString(bodyHex)
	if err != nil {
		t.Fatal(err)
	}
	m := kind.New().Interface()
	if err := proto.Unmarshal(body, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// first returns the first message of a type that the agent, or somebody else, sent.
func first[M proto.Message](t *testing.T, r recording) M {
	t.Helper()
	var want M
	name := string(want.ProtoReflect().Descriptor().FullName())
	for _, step := range r.Steps {
		if step.ToAgent == name || step.FromAgent == name {
			return parse(t, name, step.BodyHex).(M)
		}
	}
	t.Fatalf("no %s in the recording", name)
	return want
}

var start = time.Unix(1_700_000_000, 0)

// recordedAgent is a simulated agent that is like the recorded one: same name,
// address, resources, and resource version.
func recordedAgent(t *testing.T, r recording, master string, version []byte, change func(*Options)) *Agent {
	t.Helper()
	self, err := libprocess.Parse(r.AgentPID)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Master: netip.MustParseAddrPort(master), Count: 1, Version: "1.12.0", RegistrationBackoff: -1, Seed: 1,
		Resources: "cpus:4;mem:4096;disk:8192;ports:[31000-31999]",
	}
	if change != nil {
		change(&o)
	}
	b, err := newBehaviour(o)
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(start, b, 1, self, &Counts{})
	a.info.Hostname = proto.String("agent1.rec")
	a.version = version
	return a
}

// sent are the messages among effects.
func sent(effects []Effect) []Send {
	var list []Send
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			list = append(list, s)
		}
	}
	return list
}

func marshal(t *testing.T, m proto.Message) []byte {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestRegistrationIsTheRecordedOneByteForByte(t *testing.T) {
	r := readRecording(t, "registration")
	version := first[*internalpb.RegisterSlaveMessage](t, r).GetResourceVersionUuid().GetValue()
	a := recordedAgent(t, r, "127.0.0.1:25060", version, func(o *Options) { o.Attributes = "rack:r1" })
	said := sent(a.Tick(start))
	for i, step := range r.Steps {
		if step.ToAgent != "" {
			from, err := libprocess.Parse(step.From)
			if err != nil {
				t.Fatal(err)
			}
			said = append(said, sent(a.Receive(start, from, parse(t, step.ToAgent, step.BodyHex)))...)
			continue
		}
		if len(said) == 0 {
			t.Fatalf("step %d: the agent does not send %s", i, step.FromAgent)
		}
		name := string(said[0].Body.ProtoReflect().Descriptor().FullName())
		if name != step.FromAgent || said[0].To.ID != step.To {
			t.Fatalf("step %d: the agent sends %s to %s, not %s to %s", i, name, said[0].To, step.FromAgent, step.To)
		}
		want, err := hex.DecodeString(step.BodyHex)
		if err != nil {
			t.Fatal(err)
		}
		if body := marshal(t, said[0].Body); !bytes.Equal(body, want) {
			t.Errorf("step %d: %s is\n%x, recorded is\n%x", i, name, body, want)
		}
		said = said[1:]
	}
	if len(said) > 0 {
		t.Errorf("the agent says too much: %v", said)
	}
}

// varies are the parts of a message that no two runs have in common. Which state is the
// newest when the first is reported is a matter of time.
var varies = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`"uuid":"[^"]*"`), `"uuid":"U"`},
	{regexp.MustCompile(`"uuid":\{"value":"[^"]*"\}`), `"uuid":"U"`},
	{regexp.MustCompile(`"timestamp":[0-9.e]+`), `"timestamp":0`},
	{regexp.MustCompile(`"executor_pid":\d+`), `"executor_pid":0`},
	{regexp.MustCompile(`"value":"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"`), `"value":"C"`},
	{regexp.MustCompile(`"latest_state":"TASK_(STARTING|RUNNING)"`), `"latest_state":"L"`},
}

func normal(m proto.Message) string {
	text := string(mesosjson.Append(nil, m, mesosjson.V0))
	for _, v := range varies {
		text = v.pattern.ReplaceAllString(text, v.text)
	}
	return text
}

// script plays the recorded master to the agent, and collects what both agents say. Tasks
// end by themselves when they did in the recording.
type script struct {
	t     *testing.T
	agent *Agent
	// uuids are the agent's updates by task and state, recorded the states by uuid.
	uuids    map[string][]byte
	recorded map[string]string
	have     []proto.Message
	want     []proto.Message
}

func key(s *mesospb.TaskStatus) string { return s.GetTaskId().GetValue() + " " + s.GetState().String() }

func play(t *testing.T, r recording, a *Agent) *script {
	t.Helper()
	s := &script{t: t, agent: a, uuids: map[string][]byte{}, recorded: map[string]string{}}
	for _, step := range r.Steps {
		if step.FromAgent != "" {
			m := parse(t, step.FromAgent, step.BodyHex)
			s.want = append(s.want, m)
			if u, ok := m.(*internalpb.StatusUpdateMessage); ok {
				s.recorded[string(u.GetUpdate().GetUuid())] = key(u.GetUpdate().GetStatus())
				s.end(u.GetUpdate())
			}
			continue
		}
		m := parse(t, step.ToAgent, step.BodyHex)
		if ack, ok := m.(*internalpb.StatusUpdateAcknowledgementMessage); ok {
			if ack.Uuid = s.uuids[s.recorded[string(ack.Uuid)]]; ack.Uuid == nil {
				continue // of a task that this agent runs another way
			}
		}
		if ack, ok := m.(*internalpb.AcknowledgeOperationStatusMessage); ok {
			o := a.findOperation(ack.GetOperationUuid().GetValue())
			if o == nil {
				continue // applied before the recording began
			}
			ack.StatusUuid = o.update.GetStatus().GetUuid()
		}
		from, err := libprocess.Parse(step.From)
		if err != nil {
			t.Fatal(err)
		}
		s.note(a.Receive(start, from, m))
	}
	return s
}

// end has a task end as the recorded one did.
func (s *script) end(u *internalpb.StatusUpdate) {
	status := u.GetStatus()
	switch status.GetState() {
	case mesospb.TaskState_TASK_FINISHED, mesospb.TaskState_TASK_FAILED:
		if f := s.agent.frameworks[u.GetFrameworkId().GetValue()]; f != nil && status.GetSource() == mesospb.TaskStatus_SOURCE_EXECUTOR {
			s.agent.say(f.tasks[status.GetTaskId().GetValue()], status.GetState(), status.GetMessage())
			s.note(s.agent.effects())
		}
	}
}

func (s *script) note(effects []Effect) {
	for _, send := range sent(effects) {
		if u, ok := send.Body.(*internalpb.StatusUpdateMessage); ok {
			s.uuids[key(u.GetUpdate().GetStatus())] = u.GetUpdate().GetUuid()
		}
		s.have = append(s.have, send.Body)
	}
}

// compare compares the messages that pick picks, each group in its order.
func (s *script) compare(pick func(proto.Message) (group string)) {
	s.t.Helper()
	split := func(list []proto.Message) map[string][]string {
		groups := map[string][]string{}
		for _, m := range list {
			if g := pick(m); g != "" {
				groups[g] = append(groups[g], normal(m))
			}
		}
		return groups
	}
	want := split(s.want)
	if len(want) == 0 {
		s.t.Fatal("nothing to compare")
	}
	if diff := cmp.Diff(want, split(s.have)); diff != "" {
		s.t.Errorf("messages (-recorded +simulated):\n%s", diff)
	}
}

func updatesOf(tasks ...string) func(proto.Message) string {
	return func(m proto.Message) string {
		u, ok := m.(*internalpb.StatusUpdateMessage)
		if id := u.GetUpdate().GetStatus().GetTaskId().GetValue(); ok && slices.Contains(tasks, id) {
			return id
		}
		return ""
	}
}

// registered makes the agent one that registered before the recording began.
func registered(a *Agent, id *mesospb.AgentID) {
	a.Tick(start)
	a.Receive(start, a.master, &internalpb.SlaveRegisteredMessage{SlaveId: id})
}

func TestUpdatesOfTasksAreTheRecordedOnes(t *testing.T) {
	r := readRecording(t, "tasks")
	run := first[*internalpb.RunTaskMessage](t, r)
	a := recordedAgent(t, r, "127.0.0.1:25060", run.GetResourceVersionUuids()[0].GetUuid().GetValue(), nil)
	registered(a, run.GetTask().GetAgentId())
	s := play(t, r, a)
	// lp-run is killed, lp-exit3 fails, lp-shut ends with its executor.
	s.compare(updatesOf("lp-run", "lp-exit3", "lp-shut"))
}

func TestTaskGroupIsTheRecordedOne(t *testing.T) {
	r := readRecording(t, "group")
	run := first[*internalpb.RunTaskGroupMessage](t, r)
	a := recordedAgent(t, r, "127.0.0.1:25060", run.GetResourceVersionUuids()[0].GetUuid().GetValue(), nil)
	registered(a, run.GetTaskGroup().GetTasks()[0].GetAgentId())
	s := play(t, r, a)
	s.compare(func(m proto.Message) string {
		if _, ok := m.(*internalpb.ExitedExecutorMessage); ok {
			return "executor"
		}
		return updatesOf("g1", "g2")(m)
	})
}

func TestOperationStatusIsTheRecordedOne(t *testing.T) {
	r := readRecording(t, "operations")
	apply := first[*internalpb.ApplyOperationMessage](t, r)
	a := recordedAgent(t, r, "127.0.0.1:25160", apply.GetResourceVersionUuid().GetUuid().GetValue(), nil)
	status := first[*internalpb.UpdateOperationStatusMessage](t, r)
	registered(a, status.GetSlaveId())
	s := play(t, r, a)
	// One of the two is never acknowledged and is repeated ten seconds later.
	s.note(a.Tick(start.Add(retryMin)))
	s.compare(func(m proto.Message) string {
		if u, ok := m.(*internalpb.UpdateOperationStatusMessage); ok {
			return u.GetStatus().GetOperationId().GetValue()
		}
		return ""
	})
}

func TestReregistrationIsTheRecordedOne(t *testing.T) {
	r := readRecording(t, "return")
	want := first[*internalpb.ReregisterSlaveMessage](t, r)
	a := recordedAgent(t, r, "127.0.0.1:25150", want.GetResourceVersionUuid().GetValue(), nil)
	registered(a, want.GetSlave().GetId())

	// The task was launched before the recording begins.
	task := want.GetTasks()[0]
	resources := task.GetResources()
	for _, one := range resources {
		one.Role = nil
	}
	said := sent(a.Receive(start, a.master, &internalpb.RunTaskMessage{
		Framework: want.GetFrameworks()[0], LaunchExecutor: proto.Bool(true), Pid: proto.String("@0.0.0.0:0"),
		Task: &mesospb.TaskInfo{
			Name: task.Name, TaskId: task.TaskId, AgentId: task.AgentId, Resources: resources,
			Command: &mesospb.CommandInfo{Value: proto.String("sleep 1000")},
		},
	}))
	for range 2 { // starting, running
		u := said[0].Body.(*internalpb.StatusUpdateMessage).GetUpdate()
		said = sent(a.Receive(start, a.master, &internalpb.StatusUpdateAcknowledgementMessage{
			SlaveId: u.SlaveId, FrameworkId: u.FrameworkId, TaskId: u.GetStatus().GetTaskId(), Uuid: u.Uuid,
		}))
	}

	// The master was silent for too long.
	var have proto.Message
	for _, s := range sent(a.Tick(start.Add(2 * pingTimeout))) {
		if m, ok := s.Body.(*internalpb.ReregisterSlaveMessage); ok {
			have = m
		}
	}
	if have == nil {
		t.Fatal("the agent does not come back")
	}
	recorded := first[*internalpb.ReregisterSlaveMessage](t, r)
	if diff := cmp.Diff(normal(recorded), normal(have)); diff != "" {
		t.Errorf("ReregisterSlaveMessage (-recorded +simulated):\n%s", diff)
	}
}
