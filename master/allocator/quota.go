package allocator

import "stoa/internal/mesos/resources"

// Quota bounds what a role consumes: what is reserved to it and the roles below it,
// whether anybody holds it or not, and what they hold that is neither reserved nor
// revocable.
type Quota struct {
	// Guarantees are amounts that the role gets before others get more than is to
	// spare. Only the guarantees of roles of the top level keep anything from others.
	Guarantees resources.Quantities
	// Limits are amounts that an allocation to the role never takes its consumption
	// over. They bind the role itself; a role below it may go over them.
	Limits resources.Limits
}

func (q Quota) isDefault() bool { return q.Guarantees.Empty() && q.Limits.Empty() }

// cut is the least room that there was for a role when its quota kept something from
// it, by names of which it was kept. While there is no more room, there is no sense in
// looking again.
type cut struct {
	room    quantities // under the limits
	deficit quantities // of the guarantees
}

// SetQuota changes the quota of a role; the zero Quota ends it. What is allocated
// already stays allocated.
func (a *Allocator) SetQuota(path string, quota Quota) {
	r := a.roleAt(path)
	r.quota = quota
	a.requote(r)
	a.releaseWithheld()
	a.release(r)
}

// consumed is what the role consumes of its quota.
func (r *role) consumed() resources.Quantities { return r.reserved.Add(r.spareHeld) }

// room is what the limits of the role still allow.
func (r *role) room() resources.Limits { return r.quota.Limits.Subtract(r.consumed()) }

// consumptionChanged keeps what follows from the consumption of a role.
func (a *Allocator) consumptionChanged(r *role, more bool) {
	if !r.quota.Guarantees.Empty() || !r.deficit.Empty() {
		a.requote(r)
	}
	if !more && r.cut != nil && !r.eased {
		r.eased = true
		a.eased = append(a.eased, r)
	}
}

// requote computes the deficit of a role anew, and what it is part of.
func (a *Allocator) requote(r *role) {
	before := r.deficit
	r.deficit = r.quota.Guarantees.Subtract(r.consumed())
	if before.Equal(r.deficit) {
		return
	}
	switch {
	case before.Empty():
		a.inDeficit++
	case r.deficit.Empty():
		a.inDeficit--
	}
	if r.parent == a.root {
		a.required = a.required.Subtract(before).Add(r.deficit)
		a.surplusKnown = false
	}
}

// spareChanged takes in that agents have other spare resources that nobody holds.
func (a *Allocator) spareChanged(before, after resources.Quantities) {
	if before.Equal(after) {
		return
	}
	a.headroom = a.headroom.Subtract(before).Add(after)
	a.surplusKnown = false
}

// spareSurplus is what may be allocated beyond guarantees: what nobody holds, less what
// must stay free for the guarantees that are not met.
func (a *Allocator) spareSurplus() resources.Quantities {
	if !a.surplusKnown {
		a.surplus, a.surplusKnown = a.headroom.Subtract(a.required), true
	}
	return a.surplus
}

// underLimits is the part of spare resources that the limits of a role allow beside
// taken, which it is about to be given.
func (a *Allocator) underLimits(r *role, rs, taken resources.Resources) resources.Resources {
	if r.quota.Limits.Empty() || rs.Empty() {
		return rs
	}
	room := r.room()
	if !taken.Empty() {
		room = room.Subtract(taken.ScalarQuantities())
	}
	return rs.ShrinkToLimits(room, a.random.Shuffle)
}

// besideGuarantees is the part of spare resources that is not held back for
// guarantees.
func (a *Allocator) besideGuarantees(rs resources.Resources) resources.Resources {
	if a.required.Empty() || rs.Empty() {
		return rs
	}
	return rs.ShrinkToQuantities(a.spareSurplus(), a.random.Shuffle)
}

// quotaBounds is the part of spare resources that a role may have in the second stage.
// What quotas keep from it is remembered, so that the agent is looked at again when
// there is more room.
func (a *Allocator) quotaBounds(r *role, ag *agent, rs resources.Resources) resources.Resources {
	limited := a.underLimits(r, rs, resources.Resources{})
	left := a.besideGuarantees(limited)
	if r.quota.Limits.Empty() && a.required.Empty() {
		return left
	}
	if r.cut == nil && !r.quota.isDefault() {
		r.cut = &cut{}
	}
	withheld := false
	for name, amount := range rs.ScalarQuantities().All() {
		if after := amountOf(limited, name); after < amount {
			withheld = true
			room, _ := r.room().Get(name)
			r.cut.room.least(name, room)
			amount = after
		}
		if amountOf(left, name) < amount {
			withheld = true
			a.cutSurplus.least(name, a.spareSurplus().Get(name))
			if !r.quota.Guarantees.Empty() {
				r.cut.deficit.least(name, r.deficit.Get(name))
			}
		}
	}
	if withheld {
		a.withhold(ag)
	}
	return left
}

// least keeps the smallest amount of a name that it is given.
func (q *quantities) least(name string, amount resources.Scalar) {
	for i := range *q {
		if (*q)[i].name == name {
			(*q)[i].amount = min((*q)[i].amount, amount)
			return
		}
	}
	*q = append(*q, quantity{name, amount})
}

// withhold remembers an agent of which quotas kept something from somebody.
func (a *Allocator) withhold(ag *agent) { a.withheld.put(ag) }

// releaseWithheld has the next run look at all of these agents.
func (a *Allocator) releaseWithheld() {
	for _, ag := range a.withheld.list {
		a.mark(ag)
	}
	a.forgetCuts()
	a.quotasEased = false
}

// forgetCuts forgets the marks of what was withheld: all of it is looked at again.
func (a *Allocator) forgetCuts() {
	a.cutSurplus = nil
	for _, r := range a.roles {
		r.cut = nil
	}
}

// quotasEase says whether there is more room now than when something was withheld.
func (a *Allocator) quotasEase() bool {
	ease := false
	for _, one := range a.cutSurplus {
		ease = ease || a.spareSurplus().Get(one.name) > one.amount
	}
	for _, r := range a.eased {
		r.eased = false
		if r.cut == nil || ease {
			continue
		}
		room := r.room()
		for _, one := range r.cut.room {
			bound, limited := room.Get(one.name)
			ease = ease || !limited || bound > one.amount
		}
		for _, one := range r.cut.deficit {
			ease = ease || r.deficit.Get(one.name) > one.amount
		}
	}
	clear(a.eased)
	a.eased = a.eased[:0]
	return ease
}
