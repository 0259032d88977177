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
			c.markUnreachable(a, "health check timed out")
		}
	}
	c.ping(a)
}

func (c *Core) pong(number int) {
	if a := c.byObserver[number]; a != nil {
		a.observer.waiting, a.observer.missed = false, 0
	}
}
