package instance

import "stoa/marathon/app"

// PortAssignment is where one port of an app's task can be reached.
type PortAssignment struct {
	Name string
	// Address is the agent's host name or the task's own address; empty while the task
	// has no address yet.
	Address string
	// Port is what others connect to at Address; 0 while there is no address.
	Port int
	// HostPort and ContainerPort are nil where there is none.
	HostPort, ContainerPort *int
}

// PortAssignments lists the ports of a task in the order of the app's definition.
// Original: core/task/state/NetworkInfo.scala, computePortAssignments.
func PortAssignments(a *app.App, network NetworkInfo) []PortAssignment {
	if a.HasHostNetwork() || a.Container == nil {
		return fromDefinitions(a, network)
	}
	address := EffectiveAddress(a, network)
	ports := network.HostPorts
	var out []PortAssignment
	for _, mapping := range a.PortMappings() {
		p := PortAssignment{Name: mapping.Name}
		if mapping.HostPort != nil {
			if len(ports) == 0 {
				return out
			}
			host := ports[0]
			ports = ports[1:]
			container := mapping.ContainerPort
			if container == 0 {
				container = host
			}
			p.Address, p.Port, p.HostPort, p.ContainerPort = network.HostName, host, &host, &container
		} else {
			container := mapping.ContainerPort
			p.Address, p.ContainerPort = address, &container
			if address != "" {
				p.Port = container
			}
		}
		out = append(out, p)
	}
	return out
}

func fromDefinitions(a *app.App, network NetworkInfo) []PortAssignment {
	address := EffectiveAddress(a, network)
	var out []PortAssignment
	for n, definition := range a.PortDefinitions {
		if n >= len(network.HostPorts) {
			break
		}
		host := network.HostPorts[n]
		out = append(out, PortAssignment{Name: definition.Name, Address: address, Port: host, HostPort: &host})
	}
	return out
}

// EffectiveAddress is the first address of the task in container networks, and the
// agent's host name otherwise; empty when a container has no address yet.
func EffectiveAddress(a *app.App, network NetworkInfo) string {
	if a.HasHostNetwork() || a.HasBridgeNetwork() {
		return network.HostName
	}
	if len(network.IPAddresses) == 0 {
		return ""
	}
	return network.IPAddresses[0].Address
}
