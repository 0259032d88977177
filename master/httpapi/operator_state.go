package httpapi

import (
	"maps"
	"slices"
	"time"

	"stoa/internal/auth"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

// readState answers the calls about agents, frameworks, tasks and roles. It says whether
// the call was one of them.
func (s *server) readState(a answer, kind masterpb.Call_Type) bool {
	switch kind {
	case masterpb.Call_GET_STATE, masterpb.Call_GET_AGENTS, masterpb.Call_GET_FRAMEWORKS, masterpb.Call_GET_EXECUTORS,
		masterpb.Call_GET_TASKS, masterpb.Call_GET_OPERATIONS, masterpb.Call_GET_ROLES, masterpb.Call_GET_WEIGHTS:
	default:
		return false
	}
	snapshot, ok := s.snapshot(a.c)
	if !ok {
		return true
	}
	v := stateView{snapshot, s.view(a.c)}
	switch kind {
	case masterpb.Call_GET_STATE:
		a.hybrid(masterpb.Response_GET_STATE, v.appendState, func(r *masterpb.Response) {
			r.Type = masterpb.Response_GET_STATE.Enum()
			r.GetState = &masterpb.Response_GetState{
				GetTasks: v.tasks(), GetExecutors: v.executors(), GetFrameworks: v.frameworks(), GetAgents: v.agents(),
			}
		})
	case masterpb.Call_GET_AGENTS:
		a.hybrid(masterpb.Response_GET_AGENTS, v.appendAgents, func(r *masterpb.Response) {
			r.Type, r.GetAgents = masterpb.Response_GET_AGENTS.Enum(), v.agents()
		})
	case masterpb.Call_GET_FRAMEWORKS:
		a.hybrid(masterpb.Response_GET_FRAMEWORKS, v.appendFrameworks, func(r *masterpb.Response) {
			r.Type, r.GetFrameworks = masterpb.Response_GET_FRAMEWORKS.Enum(), v.frameworks()
		})
	case masterpb.Call_GET_EXECUTORS:
		a.hybrid(masterpb.Response_GET_EXECUTORS, v.appendExecutors, func(r *masterpb.Response) {
			r.Type, r.GetExecutors = masterpb.Response_GET_EXECUTORS.Enum(), v.executors()
		})
	case masterpb.Call_GET_TASKS:
		a.hybrid(masterpb.Response_GET_TASKS, v.appendTasks, func(r *masterpb.Response) {
			r.Type, r.GetTasks = masterpb.Response_GET_TASKS.Enum(), v.tasks()
		})
	case masterpb.Call_GET_OPERATIONS:
		a.message(&masterpb.Response{
			Type:          masterpb.Response_GET_OPERATIONS.Enum(),
			GetOperations: v.operations(),
		})
	case masterpb.Call_GET_ROLES:
		a.message(&masterpb.Response{Type: masterpb.Response_GET_ROLES.Enum(), GetRoles: v.roles()})
	case masterpb.Call_GET_WEIGHTS:
		a.message(&masterpb.Response{Type: masterpb.Response_GET_WEIGHTS.Enum(), GetWeights: v.weights()})
	}
	return true
}

// stateView writes what a client may see of a snapshot as the messages of the operator
// API, or straight as their JSON.
type stateView struct {
	*core.Snapshot
	seen auth.View
}

func (v stateView) appendState(dst *[]byte) {
	o := mesosjson.BeginObject(dst)
	o.Key("get_tasks")
	v.appendTasks(dst)
	o.Key("get_executors")
	v.appendExecutors(dst)
	o.Key("get_frameworks")
	v.appendFrameworks(dst)
	o.Key("get_agents")
	v.appendAgents(dst)
	o.End()
}

// all are the frameworks that are not completed, then those that are.
func (v stateView) all() []*core.FrameworkView {
	return frameworksSeen(slices.Concat(v.Frameworks, v.Completed), v.seen)
}

// taskLists name the three lists of tasks of the operator API.
var taskLists = [...]struct {
	key  string
	list func(*core.FrameworkView) []*mesospb.Task
}{
	{"tasks", func(f *core.FrameworkView) []*mesospb.Task { return f.Tasks }},
	{"unreachable_tasks", func(f *core.FrameworkView) []*mesospb.Task { return f.Unreachable }},
	{"completed_tasks", func(f *core.FrameworkView) []*mesospb.Task { return f.CompletedTasks }},
}

func (v stateView) appendTasks(dst *[]byte) {
	o := mesosjson.BeginObject(dst)
	for _, one := range taskLists {
		list := o.Array(one.key)
		for _, f := range v.all() {
			for _, t := range tasksSeen(one.list(f), f, v.seen) {
				list.Message(t, mesosjson.AsV1)
			}
		}
		list.End()
	}
	o.End()
}

func (v stateView) tasks() *masterpb.Response_GetTasks {
	m := &masterpb.Response_GetTasks{}
	for _, f := range v.all() {
		m.Tasks = append(m.Tasks, tasksSeen(f.Tasks, f, v.seen)...)
		m.UnreachableTasks = append(m.UnreachableTasks, tasksSeen(f.Unreachable, f, v.seen)...)
		m.CompletedTasks = append(m.CompletedTasks, tasksSeen(f.CompletedTasks, f, v.seen)...)
	}
	return m
}

func (v stateView) appendExecutors(dst *[]byte) {
	o := mesosjson.BeginObject(dst)
	mesosjson.Messages(o, "executors", v.executors().Executors, mesosjson.AsV1)
	o.End()
}

func (v stateView) executors() *masterpb.Response_GetExecutors {
	m := &masterpb.Response_GetExecutors{}
	for _, f := range v.all() {
		for _, e := range f.Executors {
			if !v.seen.Executor(e.Info, f.Info) {
				continue
			}
			m.Executors = append(m.Executors, &masterpb.Response_GetExecutors_Executor{
				ExecutorInfo: e.Info,
				AgentId:      &mesospb.AgentID{Value: proto.String(e.Agent)},
			})
		}
	}
	return m
}

func (v stateView) appendFrameworks(dst *[]byte) {
	o := mesosjson.BeginObject(dst)
	list := o.Array("frameworks")
	for _, f := range frameworksSeen(v.Frameworks, v.seen) {
		list.Message(frameworkMessage(f), mesosjson.AsV1)
	}
	list.End()
	list = o.Array("completed_frameworks")
	for _, f := range frameworksSeen(v.Completed, v.seen) {
		list.Message(frameworkMessage(f), mesosjson.AsV1)
	}
	list.End()
	o.End()
}

func (v stateView) frameworks() *masterpb.Response_GetFrameworks {
	m := &masterpb.Response_GetFrameworks{}
	for _, f := range frameworksSeen(v.Frameworks, v.seen) {
		m.Frameworks = append(m.Frameworks, frameworkMessage(f))
	}
	for _, f := range frameworksSeen(v.Completed, v.seen) {
		m.CompletedFrameworks = append(m.CompletedFrameworks, frameworkMessage(f))
	}
	return m
}

func frameworkMessage(f *core.FrameworkView) *masterpb.Response_GetFrameworks_Framework {
	u := useOf(f)
	reregistered := f.Reregistered
	if reregistered.IsZero() {
		reregistered = f.Registered
	}
	return &masterpb.Response_GetFrameworks_Framework{
		FrameworkInfo:      f.Info,
		Active:             proto.Bool(f.State == core.Active),
		Connected:          proto.Bool(f.Connected()),
		Recovered:          proto.Bool(f.State == core.Recovered),
		RegisteredTime:     timeInfo(f.Registered),
		ReregisteredTime:   timeInfo(reregistered),
		UnregisteredTime:   timeInfo(f.Unregistered),
		Offers:             f.Offers,
		InverseOffers:      f.InverseOffers,
		AllocatedResources: shownResources(u.used),
		OfferedResources:   shownResources(u.offered),
		OfferConstraints:   offerConstraints(f),
	}
}

func (v stateView) appendAgents(dst *[]byte) {
	o := mesosjson.BeginObject(dst)
	list := o.Array("agents")
	for _, a := range v.Agents {
		list.Message(v.agent(a), mesosjson.AsV1)
	}
	list.End()
	list = o.Array("recovered_agents")
	for _, r := range v.Recovered {
		list.Message(v.agentInfo(r.Info), mesosjson.AsV1)
	}
	list.End()
	o.End()
}

func (v stateView) agents() *masterpb.Response_GetAgents {
	m := &masterpb.Response_GetAgents{}
	for _, a := range v.Agents {
		m.Agents = append(m.Agents, v.agent(a))
	}
	for _, r := range v.Recovered {
		m.RecoveredAgents = append(m.RecoveredAgents, v.agentInfo(r.Info))
	}
	return m
}

// agent is an agent without the resources of roles that the client may not see.
func (v stateView) agent(a *core.AgentView) *masterpb.Response_GetAgents_Agent {
	if v.seen.All() {
		return agentMessage(a)
	}
	m := agentMessage(a)
	m.AgentInfo = v.agentInfo(m.AgentInfo)
	m.TotalResources = resourcesSeen(a.Total, v.seen)
	m.AllocatedResources = resourcesSeen(a.Used, v.seen)
	m.OfferedResources = resourcesSeen(a.Offered, v.seen)
	return m
}

func (v stateView) agentInfo(info *mesospb.AgentInfo) *mesospb.AgentInfo {
	if v.seen.All() {
		return info
	}
	info = proto.Clone(info).(*mesospb.AgentInfo)
	info.Resources = v.seen.Resources(info.Resources)
	return info
}

func agentMessage(a *core.AgentView) *masterpb.Response_GetAgents_Agent {
	return &masterpb.Response_GetAgents_Agent{
		AgentInfo:          a.Info,
		Active:             proto.Bool(a.Active),
		Deactivated:        proto.Bool(a.Deactivated),
		Version:            proto.String(a.Version),
		Pid:                proto.String(a.PID),
		RegisteredTime:     timeInfo(a.Registered),
		ReregisteredTime:   timeInfo(a.Reregistered),
		TotalResources:     shownResources(a.Total),
		AllocatedResources: shownResources(a.Used),
		OfferedResources:   shownResources(a.Offered),
		Capabilities:       a.Capabilities,
		DrainInfo:          a.Drain,
		// Whole seconds here, unlike everywhere else.
		EstimatedDrainStartTime: timeInfo(a.DrainStart.Truncate(time.Second)),
	}
}

func shownResources(rs resources.Resources) []*mesospb.Resource {
	return resourcesSeen(rs, auth.View{})
}

func resourcesSeen(rs resources.Resources, w auth.View) []*mesospb.Resource {
	var list []*mesospb.Resource
	for r := range rs.All() {
		if r := r.Proto(); w.Resource(r) {
			list = append(list, resources.ForEndpoint(r))
		}
	}
	return list
}

// timeInfo is a time as the operator API shows it; nil for none.
func timeInfo(t time.Time) *mesospb.TimeInfo {
	if t.IsZero() {
		return nil
	}
	return &mesospb.TimeInfo{Nanoseconds: proto.Int64(nanoseconds(t))}
}

func (v stateView) operations() *masterpb.Response_GetOperations {
	m := &masterpb.Response_GetOperations{}
	for _, a := range v.Agents {
		for _, op := range a.Operations {
			if v.seen.Operation(op) {
				m.Operations = append(m.Operations, op)
			}
		}
	}
	return m
}

func (v stateView) roles() *masterpb.Response_GetRoles {
	m := &masterpb.Response_GetRoles{}
	for _, r := range rolesOf(v.Snapshot) {
		if !v.seen.Role(r.name) {
			continue
		}
		role := &mesospb.Role{Name: proto.String(r.name), Weight: proto.Float64(r.weight)}
		for _, id := range r.frameworks {
			role.Frameworks = append(role.Frameworks, &mesospb.FrameworkID{Value: proto.String(id)})
		}
		for name, amount := range r.allocated.Add(r.offered).All() {
			if slices.Contains(kinds[:], name) {
				role.Resources = append(role.Resources, &mesospb.Resource{
					Name:   proto.String(name),
					Type:   mesospb.Value_SCALAR.Enum(),
					Scalar: &mesospb.Value_Scalar{Value: proto.Float64(amount.Float())},
				})
			}
		}
		m.Roles = append(m.Roles, role)
	}
	return m
}

// weights is nil when there are none: the original makes the message with the first.
func (v stateView) weights() *masterpb.Response_GetWeights {
	var m *masterpb.Response_GetWeights
	for _, role := range slices.Sorted(maps.Keys(v.Weights)) {
		if !v.seen.Role(role) {
			continue
		}
		if m == nil {
			m = &masterpb.Response_GetWeights{}
		}
		m.WeightInfos = append(m.WeightInfos, &mesospb.WeightInfo{Role: proto.String(role), Weight: proto.Float64(v.Weights[role])})
	}
	return m
}
