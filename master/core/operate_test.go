package core

import (
	"net/http"
	"testing"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

// ask makes an operator's call and returns its answer.
func (w *world) ask(event func(RequestID) Event) Answer {
	w.t.Helper()
	w.ids++
	id := RequestID(w.ids)
	w.step(event(id))
	a, ok := w.answers[id]
	if !ok {
		w.t.Fatal("the call has no answer")
	}
	return a
}

// direct makes an operator's operation on an agent.
func (w *world) direct(agent string, op *mesospb.Offer_Operation) Answer {
	w.t.Helper()
	return w.ask(func(id RequestID) Event { return Operate{Request: id, Agent: agent, Operation: op} })
}

func (w *world) answersWith(a Answer, status int, body string) {
	w.t.Helper()
	if a.Status != status || a.Body != body {
		w.t.Errorf("the answer is %d %q, want %d %q", a.Status, a.Body, status, body)
	}
}

// byOperator are resources as an operator names them: reserved, but allocated to nobody.
func byOperator(list []*mesospb.Resource) []*mesospb.Resource {
	for _, r := range list {
		r.AllocationInfo = nil
	}
	return list
}

func growOp(v, addition *mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_GROW_VOLUME.Enum(), GrowVolume: &mesospb.Offer_Operation_GrowVolume{Volume: v, Addition: addition}}
}

func shrinkOp(v *mesospb.Resource, by float64) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_SHRINK_VOLUME.Enum(), ShrinkVolume: &mesospb.Offer_Operation_ShrinkVolume{
		Volume: v, Subtract: &mesospb.Value_Scalar{Value: &by},
	}}
}

// An operator reserves, makes a volume, shrinks, ends it and gives all back, in the
// order and with the answers of a recorded conversation; the agent is told of each.
func TestOperatorReservesAndMakesVolumes(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	at := agent + " at slave(1)@10.0.0.1:5051 (host1)"
	const rest = "; ports:[31000-31999]"
	reserved := func(text string) []*mesospb.Resource { return byOperator(reservedTo("dev", text)) }
	data := func(size string) *mesospb.Resource { return byOperator(volume("dev", "v1", "disk:"+size))[0] }
	for _, step := range []struct {
		op     *mesospb.Offer_Operation
		status int
		body   string
	}{
		{reserveOp(reserved("cpus:1;disk:64;mem:128")), 202, ""},
		{reserveOp(reserved("cpus:100")), 409, "cpus:3; mem:3968; disk:8128" + rest + "; cpus(reservations: [(DYNAMIC,dev)]):1; disk(reservations: [(DYNAMIC,dev)]):64; mem(reservations: [(DYNAMIC,dev)]):128 does not contain cpus:100"},
		{reserveOp(res("cpus:1")), 400, "Invalid RESERVE operation on agent " + at + ": Resource cpus:1 is not dynamically reserved"},
		{reserveOp(nil), 400, "Invalid RESERVE operation: Operation contains no resources"},
		{createOp([]*mesospb.Resource{data("64")}), 202, ""},
		{createOp([]*mesospb.Resource{data("64")}), 400, "Invalid CREATE operation on agent " + at + ": Persistence ID 'v1' is not unique"},
		{createOp(reserved("disk:64")), 400, "Invalid CREATE operation on agent " + at + ": Not a persistent volume: Resource disk(reservations: [(DYNAMIC,dev)]):64 does not have DiskInfo"},
		{growOp(data("64"), reserved("disk:64")[0]), 409, "cpus:3; mem:3968; disk:8128" + rest + "; cpus(reservations: [(DYNAMIC,dev)]):1; mem(reservations: [(DYNAMIC,dev)]):128; disk(reservations: [(DYNAMIC,dev)])[v1:data]:64 does not contain disk(reservations: [(DYNAMIC,dev)])[v1:data]:64; disk(reservations: [(DYNAMIC,dev)]):64"},
		{shrinkOp(data("64"), 32), 202, ""},
		{unreserveOp(reserved("disk:64")), 409, "cpus:3; mem:3968; disk:8128" + rest + "; cpus(reservations: [(DYNAMIC,dev)]):1; mem(reservations: [(DYNAMIC,dev)]):128; disk(reservations: [(DYNAMIC,dev)])[v1:data]:32; disk(reservations: [(DYNAMIC,dev)]):32 does not contain disk(reservations: [(DYNAMIC,dev)]):64"},
		{unreserveOp([]*mesospb.Resource{data("32")}), 400, "Invalid UNRESERVE operation: A dynamically reserved persistent volume disk(reservations: [(DYNAMIC,dev)])[v1:data]:32 cannot be unreserved directly. Please destroy the persistent volume first then unreserve the resource"},
		{destroyOp([]*mesospb.Resource{data("64")}), 400, "Invalid DESTROY operation: Persistent volumes not found"},
		{growOp(data("32"), reserved("disk:32")[0]), 202, ""},
		{destroyOp([]*mesospb.Resource{data("64")}), 202, ""},
		{unreserveOp(reserved("cpus:1;disk:64;mem:128")), 202, ""},
		{unreserveOp(reserved("cpus:1")), 409, "cpus:4; mem:4096; disk:8192" + rest + " does not contain cpus(reservations: [(DYNAMIC,dev)]):1"},
	} {
		w.take(pidOf(1))
		w.answersWith(w.direct(agent, step.op), step.status, step.body)
		sent := len(w.take(pidOf(1)))
		if told := sent > 0; told != (step.status == 202) {
			t.Errorf("%s: %d messages to the agent", step.op.GetType(), sent)
		}
	}
	if a := w.c.registered[agent]; !a.Checkpointed.Empty() || a.Total.String() != "cpus:4; mem:4096; disk:8192"+rest {
		t.Errorf("in the end the agent has %s", a.Total)
	}
	w.answersWith(w.direct("nobody", reserveOp(reserved("cpus:1"))), 400, "No agent found with specified ID")
}

// What the agent is told, with feedback: the operation has no framework, and is known
// until the agent says how it ended.
func TestOperatorsOperationIsKnownUntilItEnds(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w.direct(agent, reserveOp(byOperator(reservedTo("dev", "cpus:1"))))
	m := first[*internalpb.ApplyOperationMessage](w, w.take(pidOf(1)))
	if m.FrameworkId != nil || m.OperationInfo.GetType() != mesospb.Offer_Operation_RESERVE {
		t.Errorf("the agent is told %v", m)
	}
	known := w.c.Snapshot(nil).Agents[0].Operations
	if len(known) != 1 || known[0].FrameworkId != nil {
		t.Fatalf("operations: %v", known)
	}
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.UpdateOperationStatusMessage{
		OperationUuid: m.OperationUuid, SlaveId: &mesospb.AgentID{Value: &agent},
		Status:       &mesospb.OperationStatus{State: mesospb.OperationState_OPERATION_FINISHED.Enum(), Uuid: &mesospb.UUID{Value: w.uuid()}},
		LatestStatus: &mesospb.OperationStatus{State: mesospb.OperationState_OPERATION_FINISHED.Enum()},
	}})
	first[*internalpb.AcknowledgeOperationStatusMessage](w, w.take(pidOf(1)))
	if left := w.c.Snapshot(nil).Agents[0].Operations; len(left) != 0 {
		t.Errorf("operations in the end: %v", left)
	}
}

// Resources that are out in offers come back when an operator reserves them, and those
// that a task uses do not.
func TestOperatorReservesWhatIsOffered(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, inRoles(frameworkInfo(), "*"))
	offer := w.takeOffers(1)[0].GetId().GetValue()
	w.accept(f, []string{offer}, 0, launchOp(task("t", agent, "cpus:3;mem:32")))
	rest := w.takeOffers(1)
	if len(rest) != 1 {
		t.Fatalf("offers: %v", rest)
	}
	w.answersWith(w.direct(agent, reserveOp(byOperator(reservedTo("dev", "cpus:2")))), http.StatusConflict,
		"cpus:1; mem:4064; disk:8192; ports:[31000-31999] does not contain cpus:2")
	var rescinded int
	for _, e := range w.takeEvents(1) {
		if e.GetType() == schedulerpb.Event_RESCIND {
			rescinded++
		}
	}
	if rescinded != 1 {
		t.Errorf("%d offers rescinded", rescinded)
	}
	w.answersWith(w.direct(agent, reserveOp(byOperator(reservedTo("dev", "cpus:1")))), http.StatusAccepted, "")
	events := w.takeEvents(1)
	last := events[len(events)-1].GetOffers().GetOffers()
	if len(last) != 1 || text(last[0].Resources) != "ports:[31000-31999]; mem:4064; disk:8192" {
		t.Errorf("offered in the end: %v", events)
	}
}

// An offer that holds nothing of what the operation needs stays out.
func TestOperatorLeavesOtherOffersAlone(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, "cpus:4;mem:4096;cpus(dev):1;mem(dev):64")
	w.subscribe(1, inRoles(frameworkInfo(), "*"))
	w.subscribe(2, inRoles(frameworkInfo(), "dev"))
	w.takeEvents(1)
	w.takeEvents(2)
	w.answersWith(w.direct(agent, reserveOp(byOperator(reservedTo("ops", "cpus:1")))), http.StatusAccepted, "")
	for _, s := range []StreamID{1, 2} {
		for _, e := range w.takeEvents(s) {
			if e.Rescind != nil && s == 2 {
				t.Error("the reserved resources were recalled")
			}
		}
	}
}

// Who reserves must be named in the reservation, and a rule may forbid it.
func TestOperatorsPrincipal(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	at := "Invalid RESERVE operation on agent " + agent + " at slave(1)@10.0.0.1:5051 (host1): "
	as := func(principal string, own *string, authorize func(*mesospb.Offer_Operation) bool) Answer {
		list := byOperator(reservedTo("dev", "cpus:1"))
		list[0].Reservations[0].Principal = own
		return w.ask(func(id RequestID) Event {
			return Operate{Request: id, Agent: agent, Operation: reserveOp(list), Principal: &principal, Authorize: authorize}
		})
	}
	w.answersWith(as("ops", nil, nil), 400, at+"A reserve operation was attempted by principal 'ops', but there is a reserved resource in the request with no principal set")
	w.answersWith(as("ops", proto.String("eve"), nil), 400, at+"A reserve operation was attempted by authenticated principal 'ops', which does not match a reserved resource in the request with principal 'eve'")
	w.answersWith(as("ops", proto.String("ops"), func(*mesospb.Offer_Operation) bool { return false }), 403, "403 Forbidden.")
	w.answersWith(as("ops", proto.String("ops"), func(*mesospb.Offer_Operation) bool { return true }), 202, "")
}

// A reservation can be moved from one stack to another in one step.
func TestOperatorMovesAReservation(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	w.direct(agent, reserveOp(byOperator(reservedTo("a", "cpus:1"))))
	move := reserveOp(byOperator(reservedTo("b", "cpus:1")))
	move.Reserve.Source = byOperator(reservedTo("a", "cpus:1"))
	w.answersWith(w.direct(agent, move), 202, "")
	if got := w.c.registered[agent].Checkpointed.String(); got != "cpus(reservations: [(DYNAMIC,b)]):1" {
		t.Errorf("reserved: %s", got)
	}
	wrong := reserveOp(byOperator(reservedTo("b", "cpus:2")))
	wrong.Reserve.Source = byOperator(reservedTo("a", "cpus:1"))
	w.answersWith(w.direct(agent, wrong), 400, "Invalid RESERVE operation on agent "+agent+" at slave(1)@10.0.0.1:5051 (host1): Source and target resources should refer to identical resource quantities: cpus:1 vs. cpus:2")
}

// An agent from before operations had feedback is told what to keep instead.
func TestOperatorAndAnOldAgent(t *testing.T) {
	w := newWorld(t)
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.RegisterSlaveMessage{
		Slave: agentInfo(1, small), Version: proto.String("1.3.0"),
		AgentCapabilities: []*mesospb.AgentInfo_Capability{{Type: mesospb.AgentInfo_Capability_MULTI_ROLE.Enum()}},
	}})
	agent := first[*internalpb.SlaveRegisteredMessage](w, w.take(pidOf(1))).GetSlaveId().GetValue()
	w.answersWith(w.direct(agent, reserveOp(byOperator(reservedTo("dev", "cpus:1")))), 202, "")
	m := first[*internalpb.CheckpointResourcesMessage](w, w.take(pidOf(1)))
	if len(m.Resources) != 1 || m.Resources[0].GetRole() != "dev" || m.Resources[0].Reservation == nil {
		t.Errorf("the agent is told to keep %v", m.Resources)
	}
	w.answersWith(w.direct(agent, reserveOp(byOperator(reservedTo("a/b", "cpus:1")))), 400, "Invalid RESERVE operation on agent "+agent+" at slave(1)@10.0.0.1:5051 (host1): Resource cpus(reservations: [(DYNAMIC,a/b)]):1 with reservation for hierarchical role 'a/b' cannot be reserved on an agent without HIERARCHICAL_ROLE capability")
}
