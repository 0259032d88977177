package core

import (
	"testing"
	"time"

	"stoa/internal/mesos/maintenancepb"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// Operators' calls about agents and machines, well-formed or not: never a panic,
// always one answer, and what is refused changes nothing.
func FuzzOperatorCall(f *testing.F) {
	_, agent, _ := busyWorld(f)
	id := &mesospb.AgentID{Value: &agent}
	machine := machineNo(1)
	for _, call := range []*masterpb.Call{
		{Type: masterpb.Call_DRAIN_AGENT.Enum(), DrainAgent: &masterpb.Call_DrainAgent{AgentId: id, MarkGone: proto.Bool(true)}},
		{Type: masterpb.Call_DEACTIVATE_AGENT.Enum(), DeactivateAgent: &masterpb.Call_DeactivateAgent{AgentId: id}},
		{Type: masterpb.Call_REACTIVATE_AGENT.Enum(), ReactivateAgent: &masterpb.Call_ReactivateAgent{AgentId: id}},
		{Type: masterpb.Call_MARK_AGENT_GONE.Enum(), MarkAgentGone: &masterpb.Call_MarkAgentGone{AgentId: id}},
		{Type: masterpb.Call_START_MAINTENANCE.Enum(), StartMaintenance: &masterpb.Call_StartMaintenance{Machines: []*mesospb.MachineID{machine}}},
		{Type: masterpb.Call_STOP_MAINTENANCE.Enum(), StopMaintenance: &masterpb.Call_StopMaintenance{Machines: []*mesospb.MachineID{machine}}},
		{Type: masterpb.Call_UPDATE_MAINTENANCE_SCHEDULE.Enum(), UpdateMaintenanceSchedule: &masterpb.Call_UpdateMaintenanceSchedule{
			Schedule: &maintenancepb.Schedule{Windows: []*maintenancepb.Window{window(time.Unix(5, 0), machine, host("x"))}},
		}},
	} {
		f.Add(must(proto.Marshal(call)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		call := new(masterpb.Call)
		if proto.Unmarshal(body, call) != nil {
			return
		}
		w, _, _ := busyWorld(t)
		w.schedule(window(w.now, machineNo(1), host("y")))
		w.mustAnswer(w.down(host("y")), 200, "")
		before := w.shelf.recovery()
		grace := &mesospb.DurationInfo{Nanoseconds: proto.Int64(call.GetDrainAgent().GetMaxGracePeriod().GetSeconds())}
		for _, event := range []func(RequestID) Event{
			func(id RequestID) Event {
				return DrainAgent{Request: id, Agent: call.GetDrainAgent().GetAgentId().GetValue(), MaxGracePeriod: grace, MarkGone: call.GetDrainAgent().GetMarkGone()}
			},
			func(id RequestID) Event {
				return DeactivateAgent{Request: id, Agent: call.GetDeactivateAgent().GetAgentId().GetValue()}
			},
			func(id RequestID) Event {
				return ReactivateAgent{Request: id, Agent: call.GetReactivateAgent().GetAgentId().GetValue()}
			},
			func(id RequestID) Event {
				return MarkAgentGone{Request: id, Agent: call.GetMarkAgentGone().GetAgentId().GetValue()}
			},
			func(id RequestID) Event {
				return StartMaintenance{Request: id, Machines: call.GetStartMaintenance().GetMachines()}
			},
			func(id RequestID) Event {
				return StopMaintenance{Request: id, Machines: call.GetStopMaintenance().GetMachines()}
			},
			func(id RequestID) Event {
				return UpdateMaintenance{Request: id, Schedule: call.GetUpdateMaintenanceSchedule().GetSchedule()}
			},
		} {
			a := w.operate(event)
			after := w.shelf.recovery()
			switch {
			case a.Status == 0:
				t.Fatalf("%v has no answer", call)
			case a.Status != 200 && !proto.Equal(before.Maintenance, after.Maintenance):
				t.Errorf("%v was answered %v, and something was written", call, a)
			}
			before = after
		}
		w.c.Snapshot(nil)
		w.advance(time.Minute, pidOf(1))
		if w.aborted != nil {
			t.Error(w.aborted)
		}
	})
}
