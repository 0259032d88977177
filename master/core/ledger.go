package core

import (
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// ledger is what the registry will hold once every write that was asked for is done.
// A change of a record begins with the one in here, so that two changes of one agent
// that are on their way together both last. What the rest of the core knows changes
// only when a write is durable.
type ledger struct {
	admitted    map[string]*internalpb.Registry_Slave
	unreachable map[string]*internalpb.Registry_UnreachableSlave
	// deactivated counts the records in both lists that say so.
	deactivated int
	// maintenance holds machines and schedules; nil before the first schedule.
	maintenance *internalpb.Registry
	// quotas are the roles with a quota.
	quotas map[string]bool
	// capabilities are what a master needs to understand the registry.
	capabilities map[string]bool
}

func newLedger() ledger {
	return ledger{
		admitted:     make(map[string]*internalpb.Registry_Slave),
		unreachable:  make(map[string]*internalpb.Registry_UnreachableSlave),
		quotas:       make(map[string]bool),
		capabilities: make(map[string]bool),
	}
}

// follow takes in changes that are about to be written. Changes of other records are
// not its business.
func (l *ledger) follow(changes []Change) {
	for _, change := range changes {
		switch c := change.(type) {
		case PutAgent:
			id := c.Agent.GetInfo().GetId().GetValue()
			l.recount(l.admitted[id].GetDeactivated(), c.Agent.GetDeactivated())
			l.admitted[id] = c.Agent
		case DropAgent:
			l.recount(l.admitted[c.ID].GetDeactivated(), false)
			delete(l.admitted, c.ID)
		case PutUnreachable:
			id := c.Agent.GetId().GetValue()
			l.recount(l.unreachable[id].GetDeactivated(), c.Agent.GetDeactivated())
			l.unreachable[id] = c.Agent
		case DropUnreachable:
			l.recount(l.unreachable[c.ID].GetDeactivated(), false)
			delete(l.unreachable, c.ID)
		case PutMaintenance:
			l.maintenance = c.Maintenance
		case PutQuota:
			l.quotas[c.Quota.GetRole()] = true
		case DropQuota:
			delete(l.quotas, c.Role)
		case PutCapability:
			l.capabilities[c.Name] = true
		case DropCapability:
			delete(l.capabilities, c.Name)
		}
	}
}

func (l *ledger) recount(before, after bool) {
	if before {
		l.deactivated--
	}
	if after {
		l.deactivated++
	}
}

// admit is the change that admits an agent, as it describes itself now: how it stands
// to draining lasts, also when it was unreachable.
func (l *ledger) admit(info *mesospb.AgentInfo) PutAgent {
	record := &internalpb.Registry_Slave{Info: info}
	id := info.GetId().GetValue()
	if old := l.admitted[id]; old != nil {
		record.DrainInfo, record.Deactivated = old.DrainInfo, old.Deactivated
	} else if old := l.unreachable[id]; old != nil {
		record.DrainInfo, record.Deactivated = old.DrainInfo, old.Deactivated
	}
	return PutAgent{record}
}

// lose are the changes that list an admitted agent as unreachable.
func (l *ledger) lose(id string, since *mesospb.TimeInfo) []Change {
	record := &internalpb.Registry_UnreachableSlave{
		Id:        &mesospb.AgentID{Value: &id},
		Timestamp: since,
	}
	if old := l.admitted[id]; old != nil {
		record.DrainInfo, record.Deactivated = old.DrainInfo, old.Deactivated
	}
	return []Change{DropAgent{id}, PutUnreachable{record}}
}

// stand is the change after which an agent, wherever it is listed, stands to draining
// like this. There is none for an agent on its way out.
func (l *ledger) stand(id string, drain *mesospb.DrainInfo, deactivated bool) []Change {
	var flag *bool
	if deactivated {
		flag = proto.Bool(true)
	}
	if old := l.admitted[id]; old != nil {
		return []Change{PutAgent{&internalpb.Registry_Slave{Info: old.Info, DrainInfo: drain, Deactivated: flag}}}
	}
	if old := l.unreachable[id]; old != nil {
		return []Change{PutUnreachable{&internalpb.Registry_UnreachableSlave{
			Id: old.Id, Timestamp: old.Timestamp, DrainInfo: drain, Deactivated: flag,
		}}}
	}
	return nil
}

// drain is how an agent stands to draining as far as it was asked for.
func (l *ledger) drain(id string) *mesospb.DrainInfo {
	if old := l.admitted[id]; old != nil {
		return old.DrainInfo
	}
	return l.unreachable[id].GetDrainInfo()
}
