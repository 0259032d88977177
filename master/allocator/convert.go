package allocator

import "stoa/internal/mesos/resources"

// Convert applies what an operation did to resources a framework was offered or
// holds: consumed becomes converted, in the framework's holdings and in the
// agent's total. Both carry their role of allocation. With nothing consumed, the
// framework holds shared resources once more, and the agent has what it had.
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
			a.hold(a.member(f, role), ag, part)
		}
		for role := range consumed.ByAllocation() {
			if m := f.members[role]; m != nil {
				a.settle(m)
			}
		}
	}
	if !consumed.Empty() {
		a.setTotal(ag, ag.total.Subtract(consumed.Unallocate().Merged()).Add(converted.Unallocate().Merged()))
	}
	a.refresh(ag)
}

// ConvertAvailable applies what an operator's operation does to resources that nobody
// holds. The error has the original's text; nothing happened then.
func (a *Allocator) ConvertAvailable(agent string, conversions ...resources.Conversion) error {
	ag := a.agents[agent]
	if ag == nil {
		return nil
	}
	if _, err := ag.available.Apply(conversions...); err != nil {
		return err
	}
	total, err := ag.total.Apply(conversions...)
	if err != nil {
		return err
	}
	a.setTotal(ag, total)
	a.refresh(ag)
	return nil
}
