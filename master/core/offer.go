package core

import (
	"time"

	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/allocator"

	"google.golang.org/protobuf/proto"
)

// allocate runs the allocator and offers what it allocated, in one OFFERS event
// for each framework.
func (c *Core) allocate() {
	if !c.alloc.Pending(c.now) {
		return
	}
	events := make(map[*Framework]*schedulerpb.Event)
	var order []*Framework
	c.counts["allocator/mesos/allocation_runs"]++
	for _, one := range c.alloc.Run(c.now) {
		f, a := c.known[one.Framework], c.registered[one.Agent]
		if f == nil || a == nil || f.State != Active || !a.Active {
			c.alloc.Recover(one.Framework, one.Agent, one.Resources)
			continue
		}
		o := c.addOffer(f, a, one)
		event := events[f]
		if event == nil {
			event = &schedulerpb.Event{Type: schedulerpb.Event_OFFERS.Enum(), Offers: &schedulerpb.Event_Offers{}}
			events[f] = event
			order = append(order, f)
		}
		event.Offers.Offers = append(event.Offers.Offers, offerFor(f, o.Proto))
	}
	for _, f := range order {
		c.emit(f, events[f])
	}
	c.askBack()
}

func (c *Core) addOffer(f *Framework, a *Agent, one allocator.Allocation) *Offer {
	id := ids.Offer(c.cfg.Master.GetId(), c.offers)
	c.offers++
	o := &Offer{
		ID:        id,
		Framework: f,
		Agent:     a,
		Role:      one.Role,
		Resources: one.Resources,
		Proto: &mesospb.Offer{
			Id:             &mesospb.OfferID{Value: &id},
			FrameworkId:    f.Info.Id,
			AgentId:        a.Info.Id,
			Hostname:       a.Info.Hostname,
			Url:            agentURL(a),
			Domain:         a.Info.Domain,
			Resources:      one.Resources.Proto(),
			Attributes:     a.Info.Attributes,
			AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String(one.Role)},
			Unavailability: c.maintenance.unavailability(machineOf(a)),
		},
	}
	for _, executor := range sortedKeys(a.Executors[f.ID]) {
		o.Proto.ExecutorIds = append(o.Proto.ExecutorIds, a.Executors[f.ID][executor].Info.ExecutorId)
	}
	if c.cfg.OfferTimeout > 0 {
		o.timer = c.after(c.cfg.OfferTimeout, func(time.Time) { c.rescind(o) })
	}
	f.Offers[id], a.Offers[id], c.outOffers[id] = o, o, o
	f.Offered = f.Offered.Add(o.Resources.Scalars())
	a.Offered = a.Offered.Add(o.Resources)
	c.touch(f, a)
	return o
}

// offerFor is the offer as the framework understands it: resources in the form
// from before stacked reservations unless it knows those, and no role of
// allocation for frameworks of one role.
func offerFor(f *Framework, p *mesospb.Offer) *mesospb.Offer {
	q := &mesospb.Offer{
		Id:             p.Id,
		FrameworkId:    p.FrameworkId,
		AgentId:        p.AgentId,
		Hostname:       p.Hostname,
		Url:            p.Url,
		Domain:         p.Domain,
		Attributes:     p.Attributes,
		ExecutorIds:    p.ExecutorIds,
		Unavailability: p.Unavailability,
	}
	if f.Capabilities.MultiRole {
		q.AllocationInfo = p.AllocationInfo
	}
	for _, r := range p.Resources {
		if r.GetName() == "ephemeral_ports" {
			continue
		}
		if !f.Capabilities.MultiRole || !f.Capabilities.ReservationRefinement {
			if len(r.Reservations) > 1 {
				continue // never allocated to such a framework
			}
			r = resources.ForEndpoint(r) // a copy
			if f.Capabilities.ReservationRefinement {
				resources.Upgrade(r)
			} else {
				r.Reservations = nil
			}
			if !f.Capabilities.MultiRole {
				r.AllocationInfo = nil
			}
		}
		q.Resources = append(q.Resources, r)
	}
	return q
}

// removeOffer forgets an offer; its resources are the caller's to give back.
func (c *Core) removeOffer(o *Offer) {
	c.timers.stop(o.timer)
	delete(o.Framework.Offers, o.ID)
	delete(o.Agent.Offers, o.ID)
	delete(c.outOffers, o.ID)
	o.Framework.Offered = o.Framework.Offered.Subtract(o.Resources.Scalars())
	o.Agent.Offered = o.Agent.Offered.Subtract(o.Resources)
	c.touch(o.Framework, o.Agent)
}

// discard takes an offer back without telling the framework.
func (c *Core) discard(o *Offer) {
	c.removeOffer(o)
	c.alloc.Recover(o.Framework.ID, o.Agent.ID, o.Resources)
}

// rescind takes an offer back and tells the framework.
func (c *Core) rescind(o *Offer) {
	c.discard(o)
	c.emit(o.Framework, &schedulerpb.Event{
		Type:    schedulerpb.Event_RESCIND.Enum(),
		Rescind: &schedulerpb.Event_Rescind{OfferId: o.Proto.Id},
	})
}

// refusal is for how long declined resources stay away from a framework.
func (c *Core) refusal(f *Framework, filters *mesospb.Filters) time.Duration {
	seconds := filters.GetRefuseSeconds() // 5 unless set
	switch {
	case !(seconds >= 0):
		c.log.Warn("refuse_seconds is not usable, taking the default", "framework", f.ID, "refuse_seconds", seconds)
		return defaultRefuse
	case seconds > maxRefuse.Seconds():
		c.log.Warn("refuse_seconds is too long, taking 365 days", "framework", f.ID, "refuse_seconds", seconds)
		return maxRefuse
	}
	return time.Duration(seconds * float64(time.Second))
}
