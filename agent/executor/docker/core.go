package docker

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/agent/executor/session"
	"stoa/agent/health"
	"stoa/internal/mesos/executorpb"
	"stoa/internal/mesos/mesospb"
)

const (
	// shutdownReserve of the shutdown grace period is kept for the forced kill and the last update.
	shutdownReserve = 2 * time.Second
	// acknowledgementTimeout is how long the terminal update's acknowledgement is waited for.
	acknowledgementTimeout = 60 * time.Second
	// startPatience is how long a kill waits for a container that is just being started, so that the
	// engine knows what to stop.
	startPatience = 5 * time.Second
	// killRetryInterval is how often a kill for bad health is repeated when the engine fails.
	killRetryInterval = 5 * time.Second
)

// effect is something the core wants done. The order of effects counts.
type effect interface{ isEffect() }

type (
	// send delivers an update to the agent.
	send struct{ call *executorpb.Call }
	// run starts the container. What becomes of it comes back as running, exited or failed.
	run struct{ task *mesospb.TaskInfo }
	// probe begins the task's health check.
	probe struct{ task *mesospb.TaskInfo }
	// stopProbes ends it.
	stopProbes struct{}
	// stop asks the engine to stop the container; an earlier request is given up.
	stop struct{ grace time.Duration }
	// exit ends the executor.
	exit struct{ code int }
	// say writes a line to the executor's log.
	say struct{ text string }
)

func (send) isEffect()       {}
func (run) isEffect()        {}
func (probe) isEffect()      {}
func (stopProbes) isEffect() {}
func (stop) isEffect()       {}
func (exit) isEffect()       {}
func (say) isEffect()        {}

// core is the docker executor's state machine (src/docker/executor.cpp). It does no I/O; time
// comes in as a value.
type core struct {
	shutdownGrace time.Duration
	updates       *session.Updates
	framework     *mesospb.FrameworkInfo
	task          *mesospb.TaskInfo
	network       *mesospb.NetworkInfo

	started, killed, terminated        bool
	killedByHealthCheck, killedByLimit bool
	grace                              time.Duration

	// Deadlines; zero means none.
	completeBy  time.Time // max_completion_time
	killWhen    time.Time // a kill waits for the start until then
	retryKillAt time.Time
	exitBy      time.Time // without the last acknowledgement
	giveUpBy    time.Time // the agent is gone

	health *health.HealthState
}

func newCore(env session.Environment, shutdownGrace time.Duration) *core {
	return &core{shutdownGrace: shutdownGrace, updates: session.NewUpdates(env.ExecutorID)}
}

// event takes an event of the agent.
func (c *core) event(now time.Time, event *executorpb.Event) []effect {
	switch event.GetType() {
	case executorpb.Event_SUBSCRIBED:
		again := c.framework != nil
		c.framework = event.GetSubscribed().GetFrameworkInfo()
		host := event.GetSubscribed().GetAgentInfo().GetHostname()
		if again {
			return []effect{say{"Re-registered docker executor on " + host}}
		}
		return []effect{say{"Registered docker executor on " + host}}
	case executorpb.Event_LAUNCH:
		return c.launch(now, event.GetLaunch().GetTask())
	case executorpb.Event_LAUNCH_GROUP, executorpb.Event_SHUTDOWN:
		return c.shutdown(now)
	case executorpb.Event_KILL:
		return c.kill(now, event.GetKill().GetTaskId(), event.GetKill().GetKillPolicy())
	case executorpb.Event_ACKNOWLEDGED:
		return c.acknowledged(event.GetAcknowledged())
	case executorpb.Event_ERROR:
		return []effect{say{"Error: " + event.GetError().GetMessage()}}
	}
	return nil
}

func (c *core) launch(now time.Time, task *mesospb.TaskInfo) []effect {
	if c.task != nil {
		status := newStatus(task, mesospb.TaskState_TASK_FAILED)
		status.Message = proto.String(`Attempted to run multiple tasks using a "docker" executor`)
		return []effect{c.send(now, status)}
	}
	c.task = task
	c.updates.SetTask(task)
	id := task.GetTaskId().GetValue()
	var effects []effect
	if limit := task.GetMaxCompletionTime().GetNanoseconds(); limit > 0 {
		c.completeBy = now.Add(time.Duration(limit))
		effects = append(effects, say{fmt.Sprintf("Task %s has a max completion time of %v", id, time.Duration(limit))})
	}
	return append(effects,
		say{"Starting task " + id},
		c.send(now, newStatus(task, mesospb.TaskState_TASK_STARTING)),
		run{task},
	)
}

// running tells that the container runs, or ran and has ended already.
func (c *core) running(now time.Time, data []byte, addresses []*mesospb.NetworkInfo_IPAddress) []effect {
	if c.started || c.terminated {
		return nil
	}
	c.started = true
	var effects []effect
	if !c.killed {
		status := newStatus(c.task, mesospb.TaskState_TASK_RUNNING)
		status.Data = data
		if len(addresses) > 0 {
			c.network = &mesospb.NetworkInfo{}
			if infos := c.task.GetContainer().GetNetworkInfos(); len(infos) > 0 {
				c.network = proto.CloneOf(infos[0])
			}
			c.network.IpAddresses = addresses
			status.ContainerStatus = c.containerStatus()
		}
		effects = append(effects, c.send(now, status))
	}
	switch {
	case c.killed || !c.killWhen.IsZero():
		// A kill came while it was being started. One that the engine was told of too early
		// has to be repeated.
		c.killWhen = time.Time{}
		return append(effects, c.stop(now)...)
	case !c.killed && c.task.GetHealthCheck() != nil:
		c.health = health.NewHealthState(c.task.GetHealthCheck(), now)
		return append(effects, probe{c.task})
	}
	return effects
}

func (c *core) containerStatus() *mesospb.ContainerStatus {
	return &mesospb.ContainerStatus{NetworkInfos: []*mesospb.NetworkInfo{c.network}}
}

// exited tells the container's exit status.
func (c *core) exited(now time.Time, status int) []effect {
	state := mesospb.TaskState_TASK_FAILED
	switch {
	case c.killedByLimit:
	case c.killed:
		state = mesospb.TaskState_TASK_KILLED
	case status == 0:
		state = mesospb.TaskState_TASK_FINISHED
	}
	return c.end(now, state, fmt.Sprintf("Container exited with status %d", status))
}

// refused tells that the engine did not run the container. status is the docker command's exit
// status in this case, so that the text begins as the original's; the reason follows it.
func (c *core) refused(now time.Time, status int, why error) []effect {
	state := mesospb.TaskState_TASK_FAILED
	if c.killed && !c.killedByLimit {
		state = mesospb.TaskState_TASK_KILLED
	}
	return c.end(now, state, fmt.Sprintf("Container exited with status %d: %v", status, why))
}

// failed tells that there is no exit status, or no container at all; text is the whole message.
func (c *core) failed(now time.Time, text string) []effect {
	return c.end(now, mesospb.TaskState_TASK_FAILED, text)
}

func (c *core) end(now time.Time, state mesospb.TaskState, message string) []effect {
	if c.terminated {
		return nil
	}
	c.terminated = true
	c.completeBy, c.killWhen, c.retryKillAt = time.Time{}, time.Time{}, time.Time{}
	status := newStatus(c.task, state)
	status.Message = proto.String(message)
	if c.killed && c.killedByHealthCheck {
		status.Healthy = proto.Bool(false)
	}
	if c.killedByLimit {
		status.Reason = mesospb.TaskStatus_REASON_MAX_COMPLETION_TIME_REACHED.Enum()
	}
	c.exitBy = now.Add(acknowledgementTimeout)
	effects := []effect{stopProbes{}, say{message}, c.send(now, status)}
	if !c.giveUpBy.IsZero() {
		effects = append(effects, exit{1})
	}
	return effects
}

// kill is the agent's KILL: the call's policy wins over the task's, that over the shutdown grace period.
func (c *core) kill(now time.Time, id *mesospb.TaskID, override *mesospb.KillPolicy) []effect {
	grace := c.shutdownGrace
	if policy := c.task.GetKillPolicy(); policy.GetGracePeriod() != nil {
		grace = time.Duration(policy.GetGracePeriod().GetNanoseconds())
	}
	if override.GetGracePeriod() != nil {
		grace = time.Duration(override.GetGracePeriod().GetNanoseconds())
	}
	effects := []effect{say{fmt.Sprintf("Received killTask for task %s with grace period of %v", id.GetValue(), grace)}}
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

func (c *core) terminate(now time.Time, grace time.Duration) []effect {
	switch {
	case c.terminated:
		return nil
	case c.task == nil:
		return []effect{say{"Terminating because kill task message has been received before the task has been launched"}, exit{1}}
	}
	c.completeBy = time.Time{}
	c.grace = max(grace, 0)
	if !c.started && !c.killed {
		// The engine may not know the container yet.
		if c.killWhen.IsZero() {
			c.killWhen = now.Add(startPatience)
		}
		return nil
	}
	return c.stop(now)
}

// stop issues the kill. Only from here on the task's end counts as killed.
func (c *core) stop(now time.Time) []effect {
	var effects []effect
	if !c.killed {
		c.killed = true
		if !c.killedByLimit && c.frameworkHas(mesospb.FrameworkInfo_Capability_TASK_KILLING_STATE) {
			effects = append(effects, c.send(now, newStatus(c.task, mesospb.TaskState_TASK_KILLING)))
		}
		effects = append(effects, stopProbes{})
	}
	return append(effects, stop{c.grace})
}

// stopFailed tells that the engine could not stop the container. Schedulers repeat their kills; one for
// bad health is repeated here.
func (c *core) stopFailed(now time.Time, why error) []effect {
	if c.terminated {
		return nil
	}
	if c.killedByHealthCheck || c.killedByLimit {
		c.retryKillAt = now.Add(killRetryInterval)
	}
	return []effect{say{fmt.Sprintf("Failed to stop the container: %v", why)}}
}

func (c *core) frameworkHas(capability mesospb.FrameworkInfo_Capability_Type) bool {
	for _, has := range c.framework.GetCapabilities() {
		if has.GetType() == capability {
			return true
		}
	}
	return false
}

// healthResult takes a result of the health check; why says what was wrong, nil if nothing was.
func (c *core) healthResult(now time.Time, why error) []effect {
	if c.killed || c.terminated || c.health == nil {
		return nil
	}
	verdict := c.health.Result(now, why == nil)
	var effects []effect
	if why != nil {
		effects = append(effects, say{fmt.Sprintf("%s health check for task '%s' failed: %v",
			c.task.GetHealthCheck().GetType(), c.task.GetTaskId().GetValue(), why)})
	}
	if !verdict.Report {
		return effects
	}
	status := newStatus(c.task, mesospb.TaskState_TASK_RUNNING)
	status.Healthy = proto.Bool(verdict.Healthy)
	status.Reason = mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED.Enum()
	if c.network != nil {
		status.ContainerStatus = c.containerStatus()
	}
	effects = append(effects, c.send(now, status))
	if verdict.Kill {
		c.killedByHealthCheck = true
		effects = append(effects, c.kill(now, c.task.GetTaskId(), nil)...)
	}
	return effects
}

// acknowledged takes an acknowledgement; that of the terminal update is the last thing waited for.
func (c *core) acknowledged(ack *executorpb.Event_Acknowledged) []effect {
	status := c.updates.Acknowledge(ack)
	if status != nil && c.terminated && session.Terminal(status.GetState()) && status.GetTaskId().GetValue() == c.task.GetTaskId().GetValue() {
		return []effect{exit{0}}
	}
	return nil
}

// deadline is the next time at which tick has to be called; zero if there is none.
func (c *core) deadline() time.Time {
	var next time.Time
	for _, t := range []time.Time{c.completeBy, c.killWhen, c.retryKillAt, c.exitBy, c.giveUpBy} {
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
	if due(&c.completeBy) && !c.killed && !c.terminated {
		c.killedByLimit = true
		effects = append(effects, say{"Killing task " + c.task.GetTaskId().GetValue() + " which exceeded its maximum completion time"})
		effects = append(effects, c.terminate(now, 0)...)
	}
	if due(&c.killWhen) && !c.terminated {
		effects = append(effects, c.stop(now)...)
	}
	if due(&c.retryKillAt) && !c.terminated {
		effects = append(effects, say{"Retrying to kill task"}, stop{c.grace})
	}
	if due(&c.giveUpBy) || due(&c.exitBy) {
		effects = append(effects, exit{1})
	}
	return effects
}

func newStatus(task *mesospb.TaskInfo, state mesospb.TaskState) *mesospb.TaskStatus {
	return &mesospb.TaskStatus{TaskId: task.GetTaskId(), State: state.Enum()}
}

func (c *core) send(now time.Time, status *mesospb.TaskStatus) effect {
	return send{c.updates.Add(now, status)}
}
