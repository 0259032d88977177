package allocator

import "time"

// pause is a stop of the allocation after a failover, while agents are still coming
// back: with a part of the cluster only, quotas would be met out of what others have.
type pause struct {
	expected int // agents that end the pause
	end      *deadline
}

func (p *pause) paused() bool { return p.end != nil }

// HoldOff pauses the allocation of a master that has just started until the greater part
// (Config.RecoveryFactor) of the agents it knows of is back, or Config.RecoveryTimeout has
// passed. Without any quota there is no pause.
func (a *Allocator) HoldOff(now time.Time, agents int) {
	expected := int(float64(agents) * a.cfg.RecoveryFactor)
	if expected <= len(a.agents) || !a.hasQuota() {
		return
	}
	a.deadlines.stop(a.pause.end)
	a.pause = pause{expected: expected}
	a.pause.end = a.deadlines.set(now.Add(a.cfg.RecoveryTimeout), func() { a.pause.end = nil })
}

func (a *Allocator) hasQuota() bool {
	for _, r := range a.roles {
		if !r.quota.isDefault() {
			return true
		}
	}
	return false
}

// agentCame ends the pause if enough agents are back.
func (a *Allocator) agentCame() {
	if a.pause.paused() && len(a.agents) >= a.pause.expected {
		a.deadlines.stop(a.pause.end)
		a.pause.end = nil
	}
}
