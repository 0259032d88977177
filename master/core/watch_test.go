package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// told is what a watcher heard since the last call, in a few words each; heartbeats are
// left out.
func (w *world) told(s StreamID) []string {
	var out []string
	for _, news := range w.news[s] {
		switch n := news.(type) {
		case Heartbeat:
			continue
		case TaskAdded:
			out = append(out, "task "+n.Task.GetTaskId().GetValue())
		case TaskUpdated:
			out = append(out, fmt.Sprintf("task %s %s (%s)", n.Task.GetTaskId().GetValue(), n.Status.GetState(), n.Task.GetState()))
		case AgentAdded:
			out = append(out, "agent "+strings.TrimPrefix(n.Agent.ID, masterID))
		case AgentRemoved:
			out = append(out, "no agent "+strings.TrimPrefix(n.ID, masterID))
		case FrameworkAdded:
			out = append(out, fmt.Sprintf("framework %s active=%v", strings.TrimPrefix(n.Framework.ID, masterID), n.Framework.State == Active))
		case FrameworkUpdated:
			out = append(out, "framework again "+strings.TrimPrefix(n.Framework.ID, masterID))
		case FrameworkRemoved:
			out = append(out, "no framework "+strings.TrimPrefix(n.Framework.GetId().GetValue(), masterID))
		}
	}
	delete(w.news, s)
	return out
}

func (w *world) watched(s StreamID, want ...string) {
	w.t.Helper()
	if got := w.told(s); !slices.Equal(got, want) {
		w.t.Errorf("the watcher hears %q, want %q", got, want)
	}
}

// A watcher hears of agents, frameworks and tasks in the order in which they come and go.
func TestWatcherHearsWhatHappens(t *testing.T) {
	w := newWorld(t)
	w.step(Watch{Stream: 9})
	agent := w.addAgent(1, small)
	w.watched(9, "agent -S0")

	f := w.subscribe(1, frameworkInfo())
	w.watched(9, "framework -0000 active=true")
	w.accept(f, []string{w.takeOffers(1)[0].GetId().GetValue()}, 0, launchOp(task("t", agent, "cpus:1;mem:128")))
	w.watched(9, "task t")
	w.update(1, f, agent, "t", mesospb.TaskState_TASK_RUNNING)
	w.update(1, f, agent, "t", mesospb.TaskState_TASK_RUNNING)
	w.watched(9, "task t TASK_RUNNING (TASK_RUNNING)")

	again := frameworkInfo()
	again.Id = &mesospb.FrameworkID{Value: &f}
	w.subscribe(2, again)
	w.watched(9, "framework again -0000")

	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.UnregisterSlaveMessage{SlaveId: &mesospb.AgentID{Value: &agent}}})
	w.watched(9, "task t TASK_LOST (TASK_LOST)", "no agent -S0")

	w.step(Teardown{Framework: f})
	w.watched(9, "no framework -0000")
}

// Results of checks are told though the state stays.
func TestWatcherHearsOfChecks(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	w.running(f, agent, "t", 1)
	w.step(Watch{Stream: 9})
	running := mesospb.TaskState_TASK_RUNNING
	check := w.masterUpdate(f, agent, "t", running, mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED)
	w.step(check, check)
	w.watched(9, "task t TASK_RUNNING (TASK_RUNNING)", "task t TASK_RUNNING (TASK_RUNNING)")
	w.step(w.masterUpdate(f, agent, "t", running, mesospb.TaskStatus_REASON_RECONCILIATION))
	w.watched(9)
}

func (w *world) masterUpdate(framework, agent, task string, state mesospb.TaskState, reason mesospb.TaskStatus_Reason) AgentMessage {
	uuid := w.uuid()
	return AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.StatusUpdateMessage{Update: &internalpb.StatusUpdate{
		FrameworkId: &mesospb.FrameworkID{Value: &framework}, SlaveId: &mesospb.AgentID{Value: &agent},
		Status: &mesospb.TaskStatus{
			TaskId: &mesospb.TaskID{Value: &task}, AgentId: &mesospb.AgentID{Value: &agent},
			State: state.Enum(), Reason: reason.Enum(), Uuid: uuid,
		},
		Timestamp: proto.Float64(seconds(w.now)), Uuid: uuid, LatestState: state.Enum(),
	}}}
}

// An agent that is unreachable is not announced as removed, only what becomes of its
// tasks; when it is back it is announced again.
func TestWatcherAndUnreachableAgents(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo(mesospb.FrameworkInfo_Capability_PARTITION_AWARE))
	w.running(f, agent, "t", 1)
	w.step(Watch{Stream: 9})
	w.advance(90 * time.Second)
	w.watched(9, "task t TASK_UNREACHABLE (TASK_UNREACHABLE)")
}

// A framework that only an agent knows is announced before its tasks, and again when its
// scheduler is back.
func TestWatcherAfterFailover(t *testing.T) {
	id := masterID + "-S0"
	info := agentInfo(1, small)
	info.Id = &mesospb.AgentID{Value: &id}
	w := newWorldAfter(t, Recovery{Agents: []*internalpb.Registry_Slave{{Info: info}}})
	w.step(Watch{Stream: 9})
	framework := frameworkInfo()
	framework.Id = &mesospb.FrameworkID{Value: proto.String("f")}
	running := &mesospb.Task{
		Name: proto.String("t"), TaskId: &mesospb.TaskID{Value: proto.String("t")}, FrameworkId: framework.Id, AgentId: info.Id,
		State: mesospb.TaskState_TASK_RUNNING.Enum(), Resources: allocated("*", "cpus:1"),
	}
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.ReregisterSlaveMessage{
		Slave: info, Version: proto.String("1.11.0"), AgentCapabilities: allCapabilities, ResourceVersionUuid: version0,
		Frameworks: []*mesospb.FrameworkInfo{framework}, Tasks: []*mesospb.Task{running},
	}})
	w.watched(9, "framework f active=false", "task t", "agent -S0")
	w.subscribe(1, framework)
	w.watched(9, "framework again f")
}

func allocated(role, text string) []*mesospb.Resource {
	list := res(text)
	for _, r := range list {
		r.Role = nil
		r.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: &role}
	}
	return list
}

// Watchers get a heartbeat at once and every 15 seconds, until they are gone.
func TestWatchersHeartbeats(t *testing.T) {
	w := newWorld(t)
	w.step(Watch{Stream: 8}, Watch{Stream: 9})
	w.advance(31 * time.Second)
	w.step(WatchEnded{Stream: 9})
	w.advance(30 * time.Second)
	if len(w.news[8]) != 5 || len(w.news[9]) != 3 {
		t.Errorf("%d and %d heartbeats", len(w.news[8]), len(w.news[9]))
	}
	if n := w.c.Counters()["master/operator_event_stream_subscribers"]; n != 1 {
		t.Errorf("%v subscribers", n)
	}
}

// Beyond the limit the oldest watcher has to go.
func TestTooManyWatchers(t *testing.T) {
	w := newWorld(t, func(cfg *Config) { cfg.MaxWatchers = 2 })
	w.step(Watch{Stream: 7}, Watch{Stream: 8}, Watch{Stream: 9})
	if !w.closed[7] || w.closed[8] || w.closed[9] {
		t.Errorf("closed: %v", w.closed)
	}
	w.addAgent(1, small)
	w.watched(7)
	w.watched(8, "agent -S0")
	w.watched(9, "agent -S0")

	none := newWorld(t, func(cfg *Config) { cfg.MaxWatchers = -1 })
	none.step(Watch{Stream: 1})
	if !none.closed[1] {
		t.Error("a watcher where none are allowed")
	}
}
