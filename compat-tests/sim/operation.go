package sim

import (
	"bytes"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// operation is a change of the agent's resources, kept until its status is acknowledged.
type operation struct {
	message *mesospb.Operation
	update  *internalpb.UpdateOperationStatusMessage
	// sent is the generation of the timer that repeats the status; done says that it
	// was acknowledged.
	sent     uint32
	interval time.Duration
	done     bool
}

func (a *Agent) findOperation(uuid []byte) *operation {
	for _, o := range a.operations {
		if bytes.Equal(o.message.GetUuid().GetValue(), uuid) {
			return o
		}
	}
	return nil
}

// applyOperation reserves, unreserves, or makes or removes volumes (Slave::applyOperation).
func (a *Agent) applyOperation(m *internalpb.ApplyOperationMessage) {
	if a.findOperation(m.GetOperationUuid().GetValue()) != nil {
		a.counts.Ignored++
		return
	}
	info := m.GetOperationInfo()
	resources.UpgradeAll(info)
	plain := proto.CloneOf(info)
	stripAllocation(plain)
	status := &mesospb.OperationStatus{
		OperationId: info.GetId(), State: mesospb.OperationState_OPERATION_FINISHED.Enum(),
		Uuid: &mesospb.UUID{Value: a.uuid()}, AgentId: a.info.Id,
	}
	if total, err := a.total.ApplyOperation(plain); err != nil {
		status.State = mesospb.OperationState_OPERATION_ERROR.Enum()
		status.Message = proto.String(err.Error())
	} else {
		a.total = total
		a.checkpointed = total.Filter(resources.Resource.NeedsCheckpoint)
	}
	o := &operation{
		message: &mesospb.Operation{
			FrameworkId: m.FrameworkId, AgentId: a.info.Id, Info: info, LatestStatus: status,
			Statuses: []*mesospb.OperationStatus{status}, Uuid: m.OperationUuid,
		},
		update: &internalpb.UpdateOperationStatusMessage{
			FrameworkId: m.FrameworkId, SlaveId: a.info.Id, Status: status, LatestStatus: status, OperationUuid: m.OperationUuid,
		},
		interval: retryMin,
	}
	a.operations = append(a.operations, o)
	a.counts.Operations++
	a.reportOperation(o)
}

// stripAllocation takes out whom the operation's resources are allocated to: the
// agent's total is not allocated.
func stripAllocation(op *mesospb.Offer_Operation) {
	lists := [][]*mesospb.Resource{
		op.GetReserve().GetResources(), op.GetReserve().GetSource(), op.GetUnreserve().GetResources(),
		op.GetCreate().GetVolumes(), op.GetDestroy().GetVolumes(),
		{op.GetGrowVolume().GetVolume(), op.GetGrowVolume().GetAddition(), op.GetShrinkVolume().GetVolume()},
	}
	for _, list := range lists {
		for _, r := range list {
			if r != nil {
				r.AllocationInfo = nil
			}
		}
	}
}

// reportOperation sends an operation's status until it is acknowledged.
func (a *Agent) reportOperation(o *operation) {
	if !a.registered {
		return
	}
	o.sent++
	a.set(o.interval, timer{alarm: alarmOperation, generation: o.sent, operation: o})
	a.send(o.update)
}

func (a *Agent) operationAcknowledged(m *internalpb.AcknowledgeOperationStatusMessage) {
	o := a.findOperation(m.GetOperationUuid().GetValue())
	if o == nil || !bytes.Equal(o.update.GetStatus().GetUuid().GetValue(), m.GetStatusUuid().GetValue()) {
		a.counts.Unexpected++
		return
	}
	o.done = true
	a.operations = slices.DeleteFunc(a.operations, func(other *operation) bool { return other == o })
}

// reconcileOperations answers for operations that the master is unsure of.
func (a *Agent) reconcileOperations(m *internalpb.ReconcileOperationsMessage) {
	if !a.registered {
		return
	}
	for _, asked := range m.GetOperations() {
		o := a.findOperation(asked.GetOperationUuid().GetValue())
		if asked.GetResourceProviderId() != nil || o != nil && m.FrameworkId == nil {
			continue // The status is on its way anyhow.
		}
		status := &mesospb.OperationStatus{State: mesospb.OperationState_OPERATION_DROPPED.Enum(), AgentId: a.info.Id}
		if o != nil {
			status = proto.CloneOf(o.message.LatestStatus)
			status.Uuid = nil
		}
		a.send(&internalpb.UpdateOperationStatusMessage{
			FrameworkId: m.FrameworkId, SlaveId: a.info.Id, OperationUuid: asked.GetOperationUuid(), Status: status,
		})
	}
}

// checkpointResources takes the whole set from masters that know no operations of agents.
func (a *Agent) checkpointResources(m *internalpb.CheckpointResourcesMessage) {
	resources.UpgradeAll(m)
	set := resources.New(m.GetResources()...)
	total, err := a.b.total.ApplyCheckpointed(set)
	if err != nil {
		a.counts.Ignored++
		return
	}
	a.total, a.checkpointed = total, set
}
