package core

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
)

// message takes a libprocess message. What only the present master may say is
// ignored from everybody else.
func (c *Core) message(ev Message) {
	switch m := ev.Body.(type) {
	case *internalpb.PingSlaveMessage:
		c.ping(ev.From, m.GetConnected())
		return
	case *internalpb.StatusUpdateAcknowledgementMessage:
		c.acknowledged(ev.From, m)
		return
	case *internalpb.UpdateFrameworkMessage:
		c.updateFramework(m)
		return
	case *internalpb.FrameworkToExecutorMessage:
		c.schedulerMessage(m)
		return
	case *internalpb.ApplyOperationMessage:
		c.applyOperation(m)
		return
	case *internalpb.AcknowledgeOperationStatusMessage:
		c.operationAcknowledged(m)
		return
	case *internalpb.ReconcileOperationsMessage:
		c.reconcileOperations(m)
		return
	case *internalpb.CheckpointResourcesMessage:
		c.checkpointResources(m)
		return
	case *internalpb.RegisterExecutorMessage:
		c.registerExecutor(ev.From, m)
		return
	case *internalpb.ReregisterExecutorMessage:
		c.reregisterExecutor(ev.From, m)
		return
	case *internalpb.StatusUpdateMessage:
		c.statusUpdate(proto.Clone(m.GetUpdate()).(*internalpb.StatusUpdate), origin{pid: m.GetPid()})
		return
	case *internalpb.ExecutorToFrameworkMessage:
		if f := c.frameworks[m.GetFrameworkId().GetValue()]; f != nil {
			if e, _ := f.executors.get(m.GetExecutorId().GetValue()); e != nil {
				c.executorMessage(f, e, m.GetData())
			}
		}
		return
	}
	if c.master == "" || ev.From != c.master {
		c.warn("Ignoring message which is not from the expected master", "from", ev.From,
			"message", string(ev.Body.ProtoReflect().Descriptor().Name()), "master", c.master)
		return
	}
	switch m := ev.Body.(type) {
	case *internalpb.SlaveRegisteredMessage:
		c.registered(m.GetSlaveId(), m.GetConnection())
	case *internalpb.SlaveReregisteredMessage:
		c.reregistered(m)
	case *internalpb.RunTaskMessage:
		c.runTask(m)
	case *internalpb.RunTaskGroupMessage:
		c.runTaskGroup(m)
	case *internalpb.KillTaskMessage:
		c.killTask(m)
	case *internalpb.ShutdownFrameworkMessage:
		if c.state == Running || c.state == Terminating {
			c.shutdownFramework(m.GetFrameworkId().GetValue())
		}
	case *internalpb.ShutdownExecutorMessage:
		c.shutdownExecutorMessage(m)
	case *internalpb.ShutdownMessage:
		c.shutdown(ev.From, m.GetMessage())
	case *internalpb.DrainSlaveMessage:
		c.startDrain(m.GetConfig())
	}
}

// acknowledged takes an acknowledgement of the scheduler, which comes through the
// master or, from old drivers, directly.
func (c *Core) acknowledged(from string, m *internalpb.StatusUpdateAcknowledgementMessage) {
	if strings.HasPrefix(from, "master") && (c.state != Running || from != c.master) {
		c.warn("Dropping status update acknowledgement", "from", from, "state", c.state.String())
		return
	}
	framework, task := m.GetFrameworkId().GetValue(), m.GetTaskId().GetValue()
	ended, ok := c.streamAcknowledged(streamKey{framework, task}, m.GetUuid())
	if !ok {
		c.warn("Ignoring unexpected status update acknowledgement", "task", task, "framework", framework)
		return
	}
	f := c.frameworks[framework]
	if f == nil {
		return
	}
	e := f.executorOf(task)
	if e == nil {
		return
	}
	if ended && e.terminated.has(task) {
		c.complete(e, task)
	}
	if e.state == ExecutorTerminated && !e.incomplete() {
		c.removeExecutor(f, e)
	}
	c.removeIfIdle(f)
}

// updateFramework takes a scheduler's new description or address, and tries its
// updates again: it may be back only now.
func (c *Core) updateFramework(m *internalpb.UpdateFrameworkMessage) {
	if c.state != Running {
		c.metrics.InvalidFrameworkMessages++
		return
	}
	f := c.frameworks[m.GetFrameworkId().GetValue()]
	if f == nil || f.terminating {
		return
	}
	if m.FrameworkInfo != nil {
		f.info = proto.Clone(m.FrameworkInfo).(*mesospb.FrameworkInfo)
	}
	f.pid = m.GetPid()
	if f.pid == noUPID {
		f.pid = ""
	}
	c.saveFramework(f)
	c.resumeStreams()
}
