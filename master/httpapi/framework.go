package httpapi

import (
	"stoa/internal/auth"
	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
	"stoa/internal/mesos/schedulerpb"
	"stoa/master/core"

	"google.golang.org/protobuf/proto"
)

// use is what a framework holds. The core sums scalars only; ports and other things
// that differ from agent to agent are put together here.
type use struct{ used, offered resources.Resources }

func useOf(f *core.FrameworkView) use {
	var rest collector
	for _, t := range f.Tasks {
		if !core.Terminal(t.GetState()) && t.GetState() != mesospb.TaskState_TASK_UNREACHABLE {
			rest.add(t.GetResources())
		}
	}
	for _, e := range f.Executors {
		rest.add(e.Info.GetResources())
	}
	u := use{used: f.Used.Scalars().Add(rest.resources())}
	rest = collector{}
	for _, offer := range f.Offers {
		rest.add(offer.GetResources())
	}
	u.offered = f.Offered.Scalars().Add(rest.resources())
	return u
}

// collector merges ranges and sets of many tasks at once, for each name, role of
// allocation and revocability.
type collector struct {
	ranges map[collected]resources.Ranges
	others []*mesospb.Resource
}

type collected struct {
	name, role string
	revocable  bool
}

func (c *collector) add(list []*mesospb.Resource) {
	for _, r := range list {
		switch r.GetType() {
		case mesospb.Value_RANGES:
			key := collected{r.GetName(), r.GetAllocationInfo().GetRole(), r.Revocable != nil}
			if c.ranges == nil {
				c.ranges = make(map[collected]resources.Ranges)
			}
			c.ranges[key] = append(c.ranges[key], resources.RangesOf(r.GetRanges())...)
		case mesospb.Value_SET:
			c.others = append(c.others, r)
		}
	}
}

func (c *collector) resources() resources.Resources {
	list := c.others
	for key, ranges := range c.ranges {
		r := &mesospb.Resource{
			Name:           proto.String(key.name),
			Type:           mesospb.Value_RANGES.Enum(),
			Ranges:         ranges.Coalesced().Proto(),
			AllocationInfo: &mesospb.Resource_AllocationInfo{Role: proto.String(key.role)},
		}
		if key.revocable {
			r.Revocable = &mesospb.Resource_RevocableInfo{}
		}
		list = append(list, r)
	}
	return resources.New(list...)
}

// frameworkFields writes the part of a framework that /state-summary has too
// (readonly_handler.cpp, json of Summary<Framework>).
func frameworkFields(o mesosjson.Object, dst *[]byte, f *core.FrameworkView, u use) {
	o.String("id", f.ID)
	o.String("name", f.Info.GetName())
	if f.PID != "" {
		o.String("pid", f.PID) // HTTP frameworks have none
	}
	resourcesField(o, dst, "used_resources", u.used)
	resourcesField(o, dst, "offered_resources", u.offered)
	capabilities := o.Array("capabilities")
	for _, one := range f.Info.GetCapabilities() {
		capabilities.String(one.GetType().String())
	}
	capabilities.End()
	o.String("hostname", f.Info.GetHostname())
	o.String("webui_url", f.Info.GetWebuiUrl())
	o.Bool("active", f.State == core.Active)
	o.Bool("connected", f.Connected())
	o.Bool("recovered", f.State == core.Recovered)
}

// appendFramework writes a framework with everything that belongs to it
// (FullFrameworkWriter).
func appendFramework(dst *[]byte, f *core.FrameworkView, w auth.View) {
	o := mesosjson.BeginObject(dst)
	u := useOf(f)
	frameworkFields(o, dst, f, u)
	o.String("user", f.Info.GetUser())
	o.Double("failover_timeout", f.Info.GetFailoverTimeout())
	o.Bool("checkpoint", f.Info.GetCheckpoint())
	o.Double("registered_time", seconds(f.Registered))
	o.Double("unregistered_time", seconds(f.Unregistered))
	if f.Info.Principal != nil {
		o.String("principal", f.Info.GetPrincipal())
	}
	resourcesField(o, dst, "resources", u.used.Add(u.offered))
	if !f.Reregistered.IsZero() && !f.Reregistered.Equal(f.Registered) {
		o.Double("reregistered_time", seconds(f.Reregistered))
	}
	if f.Capabilities.MultiRole {
		o.Strings("roles", f.Info.GetRoles())
	} else {
		o.String("role", f.Info.GetRole())
	}
	tasksField(o, dst, "tasks", tasksSeen(f.Tasks, f, w))
	tasksField(o, dst, "unreachable_tasks", tasksSeen(f.Unreachable, f, w))
	tasksField(o, dst, "completed_tasks", tasksSeen(f.CompletedTasks, f, w))
	offers := o.Array("offers")
	for _, offer := range f.Offers {
		one := offers.Object()
		one.String("id", offer.GetId().GetValue())
		one.String("framework_id", offer.GetFrameworkId().GetValue())
		one.Message("allocation_info", offer.GetAllocationInfo(), mesosjson.V0)
		one.String("slave_id", offer.GetAgentId().GetValue())
		protosField(one, dst, "resources", offer.GetResources())
		one.End()
	}
	offers.End()
	executors := o.Array("executors")
	for _, e := range f.Executors {
		one := executors.Object()
		if w.Executor(e.Info, f.Info) { // otherwise there is an empty object
			executorFields(one, dst, e.Info)
			one.String("slave_id", e.Agent)
		}
		one.End()
	}
	executors.End()
	if f.Info.Labels != nil {
		labelsField(o, f.Info.Labels)
	}
	if constraints := offerConstraints(f); constraints != nil {
		o.Message("offer_constraints", constraints, mesosjson.V0)
	}
	o.End()
}

// offerConstraints are shown, though empty, of every framework that has subscribed.
func offerConstraints(f *core.FrameworkView) *schedulerpb.OfferConstraints {
	if f.OfferConstraints == nil && f.State != core.Recovered {
		return &schedulerpb.OfferConstraints{}
	}
	return f.OfferConstraints
}

func tasksField(o mesosjson.Object, dst *[]byte, key string, tasks []*mesospb.Task) {
	list := o.Array(key)
	for _, t := range tasks {
		list.Next()
		appendTask(dst, t)
	}
	list.End()
}

func executorFields(o mesosjson.Object, dst *[]byte, info *mesospb.ExecutorInfo) {
	o.String("executor_id", info.GetExecutorId().GetValue())
	o.String("name", info.GetName())
	o.String("framework_id", info.GetFrameworkId().GetValue())
	command := o.Object("command")
	if c := info.GetCommand(); c != nil {
		if c.Shell != nil {
			command.Bool("shell", c.GetShell())
		}
		if c.Value != nil {
			command.String("value", c.GetValue())
		}
	}
	command.Strings("argv", info.GetCommand().GetArguments())
	if env := info.GetCommand().GetEnvironment(); env != nil {
		command.Message("environment", env, mesosjson.V0)
	}
	uris := command.Array("uris")
	for _, uri := range info.GetCommand().GetUris() {
		one := uris.Object()
		one.String("value", uri.GetValue())
		one.Bool("executable", uri.GetExecutable())
		one.End()
	}
	uris.End()
	command.End()
	protosField(o, dst, "resources", info.GetResources())
	if len(info.GetResources()) > 0 {
		o.String("role", info.GetResources()[0].GetAllocationInfo().GetRole())
	}
	if info.Labels != nil {
		labelsField(o, info.Labels)
	}
	if info.Type != nil {
		o.String("type", info.GetType().String())
	}
}
