package core

import (
	"errors"
	"fmt"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/validation"
)

// acceptance is one ACCEPT call being carried out.
type acceptance struct {
	framework *Framework
	agent     *Agent
	role      string
	// offered are the resources of the offers; remaining what is left of them for
	// the operations still to come, sharedRemaining the shared resources among them,
	// which a launch does not use up.
	offered, remaining, sharedRemaining resources.Resources
	// converted are resources that operations made and that go back at once.
	resized  resources.Resources
	launched bool
}

// accept carries out the operations of an ACCEPT call, one after the other, on what
// the offers hold. What they leave is declined.
func (c *Core) accept(f *Framework, call *schedulerpb.Call_Accept) {
	if err := c.validateOffers(f, call.GetOfferIds()); err != nil {
		c.acceptInvalid(f, call, err)
		return
	}
	first := c.outOffers[call.OfferIds[0].GetValue()]
	x := &acceptance{framework: f, agent: first.Agent, role: first.Role}
	operations := c.admitOperations(x, call.GetOperations())
	for _, id := range call.OfferIds {
		o := c.outOffers[id.GetValue()]
		x.offered = x.offered.Add(o.Resources)
		f.count("offers/accepted")
		c.removeOffer(o)
	}
	x.remaining, x.sharedRemaining = x.offered, x.offered.Shared()
	for _, op := range operations {
		switch op.GetType() {
		case mesospb.Offer_Operation_LAUNCH:
			for _, t := range op.GetLaunch().GetTaskInfos() {
				c.launch(x, t)
			}
		case mesospb.Offer_Operation_LAUNCH_GROUP:
			c.launchGroup(x, op.GetLaunchGroup())
		default:
			c.operate(x, op)
		}
	}
	c.settle(x, call.GetFilters())
}

// settle gives back what the operations left. What they converted returns without
// a filter; the rest is declined. A framework that declines everything with a
// filter of zero is not offered it again at once, or the two would run in circles.
func (c *Core) settle(x *acceptance, filters *mesospb.Filters) {
	left := x.remaining.Add(x.resized)
	made := left.Subtract(x.offered)
	declined := x.remaining.Subtract(made)
	if !made.Empty() {
		c.alloc.Recover(x.framework.ID, x.agent.ID, made)
	}
	if declined.Empty() {
		return
	}
	wait := c.refusal(x.framework, filters)
	if wait == 0 && x.launched {
		c.alloc.Recover(x.framework.ID, x.agent.ID, declined)
	} else {
		c.alloc.Decline(c.now, x.framework.ID, x.agent.ID, declined, wait)
	}
}

// validateOffers checks that the offers can be used together.
func (c *Core) validateOffers(f *Framework, list []*mesospb.OfferID) error {
	if len(list) == 0 {
		return errors.New("No offers specified")
	}
	seen := make(map[string]bool, len(list))
	for _, id := range list {
		if seen[id.GetValue()] {
			return fmt.Errorf("Duplicate offer %s in offer list", id.GetValue())
		}
		seen[id.GetValue()] = true
	}
	for _, id := range list {
		if c.outOffers[id.GetValue()] == nil {
			return fmt.Errorf("Offer %s is no longer valid", id.GetValue())
		}
	}
	for _, id := range list {
		if o := c.outOffers[id.GetValue()]; o.Framework != f {
			return fmt.Errorf("Offer %s has invalid framework %s while framework %s is expected", o.ID, o.Framework.ID, f.ID)
		}
	}
	first := c.outOffers[list[0].GetValue()]
	for _, id := range list {
		if o := c.outOffers[id.GetValue()]; o.Role != first.Role {
			return fmt.Errorf("Aggregated offers must be allocated to the same role. Offer %s uses role '%s but another is using role '%s", o.ID, o.Role, first.Role)
		}
	}
	for _, id := range list {
		if o := c.outOffers[id.GetValue()]; o.Agent != first.Agent {
			return fmt.Errorf("Aggregated offers must belong to one single agent. Offer %s uses agent %s and agent %s", o.ID, o.Agent.ID, first.Agent.ID)
		}
	}
	return nil
}

// acceptInvalid answers an ACCEPT whose offers cannot be used: those of them that
// are still out are given back, and nothing happens.
func (c *Core) acceptInvalid(f *Framework, call *schedulerpb.Call_Accept, err error) {
	c.log.Warn("ACCEPT with invalid offers", "framework", f.ID, "error", err)
	for _, id := range call.GetOfferIds() {
		// The original takes back another framework's offer, too, without telling it.
		// That helps nobody: only the framework's own go back.
		if o := c.outOffers[id.GetValue()]; o != nil && o.Framework == f {
			c.discard(o)
		}
	}
	state := mesospb.TaskState_TASK_LOST
	if f.Capabilities.PartitionAware {
		state = mesospb.TaskState_TASK_DROPPED
	}
	for _, op := range call.GetOperations() {
		switch op.GetType() {
		case mesospb.Offer_Operation_LAUNCH, mesospb.Offer_Operation_LAUNCH_GROUP:
			c.refuseTasks(f, op, state, mesospb.TaskStatus_REASON_INVALID_OFFERS, "Task launched with invalid offers: "+err.Error())
		default:
			c.refuseOperation(f, op, "Operation attempted with invalid offers: "+err.Error())
		}
	}
}

func tasksOf(op *mesospb.Offer_Operation) []*mesospb.TaskInfo {
	if op.GetType() == mesospb.Offer_Operation_LAUNCH_GROUP {
		return op.GetLaunchGroup().GetTaskGroup().GetTasks()
	}
	return op.GetLaunch().GetTaskInfos()
}

// refuseTasks sends a status for each task of a launch that will not happen.
func (c *Core) refuseTasks(f *Framework, op *mesospb.Offer_Operation, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, message string) {
	for _, t := range tasksOf(op) {
		c.refuseTask(f, t, state, reason, message)
	}
}

func (c *Core) refuseTask(f *Framework, t *mesospb.TaskInfo, state mesospb.TaskState, reason mesospb.TaskStatus_Reason, message string) {
	c.log.Info("task refused", "framework", f.ID, "task", t.GetTaskId().GetValue(), "reason", message)
	status := c.masterStatus(t.TaskId, t.AgentId, state, reason, message)
	c.countEnd(f, status)
	c.emitStatus(f, status)
}

// admitOperations answers the operations that are wrong by themselves and returns
// the others, ready to be carried out: resources in the form with stacked
// reservations and allocated to the offers' role, and defaults filled in.
func (c *Core) admitOperations(x *acceptance, list []*mesospb.Offer_Operation) []*mesospb.Offer_Operation {
	var admitted []*mesospb.Offer_Operation
	for _, op := range list {
		err := validation.OperationResources(op)
		if err == nil && op.GetType() == mesospb.Offer_Operation_RESERVE && len(op.GetReserve().GetSource()) > 0 {
			err = errors.New("Reservation updates are not yet implemented for the scheduler API.")
		}
		if c.refusedForm(x, op, err) {
			continue
		}
		for _, r := range validation.ResourcesOf(op) {
			resources.Upgrade(r)
		}
		c.complete(x, op)
		admitted = append(admitted, op)
	}
	return admitted
}

// refusedForm answers an operation whose form is wrong, and says whether it was.
func (c *Core) refusedForm(x *acceptance, op *mesospb.Offer_Operation, err error) bool {
	f := x.framework
	reason, name := mesospb.TaskStatus_REASON_TASK_INVALID, "LAUNCH"
	switch op.GetType() {
	case mesospb.Offer_Operation_UNKNOWN:
		c.log.Warn("unknown operation ignored", "framework", f.ID)
		return true
	case mesospb.Offer_Operation_LAUNCH_GROUP:
		reason, name = mesospb.TaskStatus_REASON_TASK_GROUP_INVALID, "LAUNCH_GROUP"
		fallthrough
	case mesospb.Offer_Operation_LAUNCH:
		if err == nil && op.Id != nil {
			err = fmt.Errorf("The `id` field cannot be set on %s operations", name)
		}
		if err != nil {
			c.refuseTasks(f, op, mesospb.TaskState_TASK_ERROR, reason, err.Error())
			return true
		}
		return false
	}
	switch capabilities := x.agent.Capabilities; {
	case err != nil:
		c.refuseOperation(f, op, "Operation attempted with invalid resources: "+err.Error())
	case op.Id != nil && f.PID != "":
		c.log.Warn("operation with an id dropped: drivers do not know the status of operations", "framework", f.ID)
		c.emit(f, errorEvent("The 'id' field was set in an offer operation, but operation feedback is not supported for the SchedulerDriver API; please use the HTTP scheduler API for this feature"))
	case op.Id != nil && !capabilities.ResourceProvider:
		c.refuseOperation(f, op, "Operation requested feedback, but agent "+x.agent.ID+" does not have the required RESOURCE_PROVIDER capability")
	case op.Id != nil && !capabilities.OperationFeedback && validation.ProviderOf(op) == "":
		c.refuseOperation(f, op, "Operation on agent default resources requested feedback, but agent "+x.agent.ID+" does not have the required AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities")
	default:
		return false
	}
	return true
}

// complete fills in what a scheduler may leave out.
func (c *Core) complete(x *acceptance, op *mesospb.Offer_Operation) {
	id := x.framework.Info.Id
	switch op.GetType() {
	case mesospb.Offer_Operation_LAUNCH:
		for _, t := range op.GetLaunch().GetTaskInfos() {
			if t.Executor != nil && t.Executor.FrameworkId == nil {
				t.Executor.FrameworkId = id
			}
			if h := t.HealthCheck; h != nil && h.Type == nil {
				switch {
				case h.Command != nil && h.Http == nil:
					h.Type = mesospb.HealthCheck_COMMAND.Enum()
				case h.Http != nil && h.Command == nil:
					h.Type = mesospb.HealthCheck_HTTP.Enum()
				}
			}
		}
	case mesospb.Offer_Operation_LAUNCH_GROUP:
		for _, t := range op.GetLaunchGroup().GetTaskGroup().GetTasks() {
			if t.Executor == nil {
				t.Executor = op.GetLaunchGroup().GetExecutor()
			}
		}
	}
	injectRole(validation.ResourcesOf(op), x.role)
}
