package allocator

import (
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// AgentOptions are what the allocator must know of an agent beside its resources.
type AgentOptions struct {
	Hostname string
	Domain   *mesospb.DomainInfo
	// What the agent can do; see AgentInfo.Capability.
	MultiRole, HierarchicalRole bool
	// Attributes as text: when they change, old filters say nothing any more.
	Attributes string
}

type agent struct {
	id      string
	options AgentOptions
	active  bool
	total   resources.Resources
	// scalars are the quantities of total, as they count in the pool.
	scalars quantities
	shared  bool // total has shared resources
	// taken is what is offered or used, without role of allocation.
	taken resources.Resources
	// held is the same by framework, with role of allocation.
	held    map[string]resources.Resources
	filters map[*member]map[*filter]struct{}
	marked  bool
	free    bool // is in Allocator.free
}

// available is what nobody holds.
func (ag *agent) available() resources.Resources {
	if !ag.shared {
		return ag.total.Subtract(ag.taken)
	}
	return ag.total.NonShared().Subtract(ag.taken.NonShared()).Add(ag.total.Shared())
}

// AddAgent makes an agent known and active, with what each framework already uses
// on it (allocated to roles).
func (a *Allocator) AddAgent(id string, options AgentOptions, total resources.Resources, used map[string]resources.Resources) {
	if _, ok := a.agents[id]; ok {
		a.RemoveAgent(id)
	}
	ag := &agent{id: id, options: options, active: true, held: make(map[string]resources.Resources)}
	a.agents[id] = ag
	a.setTotal(ag, total)
	for framework, rs := range used {
		f := a.frameworks[framework]
		if f == nil {
			a.holdOrphan(framework, ag, rs)
			continue
		}
		for role, part := range rs.ByAllocation() {
			a.hold(f, role, ag, part)
		}
	}
	a.refresh(ag)
}

// UpdateAgent replaces what an agent is and has. What is held stays held.
func (a *Allocator) UpdateAgent(id string, options AgentOptions, total resources.Resources) {
	ag := a.agents[id]
	if ag == nil {
		return
	}
	if ag.options.Attributes != options.Attributes {
		a.unfilterAgent(ag)
	}
	ag.options = options
	a.setTotal(ag, total)
	a.refresh(ag)
}

func (a *Allocator) setTotal(ag *agent, total resources.Resources) {
	a.pool.shrink(ag.scalars)
	ag.total, ag.scalars = total, quantitiesOf(total)
	ag.shared = !total.Shared().Empty()
	a.pool.grow(ag.scalars)
}

// ActivateAgent lets the agent's resources be offered; DeactivateAgent ends that.
func (a *Allocator) ActivateAgent(id string) { a.setAgentActive(id, true) }

// DeactivateAgent is the opposite of ActivateAgent.
func (a *Allocator) DeactivateAgent(id string) { a.setAgentActive(id, false) }

func (a *Allocator) setAgentActive(id string, active bool) {
	if ag := a.agents[id]; ag != nil && ag.active != active {
		ag.active = active
		a.refresh(ag)
	}
}

// RemoveAgent forgets an agent and everything held on it.
func (a *Allocator) RemoveAgent(id string) {
	ag := a.agents[id]
	if ag == nil {
		return
	}
	a.unfilterAgent(ag)
	for framework, rs := range ag.held {
		f := a.frameworks[framework]
		if f == nil {
			a.unholdOrphan(framework, ag, rs)
			continue
		}
		for role, part := range rs.ByAllocation() {
			if m := f.members[role]; m != nil {
				a.unhold(m, ag, part)
				a.settle(m)
			}
		}
	}
	a.pool.shrink(ag.scalars)
	ag.active = false
	a.refresh(ag)
	delete(a.agents, id)
}

// Convert applies what an operation did to resources a framework was offered or
// holds: consumed becomes converted, in the framework's holdings and in the
// agent's total. Both carry their role of allocation.
func (a *Allocator) Convert(framework, agent string, consumed, converted resources.Resources) {
	ag := a.agents[agent]
	if ag == nil {
		return
	}
	if f := a.frameworks[framework]; f != nil {
		for role, part := range consumed.ByAllocation() {
			if m := f.members[role]; m != nil {
				a.unhold(m, ag, part)
			}
		}
		for role, part := range converted.ByAllocation() {
			a.hold(f, role, ag, part)
		}
	}
	a.setTotal(ag, ag.total.Subtract(consumed.Unallocate()).Add(converted.Unallocate()))
	a.refresh(ag)
}

// hold books resources on an agent for a framework in a role.
func (a *Allocator) hold(f *framework, role string, ag *agent, rs resources.Resources) {
	a.book(a.member(f, role), ag, rs, false)
}

// book is hold for a member; taken says that this run allocated rs.
func (a *Allocator) book(m *member, ag *agent, rs resources.Resources, taken bool) {
	before, id := m.held[ag.id], m.framework.id
	m.held[ag.id] = before.Add(rs)
	ag.held[id] = ag.held[id].Add(rs)
	ag.taken = ag.taken.Add(rs.Unallocate())
	a.charge(m, added(before, rs), nil, taken)
}

// unhold is the opposite of hold; the agent's free resources may meet a demand now.
func (a *Allocator) unhold(m *member, ag *agent, rs resources.Resources) {
	after := m.held[ag.id].Subtract(rs)
	if after.Empty() {
		delete(m.held, ag.id)
	} else {
		m.held[ag.id] = after
	}
	id := m.framework.id
	if left := ag.held[id].Subtract(rs); left.Empty() {
		delete(ag.held, id)
	} else {
		ag.held[id] = left
	}
	ag.taken = ag.taken.Subtract(rs.Unallocate())
	a.charge(m, nil, added(after, rs), false)
	a.refresh(ag)
}

// added are the quantities by which rs makes have larger: a shared resource that
// is there already adds nothing.
func added(have, rs resources.Resources) quantities {
	var q quantities
	for r := range rs.All() {
		if r.Type() != mesospb.Value_SCALAR || r.IsShared() && have.Count(r) > 0 {
			continue
		}
		q.add(r.Name(), r.Scalar())
	}
	return q
}

// Orphans are holdings of frameworks that are not known yet.

func (a *Allocator) holdOrphan(framework string, ag *agent, rs resources.Resources) {
	ag.held[framework] = ag.held[framework].Add(rs)
	ag.taken = ag.taken.Add(rs.Unallocate())
	if a.orphans[framework] == nil {
		a.orphans[framework] = make(map[string]*agent)
	}
	a.orphans[framework][ag.id] = ag
}

func (a *Allocator) unholdOrphan(framework string, ag *agent, rs resources.Resources) {
	if left := ag.held[framework].Subtract(rs); left.Empty() {
		delete(ag.held, framework)
		delete(a.orphans[framework], ag.id)
		if len(a.orphans[framework]) == 0 {
			delete(a.orphans, framework)
		}
	} else {
		ag.held[framework] = left
	}
	ag.taken = ag.taken.Subtract(rs.Unallocate())
	a.refresh(ag)
}
