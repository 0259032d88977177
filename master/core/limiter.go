package core

import "time"

// limiter hands out permits with a time between two of them, in the order in which
// they were asked for. Without a time each permit is there at once.
type limiter struct {
	every time.Duration
	// next is when the next permit is due.
	next  time.Time
	queue []*permit
}

// permit is one that was asked for; it is given unless it is taken back before.
type permit struct {
	do        func()
	cancelled bool
}

// acquire does something when a limiter permits, which may be now. It returns nil then.
func (c *Core) acquire(l *limiter, do func()) *permit {
	if l.every <= 0 || len(l.queue) == 0 && !l.next.After(c.now) {
		l.next = c.now.Add(l.every)
		do()
		return nil
	}
	p := &permit{do: do}
	l.queue = append(l.queue, p)
	if len(l.queue) == 1 {
		c.timers.set(l.next, func(time.Time) { c.permit(l) })
	}
	return p
}

// permit gives the next permit that was not taken back.
func (c *Core) permit(l *limiter) {
	for len(l.queue) > 0 {
		p := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		if p.cancelled {
			continue
		}
		l.next = c.now.Add(l.every)
		if len(l.queue) > 0 {
			c.timers.set(l.next, func(time.Time) { c.permit(l) })
		}
		p.do()
		return
	}
}
