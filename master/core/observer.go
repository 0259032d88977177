package core

import "time"

// observer pings one agent (the original's SlaveObserver). It is known outside as
// the process `slave-observer(N)`, to which the agent answers.
type observer struct {
	number int
	// waiting says that the last ping was not answered; missed counts the pings in a
	// row that were not.
	waiting bool
	missed  int
	timer   *timer
	// removal waits for the permission to mark the agent unreachable.
	removal *permit
}

func (c *Core) observe(a *Agent) {
	c.observers++
	a.observer = &observer{number: int(c.observers)}
	c.byObserver[a.observer.number] = a
	c.effect(Observe{Observer: a.observer.number})
	c.ping(a)
}

func (c *Core) unobserve(a *Agent) {
	if a.observer == nil {
		return
	}
	c.timers.stop(a.observer.timer)
	c.cancelRemoval(a)
	delete(c.byObserver, a.observer.number)
	c.effect(Unobserve{Observer: a.observer.number})
	a.observer = nil
}

func (c *Core) ping(a *Agent) {
	o := a.observer
	o.waiting = true
	c.effect(Ping{Observer: o.number, To: a.PID, Connected: a.Connected})
	o.timer = c.after(c.cfg.AgentPingTimeout, func(time.Time) { c.pingTimeout(a) })
}

// pingTimeout counts a missing answer and pings on, whatever it leads to: an
// answer may still come.
func (c *Core) pingTimeout(a *Agent) {
	o := a.observer
	if o.waiting {
		o.missed++
		if o.missed >= c.cfg.MaxAgentPingTimeouts {
			c.healthTimeout(a)
		}
	}
	c.ping(a)
}

// healthTimeout marks an agent unreachable as soon as that is permitted, unless it
// answers before.
func (c *Core) healthTimeout(a *Agent) {
	o := a.observer
	if o.removal != nil || c.leaving[a.ID] != 0 {
		return
	}
	c.count("slave_unreachable_scheduled")
	o.removal = c.acquire(&c.removals, func() {
		o.removal = nil
		c.count("slave_unreachable_completed")
		c.markUnreachable(a, "health check timed out")
	})
}

func (c *Core) pong(number int) {
	if a := c.byObserver[number]; a != nil {
		a.observer.waiting, a.observer.missed = false, 0
		if c.cancelRemoval(a) {
			c.log.Info("agent answered a ping, it is not marked unreachable", "agent", a.ID)
			c.count("slave_unreachable_canceled")
		}
	}
}

// cancelRemoval takes back the wish to mark an agent unreachable, if there is one.
func (c *Core) cancelRemoval(a *Agent) bool {
	p := a.observer.removal
	if p == nil {
		return false
	}
	p.cancelled = true
	a.observer.removal = nil
	return true
}
