package core

import (
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/id"

	"google.golang.org/protobuf/proto"
)

// reviveGap is the shortest time between two calls that ask for offers for the same
// role, other than the first after there was no demand. It spares the master the work
// when many apps come at once.
const reviveGap = 100 * time.Millisecond

// demand is what the master has been told about wanted offers.
//
// Original: core/launchqueue/impl/ReviveOffersStreamLogic.scala, which looks every few
// seconds; here the master is told at once. The repetition of each revive is kept: it
// makes up for offers that were declined while the demand arose.
type demand struct {
	// active are the roles that the master makes offers for.
	active map[string]bool
	// grew are the roles that new demand has come up for.
	grew map[string]bool
	// declined are the roles for which offers have been turned down since the last
	// revive, so that the master may be holding some back.
	declined map[string]bool
	last     map[string]time.Time
	// again is when the last revive of a role is to be repeated.
	again map[string]time.Time
}

func newDemand() demand {
	return demand{
		active: map[string]bool{}, grew: map[string]bool{}, declined: map[string]bool{},
		last: map[string]time.Time{}, again: map[string]time.Time{},
	}
}

// repeat notes the revives that are due again.
func (d *demand) repeat(now time.Time) {
	for role, at := range d.again {
		if !at.After(now) {
			delete(d.again, role)
			d.grew[role] = true
		}
	}
}

// grow notes that instances of an app have come to want offers.
func (c *Core) grow(appID id.Path) {
	for _, e := range c.app(appID).instances {
		if e.Scheduled() {
			c.demand.grew[e.Role] = true
		}
	}
}

// updateDemand tells the master for which roles offers are wanted, if that changed.
func (c *Core) updateDemand(now time.Time) {
	c.rolesChanged()
	if !c.connected {
		return
	}
	wanted := map[string]bool{}
	for appID := range c.waiting {
		c.readyRoles(appID, now, wanted)
	}
	var revive, suppress []string
	for role := range wanted {
		if c.shouldRevive(role, now) {
			revive = append(revive, role)
		}
	}
	for role := range c.roles {
		if !wanted[role] && c.demand.active[role] && c.settings.Suppress {
			suppress = append(suppress, role)
		}
	}
	if len(suppress) > 0 {
		slices.Sort(suppress)
		for _, role := range suppress {
			delete(c.demand.active, role)
		}
		c.call(&schedulerpb.Call{
			Type:     schedulerpb.Call_SUPPRESS.Enum(),
			Suppress: &schedulerpb.Call_Suppress{Roles: suppress},
		})
	}
	if len(revive) > 0 {
		slices.Sort(revive)
		c.revive(revive, now)
	}
	if len(suppress)+len(revive) > 0 {
		c.tellRoles()
	}
}

func (c *Core) shouldRevive(role string, now time.Time) bool {
	d := &c.demand
	if !d.active[role] {
		return true
	}
	if !d.grew[role] {
		return false
	}
	if !d.declined[role] {
		// The master holds nothing back.
		delete(d.grew, role)
		return false
	}
	if next := d.last[role].Add(reviveGap); now.Before(next) {
		c.wakeAt(next, wake{kind: wakeRevive})
		return false
	}
	return true
}

func (c *Core) revive(roles []string, now time.Time) {
	d := &c.demand
	repeatAt := now.Add(2 * c.settings.MinReviveInterval)
	for _, role := range roles {
		d.active[role] = true
		// A repetition is not itself repeated.
		if _, planned := d.again[role]; !planned && d.grew[role] && c.settings.MinReviveInterval > 0 {
			d.again[role] = repeatAt
			c.wakeAt(repeatAt, wake{kind: wakeRevive})
		}
		delete(d.grew, role)
		delete(d.declined, role)
		d.last[role] = now
	}
	c.call(&schedulerpb.Call{
		Type:   schedulerpb.Call_REVIVE.Enum(),
		Revive: &schedulerpb.Call_Revive{Roles: roles},
	})
}

// addRole takes a role into the framework's. A role once taken stays for the life of
// the process.
func (c *Core) addRole(role string) {
	if role != "" && !c.roles[role] {
		c.roles[role] = true
		c.rolesStale = true
	}
}

// rolesChanged tells the master about roles that came up.
func (c *Core) rolesChanged() {
	if !c.rolesStale {
		return
	}
	c.rolesStale = false
	c.tellRoles()
	c.call(&schedulerpb.Call{
		Type: schedulerpb.Call_UPDATE_FRAMEWORK.Enum(),
		UpdateFramework: &schedulerpb.Call_UpdateFramework{
			FrameworkInfo:   c.FrameworkInfo(),
			SuppressedRoles: c.suppressedRoles(),
		},
	})
}

func (c *Core) tellRoles() {
	c.effect(Roles{All: c.allRoles(), Suppressed: c.suppressedRoles()})
}

func (c *Core) allRoles() []string {
	var out []string
	for role := range c.roles {
		out = append(out, role)
	}
	slices.Sort(out)
	return out
}

func (c *Core) suppressedRoles() []string {
	var out []string
	if !c.settings.Suppress {
		return nil
	}
	for _, role := range c.allRoles() {
		if !c.demand.active[role] {
			out = append(out, role)
		}
	}
	return out
}

// FrameworkInfo is what Mesos is told about Marathon.
func (c *Core) FrameworkInfo() *mesospb.FrameworkInfo {
	info := proto.CloneOf(c.settings.Framework)
	if c.frameworkID != "" {
		info.Id = &mesospb.FrameworkID{Value: proto.String(c.frameworkID)}
	}
	info.Roles = c.allRoles()
	return info
}
