package launch

import (
	"slices"
	"strconv"
	"strings"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"

	"google.golang.org/protobuf/proto"
)

// containerOf describes the container; nil when the task runs in a plain one on the
// host's network. Original: api/serialization/ContainerSerializer.scala and
// TaskBuilder.computeContainerInfo.
func (m *Matcher) containerOf(a *app.App, taskID string, hostPorts []*int) *mesospb.ContainerInfo {
	if a.Container == nil && a.HasHostNetwork() {
		return nil
	}
	out := &mesospb.ContainerInfo{Type: mesospb.ContainerInfo_MESOS.Enum()}
	if c := a.Container; c != nil {
		out.Volumes = mesosVolumes(c)
		if c.Type == app.ContainerDocker {
			out.Type = mesospb.ContainerInfo_DOCKER.Enum()
			out.Docker = dockerInfo(a, taskID, hostPorts)
			for _, n := range a.Networks {
				if n.Mode == app.NetworkContainer {
					out.NetworkInfos = []*mesospb.NetworkInfo{{Name: proto.String(n.Name)}}
					break
				}
			}
		} else {
			out.Mesos = mesosInfo(c)
			out.LinuxInfo = linuxInfo(c.LinuxInfo)
			out.NetworkInfos = m.networkInfos(a, hostPorts)
		}
	}
	if out.GetType() == mesospb.ContainerInfo_MESOS && out.Mesos == nil {
		out.Mesos = &mesospb.ContainerInfo_MesosInfo{}
	}
	if a.TTY != nil && *a.TTY {
		out.TtyInfo = &mesospb.TTYInfo{}
	}
	return out
}

func dockerInfo(a *app.App, taskID string, hostPorts []*int) *mesospb.ContainerInfo_DockerInfo {
	d := a.Container.Docker
	if d == nil {
		d = &app.Docker{}
	}
	out := &mesospb.ContainerInfo_DockerInfo{
		Image:          proto.String(d.Image),
		Privileged:     proto.Bool(d.Privileged),
		ForcePullImage: proto.Bool(d.ForcePullImage),
	}
	switch {
	case a.HasHostNetwork():
		out.Network = mesospb.ContainerInfo_DockerInfo_HOST.Enum()
	case a.HasBridgeNetwork():
		out.Network = mesospb.ContainerInfo_DockerInfo_BRIDGE.Enum()
	default:
		out.Network = mesospb.ContainerInfo_DockerInfo_USER.Enum()
	}
	if !a.HasHostNetwork() {
		for _, p := range boundMappings(a, hostPorts) {
			for protocol := range strings.SplitSeq(string(p.Protocol), ",") {
				out.PortMappings = append(out.PortMappings, &mesospb.ContainerInfo_DockerInfo_PortMapping{
					HostPort:      proto.Uint32(uint32(*p.HostPort)),
					ContainerPort: proto.Uint32(uint32(p.ContainerPort)),
					Protocol:      proto.String(protocol),
				})
			}
		}
	}
	for _, p := range d.Parameters {
		out.Parameters = append(out.Parameters, parameter(p.Key, p.Value))
	}
	out.Parameters = append(out.Parameters, parameter("label", "MESOS_TASK_ID="+taskID))
	return out
}

func parameter(key, value string) *mesospb.Parameter {
	return &mesospb.Parameter{Key: proto.String(key), Value: proto.String(value)}
}

// boundMappings are the port mappings that got a host port. A container port of 0
// becomes the host port, so that the task can announce the port it listens on.
func boundMappings(a *app.App, hostPorts []*int) []app.PortMapping {
	var out []app.PortMapping
	for i, p := range a.PortMappings() {
		if i >= len(hostPorts) || hostPorts[i] == nil {
			continue
		}
		p.HostPort = hostPorts[i]
		if p.ContainerPort == 0 {
			p.ContainerPort = *hostPorts[i]
		}
		out = append(out, p)
	}
	return out
}

func (m *Matcher) networkInfos(a *app.App, hostPorts []*int) []*mesospb.NetworkInfo {
	var out []*mesospb.NetworkInfo
	for _, n := range a.Networks {
		name := n.Name
		switch n.Mode {
		case app.NetworkHost:
			continue
		case app.NetworkBridge:
			name = m.settings.BridgeName
		}
		info := &mesospb.NetworkInfo{
			IpAddresses: []*mesospb.NetworkInfo_IPAddress{{}},
			Name:        proto.String(name),
			Labels:      mesosLabels(n.Labels),
		}
		if info.Labels == nil {
			info.Labels = &mesospb.Labels{}
		}
		for _, p := range boundMappings(a, hostPorts) {
			if len(p.NetworkNames) > 0 && !slices.Contains(p.NetworkNames, name) {
				continue
			}
			info.PortMappings = append(info.PortMappings, &mesospb.NetworkInfo_PortMapping{
				HostPort:      proto.Uint32(uint32(*p.HostPort)),
				ContainerPort: proto.Uint32(uint32(p.ContainerPort)),
				Protocol:      proto.String(string(p.Protocol)),
			})
		}
		out = append(out, info)
	}
	return out
}

func mesosInfo(c *app.Container) *mesospb.ContainerInfo_MesosInfo {
	out := &mesospb.ContainerInfo_MesosInfo{}
	if c.Docker == nil {
		return out
	}
	image := &mesospb.Image_Docker{Name: proto.String(c.Docker.Image)}
	if s := c.Docker.PullSecret; s != nil {
		image.Config = secretReference(*s)
	}
	out.Image = &mesospb.Image{
		Type:   mesospb.Image_DOCKER.Enum(),
		Docker: image,
		Cached: proto.Bool(!c.Docker.ForcePullImage),
	}
	return out
}

func secretReference(name string) *mesospb.Secret {
	return &mesospb.Secret{
		Type:      mesospb.Secret_REFERENCE.Enum(),
		Reference: &mesospb.Secret_Reference{Name: proto.String(name)},
	}
}

func linuxInfo(l *app.LinuxInfo) *mesospb.LinuxInfo {
	if l == nil {
		return nil
	}
	out := &mesospb.LinuxInfo{}
	if s := l.Seccomp; s != nil {
		out.Seccomp = &mesospb.SeccompInfo{ProfileName: s.Profile, Unconfined: proto.Bool(s.Unconfined)}
	}
	if i := l.IPC; i != nil {
		mode := mesospb.LinuxInfo_PRIVATE
		if i.Mode == "SHARE_PARENT" {
			mode = mesospb.LinuxInfo_SHARE_PARENT
		}
		out.IpcMode = mode.Enum()
		if i.ShmSize != nil {
			out.ShmSize = proto.Uint32(uint32(*i.ShmSize))
		}
	}
	return out
}

// mesosVolumes are the host paths and the volumes of Docker volume drivers. Persistent
// volumes are resources of the task instead, secrets are for plugins.
func mesosVolumes(c *app.Container) []*mesospb.Volume {
	var out []*mesospb.Volume
	for _, v := range c.Volumes {
		mode := mesospb.Volume_RW
		if v.ReadOnly {
			mode = mesospb.Volume_RO
		}
		switch {
		case v.HostPath != nil:
			out = append(out, &mesospb.Volume{
				ContainerPath: proto.String(v.ContainerPath), HostPath: v.HostPath, Mode: mode.Enum(),
			})
		case v.External != nil && v.External.Provider == "dvdi":
			out = append(out, &mesospb.Volume{
				ContainerPath: proto.String(v.ContainerPath), Mode: mode.Enum(), Source: dockerVolume(v.External),
			})
		}
	}
	return out
}

func dockerVolume(e *app.ExternalVolume) *mesospb.Volume_Source {
	const prefix = "dvdi/"
	volume := &mesospb.Volume_Source_DockerVolume{Name: proto.String(e.Name)}
	options := &mesospb.Parameters{}
	for _, o := range e.Options {
		switch {
		case o.Key == prefix+"driver":
			volume.Driver = proto.String(o.Value)
		case strings.HasPrefix(o.Key, prefix):
			options.Parameter = append(options.Parameter, parameter(strings.TrimPrefix(o.Key, prefix), o.Value))
		}
	}
	if e.Size != nil {
		options.Parameter = append(options.Parameter, parameter("size", strconv.FormatInt(*e.Size, 10)))
	}
	if len(options.Parameter) > 0 {
		volume.DriverOptions = options
	}
	return &mesospb.Volume_Source{
		Type:         mesospb.Volume_Source_DOCKER_VOLUME.Enum(),
		DockerVolume: volume,
	}
}
