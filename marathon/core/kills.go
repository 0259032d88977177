package core

import (
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/instance"

	"google.golang.org/protobuf/proto"
)

// killQueue holds the tasks that are to be killed until Mesos says that they are gone.
// Original: core/task/termination/impl/KillServiceActor.scala.
type killQueue struct {
	byTask map[string]*pendingKill
	// unsent are the tasks whose kill has not been sent, oldest first.
	unsent   []string
	inFlight int
}

type pendingKill struct {
	task, agent string
	sent        bool
	retryAt     time.Time
}

func newKillQueue() killQueue { return killQueue{byTask: map[string]*pendingKill{}} }

// drop forgets a task that has ended.
func (q *killQueue) drop(task string) {
	k := q.byTask[task]
	if k == nil {
		return
	}
	delete(q.byTask, task)
	if k.sent {
		q.inFlight--
	} else if at := slices.Index(q.unsent, task); at >= 0 {
		q.unsent = slices.Delete(q.unsent, at, at+1)
	}
}

// kill has a task killed; until it has ended the kill is repeated.
func (c *Core) kill(i *instance.Instance, taskID string, now time.Time) {
	if c.kills.byTask[taskID] != nil {
		return
	}
	k := &pendingKill{task: taskID}
	if i != nil && i.Agent != nil {
		k.agent = i.Agent.AgentID
	}
	c.kills.byTask[taskID] = k
	c.kills.unsent = append(c.kills.unsent, taskID)
	c.sendKills(now)
}

// killUnknown kills a task that Marathon does not know, or not any more. The kill is
// not repeated here: the next status update or reconciliation brings the task up again.
func (c *Core) killUnknown(status *mesospb.TaskStatus) {
	c.callKill(status.GetTaskId().GetValue(), status.GetAgentId().GetValue())
}

func (c *Core) callKill(task, agent string) {
	kill := &schedulerpb.Call_Kill{TaskId: &mesospb.TaskID{Value: proto.String(task)}}
	if agent != "" {
		kill.AgentId = &mesospb.AgentID{Value: proto.String(agent)}
	}
	c.call(&schedulerpb.Call{Type: schedulerpb.Call_KILL.Enum(), Kill: kill})
}

// sendKills sends what the limit of kills in flight allows.
func (c *Core) sendKills(now time.Time) {
	q := &c.kills
	for c.connected && len(q.unsent) > 0 && q.inFlight < max(1, c.settings.KillChunk) {
		k := q.byTask[q.unsent[0]]
		q.unsent = q.unsent[1:]
		k.sent = true
		q.inFlight++
		c.sendKill(k, now)
	}
}

func (c *Core) sendKill(k *pendingKill, now time.Time) {
	k.retryAt = now.Add(c.settings.KillRetry)
	c.wakeAt(k.retryAt, wake{kind: wakeKill, id: k.task})
	c.callKill(k.task, k.agent)
}

func (c *Core) retryKill(task string, now time.Time) {
	if k := c.kills.byTask[task]; k != nil && k.sent && !now.Before(k.retryAt) {
		c.sendKill(k, now)
	}
}

// resendKills repeats all kills in flight: the master may not have got them.
func (c *Core) resendKills(now time.Time) {
	for _, k := range c.kills.byTask {
		if k.sent {
			c.sendKill(k, now)
		}
	}
	c.sendKills(now)
}

// settleGoals ends what is meant to end. Tasks that cannot be reached are not killed:
// a decommissioned instance of such a task is forgotten; should the task come back, it
// is killed as unknown.
func (c *Core) settleGoals(s *appState, now time.Time) {
	var ending []*instance.Instance // of their own: what follows changes s.instances
	for _, e := range s.instances {
		if e.State.Goal != instance.GoalRunning {
			ending = append(ending, e.Instance)
		}
	}
	for _, i := range ending {
		switch i.State.Condition {
		case instance.Unreachable, instance.UnreachableInactive, instance.Unknown, instance.Dropped, instance.Gone:
			if i.State.Goal == instance.GoalDecommissioned {
				c.apply(i, i.Expunge(), now)
			}
			continue
		}
		if !i.Active() {
			continue
		}
		for n := range i.Tasks {
			if !i.Tasks[n].Condition.Terminal() {
				c.kill(i, i.Tasks[n].ID, now)
			}
		}
	}
}
