package core

import (
	"slices"
	"time"

	"stoa/internal/mesos/mesospb"
)

// Operators may watch the cluster: each watcher's stream gets what happens as news, in
// the order in which it happened (the original's operator API, SUBSCRIBE).

// DefaultMaxWatchers is how many streams of news may be open.
const DefaultMaxWatchers = 1000

// Watch opens a stream of news; the news after this event come to it. WatchEnded says
// that its reader went away or was too slow.
type (
	Watch      struct{ Stream StreamID }
	WatchEnded struct{ Stream StreamID }
)

func (Watch) event()      {}
func (WatchEnded) event() {}

// Announce puts news into the streams that watch. The list of streams and the news are
// shared: they must not be changed.
type Announce struct {
	Streams []StreamID
	News    News
}

// CloseWatch ends a stream of news because there are too many.
type CloseWatch struct{ Stream StreamID }

func (Announce) effect()   {}
func (CloseWatch) effect() {}

// News is something that happened in the cluster.
type News interface{ news() }

type (
	// Heartbeat says that the stream is alive.
	Heartbeat struct{}
	// TaskAdded is a task that was launched, or that an agent brought along.
	TaskAdded struct {
		Task      *mesospb.Task
		Framework *mesospb.FrameworkInfo
	}
	// TaskUpdated is a new state of a task, or a new result of a check of it. Status
	// is the one that said so; Task is the task after it.
	TaskUpdated struct {
		Task      *mesospb.Task
		Framework *mesospb.FrameworkInfo
		Status    *mesospb.TaskStatus
	}
	// AgentAdded is an agent that registered, or came back after it was unreachable.
	AgentAdded struct{ Agent *AgentView }
	// AgentRemoved is an agent that left for good. The original says nothing of agents
	// that are unreachable or gone.
	AgentRemoved struct{ ID string }
	// FrameworkAdded and FrameworkUpdated are a framework without what belongs to it:
	// tasks, executors, offers and resources are not set.
	FrameworkAdded   struct{ Framework *FrameworkView }
	FrameworkUpdated struct{ Framework *FrameworkView }
	// FrameworkRemoved is a framework that ended.
	FrameworkRemoved struct{ Framework *mesospb.FrameworkInfo }
)

func (Heartbeat) news()        {}
func (TaskAdded) news()        {}
func (TaskUpdated) news()      {}
func (AgentAdded) news()       {}
func (AgentRemoved) news()     {}
func (FrameworkAdded) news()   {}
func (FrameworkUpdated) news() {}
func (FrameworkRemoved) news() {}

// watchers are the open streams of news, oldest first. The list is replaced, never
// changed: effects hold it.
type watchers struct {
	streams []StreamID
	timers  map[StreamID]*timer
}

// watching says whether anybody wants news; making some may cost.
func (c *Core) watching() bool { return len(c.watchers.streams) > 0 }

func (c *Core) announce(n News) {
	if c.watching() {
		c.effect(Announce{c.watchers.streams, n})
	}
}

func (c *Core) watch(id StreamID) {
	if c.cfg.MaxWatchers == 0 {
		c.effect(CloseWatch{id})
		return
	}
	if len(c.watchers.streams) >= c.cfg.MaxWatchers {
		oldest := c.watchers.streams[0]
		c.log.Info("too many operators watch, the oldest stream is closed", "stream", oldest, "max", c.cfg.MaxWatchers)
		c.unwatch(oldest)
		c.effect(CloseWatch{oldest})
	}
	c.watchers.streams = append(slices.Clip(c.watchers.streams), id)
	c.counts["master/operator_event_stream_subscribers"] = float64(len(c.watchers.streams))
	if c.watchers.timers == nil {
		c.watchers.timers = make(map[StreamID]*timer)
	}
	c.beat(id)
}

func (c *Core) unwatch(id StreamID) {
	c.timers.stop(c.watchers.timers[id])
	delete(c.watchers.timers, id)
	left := make([]StreamID, 0, len(c.watchers.streams))
	for _, one := range c.watchers.streams {
		if one != id {
			left = append(left, one)
		}
	}
	c.watchers.streams = left
	c.counts["master/operator_event_stream_subscribers"] = float64(len(left))
}

func (c *Core) beat(id StreamID) {
	c.effect(Announce{[]StreamID{id}, Heartbeat{}})
	c.watchers.timers[id] = c.after(c.cfg.HeartbeatInterval, func(time.Time) { c.beat(id) })
}

// announceFramework tells of a framework; a framework is new once.
func (c *Core) announceFramework(f *Framework) {
	fresh := !f.announced
	f.announced = true
	if !c.watching() {
		return
	}
	v := &FrameworkView{
		ID:           f.ID,
		Info:         f.Info,
		Roles:        f.Roles,
		Capabilities: f.Capabilities,
		State:        f.State,
		PID:          f.PID,
		Registered:   f.Registered,
		Reregistered: f.Reregistered,
		Unregistered: f.Unregistered,
	}
	if fresh {
		c.announce(FrameworkAdded{v})
	} else {
		c.announce(FrameworkUpdated{v})
	}
}

// announceStatus tells of a status of a task unless it repeats the state of the task
// before it.
func (c *Core) announceStatus(t *Task, before *mesospb.Task, status *mesospb.TaskStatus) {
	switch status.GetReason() {
	case mesospb.TaskStatus_REASON_TASK_CHECK_STATUS_UPDATED, mesospb.TaskStatus_REASON_TASK_HEALTH_CHECK_STATUS_UPDATED:
	default:
		if n := len(before.Statuses); n > 0 && before.Statuses[n-1].GetState() == status.GetState() {
			return
		}
	}
	c.announce(TaskUpdated{Task: t.Proto, Framework: t.Framework.Info, Status: status})
}
