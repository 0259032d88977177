package core

import (
	"fmt"
	"maps"
	"net/http"
	"strings"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/roles"

	"google.golang.org/protobuf/proto"
)

// UpdateWeights sets the weights of some roles (UPDATE_WEIGHTS, PUT /weights).
// Authorize, if it is set, says whether the operator may change the weight of a role; it
// is asked with no role when there are none.
type UpdateWeights struct {
	Request   RequestID
	Weights   []*mesospb.WeightInfo
	Authorize func(role ...string) bool
}

func (UpdateWeights) event() {}

func (e UpdateWeights) carryOut(c *Core) { c.updateWeights(e) }

// PutWeight is a change of the registry: the weight of one role.
type PutWeight struct{ Weight *mesospb.WeightInfo }

func (PutWeight) change() {}

func (c *Core) updateWeights(e UpdateWeights) {
	const prefix = "Failed to validate update weights request JSON"
	var names []string
	var changes []Change
	for _, w := range e.Weights {
		role := strings.Trim(w.GetRole(), " \t\n\r")
		if err := roles.Validate(role); err != nil {
			c.answer(e.Request, http.StatusBadRequest, prefix+": Invalid role '"+role+"': "+err.Error())
			return
		}
		if !c.whitelisted(role) {
			c.answer(e.Request, http.StatusBadRequest, prefix+": Unknown role '"+role+"'")
			return
		}
		if !(w.GetWeight() > 0) { // nor may it be no number at all
			c.answer(e.Request, http.StatusBadRequest, fmt.Sprintf("%s for role '%s': Invalid weight '%g': Weights must be positive", prefix, role, w.GetWeight()))
			return
		}
		names = append(names, role)
		changes = append(changes, PutWeight{&mesospb.WeightInfo{Role: &role, Weight: w.Weight}})
	}
	if e.Authorize != nil && !e.Authorize(names...) {
		c.answer(e.Request, http.StatusForbidden, "403 Forbidden.")
		return
	}
	if len(changes) == 0 {
		c.answer(e.Request, http.StatusOK, "")
		return
	}
	c.store(func() {
		weights := maps.Clone(c.cfg.Weights) // snapshots share the old one
		if weights == nil {
			weights = make(map[string]float64)
		}
		inUse := false
		for i, role := range names {
			weights[role] = e.Weights[i].GetWeight()
			c.log.Info("weight set", "role", role, "weight", weights[role])
			c.alloc.SetWeight(role, weights[role])
			for _, f := range c.known {
				inUse = inUse || c.tracked(f, role)
			}
		}
		c.cfg.Weights = weights
		c.rev++
		if inUse {
			// What is offered is to be shared out anew.
			for _, id := range sortedKeys(c.outOffers) {
				c.rescind(c.outOffers[id])
			}
		}
		c.answer(e.Request, http.StatusOK, "")
	}, changes...)
}

// keepWeights writes the weights of the command line to a registry that has none.
func (c *Core) keepWeights() {
	var changes []Change
	for _, role := range sortedKeys(c.cfg.Weights) {
		changes = append(changes, PutWeight{&mesospb.WeightInfo{Role: &role, Weight: proto.Float64(c.cfg.Weights[role])}})
	}
	if len(changes) > 0 {
		c.store(func() {}, changes...)
	}
}
