package allocator

import (
	"time"

	"stoa/internal/mesos/resources"
)

// filter hides resources of one agent from one framework in one role, after it
// declined them, until a time.
type filter struct {
	member  *member
	agent   *agent
	refused resources.Resources
	end     *deadline
}

// refuse hides resources from a member for a while, at least one allocation
// interval: a framework that declines in a loop must not be offered in a loop.
func (a *Allocator) refuse(now time.Time, m *member, ag *agent, rs resources.Resources, wait time.Duration) {
	until := now.Add(max(wait, a.cfg.Interval))
	for _, old := range ag.filters[m] {
		// One that hides less and not longer says nothing more.
		if !old.end.at.After(until) && rs.Contains(old.refused) {
			a.unfilter(old)
		}
	}
	f := &filter{member: m, agent: ag, refused: rs}
	f.end = a.deadlines.set(until, func() {
		a.forget(f)
		a.markFor(ag, m)
	})
	if m.filters == nil {
		m.filters = make(map[*filter]struct{})
	}
	m.filters[f] = struct{}{}
	if ag.filters == nil {
		ag.filters = make(map[*member][]*filter)
	}
	ag.filters[m] = append(ag.filters[m], f)
}

// unfilter ends a filter early.
func (a *Allocator) unfilter(f *filter) {
	a.deadlines.stop(f.end)
	a.forget(f)
}

func (a *Allocator) forget(f *filter) {
	delete(f.member.filters, f)
	var left []*filter // a new list: somebody may be going through the old one
	for _, one := range f.agent.filters[f.member] {
		if one != f {
			left = append(left, one)
		}
	}
	if len(left) == 0 {
		delete(f.agent.filters, f.member)
	} else {
		f.agent.filters[f.member] = left
	}
}

func (a *Allocator) unfilterMember(m *member) {
	for f := range m.filters {
		a.unfilter(f)
	}
}

func (a *Allocator) unfilterAgent(ag *agent) {
	for _, list := range ag.filters {
		for _, f := range list {
			a.unfilter(f)
		}
	}
}

// filtered says whether the member declined a superset of rs on that agent.
func (m *member) filtered(ag *agent, rs resources.Resources) bool {
	if len(ag.filters) == 0 {
		return false
	}
	for _, f := range ag.filters[m] {
		if f.refused.Contains(rs) {
			return true
		}
	}
	return false
}
