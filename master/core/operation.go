package core

import (
	"stoa/internal/auth"
	"stoa/internal/mesos/ids"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/validation"

	"google.golang.org/protobuf/proto"
)

// speculative says whether the master applies an operation at once, sure that the
// agent will do the same.
func speculative(t mesospb.Offer_Operation_Type) bool {
	switch t {
	case mesospb.Offer_Operation_RESERVE, mesospb.Offer_Operation_UNRESERVE,
		mesospb.Offer_Operation_CREATE, mesospb.Offer_Operation_DESTROY,
		mesospb.Offer_Operation_GROW_VOLUME, mesospb.Offer_Operation_SHRINK_VOLUME:
		return true
	}
	return false
}

// refuseOperation answers an operation that will not happen, if it wants answers.
func (c *Core) refuseOperation(f *Framework, op *mesospb.Offer_Operation, message string) {
	c.log.Warn("operation refused", "framework", f.ID, "operation", op.GetType().String(), "reason", message)
	if op.Id == nil {
		return
	}
	c.emitOperation(f, &mesospb.OperationStatus{
		OperationId: op.Id,
		State:       mesospb.OperationState_OPERATION_ERROR.Enum(),
		Message:     &message,
	})
}

func (c *Core) emitOperation(f *Framework, s *mesospb.OperationStatus) {
	if !f.Connected() {
		return
	}
	c.emit(f, &schedulerpb.Event{
		Type:                  schedulerpb.Event_UPDATE_OPERATION_STATUS.Enum(),
		UpdateOperationStatus: &schedulerpb.Event_UpdateOperationStatus{Status: s},
	})
}

// operate carries out an operation of an ACCEPT other than a launch.
func (c *Core) operate(x *acceptance, op *mesospb.Offer_Operation) {
	f, a := x.framework, x.agent
	rules := &validation.Operation{
		Framework:             f.Info,
		Roles:                 f.Roles,
		Principal:             f.Info.Principal,
		HierarchicalRole:      a.Capabilities.HierarchicalRole,
		ReservationRefinement: a.Capabilities.ReservationRefinement,
		ResizeVolume:          a.Capabilities.ResizeVolume,
		Checkpointed:          a.Checkpointed,
		Used:                  a.Used,
	}
	if !speculative(op.GetType()) && !a.Capabilities.ResourceProvider {
		c.refuseOperation(f, op, "Not supported on agent "+a.String()+" because it does not have RESOURCE_PROVIDER capability")
		return
	}
	if err := rules.Check(op); err != nil {
		c.refuseOperation(f, op, err.Error()+"; on agent "+a.String())
		return
	}
	if err := c.unauthorizedOperation(f, auth.Operation(op)...); err != nil {
		c.refuseOperation(f, op, err.Error())
		return
	}
	conversions, err := resources.Conversions(op)
	if err != nil {
		// Only operations on resources of a provider come here, and this master has
		// not been told of any provider.
		c.refuseOperation(f, op, err.Error())
		return
	}
	after, err := x.remaining.Apply(conversions...)
	if err != nil {
		c.refuseOperation(f, op, err.Error())
		return
	}
	switch op.GetType() {
	case mesospb.Offer_Operation_GROW_VOLUME, mesospb.Offer_Operation_SHRINK_VOLUME:
		// The result is for a later offer only.
		for _, one := range conversions {
			x.remaining = x.remaining.Subtract(one.Consumed)
			x.resized = x.resized.Add(one.Converted)
		}
	default:
		x.remaining = after
		x.sharedRemaining = after.Shared()
	}
	for _, one := range conversions {
		c.alloc.Convert(f.ID, a.ID, one.Consumed, one.Converted)
	}
	c.apply(a, f, op)
}

// apply changes what an agent has and tells the agent.
func (c *Core) apply(a *Agent, f *Framework, op *mesospb.Offer_Operation) {
	stripped := proto.Clone(op).(*mesospb.Offer_Operation)
	for _, r := range validation.ResourcesOf(stripped) {
		r.AllocationInfo = nil
	}
	if conversions, err := resources.Conversions(stripped); err == nil {
		if total, err := a.Total.Apply(conversions...); err == nil {
			a.Total = total
			a.Checkpointed = total.Filter(resources.Resource.NeedsCheckpoint)
		} else {
			c.log.Error("an accepted operation does not fit the agent's resources", "agent", a.ID, "operation", op.GetType().String(), "error", err)
		}
	}
	c.touch(f, a)
	if !a.Capabilities.ResourceProvider || a.ResourceVersion == nil {
		c.sendAgent(a, &internalpb.CheckpointResourcesMessage{Resources: a.Checkpointed.Proto()})
		return
	}
	id := ids.UUID(c.cfg.NewUUID())
	uuid := &mesospb.UUID{Value: id.Bytes()}
	o := &Operation{
		UUID:  id.String(),
		Agent: a,
		Proto: &mesospb.Operation{
			AgentId: a.Info.Id,
			Info:    op,
			LatestStatus: &mesospb.OperationStatus{
				OperationId: op.Id,
				State:       mesospb.OperationState_OPERATION_PENDING.Enum(),
				AgentId:     a.Info.Id,
			},
			Uuid: uuid,
		},
	}
	message := &internalpb.ApplyOperationMessage{
		OperationInfo:       op,
		OperationUuid:       uuid,
		ResourceVersionUuid: &internalpb.ResourceVersionUUID{Uuid: a.ResourceVersion},
	}
	if f != nil {
		o.Framework = f.ID
		o.Proto.FrameworkId = f.Info.Id
		f.Operations[o.UUID] = o
		message.FrameworkId = f.Info.Id
	}
	a.Operations[o.UUID] = o
	c.sendAgent(a, message)
}

// operationStatus takes in how an operation ended. A framework that named the
// operation gets the status, and acknowledges it; the others' is acknowledged here.
func (c *Core) operationStatus(m *internalpb.UpdateOperationStatusMessage) {
	a := c.registered[m.GetSlaveId().GetValue()]
	if a == nil {
		return
	}
	status := m.GetStatus()
	framework := m.GetFrameworkId().GetValue()
	var o *Operation
	if id, err := ids.UUIDFromBytes(m.GetOperationUuid().GetValue()); err == nil {
		o = a.Operations[id.String()]
	}
	if o == nil {
		if f := c.known[framework]; f != nil {
			c.emitOperation(f, status)
		}
		return
	}
	latest := status
	if m.LatestStatus != nil {
		latest = m.LatestStatus
	}
	p := &mesospb.Operation{
		FrameworkId:  o.Proto.FrameworkId,
		AgentId:      o.Proto.AgentId,
		Info:         o.Proto.Info,
		LatestStatus: o.Proto.LatestStatus,
		Statuses:     o.Proto.Statuses,
		Uuid:         o.Proto.Uuid,
	}
	if !operationTerminal(o.Proto.GetLatestStatus().GetState()) {
		p.LatestStatus = latest
	}
	if n := len(p.Statuses); n == 0 || string(p.Statuses[n-1].GetUuid().GetValue()) != string(status.GetUuid().GetValue()) {
		p.Statuses = append(p.Statuses[:n:n], status)
	}
	o.Proto = p
	f := c.known[o.Framework]
	c.touch(f, a)
	if p.Info.Id != nil && f != nil {
		named := proto.Clone(status).(*mesospb.OperationStatus)
		named.OperationId = p.Info.Id
		c.emitOperation(f, named)
		if operationTerminal(status.GetState()) && status.Uuid == nil {
			c.removeOperation(o)
		}
		return
	}
	if status.Uuid != nil {
		c.send(a.PID, &internalpb.AcknowledgeOperationStatusMessage{StatusUuid: status.Uuid, OperationUuid: p.Uuid})
	}
	if operationTerminal(status.GetState()) {
		c.removeOperation(o)
	}
}

func operationTerminal(s mesospb.OperationState) bool {
	switch s {
	case mesospb.OperationState_OPERATION_FINISHED, mesospb.OperationState_OPERATION_FAILED,
		mesospb.OperationState_OPERATION_ERROR, mesospb.OperationState_OPERATION_DROPPED,
		mesospb.OperationState_OPERATION_GONE_BY_OPERATOR:
		return true
	}
	return false
}

func (c *Core) removeOperation(o *Operation) {
	delete(o.Agent.Operations, o.UUID)
	f := c.known[o.Framework]
	if f != nil {
		delete(f.Operations, o.UUID)
	}
	c.checkDrained(o.Agent)
	c.touch(f, o.Agent)
}

// acknowledgeOperation sends a framework's acknowledgement on to the agent.
func (c *Core) acknowledgeOperation(f *Framework, call *schedulerpb.Call_AcknowledgeOperationStatus) {
	a := c.registered[call.GetAgentId().GetValue()]
	if a == nil || !a.Connected {
		return
	}
	var o *Operation
	for _, one := range f.Operations {
		if one.Proto.GetInfo().GetId().GetValue() == call.GetOperationId().GetValue() {
			o = one
		}
	}
	if o == nil {
		c.log.Warn("operation acknowledgement dropped: the operation is not known", "framework", f.ID, "operation", call.GetOperationId().GetValue())
		return
	}
	for _, s := range o.Proto.Statuses {
		if string(s.GetUuid().GetValue()) != string(call.GetUuid()) {
			continue
		}
		c.send(a.PID, &internalpb.AcknowledgeOperationStatusMessage{
			StatusUuid:         &mesospb.UUID{Value: call.GetUuid()},
			OperationUuid:      o.Proto.Uuid,
			ResourceProviderId: call.ResourceProviderId,
		})
		if operationTerminal(s.GetState()) {
			c.removeOperation(o)
		}
		return
	}
}

// reconcileOperations answers what is known of operations: of those named, or of all.
func (c *Core) reconcileOperations(f *Framework, list []*schedulerpb.Call_ReconcileOperations_Operation) {
	last := func(o *Operation) {
		s := proto.Clone(o.Proto.GetLatestStatus()).(*mesospb.OperationStatus)
		if n := len(o.Proto.Statuses); n > 0 {
			s = proto.Clone(o.Proto.Statuses[n-1]).(*mesospb.OperationStatus)
		}
		s.Uuid = nil
		c.emitOperation(f, s)
	}
	if len(list) == 0 {
		for _, id := range sortedKeys(f.Operations) {
			if f.Operations[id].Proto.GetInfo().Id != nil {
				last(f.Operations[id])
			}
		}
		return
	}
	byName := make(map[string]*Operation)
	for _, o := range f.Operations {
		if id := o.Proto.GetInfo().Id; id != nil {
			byName[id.GetValue()] = o
		}
	}
	for _, one := range list {
		if o := byName[one.GetOperationId().GetValue()]; o != nil {
			last(o)
			continue
		}
		state, message := c.unknownOperation(one)
		s := &mesospb.OperationStatus{
			OperationId:        one.OperationId,
			State:              state.Enum(),
			Message:            &message,
			AgentId:            one.AgentId,
			ResourceProviderId: one.ResourceProviderId,
		}
		c.emitOperation(f, s)
	}
}

func (c *Core) unknownOperation(one *schedulerpb.Call_ReconcileOperations_Operation) (mesospb.OperationState, string) {
	agent := one.GetAgentId().GetValue()
	switch {
	case one.AgentId == nil:
		return mesospb.OperationState_OPERATION_UNKNOWN, "Reconciliation: Operation is unknown and no 'agent_id' was provided"
	case c.recovered[agent] != nil:
		return mesospb.OperationState_OPERATION_RECOVERING, "Reconciliation: Agent is recovered but has not re-registered"
	case c.registered[agent] != nil:
		return mesospb.OperationState_OPERATION_UNKNOWN, "Reconciliation: Operation is unknown"
	case c.unreachable[agent] != nil:
		return mesospb.OperationState_OPERATION_UNREACHABLE, "Reconciliation: Agent is unreachable"
	case c.gone[agent] != nil:
		return mesospb.OperationState_OPERATION_GONE_BY_OPERATOR, "Reconciliation: Agent marked gone by operator"
	}
	return mesospb.OperationState_OPERATION_UNKNOWN, "Reconciliation: Both operation and agent are unknown"
}
