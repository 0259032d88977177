package core

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

func TestRegistrationIsRepeatedWithGrowingDelays(t *testing.T) {
	h := newHarness(t, nil)
	h.step(Recovered{Info: agentInfo()})
	h.step(MasterDetected{UPID: masterUPID})
	start := h.now
	var at []time.Duration
	for len(at) < 9 {
		due, _ := h.core.NextTimer()
		h.wait(due.Sub(h.now))
		if m := sent[*internalpb.RegisterSlaveMessage](h.take()); len(m) == 1 {
			at = append(at, h.now.Sub(start))
		}
	}
	// Half of 1, 2, 4, ... 60, 60 seconds.
	var want []time.Duration
	sum := time.Duration(0)
	for _, step := range []float64{0.5, 1, 2, 4, 8, 16, 30, 30, 30} {
		sum += time.Duration(step * float64(time.Second))
		want = append(want, sum)
	}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("times of registration (-want +got):\n%s", diff)
	}
}

func TestPingIsAnsweredInEveryState(t *testing.T) {
	h := newHarness(t, nil)
	ping := func() int {
		h.take()
		h.step(Message{From: "slave-observer(7)@127.0.0.1:5050", Body: &internalpb.PingSlaveMessage{Connected: proto.Bool(true)}})
		pongs := 0
		for _, send := range of[Send](h.take()) {
			if _, ok := send.Body.(*internalpb.PongSlaveMessage); ok && send.To == "slave-observer(7)@127.0.0.1:5050" {
				pongs++
			}
		}
		return pongs
	}
	if ping() != 1 {
		t.Error("no pong while recovering")
	}
	h.step(Recovered{Info: agentInfo()})
	if ping() != 1 {
		t.Error("no pong while disconnected")
	}
	h = registered(t, nil)
	if ping() != 1 {
		t.Error("no pong while running")
	}
}

func TestMissingPingsAndDisconnectionForceReregistration(t *testing.T) {
	for name, trigger := range map[string]func(h *harness){
		"no pings": func(h *harness) { h.wait(80 * time.Second) },
		"connected=false": func(h *harness) {
			h.step(Message{From: "slave-observer(1)@127.0.0.1:5050", Body: &internalpb.PingSlaveMessage{Connected: proto.Bool(false)}})
		},
		"broken connection": func(h *harness) { h.step(MasterExited{UPID: masterUPID}) },
	} {
		t.Run(name, func(t *testing.T) {
			h := registered(t, nil)
			h.take()
			trigger(h)
			if len(of[Detect](h.take())) != 1 || h.core.state != Disconnected {
				t.Fatalf("the agent is %s and does not look for a master", h.core.state)
			}
			h.step(MasterDetected{UPID: masterUPID})
			h.wait(time.Second)
			m := sent[*internalpb.ReregisterSlaveMessage](h.take())
			if len(m) != 1 || m[0].GetSlave().GetId().GetValue() != agentName {
				t.Errorf("re-registration: %v", m)
			}
		})
	}
}

func TestMessagesOfAnotherMasterAreIgnored(t *testing.T) {
	h := registered(t, nil)
	h.take()
	h.step(Message{From: "master@127.0.0.1:6060", Body: &internalpb.RunTaskMessage{Framework: testFramework(true), Task: commandTask("t")}})
	h.step(Message{From: "master@127.0.0.1:6060", Body: &internalpb.ShutdownMessage{}})
	if effects := h.take(); len(of[PrepareSandbox](effects))+len(of[Exit](effects)) != 0 {
		t.Errorf("effects: %v", effects)
	}
}

func TestWrongIDEndsTheAgent(t *testing.T) {
	h := registered(t, nil)
	h.message(&internalpb.SlaveRegisteredMessage{SlaveId: &mesospb.AgentID{Value: proto.String("other")}})
	exits := of[Exit](h.take())
	if len(exits) != 1 || !strings.HasPrefix(exits[0].Error, "Registered but got wrong id: other (expected: M-S0)") {
		t.Errorf("exits: %v", exits)
	}
}
