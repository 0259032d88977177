package core

import (
	"slices"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// maxAcknowledged bounds how many acknowledged uuids a stream remembers in order
// to recognise repetitions; an executor repeats only its latest ones.
const maxAcknowledged = 1024

type streamKey struct{ framework, task string }

// stream is the status updates of one task on their way to the master: in order,
// one at a time, each repeated until it is acknowledged.
type stream struct {
	key        streamKey
	seq        uint64
	run        RunID
	checkpoint bool

	// pending begins with the update that is on its way.
	pending      []*internalpb.StatusUpdate
	received     map[string]bool
	acknowledged []string
	// terminated is set when a terminal update was acknowledged: nothing counts after it.
	terminated bool

	timer    uint64
	interval time.Duration
}

func (c *Core) addStream(s *stream) {
	c.seq++
	s.seq = c.seq
	s.received = map[string]bool{}
	c.streams[s.key] = s
}

func (s *stream) push(u *internalpb.StatusUpdate) {
	s.received[string(u.Uuid)] = true
	s.pending = append(s.pending, u)
}

func (s *stream) pop() {
	u := s.pending[0]
	s.pending = s.pending[1:]
	s.acknowledged = append(s.acknowledged, string(u.Uuid))
	if len(s.acknowledged) > maxAcknowledged {
		delete(s.received, s.acknowledged[0])
		s.acknowledged = s.acknowledged[1:]
	}
	s.terminated = s.terminated || isTerminal(u.GetStatus().GetState())
}

// streamUpdate adds an update; one that came before changes nothing.
func (c *Core) streamUpdate(s *stream, u *internalpb.StatusUpdate) {
	if s.received[string(u.Uuid)] {
		c.note("Ignoring duplicate status update", "task", s.key.task, "framework", s.key.framework)
		return
	}
	if s.checkpoint {
		c.emit(SaveUpdate{Task: TaskID{s.run, s.key.task}, Record: &internalpb.StatusUpdateRecord{
			Type: internalpb.StatusUpdateRecord_UPDATE.Enum(), Update: u,
		}})
	}
	s.push(u)
	if !c.paused && len(s.pending) == 1 {
		c.forward(s, updateRetryMin)
	}
}

// streamAcknowledged takes the master's acknowledgement. ok is false if it is not
// for the update that is on its way; ended says that the stream is over.
func (c *Core) streamAcknowledged(key streamKey, uuid []byte) (ended, ok bool) {
	s := c.streams[key]
	if s == nil || len(s.pending) == 0 || string(s.pending[0].Uuid) != string(uuid) {
		return false, false
	}
	if s.checkpoint {
		c.emit(SaveUpdate{Task: TaskID{s.run, key.task}, Record: &internalpb.StatusUpdateRecord{
			Type: internalpb.StatusUpdateRecord_ACK.Enum(), Uuid: uuid,
		}})
	}
	s.pop()
	c.cancel(&s.timer)
	if s.terminated {
		c.closeUpdates(s)
		return true, true
	}
	if !c.paused && len(s.pending) > 0 {
		c.forward(s, updateRetryMin)
	}
	return false, true
}

// forward sends the stream's first update and repeats it after the interval.
func (c *Core) forward(s *stream, interval time.Duration) {
	c.sendUpdate(s.pending[0])
	c.cancel(&s.timer)
	s.interval = interval
	s.timer = c.after(interval, func() {
		s.timer = 0
		if !c.paused && c.streams[s.key] == s && len(s.pending) > 0 {
			c.forward(s, min(s.interval*2, updateRetryMax))
		}
	})
}

// sendUpdate sends an update to the master with the newest state of its task.
func (c *Core) sendUpdate(u *internalpb.StatusUpdate) {
	if c.state != Running {
		return // Sent again when streams resume.
	}
	out := &internalpb.StatusUpdate{
		FrameworkId: u.FrameworkId, ExecutorId: u.ExecutorId, SlaveId: u.SlaveId, Status: u.Status,
		Timestamp: u.Timestamp, Uuid: u.Uuid,
	}
	id := u.Status.GetTaskId().GetValue()
	if f := c.frameworks[u.FrameworkId.GetValue()]; f != nil {
		if e := f.executorOf(id); e != nil {
			for _, tasks := range []*ordered[*mesospb.Task]{&e.launched, &e.terminated} {
				if task, ok := tasks.get(id); ok {
					task = shallowTask(task)
					task.StatusUpdateState = u.Status.GetState().Enum()
					task.StatusUpdateUuid = u.Uuid
					tasks.put(id, task)
					out.LatestState = task.GetState().Enum()
				}
			}
		}
	}
	pid := c.options.UPID
	c.emit(Send{To: c.master, Body: &internalpb.StatusUpdateMessage{Update: out, Pid: &pid}})
}

func (c *Core) pauseStreams() {
	c.paused = true
	for _, s := range c.streams {
		c.cancel(&s.timer)
	}
}

// resumeStreams sends the first update of every stream again.
func (c *Core) resumeStreams() {
	c.paused = false
	list := make([]*stream, 0, len(c.streams))
	for _, s := range c.streams {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *stream) int { return int(int64(a.seq) - int64(b.seq)) })
	for _, s := range list {
		if len(s.pending) > 0 {
			c.forward(s, updateRetryMin)
		}
	}
}

func (c *Core) closeUpdates(s *stream) {
	c.cancel(&s.timer)
	delete(c.streams, s.key)
	if s.checkpoint {
		c.emit(CloseUpdates{Task: TaskID{s.run, s.key.task}})
	}
}

// closeStreams forgets the updates of a framework that left this agent. Updates of
// tasks that never had an executor go on until they are acknowledged, unless nobody
// wants to hear of the framework any more.
func (c *Core) closeStreams(f *framework) {
	for key, s := range c.streams {
		if key.framework == f.id && (f.terminating || s.run != RunID{}) {
			c.closeUpdates(s)
		}
	}
}
