package app

import "slices"

// IsUpgrade tells whether going from a to b changes what runs, so that tasks must be
// replaced (AppDefinition.isUpgrade). Not compared: instances, executorResources, versions.
func (a *App) IsUpgrade(b *App) bool {
	if a == b {
		return false
	}
	return a.Cmd != b.Cmd ||
		!slices.Equal(a.Args, b.Args) ||
		!samePointee(a.User, b.User) ||
		!equalMaps(a.Env, b.Env) ||
		a.Resources != b.Resources ||
		a.Executor != b.Executor ||
		!equalSets(a.Constraints, b.Constraints, itself) ||
		!slices.EqualFunc(a.Fetch, b.Fetch, FetchURI.equal) ||
		!slices.EqualFunc(a.PortDefinitions, b.PortDefinitions, PortDefinition.equal) ||
		a.RequirePorts != b.RequirePorts ||
		a.Backoff != b.Backoff ||
		!a.Container.equal(b.Container) ||
		!equalSets(a.HealthChecks, b.HealthChecks, HealthCheck.key) ||
		!a.Check.equal(b.Check) ||
		!samePointee(a.TaskKillGracePeriod, b.TaskKillGracePeriod) ||
		!equalSets(a.Dependencies, b.Dependencies, itself) ||
		a.UpgradeStrategy != b.UpgradeStrategy ||
		!equalMaps(a.Labels, b.Labels) ||
		!equalSets(a.AcceptedResourceRoles, b.AcceptedResourceRoles, itself) ||
		!slices.EqualFunc(a.Networks, b.Networks, Network.equal) ||
		!slices.EqualFunc(a.ReadinessChecks, b.ReadinessChecks, ReadinessCheck.equal) ||
		!equalMaps(a.Secrets, b.Secrets) ||
		a.UnreachableStrategy != b.UnreachableStrategy ||
		a.KillSelection != b.KillSelection ||
		!samePointee(a.TTY, b.TTY) ||
		a.Role != b.Role ||
		!a.ResourceLimits.equal(b.ResourceLimits)
}

// IsOnlyScaleChange tells whether nothing but the instance count differs.
func (a *App) IsOnlyScaleChange(b *App) bool { return a.Instances != b.Instances && !a.IsUpgrade(b) }

// NeedsRestart tells whether going from a to b replaces all tasks: the configuration
// changed, or a restart was asked for (which shows as another version info).
func (a *App) NeedsRestart(b *App) bool { return a.VersionInfo != b.VersionInfo || a.IsUpgrade(b) }

// SameDefinition tells whether a and b are equal but for their versions.
func (a *App) SameDefinition(b *App) bool {
	return a == b || a.ID == b.ID && a.Instances == b.Instances &&
		samePointee(a.ExecutorResources, b.ExecutorResources) && !a.IsUpgrade(b)
}

func (f FetchURI) equal(g FetchURI) bool {
	return f.URI == g.URI && f.Extract == g.Extract && f.Executable == g.Executable && f.Cache == g.Cache &&
		samePointee(f.DestPath, g.DestPath)
}

func (p PortDefinition) equal(q PortDefinition) bool {
	return p.Port == q.Port && p.Name == q.Name && p.Protocol == q.Protocol && equalMaps(p.Labels, q.Labels)
}

func (p PortMapping) equal(q PortMapping) bool {
	return p.ContainerPort == q.ContainerPort && samePointee(p.HostPort, q.HostPort) && p.ServicePort == q.ServicePort &&
		p.Name == q.Name && p.Protocol == q.Protocol && equalMaps(p.Labels, q.Labels) &&
		slices.Equal(p.NetworkNames, q.NetworkNames)
}

func (n Network) equal(m Network) bool {
	return n.Mode == m.Mode && n.Name == m.Name && equalMaps(n.Labels, m.Labels)
}

func (c *Container) equal(d *Container) bool {
	if c == nil || d == nil {
		return c == d
	}
	return c.Type == d.Type && c.Docker.equal(d.Docker) && c.LinuxInfo.equal(d.LinuxInfo) &&
		slices.EqualFunc(c.Volumes, d.Volumes, Volume.equal) &&
		slices.EqualFunc(c.PortMappings, d.PortMappings, PortMapping.equal)
}

func (d *Docker) equal(e *Docker) bool {
	if d == nil || e == nil {
		return d == e
	}
	return d.Image == e.Image && d.ForcePullImage == e.ForcePullImage && d.Privileged == e.Privileged &&
		slices.Equal(d.Parameters, e.Parameters) && samePointee(d.PullSecret, e.PullSecret) &&
		d.Credential.equal(e.Credential)
}

func (c *Credential) equal(d *Credential) bool {
	if c == nil || d == nil {
		return c == d
	}
	return c.Principal == d.Principal && samePointee(c.Secret, d.Secret)
}

func (l *LinuxInfo) equal(m *LinuxInfo) bool {
	if l == nil || m == nil {
		return l == m
	}
	return l.Seccomp.equal(m.Seccomp) && l.IPC.equal(m.IPC)
}

func (s *Seccomp) equal(t *Seccomp) bool {
	if s == nil || t == nil {
		return s == t
	}
	return s.Unconfined == t.Unconfined && samePointee(s.Profile, t.Profile)
}

func (i *IPCInfo) equal(j *IPCInfo) bool {
	if i == nil || j == nil {
		return i == j
	}
	return i.Mode == j.Mode && samePointee(i.ShmSize, j.ShmSize)
}

// Equal tells whether two volumes are mounted from the same thing in the same way.
func (v Volume) Equal(w Volume) bool { return v.equal(w) }

func (v Volume) equal(w Volume) bool {
	return v.ContainerPath == w.ContainerPath && v.ReadOnly == w.ReadOnly &&
		v.Persistent.equal(w.Persistent) && v.External.equal(w.External) && v.CSI.equal(w.CSI) &&
		samePointee(v.Secret, w.Secret) && samePointee(v.HostPath, w.HostPath)
}

func (p *PersistentVolume) equal(q *PersistentVolume) bool {
	if p == nil || q == nil {
		return p == q
	}
	return p.Type == q.Type && p.Size == q.Size && samePointee(p.MaxSize, q.MaxSize) &&
		samePointee(p.ProfileName, q.ProfileName) && equalSets(p.Constraints, q.Constraints, itself)
}

func (e *ExternalVolume) equal(f *ExternalVolume) bool {
	if e == nil || f == nil {
		return e == f
	}
	return samePointee(e.Size, f.Size) && e.Name == f.Name && e.Provider == f.Provider &&
		e.Shared == f.Shared && equalMaps(e.Options, f.Options)
}

func (c *CSIVolume) equal(d *CSIVolume) bool {
	if c == nil || d == nil {
		return c == d
	}
	return c.Name == d.Name && c.PluginName == d.PluginName && c.AccessMode == d.AccessMode &&
		c.AccessType == d.AccessType && c.FSType == d.FSType && slices.Equal(c.MountFlags, d.MountFlags) &&
		equalMaps(c.NodeStageSecret, d.NodeStageSecret) && equalMaps(c.NodePublishSecret, d.NodePublishSecret) &&
		equalMaps(c.VolumeContext, d.VolumeContext)
}

// Equal tells whether two checks do the same.
func (h HealthCheck) Equal(i HealthCheck) bool { return h.equal(i) }

func (h HealthCheck) equal(i HealthCheck) bool { return h.key() == i.key() }

// checkKey is equal for equal health checks.
type checkKey struct {
	rest        HealthCheck
	path        option[string]
	port, index option[int]
}

func (h HealthCheck) key() checkKey {
	k := checkKey{h, optionOf(h.Path), optionOf(h.Port), optionOf(h.PortIndex)}
	k.rest.Path, k.rest.Port, k.rest.PortIndex = nil, nil, nil
	return k
}

func (c *Check) equal(d *Check) bool {
	if c == nil || d == nil {
		return c == d
	}
	return c.Protocol == d.Protocol && samePointee(c.Shell, d.Shell) && slices.Equal(c.Argv, d.Argv) &&
		samePointee(c.Path, d.Path) && c.Scheme == d.Scheme && samePointee(c.Port, d.Port) &&
		samePointee(c.PortIndex, d.PortIndex) && c.Interval == d.Interval && c.Timeout == d.Timeout && c.Delay == d.Delay
}

func (r ReadinessCheck) equal(s ReadinessCheck) bool {
	return r.Name == s.Name && r.Protocol == s.Protocol && r.Path == s.Path && r.PortName == s.PortName &&
		r.Interval == s.Interval && r.Timeout == s.Timeout && r.PreserveLastResponse == s.PreserveLastResponse &&
		equalSets(r.HTTPStatusCodesForReady, s.HTTPStatusCodesForReady, itself)
}

func (l *ResourceLimits) equal(m *ResourceLimits) bool {
	if l == nil || m == nil {
		return l == m
	}
	return samePointee(l.CPUs, m.CPUs) && samePointee(l.Mem, m.Mem)
}
