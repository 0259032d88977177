package sim

import (
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"stoa/internal/libprocess"
	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// MasterID is the process id of every master.
const MasterID = "master"

// Constants of src/slave/constants.hpp.
const (
	registerMax = time.Minute
	pingTimeout = 75 * time.Second
	retryMin    = 10 * time.Second
	retryMax    = 10 * time.Minute
)

var capabilities = []*mesospb.AgentInfo_Capability{
	{Type: mesospb.AgentInfo_Capability_MULTI_ROLE.Enum()},
	{Type: mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE.Enum()},
	{Type: mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT.Enum()},
	{Type: mesospb.AgentInfo_Capability_RESOURCE_PROVIDER.Enum()},
	{Type: mesospb.AgentInfo_Capability_RESIZE_VOLUME.Enum()},
	{Type: mesospb.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK.Enum()},
	{Type: mesospb.AgentInfo_Capability_AGENT_DRAINING.Enum()},
	{Type: mesospb.AgentInfo_Capability_TASK_RESOURCE_LIMITS.Enum()},
}

// Agent is the behaviour of one simulated agent. It is not safe for concurrent use:
// its owner gives it messages and the time, and carries out what it returns.
type Agent struct {
	b      *behaviour
	random *rand.Rand
	counts *Counts

	self    libprocess.UPID
	pid     string // self as text
	master  libprocess.UPID
	info    *mesospb.AgentInfo
	version []byte // resource version
	// total are the resources with reservations and volumes, checkpointed those of
	// them that outlive the agent's process.
	total, checkpointed resources.Resources

	// registered says that the master answered, and nothing looks otherwise since.
	registered bool
	// ended says that the master shut the agent down.
	ended bool
	// silent and hearAt: the agent is stopped, until hearAt if that is not zero.
	silent bool
	hearAt time.Time
	// muted says that the agent will be, or was, silent.
	muted bool

	frameworks map[string]*framework
	operations []*operation
	drain      *mesospb.DrainConfig

	now    time.Time
	seq    uint64
	timers timers
	// registering and pinged are the generations of those timers; backoff is the range
	// of the next delay between attempts.
	registering, pinged uint32
	backoff             time.Duration
	pingTimeout         time.Duration
	pids                uint32 // of the executors that would run
	out                 []Effect
}

// newAgent makes agent n (from 1) with the UPID self. It registers when it is ticked.
func newAgent(now time.Time, b *behaviour, n int, self libprocess.UPID, counts *Counts) *Agent {
	seed := b.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	a := &Agent{
		b: b, random: rand.New(rand.NewPCG(seed, uint64(n))), counts: counts,
		self: self, pid: self.String(), master: libprocess.UPID{ID: MasterID, Addr: b.Master},
		total: b.total, checkpointed: b.total.Filter(resources.Resource.NeedsCheckpoint),
		frameworks: make(map[string]*framework), now: now, pingTimeout: pingTimeout,
	}
	a.info = &mesospb.AgentInfo{
		Hostname: proto.String(b.Hostname + itoa(n)), Port: proto.Int32(int32(self.Addr.Port())),
		Resources: b.info.Resources, Attributes: b.info.Attributes, Checkpoint: b.info.Checkpoint,
	}
	a.version = a.uuid()
	a.muted = a.random.Float64() < b.Silent
	a.disconnected()
	return a
}

func (a *Agent) advance(now time.Time) {
	if now.After(a.now) {
		a.now = now
	}
}

func (a *Agent) effects() []Effect {
	out := a.out
	a.out = nil
	return out
}

func (a *Agent) send(m proto.Message) { a.out = append(a.out, Send{a.master, m}) }

// uuid is a random one; version and variant as the original checks them.
func (a *Agent) uuid() []byte {
	u := make([]byte, 16)
	for i := range u {
		u[i] = byte(a.random.Uint32())
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u
}

// timestamp is the wire form of the time: unix seconds with microseconds.
func (a *Agent) timestamp() *float64 { return proto.Float64(float64(a.now.UnixMicro()) / 1e6) }

// disconnected begins registration: at the start, and when the master seems to be gone.
func (a *Agent) disconnected() {
	if a.registered {
		a.registered = false
		a.counts.Registered--
	}
	a.pinged++
	a.backoff = max(a.b.RegistrationBackoff, time.Second)
	a.registering++
	a.set(a.part(max(a.b.RegistrationBackoff, 0)), timer{alarm: alarmRegister, generation: a.registering})
}

// part is a random part of d.
func (a *Agent) part(d time.Duration) time.Duration {
	return time.Duration(a.random.Float64() * float64(d))
}

// register makes one attempt and plans the next.
func (a *Agent) register() {
	a.registering++
	a.backoff = min(2*a.backoff, registerMax)
	a.set(a.part(a.backoff), timer{alarm: alarmRegister, generation: a.registering})
	a.out = append(a.out, Link{a.master})
	if a.info.Id == nil {
		a.send(&internalpb.RegisterSlaveMessage{
			Slave: a.info, Version: &a.b.Version, AgentCapabilities: capabilities,
			CheckpointedResources: a.checkpointed.Proto(), ResourceVersionUuid: &mesospb.UUID{Value: a.version},
		})
		return
	}
	a.send(a.reregisterMessage())
}

func (a *Agent) reregisterMessage() *internalpb.ReregisterSlaveMessage {
	m := &internalpb.ReregisterSlaveMessage{
		Slave: a.info, Version: &a.b.Version, AgentCapabilities: capabilities,
		CheckpointedResources: a.checkpointed.Proto(), ResourceVersionUuid: &mesospb.UUID{Value: a.version},
	}
	for _, f := range a.frameworkList() {
		m.Frameworks = append(m.Frameworks, f.info)
		for _, t := range f.list() {
			if !t.dropped {
				m.Tasks = append(m.Tasks, t.message())
			}
		}
		for _, e := range f.executorList() {
			m.ExecutorInfos = append(m.ExecutorInfos, e.info)
		}
	}
	// The old format, unless a resource is reserved more than once.
	old := proto.CloneOf(m)
	if resources.DowngradeAll(old) == nil {
		m = old
	}
	return m
}

// Receive takes a message. Messages that only the master may send are ignored when
// they come from somebody else.
func (a *Agent) Receive(now time.Time, from libprocess.UPID, body proto.Message) []Effect {
	a.advance(now)
	if a.ended || a.silent {
		return nil
	}
	switch m := body.(type) {
	case *internalpb.PingSlaveMessage:
		a.ping(from, m.GetConnected())
	case *internalpb.UpdateFrameworkMessage:
		a.updateFramework(m)
	case *internalpb.ApplyOperationMessage:
		a.applyOperation(m)
	case *internalpb.AcknowledgeOperationStatusMessage:
		a.operationAcknowledged(m)
	case *internalpb.ReconcileOperationsMessage:
		a.reconcileOperations(m)
	case *internalpb.CheckpointResourcesMessage:
		a.checkpointResources(m)
	case *internalpb.FrameworkToExecutorMessage:
		// Simulated executors have nothing to say.
	default:
		if from != a.master {
			a.counts.Ignored++
			break
		}
		a.fromMaster(body)
	}
	return a.effects()
}

func (a *Agent) fromMaster(body proto.Message) {
	switch m := body.(type) {
	case *internalpb.SlaveRegisteredMessage:
		a.nowRegistered(m.GetSlaveId(), m.GetConnection())
	case *internalpb.SlaveReregisteredMessage:
		a.nowReregistered(m)
	case *internalpb.RunTaskMessage:
		a.runTask(m)
	case *internalpb.RunTaskGroupMessage:
		a.runTaskGroup(m)
	case *internalpb.KillTaskMessage:
		a.killTask(m)
	case *internalpb.StatusUpdateAcknowledgementMessage:
		a.acknowledged(m)
	case *internalpb.ShutdownExecutorMessage:
		a.shutdownExecutor(m)
	case *internalpb.ShutdownFrameworkMessage:
		a.shutdownFramework(m.GetFrameworkId().GetValue())
	case *internalpb.DrainSlaveMessage:
		a.startDrain(m.GetConfig())
	case *internalpb.ShutdownMessage:
		a.shutdown()
	default:
		a.counts.Ignored++
	}
}

// Exited says that the connection to a process broke. The original only waits for the
// pings to stop; a simulated agent comes back at once, as ours does.
func (a *Agent) Exited(now time.Time, who libprocess.UPID) []Effect {
	a.advance(now)
	if !a.ended && !a.silent && a.registered && who == a.master {
		a.disconnected()
	}
	return a.effects()
}

func (a *Agent) nowRegistered(id *mesospb.AgentID, connection *internalpb.MasterSlaveConnection) {
	if a.info.Id != nil && a.info.Id.GetValue() != id.GetValue() {
		a.shutdown() // The original aborts: it got a wrong id.
		return
	}
	a.info.Id = id
	a.connected(connection)
}

func (a *Agent) nowReregistered(m *internalpb.SlaveReregisteredMessage) {
	if a.info.Id.GetValue() != m.GetSlaveId().GetValue() {
		a.shutdown()
		return
	}
	a.connected(m.GetConnection())
	for _, r := range m.GetReconciliations() {
		f := a.frameworks[r.GetFrameworkId().GetValue()]
		for _, status := range r.GetStatuses() {
			id := status.GetTaskId().GetValue()
			if f != nil && f.tasks[id] != nil {
				continue
			}
			if f == nil {
				info := r.GetFramework()
				if info == nil {
					info = &mesospb.FrameworkInfo{User: proto.String(""), Name: proto.String(""), Id: r.GetFrameworkId()}
				}
				f = a.addFramework(info)
			}
			a.drop(f, id, nil, lost(r.GetFramework()), mesospb.TaskStatus_REASON_RECONCILIATION, "Reconciliation: task unknown to the agent")
		}
	}
}

// connected goes on as a registered agent.
func (a *Agent) connected(c *internalpb.MasterSlaveConnection) {
	a.pingTimeout = pingTimeout
	if c != nil && c.TotalPingTimeoutSeconds != nil {
		a.pingTimeout = time.Duration(c.GetTotalPingTimeoutSeconds() * float64(time.Second))
	}
	if !a.registered {
		a.registered = true
		a.registering++
		a.counts.Registered++
		a.counts.Registrations++
		a.expectPing()
		if a.muted {
			a.muted = false
			a.set(a.b.SilentAfter, timer{alarm: alarmSilence})
		}
		a.resume()
	}
	m := &internalpb.UpdateSlaveMessage{
		SlaveId: a.info.Id, UpdateOversubscribedResources: proto.Bool(false),
		Operations:          &internalpb.UpdateSlaveMessage_Operations{},
		ResourceVersionUuid: &mesospb.UUID{Value: a.version},
		ResourceProviders:   &internalpb.UpdateSlaveMessage_ResourceProviders{},
	}
	for _, o := range a.operations {
		m.Operations.Operations = append(m.Operations.Operations, o.message)
	}
	a.send(m)
}

// resume sends again what the master may not have got.
func (a *Agent) resume() {
	for _, f := range a.frameworkList() {
		for _, t := range f.list() {
			if len(t.pending) > 0 {
				t.interval = retryMin
				a.forward(t)
			}
		}
	}
	for _, o := range a.operations {
		o.interval = retryMin
		a.reportOperation(o)
	}
}

func (a *Agent) ping(from libprocess.UPID, connected bool) {
	a.out = append(a.out, Send{from, &internalpb.PongSlaveMessage{}})
	if !connected && a.registered {
		a.disconnected()
		return
	}
	a.expectPing()
}

func (a *Agent) expectPing() {
	a.pinged++
	if a.registered {
		a.set(a.pingTimeout, timer{alarm: alarmPing, generation: a.pinged})
	}
}

// shutdown ends the agent with all it has.
func (a *Agent) shutdown() {
	for _, f := range a.frameworkList() {
		a.removeFramework(f)
	}
	if a.registered {
		a.registered = false
		a.counts.Registered--
	}
	a.ended = true
	a.counts.Ended++
	a.timers = nil
	a.out = append(a.out, End{})
}
