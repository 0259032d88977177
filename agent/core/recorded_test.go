package core

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/agent/containerizer"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// recorded is a libprocess message of the original daemons.
type recorded struct {
	Message, From, To string
	BodyHex           string `json:"body_hex"`
}

func recordedMessages(t *testing.T, name string) []recorded {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var list []recorded
	if err := json.Unmarshal(content, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

func (r recorded) body(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString(r.BodyHex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func into[M proto.Message](t *testing.T, r recorded, m M) M {
	t.Helper()
	if err := proto.Unmarshal(r.body(t), m); err != nil {
		t.Fatal(err)
	}
	return m
}

func wire(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// as brings an agent to RUNNING under a recorded id.
func as(t *testing.T, id string) *harness {
	t.Helper()
	h := newHarness(t, nil)
	h.core.options.Executable = func(name string) (string, error) { return "/var/rec/m/bin/" + name, nil }
	h.core.options.LauncherDir = "/var/rec/m/bin"
	h.step(Recovered{Info: agentInfo()})
	h.step(MasterDetected{UPID: "master@127.0.0.1:25060"})
	h.wait(2 * time.Second)
	h.step(Message{From: "master@127.0.0.1:25060", Body: &internalpb.SlaveRegisteredMessage{SlaveId: &mesospb.AgentID{Value: &id}}})
	h.take()
	return h
}

func TestOperationsAreReportedAsRecorded(t *testing.T) {
	list := recordedMessages(t, "operations.json")
	h := as(t, "a3db529d-df72-47e3-b701-a49bc9c3a67f-S0")
	// Updates answer operations in order; the uuid of each status is the agent's choice.
	var updates []*internalpb.UpdateOperationStatusMessage
	for _, r := range list {
		if strings.HasSuffix(r.Message, "UpdateOperationStatusMessage") {
			updates = append(updates, into(t, r, &internalpb.UpdateOperationStatusMessage{}))
		}
	}
	next := 0
	h.core.options.NewUUID = func() []byte { return updates[next].GetStatus().GetUuid().GetValue() }
	var volumes []string
	for _, r := range list {
		if !strings.HasSuffix(r.Message, "ApplyOperationMessage") {
			continue
		}
		h.step(Message{From: r.From, Body: into(t, r, &internalpb.ApplyOperationMessage{})})
		effects := h.take()
		got := sent[*internalpb.UpdateOperationStatusMessage](effects)
		if len(got) != 1 || !bytes.Equal(wire(t, got[0]), wire(t, updates[next])) {
			t.Errorf("operation %d:\n got %v\nwant %v", next, got, updates[next])
		}
		for _, save := range of[SaveResources](effects) {
			for _, v := range save.Created {
				volumes = append(volumes, "+"+v.GetDisk().GetPersistence().GetId())
			}
			for _, v := range save.Removed {
				volumes = append(volumes, "-"+v.GetDisk().GetPersistence().GetId())
			}
		}
		next++
	}
	if next != 4 || len(h.core.operations) != 4 {
		t.Fatalf("%d operations applied, %d kept", next, len(h.core.operations))
	}
	if diff := cmp.Diff([]string{"+pv1", "-pv1"}, volumes); diff != "" {
		t.Errorf("volumes made and removed (-want +got):\n%s", diff)
	}
	if !h.core.checkpointed.Empty() {
		t.Errorf("left over: %s", h.core.checkpointed)
	}
	for i := range updates {
		h.step(Message{From: list[0].From, Body: &internalpb.AcknowledgeOperationStatusMessage{
			StatusUuid: updates[i].GetStatus().GetUuid(), OperationUuid: updates[i].GetOperationUuid(),
		}})
	}
	if len(h.core.operations) != 0 {
		t.Errorf("%d operations are kept after their acknowledgement", len(h.core.operations))
	}
}

// TestV0ExecutorsAreServedAsRecorded replays what master and v0 executors said to the original agent,
// and compares what the agent said to both.
func TestV0ExecutorsAreServedAsRecorded(t *testing.T) {
	const self = "slave(1)@127.0.0.1:25161"
	h := as(t, "a3db529d-df72-47e3-b701-a49bc9c3a67f-S0")
	h.core.options.UPID = self
	h.core.paused = false
	list := recordedMessages(t, "v0-tasks.json")
	var first *internalpb.RunTaskMessage
	for _, r := range list {
		if strings.HasSuffix(r.Message, ".RunTaskMessage") && strings.HasPrefix(r.From, "master") {
			first = into(t, r, &internalpb.RunTaskMessage{})
			break
		}
	}
	h.core.resourceVersion = first.GetResourceVersionUuids()[0].GetUuid().GetValue()

	// What the recorded containers are called and what their status is shows in the updates.
	status := map[string]*mesospb.ContainerStatus{}
	var info *internalpb.ExecutorRegisteredMessage
	for _, r := range list {
		switch {
		case strings.HasSuffix(r.Message, ".StatusUpdateMessage") && r.From == self:
			u := into(t, r, &internalpb.StatusUpdateMessage{}).GetUpdate()
			if u.GetStatus().GetContainerStatus() != nil {
				status[u.GetStatus().GetTaskId().GetValue()] = u.GetStatus().GetContainerStatus()
			}
		case strings.HasSuffix(r.Message, ".ExecutorRegisteredMessage"):
			info = into(t, r, &internalpb.ExecutorRegisteredMessage{})
		}
	}
	h.core.info = info.GetSlaveInfo()
	h.deaf = true
	runs := map[string]RunID{}
	var got []recorded
	absorb := func() {
		for again := true; again; {
			again = false
			for _, effect := range h.take() {
				switch e := effect.(type) {
				case PrepareSandbox:
					runs[e.Run.Executor] = e.Run
					h.step(SandboxReady{Run: e.Run})
					again = true
				case UpdateContainer:
					h.step(ContainerUpdated{Run: e.Run, Token: e.Token})
					again = true
				case QueryStatus:
					s := status[e.Run.Executor]
					if s != nil {
						s = proto.Clone(s).(*mesospb.ContainerStatus)
						s.NetworkInfos = nil // the agent adds its own address
					}
					h.step(ContainerStatus{Run: e.Run, Status: s})
					again = true
				case Send:
					got = append(got, recorded{Message: string(e.Body.ProtoReflect().Descriptor().FullName()), To: e.To,
						BodyHex: hex.EncodeToString(wire(t, e.Body))})
				}
			}
		}
	}
	messages := map[string]func() proto.Message{
		"RunTaskMessage":                     func() proto.Message { return &internalpb.RunTaskMessage{} },
		"RegisterExecutorMessage":            func() proto.Message { return &internalpb.RegisterExecutorMessage{} },
		"StatusUpdateMessage":                func() proto.Message { return &internalpb.StatusUpdateMessage{} },
		"StatusUpdateAcknowledgementMessage": func() proto.Message { return &internalpb.StatusUpdateAcknowledgementMessage{} },
		"FrameworkToExecutorMessage":         func() proto.Message { return &internalpb.FrameworkToExecutorMessage{} },
		"KillTaskMessage":                    func() proto.Message { return &internalpb.KillTaskMessage{} },
		"ShutdownExecutorMessage":            func() proto.Message { return &internalpb.ShutdownExecutorMessage{} },
	}
	// Per peer the order of what the agent says is fixed; updates of its own making differ in
	// uuid and time.
	type said struct{ to, what string }
	var want, ours []said
	describe := func(message, to, bodyHex string) said {
		r := recorded{Message: message, BodyHex: bodyHex}
		if strings.HasSuffix(message, ".StatusUpdateMessage") {
			u := into(t, r, &internalpb.StatusUpdateMessage{})
			if u.GetUpdate().GetStatus().GetSource() == mesospb.TaskStatus_SOURCE_AGENT {
				u.Update.Uuid, u.Update.Status.Uuid, u.Update.Timestamp, u.Update.Status.Timestamp = nil, nil, proto.Float64(0), nil
			}
			if u.GetUpdate().GetStatus().GetState() == mesospb.TaskState_TASK_STARTING {
				u.Update.LatestState = nil // RUNNING may have come in meanwhile, or not yet
			}
			bodyHex = hex.EncodeToString(wire(t, u))
		}
		return said{to, message + " " + bodyHex}
	}
	for _, r := range list {
		name := strings.TrimPrefix(r.Message, "mesos.internal.")
		if r.From == self {
			if name == "StatusUpdateMessage" && into(t, r, &internalpb.StatusUpdateMessage{}).GetUpdate().GetStatus().GetReason() ==
				mesospb.TaskStatus_REASON_CONTAINER_LAUNCH_FAILED {
				// The moment at which the recorded fetcher failed.
				u := into(t, r, &internalpb.StatusUpdateMessage{}).GetUpdate().GetStatus()
				run := runs[u.GetTaskId().GetValue()]
				h.core.options.NewUUID = func() []byte { return u.GetUuid() }
				h.step(ContainerLaunched{Run: run, Error: strings.TrimPrefix(u.GetMessage(), "Failed to launch container: ")})
				h.step(ContainerTerminated{Run: run, Termination: &containerizer.Termination{}})
				absorb()
			}
			want = append(want, describe(r.Message, r.To, r.BodyHex))
			continue
		}
		m := messages[name]
		if m == nil {
			t.Fatalf("the recording has %s", r.Message)
		}
		h.step(Message{From: r.From, Body: into(t, r, m())})
		absorb()
	}
	for _, g := range got {
		ours = append(ours, describe(g.Message, g.To, g.BodyHex))
	}
	byPeer := func(list []said) map[string][]string {
		m := map[string][]string{}
		for _, s := range list {
			key := s.to
			if strings.HasPrefix(key, "master") {
				// Updates of different tasks race each other.
				r := strings.Fields(s.what)
				if strings.HasSuffix(r[0], ".StatusUpdateMessage") {
					key += " " + into(t, recorded{BodyHex: r[1]}, &internalpb.StatusUpdateMessage{}).GetUpdate().GetStatus().GetTaskId().GetValue()
				}
			}
			m[key] = append(m[key], s.what)
		}
		return m
	}
	if diff := cmp.Diff(byPeer(want), byPeer(ours)); diff != "" {
		t.Errorf("what the agent says, by peer (-want +got):\n%s", diff)
	}
}
