package core

import (
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

// How long the first answer to a reconciliation is waited for before the master is asked
// again, and the longest pause between two questions.
const (
	firstAnswerWithin = time.Second
	longestAskPause   = 30 * time.Second
)

// reconciliation is what the master has been asked and has not answered. It stays silent
// about tasks of agents that have not come back to it since it began to lead, so that a launch
// that went down with the leader before is only noticed by asking until there is an answer.
type reconciliation struct {
	open  map[string]bool // by task id
	pause time.Duration
	next  time.Time // of the question to come; zero for none
}

// answered is told of every status update.
func (r *reconciliation) answered(taskID string) { delete(r.open, taskID) }

// stop forgets what was asked.
func (r *reconciliation) stop() { *r = reconciliation{} }

// reconcile asks the master about every task that should be alive, then about all it
// knows. unheard includes those launches that Mesos never confirmed: right after a new
// subscription nobody can tell whether the master has got them.
func (c *Core) reconcile(unheard bool, now time.Time) {
	if !c.connected {
		return
	}
	// What an earlier question left open stays open.
	if c.reconciliation.open == nil {
		c.reconciliation.open = map[string]bool{}
	}
	c.reconciliation.pause = firstAnswerWithin
	for _, e := range c.instances {
		for n := range e.Tasks {
			if t := &e.Tasks[n]; !t.Condition.Terminal() && (t.Status != nil || unheard) {
				c.reconciliation.open[t.ID] = true
			}
		}
	}
	c.askOpen(now)
	c.call(&schedulerpb.Call{
		Type:      schedulerpb.Call_RECONCILE.Enum(),
		Reconcile: &schedulerpb.Call_Reconcile{},
	})
}

// askOpen asks about the tasks without an answer, and plans to do so again.
func (c *Core) askOpen(now time.Time) {
	r := &c.reconciliation
	alive := map[string]bool{}
	var tasks []*schedulerpb.Call_Reconcile_Task
	for _, e := range c.instances {
		for n := range e.Tasks {
			t := &e.Tasks[n]
			if t.Condition.Terminal() || !r.open[t.ID] {
				continue
			}
			alive[t.ID] = true
			ask := &schedulerpb.Call_Reconcile_Task{TaskId: &mesospb.TaskID{Value: proto.String(t.ID)}}
			if e.Agent != nil && e.Agent.AgentID != "" {
				ask.AgentId = &mesospb.AgentID{Value: proto.String(e.Agent.AgentID)}
			}
			tasks = append(tasks, ask)
		}
	}
	if len(tasks) == 0 {
		r.stop()
		return
	}
	r.open = alive
	c.call(&schedulerpb.Call{
		Type:      schedulerpb.Call_RECONCILE.Enum(),
		Reconcile: &schedulerpb.Call_Reconcile{Tasks: tasks},
	})
	r.next = now.Add(r.pause)
	r.pause = min(2*r.pause, longestAskPause)
	c.wakeAt(r.next, wake{kind: wakeAsk})
}

// askAgain is called when an answer should have come. A later reconciliation has a time of
// its own.
func (c *Core) askAgain(now time.Time) {
	if c.connected && !c.reconciliation.next.IsZero() && !now.Before(c.reconciliation.next) {
		c.askOpen(now)
	}
}
