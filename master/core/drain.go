package core

import (
	"net/http"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// agentDraining is the capability that a master needs to understand a registry with
// agents that drain or are deactivated.
var agentDraining = mesospb.MasterInfo_Capability_AGENT_DRAINING.String()

// listed says whether an agent is registered, unreachable, or known from the registry
// and not back yet: one an operator can decide about.
func (c *Core) listed(id string) bool {
	return c.registered[id] != nil || c.recovered[id] != nil || c.unreachable[id] != nil
}

// standing is how an agent stands to draining, as far as it is durable.
func (c *Core) standing(id string) (drain *mesospb.DrainInfo, deactivated bool) {
	if a := c.registered[id]; a != nil {
		return a.Drain, a.Deactivated
	}
	if r := c.recovered[id]; r != nil {
		return r.Drain, r.Deactivated
	}
	if d := c.unreachable[id]; d != nil {
		return d.Drain, d.Deactivated
	}
	return nil, false
}

// setStanding notes how an agent stands to draining, wherever it is by now.
func (c *Core) setStanding(id string, drain *mesospb.DrainInfo, deactivated bool) {
	if a := c.registered[id]; a != nil {
		a.Drain, a.Deactivated = drain, deactivated
		c.touch(nil, a)
	}
	if r := c.recovered[id]; r != nil {
		changed := *r // snapshots share the old one
		changed.Drain, changed.Deactivated = drain, deactivated
		c.recovered[id] = &changed
		c.rev++
	}
	if d := c.unreachable[id]; d != nil {
		d.Drain, d.Deactivated = drain, deactivated
	}
}

// stand writes how an agent stands to draining and goes on with then.
func (c *Core) stand(id string, drain *mesospb.DrainInfo, deactivated bool, then func()) {
	changes := c.ledger.stand(id, drain, deactivated)
	c.ledger.follow(changes) // the count below is that of afterwards
	switch needed := c.ledger.deactivated > 0; {
	case len(changes) == 0:
	case deactivated && !c.ledger.capabilities[agentDraining]:
		changes = append(changes, PutCapability{agentDraining})
	case !needed && c.ledger.capabilities[agentDraining]:
		changes = append(changes, DropCapability{agentDraining})
	}
	c.store(func() {
		c.setStanding(id, drain, deactivated)
		then()
	}, changes...)
}

// drainAgent takes an agent out of the offers and has it kill its tasks
// (src/master/http.cpp, Master::Http::drainAgent).
func (c *Core) drainAgent(e DrainAgent) {
	id := e.Agent
	if a := c.registered[id]; a != nil {
		if scheduled := c.maintenance.scheduled(machineOf(a)); scheduled != nil {
			c.answer(e.Request, http.StatusBadRequest, "Agent "+id+" is part of a maintenance schedule under Machine "+machineText(scheduled))
			return
		}
		if !a.Capabilities.Draining {
			c.answer(e.Request, http.StatusBadRequest, "Agent "+id+" is not capable of draining")
			return
		}
	}
	if !c.listed(id) {
		c.answer(e.Request, http.StatusBadRequest, "Unknown agent")
		return
	}
	if c.leaving[id] == becomingGone {
		c.answer(e.Request, http.StatusConflict, "Agent is currently being marked gone")
		return
	}
	drain := &mesospb.DrainInfo{
		State: mesospb.DrainState_DRAINING.Enum(),
		Config: &mesospb.DrainConfig{
			MaxGracePeriod: e.MaxGracePeriod,
			MarkGone:       proto.Bool(e.MarkGone),
		},
	}
	c.stand(id, drain, true, func() {
		if a := c.registered[id]; a != nil {
			c.log.Info("draining agent", "agent", id, "mark_gone", e.MarkGone)
			c.deactivateAgent(a)
			c.send(a.PID, &internalpb.DrainSlaveMessage{Config: drain.Config})
			a.DrainStart = c.now
			c.touch(nil, a)
			c.checkDrained(a)
		}
		c.answer(e.Request, http.StatusOK, "")
	})
}

// operatorDeactivate takes an agent out of the offers and leaves its tasks alone.
func (c *Core) operatorDeactivate(e DeactivateAgent) {
	id := e.Agent
	if !c.listed(id) {
		c.answer(e.Request, http.StatusBadRequest, "Unknown agent")
		return
	}
	c.stand(id, c.ledger.drain(id), true, func() {
		if a := c.registered[id]; a != nil {
			c.log.Info("agent deactivated by an operator", "agent", id)
			c.deactivateAgent(a)
		}
		c.answer(e.Request, http.StatusOK, "")
	})
}

// reactivateAgent has an agent's resources offered again.
func (c *Core) reactivateAgent(e ReactivateAgent) {
	id := e.Agent
	drain, deactivated := c.standing(id)
	if !deactivated {
		c.answer(e.Request, http.StatusBadRequest, "Agent is not deactivated")
		return
	}
	if drain != nil && drain.GetState() == mesospb.DrainState_DRAINING {
		c.answer(e.Request, http.StatusBadRequest, "Agent is still in the DRAINING state")
		return
	}
	c.stand(id, nil, false, func() {
		a := c.registered[id]
		if a == nil {
			c.answer(e.Request, http.StatusConflict, "Agent removed while processing the call")
			return
		}
		if a.Connected {
			c.log.Info("agent reactivated by an operator", "agent", id)
			a.Active = true
			c.alloc.ActivateAgent(id)
		} else {
			c.log.Info("disconnected agent will be reactivated when it is back", "agent", id)
		}
		a.DrainStart = time.Time{}
		c.touch(nil, a)
		c.answer(e.Request, http.StatusOK, "")
	})
}

// checkDrained has a draining agent looked at once the event at hand is over: it may
// be empty now.
func (c *Core) checkDrained(a *Agent) {
	if a.Drain.GetState() == mesospb.DrainState_DRAINING {
		c.drained[a.ID] = struct{}{}
	}
}

// finishDrains ends the draining of agents that have no task and no operation left.
func (c *Core) finishDrains() {
	for len(c.drained) > 0 {
		todo := sortedKeys(c.drained)
		clear(c.drained)
		for _, id := range todo {
			if a := c.registered[id]; a != nil {
				c.finishDrain(a)
			}
		}
	}
}

func (c *Core) finishDrain(a *Agent) {
	id := a.ID
	if a.Drain.GetState() != mesospb.DrainState_DRAINING || len(a.Tasks) > 0 || len(a.Operations) > 0 {
		return
	}
	if c.leaving[id] != 0 || c.ledger.drain(id).GetState() != mesospb.DrainState_DRAINING {
		return // it is on its way already
	}
	if a.Drain.GetConfig().GetMarkGone() {
		c.log.Info("agent is drained, marking it gone", "agent", id)
		c.becomeGone(id, func() {})
		return
	}
	drained := &mesospb.DrainInfo{State: mesospb.DrainState_DRAINED.Enum(), Config: a.Drain.Config}
	c.stand(id, drained, true, func() {
		c.log.Info("agent is drained", "agent", id)
	})
}
