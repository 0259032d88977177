package core

import (
	"time"

	"stoa/internal/mesos/allocatorpb"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/allocator"

	"google.golang.org/protobuf/proto"
)

// InverseOffer asks a framework to give back what it has on an agent that is to go
// down.
type InverseOffer struct {
	ID        string
	Proto     *mesospb.InverseOffer
	Framework *Framework
	Agent     *Agent

	timer *timer
}

// askBack sends the inverse offers that are due, in one INVERSE_OFFERS event for each
// framework.
func (c *Core) askBack() {
	events := make(map[*Framework]*schedulerpb.Event)
	var order []*Framework
	for _, one := range c.alloc.InverseOffers() {
		f, a := c.known[one.Framework], c.registered[one.Agent]
		if f == nil || a == nil || f.State != Active || !a.Active {
			c.alloc.AnswerInverseOffer(c.now, one.Framework, one.Agent, nil, 0)
			continue
		}
		o := c.addInverseOffer(f, a, one)
		event := events[f]
		if event == nil {
			event = &schedulerpb.Event{Type: schedulerpb.Event_INVERSE_OFFERS.Enum(), InverseOffers: &schedulerpb.Event_InverseOffers{}}
			events[f] = event
			order = append(order, f)
		}
		event.InverseOffers.InverseOffers = append(event.InverseOffers.InverseOffers, o.Proto)
	}
	for _, f := range order {
		c.emit(f, events[f])
	}
}

func (c *Core) addInverseOffer(f *Framework, a *Agent, one allocator.InverseOffer) *InverseOffer {
	id := ids.Offer(c.cfg.Master.GetId(), c.offers)
	c.offers++
	o := &InverseOffer{
		ID:        id,
		Framework: f,
		Agent:     a,
		Proto: &mesospb.InverseOffer{
			Id:             &mesospb.OfferID{Value: &id},
			Url:            agentURL(a),
			FrameworkId:    f.Info.Id,
			AgentId:        a.Info.Id,
			Unavailability: one.Unavailability,
		},
	}
	if c.cfg.OfferTimeout > 0 {
		o.timer = c.after(c.cfg.OfferTimeout, func(time.Time) { c.rescindInverseOffer(o) })
	}
	if f.InverseOffers == nil {
		f.InverseOffers = make(map[string]*InverseOffer)
	}
	if a.InverseOffers == nil {
		a.InverseOffers = make(map[string]*InverseOffer)
	}
	f.InverseOffers[id], a.InverseOffers[id] = o, o
	c.touch(f, a)
	return o
}

// agentURL is where an agent's own endpoints are, as offers say it.
func agentURL(a *Agent) *mesospb.URL {
	return &mesospb.URL{
		Scheme: proto.String("http"),
		Address: &mesospb.Address{
			Hostname: a.Info.Hostname,
			Ip:       proto.String(a.IP),
			Port:     proto.Int32(portOf(a.PID)),
		},
		Path: proto.String("/" + processOf(a.PID)),
	}
}

// removeInverseOffer forgets an inverse offer. The allocator must be told by the
// caller.
func (c *Core) removeInverseOffer(o *InverseOffer) {
	c.timers.stop(o.timer)
	delete(o.Framework.InverseOffers, o.ID)
	delete(o.Agent.InverseOffers, o.ID)
	c.touch(o.Framework, o.Agent)
}

// discardInverseOffer takes an inverse offer back without telling the framework.
func (c *Core) discardInverseOffer(o *InverseOffer) {
	c.removeInverseOffer(o)
	c.alloc.AnswerInverseOffer(c.now, o.Framework.ID, o.Agent.ID, nil, 0)
}

// rescindInverseOffer takes an inverse offer back and tells the framework.
func (c *Core) rescindInverseOffer(o *InverseOffer) {
	c.discardInverseOffer(o)
	c.emit(o.Framework, &schedulerpb.Event{
		Type:                schedulerpb.Event_RESCIND_INVERSE_OFFER.Enum(),
		RescindInverseOffer: &schedulerpb.Event_RescindInverseOffer{InverseOfferId: o.Proto.Id},
	})
}

// rescindInverseOffers takes back all inverse offers of an agent.
func (c *Core) rescindInverseOffers(a *Agent) {
	for _, id := range sortedKeys(a.InverseOffers) {
		c.rescindInverseOffer(a.InverseOffers[id])
	}
}

// dropInverseOffers takes back all inverse offers of a framework, in the way given.
func (c *Core) dropInverseOffers(f *Framework, take func(*InverseOffer)) {
	for _, id := range sortedKeys(f.InverseOffers) {
		take(f.InverseOffers[id])
	}
}

// answerInverseOffers takes in what a framework says to inverse offers. It is noted for
// operators to see and changes nothing else; ids of others and of old ones are ignored.
func (c *Core) answerInverseOffers(f *Framework, list []*mesospb.OfferID, answer allocatorpb.InverseOfferStatus_Status, filters *mesospb.Filters) {
	wait := c.refusal(f, filters)
	for _, id := range list {
		o := f.InverseOffers[id.GetValue()]
		if o == nil {
			c.log.Warn("answered inverse offer is no longer valid", "framework", f.ID, "inverse_offer", id.GetValue())
			continue
		}
		c.removeInverseOffer(o)
		c.alloc.AnswerInverseOffer(c.now, f.ID, o.Agent.ID, &allocatorpb.InverseOfferStatus{
			Status:      answer.Enum(),
			FrameworkId: f.Info.Id,
			Timestamp:   c.timeInfo(),
		}, wait)
		c.maintenance.view = nil
	}
}
