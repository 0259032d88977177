package core

import (
	"fmt"
	"strings"
	"time"
)

// recover takes over what the registry held and starts to wait for its agents.
func (c *Core) recover(r Recovery) {
	for _, one := range r.Agents {
		c.ledger.follow([]Change{PutAgent{one}})
		id := one.GetInfo().GetId().GetValue()
		c.recovered[id] = &RecoveredAgent{
			ID:          id,
			Info:        one.GetInfo(),
			Drain:       one.GetDrainInfo(),
			Deactivated: one.GetDeactivated(),
		}
	}
	for _, one := range r.Unreachable {
		c.ledger.follow([]Change{PutUnreachable{one}})
		id := one.GetId().GetValue()
		c.unreachable[id] = &DepartedAgent{
			ID:          id,
			Time:        one.GetTimestamp(),
			Drain:       one.GetDrainInfo(),
			Deactivated: one.GetDeactivated(),
		}
	}
	for _, one := range r.Gone {
		id := one.GetId().GetValue()
		c.gone[id] = &DepartedAgent{ID: id, Time: one.GetTimestamp()}
	}
	for _, name := range r.Capabilities {
		c.ledger.follow([]Change{PutCapability{name}})
	}
	c.recoverMaintenance(r.Maintenance)
	c.recoverQuotas(r.Quotas)
	if len(r.Weights) == 0 {
		c.keepWeights()
	}
	c.expected = len(c.recovered)
	if len(c.recovered) > 0 {
		c.after(c.cfg.AgentReregisterTimeout, func(time.Time) { c.recoveredTimeout() })
	}
	c.after(c.cfg.RegistryGCInterval, func(time.Time) { c.collectRegistry() })
}

// recoveredTimeout marks the agents unreachable that did not come back after a
// failover. Their tasks are not known here, so nobody is told of them; reconciling
// them gives the answer. When more agents are missing than the operator allows, the
// fault may be here, and this master ends instead.
func (c *Core) recoveredTimeout() {
	timeout := durationText(c.cfg.AgentReregisterTimeout)
	missing := sortedKeys(c.recovered)
	if share := float64(len(missing)) / float64(max(c.expected, 1)); share > c.cfg.RecoveryAgentRemovalLimit {
		c.failed = true
		c.effect(Abort{Err: fmt.Errorf("Post-recovery agent removal limit exceeded! After %s there were %d (%g%%) agents recovered from the registry that did not reregister: \n{ %s }\n The configured removal limit is %g%%. Please investigate or increase this limit (--recovery_agent_removal_limit) to proceed further",
			timeout, len(missing), share*100, strings.Join(missing, ", "), c.cfg.RecoveryAgentRemovalLimit*100)})
		return
	}
	for _, id := range missing {
		if _, busy := c.reregistering[id]; busy {
			continue
		}
		c.count("slave_unreachable_scheduled")
		c.acquire(&c.removals, func() { c.giveUp(id, "did not reregister within "+timeout+" after master failover") })
	}
}

// giveUp marks an agent unreachable that was known from the registry only.
func (c *Core) giveUp(id, why string) {
	r := c.recovered[id]
	_, busy := c.reregistering[id]
	if r == nil || busy || c.leaving[id] != 0 {
		c.count("slave_unreachable_canceled")
		return
	}
	c.log.Warn("marking agent unreachable", "agent", id, "hostname", r.Info.GetHostname(), "reason", why)
	d := &DepartedAgent{ID: id, Time: c.timeInfo()}
	c.leaving[id] = becomingUnreachable
	c.store(func() {
		delete(c.leaving, id)
		d.Drain, d.Deactivated = c.standing(id)
		delete(c.recovered, id)
		c.unreachable[id] = d
		c.count("slave_removals")
		c.count("slave_removals/reason_unhealthy")
		c.count("recovery_slave_removals")
		c.count("slave_unreachable_completed")
		c.rev++
		c.agentLost(id)
	}, c.ledger.lose(id, d.Time)...)
}

// collectRegistry forgets unreachable and gone agents that are too old or too many,
// oldest first.
func (c *Core) collectRegistry() {
	c.after(c.cfg.RegistryGCInterval, func(time.Time) { c.collectRegistry() })
	var changes []Change
	var forget []func()
	collect := func(list map[string]*DepartedAgent, drop func(string) Change, done func(string)) {
		order := sortedByTime(list)
		for i, d := range order {
			old := c.now.Sub(time.Unix(0, d.Time.GetNanoseconds())) > c.cfg.RegistryMaxAgentAge
			if !old && len(order)-i <= c.cfg.RegistryMaxAgentCount {
				break
			}
			if _, busy := c.reregistering[d.ID]; busy {
				continue
			}
			changes = append(changes, drop(d.ID))
			forget = append(forget, func() { done(d.ID) })
		}
	}
	collect(c.unreachable, func(id string) Change { return DropUnreachable{id} }, func(id string) {
		delete(c.unreachable, id)
		c.forgetUnreachableTasks(id)
	})
	collect(c.gone, func(id string) Change { return DropGone{id} }, func(id string) {
		delete(c.gone, id)
		c.forgetUnreachableTasks(id)
	})
	if len(changes) == 0 {
		return
	}
	c.store(func() {
		for _, do := range forget {
			do()
		}
		c.rev++
	}, changes...)
}

// forgetUnreachableTasks drops the tasks remembered for an unreachable agent.
func (c *Core) forgetUnreachableTasks(agent string) {
	for framework, tasks := range c.unreachableTasks[agent] {
		if f := c.known[framework]; f != nil {
			for _, id := range tasks {
				f.Unreachable.remove(id)
			}
			c.touch(f, nil)
		}
	}
	delete(c.unreachableTasks, agent)
}
