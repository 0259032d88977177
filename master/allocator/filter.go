package allocator

import (
	"container/heap"
	"time"

	"stoa/internal/mesos/resources"
)

// filter hides resources of one agent from one framework in one role, after it
// declined them, until a time.
type filter struct {
	member  *member
	agent   *agent
	refused resources.Resources
	until   time.Time
	seq     uint64
	index   int
}

// filters are ordered by the time at which they end.
type filters []*filter

func (h filters) Len() int { return len(h) }
func (h filters) Less(i, j int) bool {
	if !h[i].until.Equal(h[j].until) {
		return h[i].until.Before(h[j].until)
	}
	return h[i].seq < h[j].seq
}
func (h filters) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *filters) Push(x any) {
	f := x.(*filter)
	f.index = len(*h)
	*h = append(*h, f)
}
func (h *filters) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return last
}

// refuse hides resources from a member for a while, at least one allocation
// interval: a framework that declines in a loop must not be offered in a loop.
func (a *Allocator) refuse(now time.Time, m *member, ag *agent, rs resources.Resources, wait time.Duration) {
	f := &filter{
		member:  m,
		agent:   ag,
		refused: rs,
		until:   now.Add(max(wait, a.cfg.Interval)),
	}
	a.seq++
	f.seq = a.seq
	heap.Push(&a.expiry, f)
	if m.filters == nil {
		m.filters = make(map[*filter]struct{})
	}
	m.filters[f] = struct{}{}
	if ag.filters == nil {
		ag.filters = make(map[*member]map[*filter]struct{})
	}
	if ag.filters[m] == nil {
		ag.filters[m] = make(map[*filter]struct{})
	}
	ag.filters[m][f] = struct{}{}
}

// unfilter ends a filter early.
func (a *Allocator) unfilter(f *filter) {
	heap.Remove(&a.expiry, f.index)
	a.forget(f)
}

func (a *Allocator) forget(f *filter) {
	delete(f.member.filters, f)
	delete(f.agent.filters[f.member], f)
	if len(f.agent.filters[f.member]) == 0 {
		delete(f.agent.filters, f.member)
	}
}

func (a *Allocator) unfilterMember(m *member) {
	for f := range m.filters {
		a.unfilter(f)
	}
}

func (a *Allocator) unfilterAgent(ag *agent) {
	for _, of := range ag.filters {
		for f := range of {
			a.unfilter(f)
		}
	}
}

// expire ends the filters whose time has come and marks their agents.
func (a *Allocator) expire(now time.Time) {
	for len(a.expiry) > 0 && !a.expiry[0].until.After(now) {
		f := heap.Pop(&a.expiry).(*filter)
		a.forget(f)
		a.mark(f.agent)
	}
}

// filtered says whether the member declined a superset of rs on that agent.
func (m *member) filtered(ag *agent, rs resources.Resources) bool {
	for f := range ag.filters[m] {
		if f.refused.Contains(rs) {
			return true
		}
	}
	return false
}
