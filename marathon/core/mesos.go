package core

import (
	"time"

	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/event"
)

// Subscribed begins a connection with a master. The framework id is durable before
// anything is launched with it.
func (c *Core) Subscribed(s *schedulerpb.Event_Subscribed, masterURL string, now time.Time) {
	frameworkID := s.GetFrameworkId().GetValue()
	master := s.GetMasterInfo().GetHostname()
	c.region = s.GetMasterInfo().GetDomain().GetFaultDomain().GetRegion().GetName()
	c.masterURL = masterURL
	c.connected = true
	if frameworkID != c.frameworkID {
		c.frameworkID = frameworkID
		c.write(PutFrameworkID{frameworkID})
		c.publish(event.SchedulerRegistered{FrameworkID: frameworkID, Master: master}, now)
	} else {
		c.publish(event.SchedulerReregistered{Master: master}, now)
	}
	// Whatever the master knew of our demand, it is told anew.
	c.demand = newDemand()
	for role := range c.roles {
		c.demand.active[role] = true
		c.demand.grew[role] = true
		c.demand.declined[role] = true
	}
	c.reconcile(true, now)
	c.resendKills(now)
}

// Disconnected ends it. Instances stay as they are: their tasks go on without us.
func (c *Core) Disconnected(now time.Time) {
	if !c.connected {
		return
	}
	c.connected = false
	c.reconciliation.stop()
	c.publish(event.SchedulerDisconnected{}, now)
}

// FrameworkRemoved forgets the framework id, because the master will never take it
// again. The next start registers a new framework.
func (c *Core) FrameworkRemoved() {
	c.frameworkID = ""
	c.write(PutFrameworkID{})
}

// Event takes any other event of the master's stream.
func (c *Core) Event(e *schedulerpb.Event, now time.Time) {
	switch e.GetType() {
	case schedulerpb.Event_OFFERS:
		c.Offers(e.GetOffers().GetOffers(), now)
	case schedulerpb.Event_INVERSE_OFFERS:
		c.InverseOffers(e.GetInverseOffers().GetInverseOffers())
	case schedulerpb.Event_UPDATE:
		c.Update(e.GetUpdate().GetStatus(), now)
	case schedulerpb.Event_MESSAGE:
		m := e.GetMessage()
		c.publish(event.FrameworkMessage{
			ExecutorID: m.GetExecutorId().GetValue(), AgentID: m.GetAgentId().GetValue(), Data: m.GetData(),
		}, now)
	case schedulerpb.Event_RESCIND, schedulerpb.Event_RESCIND_INVERSE_OFFER, schedulerpb.Event_FAILURE:
		// Offers are answered at once, so that none is held that could be rescinded; the
		// tasks of a failed agent or executor get updates of their own.
	}
}

// AcceptFailed is called when nobody can tell whether the master has got an ACCEPT: it
// is asked about the tasks that were to be launched.
func (c *Core) AcceptFailed(now time.Time) { c.reconcile(true, now) }

// Connected says that calls reach a master.
func (c *Core) Connected() bool { return c.connected }
