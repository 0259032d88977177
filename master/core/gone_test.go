package core

import (
	"net/http"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

func TestMarkGone(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	knowing, old := w.subscribe(1, frameworkInfo(aware)), ""
	w.running(knowing, agent, "a", 1)
	old = w.subscribe(2, frameworkInfo())
	w.advance(10*time.Second, pidOf(1))
	if len(w.c.known[old].Offers) == 0 {
		for _, id := range sortedKeys(w.c.known[knowing].Offers) {
			w.decline(knowing, id, 3600)
		}
		w.advance(10*time.Second, pidOf(1))
	}
	w.running(old, agent, "b", 1)
	w.takeEvents(1)

	w.holdWrites = true
	w.markGone(agent)
	if len(w.take(pidOf(1)))+len(w.takeEvents(1))+len(w.takeEvents(2)) != 0 {
		t.Fatal("told before the registry was written")
	}
	w.release()
	w.mustAnswer(w.answers[RequestID(w.ids)], http.StatusOK, "")
	if m := first[*internalpb.ShutdownMessage](w, w.take(pidOf(1))); m.GetMessage() != "Agent has been marked gone" {
		t.Errorf("told %q", m.GetMessage())
	}
	for _, one := range []struct {
		stream StreamID
		state  mesospb.TaskState
		reason mesospb.TaskStatus_Reason
	}{
		{1, mesospb.TaskState_TASK_GONE_BY_OPERATOR, mesospb.TaskStatus_REASON_AGENT_REMOVED_BY_OPERATOR},
		{2, mesospb.TaskState_TASK_LOST, mesospb.TaskStatus_REASON_AGENT_REMOVED},
	} {
		events := w.takeEvents(one.stream)
		s := events[0].GetUpdate().GetStatus()
		if s.GetState() != one.state || s.GetReason() != one.reason || s.GetMessage() != "Agent has been marked gone" || s.Uuid != nil || s.UnreachableTime != nil {
			t.Errorf("stream %d: %v", one.stream, s)
		}
		if last := events[len(events)-1]; last.GetFailure().GetAgentId().GetValue() != agent {
			t.Errorf("stream %d: last %v", one.stream, last)
		}
	}
	if w.c.known[knowing].CompletedTasks.Get("a") == nil || w.c.known[old].Unreachable.Get("b") == nil {
		t.Error("the tasks are not remembered where the original has them")
	}
	if w.shelf.gone[agent] == nil || len(w.shelf.agents) != 0 {
		t.Errorf("the registry holds %v and %v", w.shelf.gone, w.shelf.agents)
	}

	w.mustAnswer(w.markGone(agent), http.StatusOK, "")
	w.mustAnswer(w.drain(agent, 0, false), http.StatusBadRequest, "Unknown agent")
	// It is refused for ever, after a failover too.
	for _, master := range []*world{w, w.failover()} {
		messages := master.reregister(1, reregistration(1, agent, small, nil))
		if m := first[*internalpb.ShutdownMessage](master, messages); m.GetMessage() != "Agent has been marked gone" || len(messages) != 1 {
			t.Errorf("told %v", messages)
		}
		master.mustAnswer(master.markGone(agent), http.StatusOK, "")
	}
	w.call(knowing, &schedulerpb.Call{Type: schedulerpb.Call_RECONCILE.Enum(), Reconcile: &schedulerpb.Call_Reconcile{
		Tasks: []*schedulerpb.Call_Reconcile_Task{{TaskId: &mesospb.TaskID{Value: proto.String("a")}, AgentId: &mesospb.AgentID{Value: &agent}}},
	}})
	if st := w.takeStatuses(1); len(st) != 1 || st[0].GetState() != mesospb.TaskState_TASK_GONE_BY_OPERATOR || st[0].GetMessage() != "Reconciliation: Task is gone" {
		t.Errorf("reconciled: %v", st)
	}
}

func TestMarkGoneAnUnreachableAgent(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo(aware))
	w.running(f, agent, "t", 1)
	w.lost(agent)
	w.takeEvents(1)
	w.mustAnswer(w.markGone(agent), http.StatusOK, "")
	st := w.takeStatuses(1)
	if len(st) != 1 || st[0].GetState() != mesospb.TaskState_TASK_GONE_BY_OPERATOR || st[0].GetReason() != mesospb.TaskStatus_REASON_AGENT_REMOVED_BY_OPERATOR {
		t.Fatalf("statuses: %v", st)
	}
	v := w.c.Snapshot(nil).Framework(f)
	if len(v.Unreachable) != 0 || len(v.CompletedTasks) != 1 || v.CompletedTasks[0].GetState() != mesospb.TaskState_TASK_GONE_BY_OPERATOR {
		t.Errorf("unreachable %v, completed %v", v.Unreachable, v.CompletedTasks)
	}
	if len(w.shelf.unreachable) != 0 || w.shelf.gone[agent] == nil || w.c.unreachableTasks[agent] != nil {
		t.Error("it is remembered as unreachable")
	}
	first[*internalpb.ShutdownMessage](w, w.reregister(1, reregistration(1, agent, small, nil)))
}

func TestMarkGoneAnAgentThatIsNotBackYet(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w = w.failover()
	w.mustAnswer(w.markGone(agent), http.StatusOK, "")
	if got := w.c.Snapshot(nil).Recovered; len(got) != 0 {
		t.Errorf("recovered: %v", got)
	}
	first[*internalpb.ShutdownMessage](w, w.reregister(1, reregistration(1, agent, small, nil)))
	w.advance(11 * time.Minute)
	if w.c.unreachable[agent] != nil {
		t.Error("became unreachable")
	}
}

func TestMarkGoneWhileTheAgentLeaves(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w.holdWrites = true
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.UnregisterSlaveMessage{SlaveId: &mesospb.AgentID{Value: &agent}}})
	w.mustAnswer(w.markGone(agent), http.StatusServiceUnavailable, "Agent '"+agent+"' is being transitioned to removed")
}

func TestDrainWithMarkGone(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo(aware))
	w.running(f, agent, "t", 1)
	w.mustAnswer(w.drain(agent, time.Second, true), http.StatusOK, "")
	if !first[*internalpb.DrainSlaveMessage](w, w.take(pidOf(1))).GetConfig().GetMarkGone() {
		t.Error("the agent does not know")
	}
	w.acknowledge(f, agent, "t", w.update(1, f, agent, "t", mesospb.TaskState_TASK_GONE_BY_OPERATOR))
	if w.c.gone[agent] == nil || len(w.c.registered) != 0 {
		t.Fatal("not gone")
	}
	first[*internalpb.ShutdownMessage](w, w.take(pidOf(1)))
}

func TestGoneAgentsOperations(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, inRoles(frameworkInfo(mesospb.FrameworkInfo_Capability_RESERVATION_REFINEMENT), "r"))
	offer := w.takeOffers(1)[0]
	reserved := proto.Clone(offer.Resources[len(offer.Resources)-1]).(*mesospb.Resource)
	reserved.Reservations = []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: proto.String("r")}}
	w.accept(f, []string{offer.GetId().GetValue()}, 0, &mesospb.Offer_Operation{
		Type: mesospb.Offer_Operation_RESERVE.Enum(), Id: &mesospb.OperationID{Value: proto.String("op")},
		Reserve: &mesospb.Offer_Operation_Reserve{Resources: []*mesospb.Resource{reserved}},
	})
	if len(w.c.registered[agent].Operations) != 1 {
		t.Fatalf("events: %v", w.takeEvents(1))
	}
	w.takeEvents(1)
	w.markGone(agent)
	var got *mesospb.OperationStatus
	for _, e := range w.takeEvents(1) {
		if e.UpdateOperationStatus != nil {
			got = e.GetUpdateOperationStatus().GetStatus()
		}
	}
	if got.GetState() != mesospb.OperationState_OPERATION_GONE_BY_OPERATOR || got.GetOperationId().GetValue() != "op" ||
		got.GetMessage() != "Agent has been marked gone" || got.GetAgentId().GetValue() != agent || got.Uuid != nil {
		t.Errorf("told %v", got)
	}
}
