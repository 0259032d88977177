package core

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/quotapb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/roles"
	"stoa/master/allocator"
	"stoa/master/validation"

	"google.golang.org/protobuf/proto"
)

// Quota is what a role is guaranteed and what it may consume at most.
type Quota = allocator.Quota

// Operators' calls about quotas. Authorize, if it is set, says whether the operator may
// change the quota of a role; the answer is 403 otherwise.
type (
	// UpdateQuota sets the quotas of some roles, all or none. Force sets them though the
	// cluster is too small, or the roles consume more than their limits.
	UpdateQuota struct {
		Request   RequestID
		Configs   []*quotapb.QuotaConfig
		Force     bool
		Authorize func(role string) bool
	}
	// SetQuota is the older call that gives one role a quota which is guarantee and
	// limit in one. The message must be the caller's own to give away.
	SetQuota struct {
		Request   RequestID
		Quota     *quotapb.QuotaRequest
		Authorize func(role string) bool
	}
	// RemoveQuota ends the quota of a role. Path is that of the request to the
	// unversioned endpoint, which has texts of its own; empty for the API's call.
	RemoveQuota struct {
		Request   RequestID
		Role      string
		Path      string
		Authorize func(role string) bool
	}
)

func (UpdateQuota) event() {}
func (SetQuota) event()    {}
func (RemoveQuota) event() {}

func (e UpdateQuota) carryOut(c *Core) { c.updateQuota(e) }
func (e SetQuota) carryOut(c *Core)    { c.setQuota(e) }
func (e RemoveQuota) carryOut(c *Core) { c.removeQuota(e) }

// PutQuota and DropQuota are changes of the registry: the quota of one role.
type (
	PutQuota  struct{ Quota *quotapb.QuotaConfig }
	DropQuota struct{ Role string }
)

func (PutQuota) change()  {}
func (DropQuota) change() {}

// whitelisted says whether a role is one of --roles.
func (c *Core) whitelisted(role string) bool {
	return c.cfg.Roles == nil || slices.Contains(c.cfg.Roles, role)
}

func quotaOf(config *quotapb.QuotaConfig) Quota {
	return Quota{
		Guarantees: resources.QuantitiesOf(validation.Amounts(config.GetGuarantees())),
		Limits:     resources.LimitsOf(validation.Amounts(config.GetLimits())),
	}
}

// quotaChange is how the registry keeps a quota: none where there is nothing in it.
func quotaChange(role string, q Quota) Change {
	if q.Guarantees.Empty() && q.Limits.Empty() {
		return DropQuota{role}
	}
	config := &quotapb.QuotaConfig{Role: proto.String(role)}
	for name, amount := range q.Guarantees.All() {
		if config.Guarantees == nil {
			config.Guarantees = make(map[string]*mesospb.Value_Scalar)
		}
		config.Guarantees[name] = &mesospb.Value_Scalar{Value: proto.Float64(amount.Float())}
	}
	for name, amount := range q.Limits.All() {
		if config.Limits == nil {
			config.Limits = make(map[string]*mesospb.Value_Scalar)
		}
		config.Limits[name] = &mesospb.Value_Scalar{Value: proto.Float64(amount.Float())}
	}
	return PutQuota{config}
}

// keepQuota changes what is known of a role's quota; nil ends it. Snapshots share the
// map, so it is replaced.
func (c *Core) keepQuota(role string, q *Quota) {
	quotas := maps.Clone(c.quotas)
	if q == nil {
		delete(quotas, role)
	} else {
		if quotas == nil {
			quotas = make(map[string]Quota)
		}
		quotas[role] = *q
	}
	c.quotas = quotas
	c.rev++
}

// quotaV2 is the capability that a master needs to understand a registry with quotas.
var quotaV2 = mesospb.MasterInfo_Capability_QUOTA_V2.String()

// storeQuota writes a change of quotas and goes on with then.
func (c *Core) storeQuota(then func(), changes ...Change) {
	c.ledger.follow(changes) // what is needed is that of afterwards
	switch needed := len(c.ledger.quotas) > 0; {
	case needed && !c.ledger.capabilities[quotaV2]:
		changes = append(changes, PutCapability{quotaV2})
	case !needed && c.ledger.capabilities[quotaV2]:
		changes = append(changes, DropCapability{quotaV2})
	}
	c.store(then, changes...)
}

// recoverQuotas takes over the quotas of the registry. While agents are still to come
// back, the allocator holds off: out of the few that are there, quotas would be met at
// the others' cost.
func (c *Core) recoverQuotas(list []*quotapb.QuotaConfig) {
	for _, config := range list {
		q := quotaOf(config)
		c.ledger.follow([]Change{PutQuota{config}})
		c.keepQuota(config.GetRole(), &q)
		c.alloc.SetQuota(config.GetRole(), q)
	}
	c.alloc.HoldOff(c.now, len(c.recovered))
}

// capacity is what all registered agents have, whether they are connected or not.
func (c *Core) capacity() resources.Quantities {
	var sum resources.Quantities
	for _, a := range c.registered {
		sum = sum.Add(a.Total.NonRevocable().ScalarQuantities())
	}
	return sum
}

// updateQuota is the call UPDATE_QUOTA.
func (c *Core) updateQuota(e UpdateQuota) {
	refuse := func(text string) { c.answer(e.Request, http.StatusBadRequest, text) }
	for _, config := range e.Configs {
		role := config.GetRole()
		if !c.whitelisted(role) {
			refuse("Invalid QuotaConfig: '" + role + "' is not on the roles whitelist")
			return
		}
		if strings.Contains(role, "/") {
			refuse("Updating quota on nested role '" + role + "' is not supported yet")
			return
		}
		if err := validation.QuotaConfig(config); err != nil {
			refuse("Invalid QuotaConfig: " + err.Error())
			return
		}
	}
	tree := newQuotaTree(c.quotas)
	for _, config := range e.Configs {
		q := quotaOf(config)
		if consumed := c.consumed(config.GetRole()); !e.Force && !q.Limits.Allows(consumed) {
			refuse("Invalid QuotaConfig: Role '" + config.GetRole() + "' is already consuming '" + consumed.String() +
				"'; this is more than the requested limits '" + q.Limits.String() + "' (use 'force' flag to bypass this check)")
			return
		}
		tree.set(config.GetRole(), q)
	}
	if err := tree.check(); err != nil {
		refuse("Invalid QuotaConfig: " + err.Error())
		return
	}
	if total, capacity := tree.total(), c.capacity(); !e.Force && !capacity.Contains(total) {
		refuse("Invalid QuotaConfig: total quota guarantees '" + total.String() + "' exceed cluster capacity '" +
			capacity.String() + "' (use 'force' flag to bypass this check)")
		return
	}
	changes := make([]Change, 0, len(e.Configs))
	for _, config := range e.Configs {
		if e.Authorize != nil && !e.Authorize(config.GetRole()) {
			c.answer(e.Request, http.StatusForbidden, "403 Forbidden.")
			return
		}
		changes = append(changes, quotaChange(config.GetRole(), quotaOf(config)))
	}
	c.storeQuota(func() {
		for _, config := range e.Configs {
			q := quotaOf(config)
			c.log.Info("quota set", "role", config.GetRole(), "guarantees", q.Guarantees.String(), "limits", q.Limits.String())
			c.keepQuota(config.GetRole(), &q)
			c.alloc.SetQuota(config.GetRole(), q)
		}
		for _, config := range e.Configs {
			c.rescindForQuota(config.GetRole(), quotaOf(config))
		}
		c.answer(e.Request, http.StatusOK, "")
	}, changes...)
}

// rescindForQuota takes offers back until a role and those below it are within its
// limits, and until as much came back from others as its guarantees lack. It is done
// roughly, as the original does it: with time quotas are met anyway.
func (c *Core) rescindForQuota(role string, q Quota) {
	held := c.consumed(role).Add(c.offered(role))
	within := func(o *Offer) bool { return o.Role == role || roles.IsStrictSubroleOf(o.Role, role) }
	for _, framework := range sortedKeys(c.known) {
		f := c.known[framework]
		for _, id := range sortedKeys(f.Offers) {
			if q.Limits.Allows(held) {
				break
			}
			if o := f.Offers[id]; within(o) {
				held = held.Subtract(o.Resources.Quantities())
				c.rescind(o)
			}
		}
	}
	for _, agent := range sortedKeys(c.registered) {
		a := c.registered[agent]
		for _, id := range sortedKeys(a.Offers) {
			if held.Contains(q.Guarantees) {
				return
			}
			if o := a.Offers[id]; !within(o) {
				held = held.Add(o.Resources.Quantities())
				c.rescind(o)
			}
		}
	}
}

// setQuota is the call SET_QUOTA, and POST /quota.
func (c *Core) setQuota(e SetQuota) {
	const prefix = "Failed to validate set quota request: "
	refuse := func(text string) { c.answer(e.Request, http.StatusBadRequest, text) }
	role, guarantee := e.Quota.GetRole(), e.Quota.GetGuarantee()
	if err := resources.ValidateAll(guarantee); err != nil {
		refuse(prefix + "QuotaInfo with invalid resource: " + err.Error())
		return
	}
	for _, r := range guarantee {
		resources.Upgrade(r)
	}
	if err := validation.QuotaRequest(role, guarantee); err != nil {
		refuse(prefix + err.Error())
		return
	}
	if !c.whitelisted(role) {
		refuse(prefix + "Unknown role '" + role + "'")
		return
	}
	if _, set := c.quotas[role]; set {
		refuse(prefix + "Cannot set quota for role '" + role + "' which already has quota")
		return
	}
	amounts := make(map[string]resources.Scalar, len(guarantee))
	for _, r := range guarantee {
		amounts[r.GetName()] = resources.ScalarOf(r.GetScalar().GetValue())
	}
	q := Quota{Guarantees: resources.QuantitiesOf(amounts), Limits: resources.LimitsOf(amounts)}
	tree := newQuotaTree(c.quotas)
	tree.set(role, q)
	if err := tree.check(); err != nil {
		refuse(prefix + err.Error())
		return
	}
	if strings.Contains(role, "/") {
		refuse("Setting quota on nested role '" + role + "' is not supported yet")
		return
	}
	if e.Authorize != nil && !e.Authorize(role) {
		c.answer(e.Request, http.StatusForbidden, "403 Forbidden.")
		return
	}
	if total, capacity := tree.total(), c.capacity(); !e.Quota.GetForce() && !capacity.Contains(total) {
		c.answer(e.Request, http.StatusConflict, "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees '"+
			total.String()+"' exceed cluster capacity '"+capacity.String()+"'")
		return
	}
	// The role counts as one with quota from now on, so that a second call finds it so.
	c.keepQuota(role, &q)
	c.storeQuota(func() {
		c.log.Info("quota set", "role", role, "guarantees", q.Guarantees.String())
		c.alloc.SetQuota(role, q)
		c.rescindForGuarantee(role, resources.New(guarantee...))
		c.answer(e.Request, http.StatusOK, "")
	}, quotaChange(role, q))
}

// rescindForGuarantee takes all offers of one agent after the other back, until they
// held what was asked for and each framework of the role can get some.
func (c *Core) rescindForGuarantee(role string, guarantee resources.Resources) {
	frameworks, visited := 0, 0
	for _, f := range c.known {
		if f.State == Active && c.tracked(f, role) {
			frameworks++
		}
	}
	var rescinded resources.Resources
	for _, id := range sortedKeys(c.registered) {
		if visited >= frameworks && rescinded.Contains(guarantee) {
			return
		}
		a := c.registered[id]
		if !a.Connected || !a.Active || len(a.Offers) == 0 {
			continue
		}
		for _, offer := range sortedKeys(a.Offers) {
			rescinded = rescinded.Add(a.Offers[offer].Resources.Unallocate())
			c.rescind(a.Offers[offer])
		}
		visited++
	}
}

// removeQuota is the call REMOVE_QUOTA, and DELETE /quota/<role>. The original's master
// ends when the API's call names a role without quota; the text here is the one it
// would have had.
func (c *Core) removeQuota(e RemoveQuota) {
	prefix := "Failed to remove quota: "
	if e.Path != "" {
		if !c.whitelisted(e.Role) {
			c.answer(e.Request, http.StatusBadRequest, "Failed to validate remove quota request for path '"+e.Path+"': Unknown role '"+e.Role+"'")
			return
		}
		prefix = "Failed to remove quota for path '" + e.Path + "': "
	}
	if _, set := c.quotas[e.Role]; !set {
		c.answer(e.Request, http.StatusBadRequest, prefix+"Role '"+e.Role+"' has no quota set")
		return
	}
	if e.Path != "" {
		left := maps.Clone(c.quotas)
		delete(left, e.Role)
		if err := newQuotaTree(left).check(); err != nil {
			c.answer(e.Request, http.StatusBadRequest, prefix+err.Error())
			return
		}
	}
	if e.Authorize != nil && !e.Authorize(e.Role) {
		c.answer(e.Request, http.StatusForbidden, "403 Forbidden.")
		return
	}
	c.keepQuota(e.Role, nil)
	c.storeQuota(func() {
		c.log.Info("quota removed", "role", e.Role)
		c.alloc.SetQuota(e.Role, Quota{})
		c.answer(e.Request, http.StatusOK, "")
	}, DropQuota{e.Role})
}
