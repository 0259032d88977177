package core

import (
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/app"
	"stoa/marathon/event"
	"stoa/marathon/id"
	"stoa/marathon/instance"
	"stoa/marathon/launch"

	"google.golang.org/protobuf/proto"
)

// maxUnusedOffers bounds how many agents' last refused offers are kept for one app.
const maxUnusedOffers = 100

// waiting is an app with instances that want an offer, and how offers fared so far.
type waiting struct {
	app   id.Path
	since time.Time

	processed, unused  int
	lastUsed, lastIdle time.Time
	rejects            map[launch.Reason]int
	// cursor is where the search for the next instance begins.
	cursor int
	// last has the last refused offer of each agent, oldest first.
	last []UnusedOffer
}

// UnusedOffer is an offer that an app could not use.
type UnusedOffer struct {
	Offer   *mesospb.Offer
	Reasons []launch.Reason
	At      time.Time
}

// settleWaiting keeps the record of an app that waits for offers, and drops it when
// all its instances have found a place.
func (c *Core) settleWaiting(s *appState, now time.Time) {
	var since time.Time
	for _, e := range s.instances {
		if e.Scheduled() && (since.IsZero() || e.State.Since.Before(since)) {
			since = e.State.Since
		}
	}
	switch w := c.waiting[s.id]; {
	case since.IsZero():
		delete(c.waiting, s.id)
	case w == nil:
		c.waiting[s.id] = &waiting{app: s.id, since: since, rejects: map[launch.Reason]int{}}
	default:
		w.since = since
	}
}

// launchSpec is the definition that a waiting instance is launched with: the present
// one, except for an old instance whose turn in a rolling restart has not come yet.
func (c *Core) launchSpec(i *instance.Instance) *app.App {
	a := c.root.App(i.AppID)
	if a == nil {
		return nil
	}
	if r := c.locks[i.AppID]; r != nil && i.Version != a.Version() && r.restarts(i.AppID) {
		return c.spec(i)
	}
	return a
}

// readyRoles adds the roles of the waiting instances of an app that may be launched now.
func (c *Core) readyRoles(appID id.Path, now time.Time, roles map[string]bool) {
	for _, e := range c.app(appID).instances {
		if !roles[e.Role] && c.readySpec(e.Instance, now) != nil {
			roles[e.Role] = true
		}
	}
}

// readySpec is the definition to launch an instance with; nil when it does not wait
// for an offer, or has to wait for the end of a delay first.
func (c *Core) readySpec(i *instance.Instance, now time.Time) *app.App {
	if !i.Scheduled() {
		return nil
	}
	if a := c.launchSpec(i); a != nil && c.delays.Until(a, now).IsZero() {
		return a
	}
	return nil
}

// firstReady finds the first waiting instance of an app that may take an offer made to
// a role. While offers are handed out, those before the cursor cannot become ready.
func (c *Core) firstReady(w *waiting, role string, now time.Time) (*instance.Instance, *app.App) {
	entries := c.app(w.app).instances
	front := true
	for at := w.cursor; at < len(entries); at++ {
		i := entries[at].Instance
		if a := c.readySpec(i, now); a != nil && i.Role == role {
			return i, a
		}
		if front && !i.Scheduled() {
			w.cursor = at + 1
		} else {
			front = false
		}
	}
	return nil, nil
}

// Offers finds places for waiting instances and answers every offer. Each offer in
// turn launches one instance, so that they spread over the agents, until no offer
// fits any more.
func (c *Core) Offers(offers []*mesospb.Offer, now time.Time) {
	c.Settle(now)
	order := make([]*waiting, 0, len(c.waiting))
	for _, w := range c.waiting {
		w.cursor = 0
		order = append(order, w)
	}
	slices.SortFunc(order, func(a, b *waiting) int {
		if d := a.since.Compare(b.since); d != 0 {
			return d
		}
		return id.Compare(a.app, b.app)
	})
	pools := make([]*offerRun, len(offers))
	for n, o := range offers {
		pools[n] = &offerRun{pool: launch.NewPool(o), refused: map[id.Path]bool{}}
	}
	for progress := true; progress; {
		progress = false
		for _, p := range pools {
			if len(p.launches) < c.settings.MaxInstancesPerOffer && c.launchOne(p, order, now) {
				progress = true
			}
		}
	}
	c.Settle(now)
	c.answerOffers(pools)
}

// offerRun is an offer while it is being used.
type offerRun struct {
	pool     *launch.Pool
	launches []*mesospb.TaskInfo
	// refused are the apps that this offer cannot serve any more.
	refused map[id.Path]bool
	// next is where the search begins, so that apps take turns.
	next int
}

// launchOne launches at most one instance from an offer.
func (c *Core) launchOne(p *offerRun, order []*waiting, now time.Time) bool {
	for n := range order {
		w := order[(p.next+n)%len(order)]
		if p.refused[w.app] {
			continue
		}
		i, a := c.firstReady(w, p.pool.Role, now)
		if i == nil {
			continue
		}
		l, reasons := c.matcher.Match(p.pool, launch.Request{
			App: a, Instance: i, LocalRegion: c.region, EnforceRole: c.enforcesRole(a.ID),
			Siblings: func() []*instance.Instance { return c.list(a.ID) },
		}, now)
		if l == nil {
			p.refused[w.app] = true
			w.refused(p.pool.Offer, reasons, now)
			continue
		}
		w.processed++
		w.lastUsed = now
		p.launches = append(p.launches, l.Info)
		p.next = (p.next + n + 1) % len(order)
		c.provision(i, a, l, now)
		return true
	}
	return false
}

// refused counts an offer that was of no use.
func (w *waiting) refused(offer *mesospb.Offer, reasons []launch.Reason, now time.Time) {
	w.processed++
	w.unused++
	w.lastIdle = now
	for _, r := range launch.Funnel {
		if slices.Contains(reasons, r) {
			w.rejects[r]++
			break
		}
	}
	agent := offer.GetAgentId().GetValue()
	w.last = slices.DeleteFunc(w.last, func(u UnusedOffer) bool { return u.Offer.GetAgentId().GetValue() == agent })
	if len(w.last) >= maxUnusedOffers {
		w.last = w.last[1:]
	}
	w.last = append(w.last, UnusedOffer{Offer: offer, Reasons: reasons, At: now})
}

func (c *Core) enforcesRole(appID id.Path) bool {
	if appID.IsTopLevel() {
		return false
	}
	top := c.root.Child(id.Of(appID.First()))
	return top != nil && top.EnforceRole
}

// provision records a launch; it is stored before the offer is accepted.
func (c *Core) provision(i *instance.Instance, a *app.App, l *launch.Launch, now time.Time) {
	c.remember(a)
	next := i.Provision(l.Agent, l.Task, now)
	c.put(next, now)
	c.publish(event.InstanceChanged{Instance: next}, now)
	c.delays.Advanced(a, now)
	c.wakeForDelay(a, now)
}

// answerOffers accepts the offers that are used and declines the others.
func (c *Core) answerOffers(pools []*offerRun) {
	var declined []*mesospb.OfferID
	for _, p := range pools {
		if len(p.launches) == 0 {
			declined = append(declined, p.pool.Offer.GetId())
			c.demand.declined[p.pool.Role] = true
			continue
		}
		c.call(&schedulerpb.Call{
			Type: schedulerpb.Call_ACCEPT.Enum(),
			Accept: &schedulerpb.Call_Accept{
				OfferIds: []*mesospb.OfferID{p.pool.Offer.GetId()},
				Operations: []*mesospb.Offer_Operation{{
					Type:   mesospb.Offer_Operation_LAUNCH.Enum(),
					Launch: &mesospb.Offer_Operation_Launch{TaskInfos: p.launches},
				}},
				// What is left is welcome again at once.
				Filters: &mesospb.Filters{RefuseSeconds: proto.Float64(0)},
			},
		})
	}
	if len(declined) > 0 {
		c.call(&schedulerpb.Call{
			Type: schedulerpb.Call_DECLINE.Enum(),
			Decline: &schedulerpb.Call_Decline{
				OfferIds: declined,
				Filters:  &mesospb.Filters{RefuseSeconds: proto.Float64(c.settings.DeclineFor.Seconds())},
			},
		})
	}
}

// InverseOffers declines them all: Marathon leaves an agent under maintenance when its
// tasks are killed there, as the original does.
func (c *Core) InverseOffers(offers []*mesospb.InverseOffer) {
	var ids []*mesospb.OfferID
	for _, o := range offers {
		ids = append(ids, o.GetId())
	}
	if len(ids) > 0 {
		c.call(&schedulerpb.Call{
			Type:                 schedulerpb.Call_DECLINE_INVERSE_OFFERS.Enum(),
			DeclineInverseOffers: &schedulerpb.Call_DeclineInverseOffers{InverseOfferIds: ids},
		})
	}
}
