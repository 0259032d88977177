package httpapi

import (
	"maps"
	"slices"

	"stoa/internal/mesos/mesosjson"
	"stoa/internal/mesos/mesospb"
)

// appendTask writes a task as /state and /tasks show it (src/common/http.cpp).
func appendTask(dst *[]byte, t *mesospb.Task) {
	o := mesosjson.BeginObject(dst)
	o.String("id", t.GetTaskId().GetValue())
	o.String("name", t.GetName())
	o.String("framework_id", t.GetFrameworkId().GetValue())
	o.String("executor_id", t.GetExecutorId().GetValue())
	o.String("slave_id", t.GetAgentId().GetValue())
	o.String("state", t.GetState().String())
	protosField(o, dst, "resources", t.GetResources())
	if len(t.GetLimits()) > 0 {
		limits := o.Object("limits")
		for _, name := range slices.Sorted(maps.Keys(t.GetLimits())) {
			limits.Double(name, t.GetLimits()[name].GetValue())
		}
		limits.End()
	}
	role := ""
	if len(t.GetResources()) > 0 { // a task's resources all have one role
		role = t.GetResources()[0].GetAllocationInfo().GetRole()
	}
	o.String("role", role)
	statuses := o.Array("statuses")
	for _, status := range t.GetStatuses() {
		statuses.Next()
		appendStatus(dst, status)
	}
	statuses.End()
	if t.User != nil {
		o.String("user", t.GetUser())
	}
	if t.Labels != nil {
		labelsField(o, t.Labels)
	}
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

func appendStatus(dst *[]byte, status *mesospb.TaskStatus) {
	o := mesosjson.BeginObject(dst)
	o.String("state", status.GetState().String())
	o.Double("timestamp", status.GetTimestamp())
	if status.Labels != nil {
		labelsField(o, status.Labels)
	}
	if cs := status.ContainerStatus; cs != nil {
		container := o.Object("container_status")
		if cs.ContainerId != nil {
			container.Message("container_id", cs.ContainerId, mesosjson.V0)
		}
		if len(cs.NetworkInfos) > 0 {
			infos := container.Array("network_infos")
			for _, info := range cs.NetworkInfos {
				infos.Next()
				appendNetwork(dst, info)
			}
			infos.End()
		}
		if cs.CgroupInfo != nil {
			container.Message("cgroup_info", cs.CgroupInfo, mesosjson.V0)
		}
		container.End()
	}
	if status.Healthy != nil {
		o.Bool("healthy", status.GetHealthy())
	}
	o.End()
}

func appendNetwork(dst *[]byte, info *mesospb.NetworkInfo) {
	o := mesosjson.BeginObject(dst)
	if len(info.Groups) > 0 {
		o.Strings("groups", info.Groups)
	}
	if info.Labels != nil {
		labelsField(o, info.Labels)
	}
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

// labelsField writes labels as the flat array of the unversioned endpoints.
func labelsField(o mesosjson.Object, l *mesospb.Labels) {
	mesosjson.Messages(o, "labels", l.GetLabels(), mesosjson.V0)
}
