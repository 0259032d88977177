package core_test

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/schedulerpb"
	"stoa/marathon/core"

	"google.golang.org/protobuf/proto"
)

// makeOffers offers every agent's free resources, if anyone wants them.
func (w *world) makeOffers() bool {
	if !w.connected || !w.wanting["*"] {
		return false
	}
	var offers []*mesospb.Offer
	for _, a := range w.agents {
		if w.filtered[a.id] || w.offered(a) || a.away {
			continue
		}
		o := w.offer(a)
		w.offers[o.GetId().GetValue()] = a
		offers = append(offers, o)
	}
	if len(offers) == 0 {
		return false
	}
	w.core.Offers(offers, w.now)
	return true
}

func (w *world) offered(a *agent) bool {
	for _, o := range w.offers {
		if o == a {
			return true
		}
	}
	return false
}

func (w *world) offer(a *agent) *mesospb.Offer {
	w.offerNo++
	cpus, mem := a.cpus, a.mem
	taken := map[uint64]bool{}
	for _, t := range a.used {
		for _, r := range t.info.Resources {
			switch r.GetName() {
			case "cpus":
				cpus -= r.GetScalar().GetValue()
			case "mem":
				mem -= r.GetScalar().GetValue()
			case "ports":
				for _, rg := range r.GetRanges().GetRange() {
					for p := rg.GetBegin(); p <= rg.GetEnd(); p++ {
						taken[p] = true
					}
				}
			}
		}
	}
	o := &mesospb.Offer{
		Id:             &mesospb.OfferID{Value: proto.String(fmt.Sprintf("offer-%d", w.offerNo))},
		AgentId:        &mesospb.AgentID{Value: proto.String(a.id)},
		Hostname:       proto.String(a.host),
		AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String("*")},
	}
	scalar := func(name string, v float64) {
		if v > 0.0005 {
			o.Resources = append(o.Resources, &mesospb.Resource{
				Name: proto.String(name), Type: mesospb.Value_SCALAR.Enum(),
				Scalar: &mesospb.Value_Scalar{Value: proto.Float64(float64(int64(v*1000+0.5)) / 1000)}, Role: proto.String("*"),
			})
		}
	}
	scalar("cpus", cpus)
	scalar("mem", mem)
	scalar("disk", 10000)
	ports := &mesospb.Value_Ranges{}
	for p := a.ports[0]; p <= a.ports[1]; p++ {
		if taken[p] {
			continue
		}
		if n := len(ports.Range); n > 0 && ports.Range[n-1].GetEnd()+1 == p {
			ports.Range[n-1].End = proto.Uint64(p)
		} else {
			ports.Range = append(ports.Range, &mesospb.Value_Range{Begin: proto.Uint64(p), End: proto.Uint64(p)})
		}
	}
	o.Resources = append(o.Resources, &mesospb.Resource{
		Name: proto.String("ports"), Type: mesospb.Value_RANGES.Enum(), Ranges: ports, Role: proto.String("*"),
	})
	var names []string
	for name := range a.attribute {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		o.Attributes = append(o.Attributes, &mesospb.Attribute{
			Name: proto.String(name), Type: mesospb.Value_TEXT.Enum(), Text: &mesospb.Value_Text{Value: proto.String(a.attribute[name])},
		})
	}
	return o
}

// master takes a call the way a master does.
func (w *world) master(call *schedulerpb.Call) {
	switch call.GetType() {
	case schedulerpb.Call_ACCEPT:
		offerID := call.GetAccept().GetOfferIds()[0].GetValue()
		a := w.offers[offerID]
		delete(w.offers, offerID)
		for _, op := range call.GetAccept().GetOperations() {
			for _, info := range op.GetLaunch().GetTaskInfos() {
				w.launch(a, info)
			}
		}
	case schedulerpb.Call_DECLINE:
		for _, o := range call.GetDecline().GetOfferIds() {
			if a := w.offers[o.GetValue()]; a != nil {
				delete(w.offers, o.GetValue())
				w.filtered[a.id] = true
			}
		}
	case schedulerpb.Call_REVIVE:
		clear(w.filtered)
		for _, role := range call.GetRevive().GetRoles() {
			w.wanting[role] = true
		}
	case schedulerpb.Call_SUPPRESS:
		for _, role := range call.GetSuppress().GetRoles() {
			delete(w.wanting, role)
		}
	case schedulerpb.Call_KILL:
		w.kill(call.GetKill())
	case schedulerpb.Call_ACKNOWLEDGE:
		if t := w.tasks[call.GetAcknowledge().GetTaskId().GetValue()]; t != nil {
			if t.unacked != nil && string(t.unacked.GetUuid()) == string(call.GetAcknowledge().GetUuid()) {
				t.unacked = nil
			}
		}
	case schedulerpb.Call_RECONCILE:
		w.reconcile(call.GetReconcile())
	}
}

func (w *world) launch(a *agent, info *mesospb.TaskInfo) {
	taskID := info.GetTaskId().GetValue()
	if a == nil {
		w.status(&task{info: info}, mesospb.TaskState_TASK_DROPPED)
		return
	}
	if w.tasks[taskID] != nil {
		w.t.Fatalf("task id %s was used before", taskID)
	}
	t := &task{
		info: info, agent: a, state: mesospb.TaskState_TASK_STAGING,
		next: mesospb.TaskState_TASK_RUNNING, nextAt: w.now.Add(time.Duration(w.random.IntN(2000)) * time.Millisecond),
		env: map[string]string{},
	}
	command := info.GetCommand()
	for _, v := range command.GetEnvironment().GetVariables() {
		t.env[v.GetName()] = v.GetValue()
	}
	if w.behave != nil {
		w.behave(t)
	}
	w.tasks[taskID] = t
	a.used[taskID] = t
	w.changed()
}

func (w *world) changed() {
	if w.observe != nil {
		w.observe()
	}
}

func (w *world) kill(k *schedulerpb.Call_Kill) {
	t := w.tasks[k.GetTaskId().GetValue()]
	switch {
	case t == nil || !t.live():
		w.queueUpdate(&mesospb.TaskStatus{
			TaskId: k.TaskId, State: mesospb.TaskState_TASK_UNKNOWN.Enum(), AgentId: k.AgentId,
		})
	case t.next != mesospb.TaskState_TASK_KILLED:
		t.next = mesospb.TaskState_TASK_KILLED
		t.nextAt = w.now.Add(time.Duration(w.random.IntN(1000)) * time.Millisecond)
	}
}

func (w *world) reconcile(r *schedulerpb.Call_Reconcile) {
	if len(r.GetTasks()) == 0 {
		for _, taskID := range w.sortedTasks() {
			if t := w.tasks[taskID]; t.live() {
				w.queueUpdate(&mesospb.TaskStatus{
					TaskId: t.info.TaskId, State: t.state.Enum(), AgentId: t.info.AgentId,
					Reason: mesospb.TaskStatus_REASON_RECONCILIATION.Enum(),
				})
			}
		}
		return
	}
	for _, asked := range r.GetTasks() {
		if slices.ContainsFunc(w.agents, func(a *agent) bool { return a.away && a.id == asked.GetAgentId().GetValue() }) {
			continue
		}
		state := mesospb.TaskState_TASK_GONE
		if t := w.tasks[asked.GetTaskId().GetValue()]; t != nil && (t.live() || t.state == mesospb.TaskState_TASK_UNREACHABLE) {
			state = t.state
		}
		w.queueUpdate(&mesospb.TaskStatus{
			TaskId: asked.TaskId, State: state.Enum(), AgentId: asked.AgentId,
			Reason: mesospb.TaskStatus_REASON_RECONCILIATION.Enum(),
		})
	}
}

// queueUpdate delivers an update of the master's own after the present effect.
func (w *world) queueUpdate(s *mesospb.TaskStatus) {
	w.queue = append(w.queue, core.Answer{Do: func() { w.core.Update(s, w.now) }})
}

// status lets a task turn to a state and delivers the update.
func (w *world) status(t *task, state mesospb.TaskState) {
	t.state = state
	w.offerNo++
	s := &mesospb.TaskStatus{
		TaskId: t.info.TaskId, State: state.Enum(), AgentId: t.info.AgentId,
		Uuid: []byte(fmt.Sprintf("uuid-%d", w.offerNo)), Timestamp: proto.Float64(float64(w.now.UnixMilli()) / 1000),
	}
	if !t.live() && t.agent != nil {
		delete(t.agent.used, t.info.GetTaskId().GetValue())
		delete(w.filtered, t.agent.id)
	}
	t.unacked = s
	w.changed()
	if w.connected {
		w.core.Update(s, w.now)
	}
}
