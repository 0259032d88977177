package core

import (
	"net/http"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/validation"
)

// Operate is an operator's operation on resources of an agent that nobody uses: to
// reserve or unreserve them, or to make, end or resize a volume. The message must be the
// caller's own to give away. The answer is 202 when the agent was told.
type Operate struct {
	Request   RequestID
	Agent     string
	Operation *mesospb.Offer_Operation
	// Principal is who the operator is, nil for nobody. Reservations and volumes must
	// name it.
	Principal *string
	// Authorize, if it is set, says whether the operator may do this; the operation is
	// in the form with stacked reservations then.
	Authorize func(*mesospb.Offer_Operation) bool
}

func (Operate) event() {}

func (e Operate) carryOut(c *Core) { c.operateAgent(e) }

// operateAgent is what the calls RESERVE_RESOURCES to SHRINK_VOLUME and their unversioned
// twins have in common (src/master/http.cpp, _reserve and so on, _operation).
func (c *Core) operateAgent(e Operate) {
	op := e.Operation
	refuse := func(text string) { c.answer(e.Request, http.StatusBadRequest, text) }
	a := c.registered[e.Agent]
	if a == nil {
		refuse("No agent found with specified ID")
		return
	}
	if err := validation.OperationResources(op); err != nil {
		refuse(err.Error())
		return
	}
	for _, r := range validation.ResourcesOf(op) {
		resources.Upgrade(r)
	}
	if err := c.operatorRules(a, e.Principal).Check(op); err != nil {
		prefix := "Invalid " + op.GetType().String() + " operation"
		switch op.GetType() {
		case mesospb.Offer_Operation_UNRESERVE, mesospb.Offer_Operation_DESTROY:
		default:
			prefix += " on agent " + a.String()
		}
		refuse(prefix + ": " + err.Error())
		return
	}
	if e.Authorize != nil && !e.Authorize(op) {
		c.answer(e.Request, http.StatusForbidden, "403 Forbidden.")
		return
	}
	conversions, err := resources.Conversions(op)
	if err == nil && len(validation.ResourcesOf(op)) == 0 {
		// The original's master ends here.
		refuse("Invalid " + op.GetType().String() + " operation: Operation contains no resources")
		return
	}
	if err != nil {
		refuse("Invalid " + op.GetType().String() + " operation: " + err.Error())
		return
	}
	c.recall(a, conversions)
	if err := c.alloc.ConvertAvailable(a.ID, conversions...); err != nil {
		c.answer(e.Request, http.StatusConflict, err.Error())
		return
	}
	c.log.Info("operation of an operator", "agent", a.ID, "operation", op.GetType().String())
	c.apply(a, nil, op)
	c.answer(e.Request, http.StatusAccepted, "")
}

func (c *Core) operatorRules(a *Agent, principal *string) *validation.Operation {
	return &validation.Operation{
		Principal:             principal,
		HierarchicalRole:      a.Capabilities.HierarchicalRole,
		ReservationRefinement: a.Capabilities.ReservationRefinement,
		ResizeVolume:          a.Capabilities.ResizeVolume,
		Checkpointed:          a.Checkpointed,
		Used:                  a.Used,
	}
}

// recall rescinds offers of an agent that hold something an operation needs, until what
// they held is enough for it.
func (c *Core) recall(a *Agent, conversions []resources.Conversion) {
	var needed, recalled resources.Resources
	for _, one := range conversions {
		needed = needed.Add(one.Consumed)
	}
	for _, id := range sortedKeys(a.Offers) {
		o := a.Offers[id]
		held := o.Resources.Unallocate()
		left := needed.Subtract(held)
		if left.Equal(needed) {
			continue
		}
		needed, recalled = left, recalled.Add(held)
		c.rescind(o)
		if _, err := recalled.Apply(conversions...); err == nil {
			return
		}
	}
}
