package launch

import (
	"time"

	"stoa/internal/mesos/mesospb"
	"stoa/marathon/app"
	"stoa/marathon/instance"

	"google.golang.org/protobuf/proto"
)

// mesosHealthCheck is the one health check that the executor performs: Mesos takes no
// more than one per task. Original: the toMesos methods in core/health/HealthCheck.scala.
func mesosHealthCheck(a *app.App, ports []instance.PortAssignment) *mesospb.HealthCheck {
	for _, h := range a.HealthChecks {
		if h.Protocol.ByMarathon() {
			continue
		}
		out := &mesospb.HealthCheck{
			DelaySeconds:        seconds(h.Delay),
			IntervalSeconds:     seconds(h.Interval),
			TimeoutSeconds:      seconds(h.Timeout),
			ConsecutiveFailures: proto.Uint32(uint32(max(0, h.MaxConsecutiveFailures))),
			GracePeriodSeconds:  seconds(h.GracePeriod),
		}
		if h.Protocol == app.HealthCommand {
			out.Type = mesospb.HealthCheck_COMMAND.Enum()
			out.Command = &mesospb.CommandInfo{Value: proto.String(h.Command)}
			return out
		}
		port, ok := innerPort(h.Port, h.PortIndex, ports)
		if !ok {
			continue
		}
		protocol := mesospb.NetworkInfo_IPv4.Enum()
		if h.IPProtocol == app.IPv6 {
			protocol = mesospb.NetworkInfo_IPv6.Enum()
		}
		if h.Protocol == app.HealthMesosTCP {
			out.Type = mesospb.HealthCheck_TCP.Enum()
			out.Tcp = &mesospb.HealthCheck_TCPCheckInfo{Port: proto.Uint32(port), Protocol: protocol}
			return out
		}
		scheme := "http"
		if h.Protocol == app.HealthMesosHTTPS {
			scheme = "https"
		}
		out.Type = mesospb.HealthCheck_HTTP.Enum()
		out.Http = &mesospb.HealthCheck_HTTPCheckInfo{
			Port: proto.Uint32(port), Path: h.Path, Scheme: proto.String(scheme), Protocol: protocol,
		}
		return out
	}
	return nil
}

// mesosCheck is the generic check, whose result is only reported.
func mesosCheck(a *app.App, ports []instance.PortAssignment) *mesospb.CheckInfo {
	c := a.Check
	if c == nil {
		return nil
	}
	out := &mesospb.CheckInfo{
		DelaySeconds:    seconds(c.Delay),
		IntervalSeconds: seconds(c.Interval),
		TimeoutSeconds:  seconds(c.Timeout),
	}
	if c.Protocol == app.CheckCommand {
		command := &mesospb.CommandInfo{}
		switch {
		case c.Shell != nil:
			command.Value = c.Shell
		case len(c.Argv) > 0:
			command.Shell = proto.Bool(false)
			command.Value = proto.String(c.Argv[0])
			command.Arguments = c.Argv
		}
		out.Type = mesospb.CheckInfo_COMMAND.Enum()
		out.Command = &mesospb.CheckInfo_Command{Command: command}
		return out
	}
	port, ok := innerPort(c.Port, c.PortIndex, ports)
	if !ok {
		return nil
	}
	if c.Protocol == app.CheckTCP {
		out.Type = mesospb.CheckInfo_TCP.Enum()
		out.Tcp = &mesospb.CheckInfo_Tcp{Port: proto.Uint32(port)}
		return out
	}
	out.Type = mesospb.CheckInfo_HTTP.Enum()
	out.Http = &mesospb.CheckInfo_Http{Port: proto.Uint32(port), Path: c.Path}
	return out
}

// innerPort is the port inside the container's network, which is where the executor
// looks; the host port where there is no other.
func innerPort(port, index *int, ports []instance.PortAssignment) (uint32, bool) {
	switch {
	case port != nil:
		return uint32(*port), true
	case index == nil || *index < 0 || *index >= len(ports):
		return 0, false
	case ports[*index].ContainerPort != nil:
		return uint32(*ports[*index].ContainerPort), true
	case ports[*index].HostPort != nil:
		return uint32(*ports[*index].HostPort), true
	default:
		return 0, false
	}
}

func seconds(d time.Duration) *float64 { return proto.Float64(d.Seconds()) }
