package engine

import (
	"encoding/json"
	"errors"
	"fmt"

	"stoa/internal/mesos/mesospb"
)

// DNS is a resolver configuration for containers.
type DNS struct {
	Nameservers []string `json:"nameservers"`
	Search      []string `json:"search"`
	Options     []string `json:"options"`
}

// DefaultDNS is the docker part of --default_container_dns (ContainerDNSInfo of src/messages/flags.proto):
// what containers on a bridged or user-defined network get unless their parameters say otherwise.
type DefaultDNS struct {
	bridge, user *DNS
	networks     map[string]*DNS
}

// ParseDefaultDNS reads the flag's JSON; empty text gives nil.
func ParseDefaultDNS(text string) (*DefaultDNS, error) {
	if text == "" {
		return nil, nil
	}
	var file struct {
		Docker []struct {
			Mode string  `json:"network_mode"`
			Name *string `json:"network_name"`
			DNS  *DNS    `json:"dns"`
		} `json:"docker"`
	}
	if err := json.Unmarshal([]byte(text), &file); err != nil {
		return nil, fmt.Errorf("--default_container_dns: %w", err)
	}
	defaults := &DefaultDNS{networks: make(map[string]*DNS)}
	for _, entry := range file.Docker {
		if entry.DNS == nil {
			return nil, errors.New("--default_container_dns: an entry has no 'dns'")
		}
		switch {
		case entry.Mode == "BRIDGE" && defaults.bridge != nil:
			return nil, errors.New("Multiple DNS configuration for Docker default bridge network in `--default_container_dns` is not allowed")
		case entry.Mode == "BRIDGE":
			defaults.bridge = entry.DNS
		case entry.Mode == "USER" && entry.Name == nil && defaults.user != nil:
			return nil, errors.New("Multiple DNS configuration without network name for user-defined network in `--default_container_dns` is not allowed")
		case entry.Mode == "USER" && entry.Name == nil:
			defaults.user = entry.DNS
		case entry.Mode == "USER":
			if defaults.networks[*entry.Name] != nil {
				return nil, fmt.Errorf("Multiple DNS configuration with the same network name '%s' in `--default_container_dns` is not allowed", *entry.Name)
			}
			defaults.networks[*entry.Name] = entry.DNS
		default:
			return nil, fmt.Errorf("--default_container_dns: network_mode '%s' is not supported; there are 'BRIDGE' and 'USER'", entry.Mode)
		}
	}
	return defaults, nil
}

// forNetwork gives the configuration for a container's network, nil for none.
func (d *DefaultDNS) forNetwork(kind mesospb.ContainerInfo_DockerInfo_Network, name string) *DNS {
	switch {
	case d == nil:
	case kind == mesospb.ContainerInfo_DockerInfo_BRIDGE:
		return d.bridge
	case kind == mesospb.ContainerInfo_DockerInfo_USER && d.networks[name] != nil:
		return d.networks[name]
	case kind == mesospb.ContainerInfo_DockerInfo_USER:
		return d.user
	}
	return nil
}
