package core

import (
	"fmt"
	"time"

	"stoa/internal/mesos/mesospb"
)

// CheckRateLimits says what is wrong with limits, in the original's words.
func CheckRateLimits(limits *mesospb.RateLimits) error {
	seen := make(map[string]bool)
	for _, one := range limits.GetLimits() {
		if seen[one.GetPrincipal()] {
			return fmt.Errorf("Duplicate principal %s found in RateLimits configuration", one.GetPrincipal())
		}
		seen[one.GetPrincipal()] = true
		if one.Qps != nil && !(one.GetQps() > 0) {
			return fmt.Errorf("Invalid qps: %v. It must be a positive number", one.GetQps())
		}
	}
	if limits != nil && limits.AggregateDefaultQps != nil && !(limits.GetAggregateDefaultQps() > 0) {
		return fmt.Errorf("Invalid aggregate_default_qps: %v. It must be a positive number", limits.GetAggregateDefaultQps())
	}
	return nil
}

// maxBacklog is how many messages may wait where no capacity is given.
const maxBacklog = 100_000

// rates limit how fast drivers may talk. Only messages of drivers are limited, and
// counted: calls over HTTP have their answers to slow them down.
type rates struct {
	// limits are by principal; nil is no limit. rest is for all other frameworks
	// together, nil for no limit.
	limits map[string]*rateLimit
	rest   *rateLimit
	// counts are the messages of principals.
	counts map[string]*messageCount
}

type rateLimit struct {
	limiter
	// capacity is how many messages may wait, waiting how many do.
	capacity, waiting uint64
}

type messageCount struct{ received, processed float64 }

func newRates(limits *mesospb.RateLimits) rates {
	r := rates{limits: make(map[string]*rateLimit), counts: make(map[string]*messageCount)}
	limit := func(qps *float64, capacity *uint64) *rateLimit {
		if qps == nil {
			return nil
		}
		every := min(float64(time.Second) / *qps, float64(maxRefuse))
		l := &rateLimit{limiter: limiter{every: time.Duration(every)}, capacity: maxBacklog}
		if capacity != nil {
			l.capacity = *capacity
		}
		return l
	}
	for _, one := range limits.GetLimits() {
		r.limits[one.GetPrincipal()] = limit(one.Qps, one.Capacity)
	}
	if limits != nil {
		r.rest = limit(limits.AggregateDefaultQps, limits.AggregateDefaultCapacity)
	}
	return r
}

// limitOf is the limit of what a framework's driver says, nil for none.
func (r *rates) limitOf(f *Framework) *rateLimit {
	if f.Info.Principal != nil {
		if l, ok := r.limits[f.Info.GetPrincipal()]; ok {
			return l
		}
	}
	return r.rest
}

// countOf is the count of a principal, which begins with 0; nil without a principal.
func (r *rates) countOf(f *Framework) *messageCount {
	if f == nil || f.Info.Principal == nil {
		return nil
	}
	n := r.counts[f.Info.GetPrincipal()]
	if n == nil {
		n = new(messageCount)
		r.counts[f.Info.GetPrincipal()] = n
	}
	return n
}

// hear does what a message of a driver asks for, when its framework's limit permits.
// What an unknown driver says has no limit: it can only be that it subscribes.
func (c *Core) hear(pid, message string, do func()) {
	f := c.byDriver[pid]
	if f == nil {
		do()
		return
	}
	if n := c.rates.countOf(f); n != nil {
		n.received++
	}
	l := c.rates.limitOf(f)
	if l == nil {
		c.process(pid, do)
		return
	}
	if l.waiting >= l.capacity {
		c.log.Warn("message dropped: the framework talks too much", "message", message, "framework", f.String(), "capacity", l.capacity)
		c.send(pid, driverError(fmt.Sprintf("Message %s dropped: capacity(%d) exceeded", message, l.capacity)))
		return
	}
	l.waiting++
	c.acquire(&l.limiter, func() {
		l.waiting--
		c.process(pid, do)
	})
}

// hearEnd is hear for the end of a driver, which comes after what it said and counts as
// nothing.
func (c *Core) hearEnd(pid string, do func()) {
	if l := c.rates.limitOf(c.byDriver[pid]); l != nil {
		c.acquire(&l.limiter, do)
	} else {
		do()
	}
}

func (c *Core) process(pid string, do func()) {
	n := c.rates.countOf(c.byDriver[pid])
	do()
	if n != nil {
		n.processed++
	}
}

// forgetMessages drops the count of a principal that has no framework any more.
func (c *Core) forgetMessages(gone *Framework) {
	for _, f := range c.known {
		if f.Info.Principal != nil && f.Info.GetPrincipal() == gone.Info.GetPrincipal() {
			return
		}
	}
	delete(c.rates.counts, gone.Info.GetPrincipal())
}
