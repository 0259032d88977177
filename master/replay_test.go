package master

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/store"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// script is a recorded conversation between an agent, a master and a scheduler, of
// which the test plays the agent and the scheduler.
type script struct {
	Recorded string
	MasterID string `json:"master_id"`
	Steps    []struct {
		FromAgent string `json:"from_agent"`
		ToAgent   string `json:"to_agent"`
		BodyHex   string `json:"body_hex"`
		Ping      bool
		Subscribe string
		Call      string
		Status    int
		Event     string
	}
}

func readScript(t *testing.T, name string) script {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var s script
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func message(t *testing.T, name, bodyHex string) proto.Message {
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

// masterTime is what a master writes into its own statuses.
var masterTime = regexp.MustCompile(`"source":"SOURCE_MASTER"(.*?)"timestamp":[0-9.e]+`)

// replay plays the script against the master with the agent's process, and compares
// what the master says, to the agent and to the scheduler, each in its order.
func (s script) replay(t *testing.T, m *testMaster, a *fakeAgent) {
	t.Helper()
	here := strings.NewReplacer(s.MasterID, m.Info().GetId(), "25060", fmt.Sprint(m.Address().Port()), "25161", fmt.Sprint(a.address().Port()))
	// asJSON makes messages comparable: with this run's ids, as text.
	asJSON := func(p proto.Message) string { return here.Replace(string(mesosjson.Append(nil, p, mesosjson.V0))) }
	var scheduler *scheduler
	for i, step := range s.Steps {
		switch {
		case step.FromAgent != "":
			p := message(t, step.FromAgent, step.BodyHex)
			text := asJSON(p)
			q := p.ProtoReflect().New().Interface()
			if err := mesosjson.Unmarshal([]byte(text), q, mesosjson.V0); err != nil {
				t.Fatal(err)
			}
			a.send(q)
		case step.Ping:
			select {
			case got := <-a.pings:
				if got.From.ID != "slave-observer(1)" {
					t.Errorf("step %d: the ping is from %s", i, got.From)
				}
			case <-time.After(deadline):
				t.Fatalf("step %d: no ping came", i)
			}
		case step.ToAgent != "":
			got := a.next()
			if got.Name != step.ToAgent || got.From != m.upid() {
				t.Fatalf("step %d: the agent got %s from %s, not %s", i, got.Name, got.From, step.ToAgent)
			}
			want := message(t, step.ToAgent, step.BodyHex)
			have := want.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(got.Body, have); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(asJSON(want), asJSON(have)); diff != "" {
				t.Errorf("step %d: %s (-want +got):\n%s", i, step.ToAgent, diff)
			}
		case step.Subscribe != "":
			scheduler = subscribe(t, m, step.Subscribe)
		case step.Call != "":
			body := here.Replace(step.Call)
			if strings.Contains(body, `"type":"ACCEPT"`) {
				// Which offer is which is a matter of time: any that is large enough will do.
				offer, _ := scheduler.nextLargeOffer()
				body = regexp.MustCompile(`"offer_ids":\[[^\]]*\]`).ReplaceAllString(body, `"offer_ids":[{"value":"`+offer+`"}]`)
			}
			if status, text := scheduler.call(body); status != step.Status {
				t.Fatalf("step %d: answer %d %s", i, status, text)
			}
		case step.Event != "":
			want := masterTime.ReplaceAllString(here.Replace(step.Event), `"source":"SOURCE_MASTER"$1"timestamp":0`)
			have := masterTime.ReplaceAllString(scheduler.nextButOffers(), `"source":"SOURCE_MASTER"$1"timestamp":0`)
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("step %d: event (-want +got):\n%s", i, diff)
			}
		}
	}
}

func (s *scheduler) nextButOffers() string {
	s.t.Helper()
	for {
		e := s.next("SUBSCRIBED", "UPDATE", "MESSAGE", "FAILURE", "ERROR", "RESCIND", "UPDATE_OPERATION_STATUS", "OFFERS")
		if !s.learn(e) {
			return e
		}
	}
}

// learn remembers the offers of an OFFERS event, and says whether it was one.
func (s *scheduler) learn(e string) bool {
	if !strings.HasPrefix(e, `{"type":"OFFERS"`) {
		return false
	}
	for _, part := range strings.Split(e, `{"id":`)[1:] {
		o := new(mesospb.Offer)
		text := `{"id":` + strings.TrimRight(part, ",")
		if err := mesosjson.Unmarshal([]byte(text), o, mesosjson.V1); err != nil {
			// The last one has the end of the event behind it.
			text = strings.TrimSuffix(text, "]}}")
			if err := mesosjson.Unmarshal([]byte(text), o, mesosjson.V1); err != nil {
				s.t.Fatalf("offer %s: %v", text, err)
			}
		}
		s.offers[o.GetId().GetValue()] = o
	}
	return true
}

// nextLargeOffer waits until an offer with a whole cpu is out and takes it.
func (s *scheduler) nextLargeOffer() (string, *mesospb.Offer) {
	s.t.Helper()
	for {
		for id, o := range s.offers {
			if resources.New(o.Resources...).Cpus() >= 1000 {
				delete(s.offers, id)
				return id, o
			}
		}
		s.learn(s.next("OFFERS"))
	}
}

func TestReplayAgentRegistration(t *testing.T) {
	m := startMaster(t, t.TempDir(), func(c *Config) {
		c.Core.AgentPingTimeout = 2 * time.Second
		c.Core.MaxAgentPingTimeouts = 2
	})
	readScript(t, "agent-registration.json").replay(t, m, startAgent(t, m))
}

func TestReplayTaskLaunchUpdateKill(t *testing.T) {
	m := startMaster(t, t.TempDir())
	a := startAgent(t, m)
	// The agent of the recording had registered before; the resource version is part
	// of every launch.
	first := readScript(t, "task-launch-update-kill.json")
	run := message(t, "mesos.internal.RunTaskMessage", firstBody(first, "mesos.internal.RunTaskMessage")).(*internalpb.RunTaskMessage)
	list, err := resources.ParseList("cpus:4;mem:4096;disk:8192;ports:[31000-31999]", "*")
	if err != nil {
		t.Fatal(err)
	}
	a.send(&internalpb.RegisterSlaveMessage{
		Slave: &mesospb.AgentInfo{
			Hostname: proto.String("agent1.rec"), Port: proto.Int32(int32(a.address().Port())),
			Resources: list, Checkpoint: proto.Bool(true),
		},
		Version: proto.String("1.12.0"), AgentCapabilities: agentCapabilities, ResourceVersionUuid: run.ResourceVersionUuids[0].Uuid,
	})
	a.expect(&internalpb.SlaveRegisteredMessage{})
	first.replay(t, m, a)
}

func firstBody(s script, name string) string {
	for _, step := range s.Steps {
		if step.ToAgent == name {
			return step.BodyHex
		}
	}
	return ""
}

// The master was restarted: it knows the agent from its registry, and learns the task
// and the framework from the agent.
func TestReplayMasterRestart(t *testing.T) {
	s := readScript(t, "master-restart.json")
	dir := t.TempDir()
	state, err := store.OpenFile(filepath.Join(dir, "master.db"))
	if err != nil {
		t.Fatal(err)
	}
	info := message(t, s.Steps[0].FromAgent, s.Steps[0].BodyHex).(*internalpb.ReregisterSlaveMessage).Slave
	record, err := proto.Marshal(&internalpb.Registry_Slave{Info: info})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Apply(t.Context(), store.Put("registry/agents/"+info.GetId().GetValue(), record)); err != nil {
		t.Fatal(err)
	}
	if err := state.Close(); err != nil {
		t.Fatal(err)
	}
	m := startMaster(t, dir, func(c *Config) {
		c.Core.AgentPingTimeout = 2 * time.Second
		c.Core.MaxAgentPingTimeouts = 2
	})
	s.replay(t, m, startAgent(t, m))
}
