package core

import (
	"fmt"
	"net/http"

	"stoa/internal/auth"
	"stoa/internal/mesos/allocatorpb"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/validation"
)

func (c *Core) answer(to RequestID, status int, body string) {
	if to != 0 {
		c.effect(Answer{Request: to, Status: status, Body: body})
	}
}

// call carries out a scheduler's call after the checks that need the framework.
func (c *Core) call(e Call) {
	id := e.Call.GetFrameworkId().GetValue()
	f := c.known[id]
	if status, body := admitCall(f, e); status != 0 {
		c.answer(e.Request, status, body)
		return
	}
	c.countCall(f, e.Call)
	if e.Call.GetType() == schedulerpb.Call_UPDATE_FRAMEWORK {
		status, body := c.callUpdateFramework(f, e.Call.UpdateFramework)
		c.answer(e.Request, status, body)
		return
	}
	if e.Call.GetType() == schedulerpb.Call_UNKNOWN {
		c.answer(e.Request, http.StatusNotImplemented, "501 Not Implemented.")
		return
	}
	c.answer(e.Request, http.StatusAccepted, "")
	c.carryOut(f, e.Call)
}

// carryOut does what a call of a framework asks for.
func (c *Core) carryOut(f *Framework, call *schedulerpb.Call) {
	switch call.GetType() {
	case schedulerpb.Call_TEARDOWN:
		c.log.Info("framework tears itself down", "framework", f.ID)
		c.removeFramework(f)
	case schedulerpb.Call_ACCEPT:
		c.accept(f, call.Accept)
	case schedulerpb.Call_DECLINE:
		c.decline(f, call.Decline)
	case schedulerpb.Call_REVIVE:
		c.revive(f, call.GetRevive().GetRoles())
	case schedulerpb.Call_SUPPRESS:
		c.suppress(f, call.GetSuppress().GetRoles())
	case schedulerpb.Call_KILL:
		c.kill(f, call.Kill)
	case schedulerpb.Call_SHUTDOWN:
		c.shutdownExecutor(f, call.Shutdown)
	case schedulerpb.Call_ACKNOWLEDGE:
		c.acknowledge(f, call.Acknowledge)
	case schedulerpb.Call_RECONCILE:
		c.reconcile(f, call.Reconcile.GetTasks())
	case schedulerpb.Call_MESSAGE:
		c.message(f, call.Message)
	case schedulerpb.Call_ACKNOWLEDGE_OPERATION_STATUS:
		c.acknowledgeOperation(f, call.AcknowledgeOperationStatus)
	case schedulerpb.Call_RECONCILE_OPERATIONS:
		c.reconcileOperations(f, call.ReconcileOperations.GetOperations())
	case schedulerpb.Call_REQUEST:
		// The original's allocator only writes requests to its log.
		c.log.Info("framework requests resources", "framework", f.ID)
	case schedulerpb.Call_ACCEPT_INVERSE_OFFERS:
		c.answerInverseOffers(f, call.AcceptInverseOffers.GetInverseOfferIds(), allocatorpb.InverseOfferStatus_ACCEPT, call.AcceptInverseOffers.GetFilters())
	case schedulerpb.Call_DECLINE_INVERSE_OFFERS:
		c.answerInverseOffers(f, call.DeclineInverseOffers.GetInverseOfferIds(), allocatorpb.InverseOfferStatus_DECLINE, call.DeclineInverseOffers.GetFilters())
	}
}

// admitCall is rows 14 to 19 of the request pipeline; status 0 lets the call in.
func admitCall(f *Framework, e Call) (int, string) {
	switch {
	case f == nil:
		return http.StatusBadRequest, "Framework cannot be found"
	case e.Principal != "" && f.Info.Principal != nil && e.Principal != f.Info.GetPrincipal():
		return http.StatusBadRequest, fmt.Sprintf("Authenticated principal '%s' does not match principal '%s' set in `FrameworkInfo`", e.Principal, f.Info.GetPrincipal())
	case !f.Connected():
		return http.StatusForbidden, "Framework is not subscribed"
	case f.Stream == 0:
		return http.StatusForbidden, "Framework is not connected via HTTP"
	case !e.HasStreamUUID:
		return http.StatusBadRequest, "All non-subscribe calls should include the 'Mesos-Stream-Id' header"
	case e.StreamUUID != f.StreamUUID:
		return http.StatusBadRequest, fmt.Sprintf("The stream ID '%s' included in this request didn't match the stream ID currently associated with framework ID %s", e.StreamUUID, f.ID)
	}
	return 0, ""
}

func (c *Core) callUpdateFramework(f *Framework, call *schedulerpb.Call_UpdateFramework) (int, string) {
	info := call.GetFrameworkInfo()
	if err := c.validateFramework(info); err != nil {
		return http.StatusBadRequest, "Supplied FrameworkInfo is not valid: " + err.Error()
	}
	if err := validation.FrameworkUpdate(f.Info, info); err != nil {
		return http.StatusBadRequest, "FrameworkInfo update is not valid: " + err.Error()
	}
	wants, err := c.wishesOf(info, call.GetSuppressedRoles(), call.GetOfferConstraints())
	if err != nil {
		return http.StatusBadRequest, "'UpdateFramework' call is not valid: " + err.Error()
	}
	if err := c.unauthorized(f.Info.GetPrincipal(), auth.Registration(info)); err != nil {
		return http.StatusForbidden, err.Error()
	}
	changed := !sameFramework(f.Info, info)
	c.updateFramework(f, info, wants)
	if changed {
		c.broadcastFramework(f)
	}
	return http.StatusOK, ""
}

// rolesOf checks the roles of a REVIVE or SUPPRESS: one that is not the framework's
// spoils the whole call, silently.
func (c *Core) rolesOf(f *Framework, roles []string, what string) bool {
	for _, role := range roles {
		if !f.Subscribed(role) {
			c.log.Warn("call ignored: the framework is not subscribed to the role", "call", what, "framework", f.ID, "role", role)
			return false
		}
	}
	return true
}

func (c *Core) revive(f *Framework, roles []string) {
	if !c.rolesOf(f, roles, "REVIVE") {
		return
	}
	if len(roles) == 0 {
		roles = f.Roles
	}
	for _, role := range roles {
		delete(f.Suppressed, role)
	}
	c.alloc.Revive(f.ID, roles)
	c.touch(f, nil)
}

func (c *Core) suppress(f *Framework, roles []string) {
	if !c.rolesOf(f, roles, "SUPPRESS") {
		return
	}
	if len(roles) == 0 {
		roles = f.Roles
	}
	for _, role := range roles {
		f.Suppressed[role] = true
	}
	c.alloc.Suppress(f.ID, roles)
	c.touch(f, nil)
}

func (c *Core) decline(f *Framework, call *schedulerpb.Call_Decline) {
	wait := c.refusal(f, call.GetFilters())
	for _, id := range call.GetOfferIds() {
		o := c.outOffers[id.GetValue()]
		if o == nil || o.Framework != f {
			c.log.Debug("declined offer is no longer valid", "framework", f.ID, "offer", id.GetValue())
			continue
		}
		f.count("offers/declined")
		c.removeOffer(o)
		c.alloc.Decline(c.now, f.ID, o.Agent.ID, o.Resources, wait)
	}
}

// kill asks a task's agent to kill it. A task nobody knows is answered for instead.
func (c *Core) kill(f *Framework, call *schedulerpb.Call_Kill) {
	t := f.Tasks[call.GetTaskId().GetValue()]
	if t == nil {
		c.reconcile(f, []*schedulerpb.Call_Reconcile_Task{{TaskId: call.TaskId, AgentId: call.AgentId}})
		return
	}
	if call.AgentId != nil && call.AgentId.GetValue() != t.Agent.ID {
		c.log.Warn("kill ignored: the task is on another agent", "framework", f.ID, "task", t.ID, "agent", call.AgentId.GetValue())
		return
	}
	t.Agent.killed[taskKey{f.ID, t.ID}] = struct{}{}
	if !t.Agent.Connected {
		c.log.Warn("kill waits until the agent is back", "framework", f.ID, "task", t.ID, "agent", t.Agent.ID)
		return
	}
	c.send(t.Agent.PID, &internalpb.KillTaskMessage{
		FrameworkId: f.Info.Id,
		TaskId:      call.TaskId,
		KillPolicy:  call.KillPolicy,
	})
}

func (c *Core) shutdownExecutor(f *Framework, call *schedulerpb.Call_Shutdown) {
	if a := c.registered[call.GetAgentId().GetValue()]; a != nil {
		c.send(a.PID, &internalpb.ShutdownExecutorMessage{ExecutorId: call.ExecutorId, FrameworkId: f.Info.Id})
	}
}

// acknowledge sends a framework's acknowledgement on to the agent. That of a last
// status removes the task.
func (c *Core) acknowledge(f *Framework, call *schedulerpb.Call_Acknowledge) {
	a := c.registered[call.GetAgentId().GetValue()]
	if a == nil || !a.Connected {
		c.valid(false, "status_update_acknowledgements")
		c.log.Warn("acknowledgement dropped: the agent is not there", "framework", f.ID, "agent", call.GetAgentId().GetValue(), "task", call.GetTaskId().GetValue())
		return
	}
	if t := a.task(f.ID, call.GetTaskId().GetValue()); t != nil {
		if t.Proto.StatusUpdateState == nil {
			c.valid(false, "status_update_acknowledgements")
			c.log.Warn("acknowledgement dropped: the update was not sent by this master", "framework", f.ID, "task", t.ID)
			return
		}
		if Terminal(t.Proto.GetStatusUpdateState()) && string(t.Proto.StatusUpdateUuid) == string(call.Uuid) {
			c.removeTask(t, false)
		}
	}
	c.valid(true, "status_update_acknowledgements")
	c.send(a.PID, &internalpb.StatusUpdateAcknowledgementMessage{
		SlaveId:     call.AgentId,
		FrameworkId: f.Info.Id,
		TaskId:      call.TaskId,
		Uuid:        call.Uuid,
	})
}

func (c *Core) message(f *Framework, call *schedulerpb.Call_Message) {
	a := c.registered[call.GetAgentId().GetValue()]
	c.valid(a != nil && a.Connected, "framework_to_executor_messages")
	if a == nil || !a.Connected {
		c.log.Warn("message to an executor dropped: the agent is not there", "framework", f.ID, "agent", call.GetAgentId().GetValue())
		return
	}
	c.send(a.PID, &internalpb.FrameworkToExecutorMessage{
		SlaveId:     call.AgentId,
		FrameworkId: f.Info.Id,
		ExecutorId:  call.ExecutorId,
		Data:        call.Data,
	})
}

// reconcile answers what is known of tasks: of those named, or of all.
func (c *Core) reconcile(f *Framework, tasks []*schedulerpb.Call_Reconcile_Task) {
	if len(tasks) == 0 {
		for _, id := range sortedKeys(f.Tasks) {
			c.emitStatus(f, c.latestStatus(f.Tasks[id]))
		}
		return
	}
	for _, one := range tasks {
		if s := c.reconciled(f, one); s != nil {
			c.emitStatus(f, s)
		}
	}
}

func (c *Core) latestStatus(t *Task) *mesospb.TaskStatus {
	state := t.State()
	if t.Proto.StatusUpdateState != nil {
		state = t.Proto.GetStatusUpdateState()
	}
	s := c.masterStatus(t.Proto.TaskId, t.Proto.AgentId, state, mesospb.TaskStatus_REASON_RECONCILIATION, "Reconciliation: Latest task state")
	s.ExecutorId = t.Proto.ExecutorId
	copyHealth(s, t.Proto)
	return s
}

// reconciled answers for one task; nil is no answer: agents that may know the task
// have yet to come back.
func (c *Core) reconciled(f *Framework, one *schedulerpb.Call_Reconcile_Task) *mesospb.TaskStatus {
	if t := f.Tasks[one.GetTaskId().GetValue()]; t != nil {
		return c.latestStatus(t)
	}
	agent := one.GetAgentId().GetValue()
	named := one.AgentId != nil
	if named && c.recovered[agent] != nil || !named && len(c.recovered) > 0 {
		return nil
	}
	state, message := mesospb.TaskState_TASK_UNKNOWN, "Reconciliation: Task is unknown"
	var unreachable *mesospb.TimeInfo
	switch {
	case named && c.registered[agent] != nil:
		state, message = mesospb.TaskState_TASK_GONE, "Reconciliation: Task is unknown to the agent"
	case named && c.unreachable[agent] != nil:
		state, message = mesospb.TaskState_TASK_UNREACHABLE, "Reconciliation: Task is unreachable"
		unreachable = c.unreachable[agent].Time
	case named && c.gone[agent] != nil:
		state, message = mesospb.TaskState_TASK_GONE_BY_OPERATOR, "Reconciliation: Task is gone"
	}
	if !f.Capabilities.PartitionAware {
		state = mesospb.TaskState_TASK_LOST
	}
	s := c.masterStatus(one.TaskId, one.AgentId, state, mesospb.TaskStatus_REASON_RECONCILIATION, message)
	s.UnreachableTime = unreachable
	return s
}
