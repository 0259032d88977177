package app

import (
	"reflect"
	"strconv"
	"time"
)

// onlyVersion tells whether an update holds nothing but a version, and perhaps an id.
func (d *Definition) onlyVersion() bool {
	rest := *d
	rest.ID, rest.Version = nil, nil
	return reflect.DeepEqual(&rest, &Definition{})
}

// Definition gives the app as a complete definition in today's form, which is what partial
// updates are laid over (raml/AppConversion.scala, appWriter).
func (a *App) Definition() *Definition {
	path := a.ID.String()
	unreachable, upgrade := a.UnreachableStrategy, a.UpgradeStrategy
	backoff, delay := wholeSecondsInt(a.Backoff.Backoff), wholeSecondsInt(a.Backoff.MaxLaunchDelay)
	version := a.Version()
	d := &Definition{
		ID:                    &path,
		Args:                  a.Args,
		BackoffFactor:         &a.Backoff.Factor,
		BackoffSeconds:        &backoff,
		CPUs:                  &a.Resources.CPUs,
		Disk:                  &a.Resources.Disk,
		Mem:                   &a.Resources.Mem,
		GPUs:                  &a.Resources.GPUs,
		Env:                   a.Env,
		Executor:              &a.Executor,
		ExecutorResources:     a.ExecutorResources,
		Fetch:                 a.Fetch,
		Instances:             &a.Instances,
		Labels:                a.Labels,
		MaxLaunchDelaySeconds: &delay,
		RequirePorts:          &a.RequirePorts,
		Secrets:               a.Secrets,
		UpgradeStrategy:       &upgrade,
		User:                  a.User,
		Version:               &version,
		KillSelection:         &a.KillSelection,
		UnreachableStrategy:   &unreachable,
		TTY:                   a.TTY,
		Role:                  &a.Role,
	}
	if a.Cmd != "" {
		d.Cmd = &a.Cmd
	}
	if len(a.AcceptedResourceRoles) > 0 {
		d.AcceptedResourceRoles = a.AcceptedResourceRoles
	}
	for _, constraint := range a.Constraints {
		d.Constraints = append(d.Constraints, constraint.Strings())
	}
	for _, dependency := range a.Dependencies {
		d.Dependencies = append(d.Dependencies, dependency.String())
	}
	if a.TaskKillGracePeriod != nil {
		grace := wholeSecondsInt(*a.TaskKillGracePeriod)
		d.TaskKillGracePeriodSeconds = &grace
	}
	if a.ResourceLimits != nil {
		d.ResourceLimits = &LimitsDefinition{a.ResourceLimits.CPUs.definition(), a.ResourceLimits.Mem.definition()}
	}
	for i := range a.Networks {
		network := NetworkDefinition{Mode: a.Networks[i].Mode, Labels: a.Networks[i].Labels}
		if network.Mode == NetworkContainer {
			network.Name = &a.Networks[i].Name
		}
		d.Networks = append(d.Networks, network)
	}
	if a.HasHostNetwork() {
		d.PortDefinitions = append([]PortDefinition{}, a.PortDefinitions...)
	}
	if a.IsResident() {
		d.Residency = &Residency{3600, "WAIT_FOREVER"}
	}
	a.checkDefinitions(d)
	d.Container = a.containerDefinition()
	return d
}

func (a *App) checkDefinitions(d *Definition) {
	for i := range a.HealthChecks {
		check := &a.HealthChecks[i]
		definition := HealthCheckDefinition{
			GracePeriodSeconds: wholeSecondsInt(check.GracePeriod), IntervalSeconds: wholeSecondsInt(check.Interval),
			MaxConsecutiveFailures: check.MaxConsecutiveFailures, Path: check.Path, Port: check.Port, PortIndex: check.PortIndex,
			Protocol: check.Protocol, IPProtocol: check.IPProtocol, TimeoutSeconds: wholeSecondsInt(check.Timeout),
			DelaySeconds: wholeSecondsInt(check.Delay),
		}
		if check.Protocol == HealthCommand {
			definition.Command = &check.Command
		}
		d.HealthChecks = append(d.HealthChecks, definition)
	}
	if check := a.Check; check != nil {
		definition := &CheckDefinition{
			IntervalSeconds: wholeSecondsInt(check.Interval), TimeoutSeconds: wholeSecondsInt(check.Timeout),
			DelaySeconds: wholeSecondsInt(check.Delay),
		}
		switch check.Protocol {
		case CheckHTTP:
			definition.HTTP = &HTTPCheck{check.PortIndex, check.Port, check.Path, check.Scheme}
		case CheckTCP:
			definition.TCP = &TCPCheck{check.PortIndex, check.Port}
		default:
			definition.Exec = &ExecCheck{check.Shell, check.Argv}
		}
		d.Check = definition
	}
	for i := range a.ReadinessChecks {
		check := &a.ReadinessChecks[i]
		d.ReadinessChecks = append(d.ReadinessChecks, ReadinessCheckDefinition{
			Name: check.Name, Protocol: check.Protocol, Path: check.Path, PortName: check.PortName,
			IntervalSeconds: wholeSecondsInt(check.Interval), TimeoutSeconds: wholeSecondsInt(check.Timeout),
			HTTPStatusCodesForReady: check.HTTPStatusCodesForReady, PreserveLastResponse: check.PreserveLastResponse,
		})
	}
}

func (a *App) containerDefinition() *ContainerDefinition {
	if a.Container == nil {
		return nil
	}
	container := &ContainerDefinition{Type: a.Container.Type, LinuxInfo: a.Container.LinuxInfo}
	if !a.HasHostNetwork() {
		container.PortMappings = append([]PortMapping{}, a.Container.PortMappings...)
	}
	if docker := a.Container.Docker; docker != nil {
		container.Docker = &DockerDefinition{
			Image: docker.Image, ForcePullImage: docker.ForcePullImage, Privileged: docker.Privileged,
			Parameters: docker.Parameters, PullSecret: docker.PullSecret,
		}
	}
	for i := range a.Container.Volumes {
		volume := &a.Container.Volumes[i]
		definition := VolumeDefinition{
			ContainerPath: volume.ContainerPath, ReadOnly: volume.ReadOnly, Secret: volume.Secret, HostPath: volume.HostPath,
		}
		if external := volume.External; external != nil {
			definition.External = &ExternalDefinition{external.Size, &external.Name, &external.Provider, external.Options, external.Shared}
		}
		if persistent := volume.Persistent; persistent != nil {
			definition.Persistent = &PersistentDefinition{
				Type: &persistent.Type, Size: persistent.Size, MaxSize: persistent.MaxSize, ProfileName: persistent.ProfileName,
			}
			for _, constraint := range persistent.Constraints {
				definition.Persistent.Constraints = append(definition.Persistent.Constraints, constraint.Strings())
			}
		}
		container.Volumes = append(container.Volumes, definition)
	}
	return container
}

// Strings gives a constraint in the form of requests and answers.
func (c Constraint) Strings() []string {
	if !c.HasValue {
		return []string{c.Field, string(c.Operator)}
	}
	return []string{c.Field, string(c.Operator), c.Value}
}

func (l *Limit) definition() *LimitDefinition {
	if l == nil {
		return nil
	}
	if l.Unlimited() {
		word := "unlimited"
		return &LimitDefinition{Word: &word}
	}
	return &LimitDefinition{Number: float64(*l)}
}

// Merge lays a partial definition over the app: keys given replace those of the app as a
// whole (raml/AppConversion.scala, appUpdateRamlReader). The result is complete and needs Normalise.
func (d *Definition) Merge(onto *App) *Definition {
	merged := onto.Definition()
	over(&merged.Cmd, d.Cmd)
	overSlice(&merged.Args, d.Args)
	over(&merged.User, d.User)
	overSlice((*[]Entry[EnvValue])(&merged.Env), d.Env)
	over(&merged.Instances, d.Instances)
	over(&merged.CPUs, d.CPUs)
	over(&merged.Mem, d.Mem)
	over(&merged.Disk, d.Disk)
	over(&merged.GPUs, d.GPUs)
	over(&merged.Executor, d.Executor)
	overSlice(&merged.Constraints, d.Constraints)
	overSlice(&merged.Fetch, d.Fetch)
	overSlice(&merged.PortDefinitions, d.PortDefinitions)
	over(&merged.RequirePorts, d.RequirePorts)
	over(&merged.BackoffFactor, d.BackoffFactor)
	over(&merged.BackoffSeconds, d.BackoffSeconds)
	over(&merged.MaxLaunchDelaySeconds, d.MaxLaunchDelaySeconds)
	over(&merged.Container, d.Container)
	overSlice(&merged.HealthChecks, d.HealthChecks)
	over(&merged.Check, d.Check)
	overSlice(&merged.ReadinessChecks, d.ReadinessChecks)
	overSlice(&merged.Dependencies, d.Dependencies)
	over(&merged.UpgradeStrategy, d.UpgradeStrategy)
	overSlice((*[]Entry[string])(&merged.Labels), d.Labels)
	overSlice(&merged.AcceptedResourceRoles, d.AcceptedResourceRoles)
	overSlice(&merged.Networks, d.Networks)
	over(&merged.Residency, d.Residency)
	overSlice((*[]Entry[Secret])(&merged.Secrets), d.Secrets)
	over(&merged.TaskKillGracePeriodSeconds, d.TaskKillGracePeriodSeconds)
	over(&merged.UnreachableStrategy, d.UnreachableStrategy)
	over(&merged.KillSelection, d.KillSelection)
	over(&merged.TTY, d.TTY)
	over(&merged.Role, d.Role)
	// These two come from the update alone, given or not.
	merged.ExecutorResources, merged.ResourceLimits = d.ExecutorResources, d.ResourceLimits
	return merged
}

func over[T any](field **T, given *T) {
	if given != nil {
		*field = given
	}
}

func overSlice[T any](field *[]T, given []T) {
	if given != nil {
		*field = given
	}
}

func wholeSecondsInt(d time.Duration) int { return int(d / time.Second) }

func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
