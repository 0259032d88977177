package allocator

import (
	"slices"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"

	"google.golang.org/protobuf/proto"
)

// AgentOptions are what the allocator must know of an agent beside its resources.
type AgentOptions struct {
	Hostname string
	Domain   *mesospb.DomainInfo
	// What the agent can do; see AgentInfo.Capability.
	MultiRole, HierarchicalRole bool
	// Attributes are what offer constraints look at; when they change, old filters
	// say nothing any more. Read only.
	Attributes []*mesospb.Attribute
}

func (o AgentOptions) equal(p AgentOptions) bool {
	return o.Hostname == p.Hostname && proto.Equal(o.Domain, p.Domain) &&
		o.MultiRole == p.MultiRole && o.HierarchicalRole == p.HierarchicalRole &&
		slices.EqualFunc(o.Attributes, p.Attributes, func(a, b *mesospb.Attribute) bool { return proto.Equal(a, b) })
}

// sameAttributes compares without regard to order.
func sameAttributes(a, b []*mesospb.Attribute) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(one *mesospb.Attribute) bool {
		return !slices.ContainsFunc(b, func(other *mesospb.Attribute) bool { return proto.Equal(one, other) })
	})
}

type agent struct {
	id      string
	options AgentOptions
	active  bool
	listed  bool // the whitelist has it
	remote  bool // it is in another region than the master
	hasGPU  bool
	total   resources.Resources
	// scalars are the quantities of total, as they count in the pool.
	scalars quantities
	shared  resources.Resources // the shared resources of total
	// taken is what is offered or used, without role of allocation; available what
	// nobody holds, and what is shared; spare the part of it that quotas are about.
	taken     resources.Resources
	available resources.Resources
	spare     resources.Quantities
	// held is the same as taken by framework, with role of allocation.
	held        map[string]resources.Resources
	filters     map[*member][]*filter
	maintenance *maintenance
	places      [memberships]int

	// The next run looks at a marked agent: for everybody, or for some members.
	marked  bool
	all     bool
	wanting []*member
}

// AddAgent makes an agent known and active, with what each framework already uses
// on it (allocated to roles).
func (a *Allocator) AddAgent(id string, options AgentOptions, total resources.Resources, used map[string]resources.Resources) {
	if _, ok := a.agents[id]; ok {
		a.RemoveAgent(id)
	}
	ag := &agent{id: id, active: true, held: make(map[string]resources.Resources)}
	a.agents[id] = ag
	a.describe(ag, options)
	a.setTotal(ag, total)
	a.use(ag, used)
	a.refresh(ag)
	a.agentCame()
}

// AddResources makes an agent larger by what a resource provider brings, with what
// frameworks already use of it (allocated to roles).
func (a *Allocator) AddResources(id string, more resources.Resources, used map[string]resources.Resources) {
	if ag := a.agents[id]; ag != nil {
		a.setTotal(ag, ag.total.Add(more))
		a.use(ag, used)
		a.refresh(ag)
	}
}

func (a *Allocator) use(ag *agent, used map[string]resources.Resources) {
	for framework, rs := range used {
		f := a.frameworks[framework]
		if f == nil {
			a.holdOrphan(framework, ag, rs)
			continue
		}
		for role, part := range rs.ByAllocation() {
			m := a.member(f, role)
			a.hold(m, ag, part)
			a.served(m)
		}
	}
}

// UpdateAgent replaces what an agent is and has. What is held stays held.
func (a *Allocator) UpdateAgent(id string, options AgentOptions, total resources.Resources) {
	ag := a.agents[id]
	if ag == nil || options.equal(ag.options) && total.Equal(ag.total) {
		return
	}
	if !sameAttributes(ag.options.Attributes, options.Attributes) {
		a.unfilterAgent(ag)
		a.askAgain(ag)
	}
	a.describe(ag, options)
	a.setTotal(ag, total)
	a.refresh(ag)
}

func (a *Allocator) describe(ag *agent, options AgentOptions) {
	ag.options = options
	ag.listed = a.listed(ag)
	region := options.Domain.GetFaultDomain().GetRegion()
	own := a.cfg.MasterDomain.GetFaultDomain().GetRegion()
	ag.remote = region != nil && own != nil && region.GetName() != own.GetName()
	for _, f := range a.constrained {
		f.forgetVerdict(ag)
	}
}

func (a *Allocator) setTotal(ag *agent, total resources.Resources) {
	before := ag.total
	scalars := scalarsOf(total)
	if !slices.Equal(scalars, ag.scalars) {
		a.pool.change(scalars, ag.scalars)
	}
	ag.total, ag.scalars = total, scalars
	ag.shared = total.Shared()
	ag.hasGPU = total.Gpus() > 0
	a.reserve(total)
	a.unreserve(before)
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

// SetWhitelist has only the agents of these host names offered; nil means all agents,
// an empty list none.
func (a *Allocator) SetWhitelist(hostnames []string) {
	a.whitelist = nil
	if hostnames != nil {
		a.whitelist = make(map[string]struct{}, len(hostnames))
		for _, name := range hostnames {
			a.whitelist[name] = struct{}{}
		}
	}
	for _, ag := range a.agents {
		if listed := a.listed(ag); listed != ag.listed {
			ag.listed = listed
			a.refresh(ag)
		}
	}
	a.sortMarked()
}

func (a *Allocator) listed(ag *agent) bool {
	if a.whitelist == nil {
		return true
	}
	_, ok := a.whitelist[ag.options.Hostname]
	return ok
}

// RemoveAgent forgets an agent and everything held on it.
func (a *Allocator) RemoveAgent(id string) {
	ag := a.agents[id]
	if ag == nil {
		return
	}
	a.unfilterAgent(ag)
	a.endMaintenance(ag)
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
	for _, f := range a.constrained {
		f.forgetVerdict(ag)
	}
	a.setTotal(ag, resources.Resources{})
	ag.active = false
	a.refresh(ag)
	a.later.drop(ag)
	delete(a.agents, id)
}

// refresh brings an agent that changed in or out of the free ones and has the next
// run look at it.
func (a *Allocator) refresh(ag *agent) {
	a.account(ag)
	a.mark(ag)
}

// account computes what nobody holds of an agent, and where the agent belongs by that.
func (a *Allocator) account(ag *agent) {
	if ag.shared.Empty() {
		ag.available = ag.total.Subtract(ag.taken)
	} else {
		ag.available = ag.total.NonShared().Subtract(ag.taken.NonShared()).Add(ag.shared)
	}
	spare := spareOf(ag.available)
	a.spareChanged(ag.spare, spare)
	ag.spare = spare
	if ag.active && ag.listed && !ag.available.Empty() {
		a.free.put(ag)
	} else {
		a.free.drop(ag)
		a.withheld.drop(ag)
	}
}

// hold books resources on an agent for a member. Whoever calls it sees to the account.
func (a *Allocator) hold(m *member, ag *agent, rs resources.Resources) {
	a.holdParts(m, ag, rs, rs.Unallocate())
}

func (a *Allocator) holdParts(m *member, ag *agent, rs, unallocated resources.Resources) {
	m.held[ag.id] = m.held[ag.id].Add(rs)
	id := m.framework.id
	ag.held[id] = ag.held[id].Add(rs)
	ag.taken = ag.taken.Add(unallocated)
	a.charge(m, holdingOf(ag, rs))
	if ag.maintenance != nil {
		a.inverse.put(ag)
	}
}

// unhold is the opposite of hold; the agent's free resources may meet a demand now.
// What the member does not hold is left out.
func (a *Allocator) unhold(m *member, ag *agent, rs resources.Resources) {
	before := m.held[ag.id]
	if !before.Contains(rs) {
		rs = before.Subtract(before.Subtract(rs))
	}
	if rs.Empty() {
		return
	}
	if after := before.Subtract(rs); after.Empty() {
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
	a.discharge(m, holdingOf(ag, rs))
	a.refresh(ag)
}

// Held returns what each framework holds on an agent, offered or used, with roles of
// allocation. Read only.
func (a *Allocator) Held(agent string) map[string]resources.Resources {
	ag := a.agents[agent]
	if ag == nil {
		return nil
	}
	held := make(map[string]resources.Resources, len(ag.held))
	for framework, rs := range ag.held {
		held[framework] = rs
	}
	return held
}

// Orphans are holdings of frameworks that are not known yet.

func (a *Allocator) holdOrphan(framework string, ag *agent, rs resources.Resources) {
	ag.held[framework] = ag.held[framework].Add(rs)
	ag.taken = ag.taken.Add(rs.Unallocate().Merged())
	if a.orphans[framework] == nil {
		a.orphans[framework] = make(map[string]*agent)
	}
	a.orphans[framework][ag.id] = ag
}

func (a *Allocator) unholdOrphan(framework string, ag *agent, rs resources.Resources) {
	if a.orphans[framework][ag.id] == nil {
		return
	}
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
