package allocator

import (
	"slices"
	"time"

	"stoa/internal/mesos/resources"
)

// FrameworkOptions are what the allocator must know of a framework.
type FrameworkOptions struct {
	// Roles are the roles it is subscribed to.
	Roles []string
	// Suppressed are those of them that want no offers now.
	Suppressed map[string]bool

	// What the framework understands; see FrameworkInfo.Capability.
	Revocable, Shared, Refined, GPU, MultiRole, RegionAware bool

	// MinAllocatable overrides, by role, the smallest offer it wants: at least one
	// of the sets must be there in full. An empty list has no minimum.
	MinAllocatable map[string][]resources.Quantities

	// Constraints say which agents it is offered; nil says all.
	Constraints *Constraints
}

type framework struct {
	id      string
	options FrameworkOptions
	active  bool
	members map[string]*member // by role
	// asked are the agents whose maintenance knows of the framework.
	asked map[*agent]struct{}
}

// AddFramework makes a framework known. It gets offers once it is activated.
func (a *Allocator) AddFramework(id string, options FrameworkOptions) {
	if _, ok := a.frameworks[id]; ok {
		a.UpdateFramework(id, options)
		return
	}
	f := &framework{id: id, members: make(map[string]*member)}
	a.frameworks[id] = f
	a.setOptions(f, options)
	// What agents reported it to hold before it was known counts from now on.
	for _, ag := range a.orphans[id] {
		held := ag.held[id]
		a.unholdOrphan(id, ag, held)
		for role, part := range held.ByAllocation() {
			m := a.member(f, role)
			a.hold(m, ag, part)
			a.served(m)
		}
		a.refresh(ag)
	}
}

// UpdateFramework replaces the options: new roles want offers, unless suppressed;
// roles no longer subscribed keep what they hold. A role that is suppressed no longer
// is revived.
func (a *Allocator) UpdateFramework(id string, options FrameworkOptions) {
	f := a.frameworks[id]
	if f == nil {
		return
	}
	revived := false
	for role, m := range f.members {
		if m.subscribed && m.suppressed && !options.Suppressed[role] {
			a.unfilterMember(m)
			revived = true
		}
	}
	if revived {
		a.askFrameworkAgain(f)
	}
	a.setOptions(f, options)
}

func (a *Allocator) setOptions(f *framework, options FrameworkOptions) {
	f.options = options
	if options.Constraints == nil {
		delete(a.constrained, f.id)
	} else {
		a.constrained[f.id] = f
	}
	for _, role := range options.Roles {
		m := a.member(f, role)
		m.subscribed, m.suppressed = true, options.Suppressed[role]
	}
	for role, m := range f.members {
		m.excluded = nil
		if !slices.Contains(options.Roles, role) {
			m.subscribed = false
			a.unfilterMember(m)
		}
		a.settle(m)
		a.markDemand(m)
	}
}

// ActivateFramework lets a framework have offers; DeactivateFramework ends that
// and forgets what it declined. What it holds stays held.
func (a *Allocator) ActivateFramework(id string) { a.setActive(id, true) }

// DeactivateFramework is the opposite of ActivateFramework.
func (a *Allocator) DeactivateFramework(id string) { a.setActive(id, false) }

func (a *Allocator) setActive(id string, active bool) {
	f := a.frameworks[id]
	if f == nil || f.active == active {
		return
	}
	f.active = active
	for _, m := range f.members {
		if !active {
			a.unfilterMember(m)
		}
		a.settle(m)
		a.markDemand(m)
	}
	a.askFrameworkAgain(f)
}

// RemoveFramework forgets a framework. What it still holds is free again.
func (a *Allocator) RemoveFramework(id string) {
	f := a.frameworks[id]
	if f == nil {
		return
	}
	f.active = false
	a.forgetAsked(f)
	delete(a.constrained, id)
	for _, m := range f.members {
		m.subscribed = false
		a.unfilterMember(m)
		for _, ag := range a.agentsHolding(m) {
			a.unhold(m, ag, m.held[ag.id])
		}
		a.settle(m)
	}
	delete(a.frameworks, id)
}

func (a *Allocator) agentsHolding(m *member) []*agent {
	var out []*agent
	for id := range m.held {
		if ag := a.agents[id]; ag != nil {
			out = append(out, ag)
		}
	}
	return out
}

// Suppress stops the offers to a framework for roles it is subscribed to; no
// roles means all.
func (a *Allocator) Suppress(id string, roles []string) {
	a.eachMember(id, roles, func(m *member) {
		m.suppressed = true
		a.settle(m)
	})
}

// Revive starts the offers again and forgets what the framework declined.
func (a *Allocator) Revive(id string, roles []string) {
	a.eachMember(id, roles, func(m *member) {
		m.suppressed = false
		a.unfilterMember(m)
		a.settle(m)
		a.markDemand(m)
	})
	if f := a.frameworks[id]; f != nil {
		a.askFrameworkAgain(f)
	}
}

func (a *Allocator) eachMember(id string, roles []string, do func(*member)) {
	f := a.frameworks[id]
	if f == nil {
		return
	}
	for role, m := range f.members {
		if m.subscribed && (len(roles) == 0 || slices.Contains(roles, role)) {
			do(m)
		}
	}
}

// member finds or makes the framework's place in a role.
func (a *Allocator) member(f *framework, path string) *member {
	if m := f.members[path]; m != nil {
		return m
	}
	r := a.roleAt(path)
	m := &member{
		rank:      rank{name: f.id, weight: 1},
		framework: f,
		role:      r,
		held:      make(map[string]resources.Resources),
	}
	f.members[path], r.members[f.id] = m, m
	a.lots = nil
	return m
}

// settle puts the member where it now belongs, or removes one without a reason.
func (a *Allocator) settle(m *member) {
	a.setClient(m, m.framework.active && m.subscribed && !m.suppressed)
	if m.subscribed || len(m.held) > 0 {
		return
	}
	delete(m.framework.members, m.role.path)
	delete(m.role.members, m.framework.id)
	a.lots = nil
	a.release(m.role)
}

// Decline returns resources of an offer that nobody used, and hides them from the
// framework for wait, at least one allocation interval.
func (a *Allocator) Decline(now time.Time, framework, id string, rs resources.Resources, wait time.Duration) {
	a.giveBack(framework, id, rs, func(m *member, ag *agent, part resources.Resources) {
		if m.framework.active && m.subscribed {
			a.refuse(now, m, ag, part.Unallocate().Merged(), wait)
		}
	})
}

// Recover returns resources that were offered, or used by a task or executor that
// is over, without any filter.
func (a *Allocator) Recover(framework, agent string, rs resources.Resources) {
	a.giveBack(framework, agent, rs, nil)
}

func (a *Allocator) giveBack(framework, id string, rs resources.Resources, then func(*member, *agent, resources.Resources)) {
	ag := a.agents[id]
	if ag == nil {
		return
	}
	f := a.frameworks[framework]
	if f == nil {
		a.unholdOrphan(framework, ag, rs)
		return
	}
	for role, part := range rs.ByAllocation() {
		m := f.members[role]
		if m == nil {
			continue
		}
		a.unhold(m, ag, part)
		if then != nil {
			then(m, ag, part)
		}
		a.settle(m)
	}
}
