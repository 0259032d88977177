package core

import (
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/resources"
)

// updateAgent takes in an UpdateSlaveMessage: what an agent has changed by itself.
func (c *Core) updateAgent(m *internalpb.UpdateSlaveMessage) {
	a := c.registered[m.GetSlaveId().GetValue()]
	if a == nil {
		c.log.Warn("update of an agent that is not registered ignored", "agent", m.GetSlaveId().GetValue())
		return
	}
	if len(m.GetResourceProviders().GetProviders()) > 0 {
		c.log.Warn("resource providers are not supported, their resources are ignored", "agent", a.ID)
	}
	if m.ResourceVersionUuid != nil {
		a.ResourceVersion = m.ResourceVersionUuid
	}
	// Old agents send oversubscribed resources without saying that they do.
	oversubscribed := m.GetUpdateOversubscribedResources() || m.UpdateOversubscribedResources == nil && len(m.GetOversubscribedResources()) > 0
	if oversubscribed {
		list := m.GetOversubscribedResources()
		if err := resources.ValidateAll(list); err != nil {
			c.log.Warn("oversubscribed resources ignored: they are not valid", "agent", a.ID, "error", err)
			return
		}
		for _, r := range list {
			resources.Upgrade(r)
		}
		c.oversubscribe(a, resources.New(list...).Revocable())
	}
	c.adoptOperations(a, m.GetOperations())
	c.checkDrained(a)
	c.touch(nil, a)
}

// oversubscribe replaces the revocable resources of an agent. Offers that hold old
// ones are rescinded.
func (c *Core) oversubscribe(a *Agent, revocable resources.Resources) {
	if a.Oversubscribed.Equal(revocable) {
		return
	}
	for _, id := range sortedKeys(a.Offers) {
		if o := a.Offers[id]; !o.Resources.Revocable().Empty() {
			c.rescind(o)
		}
	}
	a.Oversubscribed = revocable
	a.Total = a.Total.NonRevocable().Add(revocable)
	c.alloc.UpdateAgent(a.ID, allocatorAgent(a), a.Total)
}

// adoptOperations compares the operations an agent reports after it (re-)registered
// with those known here: it is asked about the ones it does not know, and the ones
// not known here are taken over.
func (c *Core) adoptOperations(a *Agent, reported *internalpb.UpdateSlaveMessage_Operations) {
	if reported == nil {
		return
	}
	known := make(map[string]bool)
	for _, p := range reported.GetOperations() {
		id, err := ids.UUIDFromBytes(p.GetUuid().GetValue())
		if err != nil {
			continue
		}
		known[id.String()] = true
		if a.Operations[id.String()] != nil {
			continue
		}
		resources.UpgradeAll(p)
		o := &Operation{UUID: id.String(), Proto: p, Framework: p.GetFrameworkId().GetValue(), Agent: a}
		a.Operations[o.UUID] = o
		if f := c.known[o.Framework]; f != nil {
			f.Operations[o.UUID] = o
			c.touch(f, nil)
		}
	}
	ask := &internalpb.ReconcileOperationsMessage{}
	for _, id := range sortedKeys(a.Operations) {
		if !known[id] {
			ask.Operations = append(ask.Operations, &internalpb.ReconcileOperationsMessage_Operation{OperationUuid: a.Operations[id].Proto.Uuid})
		}
	}
	if len(ask.Operations) > 0 {
		c.send(a.PID, ask)
	}
}
