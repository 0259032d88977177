package httpapi

import (
	"slices"
	"strings"

	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
	"stoa/internal/mesos/resources"
)

// The hand-written objects of the unversioned endpoints (src/common/http.cpp); message
// fields inside them print in the v0 dialect.

// summary writes resources as name to amount. The four usual names are always there, in
// the order that the original's hash map happens to have.
func summary(o mesosjson.Object, list []*mesospb.Resource) {
	scalars := map[string]float64{}
	ranges := map[string]resources.Ranges{}
	sets := map[string][]string{}
	for _, r := range list {
		name := r.GetName()
		if r.GetRevocable() != nil {
			name += "_revocable"
		}
		switch r.GetType() {
		case mesospb.Value_SCALAR:
			scalars[name] += r.GetScalar().GetValue()
		case mesospb.Value_RANGES:
			ranges[name] = ranges[name].Plus(resources.RangesOf(r.GetRanges()))
		case mesospb.Value_SET:
			for _, item := range r.GetSet().GetItem() {
				if !slices.Contains(sets[name], item) {
					sets[name] = append(sets[name], item)
				}
			}
		}
	}
	for _, name := range scalarOrder(scalars) {
		o.Double(name, scalars[name])
	}
	for _, name := range sortedKeys(ranges) {
		o.String(name, ranges[name].String())
	}
	for _, name := range sortedKeys(sets) {
		o.String(name, "{"+strings.Join(sets[name], ", ")+"}")
	}
}

func scalarOrder(scalars map[string]float64) []string {
	usual := []string{"disk", "mem", "gpus", "cpus"}
	var others []string
	for _, name := range sortedKeys(scalars) {
		if !slices.Contains(usual, name) {
			others = append(others, name)
		}
	}
	if slices.Equal(others, []string{"cpus_revocable", "mem_revocable"}) {
		return []string{"mem_revocable", "cpus", "disk", "gpus", "mem", "cpus_revocable"}
	}
	return append(others, usual...)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func summaryField(o mesosjson.Object, key string, list []*mesospb.Resource) {
	s := o.Object(key)
	summary(s, list)
	s.End()
}

// allocationRole is the role of the first resource, which all of a task share.
func allocationRole(list []*mesospb.Resource) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].GetAllocationInfo().GetRole()
}

func labelsField(o mesosjson.Object, labels *mesospb.Labels) {
	if labels != nil {
		mesosjson.Messages(o, "labels", labels.GetLabels(), mesosjson.V0)
	}
}

func task(a mesosjson.Array, t *mesospb.Task) {
	o := a.Object()
	o.String("id", t.GetTaskId().GetValue())
	o.String("name", t.GetName())
	o.String("framework_id", t.GetFrameworkId().GetValue())
	o.String("executor_id", t.GetExecutorId().GetValue())
	o.String("slave_id", t.GetAgentId().GetValue())
	o.String("state", t.GetState().String())
	summaryField(o, "resources", t.GetResources())
	if len(t.GetLimits()) > 0 {
		limits := o.Object("limits")
		for _, name := range sortedKeys(t.GetLimits()) {
			limits.Double(name, t.GetLimits()[name].GetValue())
		}
		limits.End()
	}
	o.String("role", allocationRole(t.GetResources()))
	statuses := o.Array("statuses")
	for _, s := range t.GetStatuses() {
		status(statuses, s)
	}
	statuses.End()
	if t.User != nil {
		o.String("user", t.GetUser())
	}
	labelsField(o, t.GetLabels())
	if t.Discovery != nil {
		o.Message("discovery", t.Discovery, mesosjson.V0)
	}
	if t.Container != nil {
		o.Message("container", t.Container, mesosjson.V0)
	}
	if t.HealthCheck != nil {
		o.Message("health_check", t.HealthCheck, mesosjson.V0)
	}
	o.End()
}

func status(a mesosjson.Array, s *mesospb.TaskStatus) {
	o := a.Object()
	o.String("state", s.GetState().String())
	o.Double("timestamp", s.GetTimestamp())
	labelsField(o, s.GetLabels())
	if cs := s.GetContainerStatus(); cs != nil {
		c := o.Object("container_status")
		if cs.ContainerId != nil {
			c.Message("container_id", cs.ContainerId, mesosjson.V0)
		}
		if len(cs.NetworkInfos) > 0 {
			infos := c.Array("network_infos")
			for _, info := range cs.NetworkInfos {
				networkInfo(infos, info)
			}
			infos.End()
		}
		if cs.CgroupInfo != nil {
			c.Message("cgroup_info", cs.CgroupInfo, mesosjson.V0)
		}
		c.End()
	}
	if s.Healthy != nil {
		o.Bool("healthy", s.GetHealthy())
	}
	o.End()
}

func networkInfo(a mesosjson.Array, info *mesospb.NetworkInfo) {
	o := a.Object()
	if len(info.Groups) > 0 {
		groups := o.Array("groups")
		for _, group := range info.Groups {
			groups.String(group)
		}
		groups.End()
	}
	labelsField(o, info.GetLabels())
	if len(info.IpAddresses) > 0 {
		mesosjson.Messages(o, "ip_addresses", info.IpAddresses, mesosjson.V0)
	}
	if info.Name != nil {
		o.String("name", info.GetName())
	}
	if len(info.PortMappings) > 0 {
		mesosjson.Messages(o, "port_mappings", info.PortMappings, mesosjson.V0)
	}
	o.End()
}

func queuedTask(a mesosjson.Array, t *mesospb.TaskInfo) {
	o := a.Object()
	o.String("id", t.GetTaskId().GetValue())
	o.String("name", t.GetName())
	o.String("slave_id", t.GetAgentId().GetValue())
	summaryField(o, "resources", t.GetResources())
	o.String("role", allocationRole(t.GetResources()))
	if t.Command != nil {
		command(o, t.Command)
	}
	if t.Executor != nil {
		o.String("executor_id", t.Executor.GetExecutorId().GetValue())
	}
	if t.Discovery != nil {
		o.Message("discovery", t.Discovery, mesosjson.V0)
	}
	o.End()
}

func command(parent mesosjson.Object, c *mesospb.CommandInfo) {
	o := parent.Object("command")
	if c.Shell != nil {
		o.Bool("shell", c.GetShell())
	}
	if c.Value != nil {
		o.String("value", c.GetValue())
	}
	argv := o.Array("argv")
	for _, argument := range c.GetArguments() {
		argv.String(argument)
	}
	argv.End()
	if c.Environment != nil {
		o.Message("environment", c.Environment, mesosjson.V0)
	}
	uris := o.Array("uris")
	for _, uri := range c.GetUris() {
		u := uris.Object()
		u.String("value", uri.GetValue())
		u.Bool("executable", uri.GetExecutable())
		u.End()
	}
	uris.End()
	o.End()
}

func attributes(parent mesosjson.Object, list []*mesospb.Attribute) {
	o := parent.Object("attributes")
	for _, a := range list {
		switch a.GetType() {
		case mesospb.Value_SCALAR:
			o.Double(a.GetName(), a.GetScalar().GetValue())
		case mesospb.Value_RANGES:
			o.String(a.GetName(), resources.RangesOf(a.GetRanges()).String())
		case mesospb.Value_SET:
			o.String(a.GetName(), "{"+strings.Join(a.GetSet().GetItem(), ", ")+"}")
		case mesospb.Value_TEXT:
			o.String(a.GetName(), a.GetText().GetValue())
		}
	}
	o.End()
}
