package app

func (r Reader) container() ContainerDefinition {
	return ContainerDefinition{
		Type: orElse(r, "type",
			func(r Reader) ContainerType { return Literal(r, ContainerMesos, ContainerDocker) }, ContainerDocker),
		Docker:       optional(r, "docker", Reader.docker),
		LinuxInfo:    optional(r, "linuxInfo", Reader.linuxInfo),
		Volumes:      list(r, "volumes", Reader.volume),
		PortMappings: list(r, "portMappings", Reader.portMapping),
	}
}

func (r Reader) docker() DockerDefinition {
	docker := DockerDefinition{Credential: optional(r, "credential", Reader.credential)}
	if config, ok := r.Optional("pullConfig"); ok {
		var name string
		if secret, ok := config.Required("secret"); ok {
			name = secret.text(1, unlimitedLength, nil)
		}
		docker.PullSecret = &name
	}
	docker.ForcePullImage = orElse(r, "forcePullImage", Reader.Bool, false)
	if image, ok := r.Required("image"); ok {
		docker.Image = image.text(1, unlimitedLength, nil)
	}
	docker.Network = optional(r, "network", func(r Reader) string { return Literal(r, "BRIDGE", "HOST", "NONE", "USER") })
	docker.Parameters = list(r, "parameters", Reader.parameter)
	docker.PortMappings = list(r, "portMappings", Reader.portMapping)
	docker.Privileged = orElse(r, "privileged", Reader.Bool, false)
	return docker
}

func (r Reader) credential() Credential {
	if !r.isObject() {
		return Credential{}
	}
	var credential Credential
	if principal, ok := r.Mandatory("principal"); ok {
		credential.Principal = principal.String()
	}
	credential.Secret = optional(r, "secret", Reader.String)
	return credential
}

func (r Reader) parameter() Parameter {
	var parameter Parameter
	if key, ok := r.Required("key"); ok {
		parameter.Key = key.text(1, unlimitedLength, nil)
	}
	if value, ok := r.Required("value"); ok {
		parameter.Value = value.String()
	}
	return parameter
}

func (r Reader) linuxInfo() LinuxInfo {
	if !r.isObject() {
		return LinuxInfo{}
	}
	return LinuxInfo{Seccomp: optional(r, "seccomp", Reader.seccomp), IPC: optional(r, "ipcInfo", Reader.ipcInfo)}
}

func (r Reader) seccomp() Seccomp {
	return Seccomp{
		Profile:    optional(r, "profileName", Reader.String),
		Unconfined: orElse(r, "unconfined", Reader.Bool, false),
	}
}

func (r Reader) ipcInfo() IPCInfo {
	if !r.isObject() {
		return IPCInfo{}
	}
	var info IPCInfo
	if mode, ok := r.Mandatory("mode"); ok {
		info.Mode = Literal(mode, "PRIVATE", "SHARE_PARENT")
	}
	info.ShmSize = optional(r, "shmSize", Reader.Int)
	return info
}

func (r Reader) portProtocol() PortProtocol { return Literal(r, TCP, UDP, UDPTCP) }

func (r Reader) legacyName() string { return r.text(1, unlimitedLength, legacyNamePattern) }

func (r Reader) portMapping() PortMapping {
	return PortMapping{
		ContainerPort: orElse(r, "containerPort", Reader.port, 0),
		HostPort:      optional(r, "hostPort", Reader.port),
		Labels:        orElse(r, "labels", Reader.stringMap, nil),
		Name:          orElse(r, "name", Reader.legacyName, ""),
		Protocol:      orElse(r, "protocol", Reader.portProtocol, TCP),
		ServicePort:   orElse(r, "servicePort", Reader.port, 0),
		NetworkNames:  list(r, "networkNames", Reader.String),
	}
}

func (r Reader) portDefinition() PortDefinition {
	return PortDefinition{
		Port:     orElse(r, "port", Reader.port, 0),
		Labels:   orElse(r, "labels", Reader.stringMap, nil),
		Name:     orElse(r, "name", Reader.legacyName, ""),
		Protocol: orElse(r, "protocol", Reader.portProtocol, TCP),
	}
}

func (r Reader) network() NetworkDefinition {
	return NetworkDefinition{
		Name: optional(r, "name", func(r Reader) string { return r.text(1, longestName, networkNamePattern) }),
		Mode: orElse(r, "mode",
			func(r Reader) NetworkMode { return Literal(r, NetworkContainer, NetworkBridge, NetworkHost) }, NetworkContainer),
		Labels: orElse(r, "labels", Reader.stringMap, nil),
	}
}

func (r Reader) ipAddress() IPAddress {
	address := IPAddress{Discovery: optional(r, "discovery", Reader.discovery)}
	if groups, ok := r.Optional("groups"); ok {
		groups.Strings()
	}
	address.Labels = orElse(r, "labels", Reader.stringMap, nil)
	address.NetworkName = optional(r, "networkName", func(r Reader) string { return r.text(1, unlimitedLength, nil) })
	return address
}

func (r Reader) discovery() Discovery {
	return Discovery{list(r, "ports", func(r Reader) DiscoveryPort {
		port := DiscoveryPort{Number: orElse(r, "number", Reader.port, 0)}
		if name, ok := r.Required("name"); ok {
			port.Name = name.legacyName()
		}
		port.Protocol = orElse(r, "protocol", Reader.portProtocol, TCP)
		port.Labels = orElse(r, "labels", Reader.stringMap, nil)
		return port
	})}
}

// volume tries the kinds in the order of volumes.raml; the failures of the last one count.
func (r Reader) volume() VolumeDefinition {
	for _, kind := range [...]func(Reader) VolumeDefinition{Reader.persistentVolume, Reader.externalVolume, Reader.secretVolume} {
		if volume, ok := attempt(r, kind); ok {
			return volume
		}
	}
	return r.hostVolume()
}

func (r Reader) containerPath() string {
	if path, ok := r.Required("containerPath"); ok {
		return path.text(1, unlimitedLength, nil)
	}
	return ""
}

func (r Reader) readOnly() bool {
	mode, ok := r.Required("mode")
	return ok && Literal(mode, "RO", "RW") == "RO"
}

func (r Reader) hostVolume() VolumeDefinition {
	volume := VolumeDefinition{ContainerPath: r.containerPath(), HostPath: new(string)}
	if path, ok := r.Required("hostPath"); ok {
		*volume.HostPath = path.text(1, unlimitedLength, nil)
	}
	volume.ReadOnly = r.readOnly()
	return volume
}

func (r Reader) secretVolume() VolumeDefinition {
	volume := VolumeDefinition{ContainerPath: r.containerPath(), ReadOnly: true, Secret: new(string)}
	if secret, ok := r.Required("secret"); ok {
		*volume.Secret = secret.text(1, unlimitedLength, nil)
	}
	return volume
}

func (r Reader) persistentVolume() VolumeDefinition {
	volume := VolumeDefinition{ContainerPath: r.containerPath()}
	if info, ok := r.Required("persistent"); ok {
		natural := func(r Reader) int64 { return r.longFrom(0) }
		persistent := &PersistentDefinition{
			Type: optional(info, "type", func(r Reader) DiskType { return Literal(r, DiskRoot, DiskPath, DiskMount) }),
		}
		if size, ok := info.Required("size"); ok {
			persistent.Size = natural(size)
		}
		persistent.MaxSize = optional(info, "maxSize", natural)
		persistent.ProfileName = optional(info, "profileName", Reader.String)
		persistent.Constraints = orElse(info, "constraints", Reader.stringLists, nil)
		volume.Persistent = persistent
	}
	volume.ReadOnly = r.readOnly()
	return volume
}

func (r Reader) externalVolume() VolumeDefinition {
	volume := VolumeDefinition{ContainerPath: r.containerPath()}
	if info, ok := r.Required("external"); ok {
		volume.External = &ExternalDefinition{
			Size:     optional(info, "size", func(r Reader) int64 { return r.longFrom(0) }),
			Name:     optional(info, "name", Reader.String),
			Provider: optional(info, "provider", Reader.String),
			Options:  orElse(info, "options", Reader.stringMap, nil),
			Shared:   orElse(info, "shared", Reader.Bool, false),
		}
	}
	volume.ReadOnly = r.readOnly()
	return volume
}
