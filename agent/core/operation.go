package core

import (
	"bytes"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// operation is a change of the agent's resources that the master asked for, kept
// until its status is acknowledged.
type operation struct {
	// message is never changed in place.
	message *mesospb.Operation
	// update is the status on its way to the master.
	update   *internalpb.UpdateOperationStatusMessage
	timer    uint64
	interval time.Duration
}

func (o *operation) uuid() []byte { return o.message.GetUuid().GetValue() }

func (c *Core) findOperation(uuid []byte) *operation {
	for _, o := range c.operations {
		if bytes.Equal(o.uuid(), uuid) {
			return o
		}
	}
	return nil
}

// applyOperation reserves, unreserves, or makes or removes volumes (Slave::applyOperation). The
// master has done the same to its own view already.
func (c *Core) applyOperation(m *internalpb.ApplyOperationMessage) {
	if c.state == Recovering || c.findOperation(m.GetOperationUuid().GetValue()) != nil {
		return
	}
	info := proto.Clone(m.GetOperationInfo()).(*mesospb.Offer_Operation)
	resources.UpgradeAll(info)
	stripped := proto.Clone(info).(*mesospb.Offer_Operation)
	stripAllocation(stripped)
	status := &mesospb.OperationStatus{
		OperationId: info.GetId(),
		State:       mesospb.OperationState_OPERATION_FINISHED.Enum(),
		Uuid:        &mesospb.UUID{Value: c.options.NewUUID()},
		AgentId:     c.info.GetId(),
	}
	total, err := c.total.ApplyOperation(stripped)
	if err != nil {
		// The original aborts: master and agent disagree about the agent's resources.
		c.warn("Failed to apply operation", "type", info.GetType().String(), "error", err.Error())
		status.State = mesospb.OperationState_OPERATION_ERROR.Enum()
		status.Message = proto.String(err.Error())
	} else {
		c.total = total
	}
	o := &operation{
		message: &mesospb.Operation{
			FrameworkId:  m.GetFrameworkId(),
			AgentId:      c.info.GetId(),
			Info:         info,
			LatestStatus: status,
			Statuses:     []*mesospb.OperationStatus{status},
			Uuid:         m.GetOperationUuid(),
		},
		update: &internalpb.UpdateOperationStatusMessage{
			FrameworkId:   m.GetFrameworkId(),
			SlaveId:       c.info.GetId(),
			Status:        status,
			OperationUuid: m.GetOperationUuid(),
		},
	}
	c.operations = append(c.operations, o)
	c.saveResources()
	c.emit(SaveOperationUpdate{UUID: uuidText(o.uuid()), Record: &internalpb.UpdateOperationStatusRecord{
		Type: internalpb.UpdateOperationStatusRecord_UPDATE.Enum(), Update: o.update,
	}})
	c.forwardOperation(o, updateRetryMin)
}

// stripAllocation takes the role that the operation's resources are allocated to out:
// the agent's total is not allocated.
func stripAllocation(op *mesospb.Offer_Operation) {
	lists := [][]*mesospb.Resource{
		op.GetReserve().GetResources(), op.GetReserve().GetSource(), op.GetUnreserve().GetResources(),
		op.GetCreate().GetVolumes(), op.GetDestroy().GetVolumes(),
		{op.GetGrowVolume().GetVolume(), op.GetGrowVolume().GetAddition(), op.GetShrinkVolume().GetVolume()},
	}
	for _, list := range lists {
		for _, resource := range list {
			if resource != nil {
				resource.AllocationInfo = nil
			}
		}
	}
}

// saveResources checkpoints reservations and volumes after a change.
func (c *Core) saveResources() {
	want := c.total.Filter(resources.Resource.NeedsCheckpoint)
	var operations []*mesospb.Operation
	for _, o := range c.operations {
		operations = append(operations, o.message)
	}
	c.emit(SaveResources{
		Resources:  want.Proto(),
		Operations: operations,
		Created:    want.Subtract(c.checkpointed).PersistentVolumes().Proto(),
		Removed:    c.checkpointed.Subtract(want).PersistentVolumes().Proto(),
	})
	c.checkpointed = want
}

// checkpointResources takes the whole set from masters that know no operations of agents.
func (c *Core) checkpointResources(m *internalpb.CheckpointResourcesMessage) {
	list := proto.Clone(m).(*internalpb.CheckpointResourcesMessage)
	resources.UpgradeAll(list)
	total, err := resources.New(c.info.GetResources()...).ApplyCheckpointed(resources.New(list.GetResources()...))
	if err != nil {
		c.warn("Ignoring checkpointed resources that do not fit this agent", "error", err.Error())
		return
	}
	c.total = total
	c.saveResources()
}

// forwardOperation sends an operation's status until it is acknowledged.
func (c *Core) forwardOperation(o *operation, interval time.Duration) {
	if c.state == Running && c.master != "" {
		update := proto.Clone(o.update).(*internalpb.UpdateOperationStatusMessage)
		update.LatestStatus = o.message.LatestStatus
		c.emit(Send{To: c.master, Body: update})
	}
	c.cancel(&o.timer)
	o.interval = interval
	o.timer = c.after(interval, func() {
		o.timer = 0
		if c.findOperation(o.uuid()) == o {
			c.forwardOperation(o, min(o.interval*2, updateRetryMax))
		}
	})
}

// operationAcknowledged forgets an operation whose last status is known to whoever asked.
func (c *Core) operationAcknowledged(m *internalpb.AcknowledgeOperationStatusMessage) {
	o := c.findOperation(m.GetOperationUuid().GetValue())
	if o == nil || !bytes.Equal(o.update.GetStatus().GetUuid().GetValue(), m.GetStatusUuid().GetValue()) {
		c.warn("Dropping unexpected operation status acknowledgement")
		return
	}
	c.removeOperation(o)
}

func (c *Core) removeOperation(o *operation) {
	c.cancel(&o.timer)
	for i := range c.operations {
		if c.operations[i] == o {
			c.operations = append(c.operations[:i:i], c.operations[i+1:]...)
			break
		}
	}
	c.saveResources()
	c.emit(SaveOperationUpdate{UUID: uuidText(o.uuid())})
	c.updateDrain()
}

// recoverOperations goes on reporting what was applied before the restart.
func (c *Core) recoverOperations(saved []*mesospb.Operation) {
	for _, message := range saved {
		o := &operation{message: message, update: &internalpb.UpdateOperationStatusMessage{
			FrameworkId:   message.GetFrameworkId(),
			SlaveId:       c.info.GetId(),
			Status:        message.GetLatestStatus(),
			OperationUuid: message.GetUuid(),
		}}
		c.operations = append(c.operations, o)
		c.forwardOperation(o, updateRetryMin)
	}
}

// reconcileOperations tells the master about operations that it is unsure of.
func (c *Core) reconcileOperations(m *internalpb.ReconcileOperationsMessage) {
	if c.master == "" || c.state != Running {
		return
	}
	for _, asked := range m.GetOperations() {
		if asked.GetResourceProviderId() != nil {
			continue
		}
		o := c.findOperation(asked.GetOperationUuid().GetValue())
		if o != nil && m.FrameworkId == nil {
			continue // Its status is on its way anyhow.
		}
		update := &internalpb.UpdateOperationStatusMessage{
			FrameworkId: m.FrameworkId, SlaveId: c.info.GetId(), OperationUuid: asked.GetOperationUuid(),
			Status: &mesospb.OperationStatus{
				State: mesospb.OperationState_OPERATION_DROPPED.Enum(), AgentId: c.info.GetId(),
			},
		}
		if o != nil {
			update.Status = proto.Clone(o.message.LatestStatus).(*mesospb.OperationStatus)
			update.Status.Uuid = nil
		}
		c.emit(Send{To: c.master, Body: update})
	}
}
