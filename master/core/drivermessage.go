package core

import (
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

func driverError(message string) *internalpb.FrameworkErrorMessage {
	return &internalpb.FrameworkErrorMessage{Message: &message}
}

// welcome answers a driver's subscription. Drivers call registered() or reregistered()
// of their scheduler by the name of the message alone.
func (c *Core) welcome(f *Framework, again bool) {
	f.count("events")
	f.count("events/subscribed")
	if again {
		c.send(f.PID, &internalpb.FrameworkReregisteredMessage{FrameworkId: f.Info.Id, MasterInfo: c.cfg.Master})
	} else {
		c.send(f.PID, &internalpb.FrameworkRegisteredMessage{FrameworkId: f.Info.Id, MasterInfo: c.cfg.Master})
	}
}

// driverMessage is an event as a driver knows it; nil for one that drivers do not know.
func (c *Core) driverMessage(f *Framework, e *schedulerpb.Event) proto.Message {
	switch e.GetType() {
	case schedulerpb.Event_OFFERS:
		m := &internalpb.ResourceOffersMessage{Offers: e.GetOffers().GetOffers()}
		for _, o := range m.Offers {
			m.Pids = append(m.Pids, c.pidOf(o.GetAgentId()))
		}
		return m
	case schedulerpb.Event_INVERSE_OFFERS:
		m := &internalpb.InverseOffersMessage{InverseOffers: e.GetInverseOffers().GetInverseOffers()}
		for _, o := range m.InverseOffers {
			m.Pids = append(m.Pids, c.pidOf(o.GetAgentId()))
		}
		return m
	case schedulerpb.Event_RESCIND:
		return &internalpb.RescindResourceOfferMessage{OfferId: e.GetRescind().GetOfferId()}
	case schedulerpb.Event_RESCIND_INVERSE_OFFER:
		return &internalpb.RescindInverseOfferMessage{InverseOfferId: e.GetRescindInverseOffer().GetInverseOfferId()}
	case schedulerpb.Event_UPDATE:
		return driverUpdate(f, e.GetUpdate().GetStatus())
	case schedulerpb.Event_MESSAGE:
		return &internalpb.ExecutorToFrameworkMessage{
			SlaveId:     e.GetMessage().GetAgentId(),
			FrameworkId: f.Info.Id,
			ExecutorId:  e.GetMessage().GetExecutorId(),
			Data:        e.GetMessage().GetData(),
		}
	case schedulerpb.Event_FAILURE:
		failure := e.GetFailure()
		if failure.ExecutorId == nil {
			return &internalpb.LostSlaveMessage{SlaveId: failure.AgentId}
		}
		return &internalpb.ExitedExecutorMessage{
			SlaveId:     failure.AgentId,
			FrameworkId: f.Info.Id,
			ExecutorId:  failure.ExecutorId,
			Status:      proto.Int32(failure.GetStatus()),
		}
	case schedulerpb.Event_ERROR:
		return driverError(e.GetError().GetMessage())
	}
	return nil
}

// pidOf is the address of an agent that is registered. Drivers send messages for
// executors there directly.
func (c *Core) pidOf(id *mesospb.AgentID) string {
	if a := c.registered[id.GetValue()]; a != nil {
		return a.PID
	}
	return noPID
}

// driverUpdate is a status this master made as drivers get it. Without a uuid and the
// address of an agent nobody acknowledges it; an answer to a reconciliation has not even
// an address.
func driverUpdate(f *Framework, s *mesospb.TaskStatus) *internalpb.StatusUpdateMessage {
	status := copyStatus(s)
	status.ExecutorId = nil // it is beside the status
	m := &internalpb.StatusUpdateMessage{Update: &internalpb.StatusUpdate{
		FrameworkId: f.Info.Id,
		ExecutorId:  s.ExecutorId,
		SlaveId:     s.AgentId,
		Status:      status,
		Timestamp:   proto.Float64(s.GetTimestamp()),
	}}
	if s.GetReason() != mesospb.TaskStatus_REASON_RECONCILIATION {
		m.Pid = proto.String(noPID)
	}
	if f.oldDriver {
		m.Update.Uuid = []byte{} // drivers before 0.23 cannot read an update without
	}
	return m
}

// forwardUpdate hands an agent's status update to the framework. Drivers get it as it
// came.
func (c *Core) forwardUpdate(f *Framework, a *Agent, m *internalpb.StatusUpdateMessage) {
	if f.PID == "" {
		c.emitStatus(f, updateStatus(m.GetUpdate()))
		return
	}
	f.count("events")
	f.count("events/update")
	if m.Pid == nil {
		m = &internalpb.StatusUpdateMessage{Update: m.Update, Pid: proto.String(a.PID)}
	}
	c.send(f.PID, m)
}
