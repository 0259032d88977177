package core

import (
	"fmt"
	"slices"

	"stoa/internal/mesos/internalpb"

	"google.golang.org/protobuf/proto"
)

// shelf is what a registry holds: the writes that were done, in order.
type shelf struct {
	agents       map[string]*internalpb.Registry_Slave
	unreachable  map[string]*internalpb.Registry_UnreachableSlave
	gone         map[string]*internalpb.Registry_GoneSlave
	maintenance  *internalpb.Registry
	capabilities map[string]bool
	// masters counts the failovers.
	masters int
}

func newShelf() *shelf {
	return &shelf{
		agents:       make(map[string]*internalpb.Registry_Slave),
		unreachable:  make(map[string]*internalpb.Registry_UnreachableSlave),
		gone:         make(map[string]*internalpb.Registry_GoneSlave),
		capabilities: make(map[string]bool),
	}
}

func (s *shelf) apply(changes []Change) {
	for _, change := range changes {
		switch c := change.(type) {
		case PutAgent:
			s.agents[c.Agent.GetInfo().GetId().GetValue()] = c.Agent
		case DropAgent:
			delete(s.agents, c.ID)
		case PutUnreachable:
			s.unreachable[c.Agent.GetId().GetValue()] = c.Agent
		case DropUnreachable:
			delete(s.unreachable, c.ID)
		case PutGone:
			s.gone[c.Agent.GetId().GetValue()] = c.Agent
		case DropGone:
			delete(s.gone, c.ID)
		case PutMaintenance:
			s.maintenance = c.Maintenance
		case PutCapability:
			s.capabilities[c.Name] = true
		case DropCapability:
			delete(s.capabilities, c.Name)
		}
	}
}

// recovery is what a master finds that starts now. Its messages are its own.
func (s *shelf) recovery() Recovery {
	r := Recovery{Capabilities: sortedKeys(s.capabilities)}
	for _, id := range sortedKeys(s.agents) {
		r.Agents = append(r.Agents, proto.Clone(s.agents[id]).(*internalpb.Registry_Slave))
	}
	for _, id := range sortedKeys(s.unreachable) {
		r.Unreachable = append(r.Unreachable, proto.Clone(s.unreachable[id]).(*internalpb.Registry_UnreachableSlave))
	}
	for _, id := range sortedKeys(s.gone) {
		r.Gone = append(r.Gone, proto.Clone(s.gone[id]).(*internalpb.Registry_GoneSlave))
	}
	if s.maintenance != nil {
		r.Maintenance = proto.Clone(s.maintenance).(*internalpb.Registry)
	}
	return r
}

// failover is a world with a new master that reads what the old one made durable, now.
func (w *world) failover(change ...func(*Config)) *world {
	w.shelf.masters++
	another := func(c *Config) { c.Master.Id = proto.String(fmt.Sprint("another-master-", w.shelf.masters)) }
	next := newWorldAt(w.t, w.now, w.shelf.recovery(), slices.Concat([]func(*Config){another}, change)...)
	next.shelf, next.ids = w.shelf, w.ids
	return next
}

// release has the writes done that were held, and those that follow from them.
func (w *world) release() {
	w.holdWrites = false
	w.releaseWrites()
	w.flush()
}
