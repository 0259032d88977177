package core

import (
	"strings"
	"testing"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

// reservedTo are resources reserved dynamically to a role and allocated to it.
func reservedTo(role, text string) []*mesospb.Resource {
	list := res(text)
	for _, r := range list {
		r.Role = nil
		r.Reservations = []*mesospb.Resource_ReservationInfo{{Type: mesospb.Resource_ReservationInfo_DYNAMIC.Enum(), Role: &role}}
		r.AllocationInfo = &mesospb.Resource_AllocationInfo{Role: &role}
	}
	return list
}

func volume(role, id, text string) []*mesospb.Resource {
	list := reservedTo(role, text)
	list[0].Disk = &mesospb.Resource_DiskInfo{
		Persistence: &mesospb.Resource_DiskInfo_Persistence{Id: &id},
		Volume:      &mesospb.Volume{Mode: mesospb.Volume_RW.Enum(), ContainerPath: proto.String("data")},
	}
	return list
}

func named(id string, op *mesospb.Offer_Operation) *mesospb.Offer_Operation {
	if id != "" {
		op.Id = &mesospb.OperationID{Value: &id}
	}
	return op
}

func reserveOp(list []*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_RESERVE.Enum(), Reserve: &mesospb.Offer_Operation_Reserve{Resources: list}}
}

func unreserveOp(list []*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_UNRESERVE.Enum(), Unreserve: &mesospb.Offer_Operation_Unreserve{Resources: list}}
}

func createOp(list []*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_CREATE.Enum(), Create: &mesospb.Offer_Operation_Create{Volumes: list}}
}

func destroyOp(list []*mesospb.Resource) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_DESTROY.Enum(), Destroy: &mesospb.Offer_Operation_Destroy{Volumes: list}}
}

func operationStatuses(events []*schedulerpb.Event) []string {
	var out []string
	for _, e := range events {
		if s := e.GetUpdateOperationStatus().GetStatus(); s != nil {
			out = append(out, s.GetOperationId().GetValue()+" "+s.GetState().String()+" "+s.GetMessage())
		}
	}
	return out
}

func offersIn(events []*schedulerpb.Event) []*mesospb.Offer {
	var out []*mesospb.Offer
	for _, e := range events {
		out = append(out, e.GetOffers().GetOffers()...)
	}
	return out
}

// RESERVE, CREATE and LAUNCH on the volume, all in one ACCEPT; then the volume is
// destroyed and the reservation ends.
func TestReserveCreateLaunchDestroyUnreserve(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, inRoles(frameworkInfo(), "r1"))
	offer := w.takeOffers(1)[0].GetId().GetValue()
	one := task("t", agent, "cpus:1")
	one.Resources = append(reservedTo("r1", "cpus:1"), volume("r1", "pv1", "disk:64")...)
	w.accept(f, []string{offer}, 0,
		named("op1", reserveOp(reservedTo("r1", "cpus:1;disk:64"))),
		createOp(volume("r1", "pv1", "disk:64")), launchOp(one))
	sent := w.take(pidOf(1))
	if len(sent) != 3 {
		t.Fatalf("sent: %v", sent)
	}
	reserve, create := sent[0].(*internalpb.ApplyOperationMessage), sent[1].(*internalpb.ApplyOperationMessage)
	if reserve.GetOperationInfo().GetId().GetValue() != "op1" || reserve.GetFrameworkId().GetValue() != f ||
		!proto.Equal(reserve.GetResourceVersionUuid().GetUuid(), version0) || len(reserve.GetOperationUuid().GetValue()) != 16 {
		t.Errorf("operation: %v", reserve)
	}
	if run := sent[2].(*internalpb.RunTaskMessage); len(run.Task.Resources) != 2 {
		t.Errorf("launch: %v", run)
	}
	if got := w.c.registered[agent].Checkpointed.String(); got != "cpus(reservations: [(DYNAMIC,r1)]):1; disk(reservations: [(DYNAMIC,r1)])[pv1:data]:64" {
		t.Errorf("checkpointed: %s", got)
	}
	events := w.takeEvents(1)
	rest := offersIn(events)
	if len(rest) != 1 || text(rest[0].Resources) != "ports:[31000-31999]; cpus:3; mem:4096; disk:8128" {
		t.Fatalf("offers: %v", rest)
	}

	// The named operation's status goes to the framework, whose acknowledgement goes
	// back; the other is acknowledged at once.
	finished := func(m *internalpb.ApplyOperationMessage, uuid string) {
		w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.UpdateOperationStatusMessage{
			FrameworkId: &mesospb.FrameworkID{Value: &f}, SlaveId: &mesospb.AgentID{Value: &agent}, OperationUuid: m.OperationUuid,
			Status: &mesospb.OperationStatus{OperationId: m.OperationInfo.Id, State: mesospb.OperationState_OPERATION_FINISHED.Enum(), Uuid: &mesospb.UUID{Value: []byte(uuid)}},
		}})
	}
	finished(create, "cccccccccccccccc")
	ack := first[*internalpb.AcknowledgeOperationStatusMessage](w, w.take(pidOf(1)))
	if string(ack.GetStatusUuid().GetValue()) != "cccccccccccccccc" || len(w.takeEvents(1)) != 0 {
		t.Errorf("acknowledgement: %v", ack)
	}
	finished(reserve, "aaaaaaaaaaaaaaaa")
	if got := operationStatuses(w.takeEvents(1)); len(got) != 1 || got[0] != "op1 OPERATION_FINISHED " || len(w.take(pidOf(1))) != 0 {
		t.Errorf("statuses: %v", got)
	}
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS.Enum(), AcknowledgeOperationStatus: &schedulerpb.Call_AcknowledgeOperationStatus{
		AgentId: &mesospb.AgentID{Value: &agent}, OperationId: &mesospb.OperationID{Value: proto.String("op1")}, Uuid: []byte("aaaaaaaaaaaaaaaa"),
	}})
	first[*internalpb.AcknowledgeOperationStatusMessage](w, w.take(pidOf(1)))
	if a := w.c.registered[agent]; len(a.Operations) != 0 || len(w.c.known[f].Operations) != 0 {
		t.Errorf("operations are left: %v", a.Operations)
	}

	// In use, the volume cannot go; afterwards it can, and then the reservation.
	w.accept(f, []string{rest[0].GetId().GetValue()}, 0, named("early", destroyOp(volume("r1", "pv1", "disk:64"))))
	if got := operationStatuses(w.takeEvents(1)); len(got) != 1 || got[0] != "early OPERATION_ERROR Persistent volumes in use; on agent "+w.c.registered[agent].String() {
		t.Errorf("statuses: %v", got)
	}
	w.acknowledge(f, agent, "t", w.update(1, f, agent, "t", mesospb.TaskState_TASK_FINISHED))
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()})
	var ids []string
	for _, o := range offersIn(w.takeEvents(1)) {
		if w.c.outOffers[o.GetId().GetValue()] != nil {
			ids = append(ids, o.GetId().GetValue())
		}
	}
	w.take(pidOf(1))
	w.accept(f, ids, 0, destroyOp(volume("r1", "pv1", "disk:64")), unreserveOp(reservedTo("r1", "cpus:1;disk:64")))
	if n := len(w.take(pidOf(1))); n != 2 {
		t.Errorf("%d operations sent", n)
	}
	if a := w.c.registered[agent]; !a.Checkpointed.Empty() || !a.Total.Equal(resources.New(res(small)...)) {
		t.Errorf("checkpointed %s, total %s", a.Checkpointed, a.Total)
	}
	// All of it is offered again, at the latest when the short refusal of the rest ends.
	w.advance(2e9, pidOf(1))
	var offered resources.Resources
	for _, o := range w.c.known[f].Offers {
		offered = offered.Add(o.Resources.Unallocate())
	}
	if !offered.Equal(resources.New(res(small)...)) {
		t.Errorf("offered: %s", offered)
	}
}

// Operations that the original refuses, in its words (recorded).
func TestOperationsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, inRoles(frameworkInfo(), "r1"))
	on := "; on agent " + w.c.registered[agent].String()
	other := reservedTo("other", "cpus:1")
	other[0].AllocationInfo.Role = proto.String("r1")
	source := reservedTo("r1", "disk:64")[0]
	for _, c := range []struct {
		want string
		op   *mesospb.Offer_Operation
	}{
		{"A reserve operation was attempted for a resource with role 'other', but the resource was allocated to role 'r1'" + on, reserveOp(other)},
		{"Resource cpus(allocated: r1):1 is not dynamically reserved" + on, unreserveOp(res("cpus:1"))},
		{"Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields" + on, &mesospb.Offer_Operation{
			Type:       mesospb.Offer_Operation_GROW_VOLUME.Enum(),
			GrowVolume: &mesospb.Offer_Operation_GrowVolume{Volume: volume("r1", "pv1", "disk:64")[0], Addition: res("cpus:1")[0]},
		}},
		{"'source' is not managed by a resource provider" + on, &mesospb.Offer_Operation{
			Type:       mesospb.Offer_Operation_CREATE_DISK.Enum(),
			CreateDisk: &mesospb.Offer_Operation_CreateDisk{Source: source, TargetType: mesospb.Resource_DiskInfo_Source_MOUNT.Enum()},
		}},
		{"Operation attempted with invalid resources: A RESERVE offer operation must have the Offer.Operation.reserve field set.", &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_RESERVE.Enum()}},
		{"Persistent volumes not found" + on, destroyOp(volume("r1", "nope", "disk:64"))},
		{"Not a persistent volume: Resource disk(allocated: r1)(reservations: [(DYNAMIC,r1)]):64 does not have DiskInfo" + on, createOp(reservedTo("r1", "disk:64"))},
	} {
		w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()})
		w.takeEvents(1)
		var offer string
		for id := range w.c.outOffers {
			offer = id
		}
		w.accept(f, []string{offer}, 0, named("bad", c.op))
		got := operationStatuses(w.takeEvents(1))
		if len(got) != 1 || got[0] != "bad OPERATION_ERROR "+c.want {
			t.Errorf("statuses: %q, want %q", got, c.want)
		}
	}
	// More than there is.
	w.call(f, &schedulerpb.Call{Type: schedulerpb.Call_REVIVE.Enum()})
	w.takeEvents(1)
	var offer string
	for id := range w.c.outOffers {
		offer = id
	}
	w.accept(f, []string{offer}, 0, named("big", reserveOp(reservedTo("r1", "cpus:100"))))
	if got := operationStatuses(w.takeEvents(1)); len(got) != 1 || !strings.Contains(got[0], "does not contain cpus(allocated: r1):100") {
		t.Errorf("statuses: %q", got)
	}
}

// An old agent gets its whole set of reservations instead of operations, in the form
// it knows.
func TestOperationsOnOldAgent(t *testing.T) {
	w := newWorld(t)
	w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: &internalpb.RegisterSlaveMessage{
		Slave: agentInfo(1, small), Version: proto.String("1.1.0"), AgentCapabilities: allCapabilities[:2],
	}})
	w.take(pidOf(1))
	f := w.subscribe(1, inRoles(frameworkInfo(), "r1"))
	w.accept(f, []string{w.takeOffers(1)[0].GetId().GetValue()}, 0, reserveOp(reservedTo("r1", "cpus:1")))
	m := first[*internalpb.CheckpointResourcesMessage](w, w.take(pidOf(1)))
	if len(m.Resources) != 1 || m.Resources[0].GetRole() != "r1" || m.Resources[0].Reservation == nil || m.Resources[0].Reservations != nil {
		t.Errorf("message: %v", m)
	}
}

func TestGroupLaunch(t *testing.T) {
	w := newWorld(t)
	agent := w.addAgent(1, small)
	f := w.subscribe(1, frameworkInfo())
	executor := &mesospb.ExecutorInfo{
		Type: mesospb.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &mesospb.ExecutorID{Value: proto.String("pod")},
		FrameworkId: &mesospb.FrameworkID{Value: &f}, Resources: res("cpus:0.1;mem:32;disk:10"),
	}
	group := func(ids ...string) *mesospb.Offer_Operation {
		g := &mesospb.TaskGroupInfo{}
		for _, id := range ids {
			g.Tasks = append(g.Tasks, task(id, agent, "cpus:0.5;mem:32"))
		}
		return &mesospb.Offer_Operation{
			Type:        mesospb.Offer_Operation_LAUNCH_GROUP.Enum(),
			LaunchGroup: &mesospb.Offer_Operation_LaunchGroup{Executor: proto.Clone(executor).(*mesospb.ExecutorInfo), TaskGroup: g},
		}
	}
	w.accept(f, []string{w.takeOffers(1)[0].GetId().GetValue()}, 0, group("a", "b"), group("c/"), group("d"))
	var tasks []string
	for _, m := range w.take(pidOf(1)) {
		run := m.(*internalpb.RunTaskGroupMessage)
		for _, one := range run.GetTaskGroup().GetTasks() {
			tasks = append(tasks, one.GetTaskId().GetValue())
			if one.Executor == nil {
				t.Error("a task of the group lacks its executor")
			}
		}
		if run.GetLaunchExecutor() != (len(tasks) == 2) {
			t.Errorf("launch_executor is %v after %v", run.GetLaunchExecutor(), tasks)
		}
	}
	if strings.Join(tasks, "") != "abd" {
		t.Errorf("tasks sent: %v", tasks)
	}
	st := w.takeStatuses(1)
	if len(st) != 1 || st[0].GetReason() != mesospb.TaskStatus_REASON_TASK_GROUP_INVALID || st[0].GetMessage() != "Task 'c/' is invalid: 'c/' contains invalid characters" {
		t.Errorf("statuses: %v", st)
	}
	if got := w.c.registered[agent].Used[f].Unallocate().String(); got != "cpus:1.6; mem:128; disk:10" {
		t.Errorf("used: %s", got)
	}
}
