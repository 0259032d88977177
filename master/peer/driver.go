package peer

import (
	"stoa/internal/mesos/driverpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

// driverCall is what drivers since 0.24 say almost everything with.
const driverCall = "mesos.scheduler.Call"

// callOf is a driver's call in the numbers of the scheduler API.
func callOf(from string, m *driverpb.Call) core.DriverCall {
	e := core.DriverCall{PID: from, Message: driverCall, Force: m.GetSubscribe().GetForce(), Call: &schedulerpb.Call{
		FrameworkId:                m.FrameworkId,
		Type:                       m.Type,
		Accept:                     m.Accept,
		Decline:                    m.Decline,
		AcceptInverseOffers:        m.AcceptInverseOffers,
		DeclineInverseOffers:       m.DeclineInverseOffers,
		Revive:                     m.Revive,
		Kill:                       m.Kill,
		Shutdown:                   m.Shutdown,
		Acknowledge:                m.Acknowledge,
		AcknowledgeOperationStatus: m.AcknowledgeOperationStatus,
		Reconcile:                  m.Reconcile,
		ReconcileOperations:        m.ReconcileOperations,
		Message:                    m.Message,
		Request:                    m.Request,
		Suppress:                   m.Suppress,
		UpdateFramework:            m.UpdateFramework,
	}}
	if s := m.Subscribe; s != nil {
		e.Call.Subscribe = &schedulerpb.Call_Subscribe{
			FrameworkInfo:    s.FrameworkInfo,
			SuppressedRoles:  s.SuppressedRoles,
			OfferConstraints: s.OfferConstraints,
		}
	}
	return e
}

// fromDrivers are the messages that drivers before 0.24 send instead of calls (and the
// one that all of them send when they abort), by name.
var fromDrivers = map[string]func() proto.Message{
	"RegisterFrameworkMessage":           func() proto.Message { return new(internalpb.RegisterFrameworkMessage) },
	"ReregisterFrameworkMessage":         func() proto.Message { return new(internalpb.ReregisterFrameworkMessage) },
	"UnregisterFrameworkMessage":         func() proto.Message { return new(internalpb.UnregisterFrameworkMessage) },
	"DeactivateFrameworkMessage":         func() proto.Message { return new(internalpb.DeactivateFrameworkMessage) },
	"ResourceRequestMessage":             func() proto.Message { return new(internalpb.ResourceRequestMessage) },
	"LaunchTasksMessage":                 func() proto.Message { return new(internalpb.LaunchTasksMessage) },
	"ReviveOffersMessage":                func() proto.Message { return new(internalpb.ReviveOffersMessage) },
	"KillTaskMessage":                    func() proto.Message { return new(internalpb.KillTaskMessage) },
	"StatusUpdateAcknowledgementMessage": func() proto.Message { return new(internalpb.StatusUpdateAcknowledgementMessage) },
	"FrameworkToExecutorMessage":         func() proto.Message { return new(internalpb.FrameworkToExecutorMessage) },
	"ReconcileTasksMessage":              func() proto.Message { return new(internalpb.ReconcileTasksMessage) },
}

// driverEvent is one of the messages in fromDrivers as the call that replaced it.
func driverEvent(from string, message proto.Message) core.Event {
	call := new(schedulerpb.Call)
	e := core.DriverCall{PID: from, Call: call, Message: string(message.ProtoReflect().Descriptor().FullName()), Old: true}
	as := func(t schedulerpb.Call_Type, framework *mesospb.FrameworkID) {
		call.Type, call.FrameworkId = t.Enum(), framework
	}
	switch m := message.(type) {
	case *internalpb.RegisterFrameworkMessage:
		as(schedulerpb.Call_SUBSCRIBE, m.Framework.Id)
		call.Subscribe = &schedulerpb.Call_Subscribe{FrameworkInfo: m.Framework}
		if m.Framework.GetId().GetValue() != "" {
			e.Refusal = "Registering with 'id' already set"
		}
	case *internalpb.ReregisterFrameworkMessage:
		as(schedulerpb.Call_SUBSCRIBE, m.Framework.Id)
		call.Subscribe = &schedulerpb.Call_Subscribe{FrameworkInfo: m.Framework}
		e.Force = m.GetFailover()
		if m.Framework.GetId().GetValue() == "" {
			e.Refusal = "Re-registering without an 'id'"
		}
	case *internalpb.UnregisterFrameworkMessage:
		as(schedulerpb.Call_TEARDOWN, m.FrameworkId)
	case *internalpb.DeactivateFrameworkMessage:
		return core.DriverDeactivate{PID: from, Framework: m.GetFrameworkId().GetValue()}
	case *internalpb.ResourceRequestMessage:
		as(schedulerpb.Call_REQUEST, m.FrameworkId)
		call.Request = &schedulerpb.Call_Request{Requests: m.Requests}
	case *internalpb.LaunchTasksMessage:
		if len(m.Tasks) == 0 { // that is how these drivers decline
			as(schedulerpb.Call_DECLINE, m.FrameworkId)
			call.Decline = &schedulerpb.Call_Decline{OfferIds: m.OfferIds, Filters: m.Filters}
			break
		}
		as(schedulerpb.Call_ACCEPT, m.FrameworkId)
		call.Accept = &schedulerpb.Call_Accept{OfferIds: m.OfferIds, Filters: m.Filters, Operations: []*mesospb.Offer_Operation{{
			Type:   mesospb.Offer_Operation_LAUNCH.Enum(),
			Launch: &mesospb.Offer_Operation_Launch{TaskInfos: m.Tasks},
		}}}
	case *internalpb.ReviveOffersMessage:
		as(schedulerpb.Call_REVIVE, m.FrameworkId)
		call.Revive = &schedulerpb.Call_Revive{Roles: m.Roles}
	case *internalpb.KillTaskMessage:
		as(schedulerpb.Call_KILL, m.FrameworkId)
		// The message has a kill policy for agents only.
		call.Kill = &schedulerpb.Call_Kill{TaskId: m.TaskId}
	case *internalpb.StatusUpdateAcknowledgementMessage:
		as(schedulerpb.Call_ACKNOWLEDGE, m.FrameworkId)
		call.Acknowledge = &schedulerpb.Call_Acknowledge{AgentId: m.SlaveId, TaskId: m.TaskId, Uuid: m.Uuid}
	case *internalpb.FrameworkToExecutorMessage:
		as(schedulerpb.Call_MESSAGE, m.FrameworkId)
		call.Message = &schedulerpb.Call_Message{AgentId: m.SlaveId, ExecutorId: m.ExecutorId, Data: m.Data}
	case *internalpb.ReconcileTasksMessage:
		as(schedulerpb.Call_RECONCILE, m.FrameworkId)
		call.Reconcile = new(schedulerpb.Call_Reconcile)
		for _, s := range m.Statuses {
			call.Reconcile.Tasks = append(call.Reconcile.Tasks, &schedulerpb.Call_Reconcile_Task{TaskId: s.TaskId, AgentId: s.AgentId})
		}
	}
	return e
}
