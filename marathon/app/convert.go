package app

import (
	"math"
	"slices"
	"strings"

	"stoa/marathon/id"
)

// App makes the typed form of a definition that Normalise has been through
// (raml/AppConversion.scala, appRamlReader). Its version info is zero: the caller knows
// the time, or the version info of the app it replaces. The error is a *ConversionError.
func (d *Definition) App() (*App, error) {
	a := &App{
		ID:                    id.Resolve(*d.ID, id.Root),
		Args:                  d.Args,
		User:                  d.User,
		Env:                   d.Env,
		Instances:             *d.Instances,
		Resources:             Resources{CPUs: *d.CPUs, Mem: *d.Mem, Disk: *d.Disk, GPUs: *d.GPUs},
		Executor:              *d.Executor,
		ExecutorResources:     d.ExecutorResources,
		Fetch:                 d.Fetch,
		PortDefinitions:       d.PortDefinitions,
		RequirePorts:          *d.RequirePorts,
		Backoff:               Backoff{seconds(*d.BackoffSeconds), *d.BackoffFactor, seconds(*d.MaxLaunchDelaySeconds)},
		Labels:                d.Labels,
		AcceptedResourceRoles: d.AcceptedResourceRoles,
		Secrets:               d.Secrets,
		KillSelection:         *d.KillSelection,
		TTY:                   d.TTY,
		Role:                  *d.Role,
	}
	if d.Cmd != nil {
		a.Cmd = *d.Cmd
	}
	if d.TaskKillGracePeriodSeconds != nil {
		grace := seconds(*d.TaskKillGracePeriodSeconds)
		a.TaskKillGracePeriod = &grace
	}
	for _, dependency := range d.Dependencies {
		a.Dependencies = append(a.Dependencies, id.Resolve(dependency, id.Root))
	}
	a.Dependencies = distinct(a.Dependencies, itself)
	a.UpgradeStrategy = d.upgrade()
	if d.UnreachableStrategy != nil {
		a.UnreachableStrategy = *d.UnreachableStrategy
	}
	if limits := d.ResourceLimits; limits != nil {
		a.ResourceLimits = &ResourceLimits{limits.CPUs.value(), limits.Mem.value()}
	}
	for i := range d.Networks {
		network := Network{Mode: d.Networks[i].Mode}
		if network.Mode != NetworkHost {
			network.Labels = d.Networks[i].Labels
		}
		if network.Mode == NetworkContainer {
			network.Name = *d.Networks[i].Name
		}
		a.Networks = append(a.Networks, network)
	}
	for i := range d.ReadinessChecks {
		check := &d.ReadinessChecks[i]
		a.ReadinessChecks = append(a.ReadinessChecks, ReadinessCheck{
			Name: check.Name, Protocol: check.Protocol, Path: check.Path, PortName: check.PortName,
			Interval: seconds(check.IntervalSeconds), Timeout: seconds(check.TimeoutSeconds),
			HTTPStatusCodesForReady: check.HTTPStatusCodesForReady, PreserveLastResponse: check.PreserveLastResponse,
		})
	}
	if err := d.convertFallible(a); err != nil {
		return nil, err
	}
	return a, nil
}

// convertFallible fills what no rule has made sure can be converted.
func (d *Definition) convertFallible(a *App) error {
	for _, constraint := range d.Constraints {
		converted, ok := convertConstraint(constraint)
		if !ok {
			return conversionError("illegal constraint specification " + strings.Join(constraint, ","))
		}
		a.Constraints = append(a.Constraints, converted)
	}
	for i := range d.HealthChecks {
		check, err := d.HealthChecks[i].convert()
		if err != nil {
			return err
		}
		a.HealthChecks = append(a.HealthChecks, check)
	}
	a.HealthChecks = distinct(a.HealthChecks, HealthCheck.key)
	if d.Check != nil {
		check, err := d.Check.convert()
		if err != nil {
			return err
		}
		a.Check = check
	}
	if d.Container != nil {
		container, err := d.Container.convert()
		if err != nil {
			return err
		}
		a.Container = container
	}
	return nil
}

// upgrade gives the upgrade strategy, or the default for the app's kind of volumes.
func (d *Definition) upgrade() UpgradeStrategy {
	switch {
	case d.UpgradeStrategy != nil:
		return *d.UpgradeStrategy
	case d.Container != nil && (hasPersistent(d.Container.Volumes) || hasExternal(d.Container.Volumes)):
		return UpgradeStrategy{MinimumHealthCapacity: 0.5}
	default:
		return UpgradeStrategy{MinimumHealthCapacity: 1, MaximumOverCapacity: 1}
	}
}

func (l *LimitDefinition) value() *Limit {
	if l == nil {
		return nil
	}
	limit := Limit(l.Number)
	if l.Word != nil {
		limit = Limit(math.Inf(1))
	}
	return &limit
}

var operators = [...]Operator{Unique, Cluster, GroupBy, Like, Unlike, MaxPer, Is}

// convertConstraint takes operators in capitals only, as the original does.
func convertConstraint(constraint []string) (converted Constraint, ok bool) {
	if len(constraint) < 2 || len(constraint) > 3 || !slices.Contains(operators[:], Operator(constraint[1])) {
		return Constraint{}, false
	}
	converted = Constraint{Field: constraint[0], Operator: Operator(constraint[1])}
	if len(constraint) == 3 {
		converted.Value, converted.HasValue = constraint[2], true
	}
	return converted, true
}

func (h *HealthCheckDefinition) convert() (HealthCheck, error) {
	check := HealthCheck{
		Protocol: h.Protocol, Path: h.Path, Port: h.Port, PortIndex: h.PortIndex, IPProtocol: h.IPProtocol,
		GracePeriod: seconds(h.GracePeriodSeconds), Interval: seconds(h.IntervalSeconds),
		Timeout: seconds(h.TimeoutSeconds), Delay: seconds(h.DelaySeconds), MaxConsecutiveFailures: h.MaxConsecutiveFailures,
	}
	switch {
	case h.Command != nil && (h.Path != nil || h.Port != nil):
		return check, conversionError("Invalid combination of HealthCheck parameters in a health check with command and path or port")
	case h.Command != nil && h.Protocol != HealthCommand:
		return check, conversionError("illegal protocol " + string(h.Protocol) + " specified with command")
	case h.Command != nil:
		check.Command, check.PortIndex, check.IPProtocol = *h.Command, nil, IPv4
	case h.Protocol == HealthCommand:
		return check, conversionError("illegal protocol COMMAND for non-command health check")
	case h.Protocol.ByMarathon():
		check.Delay, check.IPProtocol = defaultCheckDelay, IPv4
	}
	if h.Protocol == HealthTCP || h.Protocol == HealthMesosTCP {
		check.Path = nil
	}
	return check, nil
}

func (c *CheckDefinition) convert() (*Check, error) {
	check := &Check{Interval: seconds(c.IntervalSeconds), Timeout: seconds(c.TimeoutSeconds), Delay: seconds(c.DelaySeconds)}
	switch {
	case c.HTTP != nil && c.TCP == nil && c.Exec == nil:
		check.Protocol, check.Path, check.Scheme = CheckHTTP, c.HTTP.Path, c.HTTP.Scheme
		check.Port, check.PortIndex = c.HTTP.Port, c.HTTP.PortIndex
		if c.HTTP.Scheme != "HTTP" {
			return nil, conversionError(c.HTTP.Scheme + " (of class mesosphere.marathon.raml.HttpScheme$Https$)")
		}
	case c.HTTP == nil && c.TCP != nil && c.Exec == nil:
		check.Protocol, check.Port, check.PortIndex = CheckTCP, c.TCP.Port, c.TCP.PortIndex
	case c.HTTP == nil && c.TCP == nil && c.Exec != nil:
		check.Protocol, check.Shell, check.Argv = CheckCommand, c.Exec.Shell, c.Exec.Argv
	default:
		return nil, conversionError("illegal RAML Check: expected one of http, tcp or exec checks")
	}
	return check, nil
}

func (c *ContainerDefinition) convert() (*Container, error) {
	container := &Container{Type: c.Type, PortMappings: c.PortMappings}
	if c.Type == ContainerMesos {
		container.LinuxInfo = c.LinuxInfo
	}
	if c.Docker != nil {
		docker := &Docker{Image: c.Docker.Image, ForcePullImage: c.Docker.ForcePullImage}
		if c.Type == ContainerDocker {
			docker.Privileged, docker.Parameters = c.Docker.Privileged, c.Docker.Parameters
		} else {
			docker.PullSecret, docker.Credential = c.Docker.PullSecret, c.Docker.Credential
		}
		container.Docker = docker
	} else if c.Type == ContainerDocker {
		return nil, conversionError("illegal container specification")
	}
	for i := range c.Volumes {
		volume, err := c.Volumes[i].convert()
		if err != nil {
			return nil, err
		}
		container.Volumes = append(container.Volumes, volume)
	}
	return container, nil
}

func (v *VolumeDefinition) convert() (Volume, error) {
	volume := Volume{ContainerPath: v.ContainerPath, ReadOnly: v.ReadOnly, Secret: v.Secret, HostPath: v.HostPath}
	if external := v.External; external != nil {
		if external.Name == nil {
			return volume, conversionError("external volume requires a name")
		}
		if external.Provider == nil {
			return volume, conversionError("external volume requires a provider")
		}
		volume.External = &ExternalVolume{
			Size: external.Size, Name: *external.Name, Provider: *external.Provider, Options: external.Options, Shared: external.Shared,
		}
	}
	if persistent := v.Persistent; persistent != nil {
		converted := &PersistentVolume{
			Type: DiskRoot, Size: persistent.Size, MaxSize: persistent.MaxSize, ProfileName: persistent.ProfileName,
		}
		if persistent.ProfileName != nil {
			converted.Type = DiskMount
		}
		if persistent.Type != nil {
			converted.Type = *persistent.Type
		}
		for _, constraint := range persistent.Constraints {
			rule, ok := convertConstraint(constraint)
			// The original drops UNLIKE on the way although it validates; here it is kept.
			if !ok || !rule.HasValue || rule.Field != "path" || rule.Operator != Like && rule.Operator != Unlike {
				return volume, conversionError("illegal volume constraint " + strings.Join(constraint, ","))
			}
			converted.Constraints = append(converted.Constraints, rule)
		}
		volume.Persistent = converted
	}
	return volume, nil
}
