package app

import "slices"

func hasOtherThanHost(networks []NetworkDefinition) bool {
	return slices.ContainsFunc(networks, func(n NetworkDefinition) bool { return n.Mode != NetworkHost })
}

func unnamed(networks []NetworkDefinition) bool {
	return slices.ContainsFunc(networks, func(n NetworkDefinition) bool { return n.Mode == NetworkContainer && n.Name == nil })
}

// translateNetworks makes networks out of the two older ways of asking for them
// (AppNormalization.NetworkTranslation). given is nil when the key was not there.
func translateNetworks(address *IPAddress, container *ContainerDefinition, given []NetworkDefinition, s *Settings) ([]NetworkDefinition, error) {
	var old *string
	if container != nil && container.Docker != nil {
		old = container.Docker.Network
	}
	if address == nil && old == nil {
		return given, nil
	}
	if given != nil {
		return nil, conversionError("cannot mix deprecated and canonical network APIs")
	}
	if old == nil {
		if address.NetworkName != nil && *address.NetworkName == s.MesosBridgeName {
			return []NetworkDefinition{{Mode: NetworkBridge, Labels: address.Labels}}, nil
		}
		return []NetworkDefinition{{Mode: NetworkContainer, Name: address.NetworkName, Labels: address.Labels}}, nil
	}
	var name *string
	var labels Map[string]
	if address != nil {
		name, labels = address.NetworkName, address.Labels
	}
	switch *old {
	case "HOST":
		return []NetworkDefinition{{Mode: NetworkHost}}, nil
	case "USER":
		return []NetworkDefinition{{Mode: NetworkContainer, Name: name, Labels: labels}}, nil
	case "BRIDGE":
		return []NetworkDefinition{{Mode: NetworkBridge, Labels: labels}}, nil
	default:
		return nil, conversionError("unsupported docker network type " + *old)
	}
}

// namedNetworks gives container networks without a name the default one, if there is one.
func namedNetworks(networks []NetworkDefinition, s *Settings) []NetworkDefinition {
	if s.DefaultNetworkName == "" || !unnamed(networks) {
		return networks
	}
	fresh := slices.Clone(networks)
	for i := range fresh {
		if fresh[i].Mode == NetworkContainer && fresh[i].Name == nil {
			fresh[i].Name = &s.DefaultNetworkName
		}
	}
	return fresh
}

// translateContainer moves the port mappings of older forms to their place of today.
func translateContainer(container *ContainerDefinition, address *IPAddress) (*ContainerDefinition, error) {
	fresh := *container
	if fresh.Docker != nil && (fresh.Docker.PortMappings != nil || fresh.Docker.Network != nil) {
		docker := *fresh.Docker
		if docker.PortMappings != nil {
			switch {
			case len(docker.PortMappings) > 0 && fresh.PortMappings != nil:
				return nil, conversionError("cannot specify both portMappings and docker.portMappings")
			case fresh.PortMappings == nil:
				fresh.PortMappings = docker.PortMappings
			}
		}
		docker.PortMappings, docker.Network = nil, nil
		fresh.Docker = &docker
	}
	if address == nil || address.Discovery == nil || len(address.Discovery.Ports) == 0 {
		return &fresh, nil
	}
	if fresh.Type != ContainerMesos {
		return nil, conversionError("ipAddress.discovery.ports do not apply for container type " + string(fresh.Type))
	}
	if fresh.PortMappings != nil {
		return nil, conversionError("container.portMappings and ipAddress.discovery.ports must not both be set")
	}
	for _, port := range address.Discovery.Ports {
		fresh.PortMappings = append(fresh.PortMappings,
			PortMapping{ContainerPort: port.Number, Name: port.Name, Protocol: port.Protocol, Labels: port.Labels})
	}
	return &fresh, nil
}

var defaultMapping = PortMapping{Name: "default", Protocol: TCP}

// fillMappings drops the port mappings of host mode and completes those of other modes:
// one by default, and as many as there were port definitions.
func fillMappings(container *ContainerDefinition, notHost bool, definitions int) {
	if !notHost {
		container.PortMappings = nil
		return
	}
	if container.PortMappings == nil {
		container.PortMappings = []PortMapping{defaultMapping}
	}
	for len(container.PortMappings) < definitions {
		container.PortMappings = append(slices.Clip(container.PortMappings), PortMapping{Protocol: TCP})
	}
}

// networkedContainer makes a container when a network needs one, and host ports where
// bridge mode needs them. networks is nil when none were given.
func networkedContainer(networks []NetworkDefinition, container *ContainerDefinition) *ContainerDefinition {
	if container == nil {
		if !hasOtherThanHost(networks) {
			return nil
		}
		container = &ContainerDefinition{Type: ContainerMesos, PortMappings: []PortMapping{defaultMapping}}
	}
	fresh := *container
	bridge := slices.ContainsFunc(networks, func(n NetworkDefinition) bool { return n.Mode == NetworkBridge })
	if bridge && fresh.PortMappings != nil {
		fresh.PortMappings = slices.Clone(fresh.PortMappings)
		for i := range fresh.PortMappings {
			if fresh.PortMappings[i].HostPort == nil {
				fresh.PortMappings[i].HostPort = new(int)
			}
		}
	}
	return &fresh
}
