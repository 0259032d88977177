package command

import (
	"fmt"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/executor/session"
	"stoa/agent/health"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

const (
	// defaultKillGrace is the time between SIGTERM and SIGKILL when no kill policy says otherwise.
	defaultKillGrace = 3 * time.Second
	// leastKillGrace lets even a kill without grace deliver its SIGTERM first, as the
	// original's timers do: its status then says "Terminated".
	leastKillGrace = 50 * time.Millisecond
	// shutdownReserve of the shutdown grace period is kept for the forced kill and the last update.
	shutdownReserve = 2 * time.Second
	// acknowledgementTimeout is how long the terminal update's acknowledgement is waited for.
	acknowledgementTimeout = 60 * time.Second
)

// effect is something the core wants done. The order of effects counts.
type effect interface{ isEffect() }

type (
	// send delivers an update to the agent.
	send struct{ call *executorpb.Call }
	// start runs the task. Its pid or failure comes back through core.started.
	start struct{ task *mesospb.TaskInfo }
	// probe begins the task's checks.
	probe struct{ task *mesospb.TaskInfo }
	// stopProbes ends them.
	stopProbes struct{}
	// signal goes to the whole process tree of the task.
	signal struct{ signal syscall.Signal }
	// exit ends the executor.
	exit struct{ code int }
	// say writes a line to the executor's log.
	say struct{ text string }
)

func (send) isEffect()       {}
func (start) isEffect()      {}
func (probe) isEffect()      {}
func (stopProbes) isEffect() {}
func (signal) isEffect()     {}
func (exit) isEffect()       {}
func (say) isEffect()        {}

// core is the command executor's state machine (src/launcher/executor.cpp). It does no I/O;
// time comes in as a value.
type core struct {
	shutdownGrace time.Duration
	updates       *session.Updates
	framework     *mesospb.FrameworkInfo
	task          *mesospb.TaskInfo

	launched, killed, terminated       bool
	killedByHealthCheck, killedByLimit bool

	// Deadlines; zero means none.
	completeBy  time.Time // max_completion_time
	killStarted time.Time
	killBy      time.Time // SIGKILL
	exitBy      time.Time // without the last acknowledgement
	giveUpBy    time.Time // the agent is gone

	health *health.HealthState
	check  *health.CheckState
	// last is the last status sent; health and check updates repeat what it holds.
	last *mesospb.TaskStatus
}

func newCore(env session.Environment) *core {
	return &core{
		shutdownGrace: env.ShutdownGracePeriod,
		updates:       session.NewUpdates(env.ExecutorID),
	}
}

// event takes an event of the agent.
func (c *core) event(now time.Time, event *executorpb.Event) []effect {
	effects := []effect{say{fmt.Sprintf("Received %s event", event.GetType())}}
	switch event.GetType() {
	case executorpb.Event_SUBSCRIBED:
		c.framework = event.GetSubscribed().GetFrameworkInfo()
		return append(effects, say{"Subscribed executor on " + event.GetSubscribed().GetAgentInfo().GetHostname()})
	case executorpb.Event_LAUNCH:
		return append(effects, c.launch(now, event.GetLaunch().GetTask())...)
	case executorpb.Event_LAUNCH_GROUP:
		effects = append(effects, say{"LAUNCH_GROUP event is not supported"})
		return append(effects, c.shutdown(now)...)
	case executorpb.Event_KILL:
		return append(effects, c.kill(now, event.GetKill().GetTaskId(), event.GetKill().GetKillPolicy())...)
	case executorpb.Event_ACKNOWLEDGED:
		return append(effects, c.acknowledged(event.GetAcknowledged())...)
	case executorpb.Event_SHUTDOWN:
		return append(effects, c.shutdown(now)...)
	case executorpb.Event_ERROR:
		return append(effects, say{"Error: " + event.GetError().GetMessage()})
	}
	return effects
}

func (c *core) launch(now time.Time, task *mesospb.TaskInfo) []effect {
	if c.task != nil {
		status := c.status(task, mesospb.TaskState_TASK_FAILED)
		status.Message = proto.String(`Attempted to run multiple tasks using a "command" executor`)
		return []effect{send{c.updates.Add(now, status)}}
	}
	if task.GetCommand() == nil || task.GetCommand().Value == nil {
		// The agent makes TASK_FAILED of it, reason EXECUTOR_TERMINATED.
		what := "Executable"
		if task.GetCommand().GetShell() {
			what = "Shell command"
		}
		return []effect{say{fmt.Sprintf("%s of task '%s' is not specified", what, task.GetTaskId().GetValue())}, exit{1}}
	}
	c.task = task
	c.updates.SetTask(task)
	effects := []effect{c.forward(now, c.status(task, mesospb.TaskState_TASK_STARTING))}
	if limit := task.GetMaxCompletionTime().GetNanoseconds(); limit > 0 {
		c.completeBy = now.Add(time.Duration(limit))
		effects = append(effects, say{fmt.Sprintf("Task %s has a max completion time of %v", task.GetTaskId().GetValue(), time.Duration(limit))})
	}
	return append(effects, say{"Starting task " + task.GetTaskId().GetValue()}, start{task})
}

// started tells that the task runs. failure is set when it could not be executed; its exit follows.
func (c *core) started(now time.Time, pid int, failure error) []effect {
	c.launched = true
	var effects []effect
	if failure == nil {
		effects = append(effects, say{fmt.Sprintf("Forked command at %d", pid)})
	}
	if c.task.GetHealthCheck() != nil {
		c.health = health.NewHealthState(c.task.GetHealthCheck(), now)
	}
	if c.task.GetCheck() != nil {
		c.check = health.NewCheckState(c.task.GetCheck())
	}
	effects = append(effects, c.forward(now, c.status(c.task, mesospb.TaskState_TASK_RUNNING)))
	if failure == nil && (c.health != nil || c.check != nil) {
		effects = append(effects, probe{c.task})
	}
	return effects
}

// exited tells how the task ended.
func (c *core) exited(now time.Time, pid int, how session.Exit) []effect {
	if c.terminated {
		return nil
	}
	c.terminated = true
	c.completeBy, c.killBy = time.Time{}, time.Time{}

	state := mesospb.TaskState_TASK_FAILED
	switch {
	case c.killedByLimit:
	case c.killed:
		state = mesospb.TaskState_TASK_KILLED
	case how == session.Exit{}:
		state = mesospb.TaskState_TASK_FINISHED
	}
	status := c.status(c.task, state)
	if c.killedByLimit {
		status.Reason = mesospb.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED.Enum()
	}
	if c.killed && c.killedByHealthCheck {
		status.Healthy = proto.Bool(false)
	}
	message := "Command " + session.ExitText(how)
	status.Message = proto.String(message)
	c.exitBy = now.Add(acknowledgementTimeout)
	effects := []effect{stopProbes{}, say{fmt.Sprintf("%s (pid: %d)", message, pid)}, c.forward(now, status)}
	if !c.giveUpBy.IsZero() {
		effects = append(effects, exit{1})
	}
	return effects
}

// kill is the agent's KILL: the call's policy wins over the task's.
func (c *core) kill(now time.Time, id *mesospb.TaskID, override *mesospb.KillPolicy) []effect {
	c.completeBy = time.Time{}
	grace := defaultKillGrace
	if policy := c.task.GetKillPolicy(); policy.GetGracePeriod() != nil {
		grace = time.Duration(policy.GetGracePeriod().GetNanoseconds())
	}
	if override.GetGracePeriod() != nil {
		grace = time.Duration(override.GetGracePeriod().GetNanoseconds())
	}
	effects := []effect{say{fmt.Sprintf("Received kill for task %s with grace period of %v", id.GetValue(), grace)}}
	return append(effects, c.terminate(now, grace)...)
}

// shutdown ends the task, if there is one, in what the agent allows for it.
func (c *core) shutdown(now time.Time) []effect {
	effects := []effect{say{"Shutting down"}}
	if c.task == nil {
		return append(effects, exit{0})
	}
	return append(effects, c.terminate(now, c.shutdownGrace-shutdownReserve)...)
}

// agentGone is told that nobody will take updates any more.
func (c *core) agentGone(now time.Time) []effect {
	if c.task == nil || c.terminated {
		return []effect{exit{1}}
	}
	c.giveUpBy = now.Add(c.shutdownGrace)
	return c.shutdown(now)
}

// terminate begins or hastens the end of the task.
func (c *core) terminate(now time.Time, grace time.Duration) []effect {
	switch {
	case c.terminated:
		return nil
	case !c.launched:
		return []effect{say{"Terminating because kill task message has been received before the task has been launched"}, exit{1}}
	}
	grace = max(grace, leastKillGrace)
	if c.killed {
		// A repeated kill may shorten the time to SIGKILL, counted from the first one, never
		// lengthen it.
		if by := c.killStarted.Add(grace); by.Before(c.killBy) {
			c.killBy = by
			return []effect{say{fmt.Sprintf("Rescheduling escalation to SIGKILL in %v from now", max(by.Sub(now), 0))}}
		}
		return nil
	}
	c.killed = true
	c.killStarted = now
	c.killBy = now.Add(grace)
	var effects []effect
	if !c.killedByLimit && c.frameworkHas(mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE) {
		effects = append(effects, c.forward(now, c.status(c.task, mesospb.TaskState_TASK_KILLING)))
	}
	return append(effects,
		stopProbes{},
		signal{syscall.SIGTERM},
		say{fmt.Sprintf("Scheduling escalation to SIGKILL in %v from now", grace)},
	)
}

func (c *core) frameworkHas(capability mesospb.FrameworkInfo_Capability_Type) bool {
	for _, has := range c.framework.GetCapabilities() {
		if has.GetType() == capability {
			return true
		}
	}
	return false
}

// checkResult takes a result of the general check; nil if the probe could not be performed.
func (c *core) checkResult(now time.Time, result *mesospb.CheckStatusInfo) []effect {
	if c.killed || c.terminated || c.check == nil {
		return nil
	}
	changed := c.check.Result(result)
	if changed == nil {
		return nil
	}
	status := c.repeat(mesospb.TaskStatus_REASON_TASK_CHECK_STATUS_UPDATED)
	status.CheckStatus = changed
	return []effect{c.forward(now, status)}
}

// healthResult takes a result of the health check; why says what was wrong, nil if nothing was.
func (c *core) healthResult(now time.Time, why error) []effect {
	if c.killed || c.terminated || c.health == nil {
		return nil
	}
	verdict := c.health.Result(now, why == nil)
	var effects []effect
	name := c.task.GetHealthCheck().GetType().String() + " health check for task '" + c.task.GetTaskId().GetValue() + "'"
	if why != nil {
		effects = append(effects, say{fmt.Sprintf("%s failed: %v", name, why)})
	}
	switch {
	case verdict.Ignored:
		return append(effects, say{"Ignoring failure of " + name + ": still in grace period"})
	case !verdict.Report:
		return effects
	}
	if !verdict.Healthy {
		effects = append(effects, say{fmt.Sprintf("%s failed %d times consecutively", name, verdict.Failures)})
	}
	status := c.repeat(mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED)
	status.Healthy = proto.Bool(verdict.Healthy)
	effects = append(effects, c.forward(now, status))
	if verdict.Kill {
		c.killedByHealthCheck = true
		effects = append(effects, c.kill(now, c.task.GetTaskId(), nil)...)
	}
	return effects
}

// acknowledged takes an acknowledgement; that of the terminal update is the last thing waited for.
func (c *core) acknowledged(ack *executorpb.Event_Acknowledged) []effect {
	status := c.updates.Acknowledge(ack)
	switch {
	case status == nil:
		return []effect{say{"Received acknowledgement for unknown status update"}}
	case session.Terminal(status.GetState()) && c.terminated && status.GetTaskId().GetValue() == c.task.GetTaskId().GetValue():
		return []effect{exit{0}}
	}
	return nil
}

// deadline is the next time at which tick has to be called; zero if there is none.
func (c *core) deadline() time.Time {
	var next time.Time
	for _, t := range []time.Time{c.completeBy, c.killBy, c.exitBy, c.giveUpBy} {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// tick does what is due.
func (c *core) tick(now time.Time) []effect {
	due := func(t *time.Time) bool {
		if t.IsZero() || now.Before(*t) {
			return false
		}
		*t = time.Time{}
		return true
	}
	var effects []effect
	if due(&c.completeBy) && c.launched && !c.terminated && !c.killed {
		c.killedByLimit = true
		effects = append(effects, say{"Killing task " + c.task.GetTaskId().GetValue() + " which exceeded its maximum completion time"})
		effects = append(effects, c.terminate(now, 0)...)
	}
	if due(&c.killBy) && !c.terminated {
		effects = append(effects, say{"The command did not terminate in its grace period, sending SIGKILL to its process tree"}, signal{syscall.SIGKILL})
	}
	if due(&c.giveUpBy) {
		effects = append(effects, signal{syscall.SIGKILL}, exit{1})
	}
	if due(&c.exitBy) {
		effects = append(effects, say{"Did not receive ACK for the terminal status update from the agent"}, exit{1})
	}
	return effects
}

// status begins a status from scratch.
func (c *core) status(task *mesospb.TaskInfo, state mesospb.TaskState) *mesospb.TaskStatus {
	status := &mesospb.TaskStatus{TaskId: task.GetTaskId(), State: state.Enum()}
	if c.task.GetCheck() != nil {
		// Every status of a checked task has a result, even an empty one.
		status.CheckStatus = health.EmptyStatus(c.task.GetCheck())
	}
	return status
}

// repeat begins a status with everything that the last one held.
func (c *core) repeat(reason mesospb.TaskStatus_Reason) *mesospb.TaskStatus {
	status := proto.CloneOf(c.last)
	status.Reason = reason.Enum()
	return status
}

// forward keeps the status as the last one and sends it.
func (c *core) forward(now time.Time, status *mesospb.TaskStatus) effect {
	c.last = status
	return send{c.updates.Add(now, status)}
}
