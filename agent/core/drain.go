package core

import (
	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/mesospb"
)

// startDrain ends every task, within the given time if there is one (Slave::drain).
func (c *Core) startDrain(config *mesospb.DrainConfig) {
	if len(c.operations) == 0 && len(c.frameworks) == 0 {
		c.note("Draining is already complete: the agent has no frameworks and no operations")
		if c.drain != nil {
			c.drain = nil
			c.emit(SaveDrain{})
		}
		return
	}
	c.note("Initiating drain")
	c.drain = proto.Clone(config).(*mesospb.DrainConfig)
	c.drainStart = c.now
	c.emit(SaveDrain{Config: c.drain})
	for _, f := range c.frameworkList() {
		for _, l := range append([]*launch(nil), f.pending...) {
			if !l.killed {
				c.killPendingLaunch(f, l)
			}
		}
		for _, e := range f.executors.list() {
			for _, task := range e.launched.list() {
				c.kill(f, e, task.GetTaskId().GetValue(), drainPolicy(config, task.GetKillPolicy()))
			}
			for _, task := range e.queued.list() {
				if e.queued.has(task.GetTaskId().GetValue()) {
					c.kill(f, e, task.GetTaskId().GetValue(), drainPolicy(config, task.GetKillPolicy()))
				}
			}
		}
		c.removeIfIdle(f)
	}
}

// drainPolicy shortens a task's grace period to what the drain allows; nil keeps it.
func drainPolicy(config *mesospb.DrainConfig, policy *mesospb.KillPolicy) *mesospb.KillPolicy {
	limit := config.GetMaxGracePeriod()
	if limit == nil || policy.GetGracePeriod() != nil && policy.GetGracePeriod().GetNanoseconds() <= limit.GetNanoseconds() {
		return nil
	}
	return &mesospb.KillPolicy{GracePeriod: limit}
}

// drainedStatus marks the kills that draining causes.
func (c *Core) drainedStatus(f *framework, status *mesospb.TaskStatus) {
	if c.drain == nil {
		return
	}
	switch status.GetState() {
	case mesospb.TaskState_TASK_KILLING, mesospb.TaskState_TASK_KILLED:
		status.Reason = mesospb.TaskStatus_REASON_AGENT_DRAINING.Enum()
		if c.drain.GetMarkGone() && f.capable(mesospb.FrameworkInfo_Capability_PARTITION_AWARE) {
			status.State = mesospb.TaskState_TASK_GONE_BY_OPERATOR.Enum()
		}
	}
}

// updateDrain ends draining once nothing is left.
func (c *Core) updateDrain() {
	if c.drain == nil || len(c.operations) > 0 || len(c.frameworks) > 0 {
		return
	}
	c.note("Agent finished draining")
	c.drain = nil
	c.emit(SaveDrain{})
}
