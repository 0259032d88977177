package core

import (
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/validation"

	"google.golang.org/protobuf/proto"
)

// busyWorld has an agent with a task, an offer that is out, and two frameworks.
func busyWorld(t testing.TB) (*world, string, string) {
	w := newWorld(t)
	agent := w.addAgent(1, small+";cpus(a):1;mem(a):64")
	f := w.subscribe(1, inRoles(frameworkInfo(), "*", "a"))
	for id, o := range w.c.outOffers {
		if o.Role == "*" {
			w.accept(f, []string{id}, 0, launchOp(task("t", agent, "cpus:1;mem:64")))
			break
		}
	}
	w.subscribe(2, frameworkInfo(mesospb.FrameworkInfo_Capability_PARTITION_AWARE))
	return w, agent, f
}

// Calls of every kind, well-formed or not: never a panic, always one answer, and the
// sums stay right.
func FuzzCall(f *testing.F) {
	_, agent, framework := busyWorld(f)
	id := &mesospb.FrameworkID{Value: &framework}
	one := task("t2", agent, "cpus:0.5;mem:32;ports:[31000-31001]")
	pod := &mesospb.Offer_Operation{Type: mesospb.Offer_Operation_LAUNCH_GROUP.Enum(), LaunchGroup: &mesospb.Offer_Operation_LaunchGroup{
		Executor: &mesospb.ExecutorInfo{
			Type: mesospb.ExecutorInfo_DEFAULT.Enum(), ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, FrameworkId: id, Resources: res("cpus:0.1;mem:32;disk:1"),
		},
		TaskGroup: &mesospb.TaskGroupInfo{Tasks: []*mesospb.TaskInfo{task("p1", agent, "cpus:0.1")}},
	}}
	for _, ops := range [][]*mesospb.Offer_Operation{
		{launchOp(one)}, {pod}, {reserveOp(reservedTo("a", "cpus:1")), createOp(volume("a", "v", "disk:1"))},
		{unreserveOp(reservedTo("a", "cpus:1")), destroyOp(volume("a", "v", "disk:1"))},
	} {
		call := &schedulerpb.Call{FrameworkId: id, Type: schedulerpb.Call_ACCEPT.Enum(), Accept: &schedulerpb.Call_Accept{
			OfferIds: []*mesospb.OfferID{{Value: proto.String(masterID + "-O0")}}, Operations: ops,
		}}
		f.Add(must(proto.Marshal(call)))
	}
	f.Add(must(proto.Marshal(&schedulerpb.Call{FrameworkId: id, Type: schedulerpb.Call_UPDATE_FRAMEWORK.Enum(), UpdateFramework: &schedulerpb.Call_UpdateFramework{
		FrameworkInfo: inRoles(frameworkInfo(), "b")}})))
	f.Add(must(proto.Marshal(&schedulerpb.Call{FrameworkId: id, Type: schedulerpb.Call_KILL.Enum(), Kill: &schedulerpb.Call_Kill{TaskId: one.TaskId}})))
	f.Fuzz(func(t *testing.T, body []byte) {
		call := new(schedulerpb.Call)
		if proto.Unmarshal(body, call) != nil || validation.Call(call, "") != nil {
			return
		}
		w, _, framework := busyWorld(t)
		if call.GetType() == schedulerpb.Call_SUBSCRIBE {
			w.step(Subscribe{Stream: 9, StreamUUID: "x", Call: call.Subscribe})
		} else {
			if call.Accept != nil {
				// Offers that are out make for more of the way than any others.
				call.Accept.OfferIds = call.Accept.OfferIds[:0]
				for id := range w.c.outOffers {
					call.Accept.OfferIds = append(call.Accept.OfferIds, &mesospb.OfferID{Value: &id})
					break
				}
			}
			if a := w.call(framework, call); a.Status == 0 {
				t.Errorf("%v has no answer", call)
			}
		}
		w.advance(time.Minute, pidOf(1))
		if w.aborted != nil {
			t.Error(w.aborted)
		}
	})
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// Messages of agents, whatever they hold: never a panic.
func FuzzAgentMessage(f *testing.F) {
	kinds := []func() proto.Message{
		func() proto.Message { return new(internalpb.RegisterSlaveMessage) },
		func() proto.Message { return new(internalpb.ReregisterSlaveMessage) },
		func() proto.Message { return new(internalpb.UpdateSlaveMessage) },
		func() proto.Message { return new(internalpb.StatusUpdateMessage) },
		func() proto.Message { return new(internalpb.ExitedExecutorMessage) },
		func() proto.Message { return new(internalpb.UpdateOperationStatusMessage) },
	}
	_, agent, framework := busyWorld(f)
	info := frameworkInfo()
	info.Id = &mesospb.FrameworkID{Value: &framework}
	f.Add(uint8(0), must(proto.Marshal(&internalpb.RegisterSlaveMessage{Slave: agentInfo(3, small), Version: proto.String("1.11.0")})))
	f.Add(uint8(1), must(proto.Marshal(reregistration(1, agent, small, []*mesospb.FrameworkInfo{info}, reported(framework, agent, "t", "cpus:1", mesospb.TaskState_TASK_RUNNING)))))
	f.Add(uint8(2), must(proto.Marshal(&internalpb.UpdateSlaveMessage{SlaveId: &mesospb.AgentID{Value: &agent}, UpdateOversubscribedResources: proto.Bool(true), OversubscribedResources: res("cpus:1")})))
	f.Add(uint8(4), must(proto.Marshal(&internalpb.ExitedExecutorMessage{SlaveId: &mesospb.AgentID{Value: &agent}, FrameworkId: info.Id, ExecutorId: &mesospb.ExecutorID{Value: proto.String("e")}, Status: proto.Int32(1)})))
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		m := kinds[int(kind)%len(kinds)]()
		if proto.Unmarshal(body, m) != nil {
			return
		}
		w, _, _ := busyWorld(t)
		w.step(AgentMessage{From: pidOf(1), IP: ipOf(1), Message: m})
		w.advance(time.Minute, pidOf(1))
	})
}
