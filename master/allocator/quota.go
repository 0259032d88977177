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
		a.surplusKnown, a.surplusMoved = false, true
	}
}

// spareChanged takes in that agents have other spare resources that nobody holds.
func (a *Allocator) spareChanged(before, after resources.Quantities) {
	if before.Equal(after) {
		return
	}
	a.headroom = a.headroom.Subtract(before).Add(after)
	a.surplusKnown, a.surplusMoved = false, true
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
// guarantees. towards are guarantees that what is given counts for: of what there is to
// spare, so much more can be given.
func (a *Allocator) besideGuarantees(rs resources.Resources, towards resources.Quantities) resources.Resources {
	if a.required.Empty() || rs.Empty() {
		return rs
	}
	bound := a.spareSurplus()
	for name, amount := range towards.All() {
		if bound.Get(name) > 0 {
			bound = bound.Add(resources.QuantitiesOf(map[string]resources.Scalar{name: amount}))
		}
	}
	return rs.ShrinkToQuantities(bound, a.random.Shuffle)
}

// top is the role of the top level that a role is, or is below.
func (r *role) top() *role {
	for r.parent.parent != nil {
		r = r.parent
	}
	return r
}

// kept are the names of which quotas kept something from a role: its own limits, and the
// guarantees of others.
type kept struct {
	byLimits, byGuarantees []string
}

// quotaBounds is the part of spare resources that a role may have in the second stage,
// and what it is kept from.
func (a *Allocator) quotaBounds(r *role, rs resources.Resources) (resources.Resources, kept) {
	var k kept
	limited := a.underLimits(r, rs, resources.Resources{})
	left := a.besideGuarantees(limited, r.top().deficit)
	if r.quota.Limits.Empty() && a.required.Empty() {
		return left, k
	}
	for name, amount := range rs.ScalarQuantities().All() {
		after := amountOf(limited, name)
		if after < amount {
			k.byLimits = append(k.byLimits, name)
		}
		if amountOf(left, name) < after {
			k.byGuarantees = append(k.byGuarantees, name)
		}
	}
	return left, k
}

// withhold remembers an agent of which quotas kept something from a role, and how much
// room that left: when there is more, the agent is looked at again.
func (a *Allocator) withhold(r *role, ag *agent, k kept) {
	if len(k.byLimits) == 0 && len(k.byGuarantees) == 0 || !a.free.has(ag) {
		return
	}
	a.withheld.put(ag)
	if r.cut == nil && !r.quota.isDefault() {
		r.cut = &cut{}
	}
	for _, name := range k.byLimits {
		room, _ := r.room().Get(name)
		r.cut.room.least(name, room)
	}
	for _, name := range k.byGuarantees {
		a.cutSurplus.least(name, a.spareSurplus().Get(name))
		if !r.quota.Guarantees.Empty() {
			r.cut.deficit.least(name, r.deficit.Get(name))
		}
	}
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
	a.surplusMoved = false
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
