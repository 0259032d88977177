package core

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"stoa/internal/mesos/internalpb"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"

	"google.golang.org/protobuf/proto"
)

// world drives a Core: it plays the registry, and keeps what the core says to agents
// and schedulers until a test takes it. Its clock only moves when told.
type world struct {
	t   testing.TB
	c   *Core
	now time.Time

	sent    map[string][]proto.Message // by UPID
	pings   map[string][]bool          // by UPID: the connected flag of each ping
	numbers map[string]int             // by UPID: its observer
	links   map[string]int             // by UPID: how often it was linked to
	events  map[StreamID][]*schedulerpb.Event
	closed  map[StreamID]bool
	answers map[RequestID]Answer
	news    map[StreamID][]News
	writes  []Write
	// holdWrites keeps registry writes waiting until releaseWrites.
	holdWrites bool
	// shelf is what was written.
	shelf   *shelf
	aborted error
	ids     uint64
}

const masterID = "11111111-2222-4333-8444-555555555555"

func newWorld(t testing.TB, change ...func(*Config)) *world {
	return newWorldAfter(t, Recovery{}, change...)
}

func newWorldAfter(t testing.TB, recovery Recovery, change ...func(*Config)) *world {
	return newWorldAt(t, time.Unix(1_700_000_000, 0), recovery, change...)
}

func newWorldAt(t testing.TB, now time.Time, recovery Recovery, change ...func(*Config)) *world {
	w := &world{
		t:       t,
		now:     now,
		sent:    make(map[string][]proto.Message),
		pings:   make(map[string][]bool),
		numbers: make(map[string]int),
		links:   make(map[string]int),
		events:  make(map[StreamID][]*schedulerpb.Event),
		closed:  make(map[StreamID]bool),
		answers: make(map[RequestID]Answer),
		news:    make(map[StreamID][]News),
		shelf:   newShelf(),
	}
	cfg := Config{
		Master:          &mesospb.MasterInfo{Id: proto.String(masterID), Ip: proto.Uint32(1), Port: proto.Uint32(5050)},
		RootSubmissions: true,
		NewUUID:         w.uuid,
	}
	for _, f := range change {
		f(&cfg)
	}
	w.c = New(w.now, cfg, recovery)
	return w
}

func (w *world) uuid() []byte {
	w.ids++
	sum := sha256.Sum256(fmt.Append(nil, w.ids))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u
}

func (w *world) step(events ...Event) {
	for _, e := range events {
		w.c.Step(w.now, e)
	}
	w.flush()
}

func (w *world) flush() {
	for {
		effects := w.c.Flush(w.now)
		if len(effects) == 0 {
			return
		}
		for _, effect := range effects {
			switch e := effect.(type) {
			case Send:
				w.sent[e.To] = append(w.sent[e.To], e.Message)
			case Link:
				w.links[e.To]++
			case Ping:
				w.pings[e.To] = append(w.pings[e.To], e.Connected)
				w.numbers[e.To] = e.Observer
			case Emit:
				if w.closed[e.Stream] {
					w.t.Errorf("event %s in a closed stream", e.Event.GetType())
				}
				w.events[e.Stream] = append(w.events[e.Stream], e.Event)
			case CloseStream:
				w.closed[e.Stream] = true
			case Announce:
				for _, s := range e.Streams {
					w.news[s] = append(w.news[s], e.News)
				}
			case CloseWatch:
				w.closed[e.Stream] = true
			case Answer:
				w.answers[e.Request] = e
			case Write:
				w.writes = append(w.writes, e)
			case Abort:
				w.aborted = e.Err
			}
		}
		if !w.holdWrites {
			w.releaseWrites()
		}
	}
}

func (w *world) releaseWrites() {
	for len(w.writes) > 0 {
		next := w.writes[0]
		w.writes = w.writes[1:]
		w.shelf.apply(next.Changes)
		w.c.Step(w.now, Written{Write: next.Write})
	}
}

// advance lets time pass, tick by tick, while agents in answering pong each ping.
func (w *world) advance(d time.Duration, answering ...string) {
	end := w.now.Add(d)
	for {
		next := w.c.Next()
		if next.IsZero() || next.After(end) {
			break
		}
		if next.After(w.now) {
			w.now = next
		}
		w.step(Tick{})
		for _, pid := range answering {
			if w.numbers[pid] != 0 {
				w.step(Pong{Observer: w.numbers[pid]})
			}
		}
	}
	w.now = end
	w.step(Tick{})
}

// take returns and forgets what was sent to an address.
func (w *world) take(pid string) []proto.Message {
	out := w.sent[pid]
	delete(w.sent, pid)
	return out
}

// takeEvents returns and forgets the events of a stream, heartbeats left out.
func (w *world) takeEvents(s StreamID) []*schedulerpb.Event {
	var out []*schedulerpb.Event
	for _, e := range w.events[s] {
		if e.GetType() != schedulerpb.Event_HEARTBEAT {
			out = append(out, e)
		}
	}
	delete(w.events, s)
	return out
}

func (w *world) takeOffers(s StreamID) []*mesospb.Offer {
	var out []*mesospb.Offer
	for _, e := range w.takeEvents(s) {
		out = append(out, e.GetOffers().GetOffers()...)
	}
	return out
}

func (w *world) takeStatuses(s StreamID) []*mesospb.TaskStatus {
	var out []*mesospb.TaskStatus
	for _, e := range w.takeEvents(s) {
		if e.Update != nil {
			out = append(out, e.Update.GetStatus())
		}
	}
	return out
}

func first[M proto.Message](w *world, list []proto.Message) M {
	w.t.Helper()
	for _, m := range list {
		if one, ok := m.(M); ok {
			return one
		}
	}
	var none M
	w.t.Fatalf("no %T among %v", none, list)
	return none
}

// Agents.

var allCapabilities = []*mesospb.AgentInfo_Capability{
	{Type: mesospb.AgentInfo_Capability_MULTI_ROLE.Enum()},
	{Type: mesospb.AgentInfo_Capability_HIERARCHICAL_ROLE.Enum()},
	{Type: mesospb.AgentInfo_Capability_RESERVATION_REFINEMENT.Enum()},
	{Type: mesospb.AgentInfo_Capability_RESOURCE_PROVIDER.Enum()},
	{Type: mesospb.AgentInfo_Capability_RESIZE_VOLUME.Enum()},
	{Type: mesospb.AgentInfo_Capability_AGENT_OPERATION_FEEDBACK.Enum()},
	{Type: mesospb.AgentInfo_Capability_AGENT_DRAINING.Enum()},
	{Type: mesospb.AgentInfo_Capability_TASK_RESOURCE_LIMITS.Enum()},
}

func pidOf(n int) string { return fmt.Sprintf("slave(1)@10.0.0.%d:5051", n) }
func ipOf(n int) string  { return fmt.Sprintf("10.0.0.%d", n) }

func agentInfo(n int, text string) *mesospb.AgentInfo {
	list, err := resources.ParseList(text, "*")
	if err != nil {
		panic(err)
	}
	return &mesospb.AgentInfo{
		Hostname:   proto.String(fmt.Sprintf("host%d", n)),
		Port:       proto.Int32(5051),
		Resources:  list,
		Checkpoint: proto.Bool(true),
	}
}

var version0 = &mesospb.UUID{Value: []byte("0123456789abcdef")}

// addAgent registers the n-th agent and returns its id.
func (w *world) addAgent(n int, text string) string {
	w.t.Helper()
	w.step(AgentMessage{From: pidOf(n), IP: ipOf(n), Message: &internalpb.RegisterSlaveMessage{
		Slave:               agentInfo(n, text),
		Version:             proto.String("1.11.0"),
		AgentCapabilities:   allCapabilities,
		ResourceVersionUuid: version0,
	}})
	return first[*internalpb.SlaveRegisteredMessage](w, w.take(pidOf(n))).GetSlaveId().GetValue()
}

// Schedulers.

func frameworkInfo(capabilities ...mesospb.FrameworkInfo_Capability_Type) *mesospb.FrameworkInfo {
	info := &mesospb.FrameworkInfo{
		User: proto.String("root"), Name: proto.String("test"),
		FailoverTimeout: proto.Float64(600), Checkpoint: proto.Bool(true),
	}
	for _, c := range capabilities {
		info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: c.Enum()})
	}
	return info
}

func inRoles(info *mesospb.FrameworkInfo, roles ...string) *mesospb.FrameworkInfo {
	info.Capabilities = append(info.Capabilities, &mesospb.FrameworkInfo_Capability{Type: mesospb.FrameworkInfo_Capability_MULTI_ROLE.Enum()})
	info.Roles = roles
	return info
}

// subscribe opens stream s for info and returns the framework id, empty if the
// master refused.
func (w *world) subscribe(s StreamID, info *mesospb.FrameworkInfo, suppressed ...string) string {
	w.t.Helper()
	w.step(Subscribe{
		Stream: s, StreamUUID: fmt.Sprint("stream-", s),
		Call: &schedulerpb.Call_Subscribe{FrameworkInfo: info, SuppressedRoles: suppressed},
	})
	for _, e := range w.events[s] {
		if e.GetType() == schedulerpb.Event_SUBSCRIBED {
			return e.GetSubscribed().GetFrameworkId().GetValue()
		}
	}
	return ""
}

func (w *world) streamOf(framework string) (StreamID, string) {
	if f := w.c.known[framework]; f != nil {
		return f.Stream, f.StreamUUID
	}
	return 0, ""
}

// operate makes an operator's call and returns its answer: the zero one if there is
// none yet.
func (w *world) operate(event func(RequestID) Event) Answer {
	w.t.Helper()
	w.ids++
	id := RequestID(w.ids)
	w.step(event(id))
	return w.answers[id]
}

// call makes a call as a subscribed framework and returns its answer, which is empty for
// one on a driver.
func (w *world) call(framework string, call *schedulerpb.Call) Answer {
	w.t.Helper()
	if f := w.c.known[framework]; f != nil && f.PID != "" {
		call.FrameworkId = &mesospb.FrameworkID{Value: &framework}
		w.step(DriverCall{PID: f.PID, Call: call})
		return Answer{}
	}
	w.ids++
	id := RequestID(w.ids)
	call.FrameworkId = &mesospb.FrameworkID{Value: &framework}
	_, uuid := w.streamOf(framework)
	w.step(Call{Request: id, Call: call, StreamUUID: uuid, HasStreamUUID: true})
	return w.answers[id]
}

func res(text string) []*mesospb.Resource {
	list, err := resources.ParseList(text, "*")
	if err != nil {
		panic(err)
	}
	return list
}

func task(id, agent, text string) *mesospb.TaskInfo {
	return &mesospb.TaskInfo{
		Name:      proto.String(id),
		TaskId:    &mesospb.TaskID{Value: proto.String(id)},
		AgentId:   &mesospb.AgentID{Value: proto.String(agent)},
		Resources: res(text),
		Command:   &mesospb.CommandInfo{Value: proto.String("sleep 1000")},
	}
}

func launchOp(tasks ...*mesospb.TaskInfo) *mesospb.Offer_Operation {
	return &mesospb.Offer_Operation{
		Type:   mesospb.Offer_Operation_LAUNCH.Enum(),
		Launch: &mesospb.Offer_Operation_Launch{TaskInfos: tasks},
	}
}

func (w *world) accept(framework string, offers []string, refuse float64, ops ...*mesospb.Offer_Operation) Answer {
	w.t.Helper()
	accept := &schedulerpb.Call_Accept{Operations: ops, Filters: &mesospb.Filters{RefuseSeconds: &refuse}}
	for _, id := range offers {
		accept.OfferIds = append(accept.OfferIds, &mesospb.OfferID{Value: &id})
	}
	return w.call(framework, &schedulerpb.Call{Type: schedulerpb.Call_ACCEPT.Enum(), Accept: accept})
}

func (w *world) decline(framework, offer string, refuse float64) {
	w.t.Helper()
	w.call(framework, &schedulerpb.Call{Type: schedulerpb.Call_DECLINE.Enum(), Decline: &schedulerpb.Call_Decline{
		OfferIds: []*mesospb.OfferID{{Value: &offer}}, Filters: &mesospb.Filters{RefuseSeconds: &refuse},
	}})
}

// update is a status update of an agent, as it forwards those of executors.
func (w *world) update(n int, framework, agent, task string, state mesospb.TaskState) []byte {
	w.t.Helper()
	uuid := w.uuid()
	w.step(AgentMessage{From: pidOf(n), IP: ipOf(n), Message: &internalpb.StatusUpdateMessage{
		Update: &internalpb.StatusUpdate{
			FrameworkId: &mesospb.FrameworkID{Value: &framework},
			SlaveId:     &mesospb.AgentID{Value: &agent},
			ExecutorId:  &mesospb.ExecutorID{Value: &task},
			Status: &mesospb.TaskStatus{
				TaskId: &mesospb.TaskID{Value: &task}, AgentId: &mesospb.AgentID{Value: &agent},
				ExecutorId: &mesospb.ExecutorID{Value: &task}, State: state.Enum(),
				Source: mesospb.TaskStatus_SOURCE_EXECUTOR.Enum(), Uuid: uuid, Timestamp: proto.Float64(seconds(w.now)),
			},
			Timestamp: proto.Float64(seconds(w.now)), Uuid: uuid, LatestState: state.Enum(),
		},
		Pid: proto.String(pidOf(n)),
	}})
	return uuid
}

func (w *world) acknowledge(framework, agent, task string, uuid []byte) {
	w.t.Helper()
	w.call(framework, &schedulerpb.Call{Type: schedulerpb.Call_ACKNOWLEDGE.Enum(), Acknowledge: &schedulerpb.Call_Acknowledge{
		AgentId: &mesospb.AgentID{Value: &agent}, TaskId: &mesospb.TaskID{Value: &task}, Uuid: uuid,
	}})
}

func text(list []*mesospb.Resource) string { return resources.New(list...).Unallocate().String() }
