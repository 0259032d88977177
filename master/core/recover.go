package core

import (
	"time"

	"stoa/internal/mesos/internalpb"
)

// recover takes over what the registry held and starts to wait for its agents.
func (c *Core) recover(r Recovery) {
	for _, one := range r.Agents {
		id := one.GetInfo().GetId().GetValue()
		c.recovered[id] = &RecoveredAgent{
			ID:          id,
			Info:        one.GetInfo(),
			Drain:       one.GetDrainInfo(),
			Deactivated: one.GetDeactivated(),
		}
	}
	for _, one := range r.Unreachable {
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
	if len(c.recovered) > 0 {
		c.after(c.cfg.AgentReregisterTimeout, func(time.Time) { c.recoveredTimeout() })
	}
	c.after(c.cfg.RegistryGCInterval, func(time.Time) { c.collectRegistry() })
}

// recoveredTimeout marks the agents unreachable that did not come back after a
// failover. Their tasks are not known here, so nobody is told of them; reconciling
// them gives the answer.
func (c *Core) recoveredTimeout() {
	for id, r := range c.recovered {
		if _, busy := c.reregistering[id]; busy {
			continue
		}
		c.log.Warn("agent did not come back after this master started, marking it unreachable", "agent", id, "hostname", r.Info.GetHostname())
		d := &DepartedAgent{ID: id, Time: c.timeInfo(), Drain: r.Drain, Deactivated: r.Deactivated}
		c.leaving[id] = struct{}{}
		c.store(func() {
			delete(c.leaving, id)
			delete(c.recovered, id)
			c.unreachable[id] = d
			c.count("slave_removals")
			c.count("slave_removals/reason_unhealthy")
			c.count("recovery_slave_removals")
			c.rev++
			c.agentLost(id)
		}, DropAgent{id}, PutUnreachable{d.unreachable()})
	}
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
	collect(c.gone, func(id string) Change { return DropGone{id} }, func(id string) { delete(c.gone, id) })
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

// registryRecord is what the registry holds of an agent that is registered.
func registryRecord(a *Agent) *internalpb.Registry_Slave {
	r := &internalpb.Registry_Slave{Info: a.Info, DrainInfo: a.Drain}
	if a.Deactivated {
		r.Deactivated = &a.Deactivated
	}
	return r
}
