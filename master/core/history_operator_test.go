package core

import (
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/maintenancepb"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// What operators do in random histories.

func (h *history) someAgent() string {
	ids := append(sortedKeys(h.shelf.agents), sortedKeys(h.shelf.unreachable)...)
	ids = append(ids, "nobody")
	return ids[h.pick(len(ids), "listed agent")]
}

func (h *history) operatorAction() {
	id := h.someAgent()
	// Sometimes two calls are on their way to the registry together.
	h.holdWrites = h.pick(3, "hold writes") == 0
	for range h.pick(2, "calls") + 1 {
		switch h.pick(6, "what") {
		case 0, 1:
			h.drain(id, time.Second, h.pick(3, "mark gone") == 0)
		case 2:
			h.deactivate(id)
		case 3, 4:
			h.reactivate(id)
		case 5:
			if h.pick(3, "really") == 0 {
				h.markGone(id)
			}
		}
	}
	if h.holdWrites && h.pick(2, "return") == 0 {
		h.returnAction()
	}
	h.release()
	h.forgetGone()
	if n := h.numberOf(id); n != 0 && h.pick(2, "update") == 0 {
		h.step(AgentMessage{From: pidOf(n), IP: ipOf(n), Message: &internalpb.UpdateSlaveMessage{SlaveId: &mesospb.AgentID{Value: &id}}})
		h.forgetGone()
	}
}

// forgetGone has agents end that were told to shut down.
func (h *history) forgetGone() {
	for n, id := range h.agents {
		if h.shelf.gone[id] == nil && (h.shelf.agents[id] != nil || h.shelf.unreachable[id] != nil) {
			continue
		}
		delete(h.agents, n)
		for k, p := range h.live {
			if p.GetAgentId().GetValue() == id {
				delete(h.live, k)
			}
		}
	}
}

func (h *history) maintainAction() {
	one := machineNo(h.pick(4, "machine") + 1)
	switch h.pick(4, "what") {
	case 0, 1:
		var windows []*maintenancepb.Window
		for n := 1; n <= 4; n++ {
			if h.pick(2, "scheduled") == 0 {
				windows = append(windows, window(h.now.Add(time.Duration(h.pick(3, "hours"))*time.Hour), machineNo(n)))
			}
		}
		h.schedule(windows...)
	case 2:
		h.down(one)
		h.forgetGone()
	case 3:
		h.up(one)
	}
}

func (h *history) inverseAction() {
	if f := h.someFramework(); f != nil && f.Stream != 0 && len(f.InverseOffers) > 0 {
		id := sortedKeys(f.InverseOffers)[h.pick(len(f.InverseOffers), "inverse offer")]
		h.answerInverse(f.ID, h.pick(2, "accept") == 0, float64(h.pick(20, "refuse")), id)
	}
}

// failoverAction has another master lead. Agents and schedulers are yet to find it.
func (h *history) failoverAction() {
	if h.pick(4, "really") > 0 {
		return
	}
	h.learn()
	h.world = h.failover()
}

// checkStandings holds what the core knows of agents against what is durable.
func (h *history) checkStandings() {
	c, r := h.c, h.r
	same := func(id string, drain, durable *mesospb.DrainInfo, deactivated, durably bool) {
		if !proto.Equal(drain, durable) || deactivated != durably {
			r.Fatalf("agent %s stands %v, %v; durably %v, %v", id, drain, deactivated, durable, durably)
		}
		if drain != nil && !deactivated {
			r.Fatalf("agent %s drains and is not deactivated", id)
		}
	}
	for id, record := range h.shelf.agents {
		drain, deactivated := c.standing(id)
		same(id, drain, record.GetDrainInfo(), deactivated, record.GetDeactivated())
		if c.registered[id] == nil && c.recovered[id] == nil {
			r.Fatalf("agent %s is admitted and not known", id)
		}
	}
	for id, record := range h.shelf.unreachable {
		d := c.unreachable[id]
		if d == nil {
			r.Fatalf("agent %s is unreachable and not known to be", id)
		}
		same(id, d.Drain, record.GetDrainInfo(), d.Deactivated, record.GetDeactivated())
	}
	for id := range h.shelf.gone {
		if c.gone[id] == nil || c.listed(id) {
			r.Fatalf("agent %s is gone and not only that", id)
		}
	}
	if len(c.registered)+len(c.recovered) != len(h.shelf.agents) || len(c.unreachable) != len(h.shelf.unreachable) || len(c.gone) != len(h.shelf.gone) {
		r.Fatalf("%d+%d agents, %d unreachable, %d gone; durably %d, %d, %d", len(c.registered), len(c.recovered), len(c.unreachable), len(c.gone),
			len(h.shelf.agents), len(h.shelf.unreachable), len(h.shelf.gone))
	}
	if len(c.leaving)+len(c.drained)+len(h.writes) != 0 {
		r.Fatalf("left over: %v leave, %v drained, %d writes", c.leaving, c.drained, len(h.writes))
	}
	for id, a := range c.registered {
		if a.Active != (a.Connected && !a.Deactivated) {
			r.Fatalf("agent %s: active %v, connected %v, deactivated %v", id, a.Active, a.Connected, a.Deactivated)
		}
		if c.maintenance.down(machineOf(a)) {
			r.Fatalf("agent %s is on a machine that is down", id)
		}
		for oid, o := range a.InverseOffers {
			if o.Framework.InverseOffers[oid] != o || c.known[o.Framework.ID] != o.Framework || o.Framework.State != Active || !a.Active {
				r.Fatalf("inverse offer %s is not where it should be", oid)
			}
			if u := c.maintenance.unavailability(machineOf(a)); !proto.Equal(u, o.Proto.Unavailability) {
				r.Fatalf("inverse offer %s is for %v, the machine goes down %v", oid, o.Proto.Unavailability, u)
			}
		}
		for oid, o := range a.Offers {
			if u := c.maintenance.unavailability(machineOf(a)); !proto.Equal(u, o.Proto.Unavailability) {
				r.Fatalf("offer %s is for %v, the machine goes down %v", oid, o.Proto.Unavailability, u)
			}
		}
	}
	for _, f := range c.known {
		for oid, o := range f.InverseOffers {
			if c.registered[o.Agent.ID] != o.Agent || o.Agent.InverseOffers[oid] != o {
				r.Fatalf("inverse offer %s is not its agent's", oid)
			}
		}
	}
}
