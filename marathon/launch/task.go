package launch

import (
	"strings"
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/instance"

	"google.golang.org/protobuf/proto"
)

// commandExecutor is the executor of Mesos's own.
const commandExecutor = "//cmd"

// build describes the task to Mesos. Original: mesosphere/mesos/TaskBuilder.scala.
func (m *Matcher) build(offer *mesospb.Offer, req Request, resources []*mesospb.Resource, hostPorts []*int, now time.Time) *Launch {
	a := req.App
	taskID := req.Instance.NextTaskID()
	network := instance.NetworkInfo{HostName: offer.GetHostname()}
	for _, p := range hostPorts {
		if p != nil {
			network.HostPorts = append(network.HostPorts, *p)
		}
	}
	name := a.ID.HostPath()
	info := &mesospb.TaskInfo{
		Name:      proto.String(name),
		TaskId:    &mesospb.TaskID{Value: proto.String(taskID)},
		AgentId:   offer.GetAgentId(),
		Resources: resources,
		Labels:    mesosLabels(a.Labels),
		Limits:    limits(a),
		Discovery: &mesospb.DiscoveryInfo{
			Visibility: mesospb.DiscoveryInfo_FRAMEWORK.Enum(),
			Name:       proto.String(name),
			Ports:      &mesospb.Ports{Ports: discoveryPorts(a, hostPorts)},
		},
	}
	m.setCommand(info, req, taskID, offer.GetHostname(), hostPorts)
	if a.TaskKillGracePeriod != nil {
		info.KillPolicy = &mesospb.KillPolicy{
			GracePeriod: &mesospb.DurationInfo{Nanoseconds: proto.Int64(int64(*a.TaskKillGracePeriod))},
		}
	}
	assignments := instance.PortAssignments(a, network)
	info.HealthCheck = mesosHealthCheck(a, assignments)
	info.Check = mesosCheck(a, assignments)
	return &Launch{
		Info: info,
		Task: instance.Task{
			ID: taskID, Version: a.Version(), Condition: instance.Provisioned, StagedAt: now, Network: network,
		},
		Agent: agentOf(offer),
	}
}

func agentOf(offer *mesospb.Offer) *instance.AgentInfo {
	l := offerLocation(offer)
	return &instance.AgentInfo{
		Host:       l.host,
		AgentID:    offer.GetAgentId().GetValue(),
		Region:     l.region,
		Zone:       l.zone,
		Attributes: l.attributes,
	}
}

// setCommand puts command and container on the task, or on an executor of its own when
// the app names one.
func (m *Matcher) setCommand(info *mesospb.TaskInfo, req Request, taskID, host string, hostPorts []*int) {
	a := req.App
	command := commandOf(a)
	command.Environment = m.taskEnvironment(req, taskID, host, hostPorts)
	container := m.containerOf(a, taskID, hostPorts)
	path := a.Executor
	if path == "" {
		path = m.settings.Executor
	}
	if path == "" || path == commandExecutor {
		info.Command, info.Container = command, container
		return
	}
	line := a.Cmd
	if line == "" {
		line = strings.Join(a.Args, " ")
	}
	quoted := "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	command.Value = proto.String("chmod ug+rx " + quoted + " && exec " + quoted + " " + line)
	info.Executor = &mesospb.ExecutorInfo{
		Type:       mesospb.ExecutorInfo_CUSTOM.Enum(),
		ExecutorId: &mesospb.ExecutorID{Value: proto.String("marathon-" + taskID)},
		Command:    command,
		Container:  container,
	}
	if r := a.ExecutorResources; r != nil {
		info.Executor.Resources = []*mesospb.Resource{
			plainScalar("cpus", r.CPUs), plainScalar("mem", r.Mem), plainScalar("disk", r.Disk),
		}
	}
}

func plainScalar(name string, value float64) *mesospb.Resource {
	return &mesospb.Resource{
		Name:   proto.String(name),
		Type:   mesospb.Value_SCALAR.Enum(),
		Scalar: &mesospb.Value_Scalar{Value: proto.Float64(value)},
		Role:   proto.String("*"),
	}
}

func commandOf(a *app.App) *mesospb.CommandInfo {
	c := &mesospb.CommandInfo{User: a.User}
	if a.Cmd != "" {
		c.Value = proto.String(a.Cmd)
	} else {
		c.Shell = proto.Bool(false)
	}
	if len(a.Args) > 0 {
		c.Shell = proto.Bool(false)
		c.Arguments = a.Args
		if a.Container == nil {
			// Without an image there is no entry point: the first argument is the program.
			c.Value = proto.String(a.Args[0])
		}
	}
	for _, f := range a.Fetch {
		c.Uris = append(c.Uris, &mesospb.CommandInfo_URI{
			Value:      proto.String(f.URI),
			Executable: proto.Bool(f.Executable),
			Extract:    proto.Bool(f.Extract),
			Cache:      proto.Bool(f.Cache),
			OutputFile: f.DestPath,
		})
	}
	return c
}

func limits(a *app.App) map[string]*mesospb.Value_Scalar {
	if a.ResourceLimits == nil {
		return nil
	}
	out := map[string]*mesospb.Value_Scalar{}
	if l := a.ResourceLimits.CPUs; l != nil {
		out["cpus"] = &mesospb.Value_Scalar{Value: proto.Float64(float64(*l))}
	}
	if l := a.ResourceLimits.Mem; l != nil {
		out["mem"] = &mesospb.Value_Scalar{Value: proto.Float64(float64(*l))}
	}
	return out
}

func mesosLabels(labels app.Map[string], more ...app.Entry[string]) *mesospb.Labels {
	if len(labels)+len(more) == 0 {
		return nil
	}
	out := &mesospb.Labels{}
	for _, list := range [][]app.Entry[string]{labels, more} {
		for _, l := range list {
			out.Labels = append(out.Labels, &mesospb.Label{Key: proto.String(l.Key), Value: proto.String(l.Value)})
		}
	}
	return out
}

// discoveryPorts lists the ports for service discovery: where others reach them, once
// per protocol, and per network where there is no host port.
// Original: mesosphere/mesos/PortDiscovery.scala.
func discoveryPorts(a *app.App, hostPorts []*int) []*mesospb.Port {
	var out []*mesospb.Port
	add := func(number int, name string, protocol app.PortProtocol, labels app.Map[string], scope ...app.Entry[string]) {
		for one := range strings.SplitSeq(string(protocol), ",") {
			p := &mesospb.Port{
				Number:   proto.Uint32(uint32(number)),
				Protocol: proto.String(one),
				Labels:   mesosLabels(labels, scope...),
			}
			if name != "" {
				p.Name = proto.String(name)
			}
			out = append(out, p)
		}
	}
	if a.HasHostNetwork() {
		for i, p := range a.PortDefinitions {
			if i < len(hostPorts) && hostPorts[i] != nil {
				add(*hostPorts[i], p.Name, p.Protocol, p.Labels)
			}
		}
		return out
	}
	scope := func(value string) app.Entry[string] { return app.Entry[string]{Key: "network-scope", Value: value} }
	for i, p := range a.PortMappings() {
		if i < len(hostPorts) && hostPorts[i] != nil {
			add(*hostPorts[i], p.Name, p.Protocol, p.Labels, scope("host"))
			continue
		}
		names := p.NetworkNames
		if len(names) == 0 {
			names = containerNetworks(a)
		}
		for _, name := range names {
			add(p.ContainerPort, p.Name, p.Protocol, p.Labels, scope("container"),
				app.Entry[string]{Key: "network-name", Value: name})
		}
	}
	return out
}

func containerNetworks(a *app.App) []string {
	var names []string
	for _, n := range a.Networks {
		if n.Mode == app.NetworkContainer {
			names = append(names, n.Name)
		}
	}
	return names
}
