package core

import (
	"net/http"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// departure is how an agent is about to leave while the registry is written.
type departure int

const (
	// becomingUnreachable: it may come back.
	becomingUnreachable departure = iota + 1
	// beingRemoved: it said good-bye, or its machine goes down.
	beingRemoved
	// becomingGone: an operator said that it never comes back.
	becomingGone
)

// goneText is what everybody is told of an agent that was marked gone.
const goneText = "Agent has been marked gone"

// markAgentGone ends an agent for ever (src/master/http.cpp, _markAgentGone).
func (c *Core) markAgentGone(e MarkAgentGone) {
	id := e.Agent
	status, body := http.StatusServiceUnavailable, "Agent '"+id+"' is "
	switch {
	case c.gone[id] != nil:
		c.log.Info("agent is gone already", "agent", id)
		status, body = http.StatusOK, ""
	case c.leaving[id] == becomingGone:
		body += "already being transitioned to gone"
	case c.leaving[id] == beingRemoved:
		body += "being transitioned to removed"
	case c.leaving[id] == becomingUnreachable:
		body += "being transitioned to unreachable"
	case !c.listed(id):
		status, body = http.StatusNotFound, "Agent '"+id+"' not found"
	default:
		c.log.Info("marking agent gone", "agent", id)
		c.becomeGone(id, func() { c.answer(e.Request, http.StatusOK, "") })
		return
	}
	c.answer(e.Request, status, body)
}

// becomeGone marks a listed agent gone in the registry, then here, and goes on with
// then.
func (c *Core) becomeGone(id string, then func()) {
	c.leaving[id] = becomingGone
	d := &DepartedAgent{ID: id, Time: c.timeInfo()}
	var changes []Change
	if c.ledger.admitted[id] != nil {
		changes = append(changes, DropAgent{id})
	}
	if c.ledger.unreachable[id] != nil {
		changes = append(changes, DropUnreachable{id})
	}
	changes = append(changes, PutGone{&internalpb.Registry_GoneSlave{Id: &mesospb.AgentID{Value: &id}, Timestamp: d.Time}})
	c.store(func() {
		delete(c.leaving, id)
		c.gone[id] = d
		if a := c.registered[id]; a != nil {
			c.endGone(a)
		} else {
			// Of an agent that has not come back since this master started, no tasks are
			// known: nobody can be told of them.
			delete(c.recovered, id)
			delete(c.unreachable, id)
			c.endUnreachable(id)
		}
		c.rev++
		then()
	}, changes...)
}

// endGone ends a registered agent that is gone, and everything on it.
func (c *Core) endGone(a *Agent) {
	c.shutdownAgent(a.PID, goneText)
	c.tellOperations(a, mesospb.OperationState_OPERATION_GONE_BY_OPERATOR, goneText)
	c.dropAgent(a, func(t *Task) {
		state, reason := goneState(t.Framework)
		status := c.masterStatus(t.Proto.TaskId, t.Proto.AgentId, state, reason, goneText)
		// The original lists the tasks of frameworks that are not partition aware as
		// unreachable ones.
		c.endTask(t, status, !t.Framework.Capabilities.PartitionAware)
	})
}

// endUnreachable ends the tasks remembered of an unreachable agent that is gone.
func (c *Core) endUnreachable(id string) {
	tasks := c.unreachableTasks[id]
	for _, framework := range sortedKeys(tasks) {
		f := c.known[framework]
		if f == nil {
			continue
		}
		state, reason := goneState(f)
		for _, task := range tasks[framework] {
			p := f.Unreachable.Get(task)
			if p == nil || p.GetAgentId().GetValue() != id {
				continue
			}
			f.Unreachable.remove(task)
			status := c.masterStatus(p.TaskId, p.AgentId, state, reason, goneText)
			status.ExecutorId = p.ExecutorId
			p = copyTask(p)
			if !Terminal(p.GetState()) {
				p.State = status.State
				c.countEnd(f, status)
			}
			p.Statuses = withStatus(p.Statuses, status)
			f.CompletedTasks.add(p)
			c.emitStatus(f, status)
		}
		c.touch(f, nil)
	}
	delete(c.unreachableTasks, id)
}

func goneState(f *Framework) (mesospb.TaskState, mesospb.TaskStatus_Reason) {
	if f.Capabilities.PartitionAware {
		return mesospb.TaskState_TASK_GONE_BY_OPERATOR, mesospb.TaskStatus_REASON_AGENT_REMOVED_BY_OPERATOR
	}
	return mesospb.TaskState_TASK_LOST, mesospb.TaskStatus_REASON_AGENT_REMOVED
}

// tellOperations tells frameworks on event streams what became of the operations they
// named on an agent. Nobody acknowledges this; those who miss it reconcile.
func (c *Core) tellOperations(a *Agent, state mesospb.OperationState, message string) {
	for _, uuid := range sortedKeys(a.Operations) {
		o := a.Operations[uuid]
		f := c.known[o.Framework]
		if f == nil || f.Stream == 0 || o.Proto.GetInfo().Id == nil {
			continue
		}
		c.emitOperation(f, &mesospb.OperationStatus{
			OperationId: o.Proto.GetInfo().Id,
			State:       state.Enum(),
			Message:     proto.String(message),
			AgentId:     a.Info.Id,
		})
	}
}
